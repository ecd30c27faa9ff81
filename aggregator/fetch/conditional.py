"""Conditional requests (RFC 9110): the headers of a request, and the meaning of its answer. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urldefrag, urlsplit

from aggregator.fetch.domains import domain_of
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
from aggregator.text.urls import absolute, without_secrets, without_userinfo

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
HOST_BUSY = frozenset({403, 429, 503})  # Retry-After applies to the host, not only to the URL
_WHOLE_RANGE = re.compile(r"bytes 0-(\d{1,15})/(\d{1,15})", re.ASCII)
_MAX_CLOCK_SKEW = timedelta(days=1)
_ADVICE = {
    204: "empty answer; stored entries stay",
    206: "partial content that was not requested; stored entries stay",
    300: "several addresses to choose from: put the feed's own address into feeds.toml",
    401: "the feed needs a password: set auth",
    403: "the publisher refuses us, or wants fewer requests",
    404: "the address may have changed: try aggregator discover with the site's address",
    429: "too many requests: it will be polled less often",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with a decoded ``body``.

    The names of ``headers`` are case-insensitive. ``public``: it came from the public Internet.
    ``cookies``: the values of Set-Cookie.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    public: bool
    cookies: tuple[str, ...] = ()


def has_document(status: int) -> bool:
    """Whether an answer with this status may contain the feed.

    It is any success: 203 comes from proxies, 202 from caches that are filling.
    """
    return status // 100 == 2 and status != HTTPStatus.NO_CONTENT


def is_redirect(answer: Answer) -> bool:
    """Whether to follow it. A 300 may name the server's choice (RFC 9110 section 15.4.1)."""
    has_choice = answer.status == HTTPStatus.MULTIPLE_CHOICES and "Location" in answer.headers
    return answer.status in _REDIRECTS or has_choice


def request_headers(
    poll: Poll, url: str, at_origin: bool, user_agent: str, now: datetime
) -> dict[str, str]:
    """Headers of a request to ``url``, which is the URL of ``poll`` or a redirect's target.

    ``at_origin``: the request is still at the origin in feeds.toml. Only then are the
    subscription's credentials and headers sent; its headers override ours. Validators are sent only
    to the URL that they came from. Left out are validators that no header can contain, and those
    that would match any document ("*", and dates in the future).
    """
    headers = {"User-Agent": user_agent, "Accept": ACCEPT}
    validators = poll.validators
    if validators.url == without_secrets(url):
        etag, modified = validators.etag or "", validators.last_modified or ""
        if etag and HEADER_VALUE.fullmatch(etag) and etag.strip() != "*":
            headers["If-None-Match"] = etag
            headers["A-IM"] = "feed"  # RFC 3229: the answer may be only the new entries
        modified_at = http_date(modified)
        in_future = modified_at is not None and modified_at > now + _MAX_CLOCK_SKEW
        if modified and HEADER_VALUE.fullmatch(modified) and not in_future:
            headers["If-Modified-Since"] = modified
    if at_origin:
        if poll.subscription.authorization:
            headers["Authorization"] = poll.subscription.authorization
        headers.update(poll.subscription.headers)
    return headers


def with_cookie(headers: Mapping[str, str], cookie: str) -> dict[str, str]:
    """The headers with ``cookie`` added to the cookies that feeds.toml sets."""
    cookies = [value for name, value in headers.items() if name.lower() == "cookie"]
    others = {name: value for name, value in headers.items() if name.lower() != "cookie"}
    return {**others, "Cookie": "; ".join([*cookies, cookie])}


def redirect_target(url: str, answer: Answer) -> str | None:
    """Where a redirect from ``url`` leads, or None if that is no web address.

    Without a fragment, which is never sent, and without user name and password: the publisher
    chooses the address, and these would be sent as ours.
    """
    location = (answer.headers.get("Location") or "").strip()
    target = absolute(url, location) if location else None
    return without_userinfo(urldefrag(target).url) if target else None


def same_origin(first: str, second: str) -> bool:
    """Whether scheme, host and port are equal (RFC 6454 section 5)."""
    return _origin(first) == _origin(second)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


def classify(
    poll: Poll,
    url: str,
    answer: Answer,
    moved_to: str | None,
    warnings: tuple[str, ...],
    now: datetime,
) -> FetchOutcome:
    """The outcome of an answer from ``url`` that is no redirect."""
    key, status, headers = poll.subscription.key, answer.status, answer.headers
    public_url = without_secrets(url)
    validators = Validators(headers.get("ETag"), headers.get("Last-Modified"), public_url)
    freshness = caching(headers, now)
    if status == HTTPStatus.NOT_MODIFIED:  # section 15.4.5
        if poll.validators.url != public_url:
            reason = "HTTP 304 (not modified), but nothing is stored yet"
            return FetchFailed(key, reason, status, freshness)
        return NotModified(key, validators, moved_to, freshness)
    if status == HTTPStatus.GONE:
        return Gone(key)
    if has_document(status) and not _is_part(answer):
        if not answer.body.strip():
            return FetchFailed(key, _ADVICE[204], None, freshness)
        return Fetched(
            key,
            url,
            answer.body,
            headers.get("Content-Type") or "",
            validators,
            moved_to,
            freshness,
            partial=status == HTTPStatus.IM_USED,
            warnings=warnings,
        )
    # Behind a private address, such as an RSS bridge's, there may be many publishers.
    is_host_wide = status in HOST_BUSY and freshness.retry_after and answer.public
    host = domain_of(url) if is_host_wide else None
    return FetchFailed(key, _explain_status(status, headers), status, freshness, host)


def _is_part(answer: Answer) -> bool:
    """Whether a 206, which we never request, may leave out a part of the document."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return False
    span = _WHOLE_RANGE.fullmatch(answer.headers.get("Content-Range") or "")
    return span is None or int(span[1]) + 1 != int(span[2])


def _explain_status(status: int, headers: Mapping[str, str]) -> str:
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    advice = _ADVICE.get(status, "it will be retried" if status >= 500 else "not a feed")
    # https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    if (headers.get("cf-mitigated") or "").lower() == "challenge":
        advice = "Cloudflare asks for a human: ask the publisher to let feed readers through"
    return f"HTTP {phrase} ({advice})"
