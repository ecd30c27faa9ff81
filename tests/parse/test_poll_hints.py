"""How often feeds ask to be polled."""

from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import Fetched, ParsedFeed, PollHints
from aggregator.parse.document import parse_document
from tests.harness import item, rss

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"
SY = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'


@pytest.mark.parametrize(
    ("channel", "hints"),
    [
        ("", PollHints()),
        ("<ttl>90</ttl>", PollHints(ttl=timedelta(minutes=90))),
        ("<ttl>soon</ttl>", PollHints()),
        (
            "<skipHours><hour>0</hour><hour> 13 </hour><hour>24</hour><hour>99</hour></skipHours>",
            PollHints(skip_hours=frozenset({0, 13})),
        ),
        (
            "<skipDays><day>Saturday</day><day>sunday</day><day>Dies</day></skipDays>",
            PollHints(skip_days=frozenset({5, 6})),
        ),
        (
            f"<sy:updatePeriod {SY}>daily</sy:updatePeriod>"
            f"<sy:updateFrequency {SY}>4</sy:updateFrequency>"
            f"<sy:updateBase {SY}>2000-01-01T12:00+00:00</sy:updateBase>",
            PollHints(period=timedelta(hours=6), base=datetime(2000, 1, 1, 12, tzinfo=UTC)),
        ),
        (
            f"<sy:updatePeriod {SY}>\n hourly </sy:updatePeriod>",
            PollHints(period=timedelta(hours=1)),
        ),
        (f"<sy:updateFrequency {SY}>2</sy:updateFrequency>", PollHints(period=timedelta(hours=12))),
        (f"<sy:updatePeriod {SY}>often</sy:updatePeriod>", PollHints()),
        (
            f"<sy:updatePeriod {SY}>weekly</sy:updatePeriod>"
            f"<sy:updateBase {SY}>2000-01-01</sy:updateBase>",
            PollHints(period=timedelta(days=7), base=datetime(2000, 1, 1, tzinfo=UTC)),
        ),
    ],
)
def test_poll_hints(channel, hints):
    parsed = parse_document(Fetched(URL, URL, rss(channel, item()).encode()), NOW)
    assert isinstance(parsed, ParsedFeed)
    assert parsed.hints == hints
