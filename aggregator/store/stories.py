"""Which entries tell one story."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, insert, select

from aggregator.folding import fold
from aggregator.identity import mint_id
from aggregator.likeness import bands, tell_one_story
from aggregator.model import Role
from aggregator.store import values
from aggregator.store.connection import Connection
from aggregator.store.rows import IN_ONE_QUERY, chunks, free_moment, mark_stories
from aggregator.store.tables import BandRow, EntryRow, FeedRow, StoryRow

_TOGETHER = timedelta(days=14)  # apart at most, to be copies of one text
_RECENT = timedelta(days=30)  # how long an entry's bands are kept


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An entry that may tell the story of a new one."""

    feed_id: int
    title: str
    text: str
    date: datetime


class StoryStore(Connection):
    """What grouping reads and writes."""

    def group(self, now: datetime) -> int:
        """Give every new entry its story, an old one or a new; gives how many are new.

        The order in which answers came counts for nothing: the reader's own clippings are first,
        then the oldest entries. One transaction for each 500.
        """
        made = 0
        while True:
            with self._session() as session:
                date = values.entry_date()
                rows = session.exec(
                    select(EntryRow, FeedRow)
                    .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                    .where(col(EntryRow.story_id).is_(None))
                    .order_by(
                        FeedRow.role != Role.CLIPPINGS.value,  # type: ignore[arg-type]
                        date,
                        FeedRow.url,
                        EntryRow.key,
                    )
                    .limit(IN_ONE_QUERY)
                ).all()
                if not rows:
                    self._forget(session, now)
                    return made
                made += _Grouping(session, [entry for entry, _ in rows]).assign(rows)

    def _forget(self, session: Session, now: datetime) -> None:
        old = select(EntryRow.id).where(EntryRow.first_seen_at < now - _RECENT)
        session.exec(delete(BandRow).where(col(BandRow.entry_id).in_(old)))


class _Grouping:
    """One transaction's new entries, and what they may belong to; stories go by their atom:id."""

    def __init__(self, session: Session, rows: Sequence[EntryRow]) -> None:
        self._session = session
        self._bands = {row.id or 0: bands(row.text) for row in rows}
        self._stories: dict[str, StoryRow] = {}
        self._pages: dict[str, str] = {}
        self._members: defaultdict[str, list[_Candidate]] = defaultdict(list)
        self._named: defaultdict[str, set[str]] = defaultdict(set)
        self._moments: set[datetime] = set()
        self._free: dict[datetime, datetime] = {}  # where to look for the next free moment
        self._load(rows)

    def _load(self, rows: Sequence[EntryRow]) -> None:
        session = self._session
        story_of = select(EntryRow, StoryRow.atom_id).join(
            StoryRow, col(StoryRow.id) == EntryRow.story_id
        )
        for pages in chunks(sorted({row.page for row in rows if row.page})):
            held = story_of.where(col(EntryRow.page).in_(pages)).order_by(col(StoryRow.id).desc())
            for entry, story in session.exec(held):
                self._pages[entry.page or ""] = story
        for names in chunks(sorted({name for found in self._bands.values() for name in found})):
            like = (
                select(BandRow.name, StoryRow.atom_id)
                .join(EntryRow, col(EntryRow.id) == BandRow.entry_id)
                .join(StoryRow, col(StoryRow.id) == EntryRow.story_id)
                .where(col(BandRow.name).in_(names))
            )
            for name, story in session.exec(like):
                self._named[name].add(story)
        known = {row.atom_id for row in rows}.union(self._pages.values(), *self._named.values())
        for ids in chunks(sorted(known)):
            for found in session.exec(select(StoryRow).where(col(StoryRow.atom_id).in_(ids))):
                self._stories[found.atom_id] = found
        for ids in chunks(sorted(self._stories)):
            for entry, story in session.exec(story_of.where(col(StoryRow.atom_id).in_(ids))):
                self._members[story].append(_candidate(entry))
        for dates in chunks(sorted({_candidate(row).date for row in rows})):
            taken = select(StoryRow.updated).where(col(StoryRow.updated).in_(dates))
            self._moments.update(session.exec(taken))

    def assign(self, rows: Sequence[tuple[EntryRow, FeedRow]]) -> int:
        """Give each of these rows its story; gives how many stories are new."""
        made, joined, given = 0, set(), []
        for row, feed in rows:
            story = self._of_page(row) or self._of_id(row) or self._of_text(row)
            if story is None:
                made += 1
                story = self._make(row, feed)
            else:
                joined.add(story.atom_id)
            story.unlisted = True
            given.append((row, story))
            self._members[story.atom_id].append(_candidate(row))
            if row.page:
                self._pages.setdefault(row.page, story.atom_id)
            for name in self._bands[row.id or 0]:
                self._named[name].add(story.atom_id)
        self._session.flush()
        for row, story in given:
            row.story_id = story.id
        found = [
            {"name": name, "entry_id": row} for row, names in self._bands.items() for name in names
        ]
        if found:
            self._session.exec(insert(BandRow), params=found)
        old = [self._stories[name].id or 0 for name in joined]
        mark_stories(self._session, sorted(old), corrected=False)
        return made

    def _of_page(self, row: EntryRow) -> StoryRow | None:
        return self._stories.get(self._pages.get(row.page or "", ""))

    def _of_id(self, row: EntryRow) -> StoryRow | None:
        """The story with the entry's own id: a publisher's Atom id that others republish, or one
        that we minted from the address that its page once had."""
        story = self._stories.get(row.atom_id)
        if story is None:
            return None
        ours = row.page is not None and row.atom_id == mint_id("", row.page, "")
        members = self._members[story.atom_id]
        same_title = any(fold(one.title) == fold(row.title) for one in members)
        return story if ours or same_title or not members else None

    def _of_text(self, row: EntryRow) -> StoryRow | None:
        """The story of another feed that is told in the same words within fourteen days."""
        new = _candidate(row)
        for name in sorted(
            {story for band in self._bands[row.id or 0] for story in self._named[band]}
        ):
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

    def _make(self, row: EntryRow, feed: FeedRow) -> StoryRow:
        atom_id = row.atom_id
        if atom_id in self._stories:  # by something else: publishers do that
            atom_id = mint_id(feed.url, None, row.key)
            same = select(StoryRow).where(StoryRow.atom_id == atom_id)
            if (story := self._session.exec(same).first()) is not None:
                return self._stories.setdefault(atom_id, story)
        date = _candidate(row).date
        if date in self._moments:
            free = free_moment(self._session, self._free.get(date, date))
            self._free[date] = free - timedelta(seconds=1)
        else:
            free = date
        self._moments.add(free)
        story = self._stories[atom_id] = StoryRow(atom_id=atom_id, updated=free)
        self._session.add(story)
        return story


def _candidate(row: EntryRow) -> _Candidate:
    date = row.updated or row.published or row.first_seen_at
    return _Candidate(row.feed_id, row.title, row.text, date)
