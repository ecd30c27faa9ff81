"""feedparser reads back what we render."""

import io
import re
from calendar import timegm
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

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
from aggregator.publish.atom import render_atom
from aggregator.publish.opml import render_opml
from aggregator.text.uris import to_uri
from tests.atomrules import complaints

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
        Enclosure("https://a.example/e.mp3", "audio/mpeg", 12, 754, "Épisode <1>"),
        Enclosure("https://a.example/f.ogg"),
        Enclosure("https://a.example/g.jpg", "image/jpeg", title="Two trees"),
    ),
    language="en",
    rights="CC0",
    source=Source(
        "urn:f", "The feed", "https://a.example/", "https://a.example/feed", NOW, "CC BY"
    ),
    related=("https://b.example/1", "https://c.example/?x=1&y"),
    image="https://a.example/g.jpg",
    via=Source("urn:p", "The planet", "https://planet.example/"),
)


def make_feed(*entries):
    updated = max((entry.updated for entry in entries), default=NOW)
    return OutputFeed(TAG, "communs", SITE, updated, entries, 1)


def parse(document):
    # It gives an author without an e-mail address the one before's.
    guesses = patch.object(feedparser.mixin._FeedParserMixin, "_sync_author_detail")
    with guesses:
        parsed = feedparser.parse(
            io.BytesIO(document), sanitize_html=False, resolve_relative_uris=False
        )
    assert not parsed.bozo, parsed.get("bozo_exception")
    assert parsed.version == "atom10"
    return parsed


def make_datetime(parsed):
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def make_entry(entry):
    """The `PublishedEntry` from an entry as feedparser reads it; its ``via`` is only an address."""
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
        authors=tuple(make_author(person) for person in entry.get("authors", [])),
        categories=tuple(
            Category(tag.term, tag.scheme, tag.label) for tag in entry.get("tags", [])
        ),
        enclosures=make_enclosures(entry),
        language=entry.title_detail.language or None,
        rights=entry.get("rights"),
        source=make_source(entry.get("source")),
        related=tuple(link.href for link in links if link.rel == "related"),
        image=entry.media_thumbnail[0]["url"] if "media_thumbnail" in entry else None,
        via=next((make_via(link) for link in links if link.rel == "via"), None),
    )


def make_author(person):
    return Author(person.name, person.get("email"), person.get("href"))


def make_via(link):
    return Source("", link.title, link.href)


def with_link_to_via(entry):
    """``entry`` with what a link can say of its ``via``."""
    via = entry.via
    return replace(entry, via=Source("", via.title, via.link or via.self_url)) if via else entry


def make_enclosures(entry):
    """RFC 4287 section 4.2.7, and the durations of Media RSS."""
    media = {content["url"]: content for content in entry.get("media_content", [])}
    enclosures = []
    for link in entry.get("links", []):
        if link.rel == "enclosure":
            content = media.get(link.href, {})
            media_type = link.type if link.type != "text/html" else None  # feedparser's default
            length = int(link.length) if "length" in link else None
            if content:
                assert content.get("type") == media_type
                assert content.get("filesize") == (str(length) if length else None)
            duration = int(content["duration"]) if content else None
            enclosures.append(Enclosure(link.href, media_type, length, duration, link.get("title")))
    return tuple(enclosures)


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
    assert make_entry(parsed.entries[0]) == with_link_to_via(ENTRY)
    assert parsed.feed.id == "urn:uuid:1"
    assert parsed.feed.title == "A site: #Communs"
    assert parsed.feed.subtitle == "What we hold together"
    assert [author.name for author in parsed.feed.authors] == ["Somebody"]
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
name = st.from_regex(r"[A-Z][a-zé’]{1,8}( [A-Z][a-z]{1,8})?", fullmatch=True)
html = (
    st.text(max_size=60)
    .map(lambda text: clean_html(text, "https://a.example/"))
    .filter(is_unambiguous)
)
web = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9&=?;%é]{0,20}", fullmatch=True).map(to_uri)
moment = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
).map(lambda at: at.replace(microsecond=0))  # fmt: skip
maybe = st.none


