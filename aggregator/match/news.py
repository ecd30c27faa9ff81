"""What is news to a subscriber, and how much that is not may enter a live feed. Pure.

A new subscription, tag or alias, or a publisher that re-issues its archive, would otherwise
fill people's readers with years of old entries in one hour.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from aggregator.model import MatchedEntry, Role, StoredEntry

_STALE = timedelta(days=30)


def is_late(stored: StoredEntry) -> bool:
    """Whether an entry that now matches is old: it came with its feed, or was stored before
    the tag, or was published more than 30 days before we saw it. Clippings never are."""
    if stored.role is Role.CLIPPINGS:
        return False
    claimed = stored.entry.published or stored.entry.updated
    stale = claimed is not None and stored.first_seen_at - claimed > _STALE
    return stored.came_with_feed or stored.matched_before or stale


def choose_live(matched: Iterable[MatchedEntry], backfill: int) -> list[MatchedEntry]:
    """Let all news into the live feeds, and of the rest the newest ``backfill`` of each tag."""
    matched = list(matched)
    late: defaultdict[str, list[MatchedEntry]] = defaultdict(list)
    for entry in matched:
        for match in entry.matches:
            if entry.late and match.tag not in entry.known:
                late[match.tag].append(entry)
    let_in = {
        (entry.row, tag)
        for tag, entries in late.items()
        for entry in sorted(entries, key=lambda e: (e.date, -e.row), reverse=True)[:backfill]
    }
    return [
        replace(
            entry,
            live=frozenset(
                match.tag
                for match in entry.matches
                if not entry.late or (entry.row, match.tag) in let_in
            ),
        )
        for entry in matched
    ]
