"""What an answer's headers say of asking again. Pure.

Every time is counted from the publisher's own Date, since its clock may be wrong.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aggregator.model import Caching

# A publisher's slip (a year, for a file that is thought never to change) must not silence a feed.
MAX_DELAY = timedelta(days=7)
_DIRECTIVE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|([^\s,]*)))?")
_EPOCH_FROM = 1_000_000_000  # seconds: thirty years to wait, or a time since 1970
_ZERO = timedelta(0)


def caching(headers: Mapping[str, str], now: datetime) -> Caching:
    """Read Cache-Control, Expires, Age, Retry-After and X-RateLimit; ``headers`` must ignore case.

    Freshness is that of RFC 9111 section 4.2 for a private cache, at most 7 days: max-age before
    Expires, less Age; no-cache and no-store mean none.
    """
    date = http_date(headers.get("Date")) or now
    asked = _retry_after(headers.get("Retry-After"), date)
    if asked is None:
        asked = _quota_reset(headers, date)
    directives: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(headers.get("Cache-Control") or ""):
        directives.setdefault(name.lower(), quoted or plain)  # the first counts: section 4.2.1
    if directives.keys() & {"no-cache", "no-store"}:
        return Caching(_ZERO, _ZERO, asked)
    if "max-age" in directives:
        lifetime = _seconds(directives["max-age"]) or _ZERO
        return Caching(lifetime, _less_age(lifetime, headers), asked)
    if "Expires" in headers:  # what cannot be read, such as "0", has expired: section 5.3
        expires = http_date(headers.get("Expires"))
        lifetime = min(max(expires - date, _ZERO), MAX_DELAY) if expires else _ZERO
        return Caching(None, _less_age(lifetime, headers), asked)
    return Caching(None, None, asked)


def _less_age(lifetime: timedelta, headers: Mapping[str, str]) -> timedelta:
    return max(lifetime - (_seconds(headers.get("Age")) or _ZERO), _ZERO)


def _retry_after(value: str | None, date: datetime) -> timedelta | None:
    """Seconds or a date, at most 7 days (RFC 9110 section 10.2.3)."""
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    at = http_date(value)
    return min(max(at - date, _ZERO), MAX_DELAY) if at else None


def _quota_reset(headers: Mapping[str, str], date: datetime) -> timedelta | None:
    """How long a quota that is used up stays so: reddit says it in seconds, GitHub as a time."""
    if (headers.get("X-RateLimit-Remaining") or "").strip() not in ("0", "0.0"):
        return None
    value = (headers.get("X-RateLimit-Reset") or "").strip()
    if not (value.isascii() and value.isdecimal()):
        return None
    seconds = int(value[:12])
    if seconds > _EPOCH_FROM:
        seconds = max(seconds - int(date.timestamp()), 0)
    return min(timedelta(seconds=seconds), MAX_DELAY)


def _seconds(value: str | None) -> timedelta | None:
    """delta-seconds (RFC 9111 section 1.2.2), at most 7 days."""
    digits = (value or "").strip()
    if not (digits.isascii() and digits.isdecimal()):
        return None
    return min(timedelta(seconds=int(digits[:10])), MAX_DELAY)


def http_date(value: str | None) -> datetime | None:
    """A time of a header (RFC 9110 section 5.6.7), None where it is none."""
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
