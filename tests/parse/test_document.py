"""Documents of every format, and the entries expected of them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model import (
    Author,
    Category,
    Enclosure,
    Fetched,
    ParsedFeed,
    ParseFailed,
    Validators,
)
from aggregator.parse.document import parse_document
from aggregator.parse.sanitize import remove_illegal
from tests.harness import item, rss
from tests.shared import shared

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://feed.example/dir/feed.xml"
CORPUS = Path(__file__).with_name("corpus")


def parse(document, content_type="", language=None):
    body = document.encode() if isinstance(document, str) else document
    return parse_document(Fetched(URL, URL, body, content_type, Validators()), NOW, language)


def feed(document, **arguments):
    parsed = parse(document, **arguments)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def entry(document, **arguments):
    (only,) = feed(document, **arguments).entries
    return only


RSS2 = """<?xml version="1.0"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel><title>Le fil &amp;amp; l’aiguille</title><link>/</link><language>fr-FR</language><copyright>CC BY</copyright>
<item><title>Un &lt;b&gt;titre&lt;/b&gt;</title><link>../page</link><guid isPermaLink="false">g1</guid>
<dc:creator>Inès</dc:creator><category domain="https://s.example/">communs</category><category>P2P</category>
<pubDate>Mon, 06 Sep 2021 12:00:00 +0200</pubDate>
<description>Court.</description>
<content:encoded><![CDATA[<p onclick="x()">Long <a href="rel">lien</a><script>alert(1)</script></p>]]></content:encoded>
<enclosure url="e.mp3" length="12" type="audio/mpeg"/></item></channel></rss>"""


def test_rss_2():
    parsed = feed(RSS2)
    assert parsed.feed.title == "Le fil & l’aiguille"
    assert parsed.feed.link == "https://feed.example/"
    assert parsed.feed.language == "fr-FR"
    assert parsed.feed.rights == "CC BY"
    (one,) = parsed.entries
    assert one.title == "Un titre"
    assert one.link == "https://feed.example/page"
    assert one.key == "g1"
    assert one.id.startswith("urn:uuid:")
    assert one.summary == "Court."
    assert one.content == (
        '<p>Long <a href="https://feed.example/rel" rel="noopener noreferrer">lien</a></p>'
    )
    assert one.text == "Long lien\n\nCourt."
    assert one.authors == (Author("Inès"),)
    assert one.categories == (Category("communs", "https://s.example/"), Category("P2P"))
    assert one.enclosures == (Enclosure("https://feed.example/e.mp3", "audio/mpeg", 12),)
    assert one.published == datetime(2021, 9, 6, 10, tzinfo=UTC)
    assert one.updated is None  # and not, as feedparser's get would say, published
    assert one.language == "fr-FR"


def test_rss_1():
    one = entry(
        """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="x"><title>T</title><link>https://a.example/</link></channel>
        <item rdf:about="https://a.example/1"><title>One</title><link>https://a.example/1</link>
        <dc:date>2020-02-03T04:05:06+01:00</dc:date><dc:creator>Ann</dc:creator></item></rdf:RDF>"""
    )
    assert (one.title, one.link) == ("One", "https://a.example/1")
    assert one.updated == datetime(2020, 2, 3, 3, 5, 6, tzinfo=UTC)


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr" xml:base="https://b.example/">
<id>tag:b.example,2020:feed</id><title type="html">A &amp;amp; B</title><updated>2020-01-01T00:00:00Z</updated>
<link href="/"/><author><name>The feed's</name></author>
<entry><id>tag:b.example,2020:1</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">x <b>y</b></div></title>
<link href="p"/><link rel="enclosure" href="e.ogg" type="audio/ogg" length="x"/><link rel="related" href="r"/>
<author><name>Ann</name><uri>https://ann.example/</uri></author><author><name>Bob</name><email>bob@b.example</email></author>
<category term="t" label="The T" scheme="https://s.example/"/>
<content type="html" xml:lang="en" xml:base="https://c.example/d/">&lt;a href="k"&gt;k&lt;/a&gt;</content>
<summary>1 &lt; 2</summary><rights>CC0</rights>
<published>2019-01-01T00:00:00Z</published><updated>2020-01-01T00:00:00Z</updated></entry>
<entry><id>not an iri</id><title>Second</title><updated>2020-01-01T00:00:00Z</updated><summary>s</summary></entry></feed>"""


