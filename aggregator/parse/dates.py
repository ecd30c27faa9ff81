"""Convert publishers' dates to aware UTC, or None if they are implausible. Pure."""

import time
from datetime import UTC, datetime, timedelta

_MIN_DATE = datetime(1970, 1, 2, tzinfo=UTC)  # some publishers write 1970-01-01 for a missing date
_TOLERANCE = timedelta(days=1)  # clocks and time zones are often wrong by hours


def plausible(at: datetime | None, now: datetime) -> datetime | None:
    """``at``, at most ``now``; None if it is before 1970-01-02 or more than a day ahead."""
    if at is None or not _MIN_DATE <= at <= now + _TOLERANCE:
        return None
    return min(at, now).replace(microsecond=0)


def from_struct(parsed: time.struct_time | None, now: datetime) -> datetime | None:
    """Convert feedparser's UTC ``struct_time``; it may have a leap second or an impossible year."""
    if parsed is None:
        return None
    try:
        at = datetime(*parsed[:5], second=min(parsed[5], 59), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return plausible(at, now)


def from_rfc3339(value: object, now: datetime) -> datetime | None:
    """Parse a JSON Feed date; one without a zone counts as UTC."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return plausible(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), now)
    except (ValueError, OverflowError):
        return None


def read_date(text: str, now: datetime, *, language: str | None = None) -> datetime | None:
    """Temporary."""
    from email.utils import parsedate_to_datetime

    if at := from_rfc3339(text, now):
        return at
    try:
        at = parsedate_to_datetime(text)
        return plausible(at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC), now)
    except (ValueError, OverflowError, TypeError):
        return None
