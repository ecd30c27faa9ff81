"""The real feeds beside this checkout, polled in one run from as many hosts."""

import itertools
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

from aggregator import pipeline
from aggregator.match import build_vocabulary
from aggregator.project import open_project
from tests.harness import NOON, Installation
from tests.origin import origin
from tests.publish.test_atom import back, read, squeezed
from tests.shared import shared

MORE = """
[publish]
live = 500
backfill = 500
[tags."Music"]
aliases = ["musique", "Musik", "música"]
[tags."News"]
aliases = ["Nachrichten", "noticias", "actualités"]
[tags."Podcast"]
"""


def assert_read_back(installation):
    """Every output feed, read by feedparser, gives what went in."""
    config = open_project(installation.root / "feeds.toml", {}, NOON).config
    vocabulary = build_vocabulary([], config.tags, config.subscriptions, {})
    store = installation.store()
    feeds = list(pipeline.tag_feeds(config, vocabulary, store, NOON))
    store.close()
    assert sum(len(feed.entries) for feed in feeds) >= 1000
    for feed in feeds:
        parsed = read((installation.outputs / f"{feed.tag.slug}.atom").read_bytes())
        assert [squeezed(back(entry)) for entry in parsed.entries] == [
            squeezed(entry) for entry in feed.entries
        ]


def test_every_real_feed_is_stored_or_its_reason_told_and_nothing_moves_twice(tmp_path):
    paths = sorted(shared("corpus", "feeds").iterdir())
    assert len(paths) > 800
    installation = Installation(tmp_path)
    with origin("0.0.0.0") as publishers:
        hosts = (f"127.0.{high}.{low}" for high, low in itertools.product(range(9), range(1, 255)))
        urls = []
        for path, host in zip(paths, hosts, strict=False):
            publishers[f"/{path.name}"] = path.read_bytes()
            urls.append(publishers.url(f"/{path.name.replace(' ', '%20')}", host))
        installation.configure(urls, MORE)
        report = installation.run(NOON)
        told = {trouble.url for trouble in report.troubles}
        assert report.polled == len(paths)
        assert report.fetched + len(told) == len(paths)
        store = installation.store()
        counts = store.entry_counts()
        store.close()
        empty = [url for url in urls if not counts.get(url) and url not in told]
        assert not empty
        assert len(told) < 5, report.troubles
        assert report.new > 10_000
        before = installation.snapshot()
        assert sum(len(data) for data, _ in before.values()) > 50_000

        assert_read_back(installation)

        again = installation.run(NOON)
        assert (again.new, again.modified, again.matched, again.written) == (0, 0, 0, ())
        assert again.not_modified == report.fetched
        assert installation.snapshot() == before

        # The same once more from servers that know no validators, and documents read anew.
        with closing(sqlite3.connect(tmp_path / "aggregator.sqlite3")) as database, database:
            database.execute("UPDATE feed SET etag = NULL, body_hash = NULL")
        once_more = installation.run(NOON)
        assert (once_more.new, once_more.modified, once_more.written) == (0, 0, ())
        assert once_more.fetched == report.fetched
        assert installation.snapshot() == before
    assert set(publishers.most_at_once.values()) == {1}
    assert {urlsplit(url).hostname for url in urls} >= set(publishers.most_at_once)
