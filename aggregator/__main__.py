"""``python -m aggregator``, and the ``aggregator`` command.

Nothing is imported at the top: child processes that parse documents import this file again.
"""

import atexit
import gc
import os
import signal
import sys

_GC_THRESHOLDS = 50_000, 20, 20


def main() -> None:
    """The console script."""
    _open_standard_streams()
    _leave_deleted_folder()
    if sys.getfilesystemencoding() != "utf-8":
        # File names are tags in any script, and must be the same under cron as on a terminal.
        # From Python 3.15 on, UTF-8 mode is the default (PEP 686).
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something to clean up
    # Imported objects are never garbage. Collection during import takes a tenth of the start of a
    # run, and as much again at exit.
    gc.disable()
    from aggregator.cli import app

    # A run makes millions of objects and few cycles. With Python's default threshold of 700
    # objects, collection took a tenth of the run.
    gc.set_threshold(*_GC_THRESHOLDS)
    gc.enable()
    atexit.register(gc.freeze)
    try:
        app()
    finally:
        # The exit code is settled: a second Ctrl-C, or an impatient supervisor, must not change it.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def _open_standard_streams() -> None:
    """Open standard streams that are closed. Otherwise the next file to be opened would get their
    descriptor, and messages would be written into it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor: this one
            setattr(sys, name, os.fdopen(descriptor, "w" if number else "r"))


def _leave_deleted_folder() -> None:
    """Leave a working directory that was deleted: child processes could not start in it."""
    try:
        os.getcwd()  # noqa: PTH109  # nothing is imported yet
    except FileNotFoundError:
        os.chdir("/")


if __name__ == "__main__":
    main()
