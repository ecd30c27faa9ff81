"""Runs over several days, with real HTTP servers on loopback: poll times and events."""

import asyncio
import socket
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import feedparser
import pytest
from sqlalchemy import create_engine

from aggregator.fetch.poller import Fetcher
from aggregator.model import FeedEventKind
from aggregator.run.poll import NullProgress, plan_polls, poll_feeds
from aggregator.run.project import open_project
from aggregator.run.timing import StageTimer
from aggregator.store import migrate
from tests.databases import sqlite_only
from tests.harness import NOON, InThisProcess, item, rss
from tests.origin import Answer, origin

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def kinds(report):
    return [event.kind for event in report.events]


def state(installation, url):
    store = installation.store()
    try:
        return store.feeds.states()[url]
    finally:
        store.close()


def run_every(installation, step, times, start=NOON, **options):
    return [installation.run(start + n * step, **options) for n in range(times)]


def test_run_polls_due_feeds_and_all_polls_others_conditionally(installation, publisher):
    publisher["/feed"] = rss(item())
    installation.configure([publisher.url("/feed")])
    assert installation.run(everything=False).polled == 1
    waiting = installation.run(NOON + HOUR / 2, everything=False)
    assert (waiting.polled, waiting.waiting) == (0, 1)
    assert installation.run(NOON + HOUR / 2).not_modified == 1
    assert installation.run(NOON + 4 * HOUR, everything=False).not_modified == 1
    assert [bool(request.headers["If-None-Match"]) for request in publisher.all_requests] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("status", [200, 304, 403, 429, 503])
def test_retry_after_applies_to_all_too(installation, publisher, status):
    publisher["/feed"] = Answer(rss(item()).encode(), headers={"ETag": '"1"'})
    installation.configure([publisher.url("/feed")])
    installation.run()
    body = rss(item()).encode() if status == 200 else b""
    publisher["/feed"] = Answer(body, status, {"Retry-After": "36000", "ETag": '"1"'})
    assert installation.run(NOON + DAY).polled == 1
    for everything in (False, True):
        report = installation.run(NOON + DAY + 9 * HOUR, everything=everything)
        assert (report.polled, report.waiting) == (0, 1)
    assert installation.run(NOON + DAY + 10 * HOUR).polled == 1


def test_retry_after_of_public_host_applies_to_all_its_feeds(installation, publisher, monkeypatch):
    monkeypatch.setattr("aggregator.fetch.client.is_public", lambda _: True)
    publisher["/a"] = Answer(status=429, headers={"Retry-After": "36000"})
    publisher["/b"] = rss(item())
    installation.configure([publisher.url("/a"), publisher.url("/b")])
    first = installation.run()
    assert (first.polled, first.waiting) == (1, 1)
    assert installation.run(NOON + 9 * HOUR).polled == 0
    publisher["/a"] = rss(item())
    assert installation.run(NOON + 10 * HOUR).fetched == 2


@pytest.mark.parametrize("status", [200, 304])
@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "max-age=31536000, immutable"},
        {"Cache-Control": "public, max-age=604800"},
        {"Expires": "Thu, 31 Dec 2037 23:55:55 GMT"},
    ],
)
def test_feed_is_polled_daily_however_long_it_is_fresh(installation, publisher, status, headers):
    publisher["/feed"] = Answer(rss(item()).encode(), headers={"ETag": '"1"'})
    installation.configure([publisher.url("/feed")])
    installation.run()
    body = rss(item("B", "https://feed.example/b")).encode() if status == 200 else b""
    publisher["/feed"] = Answer(body, status, headers | {"ETag": '"1"'})
    polled = [
        hour
        for hour in range(24, 24 + 97, 6)
        if installation.run(NOON + hour * HOUR, everything=False).polled
    ]
    assert polled == [24, 48, 72, 96, 120]


@pytest.mark.parametrize("status", [200, 304])
def test_max_age_is_respected(installation, publisher, status):
    publisher["/feed"] = Answer(rss(item()).encode(), headers={"ETag": '"1"'})
    installation.configure([publisher.url("/feed")])
    installation.run()
    body = rss(item("B", "https://feed.example/b")).encode() if status == 200 else b""
    headers = {"Cache-Control": "max-age=86400", "ETag": '"1"'}
    publisher["/feed"] = Answer(body, status, headers)
    assert installation.run(NOON + DAY, everything=False).polled == 1
    assert installation.run(NOON + 2 * DAY - HOUR, everything=False).polled == 0
    assert installation.run(NOON + 2 * DAY + HOUR, everything=False).polled == 1


