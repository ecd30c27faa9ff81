"""What stood in the document before is not read again, and the entries are the same all the same."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model import Fetched, ParsedFeed
from aggregator.parse import parse_document
from aggregator.parse.pieces import cut as cut_body
from tests.harness import item, rss
from tests.shared import shared

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://feed.example/dir/feed.xml"
FEW = [item(f"Title {n}", f"https://feed.example/{n}") for n in range(4)]


def fetched(document, content_type="application/xml", url=URL):
    body = document if isinstance(document, bytes) else document.encode()
    return Fetched(url, url, body, content_type)


def cut(answer):
    return cut_body(answer.body, answer.content_type)


def read(document, before=None, **more):
    language = more.pop("language", "fr")
    seen = before.seen if before else None
    return parse_document(fetched(document, **more), NOW, language, seen)


def same(now, before, **more):
    """Read ``now`` after ``before`` was read, as it is read alone; gives how many were known."""
    whole, new = read(now, **more), read(now, read(before), **more)
    known = {entry.key for entry in new.known}
    assert [entry for entry in whole.entries if entry.key not in known] == list(new.entries)
    assert sorted(new.keys) == sorted(whole.keys)
    assert sorted(new.dates) == sorted(whole.dates)
    assert (new.feed, new.hints, new.warnings) == (whole.feed, whole.hints, whole.warnings)
    assert new.seen == whole.seen
    return len(known)


def test_of_a_new_entry_and_an_edited_one_only_these_are_read():
    now = [item("New", "https://feed.example/new"), FEW[0], *FEW[1:3], item("Ed.", "/3")]
    new = read(rss(*now), read(rss(*FEW)))
    assert [entry.title for entry in new.entries] == ["New", "Ed."]
    assert same(rss(*now), rss(*FEW)) == 3


def test_where_only_the_head_has_changed_nothing_is_read():
    before, now = rss(*FEW), rss(*FEW).replace("<item>", "<pubDate>now</pubDate><item>", 1)
    new = read(now, read(before))
    assert (new.entries, len(new.known), new.warnings) == ((), 4, ())
    assert same(now, before) == 4


def test_entries_that_left_the_document_are_not_missed():
    assert same(rss(*FEW[:2]), rss(*FEW)) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.replace("<language>en", "<language>de"),
        lambda document: document.replace("<channel>", '<channel xml:base="https://b.example/">'),
        lambda document: document.replace("<channel>", "<channel><webMaster>w</webMaster>").replace(
            "<webMaster>w</webMaster>", "<managingEditor>a@b.example (Ann)</managingEditor>"
        ),
        lambda document: document.replace(
            "https://feed.example/</link>", "https://o.example/</link>"
        ),
        lambda document: document.replace('version="2.0"', 'version="2.0" xml:lang="it"'),
    ],
    ids=["language", "base", "authors", "link", "root"],
)
def test_all_is_read_again_where_what_stands_around_the_entries_has_changed(change):
    now = change(rss(*FEW, item("New", "https://feed.example/new")))
    assert now != rss(*FEW, item("New", "https://feed.example/new"))
    assert same(now, rss(*FEW)) == 0


def test_all_is_read_again_from_another_address_or_in_another_language():
    now = rss(*FEW, item("New", "https://feed.example/new"))
    assert same(now, rss(*FEW), url="https://other.example/") == 0
    assert same(now, rss(*FEW), language="en") == 0


@pytest.mark.parametrize(
    "odd",
    [
        "<![CDATA[ </item><item> ]]>",
        "<!-- </item><item> -->",
        "<![CDATA[<item></item>]]>",
        "<entry></entry>",
        "<unclosed>",
        "&nbsp;",
        '<x:y xmlns:z="u"/>',
    ],
)
def test_a_document_that_cannot_be_cut_is_read_whole(odd):
    strange = item("Odd", "https://feed.example/odd", more=odd)
    now = rss(*FEW, strange)
    assert cut(fetched(now)) is None
    assert same(now, rss(*FEW)) == 0


@pytest.mark.parametrize(
    "document",
    [
        rss(FEW[0], "<language>it</language>", FEW[1]),
        rss(FEW[0], "<!-- a word -->", FEW[1]),
        rss(FEW[0].replace("<item>", '<item xml:base="https://b.example/">'), FEW[1]),
        rss(*FEW).replace('<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE rss>'),
        rss(*FEW).replace('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>'),
        rss(*FEW).replace('<?xml version="1.0"?>', '<?xml version="1.0" encoding="koi8-r"?>'),
        rss(*FEW).encode() + b"<!-- \xff -->",
        rss(),
        rss(*(item(str(n), f"/{n}") for n in range(301))),
    ],
    ids=["between", "comment", "base", "doctype", "utf16", "koi8", "bytes", "empty", "many"],
)
def test_what_is_odd_is_not_cut(document):
    assert cut(fetched(document)) is None


def test_old_encodings_are_cut_like_the_new_one():
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    before = rss(*FEW[:2], item("Été", "/e")).replace('<?xml version="1.0"?>', head)
    now = before.replace("</channel>", f"{item('Noël', '/n')}</channel>")
    assert same(now.encode("latin-1"), before.encode("latin-1")) == 3
    assert read(now.encode("latin-1")).entries[-1].title == "Noël"
    assert cut(fetched(now.encode("latin-1"), "text/xml; charset=utf-8")) is None


def test_a_link_that_becomes_that_of_two_entries_names_neither():
    before = [item("One", "https://feed.example/day"), FEW[1]]
    now = [item("Two", "https://feed.example/day"), *before]
    assert same(rss(*now), rss(*before)) == 0
    other = [item("Three", "https://feed.example/3"), *now]
    assert same(rss(*other), rss(*now)) == 3  # it named none before


def test_a_link_to_the_site_is_that_of_any_number_of_entries():
    home = [item(f"Title {n}", "https://feed.example/") for n in range(4)]
    assert same(rss(*home), rss(*home[1:])) == 3


def test_what_a_feed_says_of_itself_is_not_taken_for_its_first_entry():
    """feedparser remembers until the end of an entry that there was a summary and a description."""
    spaced = '<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    head = "<itunes:summary>Of all</itunes:summary><description>All</description>"
    episodes = [
        item(f"Episode {n}", f"/{n}", more=f"<itunes:summary>S{n}</itunes:summary>")
        .replace("<description></description>", "")
        .replace("</item>", f"<description>D{n}</description></item>")
        for n in range(3)
    ]

    def podcast(*some):
        document = rss(*some).replace("<rss", spaced, 1)
        return document.replace("<language>", f"{head}<language>")

    for now in (episodes, episodes[1:], [episodes[2], episodes[0]]):
        for before in (episodes[:1], episodes[1:2], episodes[1:]):
            same(podcast(*now), podcast(*before))
    assert same(podcast(*episodes), podcast(*episodes[1:])) == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 11), max_size=12),
    st.lists(st.integers(0, 11), max_size=12),
    st.lists(st.sampled_from(["", " ", "\n"]), min_size=12, max_size=12),
)
def test_whatever_comes_and_goes(before, now, spaces):
    def entry(number):
        link = f"https://feed.example/{number % 7}"  # some share theirs
        date = (NOW - timedelta(days=number)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        guid = f"<guid isPermaLink='false'>{number % 9}</guid>" if number % 3 else ""
        return item(f"Title {number // 2}", link, date, f"<p>{number}</p>", guid) + spaces[number]

    same(rss(*map(entry, now)), rss(*map(entry, before)))


def test_real_feeds_are_read_alike():
    """Whichever of its entries were there before."""
    count = several = taken = 0
    for path in (
        *sorted(shared("corpus", "feeds").iterdir()),
        *sorted(shared("corpus", "odd").iterdir()),
    ):
        if not path.is_file():
            continue
        whole = fetched(path.read_bytes())
        pieces = cut(whole)
        if not pieces or not isinstance(parse_document(whole, NOW, "fr"), ParsedFeed):
            continue
        count += 1
        number = len(pieces.entries)
        several += number > 1
        known = 0
        for missing in ({0}, {number - 1}, set(range(0, number, 2))):
            before = pieces.select(
                [e for place, e in enumerate(pieces.entries) if place not in missing]
            )
            if isinstance(parse_document(fetched(before), NOW, "fr"), ParsedFeed):
                known += same(whole.body, before)
        taken += known > 0
    assert count > 1000
    assert taken > 0.9 * several
