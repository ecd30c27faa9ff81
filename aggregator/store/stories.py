"""Groups entries into stories: the copies of one text in several feeds are one story."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from aggregator.model import Role
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    AnyRow,
    Values,
    chunks,
    execute,
    fetch_all,
    mark_stories,
    update_each,
)
from aggregator.store.tables import ENTRIES, FEEDS, MINHASH_BANDS, STORIES
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import fold
from aggregator.text.similarity import bands, is_excerpt, is_revision, is_same_story
from aggregator.text.urls import is_same_site

MAX_DISTANCE = timedelta(days=14)  # between the dates of two copies of one text
BANDS_KEPT = timedelta(days=30)  # how long an entry is compared with new entries by its text

_COLUMNS = [
    ENTRIES.c[name]
    for name in [
        "id",
        "feed_id",
        "key",
        "atom_id",
        "page",
        "title",
        "link",
        "text",
        "published",
        "updated",
        "first_seen_at",
    ]
]
_FEED_COLUMNS = [FEEDS.c.url, FEEDS.c.role, FEEDS.c.link.label("home")]
_NEW_STORY: Values = {"revisions": 0, "ever_published": False, "placement_pending": True}


@dataclass(frozen=True, slots=True)
class Member:
    """What grouping compares of an entry.

    ``owns_page``: the entry's link leads to its feed's own site. ``is_clipping``: the reader's.
    """

    feed_id: int
    title: str
    text: str
    date: datetime
    owns_page: bool = True
    is_clipping: bool = False


@dataclass(slots=True)
class GroupedStory:
    """A story while entries join it. ``row_id`` is None until it is stored."""

    atom_id: str
    updated: datetime
    row_id: int | None = None


class StoryStore:
    """Groups the new entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def group_entries(self, now: datetime) -> int:
        """Assign each new entry to a story; return the number of new stories.

        The entries of private feeds get none, so they are never published.

        The result does not depend on the order of answers: clippings come first, then entries by
        date. Revised stories get their new dates. One transaction for each batch of entries.
        """
        with self._database.transaction() as connection:
            _move_revised(connection)
        order = (
            FEEDS.c.role != Role.CLIPPINGS.value,
            convert.entry_date(),
            FEEDS.c.url,
            ENTRIES.c.key,
        )
        in_feed = ENTRIES.c.feed_id == FEEDS.c.id
        is_public = FEEDS.c.role != Role.PRIVATE_CLIPPINGS.value
        without_story = ENTRIES.c.story_id.is_(None)
        ungrouped = select(ENTRIES.c.id).join(FEEDS, in_feed).where(without_story, is_public)
        entries = select(*_COLUMNS, *_FEED_COLUMNS).join(FEEDS, in_feed).order_by(*order)
        with self._database.transaction() as connection:
            ids = [row.id for row in fetch_all(connection, ungrouped.order_by(*order))]
        new_stories = 0
        for batch in chunks(ids):
            with self._database.transaction() as connection:
                rows = fetch_all(connection, entries.where(ENTRIES.c.id.in_(batch)))
                new_stories += _group_batch(connection, rows)
        if ids:
            with self._database.transaction() as connection:
                _forget_bands(connection, now - BANDS_KEPT)
        return new_stories


def _move_revised(connection: Connection) -> None:
    """Give significantly changed stories their new ``updated``."""
    revised = fetch_all(connection, select(STORIES).where(STORIES.c.revised.is_not(None)))
    moved = [
        {"id": row.id, "updated": max(row.updated, row.revised), "revised": None} for row in revised
    ]
    update_each(connection, STORIES, moved)


def _forget_bands(connection: Connection, before: datetime) -> None:
    """Delete the bands of entries first seen before that time, in the order of their ids."""
    oldest = select(MINHASH_BANDS.c.entry_id).distinct().order_by(MINHASH_BANDS.c.entry_id)
    while True:
        ids = [row.entry_id for row in fetch_all(connection, oldest.limit(MAX_QUERY_PARAMETERS))]
        old = select(ENTRIES.c.id).where(ENTRIES.c.id.in_(ids), ENTRIES.c.first_seen_at < before)
        old_ids = [row.id for row in fetch_all(connection, old)]
        execute(connection, delete(MINHASH_BANDS).where(MINHASH_BANDS.c.entry_id.in_(old_ids)))
        if len(old_ids) < MAX_QUERY_PARAMETERS:
            return


