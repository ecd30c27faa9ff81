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
from tests.databases import about_the_file
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


def test_an_entry_comes_back_whole(store):
    assert save(store, ENTRY) == [EntryChange.NEW]
    (found,) = store.matches.unmatched_entries("v")
    assert found.entry == ENTRY
    assert found.feed == Feed("urn:f", "Feed", "https://a.example/", "fr", "CC")
    assert found.role is Role.SUBSCRIPTION
    assert found.first_seen_at == NOW
    assert found.came_with_feed


def test_a_second_poll_stores_nothing_new(store):
    save(store, ENTRY)
    assert save(store, ENTRY, now=NOW + HOUR) == [EntryChange.UNCHANGED]
    (found,) = store.matches.unmatched_entries("v")
    assert found.changed_at == NOW


def test_a_feed_that_became_one_of_clippings_is_known_as_one_though_nothing_else_changed(store):
    save(store, ENTRY)
    clipped = subscription("https://a.example/feed", role=Role.CLIPPINGS)
    store.feeds.save_states([(clipped, state(), ())])
    (stored,) = store.matches.unmatched_entries("v")
    assert stored.role is Role.CLIPPINGS


def test_a_state_comes_back_whole(store):
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


def test_hosts_that_wait(store):
    store.feeds.save_host_hold("a.example", NOW + HOUR)
    store.feeds.save_host_hold("a.example", NOW + 2 * HOUR)
    store.feeds.save_host_hold("b.example", NOW)
    assert store.feeds.host_holds(NOW) == {"a.example": NOW + 2 * HOUR}


def test_an_answer_that_cannot_be_stored_leaves_no_validators(store):
    broken = Entry(key=None, id="urn:y", title="T")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(StorageError):
        save(store, ENTRY, broken)
    assert store.feeds.states() == {}
    assert list(store.matches.unmatched_entries("v")) == []


def matched(row, *tags, near=False):
    evidence = (Evidence(EvidenceKind.PHRASE, "x", "title", 0.9),)
    return MatchedEntry(row, tuple(Match(tag, 0.9, evidence, near) for tag in tags))


def places(store, *membership_changes, live=()):
    """List stories: (story, id, date, channels that it enters, channels that it leaves)."""
    made = [
        MembershipChange(row, id, date, False, frozenset(enters), frozenset(leaves))
        for row, id, date, enters, leaves in membership_changes
    ]
    store.channels.save_membership_changes(made, set(live), NOW)


def channels(store, *names, site="https://s.example/", now=NOW):
    store.channels.save({f"tag:{n}": (ChannelKind.TAG, n.title()) for n in names}, site, now)


def test_matches_are_replaced(store):
    save(store, ENTRY)
    store.stories.group_entries(NOW)
    (found,) = store.matches.unmatched_entries("v1")
    assert store.matches.save([matched(found.row, "a", "b")], "v1", NOW) == 2
    assert list(store.matches.unmatched_entries("v1")) == []
    assert [entry.row for entry in store.matches.unmatched_entries("v2")] == [found.row]
    assert store.matches.save([matched(found.row, "b", "c")], "v2", NOW) == 1
    ((story, held),) = store.channels.pending_stories()
    assert [match.tag for match in story.copies[0].matches] == ["b", "c"]
    assert held == frozenset()
    assert store.matches.save([matched(found.row, "b", near=True)], "v3", NOW) == 0
    assert store.matches.save([matched(found.row, "b")], "v4", NOW) == 1


def test_a_modified_entry_is_matched_again(store):
    save(store, ENTRY)
    (found,) = store.matches.unmatched_entries("v")
    store.matches.save([matched(found.row, "a")], "v", NOW)
    changed = Entry(key="k", id="urn:x", title="Other")
    assert save(store, changed, now=NOW + HOUR) == [EntryChange.MODIFIED]
    assert [entry.entry.title for entry in store.matches.unmatched_entries("v")] == ["Other"]


def test_more_entries_than_one_query_takes(store):
    entries = [Entry(key=f"k{n}", id=f"urn:{n}", title="T") for n in range(1203)]
    assert save(store, *entries).count(EntryChange.NEW) == 1203
    assert len({found.row for found in store.matches.unmatched_entries("v")}) == 1203
    assert store.feeds.entry_counts() == {FEED.url: 1203}
    assert set(save(store, *entries)) == {EntryChange.UNCHANGED}


