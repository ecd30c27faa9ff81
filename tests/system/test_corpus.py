"""The real feeds in ../shared, polled in one run from as many hosts."""

import itertools
import os
from dataclasses import replace
from html import escape
from urllib.parse import quote, urlsplit

from aggregator.run.match import build_tag_vocabulary
from aggregator.run.project import open_project
from aggregator.run.stale import make_feed_builder
from tests.atomrules import complaints
from tests.harness import NOON, Installation
from tests.origin import origin
from tests.publish.test_atom import make_entry, parse, strip_html, with_link_to_via
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

# One feed in three, or all of them: make soak sets FULL_TESTS.
STEP, MIN_ENTRIES = (1, 10_000) if os.environ.get("FULL_TESTS") else (3, 3_500)


def assert_read_back(installation):
    """Each entry of each document, parsed with feedparser, equals the published entry."""
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
            for entry, expected in zip(parsed.entries, feed.entries, strict=True):
                expected = with_link_to_via(replace(expected, reasons=(), lead=""))
                if (
                    not expected.content and not expected.link
                ):  # RFC 4287 section 4.1.2 requires one of them
                    expected = replace(expected, content=escape(expected.title, quote=False))
                assert strip_html(make_entry(entry)) == strip_html(expected)
            read_back += len(feed.entries) if channel.name == "all" else 0
    store.close()
    assert read_back > MIN_ENTRIES


def assert_valid(installation):
    """Every document is valid by the rules of the W3C's validator."""
    documents = list(installation.outputs.rglob("*.atom"))
    for path in documents:
        name = quote(path.relative_to(installation.outputs).as_posix())
        assert complaints(path.read_bytes(), f"https://site.example/{name}") == [], path
    assert len(documents) > 100


def test_real_feeds_are_stored_and_unchanged_feeds_change_nothing(tmp_path):
    paths = sorted(shared("corpus", "feeds").iterdir())
    assert len(paths) > 800
    paths = paths[::STEP]
    installation = Installation(tmp_path)
    with origin("0.0.0.0") as publishers:
        hosts = (f"127.0.{high}.{low}" for high, low in itertools.product(range(9), range(1, 255)))
        urls = []
        for path, host in zip(paths, hosts, strict=False):
            publishers[f"/{path.name}"] = path.read_bytes()
            urls.append(publishers.url(f"/{path.name.replace(' ', '%20')}", host))
        installation.configure(urls, MORE)
        report = installation.run(NOON)
        failed = {trouble.url for trouble in report.troubles}
        assert report.polled == len(paths)
        assert report.fetched + len(failed) == len(paths)
        store = installation.store()
        counts = store.feeds.entry_counts()
        store.close()
        empty = [url for url in urls if not counts.get(url) and url not in failed]
        assert not empty
        assert len(failed) < 5, report.troubles
        assert report.new > MIN_ENTRIES
        before = installation.snapshot()
        assert sum(len(data) for data, _ in before.values()) > 50_000

        assert_read_back(installation)
        assert_valid(installation)

        again = installation.run(NOON)
        assert (again.new, again.modified, again.matched, again.written) == (0, 0, 0, ())
        assert again.not_modified + again.fetched == report.fetched
        assert again.fetched < 5  # truncated documents are requested again
        assert installation.snapshot() == before

        # The same without validators, then also without the stored documents, so that everything is
        # parsed again.
        for forget in ("SELECT 1", "DELETE FROM document"):
            installation.sql("UPDATE feed SET etag = NULL, body_hash = NULL", forget)
            third = installation.run(NOON)
            assert (third.new, third.modified, third.written) == (0, 0, ())
            assert third.fetched == report.fetched
            assert installation.snapshot() == before

        # A version that took captions for texts has read all of this before. The next run corrects
        # every entry, and no date moves.
        installation.sql(
            "UPDATE feed SET reader_version = 0",
            "DELETE FROM document",
            "UPDATE entry SET title = 'A caption', content = 'A caption', text = 'A caption', "
            "summary = '', language = 'en', content_hash = 'x' WHERE id % 2 = 0",
        )
        corrected = installation.run(NOON)
        assert corrected.new == 0
        assert corrected.modified > MIN_ENTRIES / 3
        assert installation.snapshot() == before
    assert set(publishers.max_concurrent.values()) == {1}
    assert {urlsplit(url).hostname for url in urls} >= set(publishers.max_concurrent)
