import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from aggregator.errors import StorageError
from aggregator.model import (
    Author,
    Category,
    Enclosure,
    Entry,
    EntryChange,
    Evidence,
    EvidenceKind,
    Feed,
    FeedEvent,
    FeedEventKind,
    FeedState,
    Hints,
    Match,
    MatchedEntry,
    Move,
    ParsedFeed,
    Role,
    Tag,
    Validators,
)
from aggregator.store import Store
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEED = subscription("https://a.example/feed")
ENTRY = Entry(
    key="k",
    id="urn:x",
    title="Title",
    link="https://a.example/1",
    page="a.example/1",
    summary="s",
    content="<p>c</p>",
    text="c",
    authors=(Author("Ann", "a@a.example", "https://ann.example/"),),
    categories=(Category("t", "https://s.example/", "T"),),
    enclosures=(Enclosure("https://a.example/e", "audio/mpeg", 5),),
    published=NOW - HOUR,
    updated=NOW,
    language="fr",
    rights="CC0",
)


@pytest.fixture
def store(tmp_path):
    store = Store("sqlite:///db.sqlite3", tmp_path)
    yield store
    store.close()


def state(feed=FEED, now=NOW, **values):
    values.setdefault("validators", Validators('"e"', "then", feed.url))
    return FeedState(feed.key, fetched_at=now, succeeded_at=now, **values)


def save(store, *entries, now=NOW, feed=FEED):
    parsed = ParsedFeed(feed.key, Feed("urn:f", "Feed", "https://a.example/", "fr", "CC"), entries)
    return store.save_answer(feed, parsed, state(feed, now), (), now)


def test_an_entry_comes_back_whole(store):
    assert save(store, ENTRY) == [EntryChange.NEW]
    (found,) = store.unmatched("v")
    assert found.entry == ENTRY
    assert found.feed == Feed("urn:f", "Feed", "https://a.example/", "fr", "CC")
    assert found.role is Role.SUBSCRIPTION
    assert found.first_seen_at == NOW
    assert found.came_with_feed


def test_a_second_poll_stores_nothing_new(store):
    save(store, ENTRY)
    assert save(store, ENTRY, now=NOW + HOUR) == [EntryChange.UNCHANGED]
    (found,) = store.unmatched("v")
    assert found.changed_at == NOW


def test_a_state_comes_back_whole(store):
    whole = state(
        body_hash="hash",
        not_before=NOW + HOUR,
        next_poll_at=NOW + 2 * HOUR,
        next_poll_reason="why",
        lifetime=HOUR,
        hints=Hints(HOUR, 2 * HOUR, NOW, frozenset({0, 23}), frozenset({6})),
        gap=HOUR / 3,
        newest_at=NOW - HOUR,
        failures=3,
        failing_since_at=NOW,
        told=True,
        gone_at=NOW,
        ended=True,
        move=Move("https://b.example/", NOW, 5, adopted=True),
        warning="odd",
        silent=True,
        last_error="no",
    )
    event = FeedEvent(FEED.key, "A", FeedEventKind.GONE, "gone", NOW)
    store.save_state(FEED, whole, (event,))
    assert store.states() == {FEED.key: whole}
    assert store.events(9) == [event]
    store.save_state(FEED, state(), ())
    assert store.states() == {FEED.key: state()}


def test_hosts_that_wait(store):
    store.save_hold("a.example", NOW + HOUR)
    store.save_hold("a.example", NOW + 2 * HOUR)
    store.save_hold("b.example", NOW)
    assert store.holds(NOW) == {"a.example": NOW + 2 * HOUR}


def test_an_answer_that_cannot_be_stored_leaves_no_validators(store):
    broken = Entry(key=None, id="urn:y", title="T")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(StorageError):
        save(store, ENTRY, broken)
    assert store.states() == {}
    assert list(store.unmatched("v")) == []


def matched(row, *tags, live=()):
    matches = tuple(
        Match(tag, 0.9, (Evidence(EvidenceKind.PHRASE, "x", "title", 0.9),)) for tag in tags
    )
    return MatchedEntry(row, matches, frozenset(), False, NOW, frozenset(live))