@st.composite
def published_entries(draw):
    content = draw(html)
    categories = st.builds(Category, line, maybe() | web, maybe() | line)
    authors = st.builds(Author, name, st.just(None), maybe() | web)
    enclosures = st.builds(
        Enclosure,
        web,
        maybe() | st.sampled_from(["audio/mpeg", "video/mp4", "image/png", "application/pdf"]),
        maybe() | st.integers(0, 10**12),
        maybe() | st.integers(1, 10**5),
        maybe() | line,
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
        enclosures=tuple(draw(st.lists(enclosures, max_size=2, unique_by=lambda e: e.url))),
        language=draw(st.sampled_from(["en", "fr", "pt-BR"])),
        rights=draw(maybe() | line),
        source=draw(maybe() | source),
        related=tuple(draw(st.lists(web, max_size=2, unique=True))),
        image=draw(maybe() | web),
        via=draw(maybe() | st.builds(Source, web, line, web)),
    )


@settings(max_examples=300, deadline=None)
@given(published_entries())
def test_rendered_entry_is_parsed_back(entry):
    document = render_atom(make_feed(entry))
    (parsed,) = parse(document).entries
    assert strip_html(make_entry(parsed)) == with_link_to_via(strip_html(entry))
    assert complaints(document, "https://site.example/communs.atom") == []


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
    assert make_entry(parsed.entries[0]) == with_link_to_via(ENTRY)
    assert complaints(document, "https://site.example/communs/2026-10.atom") == []


def test_only_document_of_an_archive_is_not_marked():
    """feedvalidator: ArchiveIncomplete. RFC 5005 section 4 does not demand the mark."""
    feed = replace(make_feed(ENTRY), path="communs/2026-10", archive=True, current="communs")
    document = render_atom(feed)
    assert b"fh:archive" not in document
    assert {link.rel: link.href for link in parse(document).feed.links} == {
        "self": "https://site.example/communs/2026-10.atom",
        "current": "https://site.example/communs.atom",
    }
    assert complaints(document, "https://site.example/communs/2026-10.atom") == []


def test_media():
    """Media RSS 1.5.1: beside the links, only what a link cannot say."""
    document = render_atom(make_feed(ENTRY)).decode()
    elements = re.findall("<media:.*", document)
    assert elements == [
        '<media:content url="https://a.example/e.mp3" type="audio/mpeg" fileSize="12" medium="audio"'
        ' duration="754"/>',
        '<media:thumbnail url="https://a.example/g.jpg"/>',
    ]
    assert (
        '<link rel="enclosure" href="https://a.example/e.mp3" type="audio/mpeg" length="12" '
        'title="Épisode &lt;1&gt;"/>'
    ) in document
    assert '<link rel="via" href="https://planet.example/" title="The planet"/>' in document
    assert (
        "xmlns:media"
        not in render_atom(make_feed(replace(ENTRY, image=None, enclosures=()))).decode()
    )


@pytest.mark.parametrize(
    ("enclosure", "attributes"),
    [
        (Enclosure("https://a.example/", "video/mp4", 0, 60), 'type="video/mp4" medium="video" duration="60"'),
        (Enclosure("https://a.example/", None, None, 60), 'duration="60"'),
        (Enclosure("https://a.example/", "application/x-a", 5, 1), 'type="application/x-a" fileSize="5" duration="1"'),
    ],
)  # fmt: skip
def test_duration_of_other_types(enclosure, attributes):
    document = render_atom(make_feed(replace(ENTRY, enclosures=(enclosure,)))).decode()
    assert f'<media:content url="https://a.example/" {attributes}/>' in document
    assert complaints(document.encode(), "https://site.example/communs.atom") == []


def test_no_duration_is_not_zero():
    document = render_atom(
        make_feed(replace(ENTRY, enclosures=(Enclosure("https://a.example/", duration_seconds=0),)))
    )
    assert b"<media:content" not in document


def test_live_feed_links_to_archive_and_hub():
    feed = replace(make_feed(ENTRY), previous="communs/2026-11", hub="https://hub.example/")
    document = render_atom(feed)
    links = {link.rel: link.href for link in parse(document).feed.links}
    assert links["prev-archive"] == "https://site.example/communs/2026-11.atom"
    assert links["hub"] == "https://hub.example/"
    assert b"fh:archive" not in document
