"""The fast reader reads a document as feedparser does, or leaves it alone."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aggregator.model import Fetched, ParsedFeed
from aggregator.parse import parse_document
from aggregator.parse.feedparser_reader import read_xmlfeed
from aggregator.parse.jsonfeed_reader import looks_like_json
from aggregator.parse.wellformed import read_wellformed
from tests.harness import item, rss
from tests.parse.test_document import ATOM, RSS2
from tests.shared import shared

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://feed.example/dir/feed.xml"
SPACES = {
    "": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "atom": "http://www.w3.org/2005/Atom",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
    "odd": "urn:odd",
    "h": "http://www.w3.org/1999/xhtml",
}


def fetched(document, content_type="application/xml"):
    return Fetched(
        URL, URL, document if isinstance(document, bytes) else document.encode(), content_type
    )


def taken(document, content_type="application/xml"):
    """Whether the fast reader reads the document; and then it says what feedparser says."""
    fast = read_wellformed(fetched(document, content_type), NOW)
    assert fast is None or fast == read_xmlfeed(fetched(document, content_type), NOW)
    return fast is not None


def declared(*prefixes):
    return " ".join(f'xmlns{":" * bool(p)}{p}="{SPACES[p]}"' for p in prefixes)


ALL = declared(*(p for p in SPACES if p))


def channel(*elements):
    return f'<rss version="2.0" {ALL}><channel>{"".join(elements)}</channel></rss>'


def atom(*elements, attributes=""):
    return f"<feed {declared('')} {ALL} {attributes}>{''.join(elements)}</feed>"


@pytest.mark.parametrize("folder", ["feeds", "odd"])
def test_every_real_document_is_read_as_feedparser_reads_it_or_left_alone(folder):
    wellformed = read = 0
    for path in sorted(shared("corpus", folder).iterdir()):
        body = path.read_bytes()
        if looks_like_json(body):
            continue
        try:
            was_read = taken(body)
        except AssertionError:
            pytest.fail(f"{path.name} is read in two ways")
        try:
            ET.fromstring(body)
        except (ET.ParseError, ValueError, LookupError):  # the latter two: encodings
            continue
        wellformed += 1
        read += was_read
    print(f"{folder}: {read} of {wellformed} well-formed documents are read fast")
    assert wellformed > 300
    assert read >= 0.85 * wellformed or folder == "odd"  # where many are no feeds, or of old kinds


@pytest.mark.parametrize(
    "document",
    [
        RSS2,
        ATOM,
        rss(item()),
        "\ufeff" + rss(item("Café")),
        '<?xml version="1.0" encoding="iso-8859-1"?>' + rss(item("CafÃ©")).removeprefix('<?xml version="1.0"?>'),
        channel("<item><title>a\u0093b &amp;amp; c</title><guid>x</guid><link/></item>"),
        channel("<item><guid>u</guid><link>v&amp;amp;w=1&amp;x;</link></item>"),
        channel("<title>One</title><image><title>Two</title><url>u</url></image><dc:title>Three</dc:title>"),
        channel("<item><media:group><media:title>Deep</media:title></media:group><title>Flat</title></item>"),
        channel("<item><title>First</title><dc:title>Second</dc:title></item><title>Late</title>"),
        channel("<item><description>One</description><itunes:summary>Two</itunes:summary></item>"),
        channel("<item><itunes:summary>x</itunes:summary><content:encoded>y</content:encoded>"
                "<description>z &lt;b&gt;b&lt;/b&gt;</description></item>"),
        channel("<itunes:summary>x</itunes:summary><itunes:summary>y</itunes:summary>"
                "<item><description>1</description><description>2</description></item>"),
        channel("<item><author>a@b.example (Ann)</author><dc:creator>Bob</dc:creator>"
                "<itunes:owner><itunes:name>Cy</itunes:name></itunes:owner></item>"),
        channel("<managingEditor>e@b.example</managingEditor><item><title>t</title></item>"),
        channel("<item><category domain='d'/><category>late</category><media:category>m</media:category>"
                "<itunes:category text='a'><itunes:category text='b'/>c</itunes:category>"
                "<itunes:keywords>x, y,,x</itunes:keywords></item>"),
        channel("<item><enclosure url='' href='h' type='A/B' length='7'/><atom:link rel='enclosure' href='i'/></item>"),
        channel("<item xml:base='http://x.example/'><link>a</link></item><item><link>b</link></item>"),
        channel("<item xml:base='relative/'><link>a</link></item>"),
        channel("<item><pubDate>Mon, 06 Sep 2021 12:00:00 GMT</pubDate><pubDate>never</pubDate></item>"),
        channel("<ttl>60</ttl><sy:updatePeriod>daily</sy:updatePeriod><language>fr_FR</language>"),
        channel("<site xmlns='com-wordpress:feed-additions:1'>1</site><item><odd:a><odd:b c='d'>e</odd:b></odd:a></item>"),
        atom("<entry xml:lang='fr_CA'><title type='xhtml'> <h:div>a<h:br/><h:i title='&quot;&lt;'>b</h:i></h:div> </title>"
             "<content type='xhtml'><h:p>a &amp; b</h:p><h:p>c</h:p></content></entry>"),
        atom("<id>x</id><title type='xhtml'>a &lt; b</title><entry><id>i</id><link href='http://x.example:///y'/>"
             "<author><name>A</name><uri>u</uri></author><author><email>e@x.example</email></author></entry>",
             attributes="xml:base='http://b.example/d/' xml:lang=''"),
        atom("<entry><title>t</title></entry>", attributes="xml:base='http://b.example/d/' odd:etag='e'"),
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        "<channel r:about='x'><title>T</title><items><r:Seq><r:li r:resource='y'/></r:Seq></items></channel>"
        "<item r:about='y'><title>One</title><link>l</link></item><textinput><name>n</name></textinput></r:RDF>",
    ],
)  # fmt: skip
def test_what_is_common_is_read_fast(document):
    assert taken(document)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<rss",
        rss(item("&nbsp;")),
        "<!DOCTYPE rss>" + rss(item()).removeprefix('<?xml version="1.0"?>'),
        "<rss version='2.0'><channel><title>a\x0b</title></channel></rss>",
        "<html><title>t</title></html>",
        '<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>t</title></feed>',
        "<feed><title>no namespace</title></feed>",
        '<feed xmlns="http://purl.org/atom/ns#"><entry xmlns:a="http://www.w3.org/2005/Atom"/></feed>',
        '<feed xmlns:r="http://purl.org/rss/1.0/" xmlns="http://www.w3.org/2005/Atom"><title>t</title></feed>',
        '<rss xmlns:media="urn:odd" xmlns:m="http://search.yahoo.com/mrss/"><channel/></rss>',
        '<rss xmlns:o="urn:one"><channel><o:a/><item xmlns:o="urn:two"><o:a/></item></channel></rss>',
        '<rss xmlns="urn:one" xmlns:o="urn:one"><channel/></rss>',
        '<rss xmlns:x="http://www.w3.org/1999/xlink"><channel/></rss>',
        '<rss xmlns:u="http://backend.userland.com/rss2"><channel/></rss>',
        '<rss xmlns:o="urn: spaced"><channel/></rss>',
        channel("<item><title>a <b>b</b></title></item>"),
        channel("<item><item/></item>"),
        channel("<item><odd:links>x</odd:links><links>y</links></item>"),
        channel("<item><title_detail>x</title_detail></item>"),
        channel("<item><odd:a><title>not the entry's</title></odd:a></item>"),
        channel("<item><source><title>x</title></source></item>"),
        channel("<item><image><url>u</url></image></item>"),
        channel("<image><odd:a/><link>l</link></image>"),
        channel("<image><link odd:a='b'>l</link></image>"),
        channel("<item><media:group><title>x</title></media:group></item>"),
        channel("<item href='h'/>"),
        channel("<ttl a='b'>60</ttl>"),
        channel("<odd:a><ttl>60</ttl></odd:a>"),
        channel("<item><itunes:keywords a='b'>x</itunes:keywords></item>"),
        channel("<item><link odd:href='x'>y</link></item>"),
        channel("<item><title Type='html' type='text'>y</title></item>"),
        channel("<item><title mode='escaped'>y</title></item>"),
        channel("<item><odd:a base='http://x.example/'/><link>y</link></item>"),
        channel("<item xml:base='file:relative/'><link>y</link></item>"),
        channel("<item><dc:creator><odd:a>x</odd:a></dc:creator></item>"),
        channel("<item><category><b/></category></item>"),
        channel("<body>x</body>"),
        channel("<item/>").replace("</channel>", "</channel><title>outside</title>"),
        atom("<entry><content type='image/png'>aGk=</content></entry>"),
        atom("<entry><content type='html'><p>x</p></content></entry>"),
        atom("<entry><content type='xhtml'><h:svg/></content></entry>"),
        atom("<entry><content type='xhtml'><title>x</title></content></entry>"),
        atom("<entry><content type='xhtml'><h:p xml:base='http://x.example/'/></content></entry>"),
        atom("<entry><content type='xhtml'><h:p odd:a='b'/></content></entry>"),
        atom("<channel/>"),
    ],
)  # fmt: skip
def test_what_feedparser_could_read_otherwise_is_left_to_it(document):
    assert read_wellformed(fetched(document), NOW) is None


@pytest.mark.parametrize(
    "content_type",
    ["", "text/xml", "text/html", "application/xml; charset=latin-1", "text/xml; charset=utf-8"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
@pytest.mark.parametrize("title", ["Cafe", "Café"])
def test_the_encoding_is_feedparsers(content_type, encoding, title):
    root = f"<rss><channel><title>{title}</title></channel></rss>"
    document = f'<?xml version="1.0" encoding="{encoding}"?>{root}'
    # In UTF-16 a header that lies makes a document ill-formed.
    assert taken(document.encode(encoding), content_type) or encoding == "utf-16"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", ""),
        ("<title>", "</title>"),
        ("<entry><content type='xhtml'>", "</content></entry>"),
    ],
)
@pytest.mark.parametrize("element", ["odd:a", "h:p", "media:group", "itunes:category"])
def test_no_depth_is_too_deep(start, end, element):
    deep = 100_000
    document = atom(f"{start}{f'<{element}>' * deep}{f'</{element}>' * deep}{end}")
    assert isinstance(parse_document(fetched(document), NOW), ParsedFeed)


NAMES = [
    "title", "link", "guid", "id", "description", "summary", "content", "content:encoded", "author", "dc:creator",
    "category", "dc:subject", "pubDate", "published", "updated", "dc:date", "dcterms:modified", "enclosure", "rights",
    "copyright", "media:title", "media:description", "media:content", "media:group", "itunes:summary", "itunes:author",
    "itunes:owner", "itunes:name", "itunes:subtitle", "itunes:keywords", "itunes:category", "atom:link", "atom:updated",
    "source", "image", "name", "email", "uri", "url", "language", "xml_base", "odd:title", "odd:links", "comments",
    "item", "entry", "h:div", "div", "ttl", "sy:updatePeriod", "tags", "textInput", "creativeCommons", "managingEditor",
]  # fmt: skip
TEXTS = st.sampled_from([
    "", " ", "a", " two words ", "Café", "caf\u00c3\u00a9", "a\u0093b", "&amp;", "&#233;", "&amp;eacute;", "&lt;b&gt;x&lt;/b&gt;",
    "<![CDATA[<p>x</p> &amp; y]]>", "<![CDATA[a]]> b", "https://a.example/p?a=1&amp;b;=2", "http:///a.example", "../up", "tag:x,2020:1",
    "Mon, 06 Sep 2021 12:00:00 +0200", "2020-02-03T04:05:06Z", "2020", "a@b.example (Ann)", "Ann &lt;a@b.example&gt;", "x, y",
    "<!-- c -->a", "a<?pi x?>b", "fr_FR", "60", "daily",
])  # fmt: skip
ATTRIBUTES = st.sampled_from([
    "", "", "", "", 'type="html"', 'type="xhtml"', 'type="text"', 'type="TEXT/HTML"', 'isPermaLink="false"', 'href="a/b"',
    'rel="enclosure" href="e" type="audio/ogg" length="5"', 'rel="self" href="s"', 'url="u"', 'uri=""', 'xml:base="http://x.example/y/"',
    'xml:base="z/"', 'xml:lang="de_CH"', 'lang=""', 'domain="d"', 'term="t" scheme="s" label="l"', 'text="i"', 'odd:href="o"', 'odd:x="o"',
    'scheme="s"',
])  # fmt: skip
LEAVES = st.builds(lambda n, a, t: f"<{n} {a}>{t}</{n}>", st.sampled_from(NAMES), ATTRIBUTES, TEXTS)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda n, a, t, i: f"<{n} {a}>{t}{''.join(i)}</{n}>",
        st.sampled_from(["author", "itunes:owner", "media:group", "media:content", "content", "h:div", "h:p", "image", "source", "odd:a", "itunes:category"]),
        ATTRIBUTES, TEXTS, st.lists(inner, max_size=3),
    ),
    max_leaves=4,
)  # fmt: skip
ENTRIES = st.builds(
    lambda a, nodes: f"<item {a}>{''.join(nodes)}</item>", ATTRIBUTES, st.lists(NODES, max_size=6)
)
DOCUMENTS = st.builds(
    lambda make, nodes: make(*nodes).replace("creativeCommons", "odd:license"),
    st.sampled_from([channel, atom]),
    st.lists(NODES | ENTRIES | ENTRIES, max_size=5),
)


def read(document):
    """What feedparser makes of it: a draft, or an error."""
    try:
        return read_xmlfeed(fetched(document), NOW)
    except Exception as error:
        return type(error)


@settings(max_examples=800, deadline=None)
@given(DOCUMENTS)
@example(atom("<title xml:base='http://x.example/'>a</title><item><id>b</id></item>"))
def test_any_mixture_of_elements_is_read_as_feedparser_reads_it_or_left_alone(document):
    fast = read_wellformed(fetched(document), NOW)
    if fast is not None:
        assert fast == read(document)


# Elements that stand where they should, so that many of the documents are taken.
SIMPLE = st.builds(
    lambda n, t: f"<{n}>{t}</{n}>",
    st.sampled_from([n for n in NAMES if n not in ("item", "entry", "itunes:name", "name", "email", "uri", "url", "div", "h:div", "odd:links", "tags", "textInput")]),
    TEXTS,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.builds(lambda nodes: f"<item>{''.join(nodes)}</item>", st.lists(SIMPLE, max_size=12))
        | SIMPLE,
        max_size=6,
    )
)
def test_any_order_of_known_elements_is_read_fast(nodes):
    assert taken(channel(*nodes).replace("creativeCommons", "odd:license"))
