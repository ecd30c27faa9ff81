import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text import urls
from aggregator.text.urls import absolute, is_web, link_key, redact, without_secrets

PAGE = "https://example.org/a/b?x=1&y=2"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a/b?x=1&y=2",
        "https://www.example.org/a/b?x=1&y=2",
        "https://EXAMPLE.org:443/a/b/?y=2&x=1#comments",
        "https://example.org/a/b?utm_source=rss&x=1&y=2&fbclid=zzz",
        "https://example.org/a/b?x=1&y=2&xtor=RSS-1",
    ],
)
def test_urls_of_one_page_have_one_key(url):
    assert link_key(url) == link_key(PAGE)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/c?x=1&y=2",
        "https://example.org/a/b?x=1&y=3",
        "https://other.example.org/a/b?x=1&y=2",
        "https://example.org:8080/a/b?x=1&y=2",
    ],
)
def test_different_pages_have_different_keys(url):
    assert link_key(url) != link_key(PAGE)


def test_invalid_url_is_its_own_key():
    assert link_key("http://[bad") == "http://[bad"


@pytest.mark.parametrize(
    "url", ["ftp://a/", "javascript:alert(1)", "/a", "http://", "http://[b", "http://a:99999/", ""]
)
def test_other_urls_are_not_web_urls(url):
    assert not is_web(url)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("b", "https://h.example/a/b"),
        ("//o.example/c", "https://o.example/c"),
        (" with space ", "https://h.example/a/with%20space"),
        ("\t../b\n", "https://h.example/b"),
        ("/long\n/link", "https://h.example/long/link"),
        ("?x", "https://h.example/a/?x"),
        ("", "https://h.example/a/"),
        ("..\\b\\c?d", "https://h.example/b/c?d"),
        ("\\\\o.example\\c", "https://o.example/c"),
        ("https:b", "https://h.example/a/b"),
        ("https:/b", "https://h.example/b"),
        ("http:/o.example/b", "http://o.example/b"),
        ("http:o.example", "http://o.example"),
        ("https:////o.example/b", "https://o.example/b"),
        ("https:\\\\o.example", "https://o.example"),
        ("javascript:alert(1)", None),
        ("http://[bad", None),
        ("https://", None),
        ("https://o .example/", None),
        ('http: "//o.example/', None),
        ("//", None),
        ("localhost:8080/x", None),
    ],
)
def test_links_are_resolved_or_dropped(link, expected):
    assert absolute("https://h.example/a/", link) == expected


def test_absolute_link_needs_no_base():
    for base in ("", "http://[bad", "mailto:x"):
        assert absolute(base, "https://h.example/") == "https://h.example/"
        assert absolute(base, "https:h.example/a b") == "https://h.example/a%20b"
        assert absolute(base, "/x") is None


def test_redact_hides_secrets():
    shown = redact("GET https://me:pw@h.example/f?token=T1&page=2&api_key=K failed")
    assert "pw" not in shown
    assert "T1" not in shown
    assert "=K" not in shown
    assert "page=2" in shown


def test_without_secrets_keeps_the_public_part():
    url = "https://me:pw@h.example/f?token=T1&page=2&apikey=K&sig"
    assert without_secrets(url) == "https://h.example/f?page=2"
    assert without_secrets("https://h.example/f?a=1#b") == "https://h.example/f?a=1#b"


@pytest.mark.parametrize("fragment", ["comment-12", "c1234", "2024-10-01"])
def test_comment_has_another_key_than_its_page(fragment):
    page = "https://a.example/p"
    assert link_key(f"{page}#{fragment}") != link_key(page)
    for noise in ("#respond", "#xtor=RSS-12", "#rss"):
        assert link_key(page + noise) == link_key(page)


def test_characters_not_allowed_in_an_iri_are_escaped():
    assert absolute("https://a.example/", "/<?php%20x['l'];?>{|}") == (
        "https://a.example/%3C?php%20x['l'];?%3E%7B%7C%7D"
    )


PIECES = st.sampled_from([
    "http://", "https://", "HTTPS://", "a.example", "www.a.example", "A.Example", "xn--e1a.example", "a..b", "a", "1.2.3.4",
    ":80", "/", "//", "/b", "/b.html", "/.", "/../c", "/b;c", "?", "?x=1", "#", "#c-12", " ", "é", "%41", "[", "]", "@", "~_-", "%2F", "&y=+2", "=",
])  # fmt: skip


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(PIECES, max_size=4).map("".join))
def test_shortcut_for_simple_urls_changes_nothing(url, base):
    base = f"https://feed.example/{base}"
    with_shortcut = is_web(url), absolute(base, url), link_key(url)
    with pytest.MonkeyPatch.context() as patch:
        for pattern in ("_SIMPLE_URL", "_PLAIN_URL"):
            patch.setattr(urls, pattern, re.compile("(?!)"))
        assert with_shortcut == (is_web(url), absolute(base, url), link_key(url))
