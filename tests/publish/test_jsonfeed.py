"""What goes into a JSON Feed comes out of it again, read by our own reader of that format."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

from hypothesis import given, settings

from aggregator.model import Author, Category, Enclosure, Fetched, PublishedEntry, Reason
from aggregator.parse.jsonfeed_reader import read_jsonfeed
from aggregator.publish.jsonfeed import render_jsonfeed
from tests.publish.test_atom import ENTRY, NOW, entries, feed_from_row

LATER = datetime(2101, 1, 1, tzinfo=UTC)  # later than any date that is drawn


def document(*published):
    return json.loads(render_jsonfeed(feed_from_row(*published)))


def test_the_document():
    feed = document(ENTRY)
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
            "date_published": "2026-11-23T12:00:00+00:00",
            "date_modified": "2026-11-24T12:00:00+00:00",
            "authors": [{"name": "Ann", "url": "https://ann.example/"}, {"name": "Bob"}],
            "tags": ["t", "u"],
            "language": "en",
            "attachments": [
                {"url": "https://a.example/e.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 12},
                {"url": "https://a.example/f.ogg", "mime_type": "application/octet-stream"},
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
            "_related": ["https://b.example/1", "https://c.example/?x=1&y"],
        }
    ]


def test_what_is_not_known_is_left_out():
    (item,) = document(PublishedEntry("urn:x", "T < U", NOW))["items"]
    assert item == {
        "id": "urn:x",
        "title": "T < U",
        "content_html": "T &lt; U",
        "date_modified": "2026-11-24T12:00:00+00:00",
    }
    assert document()["items"] == []


def test_a_summary_is_plain_text():
    summary = "<p>Short <b>&amp;</b> <i>sweet</i></p>"
    (item,) = document(replace(ENTRY, summary=summary))["items"]
    assert item["summary"] == "Short & sweet"


def test_the_same_feed_gives_the_same_bytes():
    assert render_jsonfeed(feed_from_row(ENTRY)) == render_jsonfeed(feed_from_row(ENTRY))


@settings(max_examples=300, deadline=None)
@given(entries())
def test_whatever_goes_in_comes_out(entry):
    body = render_jsonfeed(feed_from_row(entry))
    (draft,) = read_jsonfeed(Fetched("k", "https://site.example/", body), LATER).entries
    assert draft.guid == entry.id
    assert unescape(draft.title_html) == entry.title
    assert draft.link == entry.link
    assert draft.content_html == (entry.content or draft.content_html)
    assert (draft.published, draft.updated) == (entry.published, entry.updated)
    assert [Author(unescape(a.name), None, a.uri) for a in draft.authors] == list(entry.authors)
    terms = dict.fromkeys(category.term for category in entry.categories)
    assert [Category(unescape(c.term)) for c in draft.categories] == [Category(t) for t in terms]
    unknown = "application/octet-stream"
    assert draft.enclosures == [
        Enclosure(e.url, e.type or unknown, e.length_bytes) for e in entry.enclosures
    ]
    assert draft.language == entry.language


def test_why_an_entry_is_here_can_be_read_by_programs():
    reasons = (Reason("Communs", 0.6, "“communs” in the title"), Reason("P2P", 0.4, "x", near=True))
    (item,) = document(replace(ENTRY, reasons=reasons))["items"]
    assert item["_reasons"] == [
        {"tag": "Communs", "score": 0.6, "because": "“communs” in the title"},
        {"tag": "P2P", "score": 0.4, "because": "x", "near": True},
    ]


def test_hub_and_archive_are_named():
    feed = replace(feed_from_row(ENTRY), previous="communs/2026-11", hub="https://hub.example/")
    found = json.loads(render_jsonfeed(feed))
    assert found["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert found["_archive"] == "https://site.example/communs/2026-11.atom"
