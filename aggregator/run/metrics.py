"""Figures for Prometheus, from what is stored.

In its text exposition format 0.0.4, which is a line a figure: every run writes it, and importing
prometheus_client takes as long as a run that has nothing to do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aggregator.model import Config, FeedState, Role

if TYPE_CHECKING:
    from aggregator.store import Store

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def render_metrics(config: Config, store: "Store") -> bytes:
    """All figures. Titles of subscriptions are in it, their addresses are not."""
    return "".join(_lines(config, store)).encode()


def _lines(config: Config, store: "Store") -> Iterator[str]:
    subscriptions = [s for s in config.subscriptions if s.role is Role.SUBSCRIPTION]
    states = store.feeds.states()
    found = [(s.title, states.get(s.key) or FeedState(s.key)) for s in subscriptions]
    conditions = Counter(state.condition for _, state in found)
    yield from _gauge(
        "subscriptions", "Subscriptions, by how they are", "condition", sorted(conditions.items())
    )
    yield from _gauge(
        "subscription_failures", "Failures in a row", "subscription",
        ((title, state.failures) for title, state in found),
    )  # fmt: skip
    yield from _gauge(
        "subscription_succeeded_timestamp_seconds", "When it last answered", "subscription",
        ((title, s.succeeded_at.timestamp()) for title, s in found if s.succeeded_at),
    )  # fmt: skip
    yield from _gauge(
        "entries", "Entries stored", "", [("", sum(store.feeds.entry_counts().values()))]
    )
    yield from _gauge(
        "feed_stories", "Stories in an output feed and its archive", "feed",
        ((channel, sum(months.values())) for channel, months in store.published.counts_by_month().items()),
    )  # fmt: skip
    failing = Counter(work.name.partition(" ")[0] for work in store.job_failures.all())
    yield from _gauge(
        "failing_jobs", "Jobs at which workers failed the last time, by what they do", "kind",
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
    for name, about, figures in (
        ("run_stage_seconds", "How long a stage of the last run took",
         [(cost.stage, cost.wall_seconds) for cost in costs]),
        ("run_stage_cpu_seconds", "Processor time of a stage of the last run",
         [(cost.stage, cost.cpu_seconds) for cost in costs]),
        ("run_stage_bytes", "What a stage of the last run read or wrote",
         [(cost.stage, cost.size_bytes) for cost in costs]),
        ("run_stage_entries", "Entries that a stage of the last run had in hand",
         [(cost.stage, cost.entries) for cost in costs]),
    ):  # fmt: skip
        yield from _gauge(name, about, "stage", figures)


def _gauge(
    name: str, about: str, label: str, figures: Iterable[tuple[str, float]]
) -> Iterator[str]:
    """One metric; without a ``label``, the first of each pair is not looked at."""
    yield f"# HELP aggregator_{name} {about}\n# TYPE aggregator_{name} gauge\n"
    for value, figure in figures:
        labels = f'{{{label}="{value.translate(_ESCAPES)}"}}' if label else ""
        yield f"aggregator_{name}{labels} {float(figure)!r}\n"
