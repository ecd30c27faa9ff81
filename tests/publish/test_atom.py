"""feedparser reads back what we render."""

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


def make_feed(*entries):
    updated = max((entry.updated for entry in entries), default=NOW)
    return OutputFeed(TAG, "communs", SITE, updated, entries, 1)


def parse(document):
    parsed = feedparser.parse(
        io.BytesIO(document), sanitize_html=False, resolve_relative_uris=False
    )
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    return parsed


def make_datetime(parsed):
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def make_entry(entry):
    """The `PublishedEntry` from an entry as feedparser reads it."""
    links = entry.get("links", [])
    content = entry.content[0].value if "content" in entry else ""
    return PublishedEntry(
        id=entry.id,
        title=entry.title,
        updated=make_datetime(entry.updated_parsed),
        link=next((link.href for link in links if link.rel == "alternate"), None),
        published=make_datetime(entry.published_parsed) if "published" in entry else None,
        summary=entry.summary if "summary" in entry and entry.summary != content else "",
        content=content,
        authors=tuple(authors_of(entry)),
        categories=tuple(
            Category(tag.term, tag.scheme, tag.label) for tag in entry.get("tags", [])
        ),
        enclosures=tuple(enclosures_of(entry)),
        language=entry.title_detail.language or None,
        rights=entry.get("rights"),
        source=make_source(entry.get("source")),
        related=tuple(link.href for link in links if link.rel == "related"),
    )


def make_source(source):
    if source is None:
        return None
    links = {link.rel: link.href for link in source.get("links", [])}
    updated = make_datetime(source.get("updated_parsed"))
    return Source(
        source.id, source.title, links.get("alternate"), links.get("self"), updated,
        source.get("rights"),
    )  # fmt: skip


def test_all_fields_are_read_back():
    parsed = parse(render_atom(make_feed(ENTRY)))
    assert make_entry(parsed.entries[0]) == ENTRY
    assert parsed.feed.id == "urn:uuid:1"
    assert parsed.feed.title == "A site: #Communs"
    assert parsed.feed.subtitle == "What we hold together"
    assert parsed.feed.author == "Somebody"
    assert make_datetime(parsed.feed.updated_parsed) == NOW
    assert [(link.rel, link.type, link.href) for link in parsed.feed.links] == [
        ("self", "application/atom+xml", "https://site.example/communs.atom"),
        ("alternate", "text/html", "https://site.example/communs.html"),
        ("alternate", "application/feed+json", "https://site.example/communs.json"),
    ]
    assert parsed.feed.language == "fr"


def test_entries_keep_their_order():
    entries = tuple(replace(ENTRY, id=f"urn:{n}") for n in range(5))
    parsed = parse(render_atom(make_feed(*entries)))
    assert [entry.id for entry in parsed.entries] == [entry.id for entry in entries]


def test_same_feed_gives_same_bytes():
    assert render_atom(make_feed(ENTRY)) == render_atom(make_feed(ENTRY))


def test_empty_feed_is_valid():
    assert parse(render_atom(make_feed())).entries == []


def test_entry_without_link_has_its_title_as_content():
    bare = PublishedEntry("urn:x", "T < U", NOW)
    (entry,) = parse(render_atom(make_feed(bare))).entries
    assert entry.content[0].value == "T &lt; U"


def is_unambiguous(text):
    """feedparser must not take it for UTF-8 read as Latin-1, and repair it ("Ã©" becomes "é")."""
    try:
        return text.encode("latin-1").decode("utf-8") == text
    except UnicodeError:
        return True


line = st.text(max_size=30).map(one_line).filter(bool).filter(is_unambiguous)
html = (
    st.text(max_size=60)
    .map(lambda text: clean_html(text, "https://a.example/"))
    .filter(is_unambiguous)
)
web = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9&=?;%]{0,20}", fullmatch=True)
moment = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
).map(lambda at: at.replace(microsecond=0))  # fmt: skip
maybe = st.none


@st.composite
def published_entries(draw):
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
@given(published_entries())
def test_rendered_entry_is_parsed_back(entry):
    (parsed,) = parse(render_atom(make_feed(entry))).entries
    assert strip_html(make_entry(parsed)) == strip_html(entry)


def strip_html(entry):
    """feedparser strips text."""
    return replace(entry, content=entry.content.strip(), summary=entry.summary.strip())


@pytest.mark.parametrize("vector", ["]]>", "<!--", "&#x0b;", "\u2028", "<script>alert(1)</script>"])
def test_title_that_looks_like_markup(vector):
    (entry,) = parse(render_atom(make_feed(replace(ENTRY, title=vector)))).entries
    assert remove_illegal(entry.title) == one_line(vector)


def test_stored_control_characters_are_removed():
    bad = replace(ENTRY, content="<p>one\x1b two\ufffe</p>", summary="\x01short")
    good = replace(ENTRY, id="tag:a.example,2026:2")
    first, second = parse(render_atom(make_feed(bad, good))).entries
    assert first.content[0].value == "<p>one two</p>"
    assert first.summary == "short"
    assert second.id == good.id


def test_opml_of_the_feeds():
    document = render_opml(SITE, [make_feed(ENTRY)]).decode()
    assert 'xmlUrl="https://site.example/communs.atom"' in document
    assert 'text="#Communs"' in document
    assert "dateCreated" not in document


def test_archive_document():
    """RFC 5005 section 4."""
    months = {"previous": "communs/2026-09", "next": "communs/2026-11", "current": "communs"}
    document = render_atom(
        replace(make_feed(ENTRY), path="communs/2026-10", archive=True, **months)
    )
    parsed = parse(document)
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
    assert make_entry(parsed.entries[0]) == ENTRY


def test_live_feed_links_to_archive_and_hub():
    feed = replace(make_feed(ENTRY), previous="communs/2026-11", hub="https://hub.example/")
    document = render_atom(feed)
    links = {link.rel: link.href for link in parse(document).feed.links}
    assert links["prev-archive"] == "https://site.example/communs/2026-11.atom"
    assert links["hub"] == "https://hub.example/"
    assert b"fh:archive" not in document
