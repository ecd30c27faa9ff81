"""What goes into an output feed comes out of it again, read by feedparser."""

import io
from calendar import timegm
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model import (
    Author,
    Category,
    Channel,
    ChannelKind,
    Enclosure,
    OutputFeed,
    PublishedEntry,
    Site,
    Source,
)
from aggregator.parse.sanitize import clean_html, one_line, remove_illegal
from aggregator.parse.to_draft import authors_of, enclosures_of
from aggregator.publish.atom import render_atom
from aggregator.publish.opml import render_opml

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SITE = Site("A site", "https://site.example/", "Somebody", "fr")
TAG = Channel(
    "tag:communs", ChannelKind.TAG, "Communs", "communs", "urn:uuid:1", NOW,
    description="What we hold together",
)  # fmt: skip
ENTRY = PublishedEntry(
    id="tag:a.example,2026:1",
    title="Title & <more>",
    updated=NOW,
    link="https://a.example/1?x=1&y=2",
    published=NOW - timedelta(days=1),
    summary="short",
    content='<p>Long <a href="https://a.example/" rel="noopener noreferrer">x</a></p>',
    authors=(Author("Ann", "ann@a.example", "https://ann.example/"), Author("Bob")),
    categories=(Category("t", "https://s.example/", "Label"), Category("u")),
    enclosures=(
        Enclosure("https://a.example/e.mp3", "audio/mpeg", 12),
        Enclosure("https://a.example/f.ogg"),
    ),
    language="en",
    rights="CC0",
    source=Source(
        "urn:f", "The feed", "https://a.example/", "https://a.example/feed", NOW, "CC BY"
    ),
    related=("https://b.example/1", "https://c.example/?x=1&y"),
)


def feed_from_row(*entries):
    updated = max((entry.updated for entry in entries), default=NOW)
    return OutputFeed(TAG, "communs", SITE, updated, entries, 1)


def read(document):
    parsed = feedparser.parse(
        io.BytesIO(document), sanitize_html=False, resolve_relative_uris=False
    )
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    return parsed


def time_of(parsed):
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def back(entry):
    """The `PublishedEntry` that a feed reader would make of an entry."""
    links = entry.get("links", [])
    content = entry.content[0].value if "content" in entry else ""
    return PublishedEntry(
        id=entry.id,
        title=entry.title,
        updated=time_of(entry.updated_parsed),
        link=next((link.href for link in links if link.rel == "alternate"), None),
        published=time_of(entry.published_parsed) if "published" in entry else None,
        summary=entry.summary if "summary" in entry and entry.summary != content else "",
        content=content,
        authors=tuple(authors_of(entry)),
        categories=tuple(
            Category(tag.term, tag.scheme, tag.label) for tag in entry.get("tags", [])
        ),
        enclosures=tuple(enclosures_of(entry)),
        language=entry.title_detail.language or None,
        rights=entry.get("rights"),
        source=source_of(entry.get("source")),
        related=tuple(link.href for link in links if link.rel == "related"),
    )


def source_of(source):
    if source is None:
        return None
    links = {link.rel: link.href for link in source.get("links", [])}
    updated = time_of(source.get("updated_parsed"))
    return Source(
        source.id, source.title, links.get("alternate"), links.get("self"), updated,
        source.get("rights"),
    )  # fmt: skip


def test_every_field_comes_back():
    parsed = read(render_atom(feed_from_row(ENTRY)))
    assert back(parsed.entries[0]) == ENTRY
    assert parsed.feed.id == "urn:uuid:1"
    assert parsed.feed.title == "A site: #Communs"
    assert parsed.feed.subtitle == "What we hold together"
    assert parsed.feed.author == "Somebody"
    assert time_of(parsed.feed.updated_parsed) == NOW
    assert [(link.rel, link.type, link.href) for link in parsed.feed.links] == [
        ("self", "application/atom+xml", "https://site.example/communs.atom"),
        ("alternate", "text/html", "https://site.example/communs.html"),
        ("alternate", "application/feed+json", "https://site.example/communs.json"),
    ]
    assert parsed.feed.language == "fr"


def test_entries_keep_their_order():
    entries = tuple(replace(ENTRY, id=f"urn:{n}") for n in range(5))
    parsed = read(render_atom(feed_from_row(*entries)))
    assert [entry.id for entry in parsed.entries] == [entry.id for entry in entries]


def test_the_same_feed_gives_the_same_bytes():
    assert render_atom(feed_from_row(ENTRY)) == render_atom(feed_from_row(ENTRY))


def test_an_empty_feed_is_a_feed():
    assert read(render_atom(feed_from_row())).entries == []


def test_an_entry_with_neither_link_nor_content_still_stands():
    bare = PublishedEntry("urn:x", "T < U", NOW)
    (entry,) = read(render_atom(feed_from_row(bare))).entries
    assert entry.content[0].value == "T &lt; U"


