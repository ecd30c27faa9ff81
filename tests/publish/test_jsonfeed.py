"""Our JSON Feed parser reads back what we render."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

from hypothesis import assume, given, settings

from aggregator.model import Author, Category, Fetched, PublishedEntry, Reason
from aggregator.parse.jsonfeed_reader import read_jsonfeed
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.text.additions import footer_line
from tests.publish.test_atom import ENTRY, NOW, make_feed, published_entries

LATER = datetime(2101, 1, 1, tzinfo=UTC)  # later than any date that is drawn


def render(*entries):
    return json.loads(render_jsonfeed(make_feed(*entries)))


def test_document():
    feed = render(ENTRY)
    items = feed.pop("items")
    assert feed == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "A site: #Communs",
        "home_page_url": "https://site.example/communs.html",
        "feed_url": "https://site.example/communs.json",
        "description": "What we hold together",
        "language": "fr",
        "authors": [{"name": "Somebody"}],
    }
    assert items == [
        {
            "id": "tag:a.example,2026:1",
            "url": "https://a.example/1?x=1&y=2",
            "title": "Title & <more>",
            "content_html": ENTRY.content,
            "summary": "short",
            "image": "https://a.example/g.jpg",
            "date_published": "2026-11-23T12:00:00+00:00",
            "date_modified": "2026-11-24T12:00:00+00:00",
            "authors": [{"name": "Ann", "url": "https://ann.example/"}, {"name": "Bob"}],
            "tags": ["t", "u"],
            "language": "en",
            "attachments": [
                {
                    "url": "https://a.example/e.mp3",
                    "mime_type": "audio/mpeg",
                    "title": "Épisode <1>",
                    "size_in_bytes": 12,
                    "duration_in_seconds": 754,
                },
                {"url": "https://a.example/f.ogg", "mime_type": "application/octet-stream"},
                {
                    "url": "https://a.example/g.jpg",
                    "mime_type": "image/jpeg",
                    "title": "Two trees",
                },
            ],
            "_rights": "CC0",
            "_source": {
                "id": "urn:f",
                "title": "The feed",
                "home_page_url": "https://a.example/",
                "feed_url": "https://a.example/feed",
                "date_modified": "2026-11-24T12:00:00+00:00",
                "rights": "CC BY",
            },
            "_via": {
                "id": "urn:p",
                "title": "The planet",
                "home_page_url": "https://planet.example/",
            },
            "_related": ["https://b.example/1", "https://c.example/?x=1&y"],
        }
    ]


def test_unknown_values_are_left_out():
    (item,) = render(PublishedEntry("urn:x", "T < U", NOW))["items"]
    assert item == {
        "id": "urn:x",
        "title": "T < U",
        "content_html": "T &lt; U",
        "date_modified": "2026-11-24T12:00:00+00:00",
    }
    assert render()["items"] == []


def test_summary_is_plain_text():
    summary = "<p>Short <b>&amp;</b> <i>sweet</i></p>"
    (item,) = render(replace(ENTRY, summary=summary))["items"]
    assert item["summary"] == "Short & sweet"
    line = footer_line("Here because: x (#A).", "en")
    (item,) = render(replace(ENTRY, content="", summary=summary + line))["items"]
    assert item["summary"] == "Short & sweet"
    assert item["content_html"] == summary + line


def test_same_feed_gives_same_bytes():
    assert render_jsonfeed(make_feed(ENTRY)) == render_jsonfeed(make_feed(ENTRY))


def with_line_feeds(html):
    """The parser takes line breaks without any tag for those of a plain text."""
    return html.strip().replace("\r\n", "\n").replace("<br>", "\n")


@settings(max_examples=300, deadline=None)
@given(published_entries())
def test_rendered_entry_is_parsed_back(entry):
    # The parser replaces references such as "&amp;" in plain texts.
    assume(not any("&" in text for text in (entry.title, *(c.term for c in entry.categories))))
    body = render_jsonfeed(make_feed(entry))
    (draft,) = read_jsonfeed(Fetched("k", "https://site.example/", body), LATER).entries
    assert draft.guid == entry.id
    assert unescape(draft.title_html) == entry.title
    assert draft.link == entry.link
    if entry.content:
        assert with_line_feeds(draft.content_html) == with_line_feeds(entry.content)
    assert (draft.published, draft.updated) == (entry.published, entry.updated)
    assert [Author(unescape(a.name), None, a.uri) for a in draft.authors] == list(entry.authors)
    terms = dict.fromkeys(category.term for category in entry.categories)
    assert [Category(unescape(c.term)) for c in draft.categories] == [Category(t) for t in terms]
    unknown = "application/octet-stream"
    assert [replace(e, title=None) for e in draft.enclosures] == [
        replace(e, type=e.type or unknown, title=None) for e in entry.enclosures
    ]
    assert (draft.image or None, draft.source) == (entry.image, entry.source)
    assert draft.language == entry.language


def test_reasons_are_machine_readable():
    reasons = (Reason("Communs", 0.6, "“communs” in the title"), Reason("P2P", 0.4, "x", near=True))
    (item,) = render(replace(ENTRY, reasons=reasons))["items"]
    assert item["_reasons"] == [
        {"tag": "Communs", "score": 0.6, "because": "“communs” in the title"},
        {"tag": "P2P", "score": 0.4, "because": "x", "near": True},
    ]


def test_tags_of_the_reader_are_told_apart():
    ours = (
        Category("t", "https://site.example/#tags", "#t"),
        Category("Communs", "https://site.example/#tags", "#Communs"),
        Category("clipped", "https://site.example/#marks", "Clipped by the reader"),
    )
    entry = replace(ENTRY, categories=(*ENTRY.categories, *ours))
    (item,) = render(entry)["items"]
    assert item["tags"] == ["t", "u", "Communs", "clipped"]
    assert item["_reader_tags"] == ["Communs", "clipped"]
    body = render_jsonfeed(make_feed(entry))
    (draft,) = read_jsonfeed(Fetched("k", "https://site.example/", body), LATER).entries
    assert draft.categories == [Category("t"), Category("u")]


def test_hub_and_archive():
    feed = replace(make_feed(ENTRY), previous="communs/2026-11", hub="https://hub.example/")
    rendered = json.loads(render_jsonfeed(feed))
    assert rendered["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert rendered["_archive"] == "https://site.example/communs/2026-11.atom"
