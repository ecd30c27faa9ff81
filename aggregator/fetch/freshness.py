"""Freshness and delays that response headers request. Pure.

Times are relative to the publisher's own Date header, because its clock may be wrong.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from aggregator.model import Caching

# A publisher's error (a year, as for a file that never changes) must not stop polling.
MAX_DELAY = timedelta(days=7)
_DIRECTIVE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|([^\s,]*)))?")
_MIN_TIMESTAMP = 1_000_000_000  # more seconds than this are a time since 1970, not a delay
_ZERO = timedelta(0)


def caching(headers: Mapping[str, str], now: datetime) -> Caching:
    """Parse Cache-Control, Expires, Age, Retry-After and X-RateLimit.

    ``headers`` must be case-insensitive. Freshness is that of a private cache (RFC 9111 section
    4.2), at most 7 days: max-age, or else Expires, minus Age; none for no-cache and no-store.
    """
    date = http_date(headers.get("Date")) or now
    retry_after = _retry_after(headers.get("Retry-After"), date)
    if retry_after is None:
        retry_after = _quota_reset(headers, date)
    directives: dict[str, str] = {}
    for name, quoted, plain in _DIRECTIVE.findall(headers.get("Cache-Control") or ""):
        directives.setdefault(name.lower(), quoted or plain)  # section 4.2.1: the first counts
    if directives.keys() & {"no-cache", "no-store"}:
        return Caching(_ZERO, _ZERO, retry_after)
    if "max-age" in directives:
        lifetime = _seconds(directives["max-age"]) or _ZERO
        return Caching(lifetime, _less_age(lifetime, headers), retry_after)
    if "Expires" in headers:  # section 5.3: an invalid date, such as "0", is in the past
        expires = http_date(headers.get("Expires"))
        lifetime = min(max(expires - date, _ZERO), MAX_DELAY) if expires else _ZERO
        return Caching(None, _less_age(lifetime, headers), retry_after)
    return Caching(None, None, retry_after)


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
    """The time until a used-up quota is reset. reddit sends seconds, GitHub a timestamp."""
    if (headers.get("X-RateLimit-Remaining") or "").strip() not in ("0", "0.0"):
        return None
    value = (headers.get("X-RateLimit-Reset") or "").strip()
    if not (value.isascii() and value.isdecimal()):
        return None
    seconds = int(value[:12])
    if seconds > _MIN_TIMESTAMP:
        seconds = max(seconds - int(date.timestamp()), 0)
    return min(timedelta(seconds=seconds), MAX_DELAY)


def _seconds(value: str | None) -> timedelta | None:
    """delta-seconds (RFC 9111 section 1.2.2), at most 7 days."""
    digits = (value or "").strip()
    if not (digits.isascii() and digits.isdecimal()):
        return None
    return min(timedelta(seconds=int(digits[:10])), MAX_DELAY)


def http_date(value: str | None) -> datetime | None:
    """A header's date (RFC 9110 section 5.6.7), or None if it is invalid."""
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
