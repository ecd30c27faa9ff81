import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from aggregator.errors import StorageError
from aggregator.files.atomic import sweep
from aggregator.model import (
    Author,
    Category,
    ChannelKind,
    Enclosure,
    Entry,
    EntryChange,
    Evidence,
    EvidenceKind,
    Feed,
    FeedEvent,
    FeedEventKind,
    FeedState,
    Match,
    MatchedEntry,
    MembershipChange,
    Move,
    ParsedAnswer,
    ParsedFeed,
    PollHints,
    Role,
    Validators,
)
from aggregator.store import Store
from tests import databases
from tests.databases import sqlite_only
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
    store = Store(databases.new_state(), tmp_path)
    yield store
    store.close()


def state(feed=FEED, now=NOW, **values):
    values.setdefault("validators", Validators('"e"', "then", feed.url))
    return FeedState(feed.key, fetched_at=now, succeeded_at=now, **values)


def save(store, *entries, now=NOW, feed=FEED):
    parsed = ParsedFeed(feed.key, Feed("urn:f", "Feed", "https://a.example/", "fr", "CC"), entries)
    (changes,) = store.feeds.save_answers([ParsedAnswer(feed, parsed, state(feed, now))], now)
    return changes


def test_entry_is_stored_completely(store):
    assert save(store, ENTRY) == [EntryChange.NEW]
    (stored,) = store.matches.unmatched_entries("v")
    assert stored.entry == ENTRY
    assert stored.feed == Feed("urn:f", "Feed", "https://a.example/", "fr", "CC")
    assert stored.role is Role.SUBSCRIPTION
    assert stored.first_seen_at == NOW
    assert stored.came_with_feed


def test_second_poll_stores_nothing_new(store):
    save(store, ENTRY)
    assert save(store, ENTRY, now=NOW + HOUR) == [EntryChange.UNCHANGED]
    (stored,) = store.matches.unmatched_entries("v")
    assert stored.changed_at == NOW


def test_new_role_of_feed_is_stored(store):
    save(store, ENTRY)
    clipped = subscription("https://a.example/feed", role=Role.CLIPPINGS)
    store.feeds.save_states([(clipped, state(), ())])
    (stored,) = store.matches.unmatched_entries("v")
    assert stored.role is Role.CLIPPINGS


def test_feed_state_is_stored_completely(store):
    whole = state(
        body_hash="hash",
        not_before=NOW + HOUR,
        next_poll_at=NOW + 2 * HOUR,
        next_poll_reason="why",
        lifetime=HOUR,
        hints=PollHints(HOUR, 2 * HOUR, NOW, frozenset({0, 23}), frozenset({6})),
        gap=HOUR / 3,
        newest_at=NOW - HOUR,
        failures=3,
        failing_since_at=NOW,
        operator_notified=True,
        gone_at=NOW,
        gone_confirmed=True,
        move=Move("https://b.example/", NOW, 5, adopted=True),
        warning="odd",
        is_silent=True,
        last_error="no",
    )
    event = FeedEvent(FEED.key, "A", FeedEventKind.GONE, "gone", NOW)
    store.feeds.save_states([(FEED, whole, (event,))])
    assert store.feeds.states() == {FEED.key: whole}
    assert store.feeds.events(9) == [event]
    store.feeds.save_states([(FEED, state(), ())])
    assert store.feeds.states() == {FEED.key: state()}


def test_host_holds(store):
    store.feeds.save_host_hold("a.example", NOW + HOUR)
    store.feeds.save_host_hold("a.example", NOW + 2 * HOUR)
    store.feeds.save_host_hold("b.example", NOW)
    assert store.feeds.host_holds(NOW) == {"a.example": NOW + 2 * HOUR}


def test_failed_answer_stores_no_validators(store):
    broken = Entry(key=None, id="urn:y", title="T")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(StorageError):
        save(store, ENTRY, broken)
    assert store.feeds.states() == {}
    assert list(store.matches.unmatched_entries("v")) == []


def make_match(row, *tags, near=False):
    evidence = (Evidence(EvidenceKind.PHRASE, "x", "title", 0.9),)
    return MatchedEntry(row, tuple(Match(tag, 0.9, evidence, near) for tag in tags))


