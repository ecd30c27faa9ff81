from datetime import UTC, datetime, timedelta

import pytest

from aggregator.fetch.schedule import is_due, not_before
from aggregator.model import FeedState
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY_TWO_HOURS = subscription("https://a.example/", min_interval=2 * HOUR)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        ({}, True),
        ({"fetched_at": NOW - HOUR}, False),
        ({"fetched_at": NOW - 2 * HOUR}, True),
        ({"fetched_at": NOW - 3 * HOUR, "not_before": NOW + HOUR}, False),
        ({"fetched_at": NOW - 3 * HOUR, "not_before": NOW}, True),
        ({"fetched_at": NOW + 9 * HOUR}, True),  # the clock was set back
    ],
)
def test_neither_publisher_nor_operator_forbids_it(state, due):
    assert is_due(FeedState("https://a.example/", **state), EVERY_TWO_HOURS, NOW) is due


def test_retry_after_is_an_instant():
    assert not_before(NOW, HOUR) == NOW + HOUR
    assert not_before(NOW, timedelta(0)) is None
    assert not_before(NOW, None) is None
