"""Which entries tell one story."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlmodel import Session

from aggregator.model import Role
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    Moments,
    chunks,
    mark_stories,
    read,
    update_each,
    write,
)
from aggregator.store.tables import ENTRIES, FEEDS, MINHASH_BANDS, STORIES
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import fold
from aggregator.text.similarity import bands, tell_one_story

_TOGETHER = timedelta(days=14)  # apart at most, to be copies of one text
_RECENT = timedelta(days=30)  # how long an entry's bands are kept


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An entry that may tell the story of a new one."""

    feed_id: int
    title: str
    text: str
    date: datetime


_COLUMNS = (
    ENTRIES.c.id,
    ENTRIES.c.feed_id,
    ENTRIES.c.key,
    ENTRIES.c.atom_id,
    ENTRIES.c.page,
    ENTRIES.c.title,
    ENTRIES.c.text,
    ENTRIES.c.published,
    ENTRIES.c.updated,
    ENTRIES.c.first_seen_at,
)


def _move_revised(session: Session) -> None:
    """Give stories that were changed significantly their new ``updated``, each its own."""
    it = STORIES.c
    order = it.revised, it.atom_id
    rows = read(session, select(STORIES).where(it.revised.is_not(None)).order_by(*order))
    moments = Moments(session)
    moments.expect(row.revised for row in rows)
    moved = [
        {"id": row.id, "updated": max(row.updated, moments.take(row.revised)), "revised": None}
        for row in rows
    ]
    update_each(session, STORIES, moved)


@dataclass(slots=True)
class _Told:
    """A story, perhaps a new one that has no number yet."""

    atom_id: str
    updated: datetime
    id: int | None = None