def test_ttl_and_skip_hours_are_respected(installation, publisher):
    channel = "<ttl>600</ttl><skipHours><hour>22</hour><hour>23</hour></skipHours>"
    publisher["/feed"] = rss(channel, item())
    installation.configure([publisher.url("/feed")])
    installation.run(everything=False)  # at noon; the first hour to skip is ten hours later
    polls = [
        hour for hour in range(1, 20)
        if installation.run(NOON + hour * HOUR + HOUR / 2, everything=False).polled
    ]  # fmt: skip
    assert polls == [12]


def test_failing_feed_is_polled_less_and_less_often(installation, publisher):
    publisher["/feed"] = Answer(status=500)
    publisher["/good"] = rss(item())
    installation.configure([publisher.url("/feed"), publisher.url("/good")])
    poll_hours = [
        hour
        for hour in (*range(8), *range(8, 72, 2))
        if any(t.reason.startswith("HTTP 500")
               for t in installation.run(NOON + hour * HOUR, everything=False).troubles)
    ]  # fmt: skip
    assert len(poll_hours) <= 7
    assert poll_hours[:2] == [0, 2]
    assert state(installation, publisher.url("/feed")).failures == len(poll_hours)


def test_failure_and_recovery_are_reported_once(installation, publisher):
    publisher["/feed"] = rss(item())
    publisher["/good"] = rss(item())
    installation.configure([publisher.url("/feed"), publisher.url("/good")])
    installation.run(NOON - DAY)
    publisher["/feed"] = Answer(status=500)
    reports = run_every(installation, DAY, 6)
    assert [kinds(report) for report in reports] == [[], [], [], [FeedEventKind.BROKEN], [], []]
    publisher["/feed"] = rss(item())
    assert kinds(installation.run(NOON + 6 * DAY)) == [FeedEventKind.RECOVERED]
    assert kinds(installation.run(NOON + 7 * DAY)) == []
    feed = feedparser.parse((installation.outputs / "_status.atom").read_bytes())
    assert not feed.bozo
    assert len(feed.entries) == 2
    assert "answers again" in feed.entries[0].title
    assert "HTTP 500" in feed.entries[1].title


def test_status_feed_is_valid_with_hostile_texts(installation, publisher):
    publisher["/feed"] = rss(item())
    installation.configure([publisher.url("/feed")])
    installation.run(NOON - DAY)
    publisher["/feed"] = "<html><title>\x01\x0b<b>&lt;script&gt;</title></html>"
    publisher["/good"] = rss(item())
    installation.configure([publisher.url("/feed"), publisher.url("/good")])
    run_every(installation, DAY, 4)
    feed = feedparser.parse((installation.outputs / "_status.atom").read_bytes())
    assert not feed.bozo
    assert "not a feed: an HTML page" in feed.entries[0].title


def unreachable():
    """URLs without a server."""
    with origin() as stopped:
        port = stopped.port
    return [f"http://127.0.0.{host}:{port}/feed" for host in (1, 2, 3)]


def test_host_with_many_feeds_is_polled_over_several_runs(installation, publisher, monkeypatch):
    """The feeds that have waited longest come first, so that each is polled in the end."""
    monkeypatch.setattr("aggregator.fetch.schedule.MAX_PER_HOST", 3)
    urls = []
    for n in range(7):
        publisher[f"/{n}"] = rss(item())
        urls.append(publisher.url(f"/{n}"))
    installation.configure(urls)
    reports = run_every(installation, HOUR / 4, 4, everything=False)
    assert [(report.polled, report.waiting) for report in reports] == [
        (3, 4),
        (3, 4),
        (1, 6),
        (0, 7),
    ]
    assert sorted(request.path for request in publisher.all_requests) == [f"/{n}" for n in range(7)]
    publisher.all_requests.clear()
    run_every(installation, HOUR / 4, 3, NOON + 2 * DAY)  # --all: those that are due longest first
    assert len({request.path for request in publisher.all_requests}) == 7


def test_offline_run_counts_no_failures(installation):
    urls = unreachable()
    installation.configure(urls)
    for report in run_every(installation, HOUR, 5, everything=False):
        assert report.offline
        assert len(report.troubles) == 3
    assert not installation.run(NOON + 9 * DAY).events
    store = installation.store()
    assert store.feeds.states() == {}
    store.close()


def test_failing_hosts_do_not_mean_offline(installation, publisher):
    publisher["/feed"] = rss(item())
    dead = unreachable()
    installation.configure([publisher.url("/feed"), *dead])
    assert not installation.run().offline
    assert {state(installation, url).failures for url in dead} == {1}
    installation.configure(dead)
    assert not installation.run(NOON + DAY).offline
    assert {state(installation, url).failures for url in dead} == {2}


