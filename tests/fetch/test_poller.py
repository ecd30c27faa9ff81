"""Polls over real sockets: every kind of answer, and its outcome."""

import asyncio
import gzip
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import pairwise

import brotli
import pytest
import trustme
import zstandard

from aggregator.fetch.client import MAX_BODY_BYTES
from aggregator.fetch.connections import resolve
from aggregator.fetch.poller import Fetcher
from aggregator.model import (
    Deferred,
    Fetched,
    FetchFailed,
    Gone,
    NotModified,
    Poll,
    Validators,
)
from tests.harness import rss, subscription
from tests.origin import Answer, origin

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FEED = rss().encode()
COUNTING_SECONDS = 0.1  # in which the test server notes that a request has ended


def fetch(url, validators=None, total_seconds=5.0, resolver=resolve, moved_to=None, **settings):
    """One poll of ``url``; ``moved_to`` replaces it, as after a permanent redirect."""

    async def go():
        fetcher = Fetcher(
            "aggregator/test", total_seconds=total_seconds, gap_seconds=0, resolver=resolver
        )
        async with fetcher:
            poll = Poll(subscription(url, **settings), moved_to or url, validators or Validators())
            return await fetcher.fetch(poll, NOW)

    return asyncio.run(go())


def poll_all(urls, gap_seconds=0.0, holds=(), total_seconds=5.0, **settings):
    async def go():
        fetcher = Fetcher("aggregator/test", total_seconds=total_seconds, gap_seconds=gap_seconds)
        async with fetcher:
            polls = [Poll(subscription(url, **settings), url) for url in urls]
            return [outcome async for _, outcome in fetcher.poll(polls, dict(holds), NOW)]

    return asyncio.run(go())


def reason(outcome):
    assert isinstance(outcome, FetchFailed), outcome
    return outcome.reason


def test_second_poll_is_conditional(publisher):
    publisher["/feed"] = FEED
    first = fetch(publisher.url("/feed"))
    assert isinstance(first, Fetched)
    assert first.body == FEED
    second = fetch(publisher.url("/feed"), first.validators)
    assert isinstance(second, NotModified)
    first_request, second_request = publisher.requests("/feed")
    assert first_request.headers["User-Agent"] == "aggregator/test"
    assert second_request.headers["If-None-Match"] == first.validators.etag


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_compressed_answers_are_decoded(publisher, encoding, compress):
    publisher["/feed"] = Answer(compress(FEED), headers={"Content-Encoding": encoding})
    outcome = fetch(publisher.url("/feed"))
    assert isinstance(outcome, Fetched)
    assert outcome.body == FEED
    assert encoding in publisher.all_requests[0].headers["Accept-Encoding"]


