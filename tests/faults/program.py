"""``python -m tests.faults.program 2026-11-24T12:00 run``: the program, its clock standing still.

So that what two runs write can be compared byte by byte.
"""

import signal
import sys
from datetime import UTC, datetime, tzinfo
from typing import Any


def main() -> None:
    """Stop the clock, and be the program."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as it does first of all
    from aggregator.__main__ import main
    from aggregator.cli import context
    from aggregator.store import Store

    at = datetime.fromisoformat(sys.argv.pop(1)).replace(tzinfo=UTC)

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return at.astimezone(tz)

    context.datetime = Stopped  # type: ignore[attr-defined]
    Store.server_time = lambda self: at  # type: ignore[method-assign]
    main()


if __name__ == "__main__":  # the children that read documents import this file again
    main()
