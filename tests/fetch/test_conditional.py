from datetime import UTC, datetime, timedelta

import httpx
import pytest

from aggregator.fetch.conditional import (
    classify,
    request_headers,
    retry_after,
    without_secrets,
)
from aggregator.model import Fetched, FetchFailed, Gone, NotModified, Validators
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FEED = subscription("https://a.example/feed")


def answer(status, headers=None, body=b"<rss/>"):
    return classify(FEED, FEED.url, status, httpx.Headers(headers or {}), body, None, NOW)


def test_validators_are_echoed_exactly():
    headers = request_headers(FEED, Validators('W/"a, b"', "Tue, 01 Jan 2019 00:00:00 GMT"), "ua/1")
    assert headers["If-None-Match"] == 'W/"a, b"'
    assert headers["If-Modified-Since"] == "Tue, 01 Jan 2019 00:00:00 GMT"
    assert headers["User-Agent"] == "ua/1"


def test_no_validators_no_condition():
    assert not {"If-None-Match", "If-Modified-Since"} & set(
        request_headers(FEED, Validators(), "ua")
    )


def test_the_subscriptions_own_headers_win_and_stay_at_its_origin():
    own = subscription(FEED.url, headers=(("User-Agent", "mine"), ("X-Key", "k")))
    headers = request_headers(own, Validators("e", None), "ua")
    assert headers["User-Agent"] == "mine"
    assert headers["X-Key"] == "k"
    assert set(without_secrets(headers)) == {"User-Agent", "Accept"}


def test_200_is_a_document_with_its_validators():
    assert answer(200, {"etag": '"x"', "content-type": "application/rss+xml"}) == Fetched(
        FEED.url, FEED.url, b"<rss/>", "application/rss+xml", Validators('"x"', None), None
    )


def test_304_may_refresh_the_validators():
    """RFC 9110 section 15.4.5."""
    assert answer(304, {"ETag": '"y"'}) == NotModified(FEED.url, Validators('"y"', None))


def test_410_is_gone():
    """RFC 9110 section 15.5.11."""
    assert answer(410) == Gone(FEED.url)


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_answer_is_no_document(body):
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
        (500, "asked again"),
        (999, "HTTP 999"),
    ],
)
def test_other_statuses_are_told_with_their_meaning(status, words):
    outcome = answer(status)
    assert isinstance(outcome, FetchFailed)
    assert words in outcome.reason


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "120"}, timedelta(minutes=2)),  # RFC 9110 section 10.2.3, delay-seconds
        ({"Retry-After": " 0 "}, timedelta(0)),
        ({"Retry-After": "Tue, 24 Nov 2026 13:00:00 GMT"}, timedelta(hours=1)),  # HTTP-date
        (
            {
                "Retry-After": "Tue, 24 Nov 2026 13:00:00 GMT",
                "Date": "Tue, 24 Nov 2026 12:59:00 GMT",
            },
            timedelta(minutes=1),  # relative to the publisher's own clock
        ),
        ({"Retry-After": "Tue, 24 Nov 2020 13:00:00 GMT"}, timedelta(0)),
        ({"Retry-After": "99999999999"}, timedelta(days=7)),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, expected):
    assert retry_after(httpx.Headers(headers), NOW) == expected