def test_a_story_comes_with_all_of_its_copies(store):
    other = subscription("https://b.example/feed")
    copy = Entry(key="o", id="urn:o", title="Copy", page="a.example/1", published=NOW)
    save(store, copy, feed=other, now=NOW + HOUR)
    save(store, replace(ENTRY, updated=NOW - HOUR))
    assert store.stories.group_entries(NOW) == 1
    ((story, _),) = store.channels.pending_stories()
    assert story.id == "urn:x"  # the older of those that came in one run
    assert story.updated == NOW - HOUR
    assert [one.stored.entry.id for one in story.copies] == ["urn:x", "urn:o"]
    assert store.stories.group_entries(NOW) == 0
    assert [one.stored.entry.id for one in store.matches.find_entries("urn:x", "")] == [
        "urn:x",
        "urn:o",
    ]


def test_stories_of_one_time_have_that_time(store):
    entries = [Entry(key=f"k{n}", id=f"urn:{n}", title="T", published=NOW) for n in range(1203)]
    save(store, *entries)
    assert store.stories.group_entries(NOW) == 1203
    stories = [story for story, _ in store.channels.pending_stories()]
    assert len(stories) == 1203
    assert {story.updated for story in stories} == {NOW}


def rendered(store, channels, pages):
    store.published.begin_rendering(channels, pages, {})
    store.published.save_rendered(channels, pages, {}, "s")


def test_what_changes_while_it_is_rendered_is_rendered_again(store):
    channels(store, "a")
    save(store, Entry("k", "urn:k", "T", published=NOW))
    store.stories.group_entries(NOW)
    ((story, _),) = store.channels.pending_stories()
    rendered(store, {"tag:a": "d"}, {})
    store.published.begin_rendering(["tag:a"], [], [])
    assert store.published.dirty_channels({"tag:a": "d"}) == {"tag:a"}  # if it were cut short now
    places(store, (story.row, "urn:k", NOW, ["tag:a"], []), live=[("tag:a", story.row)])
    store.published.save_rendered({"tag:a": "d"}, {}, {}, None)
    assert store.published.dirty_channels({"tag:a": "d"}) == {"tag:a"}
    assert store.published.site_fingerprint() == ""
    rendered(store, {"tag:a": "d"}, {("tag:a", "2026-11"): "u"})
    assert store.published.dirty_channels({"tag:a": "d"}) == set()
    assert store.published.archive_documents() == {"tag:a": [("2026-11", False, "u")]}
    assert store.published.site_fingerprint() == "s"


def test_a_story_stands_in_the_month_of_its_date_or_in_the_open_one(store):
    channels(store, "a")
    dates = [datetime(2026, month, 5, tzinfo=UTC) for month in (8, 9, 10)]
    save(store, *(Entry(f"k{n}", f"urn:{n}", "T", published=d) for n, d in enumerate(dates)))
    store.stories.group_entries(NOW)
    rows = {story.updated: story.row for story, _ in store.channels.pending_stories()}
    august, september, october = (rows[date] for date in dates)
    places(store, (september, "urn:1", dates[1], ["tag:a"], []), live=[("tag:a", september)])
    assert store.published.archive_documents() == {"tag:a": [("2026-09", True, "")]}
    rendered(store, {"tag:a": "d"}, {("tag:a", "2026-09"): "u"})
    assert store.published.dirty_channels({"tag:a": "d"}) == set()
    assert store.published.dirty_channels({"tag:a": "other"}) == {"tag:a"}
    places(store, (october, "urn:2", dates[2], ["tag:a"], []), live=[("tag:a", october)])
    assert store.published.archive_documents() == {
        "tag:a": [("2026-09", True, "u"), ("2026-10", True, "")]
    }
    rendered(store, {"tag:a": "d"}, {("tag:a", "2026-09"): "u", ("tag:a", "2026-10"): "u"})
    places(store, (august, "urn:0", dates[0], ["tag:a"], []))
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
    places(store, (september, "urn:1", dates[1], [], ["tag:a"]))  # withdrawn
    assert store.published.archive_documents()["tag:a"][0] == ("2026-09", True, "u")
    assert store.published.dirty_channels({"tag:a": "d"}) == {"tag:a"}