def test_permanent_redirects_give_the_new_url(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/newer"})
    publisher["/newer"] = Answer(status=308, headers={"Location": publisher.url("/new")})
    publisher["/new"] = FEED
    outcome = fetch(publisher.url("/old"))
    assert isinstance(outcome, Fetched)
    assert outcome.final_url == outcome.moved_to == publisher.url("/new")


def test_temporary_redirect_is_no_move(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/newer"})
    publisher["/newer"] = Answer(status=302, headers={"Location": "/new"})
    publisher["/new"] = FEED
    outcome = fetch(publisher.url("/old"))
    assert isinstance(outcome, Fetched)
    assert outcome.moved_to is None


def test_redirect_to_another_origin_gets_no_secrets(publisher):
    with origin() as other:
        publisher["/feed"] = Answer(status=302, headers={"Location": other.url("/feed")})
        other["/feed"] = FEED
        outcome = fetch(
            publisher.url("/feed"),
            Validators('"e"', None, publisher.url("/feed")),
            headers=(("X-Api-Key", "secret"),),
            authorization="Bearer secret",
        )
        assert isinstance(outcome, Fetched)
        assert publisher.all_requests[0].headers["Authorization"] == "Bearer secret"
        headers = other.all_requests[0].headers
        assert "secret" not in str(headers)
        assert headers["If-None-Match"] is None


def test_redirect_within_the_origin_gets_the_headers(publisher):
    publisher["/a"] = Answer(status=302, headers={"Location": "/b"})
    publisher["/b"] = FEED
    fetch(publisher.url("/a"), headers=(("X-Api-Key", "secret"),))
    assert publisher.requests("/b")[0].headers["X-Api-Key"] == "secret"


LOCATIONS = {
    "relative": (b"new", "/dir/new"),
    "relative to the parent": (b"../new", "/new"),
    "a query only": (b"?page=2", "/dir/feed?page=2"),
    "a host only": (b"//127.0.0.1:PORT/new", "/new"),
    "spaces around": (b"  /new\t ", "/new"),
    "spaces inside": (b"/a new?b c", "/a%20new?b%20c"),
    "a tab inside": (b"/n\tew", "/new"),
    "UTF-8": ("/d\u00e9but?\u00e9".encode(), "/d%C3%A9but?%C3%A9"),
    "Latin-1": ("/d\u00e9but?\u00e9".encode("latin-1"), "/d%E9but?%E9"),
    "UTF-8 beside %": ("/%e9\u00e9".encode(), "/%e9%C3%A9"),
    "an emoji": ("/\U0001f600".encode(), "/%F0%9F%98%80"),
    "an invalid %": (b"/100%new", "/100%new"),
    "a fragment": (b"/new#top", "/new"),
    "other characters": (b'/a<b>{c}?"d"|e', "/a%3Cb%3E%7Bc%7D?%22d%22%7Ce"),
    "capitals in the scheme": (b"HTTP://127.0.0.1:PORT/new", "/new"),
    "a password": (b"http://me:pw@127.0.0.1:PORT/new", "/new"),
    "no path": (b"http://127.0.0.1:PORT?new", "/?new"),
    "a colon": (b"/a:b", "/a:b"),
    "dots": (b"/x/../new", "/new"),
}


@pytest.mark.parametrize("case", LOCATIONS)
@pytest.mark.parametrize(
    "head", [b"Location: %b", b"location:%b", b"Location:\r\n %b", b"Location : %b"]
)
def test_location_as_curl_and_requests_read_it(publisher, case, head):
    location, path = LOCATIONS[case]
    location = location.replace(b"PORT", str(publisher.port).encode())
    publisher["/dir/feed"] = Answer(
        raw=b"HTTP/1.1 302 Found\r\n" + head % location + b"\r\nContent-Length: 0\r\n\r\n"
    )
    publisher[path] = FEED
    outcome = fetch(publisher.url("/dir/feed"))
    assert isinstance(outcome, Fetched), publisher.all_requests
    assert "#" not in outcome.final_url
    assert publisher.all_requests[-1].headers["Authorization"] is None


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirects_are_followed(publisher, status):
    publisher["/old"] = Answer(b"moved", status, {"Location": "/new"})
    publisher["/new"] = FEED
    outcome = fetch(publisher.url("/old"))
    assert isinstance(outcome, Fetched)
    assert outcome.moved_to == (publisher.url("/new") if status in (301, 308) else None)


@pytest.mark.parametrize("status", [304, 305, 306, 399])
def test_other_3xx_are_no_redirects(publisher, status):
    publisher["/old"] = Answer(status=status, headers={"Location": "/new"})
    assert f"HTTP {status}" in reason(fetch(publisher.url("/old")))
    assert publisher.requests("/new") == []


def test_first_of_two_locations_counts(publisher):
    """requests joins them; curl and browsers take one."""
    publisher["/old"] = Answer(
        raw=b"HTTP/1.1 302 Found\r\nLocation: /new\r\nLocation: /new\r\n\r\n"
    )
    publisher["/new"] = FEED
    assert isinstance(fetch(publisher.url("/old")), Fetched)


# -- cookies --------------------------------------------------------------------------------------


class CookieWall:
    """Answers with ``first`` until the request has the cookie, then with the feed."""

    def __init__(self, publisher, path, first, cookie):
        self.publisher, self.path, self.first, self.cookie = publisher, path, first, cookie
        publisher[path] = Answer(raw=self.pieces)

    def pieces(self):
        sent = self.publisher.requests(self.path)[-1].headers["Cookie"] or ""
        yield OK + b"\r\n" + FEED if self.cookie in sent.split("; ") else self.first


def found(location, *cookies):
    lines = [b"HTTP/1.1 302 Found", b"Location: " + location.encode()]
    lines += [b"Set-Cookie: " + cookie.encode() for cookie in cookies]
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])


