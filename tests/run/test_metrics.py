"""The metrics file is read back by Prometheus' own parser."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from aggregator.model import FeedState, JobFailure, StageCost
from aggregator.run.metrics import render_metrics
from aggregator.run.project import open_project
from tests.harness import NOON

TITLE = 'A "blog" \\ of two, {lines} = é'


STATE = FeedState("https://a.example/", succeeded_at=NOON, failures=2, failing_since_at=NOON)
STORE: Any = SimpleNamespace(  # two subscriptions, one never polled, and one run
    feeds=SimpleNamespace(
        states=lambda: {"https://a.example/": STATE},
        entry_counts=lambda: {"https://a.example/": 1_234_567},
    ),
    published=SimpleNamespace(
        counts_by_month=lambda: {"tag:l'été \"n\\": {"2026-10": 2, "2026-11": 3}}
    ),
    runs=SimpleNamespace(
        last_stages=lambda: [StageCost("fetch", 1.5, 0.00025, 7, 2)],
        last=lambda: (1, NOON, NOON + timedelta(seconds=2)),
    ),
    job_failures=SimpleNamespace(
        all=lambda: [JobFailure(f"publish tag:{name}", "no space left", 3, NOON) for name in "ab"]
    ),
)


def test_prometheus_parser_reads_the_metrics(installation):
    name = TITLE.replace("\\", "\\\\").replace('"', '\\"')
    installation.write(
        "feeds.toml",
        f'[[subscriptions]]\nurl = "https://a.example/"\ntitle = "{name}"\n'
        '[[subscriptions]]\nurl = "https://b.example/"\ntitle = "B"\n',
    )
    config = open_project(installation.root / "feeds.toml", {}, NOON).config
    text = render_metrics(config, STORE).decode()
    values = {
        (sample.name.removeprefix("aggregator_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    title = config.subscriptions[0].title
    assert '"' in title
    assert "\\" in title
    assert values == {
        ("subscriptions", "failing"): 1,
        ("subscriptions", "new"): 1,
        ("failing_jobs", "publish"): 2,
        ("subscription_failures", title): 2,
        ("subscription_failures", "B"): 0,
        ("subscription_succeeded_timestamp_seconds", title): NOON.timestamp(),
        ("entries",): 1_234_567,
        ("feed_stories", "tag:l'été \"n\\"): 5,
        ("run_finished_timestamp_seconds",): NOON.timestamp() + 2,
        ("run_seconds",): 2,
        ("run_stage_seconds", "fetch"): 1.5,
        ("run_stage_cpu_seconds", "fetch"): 0.00025,
        ("run_stage_bytes", "fetch"): 7,
        ("run_stage_entries", "fetch"): 2,
    }
