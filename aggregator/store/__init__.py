"""The database: subscriptions, entries, stories, matches, channels."""

from aggregator.store.database import Store

__all__ = ["Store"]
