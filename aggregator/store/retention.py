"""Removes the content of old entries without a tag.

What remains of such an entry (key, page, title, dates and digests) identifies it when its publisher
serves it again, so its id is never used for another entry. All entries of a story are pruned
together, and the story leaves all channels in the same transaction.
"""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from aggregator.model import ChannelKind, PruneResult, Role
from aggregator.store import convert
from aggregator.store.changes import content_hash_without_numbers
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    AnyRow,
    Values,
    chunks,
    execute,
    fetch_all,
    mark_channels,
    replace_row,
    update_each,
)
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    DECISIONS,
    ENTRIES,
    FEEDS,
    MATCHES,
    MINHASH_BANDS,
    PRUNE_POSITIONS,
    SINGLETON_ID,
    STORIES,
)
from aggregator.store.training_data import TrainingDataStore

_ABOVE_ALL_DIGESTS = "~"
_Position = tuple[datetime, int]  # changed_at and id of an entry
_START: _Position = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_NO_CONTENT: Values = {
    "summary": "", "content": "", "text": "", "authors": [], "categories": [], "enclosures": [],
}  # fmt: skip

SampleSize = Callable[[int], int]


class RetentionStore:
    """Prunes entries.

    An entry may be pruned if it has not changed since ``before``, if its story has no tag, belongs
    to no tag's or query's feed and has no decision, and if training does not sample it.
    ``sample_size`` is the size of the sample for a number of collected entries. All entries must be
    matched with today's vocabulary.
    """

    def __init__(self, database: Database, training: TrainingDataStore) -> None:
        self._database = database
        self._training = training

    def prune_some(
        self, before: datetime, count: int, sample_size: SampleSize, now: datetime
    ) -> PruneResult:
        """Check the next ``count`` old entries, starting again after the last one.

        So the cost does not depend on the number of stored entries.
        """
        sweep = _Sweep(self._training, before, sample_size, now)
        while count > 0:
            limit = min(count, MAX_QUERY_PARAMETERS)
            with self._database.transaction() as connection:
                row = connection.execute(select(PRUNE_POSITIONS)).first()
                position = sweep.check(
                    connection, (row.changed_at, row.entry_id) if row else _START, limit
                )
                changed_at, entry_id = position or _START
                values = {"id": SINGLETON_ID, "changed_at": changed_at, "entry_id": entry_id}
                replace_row(connection, PRUNE_POSITIONS, values)
            if position is None:
                break
            count -= limit
        return sweep.result

    def prune_all(self, before: datetime, sample_size: SampleSize, now: datetime) -> PruneResult:
        """Prune every entry that may be pruned."""
        return self._check_all(_Sweep(self._training, before, sample_size, now))

    def preview(
        self, before: datetime, sample_size: SampleSize, ended: Collection[str]
    ) -> PruneResult:
        """What `prune_all` would do if these channels (keys) were removed."""
        return self._check_all(_Sweep(self._training, before, sample_size, None, ended))

    def _check_all(self, sweep: "_Sweep") -> PruneResult:
        position: _Position | None = _START
        while position is not None:
            with self._database.transaction() as connection:
                position = sweep.check(connection, position, MAX_QUERY_PARAMETERS)
        return sweep.result


