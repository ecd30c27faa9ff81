"""Who wrote an entry, and from which feed it comes."""

from datetime import UTC, datetime

import pytest

from aggregator.model import Author, Source
from aggregator.parse.persons import MAX_AUTHORS
from tests.parse.documents import atom, read, read_entry, read_item, rss


@pytest.mark.parametrize(
    ("text", "names", "emails"),
    [
        ("Jane Doe", ["Jane Doe"], [None]),
        ("@jane@mastodon.social", ["@jane@mastodon.social"], [None]),
        ("@jane", ["@jane"], [None]),
        ("jane@collectif.paris (Jane Doe)", ["Jane Doe"], ["jane@collectif.paris"]),
        ("jane@collectif.photography (Jane)", ["Jane"], ["jane@collectif.photography"]),
        ("Jane Doe &lt;jane@x.example&gt;", ["Jane Doe"], ["jane@x.example"]),
        ("Jane Doe (jane@x.example)", ["Jane Doe"], ["jane@x.example"]),
        ("Jane Doe, jane@x.example", ["Jane Doe"], ["jane@x.example"]),
        ('"Doe, Jane" &lt;jane@x.example&gt;', ["Doe, Jane"], ["jane@x.example"]),
        ("mailto:jane@x.example (Jane)", ["Jane"], ["jane@x.example"]),
        ("noreply@blogger.com (Jane)", ["Jane"], [None]),
        ("no-reply@x.example", [], []),
        ("jane@x.example", [], []),
        ("https://x.example/jane", [], []),
        ("a@x.example (A), b@x.example (B)", ["A", "B"], ["a@x.example", "b@x.example"]),
        ("A, B et C", ["A, B et C"], [None]),
        ("Le Monde avec AFP", ["Le Monde avec AFP"], [None]),
        ("editor@x.example (Le Monde (Paris))", ["Le Monde (Paris)"], ["editor@x.example"]),
        ("Jane &amp;amp; John", ["Jane & John"], [None]),
        ("jané@exämple.org (Jané)", ["Jané"], ["jané@exämple.org"]),
    ],
)
@pytest.mark.parametrize("element", ["author", "dc:creator", "itunes:author"])
def test_names_are_kept_as_written(element, text, names, emails):
    entry = read_item(f"<title>T</title><{element}>{text}</{element}>")
    assert [author.name for author in entry.authors] == names
    assert [author.email for author in entry.authors] == emails


def test_person_is_listed_once_with_the_address_of_any_mention():
    entry = read_item(
        "<dc:creator>Jane Doe</dc:creator><author>jane@x.example (Jane Doe)</author>"
        "<itunes:author>JANE DOE</itunes:author>"
    )
    assert entry.authors == (Author("Jane Doe", "jane@x.example"),)


def test_author_of_atom_has_an_address_of_its_own():
    entry = read_entry(
        "<title>T</title><author><name>Ann</name><email>ann@x.example</email><uri>https://ann.example/</uri></author>"
        "<author><name>Bob</name></author><author><name>ann</name></author>"
    )
    assert entry.authors == (Author("Ann", "ann@x.example", "https://ann.example/"), Author("Bob"))


def test_author_of_the_feed_applies_to_entries_without_one():
    channel = "<title>F</title><managingEditor>ed@x.example (The editor)</managingEditor>"
    document = rss("<item><title>A</title></item><item><author>Ann</author></item>", channel)
    assert [[a.name for a in entry.authors] for entry in read(document).entries] == [
        ["The editor"],
        ["Ann"],
    ]


def test_publisher_is_the_author_if_nobody_else_is():
    assert read_item("<dc:publisher>A press</dc:publisher>").authors == (Author("A press"),)
    entry = read_item("<dc:publisher>A press</dc:publisher><dc:creator>Ann</dc:creator>")
    assert entry.authors == (Author("Ann"),)


def test_number_of_authors_is_limited():
    entry = read_item("".join(f"<dc:creator>Person {n}</dc:creator>" for n in range(1000)))
    assert len(entry.authors) == MAX_AUTHORS