class StoryIndex:
    """The stories that new entries may belong to, found by page, id and text. Pure.

    Stories are identified by their atom:id, since a new one has no row yet.
    """

    def __init__(self) -> None:
        self.stories: dict[str, GroupedStory] = {}
        self.new_stories: list[GroupedStory] = []
        self._by_page: defaultdict[str, list[str]] = defaultdict(list)
        self._by_band: defaultdict[str, set[str]] = defaultdict(set)
        self._members: defaultdict[str, list[Member]] = defaultdict(list)

    def add_stories(self, stories: Iterable[GroupedStory]) -> None:
        """Add stored stories."""
        self.stories |= {story.atom_id: story for story in stories}

    def add_pages(self, pages: Iterable[tuple[str, str]]) -> None:
        """Add (page, atom:id of its story)."""
        for page, atom_id in pages:
            self._add_page(page, atom_id)

    def add_band(self, band: str, atom_id: str) -> None:
        """A story has an entry with this band."""
        self._by_band[band].add(atom_id)

    def add_member(self, atom_id: str, member: Member) -> None:
        """A story has this entry."""
        self._members[atom_id].append(member)

    @property
    def known_ids(self) -> set[str]:
        """The ids of the stories that were found by page or band."""
        return set().union(*self._by_page.values(), *self._by_band.values())

    def assign(self, row: AnyRow, row_bands: Sequence[str]) -> GroupedStory:
        """The story of an entry, which may be a new one."""
        story = self._by_page_of(row) or self._by_id_of(row) or self._by_text_of(row, row_bands)
        if story is None:
            story = self._new_story(row)
        self._members[story.atom_id].append(_member(row))
        if row.page:
            self._add_page(row.page, story.atom_id)
        for band in row_bands:
            self._by_band[band].add(story.atom_id)
        return story

    def _add_page(self, page: str, atom_id: str) -> None:
        if atom_id not in self._by_page[page]:
            self._by_page[page].append(atom_id)

    def _by_page_of(self, row: AnyRow) -> GroupedStory | None:
        """The story about the entry's page, if it does not hide what this entry says."""
        new = _member(row)
        for atom_id in self._by_page.get(row.page or "", ()):
            members = self._members[atom_id]
            if all(tell_the_same(member, new) for member in members):
                return self.stories.get(atom_id)
        return None

    def _by_id_of(self, row: AnyRow) -> GroupedStory | None:
        """The story with the entry's own id.

        The id is a publisher's Atom id that others republish, or one that we minted from the
        former address of the page.
        """
        story = self.stories.get(row.atom_id)
        if story is None:
            return None
        is_minted = row.page is not None and row.atom_id == mint_id("", row.page, "")
        new, members = _member(row), self._members[story.atom_id]
        if is_minted:
            return story if all(tell_the_same(member, new) for member in members) else None
        same_title = any(fold(member.title) == fold(row.title) for member in members)
        return story if same_title or not members else None

    def _by_text_of(self, row: AnyRow, row_bands: Sequence[str]) -> GroupedStory | None:
        """A story of other feeds with the same text, at most 14 days apart."""
        new = _member(row)
        for atom_id in sorted({story for band in row_bands for story in self._by_band[band]}):
            members = self._members[atom_id]
            if any(member.feed_id == new.feed_id for member in members):
                continue
            if any(
                abs(member.date - new.date) <= MAX_DISTANCE
                and is_same_story(member.title, member.text, new.title, new.text)
                for member in members
            ):
                return self.stories[atom_id]
        return None

    def _new_story(self, row: AnyRow) -> GroupedStory:
        """A new story, or the one that has the only id that is left for the entry."""
        atom_id = row.atom_id
        if atom_id in self.stories:  # another text has the publisher's id already
            atom_id = fallback_id(row)
            if atom_id in self.stories:
                return self.stories[atom_id]
        story = self.stories[atom_id] = GroupedStory(atom_id, _member(row).date)
        self.new_stories.append(story)
        return story


def fallback_id(row: AnyRow) -> str:
    """The atom:id of an entry if another story has its own."""
    return mint_id(row.url, None, row.key)