def test_atom():
    parsed = feed(ATOM)
    assert parsed.feed.id == "tag:b.example,2020:feed"
    assert parsed.feed.title == "A & B"
    first, second = parsed.entries
    assert first.id == first.key == "tag:b.example,2020:1"
    assert first.title == "x y"
    assert first.link == "https://b.example/p"
    assert 'href="https://c.example/d/k"' in first.content
    assert first.summary == "1 &lt; 2"
    assert first.authors == (
        Author("Ann", None, "https://ann.example/"),
        Author("Bob", "bob@b.example"),
    )
    assert first.categories == (Category("t", "https://s.example/", "The T"),)
    assert first.enclosures == (Enclosure("https://b.example/e.ogg", "audio/ogg", None),)
    assert first.language == "en"
    assert first.rights == "CC0"
    assert first.published == datetime(2019, 1, 1, tzinfo=UTC)
    assert first.updated == datetime(2020, 1, 1, tzinfo=UTC)
    assert second.id.startswith("urn:uuid:")
    assert second.authors == (Author("The feed's"),)
    assert second.language == "fr"


JSON = """{"version": "https://jsonfeed.org/version/1.1", "title": "J & K", "language": "en",
"home_page_url": "https://j.example/", "authors": [{"name": "Feed's"}],
"items": [{"id": 7, "url": "/p", "title": "A < B", "content_html": "<p>x</p><script>y</script>",
"summary": "s & t", "tags": ["one", 2, "<b>two</b>"], "date_published": "2020-01-01T01:00:00+01:00",
"date_modified": "2021-01-01T00:00:00", "author": {"name": "Ann", "url": "https://ann.example/"},
"attachments": [{"url": "e.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 5}, {"url": 3}, 4]},
{"id": "b", "content_text": "one < two\\nthree", "date_published": 5}, "no item"]}"""


def test_json_feed():
    parsed = feed(JSON)
    assert (parsed.feed.title, parsed.feed.link) == ("J & K", "https://j.example/")
    first, second = parsed.entries
    assert (first.key, first.link, first.title) == ("7", "https://j.example/p", "A < B")
    assert (first.content, first.summary) == ("<p>x</p>", "s &amp; t")
    assert first.authors == (Author("Ann", None, "https://ann.example/"),)
    assert [c.term for c in first.categories] == ["one", "<b>two</b>"]
    assert first.enclosures == (Enclosure("https://j.example/e.mp3", "audio/mpeg", 5),)
    assert first.published == datetime(2020, 1, 1, tzinfo=UTC)
    assert first.updated == datetime(2021, 1, 1, tzinfo=UTC)
    assert second.text == "one < two\nthree"
    assert second.authors == (Author("Feed's"),)
    assert second.published is None


# A list of people and their blogs (FOAF), which names RSS 1.0 only to point at their feeds.
BLOGROLL = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:foaf="http://xmlns.com/foaf/0.1/"
    xmlns:rss="http://purl.org/rss/1.0/">
