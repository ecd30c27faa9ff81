"""No document takes more than it is given: the kernel sees to it, in the child that reads it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from aggregator.model import Fetched, ParsedFeed, ParseFailed
from aggregator.parse.pool import MEMORY_BYTES, ParsingPool
from tests.fuzz.large import LARGE
from tests.fuzz.targets import NOW, URL
from tests.harness import item, rss

_GOOD = Fetched(URL, URL, rss(item()).encode(), "")


def main() -> None:
    """Read them all, one by one; tell what became of each, and the most memory of a child."""

    async def read() -> dict[str, str | None]:
        told = {}
        with ParsingPool() as pool:
            for name, make in LARGE.items():
                parsed = await pool.parse(Fetched(URL, URL, make(), ""), NOW, None)
                assert isinstance(parsed, ParsedFeed | ParseFailed), name
                told[name] = parsed.reason if isinstance(parsed, ParseFailed) else None
                assert isinstance(await pool.parse(_GOOD, NOW, None), ParsedFeed), name
        return told

    told = asyncio.run(read())
    print(json.dumps([told, getrusage(RUSAGE_CHILDREN).ru_maxrss * 1024]))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_ten_megabytes_of_anything_are_read_or_refused_within_the_bounds():
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.test_bounds"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told, most_bytes = json.loads(done.stdout)
    assert most_bytes <= MEMORY_BYTES
    assert "took more than 2 s" in told["nested lists in a text"]
    assert told["one long text"] is None
    # That memory is at an end, Rust tells by ending the process.
    reasons = (
        "not a feed",
        "refused",
        "parsing took more than",
        "the document crashed the parser",
    )
    assert all(reason.startswith(reasons) for reason in filter(None, told.values())), told


if __name__ == "__main__":
    main()
