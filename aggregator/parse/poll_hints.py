"""How often an RSS feed asks to be polled: ttl, skipHours, skipDays, syndication module. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.model import PollHints

_SKIP_HOURS = re.compile(rb"<skipHours>(.{0,2000}?)</skipHours>", re.DOTALL)
_SKIP_DAYS = re.compile(rb"<skipDays>(.{0,2000}?)</skipDays>", re.DOTALL)
_HOUR = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>")
_DAY = re.compile(rb"<day>\s*(\w+)\s*</day>")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PERIODS = {  # http://web.resource.org/rss/1.0/modules/syndication/
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
    "monthly": timedelta(days=30),
    "yearly": timedelta(days=365),
}


def read_poll_hints(feed: Any, body: bytes) -> PollHints:
    """Read the hints from feedparser's ``feed``; skipHours and skipDays from the bytes.

    feedparser keeps only the last of their elements.
    """
    hours = _list_values(_SKIP_HOURS, _HOUR, body)
    days = [day.decode().lower() for day in _list_values(_SKIP_DAYS, _DAY, body)]
    return PollHints(
        ttl=timedelta(minutes=_number(feed.get("ttl"))) or None,
        period=_period(feed.get("sy_updateperiod"), feed.get("sy_updatefrequency")),
        base=_base(feed.get("sy_updatebase")),
        skip_hours=frozenset(int(hour) % 24 for hour in hours if int(hour) <= 24),
        skip_days=frozenset(_DAYS.index(day) for day in days if day in _DAYS),
    )


def _list_values(part: re.Pattern[bytes], each: re.Pattern[bytes], body: bytes) -> list[bytes]:
    match = part.search(body)
    return each.findall(match[1]) if match else []


def _number(value: object) -> int:
    text = str(value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0


def _period(period: object, frequency: object) -> timedelta | None:
    """The period divided by the frequency; by default daily and 1 if only one of them is given."""
    if not period and not frequency:
        return None
    length = _PERIODS.get(str(period or "daily").strip().lower())
    return length / (_number(frequency) or 1) if length else None


def _base(value: object) -> datetime | None:
    try:
        base = datetime.fromisoformat(str(value or "").strip())
    except ValueError:
        return None
    return base if base.tzinfo else base.replace(tzinfo=UTC)
