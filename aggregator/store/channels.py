"""Which stories belong to which channels, and to which documents of their archives."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from aggregator.model import ChannelKind, MembershipChange, Story
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    UPDATE_ARCHIVE_DOCUMENT,
    AnyRow,
    Values,
    chunks,
    execute,
    fetch_all,
    load_stories,
    mark_channels,
    mark_source_pages,
)
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    ENTRIES,
    STORIES,
)
from aggregator.text.atom_ids import mint_id
from aggregator.text.slugs import assign_slugs

MAX_STORIES_PER_DOCUMENT = 300
MONTH_LENGTH = len("2026-11")


class ChannelStore:
    """Reads and writes channels and their stories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self, expected: Mapping[str, tuple[ChannelKind, str]], site_url: str, now: datetime
    ) -> None:
        """Store new channels, and which ended or came back. ``expected``: kind and name by key.

        The id of a channel is made from the site's address when the channel is new. It stays when
        the site moves.
        """
        with self._database.transaction() as connection:
            rows = {row.key: row for row in fetch_all(connection, select(CHANNELS))}
            names = {
                key: key.partition(":")[2]
                for key, (kind, _) in expected.items()
                if kind is not ChannelKind.OWN
            }
            fixed = {key: row.slug for key, row in rows.items()}
            fixed |= {key: name for key, (kind, name) in expected.items() if key not in names}
            all_slugs = assign_slugs(names, fixed)
            new: list[Values] = []
            for key, (kind, name) in expected.items():
                row = rows.get(key)
                if row is None:
                    new.append(_new_channel(key, kind, name, all_slugs[key], site_url, now))
                elif row.name != name or row.ended_at or row.pruned:
                    back: Values = {"name": name, "ended_at": None, "pruned": False, "dirty": True}
                    _update_channel(connection, key, back)
            execute(connection, insert(CHANNELS), new)
            for key, row in rows.items():
                if key not in expected and row.ended_at is None:
                    _update_channel(connection, key, {"ended_at": now, "dirty": True})

    def pending_stories(self, *, whole: bool = True) -> Iterator[tuple[Story, frozenset[str]]]:
        """The stories to place, with the channels (keys) to which they belong now.

        Without ``whole``, the content of their entries is left out.
        """
        last_id = 0
        while True:
            with self._database.transaction() as connection:
                pending = select(STORIES).where(STORIES.c.placement_pending, STORIES.c.id > last_id)
                rows = fetch_all(
                    connection, pending.order_by(STORIES.c.id).limit(MAX_QUERY_PARAMETERS)
                )
                channels: defaultdict[int, set[str]] = defaultdict(set)
                query = select(CHANNEL_STORIES.c.story_id, CHANNEL_STORIES.c.channel)
                is_member = CHANNEL_STORIES.c.story_id.in_([row.id for row in rows])
                for story, channel in fetch_all(connection, query.where(is_member)):
                    channels[story].add(channel)
                stories = load_stories(connection, rows, whole=whole)
            if not stories:
                return
            yield from ((story, frozenset(channels[story.row])) for story in stories)
            last_id = stories[-1].row

    def save_membership_changes(
        self, changes: Sequence[MembershipChange], live: Collection[tuple[str, int]], now: datetime
    ) -> None:
        """Let stories enter and leave channels, in one transaction.

        ``live``: (channel, story) of those that enter a live feed. A story goes into the archive
        document of its month, or into the open document if a later month has begun: closed
        documents never change for a late story. A document with 300 stories is closed too, so that
        one story never causes much to be written.
        """
        if not changes:
            return
        moving = [change for change in changes if change.enters or change.leaves]
        with self._database.transaction() as connection:
            if moving:
                ordered = sorted(moving, key=lambda change: (change.date, change.id))
                _move_stories(connection, ordered, live, now)
            for batch in chunks([change.story for change in changes]):
                placed = update(STORIES).where(STORIES.c.id.in_(batch))
                execute(connection, placed.values(placement_pending=False, ever_published=True))


def _new_channel(
    key: str, kind: ChannelKind, name: str, slug: str, site_url: str, now: datetime
) -> Values:
    return {
        "key": key, "kind": kind.value, "name": name, "slug": slug,
        "atom_id": mint_id(site_url, None, slug), "first_seen_at": now, "ended_at": None,
        "pruned": False, "dirty": True, "rendered": "",
    }  # fmt: skip


def _update_channel(connection: Connection, key: str, values: Values) -> None:
    execute(connection, update(CHANNELS).where(CHANNELS.c.key == key).values(values))