<foaf:Person><foaf:name>Ann</foaf:name><foaf:weblog><foaf:Document rdf:about="https://ann.example/">
<rdfs:seeAlso><rss:channel rdf:about="https://ann.example/feed"/></rdfs:seeAlso>
</foaf:Document></foaf:weblog></foaf:Person></rdf:RDF>"""


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("<html><head><title>Sign  in</title></head></html>", 'not a feed: an HTML page called "Sign in"'),
        ("<!DOCTYPE html><p>x", "not a feed: an HTML page"),
        ("<opml version='2.0'><body/></opml>", "not a feed: XML of another kind (<opml>)"),
        (BLOGROLL, "not a feed: XML of another kind (<rdf:rdf>)"),
        ("just words", "not a feed: unknown format"),
        ('{"a": 1}', "not a feed: JSON of another kind"),
        ('{"version": "https://jsonfeed.org/version/1", "items": 3}', "not a feed: JSON of another kind"),
        ('{"a": ', "not a feed: invalid JSON"),
        ("", "not a feed: unknown format"),
    ],
)  # fmt: skip
def test_document_that_is_not_a_feed_fails_with_its_kind(document, reason):
    parsed = parse(document, content_type="application/rss+xml")
    assert isinstance(parsed, ParseFailed)
    assert parsed.reason.startswith(reason)


def test_truncated_document_keeps_its_complete_entries():
    whole = rss(item("One"), item("Two", link="https://feed.example/b"))
    parsed = feed(whole[: whole.index("Two")])
    assert parsed.entries[0].title == "One"
    assert parsed.warnings[0].startswith("truncated")


def test_feed_without_entries_is_not_damaged():
    assert (feed(rss()).entries, feed(rss()).warnings) == ((), ())


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (rss(item("Café")).encode("latin-1"), "application/xml; charset=utf-8"),
        (rss(item("Café")).encode("utf-16"), "application/xml"),
        (rss(item("Café")).encode("utf-16"), "text/xml; charset=utf-8"),
        (rss(item("Café")).encode("utf-16-be"), "text/xml; charset=iso-8859-1"),
        (rss(item("Café")).encode("utf-32"), "application/rss+xml"),
        (b"<?xml version='1.0' encoding='iso-8859-1'?>" + rss(item("Café")).removeprefix('<?xml version="1.0"?>').encode("latin-1"), "text/xml; charset=nonsense"),
        (b"\xef\xbb\xbf" + rss(item("Café")).encode(), ""),
    ],
)  # fmt: skip
def test_wrongly_declared_encodings(body, content_type):
    assert entry(body, content_type=content_type).title == "Café"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("content_type", ["application/xml", "text/xml; charset=utf-8", ""])
def test_ascii_text_in_utf_16_and_utf_32(encoding, content_type):
    read = feed(rss(item("Plain English")).encode(encoding), content_type=content_type)
    assert [entry.title for entry in read.entries] == ["Plain English"]


def test_truncated_utf_16():
    whole = rss(item("One", "https://a.example/1"), item("Two", "https://a.example/2"))
    body = whole.encode("utf-16")
    for end in range(len(body) - 200, len(body) - 1, 7):
        read = parse(body[:end])
        assert isinstance(read, ParseFailed) or read.is_cut
        assert {e.title for e in getattr(read, "entries", ())} <= {"One", "Two"}


def test_no_file_is_opened(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    assert isinstance(parse(str(secret)), ParseFailed)
    document = (
        f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{secret.as_uri()}">]>\n'
        '<rss version="2.0"><channel><title>T</title>'
        "<item><title>t &x;</title><link>https://a.example/</link></item></channel></rss>"
    )
    assert "SECRET" not in repr(parse(document))


def test_control_characters_are_removed():
    assert entry(rss(item("a&#x0b;b\ufffec\x0c"))).title == "abc"


@pytest.mark.parametrize(
    "date",
    ["", "32 Jan 2020", "now", "Mon, 01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
     "Mon, 01 Jan 0001 00:00:00 GMT", "9999-99-99"],
)  # fmt: skip
def test_implausible_dates_are_missing(date):
    assert entry(rss(item(date=date))).published is None


def test_date_some_hours_ahead_becomes_now():
    assert entry(rss(item(date="Tue, 24 Nov 2026 20:00:00 GMT"))).published == NOW


def test_language_of_the_subscription_is_the_default():
    assert entry(rss(item(), language=""), language="fr").language == "fr"
    assert entry(rss(item(), language="x y z"), language="fr").language == "fr"


@pytest.mark.parametrize(
    ("document", "title"),
    [
        (rss(item("", body="<p>Some words.</p>")), "Some words."),
        (rss(item("", body="word " * 50)), "word " * 15 + "word…"),
        (rss(item("")), "https://feed.example/a"),
        (rss(item("", link="", date="")), "(untitled)"),
    ],
)
def test_entry_without_a_title_gets_one(document, title):
    assert entry(document).title == title


def keys(*items):
    return [one.key for one in feed(rss(*items)).entries]


def test_entries_with_the_same_guid_are_kept():
    guid = "<guid isPermaLink='false'>same</guid>"
    document = rss(
        item("One", more=guid),
        item("Two", link="https://feed.example/b", more=guid),
    )
    one, two = feed(document).entries
    assert one.key != two.key
    assert one.id != two.id


def test_exact_copies_are_dropped_with_a_note():
    parsed = feed(rss(item(), item()))
    assert len(parsed.entries) == 1
    assert parsed.notes == ("1 duplicate entries were dropped",)


def test_copies_with_different_texts_are_kept():
    guid = "<guid isPermaLink='false'>same</guid>"
    assert len(set(keys(item(body="x", more=guid), item(body="y", more=guid)))) == 2


def test_without_guid_the_link_identifies_an_entry():
    assert keys(item("One", body="x")) == keys(item("Other", body="y", date=""))


def test_without_guid_and_link_title_and_date_identify_an_entry():
    assert keys(item(link="", body="x")) == keys(item(link="", body="y"))
    assert keys(item("One", link="")) != keys(item("Two", link=""))


def test_shared_link_identifies_no_entry():
    entries = feed(rss(item("One"), item("Two"))).entries
    assert [one.page for one in entries] == [None, None]
    assert len({one.id for one in entries}) == 2


@pytest.mark.parametrize("link", ["https://feed.example/", "https://elsewhere.example"])
def test_home_page_identifies_no_entry(link):
    assert entry(rss(item(link=link))).page is None


def test_page_has_the_same_id_in_every_feed():
    one = entry(rss(item("One", link="http://www.a.example/p/?utm_source=x"), title="F"))
    other = entry(rss(item("Other", link="https://a.example/p"), title="G"))
    assert one.id == other.id


def test_categories_and_authors_are_clean():
    one = entry(
        rss(
            item(
                more="<category>&lt;b&gt;x&lt;/b&gt;</category><category> </category>"
                "<author>not-an-address</author>"
            )
        )
    )
    assert one.categories == (Category("x"),)
    assert one.authors == (Author("not-an-address"),)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_never_raise(body):
    assert isinstance(parse(body), ParsedFeed | ParseFailed)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_documents_never_raise(data):
    body = bytearray(data.draw(st.sampled_from([RSS2, ATOM, JSON])).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(body)))
    parsed = parse(bytes(body[:cut]))
    if isinstance(parsed, ParsedFeed):
        assert len({one.key for one in parsed.entries}) == len(parsed.entries)
        assert len({one.id for one in parsed.entries}) == len(parsed.entries)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_corpus_is_parsed(path):
    parsed = feed(path.read_bytes())
    assert len(parsed.entries) > 1
    assert len({one.id for one in parsed.entries}) == len(parsed.entries)
    assert not parsed.is_cut
    assert bool(parsed.warnings) == (path.name == "doctype.xml")


def test_wellformed_document_is_not_truncated_whatever_it_contains():
    document = rss(item()).replace(
        "<link>", "<description>&lt;rss&gt;<![CDATA[<rss>]]></description><link>", 1
    )
    assert not feed(document).is_cut


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", ""),
        ("<title>", "</title>"),
        ("<entry><content type='xhtml'>", "</content></entry>"),
    ],
)
@pytest.mark.parametrize("name", ["x:a", "h:p", "media:group", "itunes:category"])
def test_deeply_nested_elements_are_parsed(start, end, name):
    prefixes = {
        "x": "urn:x",
        "h": "http://www.w3.org/1999/xhtml",
        "media": "http://search.yahoo.com/mrss/",
        "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    }
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in prefixes.items())
    depth = 100_000 if name == "x:a" and not start else 20_000  # Python recurses 1,000 times
    nested = f"<{name}>" * depth + f"</{name}>" * depth
    feed(f'<feed xmlns="http://www.w3.org/2005/Atom"{declarations}>{start}{nested}{end}</feed>')


@pytest.mark.parametrize("folder", ["feeds", "odd"])
def test_real_documents_are_parsed_or_fail_with_a_reason(folder):
    for path in sorted(shared("corpus", folder).iterdir()):
        parsed = parse(path.read_bytes())
        if isinstance(parsed, ParseFailed):
            assert folder == "odd", (path, parsed)
            assert parsed.reason.startswith("not a feed"), (path, parsed)
            continue
        assert parsed.entries or folder == "odd", path
        assert len({one.key for one in parsed.entries}) == len(parsed.entries), path
        assert len({one.id for one in parsed.entries}) == len(parsed.entries), path
        assert all(one.title for one in parsed.entries), path


def test_illegal_characters_affect_only_their_entry():
    bad = "\\ud800\\u0000\\u000b"
    fields = {
        "id": bad,
        "url": f"https://a.example/{bad}x",
        "title": bad,
        "content_html": f"<p>{bad}x <a href='/{bad}'>y</a></p>",
        "tags": [bad, "ok"],
        "author": {"name": f"A{bad}", "url": f"https://a.example/{bad}"},
        "attachments": [{"url": f"https://a.example/{bad}e", "mime_type": bad}],
        "language": bad,
    }
    document = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": bad,
            "items": [fields, {"id": "good", "title": "Good"}],
        }
    ).replace("\\\\", "\\")
    first, good = feed(document).entries
    assert good.title == "Good"
    assert first.link == "https://a.example/x"
    assert [c.term for c in first.categories] == ["ok"]
    assert remove_illegal(repr(first)) == repr(first)
    assert "ud800" not in repr(first)


def test_parser_bug_fails_only_its_document(monkeypatch):
    monkeypatch.setattr("aggregator.parse.incremental.read_xmlfeed", lambda *_: 1 / 0)
    parsed = parse(RSS2)
    assert isinstance(parsed, ParseFailed)
    assert "could not be read (ZeroDivisionError" in parsed.reason


def test_moved_feed_keeps_its_entries():
    body = rss(item(link="", more="<guid>42</guid>")).encode()
    moved = parse_document(Fetched(URL, "https://new.example/f", body, "", Validators()), NOW)
    assert isinstance(moved, ParsedFeed)
    assert moved.entries == feed(body).entries


@pytest.mark.parametrize("base", ["/z/", "https://feed.example/z/"])
def test_xml_base_relative_and_absolute(base):
    document = rss(item(link="p", body="&lt;a href='q'>x&lt;/a>")).replace(
        "<item>", f'<item xml:base="{base}">'
    )
    one = entry(document)
    assert one.link == "https://feed.example/z/p"
    assert 'href="https://feed.example/z/q"' in one.content


def test_incomplete_entry_is_dropped():
    """Wherever a document is truncated, the entries that remain are unchanged."""
    whole = rss(
        *(item(f"{n} & more", f"https://feed.example/{n}", body="Words of it. " * 3) for n in "abc")
    ).replace(" & ", " &amp; ")
    entries = feed(whole).entries
    for end in range(len(whole) - len("</channel></rss>")):
        parsed = parse(whole[:end])
        if isinstance(parsed, ParsedFeed):
            assert parsed.is_cut
            assert parsed.entries == entries[: len(parsed.entries)]
            assert parsed.entries
            assert parsed.warnings[0].startswith("truncated")
    assert not feed(whole).is_cut
    assert not feed(whole.replace(" &amp; ", " & ")).is_cut


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (rss(item("L'été à Gand")).replace("?>", ' encoding="utf-16"?>', 1).encode(), ""),
        (
            rss(item("L'été à Gand")).encode().replace(b"<item>", b"<item><author>A\xc3</author>"),
            "some bytes are not valid UTF-8",
        ),
        (
            rss(item("L'été à Gand")).replace("?>", ' encoding="windows-1252"?>', 1).encode(),
            "read as utf-8, though it declares cp1252",
        ),
    ],
)
def test_invalid_byte_or_wrong_declaration_does_not_garble_the_text(body, note):
    parsed = feed(body)
    assert parsed.entries[0].title == "L'été à Gand"
    assert "".join(parsed.notes) == note
