"""How long the content of entries is kept for which nobody asked: what belongs to no tag, stands in
no feed of a query, and of which the reader has said nothing.

An ordinary run looks at a few old entries, so that cron keeps the database at its size; ``prune``
looks at all.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from aggregator.model import Clipping, Config, PruneResult, StoredEntry
from aggregator.run.match import TeachingKeeper, load_vocabulary, match_fingerprint, sample_size

AT_ONCE = 500  # old entries that a run looks at, beside one for each that it brought


class PruneKeeper(Protocol):
    """What a run needs of `store` to prune."""

    def prune_some(
        self, before: datetime, most: int, sample_size: Callable[[int], int], now: datetime
    ) -> PruneResult: ...


class RetentionKeeper(PruneKeeper, TeachingKeeper, Protocol):
    """What ``prune`` needs of it."""

    def unmatched(self, vocabulary: str) -> Iterator[StoredEntry]: ...
    def prune_all(
        self, before: datetime, sample_size: Callable[[int], int], now: datetime
    ) -> PruneResult: ...
    def prune_preview(
        self, before: datetime, sample_size: Callable[[int], int], ended: Collection[str]
    ) -> PruneResult: ...


def prune_some(config: Config, store: PruneKeeper, new: int, now: datetime) -> PruneResult:
    """A run's share, once all is matched: as many entries as are ``new``, so that what goes keeps
    up with what comes, and some of what has heaped up."""
    before = _cutoff(config, now)
    return store.prune_some(before, AT_ONCE + new, sample_size, now) if before else PruneResult()


def prune_all(
    config: Config,
    clippings: Sequence[Clipping],
    store: RetentionKeeper,
    now: datetime,
    *,
    ended: Collection[str] | None = None,
) -> PruneResult | None:
    """Prune all that may go; with ``ended``, only tell what would go once these channels had.

    None: feeds.toml or the clippings have changed, and what is stored is yet to be matched anew.
    """
    before = _cutoff(config, now)
    if before is None:
        return PruneResult()
    vocabulary, _ = load_vocabulary(config, clippings, store)
    if next(store.unmatched(match_fingerprint(vocabulary, store)), None) is not None:
        return None
    if ended is not None:
        return store.prune_preview(before, sample_size, ended)
    return store.prune_all(before, sample_size, now)


def _cutoff(config: Config, now: datetime) -> datetime | None:
    """When the last day began that is over for long enough; None: nothing is pruned.

    By whole days, so that archives are written anew once a day for it, and not by every run.
    """
    if not config.keep_unmatched_days:
        return None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=config.keep_unmatched_days)
