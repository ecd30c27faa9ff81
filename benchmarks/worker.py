"""A worker of `machines`: ``python -m benchmarks.worker FOLDER STALLED_SECONDS``.

Nothing is imported at the top: child processes that parse documents import this file again.
"""

import sys


def main() -> None:
    """Work until a signal."""
    import asyncio
    from pathlib import Path

    from benchmarks.machines import run_worker

    asyncio.run(run_worker(Path(sys.argv[1]), float(sys.argv[2])))


if __name__ == "__main__":
    main()
