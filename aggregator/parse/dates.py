"""Publishers' times -> aware UTC, or None where nobody could believe them. Pure."""

import time
from datetime import UTC, datetime, timedelta

_MIN_DATE = datetime(1970, 1, 2, tzinfo=UTC)  # the first day is what a missing date becomes
_TOLERANCE = timedelta(days=1)  # publishers' clocks and time zones are often wrong by hours


def plausible(at: datetime | None, now: datetime) -> datetime | None:
    """``at`` unless it lies before the web or more than a day ahead; then it counts as missing."""
    if at is None or not _MIN_DATE <= at <= now + _TOLERANCE:
        return None
    return min(at, now).replace(microsecond=0)


def from_struct(parsed: time.struct_time | None, now: datetime) -> datetime | None:
    """feedparser's UTC ``struct_time``, which may hold a leap second or an impossible year."""
    if parsed is None:
        return None
    try:
        at = datetime(*parsed[:5], second=min(parsed[5], 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return plausible(at, now)


def from_rfc3339(value: object, now: datetime) -> datetime | None:
    """A JSON Feed date; one without a zone counts as UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return plausible(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), now)
    except (ValueError, OverflowError):
        return None
