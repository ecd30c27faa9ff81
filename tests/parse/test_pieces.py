"""Which documents are cut into pieces, and where."""

import pytest

from aggregator.parse.pieces import cut_document
from tests.harness import item, rss

ENTRIES = [item(f"Title {n}", f"https://feed.example/{n}") for n in range(4)]
DECLARATION = '<?xml version="1.0"?>'


def cut(document):
    return cut_document(document if isinstance(document, bytes) else document.encode())


def test_pieces_are_the_bytes_of_the_document():
    document = rss(*(f"{entry}\n" for entry in ENTRIES))
    pieces = cut(document)
    assert pieces is not None
    assert pieces.entries == tuple(entry.encode() for entry in ENTRIES)
    assert pieces.head + b"\n".join(pieces.entries) + b"\n</channel></rss>" == document.encode()
    assert pieces.tail == b"\n</channel></rss>"
    assert pieces.outer_tags == ['<rss version="2.0">', "<channel>"]


@pytest.mark.parametrize(
    "markup",
    [
        "<![CDATA[ </item><item> ]]>",
        "<!-- </item><item> -->",
        "<?x </item><item> ?>",
        "<![CDATA[<item></item>]]>",
        "<entry></entry>",
        "<unclosed>",
        "&nbsp;",
        '<x:y xmlns:z="u"/>',
    ],
)
def test_document_with_unclear_entries_is_not_cut(markup):
    assert cut(rss(*ENTRIES, item("Odd", "https://feed.example/odd", more=markup))) is None


@pytest.mark.parametrize(
    "document",
    [
        rss(ENTRIES[0], "<language>it</language>", ENTRIES[1]),
        rss(ENTRIES[0], "<!-- a word -->", ENTRIES[1]),
        rss(ENTRIES[0].replace("<item>", '<item xml:base="https://b.example/">'), ENTRIES[1]),
        rss(*ENTRIES).replace(DECLARATION, f"{DECLARATION}<!DOCTYPE rss>"),
        rss(*ENTRIES).replace(DECLARATION, '<?xml version="1.0" encoding="utf-16"?>'),
        rss(*ENTRIES).encode() + b"<!-- \xff -->",
        rss(),
        rss(*(item(str(n), f"/{n}") for n in range(301))),
    ],
    ids=["between", "comment", "base", "doctype", "utf16", "bytes", "empty", "many"],
)
def test_document_that_is_not_plain_is_not_cut(document):
    assert cut(document) is None


def test_document_with_300_entries_is_cut():
    pieces = cut(rss(*(item(str(n), f"/{n}") for n in range(300))))
    assert pieces is not None
    assert len(pieces.entries) == 300


@pytest.mark.parametrize(
    "entry",
    ["<item />", "<entry><title>Odd</title></entry>"],
    ids=["empty element", "another name"],
)
def test_document_with_entries_of_two_kinds_is_not_cut(entry):
    assert cut(rss(ENTRIES[0], entry, ENTRIES[1])) is None
    assert cut(rss(entry, ENTRIES[0])) is None