@pytest.mark.parametrize(
    "cookies",
    [
        ["ok=1"],
        ["ok=1; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"],
        ["other=2", "ok=1; expires=Fri, 31-Dec-2099 23:59:59 GMT"],
        ["", "=;;;", "bad=\xe9", "ok=1"],
    ],
)
def test_cookie_is_sent_back_within_a_chain(publisher, cookies):
    CookieWall(publisher, "/feed", found("/feed", *cookies), "ok=1")
    assert isinstance(fetch(publisher.url("/feed")), Fetched)
    assert len(publisher.all_requests) == 2


def test_cookie_over_several_redirects(publisher):
    publisher["/feed"] = Answer(raw=found("/check", "ok=1; Path=/"))
    publisher["/check"] = Answer(raw=found("/new"))
    CookieWall(publisher, "/new", found("/feed"), "ok=1")
    assert isinstance(fetch(publisher.url("/feed")), Fetched)


def test_cookie_is_added_to_those_of_feeds_toml(publisher):
    CookieWall(publisher, "/feed", found("/feed", "ok=1"), "ok=1")
    assert isinstance(fetch(publisher.url("/feed"), headers=(("cookie", "mine=2"),)), Fetched)
    assert [r.headers["Cookie"] for r in publisher.all_requests] == ["mine=2", "mine=2; ok=1"]


def test_cookie_is_forgotten_after_the_chain(publisher):
    publisher["/feed"] = Answer(FEED, headers={"Set-Cookie": "a=1; Path=/"})
    publisher["/old"] = Answer(raw=found("/feed", "b=2; Path=/"))
    urls = [publisher.url("/old"), publisher.url("/feed"), publisher.url("/old")]
    assert all(isinstance(outcome, Fetched) for outcome in poll_all(urls))
    cookies = [(request.path, request.headers["Cookie"]) for request in publisher.all_requests]
    assert cookies == [
        ("/old", None), ("/feed", "b=2"), ("/feed", None), ("/old", None), ("/feed", "b=2"),
    ]  # fmt: skip


def test_cookie_goes_to_no_other_site(publisher):
    with origin("127.0.0.2") as other:
        for cookie in ("a=1", "a=1; Domain=127.0.0.2", "a=1; Domain=.0.0.2; Path=/"):
            publisher["/feed"] = Answer(raw=found(other.url("/feed", "127.0.0.2"), cookie))
            other["/feed"] = Answer(raw=found(publisher.url("/new"), "b=2; Path=/"))
            publisher["/new"] = FEED
            assert isinstance(fetch(publisher.url("/feed")), Fetched)
        assert {request.headers["Cookie"] for request in other.all_requests} == {None}
        assert "b=2" not in {r.headers["Cookie"] for r in publisher.requests("/new")}


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://a/", "", "http://[bad"])
def test_redirect_must_lead_to_a_web_url(publisher, location):
    publisher["/feed"] = Answer(status=302, headers={"Location": location} if location else {})
    if location:
        assert "no web address" in reason(fetch(publisher.url("/feed")))
    else:
        assert isinstance(fetch(publisher.url("/feed")), FetchFailed)


def test_endless_redirects_fail_without_showing_secrets(publisher):
    publisher["/loop"] = Answer(status=302, headers={"Location": "/loop?token=secret"})
    publisher["/loop?token=secret"] = publisher.answers["/loop"]
    message = reason(fetch(publisher.url("/loop")))
    assert message.startswith("too many redirects (5)")
    assert "secret" not in message
    assert len(publisher.all_requests) == 6


def test_gone_answer(publisher):
    publisher["/feed"] = Answer(status=410)
    assert isinstance(fetch(publisher.url("/feed")), Gone)


