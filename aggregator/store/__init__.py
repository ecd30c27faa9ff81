"""Entries, matches and what is known of each feed, kept between runs."""

from aggregator.store.database import Store

__all__ = ["Store"]