def save_membership(store, *membership_changes, live=()):
    """Each change: (story, id, date, channels that it enters, channels that it leaves)."""
    changes = [
        MembershipChange(row, id, date, False, frozenset(enters), frozenset(leaves))
        for row, id, date, enters, leaves in membership_changes
    ]
    store.channels.save_membership_changes(changes, set(live), NOW)


def save_channels(store, *names, site="https://s.example/", now=NOW):
    store.channels.save({f"tag:{n}": (ChannelKind.TAG, n.title()) for n in names}, site, now)


def test_matches_are_replaced(store):
    save(store, ENTRY)
    store.stories.group_entries(NOW)
    (stored,) = store.matches.unmatched_entries("v1")
    assert store.matches.save([make_match(stored.row, "a", "b")], "v1", NOW) == 2
    assert list(store.matches.unmatched_entries("v1")) == []
    assert [entry.row for entry in store.matches.unmatched_entries("v2")] == [stored.row]
    assert store.matches.save([make_match(stored.row, "b", "c")], "v2", NOW) == 1
    ((story, channel_keys),) = store.channels.pending_stories()
    assert [match.tag for match in story.copies[0].matches] == ["b", "c"]
    assert channel_keys == frozenset()
    assert store.matches.save([make_match(stored.row, "b", near=True)], "v3", NOW) == 0
    assert store.matches.save([make_match(stored.row, "b")], "v4", NOW) == 1


def test_modified_entry_is_matched_again(store):
    save(store, ENTRY)
    (stored,) = store.matches.unmatched_entries("v")
    store.matches.save([make_match(stored.row, "a")], "v", NOW)
    changed = Entry(key="k", id="urn:x", title="Other")
    assert save(store, changed, now=NOW + HOUR) == [EntryChange.MODIFIED]
    assert [entry.entry.title for entry in store.matches.unmatched_entries("v")] == ["Other"]


def test_more_entries_than_query_parameters(store):
    entries = [Entry(key=f"k{n}", id=f"urn:{n}", title="T") for n in range(1203)]
    assert save(store, *entries).count(EntryChange.NEW) == 1203
    assert len({entry.row for entry in store.matches.unmatched_entries("v")}) == 1203
    assert store.feeds.entry_counts() == {FEED.url: 1203}
    assert set(save(store, *entries)) == {EntryChange.UNCHANGED}


def test_story_has_all_its_copies(store):
    other = subscription("https://b.example/feed")
    copy = Entry(key="o", id="urn:o", title="Copy", page="a.example/1", published=NOW)
    save(store, copy, feed=other, now=NOW + HOUR)
    save(store, replace(ENTRY, updated=NOW - HOUR))
    assert store.stories.group_entries(NOW) == 1
    ((story, _),) = store.channels.pending_stories()
    assert story.id == "urn:x"  # the older of two that came in the same run
    assert story.updated == NOW - HOUR
    assert [copy.stored.entry.id for copy in story.copies] == ["urn:x", "urn:o"]
    assert store.stories.group_entries(NOW) == 0
    assert [copy.stored.entry.id for copy in store.matches.find_entries("urn:x", "")] == [
        "urn:x",
        "urn:o",
    ]


def test_stories_keep_their_equal_dates(store):
    entries = [Entry(key=f"k{n}", id=f"urn:{n}", title="T", published=NOW) for n in range(1203)]
    save(store, *entries)
    assert store.stories.group_entries(NOW) == 1203
    stories = [story for story, _ in store.channels.pending_stories()]
    assert len(stories) == 1203
    assert {story.updated for story in stories} == {NOW}


def render(store, channels, pages):
    store.published.begin_rendering(channels, pages, {})
    store.published.save_rendered(channels, pages, {}, "s")