def test_body_over_the_limit_is_refused(publisher):
    publisher["/feed"] = Answer(b"x" * (MAX_BODY_BYTES + 1))
    assert reason(fetch(publisher.url("/feed"))) == "larger than 10 MiB"


def test_decoded_body_over_the_limit_is_refused(publisher):
    bomb = gzip.compress(b"\0" * (MAX_BODY_BYTES * 4))
    publisher["/feed"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    assert reason(fetch(publisher.url("/feed"))) == "larger than 10 MiB"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(FEED, headers={"Content-Encoding": "gzip"}), "compression (gzip) is broken"),
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
def test_broken_answers_are_explained(publisher, answer, words):
    publisher["/feed"] = answer
    assert words in reason(fetch(publisher.url("/feed")))


def test_refused_connection_is_explained():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert reason(fetch(f"http://127.0.0.1:{port}/")) == "connection refused"


def test_unknown_name_is_explained():
    assert "name not found" in reason(fetch("http://no-such-host.invalid/feed"))


def test_tls_error_is_explained(publisher):
    assert reason(fetch(publisher.url("/").replace("http:", "https:"))).startswith("TLS")


def test_deadline_covers_the_whole_answer(publisher):
    publisher["/feed"] = Answer(FEED, wait=lambda: time.sleep(1.5))
    start = time.monotonic()
    message = reason(fetch(publisher.url("/feed"), total_seconds=0.3))
    assert message == "the answer took longer than 0.3 s"
    assert time.monotonic() - start < 1.4


def test_one_request_at_a_time_per_host_and_many_hosts_at_once():
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = Answer(FEED, wait=lambda: time.sleep(0.02))
        urls = [publishers.url("/feed", f"127.0.0.{host}") for host in range(1, 6)] * 4
        outcomes = poll_all(urls, gap_seconds=COUNTING_SECONDS)
    assert len(outcomes) == 20
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert set(publishers.max_concurrent.values()) == {1}


def test_pause_of_one_host_does_not_delay_others():
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = FEED
        large = [publishers.url("/feed", "127.0.0.1")] * 4
        small = [publishers.url("/feed", f"127.0.1.{host}") for host in range(1, 41)]
        poll_all(large + small, gap_seconds=0.3)
        times = [request.at for request in publishers.all_requests if request.host == "127.0.0.1"]
        others = [request.at for request in publishers.all_requests if request.host != "127.0.0.1"]
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(times))
    assert max(others) < times[-1]  # forty hosts went by while the large one rested


def test_redirect_waits_for_its_target_host():
    with origin("0.0.0.0") as publishers:
        publishers["/slow"] = Answer(FEED, wait=lambda: time.sleep(0.05))
        publishers["/away"] = Answer(
            status=302, headers={"Location": publishers.url("/slow", "127.0.0.9")}
        )
        urls = [publishers.url("/away", f"127.0.0.{host}") for host in range(1, 6)]
        outcomes = poll_all(urls, gap_seconds=COUNTING_SECONDS)
        assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert publishers.max_concurrent["127.0.0.9"] == 1


def test_held_host_is_not_polled(publisher):
    publisher["/feed"] = FEED
    until = NOW + timedelta(hours=1)
    url = publisher.url("/feed")
    assert poll_all([url], holds={"127.0.0.1": until}) == [Deferred(url, until)]
    assert publisher.all_requests == []
    assert isinstance(poll_all([url], holds={"127.0.0.1": NOW})[0], Fetched)


def test_closing_the_generator_stops_polling(publisher):
    publisher["/feed"] = FEED

    async def go():
        url = publisher.url("/feed")
        polls = [Poll(subscription(url), url)] * 50
        async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
            polling = fetcher.poll(polls, {}, NOW)
            await anext(polling)
            await polling.aclose()

    asyncio.run(go())
    assert len(publisher.all_requests) < 50


def test_exception_in_a_worker_is_raised(publisher, monkeypatch):
    monkeypatch.setattr(Fetcher, "fetch", None)
    with pytest.raises(TypeError):
        poll_all([publisher.url("/feed")])


