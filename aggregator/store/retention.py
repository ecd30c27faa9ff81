"""What is taken away with time: the content of entries for which nobody asked.

What is left of such an entry keeps its place: key, page, title, dates and the digest of what it
said, so that it is known when its publisher serves it again, and its id stays taken. A story goes
as a whole, and out of our own feeds, in one transaction.
"""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from sqlmodel import Session, and_, col, delete, func, or_, select, update

from aggregator.model import ChannelKind, PruneResult, Role
from aggregator.store import convert
from aggregator.store.changes import content_hash_without_numbers
from aggregator.store.connection import Database
from aggregator.store.rows import MAX_QUERY_PARAMETERS, chunks
from aggregator.store.tables import (
    PRUNED,
    ArchiveDocumentRow,
    ChannelRow,
    ChannelStoryRow,
    DecisionRow,
    EntryRow,
    FeedRow,
    MatchRow,
    MinHashBandRow,
    PrunePositionRow,
    StoryRow,
)
from aggregator.store.training_data import TrainingDataStore

_THE_ONE = 1
_ALL = "~"  # above every digest
_Place = tuple[datetime, int]  # of an entry among the whole ones: when it changed, and its number
_START: _Place = (datetime(1970, 1, 1, tzinfo=UTC), 0)
_NOTHING: dict[str, object] = {
    "summary": "",
    "content": "",
    "text": "",
    "authors": [],
    "categories": [],
    "enclosures": [],
}

SampleSize = Callable[[int], int]


class RetentionStore:
    """What retention reads and writes.

    The content of entries may go that have not changed since ``before``, whose story is of no tag
    and in no feed of a tag or query, about which the reader has decided nothing, and from which
    nothing is learned: ``sample_size`` says how many are sampled of so many that were collected.
    Everything must have been matched with today's vocabulary.
    """

    def __init__(self, database: Database, training: TrainingDataStore) -> None:
        self._database = database
        self._training = training

    def prune_some(
        self, before: datetime, most: int, sample_size: SampleSize, now: datetime
    ) -> PruneResult:
        """Look at the next ``most`` old entries, in a circle, and prune those of them that may go.

        So it costs the same however many entries are kept for ever.
        """
        sweep = _Sweep(self._training.count_entries, before, sample_size, now)
        while most > 0:
            limit = min(most, MAX_QUERY_PARAMETERS)
            with self._database.transaction() as session:
                held = session.get(PrunePositionRow, _THE_ONE)
                after = (held.changed_at, held.entry_id) if held else _START
                reached = sweep.go_on(session, after, limit)
                at, number = reached or _START
                session.merge(PrunePositionRow(id=_THE_ONE, changed_at=at, entry_id=number))
            if reached is None:
                break
            most -= limit
        return sweep.pruned

    def prune_all(self, before: datetime, sample_size: SampleSize, now: datetime) -> PruneResult:
        """Prune every entry that may go."""
        return self._round(_Sweep(self._training.count_entries, before, sample_size, now))

    def preview(
        self, before: datetime, sample_size: SampleSize, ended: Collection[str]
    ) -> PruneResult:
        """What `prune_all` would do, once the channels of these keys are no more."""
        return self._round(_Sweep(self._training.count_entries, before, sample_size, None, ended))

    def _round(self, sweep: "_Sweep") -> PruneResult:
        after: _Place | None = _START
        while after is not None:
            with self._database.transaction() as session:
                after = sweep.go_on(session, after, MAX_QUERY_PARAMETERS)
        return sweep.pruned


