"""Fields that several formats share: dates, tags, privacy."""

from collections.abc import Iterable
from datetime import UTC, datetime

_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_UNITS_PER_SECOND = (1, 1_000, 1_000_000)
_MAX_DIGITS = 20
_FALSE = ("", "0", "false", "no", "none")


def read_time(value: object) -> datetime | None:
    """A Unix time in seconds, milliseconds or microseconds, or an ISO 8601 date; None for others.

    The unit is the one that gives a date between 1990 and 2100. A date without a zone is in UTC.
    """
    text = str(value).strip()
    try:
        if text.replace(".", "", 1).isdecimal() and len(text) <= _MAX_DIGITS:
            seconds = (float(text) / units for units in _UNITS_PER_SECOND)
            times = (datetime.fromtimestamp(s, UTC) for s in seconds if s < _LATEST.timestamp())
            time = next(times, None)
        else:
            time = datetime.fromisoformat(text)
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time if time and _EARLIEST <= time < _LATEST else None


def public_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags, each once, without those that start with a dot: Pinboard and Shaarli hide these."""
    names = dict.fromkeys(tag.strip() for tag in tags)
    return tuple(name for name in names if name and not name.startswith("."))


def is_true(value: object) -> bool:
    """Whether a field says yes: ``true``, ``1``, ``"yes"`` …"""
    return value is not None and str(value).strip().lower() not in _FALSE