class StoryStore:
    """What grouping reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def group_entries(self, now: datetime) -> int:
        """Give every new entry its story, an old one or a new, and revised stories their dates;
        gives how many stories are new.

        The order in which answers came counts for nothing: the reader's own clippings are first,
        then the oldest entries. One transaction for each 500.
        """
        with self._database.transaction() as session:
            _move_revised(session)
        order = (
            FEEDS.c.role != Role.CLIPPINGS.value, convert.entry_date(), FEEDS.c.url, ENTRIES.c.key
        )  # fmt: skip
        of_feed = ENTRIES.c.feed_id == FEEDS.c.id
        new = select(ENTRIES.c.id).join(FEEDS, of_feed).where(ENTRIES.c.story_id.is_(None))
        columns = select(*_COLUMNS, FEEDS.c.url).join(FEEDS, of_feed)
        made = 0
        with self._database.transaction() as session:
            numbers = [number for (number,) in read(session, new.order_by(*order))]
        for chunk in chunks(numbers):
            with self._database.transaction() as session:
                rows = read(session, columns.where(ENTRIES.c.id.in_(chunk)).order_by(*order))
                made += _Grouping(session, rows).assign(rows)
        if numbers:
            with self._database.transaction() as session:
                self._forget(session, now)
        return made

    def _forget(self, session: Session, now: datetime) -> None:
        """Drop the bands of entries that are no longer recent: those that came first come first."""
        oldest = (
            select(MINHASH_BANDS.c.entry_id)
            .distinct()
            .order_by(MINHASH_BANDS.c.entry_id)
            .limit(MAX_QUERY_PARAMETERS)
        )
        while True:
            numbers = [number for (number,) in read(session, oldest)]
            seen = select(ENTRIES.c.id).where(ENTRIES.c.id.in_(numbers))
            old = read(session, seen.where(ENTRIES.c.first_seen_at < now - _RECENT))
            write(
                session,
                delete(MINHASH_BANDS).where(MINHASH_BANDS.c.entry_id.in_([row.id for row in old])),
            )
            if len(old) < MAX_QUERY_PARAMETERS:
                return


class _Grouping:
    """One transaction's new entries, and what they may belong to; stories go by their atom:id."""

    def __init__(self, session: Session, rows: Sequence[Any]) -> None:
        self._session = session
        self._bands = {row.id: bands(row.text) for row in rows}
        self._stories: dict[str, _Told] = {}
        self._pages: dict[str, str] = {}
        self._members: defaultdict[str, list[_Candidate]] = defaultdict(list)
        self._named: defaultdict[str, set[str]] = defaultdict(set)
        self._moments = Moments(session)
        self._moments.expect(_candidate(row).date for row in rows)
        self._load(rows)

    def _load(self, rows: Sequence[Any]) -> None:
        session = self._session
        of_story = ENTRIES.c.story_id == STORIES.c.id
        for pages in chunks(sorted({row.page for row in rows if row.page})):
            held = select(ENTRIES.c.page, STORIES.c.atom_id).join(STORIES, of_story)
            held = held.where(ENTRIES.c.page.in_(pages)).order_by(STORIES.c.id.desc())
            self._pages |= {row.page: row.atom_id for row in read(session, held)}
        for names in chunks(sorted({name for found in self._bands.values() for name in found})):
            like = (
                select(MINHASH_BANDS.c.name, STORIES.c.atom_id)
                .join(ENTRIES, ENTRIES.c.id == MINHASH_BANDS.c.entry_id)
                .join(STORIES, of_story)
                .where(MINHASH_BANDS.c.name.in_(names))
            )
            for name, story in read(session, like):
                self._named[name].add(story)
        known = {row.atom_id for row in rows}.union(self._pages.values(), *self._named.values())
        for ids in chunks(sorted(known)):
            for found in read(session, select(STORIES).where(STORIES.c.atom_id.in_(ids))):
                self._stories[found.atom_id] = _Told(found.atom_id, found.updated, found.id)
        for ids in chunks(sorted(self._stories)):
            members = select(*_COLUMNS, STORIES.c.atom_id.label("story")).join(STORIES, of_story)
            for entry in read(session, members.where(STORIES.c.atom_id.in_(ids))):
                self._members[entry.story].append(_candidate(entry))

    def assign(self, rows: Sequence[Any]) -> int:
        """Give each of these rows its story; gives how many stories are new."""
        made: list[_Told] = []
        given: list[tuple[int, _Told]] = []
        for row in rows:
            story = self._of_page(row) or self._of_id(row) or self._of_text(row)
            if story is None:
                story = self._make(row, made)
            given.append((row.id, story))
            self._members[story.atom_id].append(_candidate(row))
            if row.page:
                self._pages.setdefault(row.page, story.atom_id)
            for name in self._bands[row.id]:
                self._named[name].add(story.atom_id)
        self._write(made, given)
        return len(made)

    def _write(self, made: Sequence[_Told], given: Sequence[tuple[int, _Told]]) -> None:
        session = self._session
        joined = sorted({story.id for _, story in given if story.id})
        new = [{"atom_id": s.atom_id, "updated": s.updated} | _NEW for s in made]
        write(session, insert(STORIES), new)
        for ids in chunks([story.atom_id for story in made]):
            numbers = select(STORIES.c.atom_id, STORIES.c.id).where(STORIES.c.atom_id.in_(ids))
            for name, number in read(session, numbers):
                self._stories[name].id = number
        told = [{"id": entry, "story_id": story.id} for entry, story in given]
        update_each(session, ENTRIES, told)
        mark_stories(session, joined, corrected=False)
        found = [
            {"name": name, "entry_id": row} for row, names in self._bands.items() for name in names
        ]
        write(session, insert(MINHASH_BANDS), found)

    def _of_page(self, row: Any) -> _Told | None:
        return self._stories.get(self._pages.get(row.page or "", ""))

    def _of_id(self, row: Any) -> _Told | None:
        """The story with the entry's own id: a publisher's Atom id that others republish, or one
        that we minted from the address that its page once had."""
        story = self._stories.get(row.atom_id)
        if story is None:
            return None
        ours = row.page is not None and row.atom_id == mint_id("", row.page, "")
        members = self._members[story.atom_id]
        same_title = any(fold(one.title) == fold(row.title) for one in members)
        return story if ours or same_title or not members else None

    def _of_text(self, row: Any) -> _Told | None:
        """The story of another feed that is told in the same words within fourteen days."""
        new = _candidate(row)
        for name in sorted({story for band in self._bands[row.id] for story in self._named[band]}):
            members = self._members[name]
            if any(one.feed_id == row.feed_id for one in members):
                continue
            if any(
                abs(one.date - new.date) <= _TOGETHER
                and tell_one_story(one.title, one.text, new.title, new.text)
                for one in members
            ):
                return self._stories[name]
        return None

    def _make(self, row: Any, made: list[_Told]) -> _Told:
        """A new story, added to those that are ``made``; or the one that has its only id."""
        atom_id = row.atom_id
        if atom_id in self._stories:  # by something else: publishers do that
            atom_id = mint_id(row.url, None, row.key)
            if atom_id in self._stories:
                return self._stories[atom_id]
            same = read(self._session, select(STORIES).where(STORIES.c.atom_id == atom_id))
            if same:
                (story,) = same
                self._stories[atom_id] = _Told(atom_id, story.updated, story.id)
                return self._stories[atom_id]
        updated = self._moments.take(_candidate(row).date)
        self._stories[atom_id] = _Told(atom_id, updated)
        made.append(self._stories[atom_id])
        return self._stories[atom_id]


def _candidate(row: Any) -> _Candidate:
    date = row.updated or row.published or row.first_seen_at
    return _Candidate(row.feed_id, row.title, row.text, date)


_NEW = {"revisions": 0, "ever_published": False, "placement_pending": True}