def test_matches_are_replaced_and_keep_their_place(store):
    save(store, ENTRY)
    (found,) = store.unmatched("v1")
    assert store.save_matches([matched(found.row, "a", "b", live="a")], "v1", NOW) == 2
    assert list(store.unmatched("v1")) == []
    (again,) = store.unmatched("v2")
    assert again.tags == {"a", "b"}
    assert again.matched_before
    assert store.save_matches([matched(found.row, "b", "c", live="bc")], "v2", NOW) == 1
    live = {tag for tag in "abc" if store.live_entries(tag, 5)[0]}
    assert live == {"c"}  # b was outside the live feed, and stays there
    assert [store.count(tag) for tag in "abc"] == [0, 1, 1]


def test_a_modified_entry_is_matched_again(store):
    save(store, ENTRY)
    (found,) = store.unmatched("v")
    store.save_matches([matched(found.row, "a", live="a")], "v", NOW)
    changed = Entry(key="k", id="urn:x", title="Other")
    assert save(store, changed, now=NOW + HOUR) == [EntryChange.MODIFIED]
    assert [entry.entry.title for entry in store.unmatched("v")] == ["Other"]


def test_more_entries_than_one_query_takes(store):
    entries = [Entry(key=f"k{n}", id=f"urn:{n}", title="T") for n in range(1203)]
    assert save(store, *entries).count(EntryChange.NEW) == 1203
    assert len({found.row for found in store.unmatched("v")}) == 1203
    assert store.entry_counts() == {FEED.url: 1203}
    assert set(save(store, *entries)) == {EntryChange.UNCHANGED}


def test_live_entries_come_with_the_copies_of_their_page(store):
    other = subscription("https://b.example/feed")
    save(store, ENTRY)
    copy = Entry(key="o", id="urn:o", title="Copy", page="a.example/1")
    save(store, copy, feed=other, now=NOW + HOUR)
    found = {f.entry.key: f for f in store.unmatched("v")}
    store.save_matches([matched(found["o"].row, "a", live="a")], "v", NOW)
    live, copies = store.live_entries("a", 5)
    assert [entry.stored.entry.id for entry in live] == ["urn:o"]
    assert {copy.id for copy in copies} == {"urn:x", "urn:o"}
    assert store.count("a") == 1


def test_clippings_taken_out_of_the_files_go(store):
    site = Feed("https://s.example/", "Site")
    store.save_clippings([ENTRY, Entry("k2", "urn:2", "Two")], site, NOW)
    (one, two) = store.unmatched("v")
    store.save_matches([matched(one.row, "a", live="a"), matched(two.row, "a")], "v", NOW)
    store.save_clippings([ENTRY], site, NOW + HOUR)
    assert store.count("a") == 1
    assert store.states() == {}
    (kept,) = store.unmatched("w")
    assert kept.first_seen_at == NOW
    assert not kept.came_with_feed


def test_slugs_and_feed_ids_stay_when_the_site_moves(store):
    tag = Tag("communs", "Communs", "communs", ("communs",))
    first = store.save_tags([tag], "https://one.example/", NOW)
    assert store.save_tags([tag], "https://two.example/", NOW + HOUR) == first
    assert store.slugs() == {"communs": "communs"}


def test_runs_are_remembered(store):
    assert store.last_run() is None
    number = store.start_run(42, NOW)
    assert store.last_run() == (42, NOW, None)
    assert not store.was_offline()
    store.finish_run(number, NOW + HOUR, offline=True)
    assert store.last_run() == (42, NOW, NOW + HOUR)
    assert store.was_offline()


def test_migrations_make_the_tables_that_the_code_uses(store):
    engine = create_engine(f"sqlite:///{store.path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    engine.dispose()
    assert differences == []


def test_the_database_is_in_wal_mode(store):
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_schema_of_a_later_version_is_refused(tmp_path, store):
    store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer than this program"):
        Store("sqlite:///db.sqlite3", tmp_path)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "db.sqlite3"
    path.write_bytes(b"my diary" * 999)
    with pytest.raises(StorageError, match="not a database"):
        Store("sqlite:///db.sqlite3", tmp_path)
    assert path.read_bytes() == b"my diary" * 999


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file"):
        Store("sqlite:///file/db.sqlite3", tmp_path)
