"""``python -m aggregator``: the same program as the ``aggregator`` command.

Nothing is imported here before it runs: the children that read documents import this file again.
"""

import atexit
import gc

_GARBAGE_AFTER = 50_000, 20, 20  # objects; of how many such looks one goes deeper


def main() -> None:
    """The console script."""
    # What is imported stays. To look through it for garbage while it comes is a tenth of the start
    # of a run, and once more at the end, when it goes with the process, as much again.
    gc.disable()
    from aggregator.cli import app

    # A run makes millions of objects and hardly a circle of them: to look for these at every 700th,
    # as Python does by itself, was a tenth of it.
    gc.set_threshold(*_GARBAGE_AFTER)
    gc.enable()
    atexit.register(gc.freeze)
    app()


if __name__ == "__main__":
    main()
