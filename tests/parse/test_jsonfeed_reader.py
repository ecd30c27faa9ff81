"""What publishers write as JSON Feed; the expected values are those of the document."""

import json
from datetime import UTC, datetime

import pytest

from aggregator.model import Author, Enclosure, Fetched, ParsedFeed, ParseFailed, Validators
from aggregator.parse.document import parse_document

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/blog/feed.json"
VERSION = {"version": "https://jsonfeed.org/version/1.1"}


def parse(body, url=URL):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_document(Fetched(URL, url, body, "", Validators()), NOW)


def feed(document):
    parsed = parse(document)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def entry(item, **more):
    parsed = feed(VERSION | more | {"items": [{"id": "1"} | item]})
    assert not parsed.notes
    (entry,) = parsed.entries
    return entry


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Q&amp;A", "Q&A"),
        ("Q&A", "Q&A"),
        ("AT&T &#8212; l&rsquo;&eacute;t&#xe9;", "AT&T — l’été"),
        ("Use <b> tags", "Use <b> tags"),
        ("Use &lt;b&gt; tags", "Use <b> tags"),
        ("a < b && c > d", "a < b && c > d"),
        ("R&D; &unknown; &copy 2026", "R&D; &unknown; &copy 2026"),
        ("&notit;", "&notit;"),
        ("&amp;amp;", "&amp;"),
        ("l&#146;&#156;uvre", "l’œuvre"),
        (" Two\n lines ", "Two lines"),
        (2026, "2026"),
    ],
)
def test_titles_are_plain_text(title, expected):
    assert entry({"title": title}).title == expected
    if isinstance(title, str):
        assert feed(VERSION | {"title": title, "items": []}).feed.title == expected


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"authors": [{"name": "Ann"}, {"name": "Bo"}]}, ["Ann", "Bo"]),
        ({"authors": {"name": "Ann"}}, ["Ann"]),
        ({"authors": "Ann"}, ["Ann"]),
        ({"authors": ["Ann", "Bo"]}, ["Ann", "Bo"]),
        ({"author": {"name": "Ann"}}, ["Ann"]),
        ({"author": "Ann"}, ["Ann"]),
        ({"author": [{"name": "Ann"}]}, ["Ann"]),
        ({"authors": [{"name": "Ann"}], "author": {"name": "Ann A."}}, ["Ann"]),
        ({"authors": [], "author": {"name": "Ann"}}, ["Ann"]),
        ({"authors": [{"name": "Tom &amp; Ann"}]}, ["Tom & Ann"]),
        ({"authors": [{"name": None}, 3, None]}, ["Feed"]),
        ({"author": None}, ["Feed"]),
    ],
)
def test_authors(fields, names):
    parsed = entry(fields, authors=[{"name": "Feed"}])
    assert [author.name for author in parsed.authors] == names
    of_feed = entry({}, **fields)
    assert [a.name for a in of_feed.authors] == [name for name in names if name != "Feed"]


def test_address_of_author():
    author = {"name": "Ann", "url": "https://ann.example/", "avatar": "https://ann.example/a.png"}
    assert entry({"authors": [author]}).authors == (Author("Ann", None, "https://ann.example/"),)


