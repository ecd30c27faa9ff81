"""Which cookies go where (RFC 6265)."""

import time

import pytest

from aggregator.fetch.cookies import ChainCookies

FEED = "http://www.blog.example/feeds/atom"


def sent(cookies, url, set_by=FEED):
    chain = ChainCookies()
    chain.keep(set_by, cookies)
    return chain.header(url)


@pytest.mark.parametrize(
    ("cookie", "url", "expected"),
    [
        # section 5.1.4: without a path, the folder of the address
        ("a=1", FEED, "a=1"),
        ("a=1", "http://www.blog.example/feeds/rss", "a=1"),
        ("a=1", "http://www.blog.example/", None),
        ("a=1; Path=/", "http://www.blog.example/", "a=1"),
        # section 5.1.3: without a domain, only the host; otherwise its subdomains too
        ("a=1; Path=/", "http://blog.example/", None),
        ("a=1; Path=/; Domain=blog.example", "http://blog.example/", "a=1"),
        ("a=1; Path=/; Domain=.blog.example", "https://other.blog.example/", "a=1"),
        # section 5.3: not for another site, not for all of a public suffix
        ("a=1; Path=/; Domain=other.example", "http://other.example/", None),
        ("a=1; Path=/; Domain=example", "http://other.example/", None),
        # section 5.4: Secure
        ("a=1; Secure", FEED, None),
        ("a=1; Secure", FEED.replace("http:", "https:"), "a=1"),
        # section 5.2.2: already over
        ("a=1; Max-Age=0", FEED, None),
        ("a=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT", FEED, None),
        # no cookie, or one that no header can contain
        ("", FEED, None),
        ("=;;;", FEED, None),
        ("a=\x01", FEED, None),
        ("a=é", FEED, None),
        ("a=" + "x" * 5000, FEED, None),
    ],
)
def test_rules_of_a_cookie(cookie, url, expected):
    assert sent([cookie], url) == expected


@pytest.mark.parametrize(
    ("set_by", "domain", "url"),
    [
        ("http://a.co.uk/", "co.uk", "http://b.co.uk/"),
        ("http://a.github.io/", "github.io", "http://b.github.io/"),
        ("http://10.0.0.1/", ".0.0.1", "http://11.0.0.1/"),
        ("http://localhost/", "localhost", "http://other/"),
    ],
)
def test_cookie_stays_at_its_site(set_by, domain, url):
    cookie = f"a=1; Path=/; Domain={domain}"
    assert sent([cookie], url, set_by) is None
    assert sent(["a=1; Path=/"], set_by + "x", set_by) == "a=1"


def test_later_cookie_replaces_the_earlier():
    chain = ChainCookies()
    chain.keep(FEED, ["a=1", "b=2"])
    chain.keep(FEED, ["a=3"])
    assert sorted((chain.header(FEED) or "").split("; ")) == ["a=3", "b=2"]


def test_cookies_are_bounded():
    chain = ChainCookies()
    began = time.perf_counter()
    chain.keep(FEED, [f"c{n}=1; Expires={'9' * 4000}" for n in range(1000)])
    assert time.perf_counter() - began < 2
    assert len((chain.header(FEED) or "").split("; ")) == 50
