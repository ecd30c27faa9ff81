"""Real sockets: everything a publisher may answer, and what becomes of it."""

import asyncio
import gzip
import socket
import time
from datetime import UTC, datetime

import brotli
import pytest
import zstandard

from aggregator.fetch import Fetcher
from aggregator.fetch.client import MAX_BODY_BYTES
from aggregator.model import Fetched, FetchFailed, Gone, NotModified, Validators
from tests.harness import rss, subscription
from tests.origin import Answer, origin

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FEED = rss().encode()


def fetch(url, validators=Validators(), total_seconds=5.0, **settings):  # noqa: B008 (frozen)
    async def go():
        async with Fetcher("aggregator/test", total_seconds=total_seconds) as fetcher:
            return await fetcher.fetch(subscription(url, **settings), validators, NOW)

    return asyncio.run(go())


def reason(outcome):
    assert isinstance(outcome, FetchFailed), outcome
    return outcome.reason


def test_a_document_then_not_modified(publisher):
    publisher["/feed"] = FEED
    first = fetch(publisher.url("/feed"))
    assert isinstance(first, Fetched)
    assert first.body == FEED
    second = fetch(publisher.url("/feed"), first.validators)
    assert isinstance(second, NotModified)
    (asked, again) = publisher.requests("/feed")
    assert asked.headers["User-Agent"] == "aggregator/test"
    assert again.headers["If-None-Match"] == first.validators.etag


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_compressed_answers(publisher, encoding, compress):
    publisher["/feed"] = Answer(compress(FEED), headers={"Content-Encoding": encoding})
    outcome = fetch(publisher.url("/feed"))
    assert isinstance(outcome, Fetched)
    assert outcome.body == FEED
    assert encoding in publisher.asked[0].headers["Accept-Encoding"]


def test_permanent_redirects_are_followed_and_told(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/newer"})
    publisher["/newer"] = Answer(status=308, headers={"Location": publisher.url("/new")})
    publisher["/new"] = FEED
    outcome = fetch(publisher.url("/old"))
    assert isinstance(outcome, Fetched)
    assert outcome.final_url == outcome.moved_to == publisher.url("/new")


def test_a_temporary_redirect_is_no_move(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/newer"})
    publisher["/newer"] = Answer(status=302, headers={"Location": "/new"})
    publisher["/new"] = FEED
    outcome = fetch(publisher.url("/old"))
    assert isinstance(outcome, Fetched)
    assert outcome.moved_to is None


def test_secrets_and_validators_stay_at_their_origin(publisher):
    with origin() as other:
        publisher["/feed"] = Answer(status=302, headers={"Location": other.url("/feed")})
        other["/feed"] = FEED
        outcome = fetch(
            publisher.url("/feed"),
            Validators('"e"', None),
            headers=(("X-Api-Key", "secret"),),
            authorization="Bearer secret",
        )
        assert isinstance(outcome, Fetched)
        assert publisher.asked[0].headers["Authorization"] == "Bearer secret"
        elsewhere = other.asked[0].headers
        assert "secret" not in str(elsewhere)
        assert elsewhere["If-None-Match"] is None


def test_they_are_kept_within_it(publisher):
    publisher["/a"] = Answer(status=302, headers={"Location": "/b"})
    publisher["/b"] = FEED
    fetch(publisher.url("/a"), headers=(("X-Api-Key", "secret"),))
    assert publisher.requests("/b")[0].headers["X-Api-Key"] == "secret"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://a/", "", "http://[bad"])
def test_redirects_lead_to_web_addresses_only(publisher, location):
    publisher["/feed"] = Answer(status=302, headers={"Location": location} if location else {})
    if location:
        assert "no web address" in reason(fetch(publisher.url("/feed")))
    else:
        assert isinstance(fetch(publisher.url("/feed")), FetchFailed)


def test_redirects_without_end(publisher):
    publisher["/loop"] = Answer(status=302, headers={"Location": "/loop?token=secret"})
    publisher["/loop?token=secret"] = publisher.answers["/loop"]
    said = reason(fetch(publisher.url("/loop")))
    assert said.startswith("too many redirects (5)")
    assert "secret" not in said
    assert len(publisher.asked) == 6


def test_gone(publisher):
    publisher["/feed"] = Answer(status=410)
    assert isinstance(fetch(publisher.url("/feed")), Gone)


def test_too_large(publisher):
    publisher["/feed"] = Answer(b"x" * (MAX_BODY_BYTES + 1))
    assert reason(fetch(publisher.url("/feed"))) == "larger than 10 MiB"


def test_too_large_once_it_is_unpacked(publisher):
    bomb = gzip.compress(b"\0" * (MAX_BODY_BYTES * 4))
    publisher["/feed"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    assert reason(fetch(publisher.url("/feed"))) == "larger than 10 MiB"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(FEED, headers={"Content-Encoding": "gzip"}), "compression is broken"),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<rss>"), "cut short"),
        (
            Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss>\r\n"),
            "cut short",
        ),
        (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "not an HTTP answer"),
        (Answer(raw=b""), "closed without an answer"),
        (Answer(status=500), "HTTP 500"),
    ],
)
def test_trouble_is_a_value_in_words(publisher, answer, words):
    publisher["/feed"] = answer
    assert words in reason(fetch(publisher.url("/feed")))