def test_channel_changed_during_rendering_stays_dirty(store):
    save_channels(store, "a")
    save(store, Entry("k", "urn:k", "T", published=NOW))
    store.stories.group_entries(NOW)
    ((story, _),) = store.channels.pending_stories()
    render(store, {"tag:a": "d"}, {})
    store.published.begin_rendering(["tag:a"], [], [])
    assert store.published.dirty_channels({"tag:a": "d"}) == {
        "tag:a"
    }  # in case rendering is interrupted now
    save_membership(store, (story.row, "urn:k", NOW, ["tag:a"], []), live=[("tag:a", story.row)])
    store.published.save_rendered({"tag:a": "d"}, {}, {}, None)
    assert store.published.dirty_channels({"tag:a": "d"}) == {"tag:a"}
    assert store.published.site_fingerprint() == ""
    render(store, {"tag:a": "d"}, {("tag:a", "2026-11"): "u"})
    assert store.published.dirty_channels({"tag:a": "d"}) == set()
    assert store.published.archive_documents() == {"tag:a": [("2026-11", False, "u")]}
    assert store.published.site_fingerprint() == "s"


def test_story_is_in_document_of_its_month_or_the_open_one(store):
    save_channels(store, "a")
    dates = [datetime(2026, month, 5, tzinfo=UTC) for month in (8, 9, 10)]
    save(store, *(Entry(f"k{n}", f"urn:{n}", "T", published=d) for n, d in enumerate(dates)))
    store.stories.group_entries(NOW)
    rows = {story.updated: story.row for story, _ in store.channels.pending_stories()}
    august, september, october = (rows[date] for date in dates)
    save_membership(
        store, (september, "urn:1", dates[1], ["tag:a"], []), live=[("tag:a", september)]
    )
    assert store.published.archive_documents() == {"tag:a": [("2026-09", True, "")]}
    render(store, {"tag:a": "d"}, {("tag:a", "2026-09"): "u"})
    assert store.published.dirty_channels({"tag:a": "d"}) == set()
    assert store.published.dirty_channels({"tag:a": "other"}) == {"tag:a"}
    save_membership(store, (october, "urn:2", dates[2], ["tag:a"], []), live=[("tag:a", october)])
    assert store.published.archive_documents() == {
        "tag:a": [("2026-09", True, "u"), ("2026-10", True, "")]
    }
    render(store, {"tag:a": "d"}, {("tag:a", "2026-09"): "u", ("tag:a", "2026-10"): "u"})
    save_membership(store, (august, "urn:0", dates[0], ["tag:a"], []))
    assert store.published.archive_documents() == {
        "tag:a": [("2026-09", False, "u"), ("2026-10", True, "u")]
    }
    assert [story.id for story in store.published.archive_stories("tag:a", "2026-10")] == [
        "urn:2",
        "urn:0",
    ]
    assert [story.id for story in store.published.live_stories("tag:a", 0, 9)] == ["urn:2", "urn:1"]
    assert store.published.counts_by_month() == {"tag:a": {"2026-09": 1, "2026-10": 2}}
    assert list(store.channels.pending_stories()) == []
    save_membership(store, (september, "urn:1", dates[1], [], ["tag:a"]))  # withdrawn
    assert store.published.archive_documents()["tag:a"][0] == ("2026-09", True, "u")
    assert store.published.dirty_channels({"tag:a": "d"}) == {"tag:a"}


def test_clippings_removed_from_files_are_deleted(store):
    site = Feed("https://s.example/", "Site")
    save_channels(store, "a")
    store.clippings.save([ENTRY, Entry("k2", "urn:2", "Two")], site, NOW)
    store.stories.group_entries(NOW)
    stories = [story for story, _ in store.channels.pending_stories()]
    save_membership(store, *((s.row, s.id, NOW, ["tag:a"], []) for s in stories))
    store.clippings.save([ENTRY], site, NOW + HOUR)
    assert store.feeds.states() == {}
    (stored,) = store.matches.unmatched_entries("w")
    assert stored.first_seen_at == NOW
    assert not stored.came_with_feed
    ((story, channel_keys),) = store.channels.pending_stories()
    assert (story.id, story.copies, channel_keys) == ("urn:2", (), {"tag:a"})
    store.clippings.save([ENTRY, Entry("k2", "urn:2", "Two")], site, NOW + 2 * HOUR)
    assert store.stories.group_entries(NOW) == 0  # it is the same story again


