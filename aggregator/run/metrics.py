"""Metrics for Prometheus, in its text exposition format 0.0.4.

The format is one line per value. Every run writes it, and importing prometheus_client would take as
long as a run without work.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aggregator.model import Config, FeedState, Role

if TYPE_CHECKING:
    from aggregator.store import Store

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render_metrics(config: Config, store: "Store") -> bytes:
    """All metrics. They contain the titles of subscriptions, but no addresses."""
    return "".join(_lines(config, store)).encode()


def _lines(config: Config, store: "Store") -> Iterator[str]:
    subscriptions = [s for s in config.subscriptions if s.role is Role.SUBSCRIPTION]
    states = store.feeds.states()
    labelled_states = [(s.title, states.get(s.key) or FeedState(s.key)) for s in subscriptions]
    conditions = Counter(state.condition for _, state in labelled_states)
    yield from _gauge(
        "subscriptions", "Subscriptions, by condition", "condition", sorted(conditions.items())
    )
    yield from _gauge(
        "subscription_failures", "Failures in a row", "subscription",
        ((title, state.failures) for title, state in labelled_states),
    )  # fmt: skip
    yield from _gauge(
        "subscription_succeeded_timestamp_seconds", "When the feed last answered", "subscription",
        ((title, s.succeeded_at.timestamp()) for title, s in labelled_states if s.succeeded_at),
    )  # fmt: skip
    yield from _gauge(
        "entries", "Entries stored", "", [("", sum(store.feeds.entry_counts().values()))]
    )
    yield from _gauge(
        "feed_stories", "Stories in an output feed and its archive", "feed",
        ((channel, sum(months.values())) for channel, months in store.published.counts_by_month().items()),
    )  # fmt: skip
    failing = Counter(job.name.partition(" ")[0] for job in store.job_failures.all())
    yield from _gauge(
        "failing_jobs", "Jobs of workers whose last attempt failed, by kind", "kind",
        sorted(failing.items()),
    )  # fmt: skip
    _, started_at, finished_at = store.runs.last() or (0, None, None)
    if started_at and finished_at:
        ended, took = finished_at.timestamp(), (finished_at - started_at).total_seconds()
        yield from _gauge(
            "run_finished_timestamp_seconds", "When the last run ended", "", [("", ended)]
        )
        yield from _gauge("run_seconds", "How long the last run took", "", [("", took)])
    costs = store.runs.last_stages()
    for name, description, values in (
        ("run_stage_seconds", "How long a stage of the last run took",
         [(cost.stage, cost.wall_seconds) for cost in costs]),
        ("run_stage_cpu_seconds", "Processor time of a stage of the last run",
         [(cost.stage, cost.cpu_seconds) for cost in costs]),
        ("run_stage_bytes", "What a stage of the last run read or wrote",
         [(cost.stage, cost.size_bytes) for cost in costs]),
        ("run_stage_entries", "Entries that a stage of the last run processed",
         [(cost.stage, cost.entries) for cost in costs]),
    ):  # fmt: skip
        yield from _gauge(name, description, "stage", values)


def _gauge(
    name: str, description: str, label: str, values: Iterable[tuple[str, float]]
) -> Iterator[str]:
    """One metric. Without a ``label``, the first item of each pair is ignored."""
    yield f"# HELP aggregator_{name} {description}\n# TYPE aggregator_{name} gauge\n"
    for label_value, value in values:
        labels = f'{{{label}="{label_value.translate(_ESCAPES)}"}}' if label else ""
        yield f"aggregator_{name}{labels} {float(value)!r}\n"