def pieces(*head, each=b"x", every=0.0, times=10**6):
    """An answer in pieces, ``every`` so many seconds."""

    def pieces_of_answer():
        yield from head
        for _ in range(times):
            time.sleep(every)
            yield each

    return Answer(raw=pieces_of_answer)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (pieces(OK + b"\r\n", each=b"x" * 65536), "larger than 10 MiB"),
        (Answer(raw=OK + b"Content-Length: 99000000000\r\n\r\n"), "larger than 10 MiB"),
        (Answer(raw=OK + b"Content-Length: 999999999999999\r\n\r\n"), "larger than 10 MiB"),
        (Answer(raw=OK + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n<rss/>"), "larger than 256 KiB"),
        (pieces(OK, each=b"X-H: y\r\n" * 100, times=500), "more than 1,000 headers"),
        (pieces(OK, each=b"X-Endless: y\r\n" * 100), "more than 1,000 headers"),
        (pieces(each=b"HTTP/1.1 100 Continue\r\n\r\n"), "more than 20 interim answers"),
        (pieces(OK + b"Transfer-Encoding: chunked\r\n\r\n", each=b"1\r\nx\r\n" * 1000),
         "too many chunks"),
        (Answer(raw=OK + b"Content-Length: 5\r\nContent-Encoding: snappy\r\n\r\n\xff\6\0\0s"),
         'unsupported encoding "snappy"'),
        (Answer(gzip.compress(FEED)[:-9], headers={"Content-Encoding": "gzip"}), "cut short"),
        (Answer(gzip.compress(FEED)[:-8] + b"\0" * 8, headers={"Content-Encoding": "gzip"}),
         "compression (gzip) is broken"),
        (Answer(brotli.compress(FEED)[:-3], headers={"Content-Encoding": "br"}), "cut short"),
        (Answer(status=204), "empty"),
        (Answer(b" \n"), "empty"),
        (Answer(FEED, status=206), "HTTP 206"),
        (Answer(FEED[:9], 206, {"Content-Range": f"bytes 0-8/{len(FEED)}"}), "HTTP 206"),
        (Answer(FEED, 206, {"Content-Range": f"bytes 0-{len(FEED) - 1}/*"}), "HTTP 206"),
        (Answer(FEED, 206, {"Content-Range": f"bytes 1-{len(FEED)}/{len(FEED) + 1}"}), "HTTP 206"),
        (Answer(FEED, status=300), "HTTP 300"),
        (Answer(status=304), "nothing is stored"),
        (Answer(status=403, headers={"cf-mitigated": "challenge"}), "Cloudflare asks for a human"),
        (Answer(status=301), "redirects to no web address"),
        (Answer(status=301, headers={"Location": "http://a.example/" + "x" * 5000}), "4096"),
    ],
)  # fmt: skip
def test_hostile_answers_are_explained(publisher, answer, words):
    publisher["/feed"] = answer
    assert words in reason(fetch(publisher.url("/feed")))


@pytest.mark.parametrize(
    "answer",
    [
        pieces(every=0.1, each=b"x"),  # noise, a byte at a time
        pieces(OK + b"\r\n", every=0.1, each=b"<"),
        pieces(OK, every=0.1, each=b"X-Slow: y\r\n"),
        Answer(FEED, wait=lambda: time.sleep(2)),
    ],
)
def test_slow_answers_end_at_the_deadline(publisher, answer):
    publisher["/feed"] = answer
    began = time.monotonic()
    assert reason(fetch(publisher.url("/feed"), total_seconds=0.5))
    assert time.monotonic() - began < 1.5


@pytest.fixture
def publishers():
    with origin("0.0.0.0") as server:
        yield server


def test_cancellation_works_while_outcomes_are_not_taken(publishers):
    publishers["/feed"] = FEED
    hosts = [publishers.url("/feed", f"127.0.0.{number}") for number in range(1, 5)]

    async def go():
        async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
            polling = fetcher.poll([Poll(subscription(url), url) for url in hosts], {}, NOW)
            await anext(polling)
            while len(publishers.all_requests) < len(hosts):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)
            await polling.aclose()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:  # as asyncio.run does, before anything of it has ended
                task.cancel()
            assert (await asyncio.wait(left, timeout=5))[1] == set()

    asyncio.run(go())