def test_slugs_and_ids_stay_when_site_url_changes(store):
    save_channels(store, "communs")
    (first,) = store.published.channels()
    save_channels(store, "communs", site="https://two.example/", now=NOW + HOUR)
    assert store.published.channels() == [first]
    assert (first.slug, first.name) == ("communs", "Communs")


def test_channel_ends_returns_and_is_pruned(store):
    save_channels(store, "a", "b")
    save(store, ENTRY)
    store.stories.group_entries(NOW)
    ((story, _),) = store.channels.pending_stories()
    save_membership(store, (story.row, story.id, NOW, ["tag:a", "tag:b"], []))
    before = store.published.channels()
    save_channels(store, "b", now=NOW + HOUR)
    assert [c.ended_at for c in store.published.channels()] == [NOW + HOUR, None]
    save_channels(store, "a", "b")
    assert store.published.channels() == before
    save_channels(store, "b", now=NOW + HOUR)
    assert [c.name for c in store.published.remove_ended_channels()] == ["A"]
    assert store.published.remove_ended_channels() == []
    assert [c.key for c in store.published.channels()] == ["tag:b"]
    assert store.published.channels_of_stories([story.row]) == {story.row: ["tag:b"]}
    save_channels(store, "a", "b")
    assert store.published.channels() == before  # slug and id were kept


def test_pings(store):
    store.published.save_pings(["https://s.example/a.atom", "https://s.example/b.atom"])
    store.published.save_pings(["https://s.example/a.atom"])
    store.published.remove_ping("https://s.example/b.atom")
    assert store.published.pings() == ["https://s.example/a.atom"]


def test_runs_are_stored(store):
    assert store.runs.last() is None
    number = store.runs.start(42, NOW)
    assert store.runs.last() == (42, NOW, None)
    assert not store.runs.was_offline()
    store.runs.finish(number, NOW + HOUR, offline=True)
    assert store.runs.last() == (42, NOW, NOW + HOUR)
    assert store.runs.was_offline()


@sqlite_only
def test_search_for_old_entries_uses_the_index(store):
    """Also with many entries that are kept or pruned."""
    with closing(sqlite3.connect(store.path)) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT changed_at, id, story_id FROM entry WHERE pruned_at IS NULL "
            "AND changed_at < '2026' AND changed_at >= '2025' AND (changed_at > '2025' OR id > 5) "
            "ORDER BY changed_at, id LIMIT 500"
        ).fetchall()
    assert [step[3] for step in plan] == [
        "SEARCH entry USING INDEX ix_entry_whole (changed_at>? AND changed_at<?)"
    ]


@sqlite_only
def test_database_is_in_wal_mode(store):
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_file_that_is_no_database_is_unchanged(tmp_path):
    path = tmp_path / "aggregator.sqlite3"
    path.write_bytes(b"my diary" * 999)
    with pytest.raises(StorageError, match="not a database"):
        Store("sqlite:///aggregator.sqlite3", tmp_path)
    assert path.read_bytes() == b"my diary" * 999


def test_folder_that_cannot_be_created(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file"):
        Store("sqlite:///file/aggregator.sqlite3", tmp_path)


def test_new_database_is_created_during_sweep(tmp_path, monkeypatch):
    """The holder of the lock removes the temporary file, as if a killed process had left it."""
    link = os.link
    swept: list[Path] = []

    def sweep_then_link(source, target):
        if not swept:
            swept.append(source)
            sweep(target)
        link(source, target)

    monkeypatch.setattr("os.link", sweep_then_link)
    with closing(Store("sqlite:///aggregator.sqlite3", tmp_path)) as store:
        assert store.runs.last() is None
    assert swept
    assert {path.name for path in tmp_path.iterdir()} <= {"aggregator.sqlite3"}


def test_signal_while_connection_is_returned_logs_no_error(store, caplog):
    def exit_process(*_):
        raise SystemExit(143)

    event.listen(store.database.engine, "reset", exit_process)
    with pytest.raises(SystemExit):
        store.feeds.states()
    event.remove(store.database.engine, "reset", exit_process)
    assert not caplog.records
