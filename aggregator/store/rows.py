"""Steps of a transaction that several methods of `Store` share: reading rows, marking them dirty."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Executable, Table, bindparam, select, update
from sqlmodel import Session

from aggregator.model import ChannelKind, Match, Story, StoryEntry
from aggregator.store import convert
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    ENTRIES,
    FEEDS,
    MATCHES,
    STORIES,
)

T = TypeVar("T")

CLIPPINGS_URL = "clippings:"  # the feed row of the reader's clippings files
MAX_QUERY_PARAMETERS = 500  # SQLite's limit on variables is 32,766; a short statement is faster
_SECOND = timedelta(seconds=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def read(session: Session, statement: Executable) -> Sequence[Any]:
    """All rows that a statement over tables gives, whose columns are their attributes."""
    return session.connection().execute(statement).all()


def write(
    session: Session, statement: Executable, rows: Sequence[dict[str, Any]] | None = None
) -> None:
    """Execute a statement over tables, once or for each of ``rows``, of which there may be none."""
    if rows is None:
        session.connection().execute(statement)
    elif rows:
        session.connection().execute(statement, rows)


def insert_unless_there(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, but for those of which another process has stored the primary key meanwhile."""
    from sqlalchemy.dialects import postgresql, sqlite  # seldom wanted, and long to import

    dialects = {"sqlite": sqlite, "postgresql": postgresql}
    this = dialects[session.connection().dialect.name].insert(table).on_conflict_do_nothing()
    write(session, this, rows)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in the portions that one query takes."""
    for start in range(0, len(items), MAX_QUERY_PARAMETERS):
        yield items[start : start + MAX_QUERY_PARAMETERS]


def rows_by_id(session: Session, statement: Any, numbers: Iterable[int]) -> dict[int, Any]:
    """The rows of a table, or some columns of them with ``id``, whose numbers these are."""
    found: dict[int, Any] = {}
    identity = statement.selected_columns.id
    for chunk in chunks(sorted(set(numbers))):
        found |= {row.id: row for row in read(session, statement.where(identity.in_(chunk)))}
    return found


def update_each(
    session: Session, table: Table, rows: Sequence[dict[str, Any]], **expressions: Any
) -> None:
    """Give rows new columns, each by its ``id``; all have the same ones. In ``expressions``, which stand
    for plain values, the new value of a column is the parameter ``new_`` and its name."""
    if rows:
        names: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "id"}
        this = update(table).where(table.c.id == bindparam("new_id")).values(names | expressions)
        write(session, this, [{f"new_{name}": row[name] for name in row} for row in rows])


# For rows of "its_channel" and "its_name".
UPDATE_ARCHIVE_DOCUMENT = update(ARCHIVE_DOCUMENTS).where(
    ARCHIVE_DOCUMENTS.c.channel == bindparam("its_channel"),
    ARCHIVE_DOCUMENTS.c.name == bindparam("its_name"),
)


class Moments:
    """Gives stories their ``updated``: no two have the same.

    Feed readers are confused by equal ones in a feed, says the W3C's validator. What is taken is
    read in portions, and remembered: whole runs of corrections want the same second, and whole
    archives midnight.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._taken: set[datetime] = set()
        self._asked: set[datetime] = set()  # of these it is known whether they are taken
        self._next: dict[datetime, datetime] = {}  # where to go on looking, by what is wanted
        self._low: dict[datetime, datetime] = {}  # down to where all that is taken is known

    def expect(self, dates: Iterable[datetime]) -> None:
        """These will be asked for: one query instead of many."""
        wanted = sorted(set(dates) - self._asked)
        for chunk in chunks(wanted):
            taken = select(STORIES.c.updated).where(STORIES.c.updated.in_(chunk))
            self._taken.update(at for (at,) in read(self._session, taken))
        self._asked.update(wanted)

    def take(self, at: datetime) -> datetime:
        """The last second up to ``at`` that is no other story's."""
        free, most = self._next.get(at, at), 8
        while True:
            while free in self._taken:
                free -= _SECOND
            if free in self._asked or (at in self._low and free >= self._low[at]):
                break
            self._look(at, free, most)
            most = min(most * 8, MAX_QUERY_PARAMETERS)
        self._taken.add(free)
        self._next[at] = free - _SECOND
        return free

    def _look(self, at: datetime, below: datetime, most: int) -> None:
        before = select(STORIES.c.updated).where(STORIES.c.updated <= below)
        latest = before.distinct().order_by(STORIES.c.updated.desc()).limit(most)
        taken = [moment for (moment,) in read(self._session, latest)]
        self._taken.update(taken)
        self._low[at] = taken[-1] if len(taken) == most else _BEGINNING


