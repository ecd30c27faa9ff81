"""Subscriptions -> `model.FetchOutcome` values, politely."""

from aggregator.fetch.poller import GAP_SECONDS, Fetcher

__all__ = ["GAP_SECONDS", "Fetcher"]
