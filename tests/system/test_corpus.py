"""The real feeds beside this checkout, polled in one run from as many hosts."""

import itertools
from dataclasses import replace
from html import escape
from urllib.parse import quote, urlsplit

from aggregator.run.match import build_tag_vocabulary
from aggregator.run.project import open_project
from aggregator.run.stale import make_feed_builder
from tests.atomrules import complaints
from tests.harness import NOON, Installation
from tests.origin import origin
from tests.publish.test_atom import make_entry, parse, strip_html
from tests.shared import shared

MORE = """
[publish]
live = 500
archive_all = true
backfill = 500
[tags."Music"]
aliases = ["musique", "Musik", "música"]
[tags."News"]
aliases = ["Nachrichten", "noticias", "actualités"]
[tags."Podcast"]
"""


def assert_read_back(installation):
    """Every entry of every document, read by feedparser, is what went in."""
    config = open_project(installation.root / "feeds.toml", {}, NOON).config
    vocabulary = build_tag_vocabulary(config, [])
    editor = make_feed_builder(config, vocabulary)
    store = installation.store()
    pages = store.published.archive_documents()
    read_back = 0
    for channel in store.published.channels():
        months = [month for month, *_ in pages.get(channel.key, []) if editor.has_archive(channel)]
        for month in months:
            feed = editor.archive(
                channel, store.published.archive_stories(channel.key, month), months, month
            )
            parsed = parse((installation.outputs / f"{feed.path}.atom").read_bytes())
            for entry, wanted in zip(parsed.entries, feed.entries, strict=True):
                wanted = replace(wanted, reasons=(), lead="")
                if not wanted.content and not wanted.link:  # RFC 4287 section 4.1.2 asks for one
                    wanted = replace(wanted, content=escape(wanted.title, quote=False))
                assert strip_html(make_entry(entry)) == strip_html(wanted)
            read_back += len(feed.entries) if channel.name == "all" else 0
    store.close()
    assert read_back > 10_000


def assert_valid(installation):
    """The W3C's validator would have nothing to say of any document."""
    documents = list(installation.outputs.rglob("*.atom"))
    for path in documents:
        name = quote(path.relative_to(installation.outputs).as_posix())
        assert complaints(path.read_bytes(), f"https://site.example/{name}") == [], path
    assert len(documents) > 100


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
        counts = store.feeds.entry_counts()
        store.close()
        empty = [url for url in urls if not counts.get(url) and url not in told]
        assert not empty
        assert len(told) < 5, report.troubles
        assert report.new > 10_000
        before = installation.snapshot()
        assert sum(len(data) for data, _ in before.values()) > 50_000

        assert_read_back(installation)
        assert_valid(installation)

        again = installation.run(NOON)
        assert (again.new, again.modified, again.matched, again.written) == (0, 0, 0, ())
        assert again.not_modified + again.fetched == report.fetched
        assert again.fetched < 5  # a document that was cut is asked for again, whole
        assert installation.snapshot() == before

        # The same once more from servers that know no validators, and then with nothing known of
        # what the documents held, so that all is read anew.
        for forgotten in ("SELECT 1", "DELETE FROM document"):
            installation.sql("UPDATE feed SET etag = NULL, body_hash = NULL", forgotten)
            once_more = installation.run(NOON)
            assert (once_more.new, once_more.modified, once_more.written) == (0, 0, ())
            assert once_more.fetched == report.fetched
            assert installation.snapshot() == before
    assert set(publishers.most_at_once.values()) == {1}
    assert {urlsplit(url).hostname for url in urls} >= set(publishers.most_at_once)