def test_connection_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert reason(fetch(f"http://127.0.0.1:{port}/")) == "connection refused"


def test_name_not_found():
    assert "name not found" in reason(fetch("http://no-such-host.invalid/feed"))


def test_tls_where_there_is_none(publisher):
    assert reason(fetch(publisher.url("/").replace("http:", "https:"))).startswith("TLS")


def test_the_deadline_is_for_the_whole_answer(publisher):
    publisher["/feed"] = Answer(FEED, wait=lambda: time.sleep(1.5))
    start = time.monotonic()
    said = reason(fetch(publisher.url("/feed"), total_seconds=0.3))
    assert said == "the answer took longer than 0.3 s"
    assert time.monotonic() - start < 1.4


def test_one_request_at_a_time_per_host_and_many_hosts_at_once():
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = Answer(FEED, wait=lambda: time.sleep(0.02))
        due = [
            (subscription(publishers.url("/feed", f"127.0.0.{host}")), Validators())
            for host in range(1, 6)
            for _ in range(4)
        ]

        async def go():
            async with Fetcher("aggregator/test") as fetcher:
                return [outcome async for _, outcome in fetcher.poll(due, NOW)]

        outcomes = asyncio.run(go())
    assert len(outcomes) == 20
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert set(publishers.most_at_once.values()) == {1}


def test_a_redirect_waits_for_its_host_too():
    with origin("0.0.0.0") as publishers:
        publishers["/slow"] = Answer(FEED, wait=lambda: time.sleep(0.05))
        publishers["/away"] = Answer(
            status=302, headers={"Location": publishers.url("/slow", "127.0.0.9")}
        )
        due = [
            (subscription(publishers.url("/away", f"127.0.0.{host}")), Validators())
            for host in range(1, 6)
        ]

        async def go():
            async with Fetcher("aggregator/test") as fetcher:
                return [outcome async for _, outcome in fetcher.poll(due, NOW)]

        assert all(isinstance(outcome, Fetched) for outcome in asyncio.run(go()))
    assert publishers.most_at_once["127.0.0.9"] == 1


def test_who_stops_listening_stops_the_polling(publisher):
    publisher["/feed"] = FEED

    async def go():
        due = [(subscription(publisher.url("/feed")), Validators())] * 50
        async with Fetcher("aggregator/test") as fetcher:
            polling = fetcher.poll(due, NOW)
            await anext(polling)
            await polling.aclose()

    asyncio.run(go())
    assert len(publisher.asked) < 50


def test_a_bug_is_raised_and_not_lost(publisher, monkeypatch):
    async def go():
        async with Fetcher("aggregator/test") as fetcher:
            monkeypatch.setattr(fetcher, "fetch", None)
            due = [(subscription(publisher.url("/feed")), Validators())]
            return [outcome async for _, outcome in fetcher.poll(due, NOW)]

    with pytest.raises(TypeError):
        asyncio.run(go())
