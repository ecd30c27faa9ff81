from datetime import UTC, datetime, timedelta

import httpx
import pytest

from aggregator.fetch.freshness import caching
from aggregator.model import Caching

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, ZERO, WEEK = timedelta(hours=1), timedelta(0), timedelta(days=7)
DATE = "Tue, 24 Nov 2026 11:00:00 GMT"  # the publisher's clock is an hour behind ours
AT_ONE = "Tue, 24 Nov 2026 13:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # RFC 9111 section 5.2.2.1: max-age counts from the answer
        ({"Cache-Control": "max-age=3600"}, Caching(HOUR, HOUR)),
        ({"Cache-Control": 'public, MAX-AGE="3600", s-maxage=1'}, Caching(HOUR, HOUR)),
        # section 4.2.1: of two, the first; what cannot be read is stale
        ({"Cache-Control": "max-age=3600, max-age=1"}, Caching(HOUR, HOUR)),
        ({"Cache-Control": "max-age=soon"}, Caching(ZERO, ZERO)),
        ({"Cache-Control": "max-age=-1"}, Caching(ZERO, ZERO)),
        # sections 5.2.2.4 and 5.2.2.5: no-cache, no-store
        ({"Cache-Control": "no-cache, max-age=3600"}, Caching(ZERO, ZERO)),
        ({"Cache-Control": "no-store"}, Caching(ZERO, ZERO)),
        # section 4.2.3: Age is how old it was when it came to us
        ({"Cache-Control": "max-age=3600", "Age": "600"}, Caching(HOUR, HOUR * 5 / 6)),
        ({"Cache-Control": "max-age=3600", "Age": "9000"}, Caching(HOUR, ZERO)),
        # section 5.3: Expires, relative to Date, and less than max-age
        ({"Expires": AT_ONE}, Caching(None, HOUR)),
        ({"Expires": AT_ONE, "Date": DATE}, Caching(None, 2 * HOUR)),
        ({"Expires": AT_ONE, "Date": DATE, "Age": "3600"}, Caching(None, HOUR)),
        ({"Expires": AT_ONE, "Cache-Control": "max-age=60"}, Caching(HOUR / 60, HOUR / 60)),
        ({"Expires": "0"}, Caching(None, ZERO)),
        ({"Expires": DATE}, Caching(None, ZERO)),
        # nothing said: no bound
        ({"Cache-Control": "public"}, Caching()),
        ({}, Caching()),
        # a slip of the publisher's must not silence a feed
        ({"Cache-Control": "max-age=31536000"}, Caching(WEEK, WEEK)),
        ({"Cache-Control": "max-age=99999999999999999999"}, Caching(WEEK, WEEK)),
        ({"Expires": "Tue, 24 Nov 2099 13:00:00 GMT"}, Caching(None, WEEK)),
        # RFC 9110 section 10.2.3: Retry-After in seconds, or as a date
        ({"Retry-After": "120"}, Caching(None, None, HOUR / 30)),
        ({"Retry-After": " 0 "}, Caching(None, None, ZERO)),
        ({"Retry-After": AT_ONE}, Caching(None, None, HOUR)),
        ({"Retry-After": AT_ONE, "Date": DATE}, Caching(None, None, 2 * HOUR)),
        ({"Retry-After": "Tue, 24 Nov 2020 13:00:00 GMT"}, Caching(None, None, ZERO)),
        ({"Retry-After": "99999999999"}, Caching(None, None, WEEK)),
        ({"Retry-After": "soon"}, Caching()),
        # no standard, but what reddit and GitHub say of a quota that is used up
        (
            {"X-RateLimit-Remaining": "0.0", "X-RateLimit-Reset": "120"},
            Caching(None, None, HOUR / 30),
        ),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 3600)},
            Caching(None, None, HOUR),
        ),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"},
            Caching(None, None, ZERO),
        ),
        ({"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "120"}, Caching()),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, Caching()),
        (
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9", "Retry-After": "3600"},
            Caching(None, None, HOUR),
        ),
    ],
)
def test_headers_give_freshness_and_delays(headers, expected):
    assert caching(httpx.Headers(headers), NOW) == expected


@pytest.mark.parametrize(
    "header",
    [
        "Tue, 24 Nov 2026 14:00:00 +0100",  # not by RFC 9110, but unambiguous
        "Tue, 24 Nov 2026 13:00:00 -0000",
    ],
)
def test_date_with_an_offset(header):
    assert caching(httpx.Headers({"Retry-After": header}), NOW).retry_after == HOUR


@pytest.mark.parametrize("name", ["Retry-After", "X-RateLimit-Reset"])
def test_numbers_have_only_the_digits_of_ascii(name):
    headers = {"X-RateLimit-Remaining": "0", name: "１２０"}
    assert caching(httpx.Headers(headers, encoding="utf-8"), NOW) == Caching()


def test_quota_with_spaces_or_without_reset():
    spaced = {"X-RateLimit-Remaining": " 0 ", "X-RateLimit-Reset": " 3600 "}
    assert caching(httpx.Headers(spaced), NOW).retry_after == HOUR
    assert caching(httpx.Headers({"X-RateLimit-Remaining": "0"}), NOW) == Caching()
