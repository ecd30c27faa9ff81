"""What people see: pictures, players, where an entry comes from, how a source is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from lxml import html

from aggregator.model import (
    Enclosure,
    FeedState,
    OutputFeed,
    PublishedEntry,
    Site,
    Source,
    Subscription,
)
from aggregator.publish.html import Pages
from aggregator.publish.translations import load_translator
from tests.publish.test_atom import TAG

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SITE = Site("A site", "https://site.example/", "Somebody", "en")
PICTURE = "https://a.example/p.jpg?a&b"
ENTRY = PublishedEntry(
    id="urn:1",
    title="A title",
    updated=NOW,
    link="https://a.example/1",
    language="fr",
    source=Source("urn:f", "A blog"),
    image=PICTURE,
)
SOURCE = Subscription("https://a.example/feed", "A blog", "https://a.example/feed")
NNBSP = "\u202f"


def pages(language="en", **settings):
    return Pages(replace(SITE, language=language), {SOURCE.key: "_source/a.html"}, [], **settings)


def render(entry, language="en", **settings):
    feed = OutputFeed(TAG, "communs", replace(SITE, language=language), NOW, (entry,), 1)
    return html.fromstring(pages(language, **settings).channel(feed, {}, [], [], []))


def every_page(entry, **settings):
    """The pages on which an entry may stand."""
    site = pages(**settings)
    feed = OutputFeed(TAG, "communs", SITE, NOW, (entry,), 1)
    yield site.channel(feed, {}, [], [], [])
    yield site.index({}, [(entry, [])])
    yield site.source(SOURCE, FeedState(SOURCE.key), [entry], [])


def policy(document):
    (meta,) = document.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    return dict(part.strip().split(" ", 1) for part in meta.split(";"))


def test_picture_is_a_thumbnail():
    for page in every_page(ENTRY):
        document = html.fromstring(page)
        (image,) = document.xpath("//img")
        assert dict(image.attrib) == {
            "class": "thumbnail", "src": PICTURE, "alt": "", "lang": "fr", "loading": "lazy",
            "referrerpolicy": "no-referrer",
        }  # fmt: skip
        assert policy(document)["img-src"] == "https: http: data:"
        assert policy(document)["default-src"] == "'none'"


def test_text_of_the_picture_is_its_caption():
    caption = Enclosure(PICTURE, "image/jpeg", title='Two "trees" <b>')
    (image,) = render(replace(ENTRY, enclosures=(caption,))).xpath("//img")
    assert image.get("alt") == 'Two "trees" <b>'


def test_without_thumbnails_pages_load_nothing():
    picture = Enclosure(PICTURE, "image/jpeg", title="Two trees")
    for page in every_page(replace(ENTRY, enclosures=(picture,)), thumbnails=False):
        document = html.fromstring(page)
        assert document.xpath("//img") == []
        assert policy(document)["img-src"] == "data:"
    assert render(replace(ENTRY, image=None)).xpath("//img") == []


def links(document):
    return [
        (a.text_content(), a.get("href"), a.get("type"))
        for a in document.xpath("//ul[@class='enclosures']/li/a")
    ]


def test_enclosures_are_links():
    audio = Enclosure("https://a.example/e.mp3", "audio/mpeg", 12_000_000, 754, "Épisode <1>")
    document = Enclosure("https://a.example/d.pdf", "application/pdf", 2_960_000)
    unknown = Enclosure("https://a.example/x")
    picture = Enclosure(PICTURE, "image/jpeg", title="Two trees")
    entry = replace(ENTRY, enclosures=(picture, audio, document, unknown))
    for page in every_page(entry):
        tree = html.fromstring(page)
        assert links(tree) == [
            ("Listen (12:34)", "https://a.example/e.mp3", "audio/mpeg"),
            ("Download (3 MB)", "https://a.example/d.pdf", "application/pdf"),
            ("Download", "https://a.example/x", None),
        ]
        assert tree.xpath("//ul[@class='enclosures']/li/span/text()") == ["Épisode <1>"]
        assert tree.xpath("//audio | //video | //iframe") == []
    many = replace(ENTRY, enclosures=(audio,) * 300)
    assert len(links(render(many))) == 10


@pytest.mark.parametrize(
    ("enclosure", "english", "french"),
    [
        (Enclosure("u", "audio/mpeg"), "Listen", "Écouter"),
        (Enclosure("u", "audio/mpeg", 10**7, 5), "Listen (0:05)", "Écouter (0:05)"),
        (Enclosure("u", "audio/ogg", None, 3723), "Listen (1:02:03)", "Écouter (1:02:03)"),
        (Enclosure("u", "audio/ogg", None, 360_000), "Listen (100:00:00)", "Écouter (100:00:00)"),
        (Enclosure("u", "video/mp4", 2_400_000), "Watch (2.4 MB)", f"Regarder (2,4{NNBSP}Mo)"),
        (Enclosure("u", "video/mp4", 0, 0), "Watch", "Regarder"),
        (Enclosure("u", "image/png", 24_000), "Picture (24 kB)", f"Image (24{NNBSP}ko)"),
        (Enclosure("u", "application/pdf", 1), "Download", "Télécharger"),
        (Enclosure("u", None, 7_500_000_000), "Download (7.5 GB)", f"Télécharger (7,5{NNBSP}Go)"),
    ],
)
def test_words_for_enclosures(enclosure, english, french):
    assert load_translator("en").enclosure(enclosure) == english
    assert load_translator("fr").enclosure(enclosure) == french


@pytest.mark.parametrize(
    ("changes", "english", "french"),
    [
        ({}, "from A blog", "via A blog"),
        ({"via": Source("p", "A <b>")}, "from A blog, via A <b>", "de A blog, via A <b>"),
        ({"source": None}, "Clipped by the reader", "Extrait conservé par le lecteur"),
    ],
)
def test_origin_of_an_entry(changes, english, french):
    entry = replace(ENTRY, **changes)
    for page in every_page(entry):
        assert english in html.fromstring(page).text_content()
    assert french in render(entry, "fr").text_content()


def test_notes_of_a_source():
    state = FeedState(SOURCE.key, fetched_at=NOW, notes="2 dates were guessed\nA <b> was left out")
    site = pages()
    for page in (
        site.source(SOURCE, state, [], []),
        site.status([SOURCE], {SOURCE.key: state}, {SOURCE.key: 1}, []),
    ):
        notes = html.fromstring(page).xpath("//ul[@lang='en']/li")
        assert [note.text_content() for note in notes] == [
            "2 dates were guessed", "A <b> was left out"
        ]  # fmt: skip
    without = site.source(SOURCE, replace(state, notes=None), [], [])
    assert html.fromstring(without).xpath("//ul[@lang='en']") == []
