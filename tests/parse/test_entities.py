"""What a document may do to the reader of documents: entities, floods, and what it asks of pollers."""

import codecs
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import Fetched, ParsedFeed, ParseFailed, PollHints
from aggregator.parse import parse_document, read_page
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
def test_entities_that_only_attacks_need_are_refused(body):
    outcome = parse(body)
    assert isinstance(outcome, ParseFailed)
    assert "refused: the document declares" in outcome.reason
    assert len(outcome.reason) < 200


def test_a_charset_in_the_header_hides_nothing():
    outcome = parse(LAUGHS.encode("cp500"), "application/xml; charset=cp500")
    assert isinstance(outcome, ParseFailed)
    assert "refused" in outcome.reason


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
def test_simple_declarations_are_read_and_external_ones_never_opened(declaration, name, title):
    head = '<?xml version="1.0"?>\n'
    outcome = parse(f"{head}<!DOCTYPE rss [\n{declaration}\n]>" + BODY.format(name=name))
    assert isinstance(outcome, ParsedFeed)
    assert outcome.feed.title.strip() in (title.strip(), URL, "&x;")
    assert "root:" not in repr(outcome)


def test_a_text_about_entities_declares_none():
    about = "<![CDATA[<p>Write &lt;!ENTITY a '&b;'&gt; or <!ENTITY a '&b;'></p>]]>"
    outcome = parse(rss(item(body=about)))
    assert isinstance(outcome, ParsedFeed)


def many(count, first=0, date=True):
    day = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        item(
            f"Entry {n}",
            f"https://a.example/{n}",
            f"{day - timedelta(hours=n):%a, %d %b %Y %H:%M:%S GMT}" if date else "",
        )
        for n in range(first, first + count)
    ]


def test_the_newest_300_of_a_document_are_taken():
    newest_first = parse(rss(*many(450)))
    assert isinstance(newest_first, ParsedFeed)
    assert [e.title for e in newest_first.entries] == [f"Entry {n}" for n in range(300)]
    assert "of 450 entries, the newest 300 were taken" in newest_first.warnings
    oldest_first = parse(rss(*reversed(many(450))))
    assert isinstance(oldest_first, ParsedFeed)
    assert {e.title for e in oldest_first.entries} == {f"Entry {n}" for n in range(300)}
    undated = parse(rss(*many(450, date=False)))
    assert isinstance(undated, ParsedFeed)
    assert undated.entries[-1].title == "Entry 299"


@pytest.mark.parametrize("order", [1, -1])
def test_an_archive_of_50_000_entries_is_read_at_both_ends(order):
    outcome = parse(rss(*many(50_000)[::order]))
    assert isinstance(outcome, ParsedFeed)
    assert {e.title for e in outcome.entries} == {f"Entry {n}" for n in range(300)}
    assert "49000 entries in the middle of the document were left out" in outcome.warnings


SY = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'


@pytest.mark.parametrize(
    ("channel", "hints"),
    [
        ("", PollHints()),
        ("<ttl>90</ttl>", PollHints(ttl=timedelta(minutes=90))),
        ("<ttl>soon</ttl>", PollHints()),
        (
            "<skipHours><hour>0</hour><hour> 13 </hour><hour>24</hour><hour>99</hour></skipHours>",
            PollHints(skip_hours=frozenset({0, 13})),
        ),
        (
            "<skipDays><day>Saturday</day><day>sunday</day><day>Dies</day></skipDays>",
            PollHints(skip_days=frozenset({5, 6})),
        ),
        (
            f"<sy:updatePeriod {SY}>daily</sy:updatePeriod>"
            f"<sy:updateFrequency {SY}>4</sy:updateFrequency>"
            f"<sy:updateBase {SY}>2000-01-01T12:00+00:00</sy:updateBase>",
            PollHints(period=timedelta(hours=6), base=datetime(2000, 1, 1, 12, tzinfo=UTC)),
        ),
        (
            f"<sy:updatePeriod {SY}>\n hourly </sy:updatePeriod>",
            PollHints(period=timedelta(hours=1)),
        ),
        (f"<sy:updateFrequency {SY}>2</sy:updateFrequency>", PollHints(period=timedelta(hours=12))),
        (f"<sy:updatePeriod {SY}>often</sy:updatePeriod>", PollHints()),
        (
            f"<sy:updatePeriod {SY}>weekly</sy:updatePeriod>"
            f"<sy:updateBase {SY}>2000-01-01</sy:updateBase>",
            PollHints(period=timedelta(days=7), base=datetime(2000, 1, 1, tzinfo=UTC)),
        ),
    ],
)
def test_what_a_feed_asks_of_those_who_poll_it(channel, hints):
    outcome = parse(rss(channel, item()))
    assert isinstance(outcome, ParsedFeed)
    assert outcome.hints == hints


def test_the_feeds_that_a_page_announces():
    page = read_page(
        b"""<head><base href="https://b.example/blog/">
        <meta NAME="Generator" content="WordPress 6.5">
        <link rel="alternate" type="application/rss+xml" title="Posts" href="feed/">
        <link rel='alternate home' type='application/atom+xml; charset=utf-8' href='/atom'>
        <link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">
        <link rel="alternate" hreflang="fr" href="/fr/">
        <link rel="stylesheet" type="text/xml" href="/style">
        <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
        <link rel="alternate" type="application/rss+xml" href="feed/">
        <body><a href="rss.xml">RSS</a><p <a <<""",
        "https://a.example/",
    )
    assert [(link.url, link.title) for link in page.feeds()] == [
        ("https://b.example/blog/feed/", "Posts"),
        ("https://b.example/atom", ""),
    ]
    assert page.generator == "WordPress 6.5"
    assert page.anchors[0].url == "https://b.example/blog/rss.xml"