def test_slow_dns_does_not_delay_other_hosts(publisher, monkeypatch):
    released = threading.Event()
    resolve = socket.getaddrinfo

    def slow(host, *arguments, **settings):
        if str(host).endswith(".test"):
            released.wait(20)
        return resolve("127.0.0.1", *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    publisher["/well"] = FEED
    began = time.monotonic()
    dead = [publisher.url("/", f"x.slow{number}.test") for number in range(40)]
    outcomes = poll_all([*dead, publisher.url("/well", "well.example")], total_seconds=0.3)
    assert time.monotonic() - began < 5
    released.set()
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 1


def test_host_that_is_down_is_skipped_after_five_timeouts(publishers):
    for number in range(100):
        publishers[f"/{number}"] = Answer(wait=lambda: time.sleep(1))
    publishers["/well"] = FEED
    down = [publishers.url(f"/{number}", "127.0.0.8") for number in range(100)]
    began = time.monotonic()
    outcomes = poll_all([*down, publishers.url("/well", "127.0.0.9")], total_seconds=0.2)
    assert time.monotonic() - began < 3
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 1
    reasons = [reason(outcome) for outcome in outcomes if not isinstance(outcome, Fetched)]
    assert sum("longer than 0.2 s" in message for message in reasons) == 5
    assert reasons[-1] == "skipped: 127.0.0.8 did not answer 5 times in a row"
    assert len(publishers.all_requests) == 6


def test_host_that_answers_sometimes_is_not_down(publishers):
    for number in range(12):
        well = Answer(FEED)
        slow = Answer(FEED, wait=lambda: time.sleep(1))
        publishers[f"/{number}"] = slow if number % 4 != 3 else well
    urls = [publishers.url(f"/{number}", "127.0.0.8") for number in range(12)]
    outcomes = poll_all(urls, total_seconds=0.2)
    assert sum(isinstance(outcome, Fetched) for outcome in outcomes) == 3


def test_deadline_covers_all_redirects(publisher):
    for step in range(5):
        publisher[f"/{step}"] = Answer(
            status=302, headers={"Location": f"/{step + 1}"}, wait=lambda: time.sleep(0.2)
        )
    publisher["/5"] = FEED
    assert "longer than 0.5 s" in reason(fetch(publisher.url("/0"), total_seconds=0.5))


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [
        ("gzip", gzip.compress(b"\0" * 200_000_000, 9)),
        ("br", brotli.compress(b"\0" * 200_000_000, quality=5)),
        ("zstd", zstandard.ZstdCompressor().compress(b"\0" * 200_000_000)),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 200_000_000, 9), 9)),
    ],
)
def test_decompression_bombs_are_refused(publisher, coding, bomb):
    publisher["/feed"] = Answer(bomb, headers={"Content-Encoding": coding})
    assert reason(fetch(publisher.url("/feed"))) == "larger than 10 MiB"


def test_226_is_a_partial_document(publisher):
    """RFC 3229 section 10.4.1."""
    publisher["/feed"] = Answer(FEED, 226, {"IM": "feed", "ETag": '"2"'})
    url = publisher.url("/feed")
    outcome = fetch(url, Validators('"1"', None, url))
    assert isinstance(outcome, Fetched)
    assert outcome.partial
    headers = publisher.all_requests[0].headers
    assert (headers["A-IM"], headers["If-None-Match"]) == ("feed", '"1"')


