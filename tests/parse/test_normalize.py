"""How many entries of a document are kept, and which."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import Fetched, ParsedFeed
from aggregator.parse.document import parse_document
from tests.harness import item, rss

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"


def parse(document):
    parsed = parse_document(Fetched(URL, URL, document.encode(), "application/xml"), NOW)
    assert isinstance(parsed, ParsedFeed)
    return parsed


def many(count, first=0, date=True):
    day = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        item(
            f"Entry {n}",
            f"https://a.example/{n}",
            f"{day - timedelta(hours=n):%a, %d %b %Y %H:%M:%S GMT}" if date else "",
        )
        for n in range(first, first + count)
    ]


def test_newest_300_entries_are_kept():
    newest_first = parse(rss(*many(450)))
    assert [e.title for e in newest_first.entries] == [f"Entry {n}" for n in range(300)]
    assert "of 450 entries, the newest 300 were taken" in newest_first.notes
    oldest_first = parse(rss(*reversed(many(450))))
    assert {e.title for e in oldest_first.entries} == {f"Entry {n}" for n in range(300)}
    undated = parse(rss(*many(450, date=False)))
    assert undated.entries[-1].title == "Entry 299"


@pytest.mark.parametrize("order", [1, -1])
def test_archive_of_50_000_entries_is_read_at_both_ends(order):
    parsed = parse(rss(*many(50_000)[::order]))
    assert {e.title for e in parsed.entries} == {f"Entry {n}" for n in range(300)}
    assert "49000 entries in the middle of the document were left out" in parsed.warnings
