"""How long the content of entries is kept for which nobody asked: what belongs to no tag, stands in
no feed of a query, and of which the reader has said nothing.

An ordinary run looks at a few old entries, so that cron keeps the database at its size; ``prune``
looks at all.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.model import Clipping, Config, PruneResult
from aggregator.run.match import load_vocabulary, match_fingerprint, sample_size

if TYPE_CHECKING:
    from aggregator.store import Store

AT_ONCE = 500  # old entries that a run looks at, beside one for each that it brought


def prune_some(config: Config, store: "Store", new: int, now: datetime) -> PruneResult:
    """A run's share, once all is matched: as many entries as are ``new``, so that what goes keeps
    up with what comes, and some of what has heaped up."""
    before = _cutoff(config, now)
    return (
        store.retention.prune_some(before, AT_ONCE + new, sample_size, now)
        if before
        else PruneResult()
    )


def prune_all(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
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
    if (
        next(store.matches.unmatched_entries(match_fingerprint(vocabulary, store)), None)
        is not None
    ):
        return None
    if ended is not None:
        return store.retention.preview(before, sample_size, ended)
    return store.retention.prune_all(before, sample_size, now)


def _cutoff(config: Config, now: datetime) -> datetime | None:
    """When the last day began that is over for long enough; None: nothing is pruned.

    By whole days, so that archives are written anew once a day for it, and not by every run.
    """
    if not config.keep_unmatched_days:
        return None
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=config.keep_unmatched_days)
