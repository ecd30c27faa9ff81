"""``python -m aggregator``: the same program as the ``aggregator`` command.

Nothing is imported here before it runs: the children that read documents import this file again.
"""

import atexit
import gc


def main() -> None:
    """The console script."""
    # What is imported stays. To look through it for garbage while it comes is a tenth of the start
    # of a run, and once more at the end, when it goes with the process, as much again.
    gc.disable()
    from aggregator.cli import app

    gc.enable()
    atexit.register(gc.freeze)
    app()


if __name__ == "__main__":
    main()
