"""Large documents, each expensive for some parser: 10 MB in `make soak`, which sets FULL_TESTS, else 5."""

import json
import os
import random
from collections.abc import Callable

from tests.harness import rss

SIZE = (10 if os.environ.get("FULL_TESTS") else 5) * 1024 * 1024


def _filled(piece: str, before: str = "", after: str = "") -> bytes:
    """An item with as many copies of ``piece`` as fit."""
    head, tail = rss(f"<item><title>x</title>{before}\0{after}</item>").split("\0")
    room = SIZE - len((head + tail).encode())
    return (head + piece * (room // len(piece.encode())) + tail).encode()


def _described(piece: str) -> bytes:
    return _filled(piece, "<description>", "</description>")


def _json(**more: object) -> bytes:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [more]}).encode()


LARGE: dict[str, Callable[[], bytes]] = {
    "one long text": lambda: _described("Les communs. "),
    "open tags in a text": lambda: _described("&lt;b>"),
    "tags that do not end": lambda: _described("&lt;b "),
    "nested lists in a text": lambda: _described("&lt;ul>&lt;li>"),
    "nested tables in a text": lambda: _described("&lt;table>&lt;tr>&lt;td>"),
    "attributes without end": lambda: _described("&lt;a a=1 a=2 "),
    "comments that do not end": lambda: _described("&lt;!-- "),
    "ampersands": lambda: _described("&amp;"),
    "references": lambda: _described("&amp;#x26;"),
    "formatting that is misnested": lambda: _described("&lt;a>&lt;b>&lt;p>"),
    "spaces": lambda: _described(" "),
    "frames": lambda: _described('&lt;iframe src="https://player.vimeo.com/video/1">'),
    "pictures": lambda: _described('&lt;img alt="a > b" src=x>'),
    "an author that does not end": lambda: _filled("a@", "<author>", "</author>"),
    "a date that does not end": lambda: _filled("12:", "<pubDate>", "</pubDate>"),
    "a title that does not end": lambda: _filled("&lt;", "<title>", "</title>"),
    "a link that does not end": lambda: _filled("../", "<link>", "</link>"),
    "a language that does not end": lambda: _filled("-a", "<language>", "</language>"),
    "entries": lambda: _filled("</item><item><title>x</title><link>https://a.example/x</link>"),
    "empty entries": lambda: _filled("</item><item>"),
    "entries within entries": lambda: _filled("<item>"),
    "nested elements": lambda: _filled("<a>"),
    "other namespaces": lambda: _filled('<x:a xmlns:x="y"/>'),
    "categories": lambda: _filled("<category>x</category>"),
    "enclosures": lambda: _filled('<enclosure url="a"/>'),
    "declarations that do not end": lambda: b"<!DOCTYPE rss [" + b"<!ENTITY a 'b'" * (SIZE // 14),
    "declared entities": lambda: b"<!DOCTYPE rss [" + b"<!ENTITY a 'b'>" * (SIZE // 15),
    "angle brackets": lambda: b"<" * SIZE,
    "tags that begin": lambda: b"<rss><channel>" + b"<a" * (SIZE // 2),
    "marked sections": lambda: b"<rss><channel><title><![CDATA[" + b"]]]" * (SIZE // 3),
    "nul": lambda: bytes(SIZE),
    "noise": lambda: random.Random(0).randbytes(SIZE),
    "nested JSON": lambda: b"{" + b'"a":[' * (SIZE // 5),
    "a long text in JSON": lambda: _json(id=1, content_html="<b>" * (SIZE // 3 - 40)),
    "tags in JSON": lambda: _json(id=1, tags=["\0"]).replace(b'"\\u0000"', b'"x",' * (SIZE // 4 - 40) + b'"y"'),
    "a page of links": lambda: b"<html>" + b'<link rel="alternate" type="application/rss+xml" href=x>' * (SIZE // 56),
    "a page that does not end": lambda: b"<html><title>" + b"<a href='" * (SIZE // 9),
    "a page of comments": lambda: b"<html>" + b"<!--" * (SIZE // 4),
    "a page of declarations": lambda: b"<html>" + b"<![" * (SIZE // 3),
}  # fmt: skip