def test_all_hosts_refuse_and_one_subscription_is_wrong(installation):
    """An address in feeds.toml that is refused without a request is no answer."""
    with origin("0.0.0.0") as publishers:
        publishers["/feed"] = rss(item())
        working = [publishers.url("/feed", f"127.0.0.{host}") for host in (1, 2, 3)]
        wrong = '[[subscriptions]]\nurl = "http://10.0.0.1/feed"\n'
        installation.configure(working, wrong)
        assert installation.run().fetched == 3
    report = installation.run(NOON + DAY)
    assert report.offline
    assert len(report.troubles) == 4
    assert {state(installation, url).failures for url in working} == {0}
    assert state(installation, "http://10.0.0.1/feed").failures == 2


def test_waiting_host_is_not_a_silent_one(installation, publisher):
    (dead, *_) = unreachable()
    publisher["/feed"] = Answer(status=429, headers={"Retry-After": "3600"})
    with origin("127.0.0.9") as other:
        other["/feed"] = Answer(status=302, headers={"Location": publisher.url("/feed")})
        waiting = other.url("/feed", "127.0.0.9")
        installation.configure([waiting, dead])
        installation.run()
        assert not installation.run(NOON + HOUR / 2).offline
    assert state(installation, dead).failures == 2


RESOLVE = socket.getaddrinfo


