"""Removes the content of old entries that belong to no tag and no query's feed.

An entry that the reader confirmed or rejected keeps its content. A run checks a few old entries, so
cron keeps the size of the database stable. ``aggregator prune`` checks all.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.model import Clipping, Config, PruneResult
from aggregator.run.match import load_vocabulary, match_fingerprint, sample_size

if TYPE_CHECKING:
    from aggregator.store import Store

BATCH_SIZE = 500  # old entries that a run checks, beside one for each new entry


def prune_batch(config: Config, store: "Store", new: int, now: datetime) -> PruneResult:
    """Prune a few entries after matching: one more for each ``new`` entry, to keep up with them."""
    before = _cutoff(config, now)
    if before is None:
        return PruneResult()
    return store.retention.prune_some(before, BATCH_SIZE + new, sample_size, now)


def prune_all(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    now: datetime,
    *,
    ended: Collection[str] | None = None,
) -> PruneResult | None:
    """Prune all entries that may go. With ``ended``, only count what would go without these channels.

    None: the settings or the clippings changed, so that stored entries must be matched first.
    """
    before = _cutoff(config, now)
    if before is None:
        return PruneResult()
    vocabulary, _ = load_vocabulary(config, clippings, store)
    unmatched = store.matches.unmatched_entries(match_fingerprint(vocabulary, store))
    if next(unmatched, None) is not None:
        return None
    if ended is not None:
        return store.retention.preview(before, sample_size, ended)
    return store.retention.prune_all(before, sample_size, now)


def _cutoff(config: Config, now: datetime) -> datetime | None:
    """Midnight before which unchanged entries are old; None if nothing is pruned.

    Whole days: pruning rewrites archives, which should happen once a day and not in every run.
    """
    if not config.keep_unmatched_days:
        return None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=config.keep_unmatched_days)