def mark_stories(session: Session, stories: Sequence[int], *, corrected: bool) -> None:
    """The feeds in which these stories stand must be rendered again, and the pages of their sources,
    in which feeds they stand decided again; ``corrected``: the closed months of the archives that
    hold them too. Their entries must know by now that they tell them."""
    for chunk in chunks(stories):
        undecided = update(STORIES).where(STORIES.c.id.in_(chunk))
        write(session, undecided.values(placement_pending=True))
        theirs = CHANNEL_STORIES.c.story_id.in_(chunk)
        channels = select(CHANNEL_STORIES.c.channel).where(theirs)
        write(session, update(CHANNELS).where(CHANNELS.c.key.in_(channels)).values(dirty=True))
        shown = (
            select(ENTRIES.c.feed_id)
            .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id)
            .join(CHANNELS, CHANNELS.c.key == CHANNEL_STORIES.c.channel)
            .where(ENTRIES.c.story_id.in_(chunk), CHANNELS.c.kind != ChannelKind.OWN.value)
        )
        mark_sources(session, shown)
        if corrected:
            mark_archive_documents(session, theirs)


def mark_sources(session: Session, feeds: Any) -> None:
    """The pages of these feeds must be rendered again."""
    write(session, update(FEEDS).where(FEEDS.c.id.in_(feeds)).values(dirty=True))


def mark_archive_documents(session: Session, listed: Any) -> None:
    """The documents of the archives that hold what is ``ever_published`` must be rendered again."""
    held = select(CHANNEL_STORIES.c.channel, CHANNEL_STORIES.c.document).where(listed).distinct()
    found = [{"its_channel": channel, "its_name": month} for channel, month in read(session, held)]
    write(session, UPDATE_ARCHIVE_DOCUMENT.values(dirty=True), found)


def mark_channels_of_feed(session: Session, feed: int) -> None:
    """The live feeds that hold something of the feed of this number must be rendered again."""
    theirs = (
        select(CHANNEL_STORIES.c.channel)
        .join(ENTRIES, ENTRIES.c.story_id == CHANNEL_STORIES.c.story_id)
        .where(ENTRIES.c.feed_id == feed, CHANNEL_STORIES.c.live)
    )
    write(session, update(CHANNELS).where(CHANNELS.c.key.in_(theirs)).values(dirty=True))


def load_matches(session: Session, ids: Sequence[int]) -> dict[int, list[Match]]:
    """The matches of these entries, the surest first, and those that nearly are."""
    found: dict[int, list[Match]] = {}
    for chunk in chunks(ids):
        theirs = select(MATCHES).where(MATCHES.c.entry_id.in_(chunk))
        for row in read(session, theirs.order_by(MATCHES.c.score.desc(), MATCHES.c.tag)):
            found.setdefault(row.entry_id, []).append(convert.match_from_row(row))
    return found


_OF_A_FEED = select(
    *(FEEDS.c[name] for name in ("id", "url", "role", "atom_id", "title", "link", "language")),
    *(FEEDS.c[name] for name in ("rights", "first_succeeded_at")),
)


def load_feeds(session: Session, entries: Iterable[Any]) -> dict[int, Any]:
    """What is known of the feeds of these rows of entries, by their numbers."""
    return rows_by_id(session, _OF_A_FEED, (entry.feed_id for entry in entries))


def story_entries(
    session: Session, entries: Sequence[Any], *, whole: bool = True
) -> list[StoryEntry]:
    """These rows of entries, or of their heads, with what is known of them, in their order."""
    feeds = load_feeds(session, entries)
    matches = load_matches(session, [entry.id for entry in entries])
    return [
        StoryEntry(
            convert.stored_entry(entry, feeds[entry.feed_id], whole=whole),
            tuple(matches.get(entry.id, ())),
        )
        for entry in entries
    ]


def load_stories(session: Session, rows: Sequence[Any], *, whole: bool = True) -> list[Story]:
    """These rows of stories, in their order; without ``whole``, what their copies say is left out.

    Copies are in an order that no machine's clock decides.
    """
    copies: dict[int, list[StoryEntry]] = {}
    for chunk in chunks([row.id for row in rows]):
        columns = (ENTRIES,) if whole else convert.HEAD
        entries = read(session, select(*columns).where(ENTRIES.c.story_id.in_(chunk)))
        for entry, copy in zip(entries, story_entries(session, entries, whole=whole), strict=True):
            copies.setdefault(entry.story_id, []).append(copy)
    return [make_story(row, copies.get(row.id, ())) for row in rows]


def make_story(row: Any, copies: Iterable[StoryEntry]) -> Story:
    """A row of a story with these copies of it."""
    told = sorted(copies, key=lambda copy: (copy.stored.feed_url, copy.stored.entry.key))
    return Story(row.id, row.atom_id, row.updated, tuple(told), row.ever_published)