def resolve_all_to(monkeypatch, address):
    def resolve(_, *arguments, **settings):
        return RESOLVE(address, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_portal_that_answers_all_names_is_offline(installation, publisher, monkeypatch):
    """All names lead to the portal's own address, which is private."""
    publisher["/feed"] = rss(item())
    urls = [publisher.url("/feed", host) for host in ("a.test", "b.test")]
    resolve_all_to(monkeypatch, "127.0.0.1")
    installation.configure(urls)
    assert installation.run().fetched == 2
    resolve_all_to(monkeypatch, "10.0.0.1")
    report = installation.run(NOON + DAY)
    assert report.offline
    assert all("10.0.0.1 is a private address" in trouble.reason for trouble in report.troubles)
    assert {state(installation, url).failures for url in urls} == {0}


def test_new_subscriptions_with_private_addresses_are_failures(installation, monkeypatch):
    resolve_all_to(monkeypatch, "10.0.0.1")
    urls = ["http://a.test/feed", "http://b.test/feed"]
    installation.configure(urls)
    report = installation.run()
    assert not report.offline
    assert kinds(report) == [FeedEventKind.BROKEN] * 2
    assert {state(installation, url).failures for url in urls} == {1}


@pytest.mark.parametrize("online", [None, False, True])
def test_only_an_answer_proves_that_the_network_works(installation, publisher, online):
    """Also for a worker, which knows whether another host has answered recently."""

    async def poll():
        project = open_project(installation.root / "feeds.toml", {}, NOON)
        store = installation.store()
        try:
            plan = plan_polls(project.config, store, NOON, include_not_due=True)
            async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
                return await poll_feeds(
                    plan, store, fetcher, InThisProcess(), NullProgress(), StageTimer(), NOON,
                    online=online,
                )  # fmt: skip
        finally:
            store.close()

    installation.configure(unreachable()[:1])
    assert not asyncio.run(poll()).answered
    publisher["/feed"] = Answer(status=500)
    installation.configure([publisher.url("/feed")])
    assert asyncio.run(poll()).answered


def test_single_unreachable_host_is_a_failure(installation):
    (url, *_) = unreachable()
    installation.configure([url])
    assert not installation.run().offline
    assert state(installation, url).failures == 1


def test_gone_feed_is_polled_once_a_month(installation, publisher):
    publisher["/feed"] = Answer(status=410)
    installation.configure([publisher.url("/feed")])
    days = [
        day + half for day in (0, 1, 2, 15, 30, 31, 45, 60, 61, 75, 90, 91) for half in (0, 0.5)
    ]
    reports = {day: installation.run(NOON + day * DAY, everything=False) for day in days}
    assert [day for day in days if reports[day].polled] == [0, 1, 31, 61, 91]
    events = [kinds(reports[day]) for day in (0, 1, 31)]
    assert events == [[FeedEventKind.BROKEN], [FeedEventKind.GONE], []]
    publisher["/feed"] = rss(item())
    assert kinds(installation.run(NOON + 122 * DAY, everything=False)) == [FeedEventKind.RECOVERED]


def test_move_is_adopted_reported_and_undone_by_failure(installation, publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item())
    old, new = publisher.url("/old"), publisher.url("/new")
    installation.configure([old])
    reports = run_every(installation, DAY, 5)
    assert kinds(reports[-1]) == [FeedEventKind.MOVED]
    publisher.all_requests.clear()
    assert installation.run(NOON + 5 * DAY).not_modified == 1
    assert [request.path for request in publisher.all_requests] == ["/new"]
    assert f'url = "{old}"' in (installation.root / "feeds.toml").read_text()
    assert state(installation, old).move.url == new
    publisher["/new"] = Answer(status=404)
    publisher["/old"] = rss(item())
    run_every(installation, DAY, 3, NOON + 6 * DAY)
    assert installation.run(NOON + 9 * DAY).troubles == ()
    assert publisher.all_requests[-1].path == "/old"


def test_redirect_to_another_feed_is_not_adopted(installation, publisher):
    publisher["/old"] = rss(item())
    installation.configure([publisher.url("/old")])
    installation.run()
    publisher["/old"] = Answer(status=301, headers={"Location": "/parked"})
    publisher["/parked"] = rss(item("Buy this domain", "https://parked.example/1"))
    first, *_ = reports = run_every(installation, DAY, 9, NOON + DAY)
    assert any("which is another feed" in warning for warning in first.warnings)
    assert not any(kinds(report) for report in reports)


def test_new_url_in_feeds_toml_keeps_the_history(installation, publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item(), item("B", "https://feed.example/b"))
    installation.configure([publisher.url("/old")])
    run_every(installation, DAY, 5)
    installation.configure([publisher.url("/new")])
    report = installation.run(NOON + 5 * DAY)
    assert (report.not_modified, report.new) == (1, 0)
    store = installation.store()
    assert store.feeds.entry_counts() == {publisher.url("/new"): 2}
    store.close()


def test_delta_answer_keeps_other_entries(installation, publisher):
    publisher["/feed"] = Answer(
        rss(item(), item("B", "https://feed.example/b")).encode(), headers={"ETag": '"1"'}
    )
    installation.configure([publisher.url("/feed")], '[tags."T"]\nmatch = "."\n')
    installation.run()
    part = rss(item("C", "https://feed.example/c")).encode()
    publisher["/feed"] = Answer(part, 226, {"IM": "feed", "ETag": '"2"'})
    report = installation.run(NOON + DAY)
    assert (report.new, report.modified) == (1, 0)
    titles = feedparser.parse((installation.outputs / "t.atom").read_bytes()).entries
    assert {entry.title for entry in titles} == {"A title", "B", "C"}
    installation.run(NOON + 2 * DAY)
    assert publisher.all_requests[-1].headers["If-None-Match"] == '"2"'


def test_database_and_outputs_contain_no_secrets(installation, publisher):
    path = "/feed?token=SECRET1&page=2"
    publisher[path] = rss("<item><title>No link</title></item>", item())
    url = publisher.url(path).replace("//", "//me:SECRET2@")
    installation.configure([url], '[tags."T"]\nmatch = "."\n')
    assert installation.run().fetched == 1
    publisher[path] = Answer(status=500)
    for day in range(1, 6):
        installation.run(NOON + day * DAY)
    assert publisher.all_requests[0].headers["Authorization"].startswith("Basic ")
    files = filter(Path.is_file, installation.outputs.rglob("*"))
    for file in [*installation.root.glob("*.sqlite3*"), *files]:
        assert b"SECRET" not in file.read_bytes(), file
    assert "SECRET" not in str(installation.stored())
    # With another token it is still the same feed.
    publisher["/feed?token=SECRET3&page=2"] = publisher.answers[path] = rss(item()).encode()
    installation.configure([publisher.url("/feed?token=SECRET3&page=2")])
    assert installation.run(NOON + 9 * DAY).new == 0


def test_html_page_is_reported_with_the_feed_it_announces(installation, publisher):
    publisher["/"] = (
        "<html><head><title>My blog</title>"
        '<link rel="alternate" type="application/rss+xml" href="/feed.xml"></head></html>'
    )
    installation.configure([publisher.url("/")])
    (trouble,) = installation.run().troubles
    assert trouble.reason == (
        'not a feed: an HTML page called "My blog", which announces a feed: '
        f"put {publisher.url('/feed.xml')} in its place"
    )


@sqlite_only
def test_database_of_first_version_is_upgraded(installation, publisher):
    publisher["/feed?token=SECRET"] = rss(item())
    installation.configure([publisher.url("/feed?token=SECRET")])
    path = installation.root / "aggregator.sqlite3"
    engine = create_engine(f"sqlite:///{path}")
    head, migrate.HEAD = migrate.HEAD, "0001"
    try:
        with engine.begin() as connection:
            migrate.upgrade(connection)
    finally:
        migrate.HEAD = head
    engine.dispose()
    with closing(sqlite3.connect(path)) as database, database:
        for number, url in enumerate((publisher.url("/feed?token=SECRET"), "clippings:")):
            database.execute(
                "INSERT INTO feed (id, url, role, atom_id, title, failures, etag) "
                f"VALUES ({number + 1}, '{url}', 'subscription', '{url}', 'A', 0, '\"e\"')"
            )
    assert installation.run().fetched == 1
    # Another version has read the feed, so this one reads it in full, once.
    assert "If-None-Match" not in publisher.all_requests[0].headers
    store = installation.store()
    assert list(store.feeds.states()) == [publisher.url("/feed")]
    store.close()


def test_hosts_never_have_two_requests_at_the_same_time(installation):
    """600 subscriptions on 90 hosts, counted at the server."""
    hosts = [f"127.1.0.{1 + n}" for n in range(90)]
    with origin("0.0.0.0") as publishers:
        urls = []
        for n in range(600):
            publishers[f"/{n}"] = Answer(rss(item()).encode(), wait=lambda: time.sleep(0.001))
            urls.append(publishers.url(f"/{n}", hosts[n % 90]))
        installation.configure(urls)
        report = installation.run()
    assert (report.polled, report.fetched, report.troubles) == (600, 600, ())
    assert len(publishers.all_requests) == 600
    assert set(publishers.max_concurrent) == set(hosts)
    assert set(publishers.max_concurrent.values()) == {1}


def count_parsed_entries(report):
    """The number of entries that were parsed, and not only recognized as unchanged."""
    return next(cost.entries for cost in report.stages if cost.stage == "parse")


def test_only_new_entries_of_a_document_are_parsed(installation, publisher):
    entries = [item(f"Title {n}", f"https://feed.example/{n}") for n in range(9)]
    publisher["/feed"] = rss(*entries)
    installation.configure([publisher.url("/feed")])
    assert count_parsed_entries(installation.run()) == 9
    edited = item("Another title", "https://feed.example/8")
    publisher["/feed"] = rss(item("New", "https://feed.example/new"), *entries[:8], edited)
    report = installation.run(NOON + HOUR)
    assert (report.new, report.modified, count_parsed_entries(report)) == (1, 1, 2)
    publisher["/feed"] = rss(*entries[3:8], edited)  # the others left the document
    report = installation.run(NOON + 2 * HOUR)
    assert (report.new, report.modified, count_parsed_entries(report)) == (0, 0, 0)
    publisher["/feed"] = rss(*entries[:8], edited)  # and are back
    report = installation.run(NOON + 3 * HOUR)
    assert (report.new, report.modified, count_parsed_entries(report)) == (0, 0, 3)


def test_new_guid_of_known_page_is_recognized(installation, publisher):
    def entries(start):
        return [
            item(f"Title {n}", f"https://feed.example/{n}", more=f"<guid>{start}{n}</guid>")
            for n in range(3)
        ]

    publisher["/feed"] = rss(*entries("a"))
    installation.configure([publisher.url("/feed")])
    installation.run()
    publisher["/feed"] = rss(entries("b")[0], *entries("a")[1:])
    report = installation.run(NOON + HOUR)
    assert (report.new, report.modified, count_parsed_entries(report)) == (0, 0, 1)
    publisher["/feed"] = rss(*entries("b"))  # from now on known by the new guid
    assert count_parsed_entries(installation.run(NOON + 2 * HOUR)) == 2


def test_two_accounts_at_one_address_are_two_feeds(installation, publisher):
    publisher["/feed"] = rss(item("Communs"))
    address = publisher.url("/feed").removeprefix("http://")
    urls = [f"http://me:one@{address}", f"http://you:two@{address}#second"]
    installation.configure(urls)
    report = installation.run()
    assert (report.polled, report.fetched, report.troubles) == (2, 2, ())
    sent = {
        request.headers["Authorization"]
        for request in publisher.all_requests
        if request.path == "/feed"
    }
    assert sent == {"Basic bWU6b25l", "Basic eW91OnR3bw=="}
    assert all("#" not in request.path for request in publisher.all_requests)
    assert len(list((installation.outputs / "_source").glob("*.html"))) == 2
    assert installation.run(NOON + timedelta(days=1)).not_modified == 2