def tell_the_same(first: Member, second: Member) -> bool:
    """Whether two entries about one page may be published as one.

    They may if both are on their publisher's own site, if one is a clipping, if one has no text, or if
    one repeats the other. Else they are comments on a page, and nobody's comment is lost: also that
    of somebody who repeats the page and adds to it.
    """
    if first.is_clipping or second.is_clipping or (first.owns_page and second.owns_page):
        return True
    shorter, longer = sorted((first, second), key=lambda member: len(member.text))
    if not shorter.text:
        return True
    may_be_excerpt = longer.owns_page or not shorter.owns_page
    return is_revision(first.text, second.text) or (
        may_be_excerpt and is_excerpt(shorter.text, longer.text)
    )


def _member(row: AnyRow) -> Member:
    date = row.updated or row.published or row.first_seen_at
    owns_page = is_same_site(row.link or "", row.home or row.url)
    is_clipping = row.role == Role.CLIPPINGS.value
    return Member(row.feed_id, row.title, row.text, date, owns_page, is_clipping)


def _group_batch(connection: Connection, rows: Sequence[AnyRow]) -> int:
    """Assign these entries to stories, and store that; return the number of new stories."""
    bands_by_id = {row.id: bands(row.text) for row in rows}
    index = _load_index(connection, rows, bands_by_id)
    assigned = [(row.id, index.assign(row, bands_by_id[row.id])) for row in rows]
    joined = sorted({story.row_id for _, story in assigned if story.row_id})
    new = [{"atom_id": s.atom_id, "updated": s.updated} | _NEW_STORY for s in index.new_stories]
    execute(connection, insert(STORIES), new)
    for batch in chunks([story.atom_id for story in index.new_stories]):
        query = select(STORIES.c.atom_id, STORIES.c.id).where(STORIES.c.atom_id.in_(batch))
        for atom_id, row_id in fetch_all(connection, query):
            index.stories[atom_id].row_id = row_id
    update_each(
        connection,
        ENTRIES,
        [{"id": entry_id, "story_id": story.row_id} for entry_id, story in assigned],
    )
    mark_stories(connection, joined, corrected=False)
    execute(
        connection,
        insert(MINHASH_BANDS),
        [{"name": n, "entry_id": i} for i, names in bands_by_id.items() for n in names],
    )
    return len(index.new_stories)


def _load_index(
    connection: Connection, rows: Sequence[AnyRow], bands_by_id: dict[int, tuple[str, ...]]
) -> StoryIndex:
    """The stored stories that these entries may belong to."""
    index = StoryIndex()
    of_story = ENTRIES.c.story_id == STORIES.c.id
    for batch in chunks(sorted({row.page for row in rows if row.page})):
        query = select(ENTRIES.c.page, STORIES.c.atom_id).join(STORIES, of_story)
        query = query.where(ENTRIES.c.page.in_(batch)).order_by(STORIES.c.id)
        index.add_pages((row.page, row.atom_id) for row in fetch_all(connection, query))
    for batch in chunks(sorted({name for names in bands_by_id.values() for name in names})):
        query = (
            select(MINHASH_BANDS.c.name, STORIES.c.atom_id)
            .join(ENTRIES, ENTRIES.c.id == MINHASH_BANDS.c.entry_id)
            .join(STORIES, of_story)
            .where(MINHASH_BANDS.c.name.in_(batch))
        )
        for band, atom_id in fetch_all(connection, query):
            index.add_band(band, atom_id)
    own_ids = {atom_id for row in rows for atom_id in (row.atom_id, fallback_id(row))}
    for batch in chunks(sorted(own_ids | index.known_ids)):
        query = select(STORIES).where(STORIES.c.atom_id.in_(batch))
        index.add_stories(
            GroupedStory(row.atom_id, row.updated, row.id) for row in fetch_all(connection, query)
        )
    for batch in chunks(sorted(index.stories)):
        members = (
            select(*_COLUMNS, *_FEED_COLUMNS, STORIES.c.atom_id.label("story"))
            .join(STORIES, of_story)
            .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
        )
        for entry in fetch_all(connection, members.where(STORIES.c.atom_id.in_(batch))):
            index.add_member(entry.story, _member(entry))
    return index