class _Sweep:
    """One pass over old entries. Without ``now`` it only counts."""

    def __init__(
        self,
        collected: Callable[[], int],
        before: datetime,
        sample_size: SampleSize,
        now: datetime | None,
        ended: Collection[str] = (),
    ) -> None:
        self.pruned = PruneResult()
        self._collected = collected
        self._before = before
        self._sample_size = sample_size
        self._now = now
        self._ended = ended
        self._sampled: str | None = None
        self._counted: set[int] = set()  # stories of several copies, which are met again

    def go_on(self, session: Session, after: _Place, limit: int) -> _Place | None:
        """Prune what may go of the next ``limit`` old entries; gives how far that was, or None at
        the end."""
        changed_at, number = after
        later = or_(col(EntryRow.changed_at) > changed_at, col(EntryRow.id) > number)
        found = session.exec(
            select(EntryRow.changed_at, EntryRow.id, EntryRow.story_id)
            .where(
                col(EntryRow.pruned_at).is_(None),
                EntryRow.changed_at < self._before,
                EntryRow.changed_at >= changed_at,
                later,
            )
            .order_by(col(EntryRow.changed_at), col(EntryRow.id))
            .limit(limit)
        ).all()
        stories = {story for *_, story in found if story} - self._counted
        for chunk in chunks(sorted(stories - self._kept(session, sorted(stories)))):
            self._prune(session, chunk)
        if len(found) < limit:
            return None
        at, last, _ = found[-1]
        return at, last or 0

    def _kept(self, session: Session, stories: Sequence[int]) -> set[int]:
        """Those of these stories that must stay whole."""
        of_theirs = select(EntryRow.story_id).where(col(EntryRow.story_id).in_(stories))
        matched = of_theirs.join(MatchRow, col(MatchRow.entry_id) == EntryRow.id)
        still = and_(
            col(EntryRow.pruned_at).is_(None),
            or_(
                col(EntryRow.changed_at) >= self._before,
                col(EntryRow.matched_fingerprint).is_(None),
            ),
        )
        kept: set[int] = set()
        for query in (
            of_theirs.join(FeedRow, col(FeedRow.id) == EntryRow.feed_id).where(
                or_(FeedRow.role != Role.SUBSCRIPTION.value, still)
            ),
            matched.where(~col(MatchRow.near)),
            of_theirs.join(DecisionRow, col(DecisionRow.entry_id) == EntryRow.id),
            select(ChannelStoryRow.story_id)
            .join(ChannelRow, col(ChannelRow.key) == ChannelStoryRow.channel)
            .where(
                col(ChannelStoryRow.story_id).in_(stories),
                ChannelRow.kind != ChannelKind.OWN.value,
                col(ChannelRow.key).not_in(self._ended),
            ),
            # Where it stands is yet to be decided: by this very run, or the next.
            select(StoryRow.id).where(
                col(StoryRow.id).in_(stories),
                or_(col(StoryRow.placement_pending), ~col(StoryRow.ever_published)),
            ),
        ):
            kept.update(story for story in session.exec(query) if story)
        if len(kept) < len(stories):
            sampled = self._last_sampled(session)
            taught = col(EntryRow.content_hash) <= sampled, col(EntryRow.pruned_at).is_(None)
            kept.update(story for story in session.exec(of_theirs.where(*taught)) if story)
        return kept

    def _last_sampled(self, session: Session) -> str:
        """The digest up to which entries are sampled to learn from, now and after this sweep."""
        if self._sampled is None:
            size = self._sample_size(self._collected())
            whole = (
                select(EntryRow.content_hash)
                .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                .where(FeedRow.role == Role.SUBSCRIPTION.value, col(EntryRow.pruned_at).is_(None))
                .order_by(EntryRow.content_hash)
            )
            last = session.exec(whole.offset(size - 1).limit(1)).first() if size else ""
            self._sampled = _ALL if last is None else last
        return self._sampled

    def _prune(self, session: Session, stories: Sequence[int]) -> None:
        whole = col(EntryRow.story_id).in_(stories), col(EntryRow.pruned_at).is_(None)
        rows = session.exec(select(EntryRow).where(*whole)).all()
        self.pruned = PruneResult(
            self.pruned.entries + len(rows), self.pruned.size_bytes + sum(map(_size, rows))
        )
        if self._now is None:
            self._counted.update(stories)
            return
        for row in rows:
            digest = content_hash_without_numbers(convert.entry_from_row(row))
            mark = {
                "pruned_at": self._now,
                "content_hash_without_numbers": digest,
                "matched_fingerprint": PRUNED,
            }
            row.sqlmodel_update(_NOTHING | mark)
        for ids in chunks([row.id or 0 for row in rows]):
            session.exec(delete(MinHashBandRow).where(col(MinHashBandRow.entry_id).in_(ids)))
            session.exec(delete(MatchRow).where(col(MatchRow.entry_id).in_(ids)))
        _withdraw(session, stories)


def _withdraw(session: Session, stories: Sequence[int]) -> None:
    """These stories leave the feeds that they stand in, which must be rendered again."""
    theirs = col(ChannelStoryRow.story_id).in_(stories)
    held = select(ChannelStoryRow.channel, ChannelStoryRow.document, func.count()).where(theirs)
    for channel, month, number in session.exec(
        held.group_by(ChannelStoryRow.channel, ChannelStoryRow.document)
    ).all():
        page = update(ArchiveDocumentRow).where(
            col(ArchiveDocumentRow.channel) == channel, col(ArchiveDocumentRow.name) == month
        )
        left = col(ArchiveDocumentRow.stories) - number
        session.exec(page.values(stories=left, dirty=True))
        live = update(ChannelRow).where(ChannelRow.key == channel)  # type: ignore[arg-type]
        session.exec(live.values(dirty=True))
    session.exec(delete(ChannelStoryRow).where(theirs))


def _size(row: EntryRow) -> int:
    """How many bytes of a row go."""
    texts = sum(len(text.encode()) for text in (row.summary, row.content, row.text))
    lists = (row.authors, row.categories, row.enclosures)
    return texts + sum(len(json.dumps(found)) for found in lists if found)