def test_clippings_taken_out_of_the_files_go(store):
    site = Feed("https://s.example/", "Site")
    channels(store, "a")
    store.clippings.save([ENTRY, Entry("k2", "urn:2", "Two")], site, NOW)
    store.stories.group_entries(NOW)
    stories = [story for story, _ in store.channels.pending_stories()]
    places(store, *((s.row, s.id, NOW, ["tag:a"], []) for s in stories))
    store.clippings.save([ENTRY], site, NOW + HOUR)
    assert store.feeds.states() == {}
    (kept,) = store.matches.unmatched_entries("w")
    assert kept.first_seen_at == NOW
    assert not kept.came_with_feed
    ((story, held),) = store.channels.pending_stories()
    assert (story.id, story.copies, held) == ("urn:2", (), {"tag:a"})
    store.clippings.save([ENTRY, Entry("k2", "urn:2", "Two")], site, NOW + 2 * HOUR)
    assert store.stories.group_entries(NOW) == 0  # it is the same story again


def test_slugs_and_ids_stay_when_the_site_moves(store):
    channels(store, "communs")
    (first,) = store.published.channels()
    channels(store, "communs", site="https://two.example/", now=NOW + HOUR)
    assert store.published.channels() == [first]
    assert (first.slug, first.name) == ("communs", "Communs")


def test_a_feed_ends_comes_back_and_is_pruned(store):
    channels(store, "a", "b")
    save(store, ENTRY)
    store.stories.group_entries(NOW)
    ((story, _),) = store.channels.pending_stories()
    places(store, (story.row, story.id, NOW, ["tag:a", "tag:b"], []))
    before = store.published.channels()
    channels(store, "b", now=NOW + HOUR)
    assert [c.ended_at for c in store.published.channels()] == [NOW + HOUR, None]
    channels(store, "a", "b")
    assert store.published.channels() == before
    channels(store, "b", now=NOW + HOUR)
    assert [c.name for c in store.published.remove_ended_channels()] == ["A"]
    assert store.published.remove_ended_channels() == []
    assert [c.key for c in store.published.channels()] == ["tag:b"]
    assert store.published.channels_of_stories([story.row]) == {story.row: ["tag:b"]}
    channels(store, "a", "b")
    assert store.published.channels() == before  # slug and id were kept


def test_what_the_hub_is_to_be_told(store):
    store.published.save_pings(["https://s.example/a.atom", "https://s.example/b.atom"])
    store.published.save_pings(["https://s.example/a.atom"])
    store.published.remove_ping("https://s.example/b.atom")
    assert store.published.pings() == ["https://s.example/a.atom"]


def test_runs_are_remembered(store):
    assert store.runs.last() is None
    number = store.runs.start(42, NOW)
    assert store.runs.last() == (42, NOW, None)
    assert not store.runs.was_offline()
    store.runs.finish(number, NOW + HOUR, offline=True)
    assert store.runs.last() == (42, NOW, NOW + HOUR)
    assert store.runs.was_offline()


@about_the_file
def test_old_entries_are_found_without_reading_all(store):
    """However many are kept for ever, and however many were pruned."""
    with closing(sqlite3.connect(store.path)) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT changed_at, id, story_id FROM entry WHERE pruned_at IS NULL "
            "AND changed_at < '2026' AND changed_at >= '2025' AND (changed_at > '2025' OR id > 5) "
            "ORDER BY changed_at, id LIMIT 500"
        ).fetchall()
    assert [step[3] for step in plan] == [
        "SEARCH entry USING INDEX ix_entry_whole (changed_at>? AND changed_at<?)"
    ]


@about_the_file
def test_the_database_is_in_wal_mode(store):
    with closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "aggregator.sqlite3"
    path.write_bytes(b"my diary" * 999)
    with pytest.raises(StorageError, match="not a database"):
        Store("sqlite:///aggregator.sqlite3", tmp_path)
    assert path.read_bytes() == b"my diary" * 999


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file"):
        Store("sqlite:///file/aggregator.sqlite3", tmp_path)


def test_a_new_database_is_made_though_somebody_sweeps_beside(tmp_path, monkeypatch):
    """Who holds the lock takes what another command is just making for a killed one's."""
    link = os.link
    swept: list[Path] = []

    def swept_before(source, target):
        if not swept:
            swept.append(source)
            sweep(target)
        link(source, target)

    monkeypatch.setattr("os.link", swept_before)
    with closing(Store("sqlite:///aggregator.sqlite3", tmp_path)) as store:
        assert store.runs.last() is None
    assert swept
    assert {path.name for path in tmp_path.iterdir()} <= {"aggregator.sqlite3"}


def test_a_signal_while_a_connection_is_given_back_is_no_error(store, caplog):
    def terminated(*_):
        raise SystemExit(143)

    event.listen(store.database.engine, "reset", terminated)
    with pytest.raises(SystemExit):
        store.feeds.states()
    event.remove(store.database.engine, "reset", terminated)
    assert not caplog.records
