"""Every address becomes a URI that names the same resource (RFC 3986, RFC 3987 section 3.1)."""

import re
from functools import partial
from timeit import timeit
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.uris import to_uri

# The characters of RFC 3986. A host in square brackets is an IP address.
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//\[[0-9a-f:]+\])?([\w.~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*",
                 re.ASCII)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("https://a.example/p?x=1&y=a+b#c", "https://a.example/p?x=1&y=a+b#c"),
        ("https://a.example/~u/(1),2;3'!*@:$", "https://a.example/~u/(1),2;3'!*@:$"),
        ("tag:a.example,2026:1", "tag:a.example,2026:1"),
        ("urn:uuid:0d1f", "urn:uuid:0d1f"),
        # What TYPO3, PHP and Wikipedia write.
        ("https://a.example/?tx_news[id]=1", "https://a.example/?tx_news%5Bid%5D=1"),
        ("https://a.example/?a[]=1&a[]=2", "https://a.example/?a%5B%5D=1&a%5B%5D=2"),
        ("https://a.example/a|b", "https://a.example/a%7Cb"),
        ("https://a.example/Éco_(été)", "https://a.example/%C3%89co_(%C3%A9t%C3%A9)"),
        ("https://a.example/?q=été#là", "https://a.example/?q=%C3%A9t%C3%A9#l%C3%A0"),
        ("https://a.example/共有", "https://a.example/%E5%85%B1%E6%9C%89"),
        ("https://a.example/🎧.mp3", "https://a.example/%F0%9F%8E%A7.mp3"),
        ("https://a.example/a b", "https://a.example/a%20b"),
        ("https://a.example/a\u00a0b\u200b", "https://a.example/a%C2%A0b%E2%80%8B"),
        ('https://a.example/"<>\\^`{}', "https://a.example/%22%3C%3E%5C%5E%60%7B%7D"),
        # An escape stays as it is; other percent signs are data.
        ("https://a.example/%e9%C3", "https://a.example/%e9%C3"),
        ("https://a.example/100%", "https://a.example/100%25"),
        ("https://a.example/50%zz%4", "https://a.example/50%25zz%254"),
        ("https://a.example/#a#b", "https://a.example/#a%23b"),
        ("https://a.example/#!/a[1]", "https://a.example/#!/a%5B1%5D"),
        # Hosts.
        ("https://münchen.example:8080/ü", "https://xn--mnchen-3ya.example:8080/%C3%BC"),
        ("https://共有.example", "https://xn--b6q593c.example"),
        ("https://straße.example/ß", "https://straße.example/%C3%9F"),  # not "strasse"
        ("https://[2001:db8::1]:80/[1]", "https://[2001:db8::1]:80/%5B1%5D"),
        ("https://a..é.example/é", "https://a..%C3%A9.example/%C3%A9"),  # no name
        ("https://\ufffdwiki.example/", "https://%EF%BF%BDwiki.example/"),
        ("tag:a.example,2026:[é]", "tag:a.example,2026:%5B%C3%A9%5D"),
        ("mailto:a b@c.example", "mailto:a%20b@c.example"),
        ("https://a.example/\ud800", "https://a.example/?"),
        ("no scheme", "no%20scheme"),
        ("", ""),
    ],
)
def test_address(address, uri):
    assert to_uri(address) == uri
    assert to_uri(uri) == uri


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_path_becomes_a_uri_of_the_same_resource(path):
    uri = to_uri(f"https://a.example/{path}")
    assert URI.fullmatch(uri)
    assert unquote(uri, errors="replace") == unquote(f"https://a.example/{path}", errors="replace")


def test_time_is_linear():
    for text in ("%", "a", "é", "#", "["):
        address = "https://a.example/" + text * 100_000
        assert timeit(partial(to_uri, address), number=1) < 2