def _move_stories(
    connection: Connection,
    changes: Sequence[MembershipChange],
    live: Collection[tuple[str, int]],
    now: datetime,
) -> None:
    archives = _Archives(connection)
    entering: list[Values] = []
    for change in changes:
        if change.leaves:
            _leave(connection, archives, change.story, change.leaves)
        entering += [
            {
                "channel": channel,
                "story_id": change.story,
                "document": archives.add(channel, change.date),
                "live": (channel, change.story) in live,
                "entered_at": now,
            }
            for channel in sorted(change.enters)
        ]
    execute(connection, insert(CHANNEL_STORIES), entering)
    archives.save()
    changed = {key for change in changes for key in change.enters | change.leaves}
    for keys in chunks(sorted(changed)):
        mark_channels(connection, keys)
    own = select(CHANNELS.c.key).where(CHANNELS.c.kind == ChannelKind.OWN.value)
    own_keys = {row.key for row in fetch_all(connection, own)}
    on_source_pages = [c.story for c in changes if (c.enters | c.leaves) - own_keys]
    for stories in chunks(on_source_pages):
        feeds = select(ENTRIES.c.feed_id).where(ENTRIES.c.story_id.in_(stories))
        mark_source_pages(connection, feeds)


def _leave(
    connection: Connection, archives: "_Archives", story: int, channels: Collection[str]
) -> None:
    """Remove a story from these channels and their archive documents."""
    is_member = (CHANNEL_STORIES.c.story_id == story) & CHANNEL_STORIES.c.channel.in_(
        sorted(channels)
    )
    for row in fetch_all(connection, select(CHANNEL_STORIES).where(is_member)):
        archives.remove(row.channel, row.document)
    execute(connection, delete(CHANNEL_STORIES).where(is_member))


@dataclass(slots=True)
class _Document:
    """An archive document while stories enter and leave it."""

    channel: str
    name: str
    stories: int = 0
    is_dirty: bool = False
    is_new: bool = False


class _Archives:
    """The archives of all channels, while stories enter them in the order of their dates."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: dict[str, _Document] = {}  # the latest document of each channel
        self._documents: dict[tuple[str, str], _Document] = {}
        table = ARCHIVE_DOCUMENTS.c
        latest = select(table.channel, func.max(table.name).label("name"))
        latest_names = latest.group_by(table.channel).subquery()
        is_latest = (table.channel == latest_names.c.channel) & (table.name == latest_names.c.name)
        query = select(table.channel, table.name, table.stories).join(latest_names, is_latest)
        for row in fetch_all(connection, query):
            self._open[row.channel] = self._load(row)

    def _load(self, row: AnyRow) -> _Document:
        document = _Document(row.channel, row.name, row.stories)
        self._documents[row.channel, row.name] = document
        return document

    def add(self, channel: str, date: datetime) -> str:
        """Add a story with this date; return the name of its document."""
        month = f"{date:%Y-%m}"
        document = self._open.get(channel)
        if document is None or month > document.name[:MONTH_LENGTH]:
            document = self._begin(channel, month, document)
        elif document.stories >= MAX_STORIES_PER_DOCUMENT:
            month, _, part = document.name.partition(".")
            document = self._begin(channel, f"{month}.{int(part or 1) + 1:03}", document)
        document.stories += 1
        document.is_dirty = True
        return document.name

    def remove(self, channel: str, name: str) -> None:
        """Remove a story from a document."""
        document = self._documents.get((channel, name))
        if document is None:
            table = ARCHIVE_DOCUMENTS.c
            query = select(table.channel, table.name, table.stories)
            (row,) = fetch_all(
                self._connection, query.where(table.channel == channel, table.name == name)
            )
            document = self._load(row)
        document.stories -= 1
        document.is_dirty = True

    def _begin(self, channel: str, name: str, previous: _Document | None) -> _Document:
        """Open a document. The previous one is rendered again, for its link to the next."""
        document = _Document(channel, name, is_new=True)
        self._open[channel] = self._documents[channel, name] = document
        if previous is not None:
            previous.is_dirty = True
        return document

    def save(self) -> None:
        """Write the dirty documents."""
        dirty = [document for document in self._documents.values() if document.is_dirty]
        new = [
            {
                "channel": d.channel,
                "name": d.name,
                "stories": d.stories,
                "dirty": True,
                "rendered": "",
            }
            for d in dirty
            if d.is_new
        ]
        execute(self._connection, insert(ARCHIVE_DOCUMENTS), new)
        changed = [
            {"its_channel": d.channel, "its_name": d.name, "count": d.stories}
            for d in dirty
            if not d.is_new
        ]
        statement = UPDATE_ARCHIVE_DOCUMENT.values(stories=bindparam("count"), dirty=True)
        execute(self._connection, statement, changed)