def test_validators_are_sent_to_the_url_they_came_from(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = FEED
    first = fetch(publisher.url("/old"))
    assert isinstance(first, Fetched)
    again = fetch(publisher.url("/old"), first.validators)
    assert isinstance(again, NotModified)
    assert again.moved_to == publisher.url("/new")
    *_, old, new = publisher.all_requests
    assert old.headers["If-None-Match"] is None
    assert new.headers["If-None-Match"] == first.validators.etag


def test_adopted_url_of_another_origin_gets_no_secrets(publisher):
    with origin() as other:
        other["/new"] = FEED
        fetch(publisher.url("/old"), moved_to=other.url("/new"), authorization="Bearer secret")
        assert other.all_requests[0].headers["Authorization"] is None


def test_credentials_in_a_redirect_are_not_used(publisher):
    """The publisher chooses the URL; its userinfo would be sent as a password."""
    publisher["/a"] = Answer(
        status=302, headers={"Location": publisher.url("/b").replace("//", "//me:pw@")}
    )
    publisher["/b"] = FEED
    assert isinstance(fetch(publisher.url("/a")), Fetched)
    assert publisher.requests("/b")[0].headers["Authorization"] is None


@pytest.mark.parametrize("end", [b"Content-Length: 5\r\n\r\nhello", b"\r\n" + FEED])
def test_body_of_a_304_is_ignored(publisher, end):
    publisher["/feed"] = Answer(raw=b"HTTP/1.1 304 Not Modified\r\n" + end)
    url = publisher.url("/feed")
    assert isinstance(fetch(url, Validators('"1"', None, url)), NotModified)
    assert len(publisher.all_requests) == 1


# -- addresses ------------------------------------------------------------------------------------


class Names:
    """A resolver that returns the next list of addresses at each look-up."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def __call__(self, name):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:7f00:1]"]
)
def test_private_addresses_are_never_connected_to(publisher, host):
    publisher["/feed"] = FEED
    message = reason(fetch(publisher.url("/feed", host), allow_private=()))
    assert "set allow_private = [" in message or "not a valid address" in message
    assert publisher.all_requests == []


def test_allow_private_allows_networks():
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = FEED
        only = (ip_network("127.0.0.1/32"),)
        assert isinstance(fetch(publishers.url("/feed"), allow_private=only), Fetched)
        message = reason(fetch(publishers.url("/feed", "127.0.0.2"), allow_private=only))
        assert "127.0.0.2 is a private address" in message
        assert {request.host for request in publishers.all_requests} == {"127.0.0.1"}


@pytest.mark.parametrize("host", ["127.0.0.2", "2130706434", "[::ffff:127.0.0.2]"])
def test_redirect_to_a_private_address_is_refused(host):
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = Answer(
            status=302, headers={"Location": publishers.url("/inside", host)}
        )
        publishers["/inside"] = FEED
        outcome = fetch(publishers.url("/feed"), allow_private=(ip_network("127.0.0.1/32"),))
        assert reason(outcome) == "redirects to a private address (127.0.0.2), refused"
        assert not outcome.local
        assert publishers.requests("/inside") == []


def test_redirect_to_a_clouds_metadata_gives_no_advice(publisher):
    publisher["/a"] = Answer(status=301, headers={"Location": "/b"})
    publisher["/b"] = Answer(
        status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}
    )
    for path in ("/a", "/b"):
        message = reason(fetch(publisher.url(path)))
        assert message == "redirects to a private address (169.254.169.254), refused"


def test_adopted_url_gives_no_advice(publisher):
    message = reason(fetch(publisher.url("/feed"), moved_to="http://10.0.0.1/feed"))
    assert message == "redirects to a private address (10.0.0.1), refused"


def test_name_gives_no_advice_to_allow_metadata():
    """Who owns the name chooses its address."""
    metadata = Names(["169.254.169.254"])
    outcome = fetch("http://feeds.test/", resolver=metadata, allow_private=())
    assert reason(outcome) == "refused: 169.254.169.254 is a private address"
    lan = fetch("http://feeds.test/", resolver=Names(["10.0.0.5"]), allow_private=())
    assert reason(lan).endswith('set allow_private = ["10.0.0.5/32"]')
    written = fetch("http://169.254.169.254/", allow_private=())
    assert reason(written).endswith('set allow_private = ["169.254.169.254/32"]')


def test_name_with_a_private_address_is_refused(publisher):
    publisher["/feed"] = FEED
    url = publisher.url("/feed", "rebind.test")
    assert "127.0.0.1 is a private" in reason(
        fetch(url, resolver=Names(["127.0.0.1"]), allow_private=())
    )
    assert publisher.all_requests == []


def test_dns_rebinding_is_refused(publisher):
    """The checked address is the one of the connection: there is no second look-up."""
    publisher["/a"] = Answer(status=302, headers={"Location": "/b"})
    publisher["/b"] = FEED
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    allowed = (ip_network("127.0.0.1/32"),)
    url = publisher.url("/a", "rebind.test")
    assert isinstance(fetch(url, resolver=names, allow_private=allowed), Fetched)
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    assert "refused" in reason(fetch(url, resolver=names, allow_private=allowed))


def test_only_allowed_addresses_of_a_name_are_tried(publisher):
    publisher["/feed"] = FEED
    names = Names(["10.0.0.1", "127.0.0.1"])
    url = publisher.url("/feed", "two.test")
    assert isinstance(fetch(url, resolver=names), Fetched)


def test_subscriptions_do_not_share_allow_private(publisher):
    """Also if a connection of the first is still open."""
    publisher["/feed"] = FEED
    url = publisher.url("/feed")

    async def go():
        async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
            first = await fetcher.fetch(Poll(subscription(url), url), NOW)
            second = await fetcher.fetch(Poll(subscription(url, allow_private=()), url), NOW)
            return first, second

    first, second = asyncio.run(go())
    assert isinstance(first, Fetched)
    assert "refused" in reason(second)


def test_retry_after_of_a_public_host_holds_all_its_feeds(publisher, monkeypatch):
    """A private address may be an RSS bridge with many publishers: there it holds one URL."""
    publisher["/a"] = Answer(status=429, headers={"Retry-After": "3600"})
    publisher["/b"] = FEED
    urls = [publisher.url("/a"), publisher.url("/b")]
    private = poll_all(urls)
    assert isinstance(private[1], Fetched)
    monkeypatch.setattr("aggregator.fetch.client.is_public", lambda _: True)
    limited, waiting = poll_all(urls)
    assert isinstance(limited, FetchFailed)
    assert limited.host == "127.0.0.1"
    assert waiting == Deferred(urls[1], NOW + timedelta(hours=1))


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """A certificate authority that the program trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


@contextmanager
def tls_origin(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with origin(tls=context) as publisher:
        publisher["/feed"] = FEED
        yield publisher


def test_certificate_is_checked_for_the_host_name(authority):
    """The connection goes to the checked address, with the name in SNI and Host."""
    with tls_origin(authority.issue_cert("feeds.test")) as publisher:
        outcome = fetch(publisher.url("/feed", "feeds.test"), resolver=Names(["127.0.0.1"]))
        assert isinstance(outcome, Fetched)
        assert publisher.all_requests[0].headers["Host"] == f"feeds.test:{publisher.port}"


def test_invalid_certificates_are_refused(authority):
    with tls_origin(authority.issue_cert("other.test")) as publisher:
        message = reason(fetch(publisher.url("/feed", "feeds.test"), resolver=Names(["127.0.0.1"])))
        assert "TLS" in message
        assert "feeds.test" in message
    expired = authority.issue_cert("feeds.test", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    with tls_origin(expired) as publisher:
        message = reason(fetch(publisher.url("/feed", "feeds.test"), resolver=Names(["127.0.0.1"])))
        assert "expired" in message
    with tls_origin(trustme.CA().issue_cert("feeds.test")) as publisher:
        message = reason(fetch(publisher.url("/feed", "feeds.test"), resolver=Names(["127.0.0.1"])))
        assert "TLS" in message


def test_redirect_from_https_to_http_drops_credentials_and_warns(authority, publisher):
    publisher["/feed"] = FEED
    with tls_origin(authority.issue_cert("feeds.test")) as secure:
        secure["/feed"] = Answer(status=302, headers={"Location": publisher.url("/feed")})
        outcome = fetch(
            secure.url("/feed", "feeds.test"),
            resolver=Names(["127.0.0.1"]),
            authorization="Bearer secret",
        )
    assert isinstance(outcome, Fetched)
    assert "from https to http:" in outcome.warnings[0]
    assert publisher.all_requests[0].headers["Authorization"] is None
