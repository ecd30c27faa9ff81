"""Whole runs as cron sees them, each a process of its own: start, poll, store, match, publish.

*cold*: nothing is stored; *warm*: every feed answers 304. Real feeds beside the checkout are used
where they are, else generated ones.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.server import address, serving

FEEDS = 400
ROUNDS = 3
_LOOPBACK = 'allow_private = "127.0.0.0/8"\n'
_REPOSITORY = Path(__file__).resolve().parents[1]


def _documents() -> dict[str, bytes]:
    real = _REPOSITORY.parent / "shared" / "corpus" / "feeds"
    if real.is_dir():
        paths = sorted(real.iterdir())[:FEEDS]
        return {f"/{number}": path.read_bytes() for number, path in enumerate(paths)}
    return {f"/{number}": _generated(number) for number in range(FEEDS)}


def _generated(number: int) -> bytes:
    items = "".join(
        f"<item><title>Entry {n} of {number} on commons</title>"
        f"<link>https://f{number}.example/{n}</link>"
        f"<description>&lt;p&gt;{'word ' * 150}&lt;/p&gt;</description></item>"
        for n in range(20)
    )
    head = f"<rss version='2.0'><channel><title>Feed {number}</title>"
    return f"{head}{items}</channel></rss>".encode()


def _run(folder: Path) -> tuple[float, float]:
    """(wall, CPU) seconds of one run."""
    before, began = os.times(), time.monotonic()
    subprocess.run([sys.executable, "-m", "aggregator", "run", "--all"], cwd=folder, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.monotonic() - began, cpu - before.children_user - before.children_system


def main() -> None:
    """Print the table."""
    documents = _documents()
    cold, warm = [], []
    with serving(documents) as port:
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                subscriptions = "".join(
                    f'[[subscriptions]]\nurl = "{address(port, n, path)}"\n{_LOOPBACK}'
                    for n, path in enumerate(documents)
                )
                clippings = _REPOSITORY / "clippings" / "michel-bauwens.txt"
                (folder / "clippings.txt").write_bytes(clippings.read_bytes())
                (folder / "feeds.toml").write_text(
                    '[clippings]\nfiles = "clippings.txt"\n' + subscriptions
                )
                cold.append(_run(folder))
                warm.append(_run(folder))
    size = sum(map(len, documents.values())) / 1e6
    print(f"\nWhole runs over {len(documents)} feeds, {size:.1f} MB; medians of {ROUNDS}\n")
    print("  phase    wall      CPU    feeds/s")
    for phase, times in (("cold", cold), ("warm", warm)):
        wall, cpu = (median(column) for column in zip(*times, strict=True))
        print(f"  {phase}  {wall:6.2f} s  {cpu:5.2f} s   {len(documents) / wall:7.0f}")
