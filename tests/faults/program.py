"""``python -m tests.faults.program 2026-11-24T12:00 run``: the program with a stopped clock.

Tests can then compare the outputs of two runs byte by byte.
"""

import signal
import sys
from datetime import UTC, datetime, tzinfo
from typing import Any


def main() -> None:
    """Stop the clock, then run the program."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the program does first
    from aggregator.__main__ import main
    from aggregator.cli import context
    from aggregator.store import Store

    at = datetime.fromisoformat(sys.argv.pop(1)).replace(tzinfo=UTC)

    class StoppedClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return at.astimezone(tz)

    context.datetime = StoppedClock  # type: ignore[attr-defined]
    Store.server_time = lambda self: at  # type: ignore[method-assign]
    main()


if __name__ == "__main__":  # parser processes import this file again
    main()