class _Sweep:
    """One pass over old entries. Without ``now`` it only counts."""

    def __init__(
        self,
        training: TrainingDataStore,
        before: datetime,
        sample_size: SampleSize,
        now: datetime | None,
        ended: Collection[str] = (),
    ) -> None:
        self.result = PruneResult()
        self._training = training
        self._before = before
        self._sample_size = sample_size
        self._now = now
        self._ended = ended
        self._last_sampled: str | None = None
        self._counted_stories: set[int] = set()  # a story with several entries is met again

    def check(self, connection: Connection, start: _Position, limit: int) -> _Position | None:
        """Prune what may be pruned of the next ``limit`` entries; return the last one's position, or
        None after the last entry."""
        changed_at, entry_id = start
        entry = ENTRIES.c
        query = (
            select(entry.changed_at, entry.id, entry.story_id)
            .where(
                entry.pruned_at.is_(None),
                entry.changed_at < self._before,
                entry.changed_at >= changed_at,
                or_(entry.changed_at > changed_at, entry.id > entry_id),
            )
            .order_by(entry.changed_at, entry.id)
            .limit(limit)
        )
        rows = fetch_all(connection, query)
        stories = {row.story_id for row in rows if row.story_id} - self._counted_stories
        prunable = stories - self._stories_to_keep(connection, sorted(stories))
        for batch in chunks(sorted(prunable)):
            self._prune(connection, batch)
        return (rows[-1].changed_at, rows[-1].id) if len(rows) == limit else None

    def _stories_to_keep(self, connection: Connection, stories: Sequence[int]) -> set[int]:
        entry = ENTRIES.c
        of_stories = select(entry.story_id).where(entry.story_id.in_(stories))
        in_use = and_(
            entry.pruned_at.is_(None),
            or_(entry.changed_at >= self._before, entry.matched_fingerprint.is_(None)),
        )
        queries = (
            of_stories.join(FEEDS, FEEDS.c.id == entry.feed_id).where(
                or_(FEEDS.c.role != Role.SUBSCRIPTION.value, in_use)
            ),
            of_stories.join(MATCHES, MATCHES.c.entry_id == entry.id).where(~MATCHES.c.near),
            of_stories.join(DECISIONS, DECISIONS.c.entry_id == entry.id),
            select(CHANNEL_STORIES.c.story_id)
            .join(CHANNELS, CHANNELS.c.key == CHANNEL_STORIES.c.channel)
            .where(
                CHANNEL_STORIES.c.story_id.in_(stories),
                CHANNELS.c.kind != ChannelKind.OWN.value,
                CHANNELS.c.key.not_in(self._ended),
            ),
            # Stories that are yet to be placed.
            select(STORIES.c.id).where(
                STORIES.c.id.in_(stories),
                or_(STORIES.c.placement_pending, ~STORIES.c.ever_published),
            ),
        )
        keep = {story for query in queries for (story,) in fetch_all(connection, query)}
        if len(keep) < len(stories):
            is_sampled = entry.content_hash <= self._last_sampled_hash(connection)
            sampled = of_stories.where(is_sampled, entry.pruned_at.is_(None))
            keep.update(story for (story,) in fetch_all(connection, sampled))
        return keep

    def _last_sampled_hash(self, connection: Connection) -> str:
        """The highest content hash that training samples, before and after this pass."""
        if self._last_sampled is None:
            size = self._sample_size(self._training.count_entries())
            query = (
                select(ENTRIES.c.content_hash)
                .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
                .where(FEEDS.c.role == Role.SUBSCRIPTION.value, ENTRIES.c.pruned_at.is_(None))
                .order_by(ENTRIES.c.content_hash)
                .offset(max(size - 1, 0))
                .limit(1)
            )
            last: str | None = connection.execute(query).scalar() if size else ""
            self._last_sampled = _ABOVE_ALL_DIGESTS if last is None else last
        return self._last_sampled

    def _prune(self, connection: Connection, stories: Sequence[int]) -> None:
        has_content = ENTRIES.c.story_id.in_(stories), ENTRIES.c.pruned_at.is_(None)
        rows = fetch_all(connection, select(ENTRIES).where(*has_content))
        size_bytes = self.result.size_bytes + sum(map(_content_size, rows))
        self.result = PruneResult(self.result.entries + len(rows), size_bytes)
        if self._now is None:
            self._counted_stories.update(stories)
            return
        pruned: list[Values] = []
        for row in rows:
            digest = content_hash_without_numbers(convert.entry_from_row(row))
            marks = {"pruned_at": self._now, "content_hash_without_numbers": digest}
            pruned.append({"id": row.id} | _NO_CONTENT | marks)
        update_each(connection, ENTRIES, pruned)
        for ids in chunks([row.id for row in rows]):
            for table in (MINHASH_BANDS, MATCHES):
                execute(connection, delete(table).where(table.c.entry_id.in_(ids)))
        _leave_channels(connection, stories)


def _leave_channels(connection: Connection, stories: Sequence[int]) -> None:
    """Remove these stories from all channels, which become dirty."""
    table = CHANNEL_STORIES.c
    is_member = table.story_id.in_(stories)
    query = select(table.channel, table.document, func.count().label("count"))
    groups = query.where(is_member).group_by(table.channel, table.document)
    for channel, name, count in fetch_all(connection, groups):
        document = update(ARCHIVE_DOCUMENTS).where(
            ARCHIVE_DOCUMENTS.c.channel == channel, ARCHIVE_DOCUMENTS.c.name == name
        )
        stories_left = ARCHIVE_DOCUMENTS.c.stories - count
        execute(connection, document.values(stories=stories_left, dirty=True))
        mark_channels(connection, [channel])
    execute(connection, delete(CHANNEL_STORIES).where(is_member))


def _content_size(row: AnyRow) -> int:
    """The content of an entry in bytes."""
    texts = sum(len(text.encode()) for text in (row.summary, row.content, row.text))
    lists = (row.authors, row.categories, row.enclosures)
    return texts + sum(len(json.dumps(values)) for values in lists if values)