@pytest.mark.parametrize(
    ("tags", "terms"),
    [
        (["a", "b"], ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("a;b ; c", ["a", "b", "c"]),
        ("bien commun", ["bien commun"]),
        ("a", ["a"]),
        ("", []),
        ([{"name": "a"}, {"label": "b"}, {"id": 3}], ["a", "b"]),
        (["Q&amp;A", "<i>"], ["Q&A", "<i>"]),
        ({"a": "b"}, []),
        (None, []),
        ([1, None, ["x"]], []),
    ],
)
def test_tags(tags, terms):
    assert [category.term for category in entry({"tags": tags}).categories] == terms


@pytest.mark.parametrize(
    ("identifier", "key"),
    [("12", "12"), (12, "12"), (12.0, "12"), (1.5, "1.5"), (" x ", "x"), (10**30, "1" + "0" * 30)],
)
def test_numbers_as_ids(identifier, key):
    assert entry({"id": identifier, "url": "/p"}).key == key


@pytest.mark.parametrize("identifier", [None, "", True, [1], {}, float("nan")])
def test_entry_without_id_is_its_page(identifier):
    assert entry({"id": identifier, "url": "/p"}).key == "a.example/p"


def test_number_with_thousands_of_digits():
    body = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": %s, "title": "x"}]}'
    assert feed(body % (b"9" * 5000)).entries[0].title == "x"


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"home_page_url": "https://b.example/site/"}, "https://b.example/site/p"),
        ({"home_page_url": "/other/"}, "https://a.example/other/p"),
        ({"feed_url": "https://c.example/x/feed.json"}, "https://c.example/x/p"),
        ({}, "https://a.example/blog/p"),
        ({"home_page_url": 3, "feed_url": None}, "https://a.example/blog/p"),
    ],
)
def test_relative_addresses(fields, link):
    item = {"url": "p", "attachments": [{"url": "p"}], "image": "p"}
    parsed = entry(item, **fields)
    assert parsed.link == link
    assert [enclosure.url for enclosure in parsed.enclosures] == [link]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        (
            {"content_text": "One\nTwo\r\n\r\n<b> & 5 < 6"},
            "One<br>Two<br><br>&lt;b&gt; &amp; 5 &lt; 6",
        ),
        ({"content_html": "One\nTwo & three"}, "One<br>Two &amp; three"),
        ({"content_html": "Caf&eacute;\n5 &lt; 6"}, "Café<br>5 &lt; 6"),
        ({"content_html": "<p>One\nTwo</p>"}, "<p>One\nTwo</p>"),
        ({"content_html": "<p>H</p>", "content_text": "T"}, "<p>H</p>"),
        ({"content_html": "", "content_text": "T"}, "T"),
        ({"content_html": None, "content_text": "T"}, "T"),
        ({"summary": "Only & this"}, "Only &amp; this"),
    ],
)
def test_content(fields, content):
    assert entry(fields).content == content


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("Plain & simple", "Plain &amp; simple"),
        ("Q&amp;A", "Q&amp;A"),
        ("<p>Some <em>HTML</em></p>", "<p>Some <em>HTML</em></p>"),
        ("One<br>two", "One<br>two"),
        ("Use <b> for bold", "Use &lt;b&gt; for bold"),
        ("I <3 you", "I &lt;3 you"),
    ],
)
def test_summary(summary, expected):
    assert entry({"summary": summary, "content_text": "x"}).summary == expected


def test_page_that_an_entry_is_about():
    item = {"url": "https://a.example/post", "external_url": "https://b.example/x?a=1&b=2"}
    parsed = entry(item | {"content_html": "<p>Look.</p>"})
    assert parsed.link == "https://a.example/post"
    assert parsed.text == "Look.\n\nb.example"
    assert 'href="https://b.example/x?a=1&amp;b=2"' in parsed.content
    linked = '<p><a href="https://b.example/x?a=1&amp;b=2">Look</a>.</p>'
    assert "b.example</a>" not in entry(item | {"content_html": linked}).content
    assert entry({"external_url": "https://b.example/"}).link == "https://b.example/"


@pytest.mark.parametrize(
    ("attachment", "enclosure"),
    [
        (
            {"url": "https://a.example/e.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5,
             "duration_in_seconds": 61, "title": "Q&amp;A"},
            Enclosure("https://a.example/e.mp3", "audio/mpeg", 5, 61, "Q&A"),
        ),
        (
            {"url": "https://a.example/e.mp3", "size_in_bytes": "5", "duration_in_seconds": "61.4"},
            Enclosure("https://a.example/e.mp3", None, 5, 61),
        ),
        (
            {"url": "https://a.example/e.mp3", "size_in_bytes": -1, "duration_in_seconds": "soon"},
            Enclosure("https://a.example/e.mp3"),
        ),
        (
            {"url": "https://a.example/e.mp3", "size_in_bytes": 10**40, "duration_in_seconds": True},
            Enclosure("https://a.example/e.mp3"),
        ),
    ],
)  # fmt: skip
def test_attachments_in_the_draft(attachment, enclosure):
    from aggregator.parse.jsonfeed_reader import read_jsonfeed

    for attachments in (attachment, [attachment, None, "x"]):
        body = json.dumps(VERSION | {"items": [{"id": 1, "attachments": attachments}]}).encode()
        draft = read_jsonfeed(Fetched(URL, URL, body, "", Validators()), NOW)
        assert draft.entries[0].enclosures == [enclosure]


def test_pictures_in_the_draft():
    from aggregator.parse.jsonfeed_reader import read_jsonfeed

    items = [{"image": "a.png", "banner_image": "b.png"}, {"banner_image": "b.png"}, {"image": 3}]
    body = json.dumps(VERSION | {"items": items}).encode()
    draft = read_jsonfeed(Fetched(URL, URL, body, "", Validators()), NOW)
    assert [entry.image for entry in draft.entries] == ["a.png", "b.png", ""]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-11-20T10:00:00+01:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("2026-11-20T10:00:00Z", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        (" 2026-11-20T10:00:00.123456-05:00 ", datetime(2026, 11, 20, 15, tzinfo=UTC)),
        ("2026-11-20 10:00:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 10:00:00 +0100", datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 10:00:00 GMT", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
        (True, None),
        ({"date": "2026-11-20"}, None),
    ],
)
def test_dates(date, expected):
    parsed = entry({"date_published": date, "date_modified": date})
    assert (parsed.published, parsed.updated) == (expected, expected)


