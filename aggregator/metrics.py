"""Figures for Prometheus, from what is stored. The one file that uses prometheus_client."""

from collections import Counter
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from aggregator.model import Config, FeedState, Role


class Reader(Protocol):
    """What the figures need of `store`."""

    def states(self) -> dict[str, FeedState]: ...
    def entry_counts(self) -> dict[str, int]: ...
    def counts(self) -> dict[str, dict[str, int]]: ...
    def last_run(self) -> tuple[int, datetime, datetime | None] | None: ...


def render_metrics(config: Config, store: Reader) -> bytes:
    """The text exposition format. Titles of subscriptions are in it, their addresses are not."""
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"aggregator_{name}", about, labels, registry=registry)

    subscriptions = [s for s in config.subscriptions if s.role is Role.SUBSCRIPTION]
    states = store.states()
    found = {s.key: states.get(s.key) or FeedState(s.key) for s in subscriptions}
    conditions = Counter(state.condition for state in found.values())
    by_condition = gauge("subscriptions", "Subscriptions, by how they are", "condition")
    for condition, number in sorted(conditions.items()):
        by_condition.labels(condition).set(number)
    failures = gauge("subscription_failures", "Failures in a row", "subscription")
    succeeded = gauge(
        "subscription_succeeded_timestamp_seconds", "When it last answered", "subscription"
    )
    for subscription in subscriptions:
        state = found[subscription.key]
        failures.labels(subscription.title).set(state.failures)
        if state.succeeded_at:
            succeeded.labels(subscription.title).set(state.succeeded_at.timestamp())
    gauge("entries", "Entries stored").set(sum(store.entry_counts().values()))
    stories = gauge("feed_stories", "Stories in an output feed and its archive", "feed")
    for channel, months in store.counts().items():
        stories.labels(channel).set(sum(months.values()))
    _, started_at, finished_at = store.last_run() or (0, None, None)
    if started_at and finished_at:
        ended = gauge("run_finished_timestamp_seconds", "When the last run ended")
        ended.set(finished_at.timestamp())
        took = gauge("run_seconds", "How long the last run took")
        took.set((finished_at - started_at).total_seconds())
    return generate_latest(registry)
