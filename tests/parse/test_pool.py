"""Parsing in child processes: limits, batches, and children that are killed."""

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pebble import ProcessPool

from aggregator.model import Fetched, ParsedFeed, ParseFailed
from aggregator.parse.document import parse_document
from aggregator.parse.pool import ParsingPool
from tests.harness import item, rss

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"
GOOD = Fetched(URL, URL, rss(item("Les communs")).encode())


schedule = ProcessPool.schedule


def parse(*documents, **limits):
    async def go():
        with ParsingPool(**limits) as pool:
            return [await pool.parse(document, NOW, "fr") for document in documents]

    return asyncio.run(go())


def parse_together(*documents, **limits):
    async def go():
        with ParsingPool(**limits) as pool:
            return await asyncio.gather(*(pool.parse(one, NOW, "fr") for one in documents))

    return asyncio.run(go())


def feed(number):
    url = f"https://{number}.example/feed"
    return Fetched(url, url, rss(item(f"Les communs, {number}")).encode())


def test_child_parses_like_parse_document():
    html = Fetched(URL, URL, b"<html><title>Hello</title></html>")
    assert parse(GOOD, html) == [parse_document(GOOD, NOW, "fr"), parse_document(html, NOW, "fr")]


def test_document_that_takes_too_long_is_stopped_and_the_next_is_parsed():
    damaged = rss("<item>" + "&lt;b" * 2_000_000 + "</item>").removesuffix("</rss>")
    long = Fetched(URL, URL, damaged.encode())
    began = time.monotonic()
    stopped, good = parse(long, GOOD, cpu_seconds=1)
    assert isinstance(stopped, ParseFailed)
    assert "took more than 1 s and was stopped" in stopped.reason
    assert isinstance(good, ParsedFeed)
    assert time.monotonic() - began < 20


def test_stopped_children_do_not_accumulate():
    damaged = rss("<item>" + "&lt;b" * 2_000_000 + "</item>").removesuffix("</rss>")
    long = Fetched(URL, URL, damaged.encode())

    async def go():
        with ParsingPool(cpu_seconds=1) as pool:
            for document in (GOOD, long, GOOD, long, GOOD):
                await pool.parse(document, NOW, "fr")
            return len(multiprocessing.active_children())

    assert asyncio.run(go()) == 1


def test_killed_children_do_not_accumulate():
    async def go():
        with ParsingPool() as pool:
            for _ in range(3):
                assert isinstance(await pool.parse(GOOD, NOW, "fr"), ParsedFeed)
                (child,) = multiprocessing.active_children()
                child.kill()
                child.join()
            assert isinstance(await pool.parse(GOOD, NOW, "fr"), ParsedFeed)
            return len(multiprocessing.active_children())

    assert asyncio.run(go()) == 1


def test_documents_that_arrive_together_are_one_batch(monkeypatch):
    tasks = []

    def record(pool, function, args, **more):
        tasks.append((pool, len(args[0])))
        return schedule(pool, function, args, **more)

    monkeypatch.setattr(ProcessPool, "schedule", record)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    one_batch, two_batches = list(map(feed, range(16))), list(map(feed, range(20)))
    assert parse_together(*one_batch) == [
        parse_document(document, NOW, "fr") for document in one_batch
    ]
    assert [number for _, number in tasks] == [16]
    tasks.clear()
    assert parse_together(*two_batches) == [
        parse_document(document, NOW, "fr") for document in two_batches
    ]
    assert [number for _, number in tasks] == [16, 4]
    assert len({pool for pool, _ in tasks}) == 2  # more than fit in one batch


def test_only_the_document_that_crashes_a_batch_fails(monkeypatch):
    def abort_at_the_second(pool, function, args, **more):
        bad = any(document[0].key == feed(2).key for document in args[0])
        return schedule(pool, os.abort) if bad else schedule(pool, function, args, **more)

    monkeypatch.setattr(ProcessPool, "schedule", abort_at_the_second)
    first, second, third = parse_together(feed(1), feed(2), feed(3))
    assert first == parse_document(feed(1), NOW, "fr")
    assert isinstance(second, ParseFailed)
    assert second.key == feed(2).key
    assert "crashed the parser; it probably took more than 300 MiB" in second.reason
    assert third == parse_document(feed(3), NOW, "fr")


def test_cancelled_caller_does_not_affect_the_batch():
    async def go():
        with ParsingPool() as pool:
            first, second, third = (
                asyncio.create_task(pool.parse(feed(number), NOW, "fr")) for number in range(3)
            )
            await asyncio.sleep(0)
            second.cancel()
            return await asyncio.gather(first, second, third, return_exceptions=True)

    first, second, third = asyncio.run(go())
    assert first == parse_document(feed(0), NOW, "fr")
    assert isinstance(second, asyncio.CancelledError)
    assert third == parse_document(feed(2), NOW, "fr")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux")
def test_document_that_takes_too_much_memory_fails_and_the_next_is_parsed():
    large = Fetched(URL, URL, rss(*[item(f"{n}", body="x" * 90_000) for n in range(100)]).encode())
    failed, good = parse(large, GOOD, memory_bytes=96 * 1024 * 1024)
    assert isinstance(failed, ParseFailed)
    assert "took more than 96 MiB" in failed.reason
    assert isinstance(good, ParsedFeed)


def test_document_that_crashes_the_parser_fails(monkeypatch):
    async def go():
        with ParsingPool() as pool:
            return await pool.parse(GOOD, NOW, None)

    monkeypatch.setattr(ProcessPool, "schedule", lambda pool, *_, **__: schedule(pool, os.abort))
    failed = asyncio.run(go())
    assert isinstance(failed, ParseFailed)
    assert "crashed the parser; it probably took more than 300 MiB" in failed.reason


def test_child_does_not_outlive_its_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys, time\n"
        "from tests.parse.test_pool import GOOD, NOW\n"
        "from aggregator.parse.pool import ParsingPool\n"
        "async def go():\n"
        "    pool = ParsingPool()\n"
        "    await pool.parse(GOOD, NOW, None)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(go())\n"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=environment, start_new_session=True
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        for _ in range(100):
            try:
                os.killpg(parent.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        os.killpg(parent.pid, signal.SIGKILL)
        pytest.fail("a child is still running")
