"""``python -m aggregator``: the same program as the ``aggregator`` command.

Nothing is imported here before it runs: the children that read documents import this file again.
"""

import atexit
import gc
import os
import signal
import sys

_GARBAGE_AFTER = 50_000, 20, 20  # objects; of how many such looks one goes deeper


def main() -> None:
    """The console script."""
    _open_streams()
    _stand_somewhere()
    if sys.getfilesystemencoding() != "utf-8":
        # Names of files are those of tags, in any script, and the same under cron as on a terminal.
        # From 3.15 on, Python itself takes no notice of the locale (PEP 686).
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a command has something to tidy up
    # What is imported stays. To look through it for garbage while it comes is a tenth of the start
    # of a run, and once more at the end, when it goes with the process, as much again.
    gc.disable()
    from aggregator.cli import app

    # A run makes millions of objects and hardly a circle of them: to look for these at every 700th,
    # as Python does by itself, was a tenth of it.
    gc.set_threshold(*_GARBAGE_AFTER)
    gc.enable()
    atexit.register(gc.freeze)
    try:
        app()
    finally:
        # What is left is to go, with the exit code that is settled: whoever presses Ctrl-C once more,
        # or whose supervisor is impatient, changes nothing.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def _open_streams() -> None:
    """Open those standard streams that are closed: the next file opened would take their place,
    and what is said would be written into it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
            setattr(sys, name, os.fdopen(descriptor, "w" if number else "r"))


def _stand_somewhere() -> None:
    """Leave a working folder that is gone: no child could be started from there."""
    try:
        os.getcwd()  # noqa: PTH109  # nothing is imported yet
    except FileNotFoundError:
        os.chdir("/")


if __name__ == "__main__":
    main()
