"""Entity declarations: unsafe ones are refused, simple ones are read."""

import codecs
from datetime import UTC, datetime

import pytest

from aggregator.model import Fetched, ParsedFeed, ParseFailed
from aggregator.parse.document import parse_document
from tests.harness import item, rss

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"
BODY = "<rss version='2.0'><channel><title>&{name};</title></channel></rss>"
LAUGHS = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + BODY.format(name="b")


def parse(body, content_type="application/xml"):
    data = body if isinstance(body, bytes) else body.encode()
    return parse_document(Fetched(URL, URL, data, content_type), NOW)


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        '<?xml version="1.0"?>' + LAUGHS,  # on one line: feedparser's own filter misses it
        '<?xml version="1.0"?>\n<!-- <rss> -->' + LAUGHS,
        "\n  " + LAUGHS,
        f'<!DOCTYPE rss [<!ENTITY a "{"x" * 101}">]>' + BODY.format(name="a"),
        '<!DOCTYPE rss [<!ENTITY % p "<!ENTITY b \'x\'>">%p;]>' + BODY.format(name="b"),
        '<!DOCTYPE rss [<!ENTITY a "ha"> junk ]>' + BODY.format(name="a"),
        f'<!DOCTYPE rss [<!ENTITY a "{"x" * 90}">]>' + BODY.format(name="a;" + "&a;" * 20_000 + "&a"),
        codecs.BOM_UTF16_LE + ('<?xml version="1.0" encoding="utf-16"?>' + LAUGHS).encode("utf-16-le"),
        ('<?xml version="1.0" encoding="utf-16be"?>' + LAUGHS).encode("utf-16-be"),
        b'<?xml version="1.0" encoding="utf-7"?>' + LAUGHS.encode("utf-7"),
    ],
)  # fmt: skip
def test_unsafe_entities_are_refused(body):
    parsed = parse(body)
    assert isinstance(parsed, ParseFailed)
    assert "refused: the document declares" in parsed.reason
    assert len(parsed.reason) < 200


@pytest.mark.parametrize("charset", ["cp500", "utf-16", "utf-7", "hz"])
def test_charset_in_the_header_hides_no_entity(charset):
    parsed = parse(LAUGHS.encode(charset), f"application/xml; charset={charset}")
    assert "lol" * 10 not in repr(parsed)
    assert isinstance(parsed, ParseFailed)


@pytest.mark.parametrize(
    ("declaration", "name", "title"),
    [
        ('<!ENTITY nbsp "&#160;">', "nbsp", "\xa0"),
        ('<!ENTITY brand "Commons">', "brand", "Commons"),
        ('<!ENTITY lt "&#38;#60;">', "amp", "&"),
        ('<!ENTITY % HTMLlat1 PUBLIC "-//W3C//ENTITIES Latin 1//EN" "l.ent">', "amp", "&"),
        ('<!ENTITY x SYSTEM "file:///etc/passwd">', "x", ""),
    ],
)
def test_simple_entities_are_read_and_external_ones_never_opened(declaration, name, title):
    head = '<?xml version="1.0"?>\n'
    parsed = parse(f"{head}<!DOCTYPE rss [\n{declaration}\n]>" + BODY.format(name=name))
    assert isinstance(parsed, ParsedFeed)
    assert parsed.feed.title.strip() in (title.strip(), URL, "&x;")
    assert "root:" not in repr(parsed)


def test_text_about_entities_is_no_declaration():
    about = "<![CDATA[<p>Write &lt;!ENTITY a '&b;'&gt; or <!ENTITY a '&b;'></p>]]>"
    parsed = parse(rss(item(body=about)))
    assert isinstance(parsed, ParsedFeed)