def test_language_of_an_entry():
    parsed = feed(
        VERSION | {"language": "fr", "items": [{"id": 1, "language": "nl-BE"}, {"id": 2}]}
    )
    assert [entry.language for entry in parsed.entries] == ["nl-BE", "fr"]


@pytest.mark.parametrize(
    ("encode", "is_damaged"),
    [
        (lambda text: text.encode(), False),
        (lambda text: text.encode("utf-8-sig"), False),
        (lambda text: text.encode("utf-16"), False),
        (lambda text: text.encode("utf-16-le"), False),
        (lambda text: text.encode("utf-16-be"), False),
        (lambda text: text.encode("utf-32"), False),
        (lambda text: text.encode("latin-1"), True),
        (lambda text: text.encode("cp1252"), True),
        (lambda text: b"\r\n\t " + text.encode(), False),
    ],
)
def test_encodings(encode, is_damaged):
    item = {"id": "1", "title": "Été", "content_html": '<meta charset="shift_jis">é'}
    parsed = feed(encode(json.dumps(VERSION | {"items": [item]}, ensure_ascii=False)))
    assert (parsed.entries[0].title, parsed.entries[0].text) == ("Été", "é")
    assert parsed.notes == (("some bytes are not valid UTF-8",) if is_damaged else ())


def test_line_break_in_a_string():
    body = (
        b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "1", "title": "a\nb\tc"}]}'
    )
    assert feed(body).entries[0].title == "a b c"


ITEM = {"id": "1", "url": "https://a.example/p", "title": "T"}


@pytest.mark.parametrize(
    "document",
    [
        {"version": "https://jsonfeed.org/version/1", "items": [ITEM]},
        {"version": "http://www.jsonfeed.org/version/1.1/", "items": [ITEM]},
        {"version": "1.1", "items": [ITEM]},
        {"version": 1.1, "items": [ITEM]},
        {"version": 1, "items": [ITEM]},
        {"home_page_url": "https://a.example/", "items": [ITEM]},
        {"feed_url": "https://a.example/feed.json", "items": [ITEM]},
        VERSION | {"items": {"0": ITEM}},
    ],
)
def test_feeds_with_odd_versions(document):
    assert [entry.title for entry in feed(document).entries] == ["T"]


@pytest.mark.parametrize("more", [{}, {"items": None}, {"items": []}])
def test_feed_without_items_is_empty(more):
    parsed = feed(VERSION | {"title": "T"} | more)
    assert (parsed.feed.title, parsed.entries, parsed.warnings) == ("T", (), ())


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"items": [ITEM]},
        {"version": "1.0", "items": []},
        {"version": "1.0.0", "items": [{"name": "left-pad"}]},
        {"version": "2", "items": [ITEM]},
        VERSION | {"items": 3},
        VERSION | {"items": "x"},
    ],
)
def test_other_json_is_no_feed(document):
    parsed = parse(document)
    assert isinstance(parsed, ParseFailed)
    assert parsed.reason == "not a feed: JSON of another kind"


def test_what_is_left_out_is_reported():
    items = [
        ITEM,
        "text",
        None,
        ITEM | {"id": 2, "_private": True},
        ITEM | {"id": 3, "private": True},
    ]
    parsed = feed(VERSION | {"items": items, "expired": True})
    assert [entry.title for entry in parsed.entries] == ["T"]
    assert parsed.notes == (
        "2 items are no JSON objects",
        "2 private items were left out",
        "its publisher has ended this feed (expired)",
    )


def test_extensions_are_ignored():
    item = ITEM | {"_private": {"about": "https://a.example/"}, "_x": [1], "expired": True}
    assert entry(item).title == "T"


@pytest.mark.parametrize("body", [b"{", b'{"items": [}', b'{"a": ' + b"[" * 100_000, b"{'a': 1}"])
def test_invalid_json(body):
    parsed = parse(body)
    assert isinstance(parsed, ParseFailed)
    assert "invalid JSON" in parsed.reason


def test_not_a_number():
    body = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": NaN, "url": "/p", "attachments": [{"url": "e", "size_in_bytes": Infinity}]}]}'
    (parsed,) = feed(body).entries
    assert (parsed.key, parsed.enclosures[0].length_bytes) == ("a.example/p", None)
