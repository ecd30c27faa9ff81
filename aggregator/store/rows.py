"""Queries and updates that several parts of the store share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    Connection,
    Executable,
    Select,
    Table,
    bindparam,
    insert,
    select,
    update,
)

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
AnyRow: TypeAlias = Any  # a row of SQLAlchemy, which cannot type its columns
Values = dict[str, Any]  # of one row, by column

CLIPPINGS_URL = "clippings:"  # the feed row of the clippings files
MAX_QUERY_PARAMETERS = 500  # SQLite allows 32,766, but short statements are faster


def fetch_all(connection: Connection, statement: Executable) -> Sequence[AnyRow]:
    """All rows of a query."""
    return connection.execute(statement).all()


def execute(
    connection: Connection, statement: Executable, rows: Sequence[Values] | None = None
) -> None:
    """Execute a statement once, or for each of ``rows``, which may be empty."""
    if rows is None:
        connection.execute(statement)
    elif rows:
        connection.execute(statement, rows)


def insert_missing(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, except those whose primary key exists already."""
    from sqlalchemy.dialects import postgresql, sqlite  # rarely needed, and slow to import

    dialects = {"sqlite": sqlite, "postgresql": postgresql}
    statement = dialects[connection.dialect.name].insert(table).on_conflict_do_nothing()
    execute(connection, statement, rows)


