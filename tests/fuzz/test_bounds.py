"""Every document is parsed or refused within the limits of a child process.

Documents of half the size get half the time, so the slow ones reach the limit too.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from aggregator.model import Fetched, ParsedFeed, ParseFailed
from aggregator.parse.pool import CPU_SECONDS, MEMORY_BYTES, ParsingPool
from tests.fuzz.large import LARGE
from tests.fuzz.targets import NOW, URL
from tests.harness import item, rss

SECONDS = CPU_SECONDS if os.environ.get("FULL_TESTS") else CPU_SECONDS // 2
_GOOD = Fetched(URL, URL, rss(item()).encode(), "")


def main() -> None:
    """Parse all large documents; print the failures as JSON, and the maximum memory of a child."""

    async def parse_all() -> dict[str, str | None]:
        failures: dict[str, str | None] = {}
        with ParsingPool(cpu_seconds=SECONDS) as pool:
            for name, make in LARGE.items():
                parsed = await pool.parse(Fetched(URL, URL, make(), ""), NOW, None)
                assert isinstance(parsed, ParsedFeed | ParseFailed), name
                failures[name] = parsed.reason if isinstance(parsed, ParseFailed) else None
                assert isinstance(await pool.parse(_GOOD, NOW, None), ParsedFeed), name
        return failures

    failures = asyncio.run(parse_all())
    print(json.dumps([failures, getrusage(RUSAGE_CHILDREN).ru_maxrss * 1024]))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_large_documents_stay_within_the_limits():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.test_bounds"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    failures, max_bytes = json.loads(done.stdout)
    assert max_bytes <= MEMORY_BYTES
    # feedparser's time and memory grow with the square of the depth; either limit ends it.
    assert "parsing took more than" in failures["nested lists in a text"]
    assert any(f"took more than {SECONDS} s" in reason for reason in failures.values() if reason)
    assert failures["one long text"] is None
    # Rust aborts the process if it runs out of memory.
    reasons = (
        "not a feed",
        "refused",
        "parsing took more than",
        "the document crashed the parser",
    )
    assert all(reason.startswith(reasons) for reason in filter(None, failures.values())), failures


if __name__ == "__main__":
    main()
