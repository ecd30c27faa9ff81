"""Conditional requests: what we ask with, and what an answer means. Pure.

The words are those of RFC 9110 (HTTP semantics).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from aggregator.fetch.freshness import caching, http_date
from aggregator.model import (
    Fetched,
    FetchFailed,
    FetchOutcome,
    Gone,
    NotModified,
    Poll,
    Validators,
)
from aggregator.text.characters import HEADER_VALUE
from aggregator.text.urls import without_secrets

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONDITIONS = frozenset({"If-None-Match", "If-Modified-Since", "A-IM"})
PERMANENT = frozenset({301, 308})
WITH_BODY = frozenset({HTTPStatus.OK, HTTPStatus.IM_USED})
WAIT = frozenset({403, 429, 503})  # where Retry-After is what the host says, not the resource
_CLOCKS_DIFFER = timedelta(days=1)


def request_headers(
    poll: Poll, url: str, own: bool, user_agent: str, now: datetime
) -> dict[str, str]:
    """Headers of a request to ``url``, the address of ``poll`` or where that redirects.

    ``own``: we never left the origin that is written in feeds.toml, so that its credentials may
    be sent, and its own headers, which win over ours. Validators go to the address that gave them,
    but for those that cannot be sent, and those to which any document would be unmodified.
    """
    headers = {"User-Agent": user_agent, "Accept": ACCEPT}
    validators = poll.validators
    if validators.url == without_secrets(url):
        etag, modified = validators.etag or "", validators.last_modified or ""
        if etag and HEADER_VALUE.fullmatch(etag) and etag.strip() != "*":
            headers["If-None-Match"] = etag
            headers["A-IM"] = "feed"  # RFC 3229: only the entries that are new since then
        modified_at = http_date(modified)
        is_to_come = modified_at is not None and modified_at > now + _CLOCKS_DIFFER
        if modified and HEADER_VALUE.fullmatch(modified) and not is_to_come:
            headers["If-Modified-Since"] = modified
    if own:
        if poll.subscription.authorization:
            headers["Authorization"] = poll.subscription.authorization
        headers.update(poll.subscription.headers)
    return headers


def unconditional(headers: Mapping[str, str]) -> dict[str, str]:
    """The same request for the whole document."""
    return {name: value for name, value in headers.items() if name not in _CONDITIONS}


def same_origin(one: str, other: str) -> bool:
    """Scheme, host and port are equal (RFC 6454 section 5)."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


def classify(
    poll: Poll,
    final_url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    moved_to: str | None,
    host: str | None,
    now: datetime,
) -> FetchOutcome:
    """What an answer that is no redirect means. ``headers`` must ignore the case of names.

    ``host`` is the registrable domain for which its Retry-After would be, None where the address
    is private: behind one, such as an RSS bridge's, many publishers may stand.
    """
    key = poll.subscription.key
    shown = without_secrets(final_url)
    validators = Validators(headers.get("ETag"), headers.get("Last-Modified"), shown)
    told = caching(headers, now)
    if status == HTTPStatus.NOT_MODIFIED:  # section 15.4.5
        if poll.validators.url != shown:
            reason = "HTTP 304 (not modified), though nothing is known here yet"
            return FetchFailed(key, reason, status, told)
        return NotModified(key, validators, moved_to, told)
    if status == HTTPStatus.GONE:
        return Gone(key)
    if status in WITH_BODY:
        if not body.strip():
            return FetchFailed(key, "the answer was empty; what is stored stays", None, told)
        content_type = headers.get("Content-Type") or ""
        partial = status == HTTPStatus.IM_USED
        return Fetched(key, final_url, body, content_type, validators, moved_to, told, partial)
    host = host if status in WAIT and told.retry_after else None
    return FetchFailed(key, _status_in_words(status, headers), status, told, host)


def _status_in_words(status: int, headers: Mapping[str, str]) -> str:
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    advice = {
        204: "the answer was empty; what is stored stays",
        206: "a part of a document, which nobody asked for; what is stored stays",
        300: "several addresses to choose from: put the feed's own into feeds.toml",
        401: "the feed wants a password: set auth",
        403: "the publisher refuses us, or wants fewer requests",
        404: "the address may have changed: try aggregator discover with the site's address",
        429: "too many requests: it will be asked less often",
    }.get(status, "it will be asked again" if status >= 500 else "not a feed")
    # https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    if (headers.get("cf-mitigated") or "").lower() == "challenge":
        advice = "Cloudflare asks for a human: ask the publisher to let feed readers through"
    return f"HTTP {phrase} ({advice})"
