from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import Author, Category, Enclosure, Entry, EntryChange
from aggregator.store.changes import compare, content_hash, revise

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = Entry(
    "k", "urn:x", "Title", "https://a.example/", content="<p>x</p>", published=NOW - 9 * DAY
)


def test_unknown_key_is_new():
    assert compare(None, OLD) is EntryChange.NEW


@pytest.mark.parametrize(
    "change",
    [{"updated": NOW}, {"published": NOW}, {"id": "urn:y"}, {"language": "fr"}, {"text": "y"}],
)
def test_invisible_change_is_no_change(change):
    assert compare(content_hash(OLD), replace(OLD, **change)) is EntryChange.UNCHANGED


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"link": "https://b.example/"},
        {"content": "<p>y</p>"},
        {"summary": "s"},
        {"authors": (Author("A"),)},
        {"categories": (Category("c"),)},
        {"enclosures": (Enclosure("https://a.example/e"),)},
    ],
)
def test_visible_change_is_a_change(change):
    assert compare(content_hash(OLD), replace(OLD, **change)) is EntryChange.MODIFIED


def test_hash_separates_fields():
    assert content_hash(replace(OLD, title="a", content="b")) != content_hash(
        replace(OLD, title="b", content="a")
    )


@pytest.mark.parametrize(
    ("before", "claimed", "after"),
    [
        (NOW - 5 * DAY, NOW - DAY, NOW - DAY),  # the publisher's date
        (NOW - 5 * DAY, NOW - 6 * DAY, NOW),  # the publisher's date goes back: ours never does
        (NOW - 5 * DAY, None, NOW),
        (None, None, NOW),
    ],
)
def test_updated_only_moves_forward(before, claimed, after):
    old = replace(OLD, updated=before)
    assert (
        revise(old, replace(OLD, updated=claimed, title="New"), NOW, significant=True).updated
        == after
    )


def test_id_and_published_are_frozen():
    new = replace(OLD, id="urn:other", published=NOW, title="New")
    revised = revise(OLD, new, NOW, significant=True)
    assert (revised.id, revised.published, revised.title) == (OLD.id, OLD.published, "New")
