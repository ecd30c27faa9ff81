"""Conditional requests: what we ask with, and what an answer means. Pure.

The words are those of RFC 9110 (HTTP semantics).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from aggregator.model import (
    Fetched,
    FetchFailed,
    FetchOutcome,
    Gone,
    NotModified,
    Subscription,
    Validators,
)

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
_MAX_DELAY = timedelta(days=7)  # a publisher's typing error must not silence its feed for ever


def request_headers(
    subscription: Subscription, validators: Validators, user_agent: str
) -> dict[str, str]:
    """Headers of the first request; those of ``subscription`` win over ours."""
    headers = {"User-Agent": user_agent, "Accept": ACCEPT}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    if subscription.authorization:
        headers["Authorization"] = subscription.authorization
    headers.update(subscription.headers)
    return headers


def without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers for another origin: only what says who we are and what we read.

    Validators go too: they were given by the first origin, of which another knows nothing.
    """
    return {k: v for k, v in headers.items() if k in ("User-Agent", "Accept")}


def classify(
    subscription: Subscription,
    final_url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    moved_to: str | None,
    now: datetime,
) -> FetchOutcome:
    """What an answer that is no redirect means. ``headers`` must ignore the case of names."""
    url = subscription.url
    validators = Validators(headers.get("ETag"), headers.get("Last-Modified"))
    if status == HTTPStatus.NOT_MODIFIED:  # RFC 9110 section 15.4.5
        return NotModified(url, validators)
    if status == HTTPStatus.GONE:
        return Gone(url)
    if status == HTTPStatus.OK:
        if not body.strip():
            return FetchFailed(url, "the answer was empty; what is stored stays")
        content_type = headers.get("Content-Type") or ""
        return Fetched(url, final_url, body, content_type, validators, moved_to)
    return FetchFailed(url, _status_in_words(status), retry_after(headers, now))


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Retry-After in seconds or as a date, at most 7 days (RFC 9110 section 10.2.3).

    A date counts from the answer's own Date, since the publisher's clock may be wrong.
    """
    value = (headers.get("Retry-After") or "").strip()
    if value.isdecimal():
        return min(timedelta(seconds=min(int(value), 10**7)), _MAX_DELAY)
    at = _http_date(value)
    if at is None:
        return None
    return min(max(at - (_http_date(headers.get("Date")) or now), timedelta(0)), _MAX_DELAY)


def _http_date(value: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _status_in_words(status: int) -> str:
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    advice = {
        401: "the feed wants a password: set auth",
        403: "the publisher refuses us, or wants fewer requests",
        404: "the address may have changed: look for the feed on the site",
        429: "too many requests: it will be asked less often",
    }.get(status, "it will be asked again" if status >= 500 else "not a feed")
    return f"HTTP {phrase} ({advice})"