def unmistakable(text):
    """Not what feedparser takes for UTF-8 read as Latin-1 and mends ("Ã©" becomes "é")."""
    try:
        return text.encode("latin-1").decode("utf-8") == text
    except UnicodeError:
        return True


line = st.text(max_size=30).map(one_line).filter(bool).filter(unmistakable)
html = (
    st.text(max_size=60)
    .map(lambda text: clean_html(text, "https://a.example/"))
    .filter(unmistakable)
)
web = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9&=?;%]{0,20}", fullmatch=True)
moment = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
).map(lambda at: at.replace(microsecond=0))  # fmt: skip
maybe = st.none


@st.composite
def entries(draw):
    content = draw(html)
    categories = st.builds(Category, line, maybe() | web, maybe() | line)
    authors = st.builds(Author, line, st.just(None), maybe() | web)
    enclosures = st.builds(
        Enclosure, web, maybe() | st.just("audio/mpeg"), maybe() | st.integers(0, 10**12)
    )
    source = st.builds(Source, web, line, maybe() | web, maybe() | web, moment, maybe() | line)
    return PublishedEntry(
        id=draw(web),
        title=draw(line),
        updated=draw(moment),
        link=draw(web),
        published=draw(maybe() | moment),
        summary=draw(html.filter(lambda text: text != content)) if content else "",
        content=content,
        authors=tuple(draw(st.lists(authors, min_size=1, max_size=3, unique=True))),
        categories=tuple(draw(st.lists(categories, max_size=3, unique=True))),
        enclosures=tuple(draw(st.lists(enclosures, max_size=2, unique=True))),
        language=draw(st.sampled_from(["en", "fr", "pt-BR"])),
        rights=draw(maybe() | line),
        source=draw(maybe() | source),
        related=tuple(draw(st.lists(web, max_size=2, unique=True))),
    )


@settings(max_examples=300, deadline=None)
@given(entries())
def test_whatever_goes_in_comes_out(entry):
    (read_back,) = read(render_atom(feed_from_row(entry))).entries
    assert squeezed(back(read_back)) == squeezed(entry)


def squeezed(entry):
    """feedparser strips text; white space at the ends is nobody's loss."""
    return replace(entry, content=entry.content.strip(), summary=entry.summary.strip())


@pytest.mark.parametrize("vector", ["]]>", "<!--", "&#x0b;", "\u2028", "<script>alert(1)</script>"])
def test_titles_that_look_like_markup(vector):
    (entry,) = read(render_atom(feed_from_row(replace(ENTRY, title=vector)))).entries
    assert remove_illegal(entry.title) == one_line(vector)


def test_an_entry_that_was_stored_with_a_control_character_costs_nobody_the_feed():
    bad = replace(ENTRY, content="<p>one\x1b two\ufffe</p>", summary="\x01short")
    good = replace(ENTRY, id="tag:a.example,2026:2")
    first, second = read(render_atom(feed_from_row(bad, good))).entries
    assert first.content[0].value == "<p>one two</p>"
    assert first.summary == "short"
    assert second.id == good.id


def test_the_list_of_feeds():
    document = render_opml(SITE, [feed_from_row(ENTRY)]).decode()
    assert 'xmlUrl="https://site.example/communs.atom"' in document
    assert 'text="#Communs"' in document
    assert "dateCreated" not in document


def test_a_month_of_the_archive():
    """RFC 5005 section 4."""
    months = {"previous": "communs/2026-09", "next": "communs/2026-11", "current": "communs"}
    document = render_atom(
        replace(feed_from_row(ENTRY), path="communs/2026-10", archive=True, **months)
    )
    parsed = read(document)
    assert b'<fh:archive xmlns:fh="http://purl.org/syndication/history/1.0"/>' in document or (
        b"<fh:archive/>" in document and b'xmlns:fh="http://purl.org/syndication' in document
    )
    assert {link.rel: link.href for link in parsed.feed.links} == {
        "self": "https://site.example/communs/2026-10.atom",
        "current": "https://site.example/communs.atom",
        "prev-archive": "https://site.example/communs/2026-09.atom",
        "next-archive": "https://site.example/communs/2026-11.atom",
    }
    assert parsed.feed.id == "urn:uuid:1"
    assert back(parsed.entries[0]) == ENTRY


def test_the_live_feed_names_its_archive_and_its_hub():
    feed = replace(feed_from_row(ENTRY), previous="communs/2026-11", hub="https://hub.example/")
    document = render_atom(feed)
    links = {link.rel: link.href for link in read(document).feed.links}
    assert links["prev-archive"] == "https://site.example/communs/2026-11.atom"
    assert links["hub"] == "https://hub.example/"
    assert b"fh:archive" not in document