PLANET = "<title>Planet</title><id>urn:planet</id><author><name>The editor</name></author><rights>Planet’s</rights>"
SOURCE = (
    "<source><id>tag:jane.example,2020:f</id><title>Jane’s blog</title><updated>2026-11-20T10:00:00Z</updated>"
    '<link rel="self" href="https://jane.example/feed"/><link href="https://jane.example/"/>'
    "<author><name>Jane</name></author><rights>CC BY-SA</rights></source>"
)


@pytest.mark.parametrize("order", [1, -1])
def test_planet_credits_the_author_and_keeps_the_licence(order):
    elements = ["<title>T</title>", '<link href="https://jane.example/p"/>', SOURCE][::order]
    entry = read_entry("".join(elements), PLANET)
    assert entry.authors == (Author("Jane"),)
    assert entry.rights == "CC BY-SA"
    assert entry.title == "T"
    assert entry.link == "https://jane.example/p"
    assert entry.source == Source(
        id="tag:jane.example,2020:f",
        title="Jane’s blog",
        link="https://jane.example/",
        self_url="https://jane.example/feed",
        updated=datetime(2026, 11, 20, 10, tzinfo=UTC),
        rights="CC BY-SA",
    )


def test_own_author_and_licence_of_an_entry_come_first():
    own = "<author><name>A guest</name></author><rights>CC0</rights>"
    entry = read_entry(f"<title>T</title>{SOURCE}{own}", PLANET)
    assert (entry.authors, entry.rights) == ((Author("A guest"),), "CC0")


def test_next_entry_of_a_planet_has_its_own_source():
    document = atom(f"<entry><id>urn:1</id>{SOURCE}</entry><entry><id>urn:2</id></entry>", PLANET)
    first, second = read(document).entries
    assert first.source
    assert (second.source, second.authors) == (None, (Author("The editor"),))


def test_source_beside_a_picture_element():
    entry = read_entry(
        f'{SOURCE}<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><picture>'
        '<source srcset="a.webp"/><img src="https://i.example/a.jpg" alt="A"/></picture></div></content>',
        PLANET,
    )
    assert entry.source
    assert entry.source.title == "Jane’s blog"


@pytest.mark.parametrize(
    ("element", "title", "link", "feed"),
    [
        ('<source url="https://www.lemonde.fr">Le Monde</source>', "Le Monde", "https://www.lemonde.fr", None),
        ('<source url="https://jane.example/feed.xml">Jane’s</source>', "Jane’s", None, "https://jane.example/feed.xml"),
        ('<source url="https://jane.example/feed.xml"/>', "https://jane.example/feed.xml", None, "https://jane.example/feed.xml"),
        ("<source>A paper</source>", "A paper", None, None),
        ("<dc:source>A paper</dc:source>", "A paper", None, None),
        ("<dc:source>https://a.example/p</dc:source>", "https://a.example/p", "https://a.example/p", None),
    ],
)  # fmt: skip
def test_source_of_rss(element, title, link, feed):
    source = read_item(f"<title>T</title>{element}<description>x</description>").source
    assert source is not None
    assert (source.title, source.link, source.self_url) == (title, link, feed)


def test_entry_without_a_source_has_none():
    assert read_item("<title>T</title>").source is None
    assert read_item("<title>T</title><source/>").source is None


def test_editor_of_a_planet_is_not_the_author():
    channel = "<title>P</title><managingEditor>ed@x.example (The editor)</managingEditor>"
    item = '<item><title>T</title><source url="https://ann.example/feed.xml">Ann’s blog</source></item>'
    (entry,) = read(rss(item, channel)).entries
    assert entry.authors == (Author("Ann’s blog"),)


@pytest.mark.parametrize(
    "element",
    [
        '<atom:link rel="license" href="https://creativecommons.example/by/4.0/"/>',
        '<cc:license xmlns:cc="http://web.resource.org/cc/" rdf:resource="https://creativecommons.example/by/4.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
        '<c:license xmlns:c="http://backend.userland.com/creativeCommonsRssModule">https://creativecommons.example/by/4.0/</c:license>',
    ],
)  # fmt: skip
def test_licence_is_the_rights_of_an_entry(element):
    assert (
        read_item(f"<title>T</title>{element}").rights == "https://creativecommons.example/by/4.0/"
    )
    assert read_item(f"<title>T</title>{element}<dc:rights>CC BY</dc:rights>").rights == "CC BY"