def replace_row(connection: Connection, table: Table, values: Values) -> None:
    """Update the row with the primary key in ``values``, or insert it."""
    keys = {column.name: values[column.name] for column in table.primary_key}
    is_row = [table.c[name] == value for name, value in keys.items()]
    others = {name: value for name, value in values.items() if name not in keys}
    exists = connection.execute(select(1).select_from(table).where(*is_row)).first()
    if exists is None:
        connection.execute(insert(table).values(values))
    elif others:
        connection.execute(update(table).where(*is_row).values(others))


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in batches that fit into one query."""
    for start in range(0, len(items), MAX_QUERY_PARAMETERS):
        yield items[start : start + MAX_QUERY_PARAMETERS]


def rows_by_id(
    connection: Connection, statement: Select[Any], ids: Iterable[int]
) -> dict[int, AnyRow]:
    """The rows of a query with these ids, by id. The query must select ``id``."""
    rows: dict[int, AnyRow] = {}
    id_column = statement.selected_columns.id
    for batch in chunks(sorted(set(ids))):
        query = statement.where(id_column.in_(batch))
        rows |= {row.id: row for row in fetch_all(connection, query)}
    return rows


def update_each(
    connection: Connection, table: Table, rows: Sequence[Values], **expressions: Any
) -> None:
    """Update each row by its ``id``. All rows have the same columns.

    ``expressions`` replace the plain value of a column; the new value is the parameter ``new_NAME``.
    """
    if rows:
        values: Values = {name: bindparam(f"new_{name}") for name in rows[0] if name != "id"}
        is_row = table.c.id == bindparam("new_id")
        statement = update(table).where(is_row).values(values | expressions)
        execute(connection, statement, [{f"new_{k}": v for k, v in row.items()} for row in rows])


# Its parameters are ``its_channel`` and ``its_name``.
UPDATE_ARCHIVE_DOCUMENT = update(ARCHIVE_DOCUMENTS).where(
    ARCHIVE_DOCUMENTS.c.channel == bindparam("its_channel"),
    ARCHIVE_DOCUMENTS.c.name == bindparam("its_name"),
)


def mark_stories(connection: Connection, stories: Sequence[int], *, corrected: bool) -> None:
    """Mark channels and source pages with these stories as dirty, and the stories for placement.

    With ``corrected``, also mark the archive documents that contain them. The entries must already
    be assigned to their stories.
    """
    for batch in chunks(stories):
        execute(
            connection,
            update(STORIES).where(STORIES.c.id.in_(batch)).values(placement_pending=True),
        )
        is_member = CHANNEL_STORIES.c.story_id.in_(batch)
        channels = select(CHANNEL_STORIES.c.channel).where(is_member)
        mark_channels(connection, channels)
        feeds = (
            select(ENTRIES.c.feed_id)
            .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id)
            .join(CHANNELS, CHANNELS.c.key == CHANNEL_STORIES.c.channel)
            .where(ENTRIES.c.story_id.in_(batch), CHANNELS.c.kind != ChannelKind.OWN.value)
        )
        mark_source_pages(connection, feeds)
        if corrected:
            documents = select(CHANNEL_STORIES.c.channel, CHANNEL_STORIES.c.document)
            keys = [
                {"its_channel": channel, "its_name": document}
                for channel, document in fetch_all(
                    connection, documents.where(is_member).distinct()
                )
            ]
            execute(connection, UPDATE_ARCHIVE_DOCUMENT.values(dirty=True), keys)


def mark_channels(connection: Connection, keys: Select[Any] | Sequence[str]) -> None:
    """Mark the live documents of these channels as dirty."""
    execute(connection, update(CHANNELS).where(CHANNELS.c.key.in_(keys)).values(dirty=True))


def mark_source_pages(connection: Connection, feeds: Select[Any]) -> None:
    """Mark the pages of these feeds (ids) as dirty."""
    execute(connection, update(FEEDS).where(FEEDS.c.id.in_(feeds)).values(dirty=True))


def load_matches(connection: Connection, ids: Sequence[int]) -> dict[int, list[Match]]:
    """The matches of these entries by entry id, the best first, near misses included."""
    matches: dict[int, list[Match]] = {}
    for batch in chunks(ids):
        query = select(MATCHES).where(MATCHES.c.entry_id.in_(batch))
        query = query.order_by(MATCHES.c.score.desc(), MATCHES.c.tag)
        for row in fetch_all(connection, query):
            matches.setdefault(row.entry_id, []).append(convert.match_from_row(row))
    return matches


_FEED_COLUMNS = [
    "id",
    "url",
    "role",
    "atom_id",
    "title",
    "link",
    "language",
    "rights",
    "first_succeeded_at",
]
_SELECT_FEED = select(*(FEEDS.c[name] for name in _FEED_COLUMNS))


def load_feeds(connection: Connection, entries: Iterable[AnyRow]) -> dict[int, AnyRow]:
    """The feed rows of these entry rows, by id."""
    return rows_by_id(connection, _SELECT_FEED, (entry.feed_id for entry in entries))


def story_entries(
    connection: Connection, entries: Sequence[AnyRow], *, whole: bool = True
) -> list[StoryEntry]:
    """These entry rows as values, in their order. Without ``whole``, their content is left out."""
    feeds = load_feeds(connection, entries)
    matches = load_matches(connection, [entry.id for entry in entries])
    return [
        StoryEntry(
            convert.stored_entry(entry, feeds[entry.feed_id], whole=whole),
            tuple(matches.get(entry.id, ())),
        )
        for entry in entries
    ]


def load_stories(
    connection: Connection, rows: Sequence[AnyRow], *, whole: bool = True
) -> list[Story]:
    """These story rows with their entries, in their order.

    Without ``whole``, the content of the entries is left out. The order of a story's entries does
    not depend on any machine's clock.
    """
    copies: Mapping[int, list[StoryEntry]] = {row.id: [] for row in rows}
    columns = (ENTRIES,) if whole else convert.HEAD_COLUMNS
    for batch in chunks(list(copies)):
        entries = fetch_all(connection, select(*columns).where(ENTRIES.c.story_id.in_(batch)))
        values = story_entries(connection, entries, whole=whole)
        for entry, copy in zip(entries, values, strict=True):
            copies[entry.story_id].append(copy)
    return [make_story(row, copies[row.id]) for row in rows]


def make_story(row: AnyRow, copies: Iterable[StoryEntry]) -> Story:
    """A story row with these entries."""
    ordered = sorted(copies, key=lambda copy: (copy.stored.feed_url, copy.stored.entry.key))
    return Story(row.id, row.atom_id, row.updated, tuple(ordered), row.ever_published)
