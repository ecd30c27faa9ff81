from datetime import UTC, datetime, timedelta

import httpx
import pytest

from aggregator.fetch.conditional import Answer, classify, request_headers, same_origin
from aggregator.model import Caching, Fetched, FetchFailed, Gone, NotModified, Poll, Validators
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"
FEED = subscription(URL)
KNOWN = Validators('W/"a, b"', "Tue, 01 Jan 2019 00:00:00 GMT", URL)


def answer(status, headers=None, body=b"<rss/>", host="a.example"):
    poll = Poll(FEED, URL, KNOWN)
    public = host is not None
    return classify(
        poll, URL, Answer(status, httpx.Headers(headers or {}), body, public), None, (), NOW
    )


def headers_of(subscription=FEED, validators=KNOWN, url=URL, at_origin=True):
    return request_headers(Poll(subscription, URL, validators), url, at_origin, "ua/1", NOW)


def test_validators_are_sent_unchanged():
    headers = headers_of()
    assert headers["If-None-Match"] == 'W/"a, b"'
    assert headers["If-Modified-Since"] == "Tue, 01 Jan 2019 00:00:00 GMT"
    assert headers["A-IM"] == "feed"  # RFC 3229
    assert headers["User-Agent"] == "ua/1"


@pytest.mark.parametrize(
    ("validators", "url"),
    [(Validators(), URL), (KNOWN, "https://a.example/other"), (Validators('"e"'), URL)],
)
def test_request_without_validators_is_unconditional(validators, url):
    headers = headers_of(validators=validators, url=url)
    assert not {"If-None-Match", "If-Modified-Since", "A-IM"} & set(headers)


@pytest.mark.parametrize(
    ("etag", "modified"),
    [
        ('"a\x01b"', "\xe9t\xe9"),  # in no request
        ("*", "Fri, 01 Jan 2041 00:00:00 GMT"),  # 304, whatever the document has become
        ("", ""),
    ],
)
def test_invalid_and_always_matching_validators_are_left_out(etag, modified):
    headers = headers_of(validators=Validators(etag, modified, URL))
    assert not {"If-None-Match", "If-Modified-Since", "A-IM"} & set(headers)


def test_headers_of_a_subscription_override_ours_at_its_origin():
    own = subscription(
        URL, headers=(("User-Agent", "mine"), ("X-Key", "k")), authorization="Bearer t"
    )
    headers = headers_of(own)
    assert headers["User-Agent"] == "mine"
    assert headers["X-Key"] == "k"
    assert headers["Authorization"] == "Bearer t"
    other_origin = headers_of(own, url="https://b.example/", at_origin=False)
    assert set(other_origin) == {"User-Agent", "Accept"}
    assert other_origin["User-Agent"] == "ua/1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example:443/x", True),
        ("https://A.example/x", True),
        ("http://a.example/feed", False),
        ("https://a.example:8443/feed", False),
        ("https://b.a.example/feed", False),
    ],
)
def test_origin_is_scheme_host_and_port(url, expected):
    """RFC 6454 section 5."""
    assert same_origin(URL, url) is expected


def test_200_is_a_document_with_validators():
    assert answer(200, {"etag": '"x"', "content-type": "application/rss+xml"}) == Fetched(
        URL, URL, b"<rss/>", "application/rss+xml", Validators('"x"', None, URL)
    )


def test_226_is_a_partial_document():
    """RFC 3229 section 10.4.1."""
    outcome = answer(226)
    assert isinstance(outcome, Fetched)
    assert outcome.partial


def test_304_may_update_validators():
    """RFC 9110 section 15.4.5."""
    assert answer(304, {"ETag": '"y"'}) == NotModified(URL, Validators('"y"', None, URL))


def test_304_to_an_unconditional_request_is_a_failure():
    poll = Poll(FEED, URL)
    outcome = classify(poll, URL, Answer(304, httpx.Headers(), b"", True), None, (), NOW)
    assert isinstance(outcome, FetchFailed)


def test_410_is_gone():
    """RFC 9110 section 15.5.11."""
    assert answer(410) == Gone(URL)


@pytest.mark.parametrize("status", [200, 304, 403, 429, 503])
def test_freshness_and_retry_after_are_read_on_every_status(status):
    outcome = answer(status, {"Cache-Control": "max-age=60", "Retry-After": "120"})
    minute = timedelta(minutes=1)
    assert outcome.caching == Caching(minute, minute, 2 * minute)


@pytest.mark.parametrize(
    ("status", "host", "scope"),
    [
        (429, "a.example", "a.example"),
        (503, "a.example", "a.example"),
        (403, "a.example", "a.example"),
        (429, None, None),  # a private address: many publishers may stand behind it
        (404, "a.example", None),  # the resource's own
    ],
)
def test_retry_after_of_a_busy_status_is_for_the_host(status, host, scope):
    outcome = answer(status, {"Retry-After": "120"}, host=host)
    assert isinstance(outcome, FetchFailed)
    assert outcome.host == scope


def test_cloudflare_challenge_is_explained():
    outcome = answer(403, {"CF-Mitigated": "challenge"})
    assert isinstance(outcome, FetchFailed)
    assert "Cloudflare asks for a human" in outcome.reason


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_empty_answer_is_a_failure(body):
    outcome = answer(200, body=body)
    assert isinstance(outcome, FetchFailed)
    assert "empty" in outcome.reason


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, "HTTP 204 No Content"),
        (206, "HTTP 206 Partial Content"),
        (300, "HTTP 300 Multiple Choices"),
        (401, "set auth"),
        (403, "refuses"),
        (404, "HTTP 404 Not Found"),
        (429, "too many requests"),
        (500, "retried"),
        (999, "HTTP 999"),
    ],
)
def test_other_statuses_are_explained(status, words):
    outcome = answer(status)
    assert isinstance(outcome, FetchFailed)
    assert words in outcome.reason
