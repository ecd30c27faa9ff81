"""Subscriptions -> `model.FetchOutcome` values, politely."""

from aggregator.fetch.client import Fetcher

__all__ = ["Fetcher"]
