"""What feedparser reads wrongly, and its correction."""

from concurrent.futures import ThreadPoolExecutor

import feedparser
import pytest

from aggregator.model import Author, Enclosure
from aggregator.parse.references import correct_references
from tests.harness import item, rss
from tests.parse.test_document import ATOM, entry, feed


def test_illegal_character_references_are_removed():
    title = "a&#xD800;b&#x110000;&#99999999999999;&#11;&#233;&#x0000000000E9;"
    only = entry(rss(item(title, "https://a.example/&#xDFFF;x", more="<guid>&#xD801;g</guid>")))
    assert (only.title, only.link, only.key) == ("abéé", "https://a.example/x", "g")
    assert feed(rss(item("a&#11;b"))).notes == (
        "characters that XML does not allow were left out, such as &#11;",
    )


@pytest.mark.parametrize("reference", [b"&#9;", b"&#10;", b"&#x20;", b"&#xFFFD;", b"&#x10ffff;"])
def test_legal_character_references_stay(reference):
    assert correct_references(reference + b"&#0;")[0] == reference


def test_missing_updated_date_is_not_the_published_one():
    only = entry(rss(item()))
    assert only.published is not None
    assert only.updated is None


def test_guid_is_a_link_only_if_it_is_an_address():
    number = entry(rss(item(link="", more="<guid>42</guid>")))
    assert (number.key, number.link) == ("42", None)
    address = entry(rss(item(link="", more="<guid>https://a.example/42</guid>")))
    assert address.key == address.link == "https://a.example/42"


def test_author_without_an_address_gets_none():
    only = entry(
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:1</id><title>T</title>'
        "<author><name>Ann</name><email>ann@a.example</email></author>"
        "<author><name>Bob</name></author>"
        "<author><name>Cy</name><email>cy@a.example</email></author></entry></feed>"
    )
    assert only.authors == (
        Author("Ann", "ann@a.example"),
        Author("Bob"),
        Author("Cy", "cy@a.example"),
    )


def test_enclosure_without_a_type_gets_none():
    document = ATOM.replace('href="e.ogg" type="audio/ogg" length="x"', 'href="e"')
    assert feed(document).entries[0].enclosures == (Enclosure("https://b.example/e"),)


def test_threads_parse_at_the_same_time():
    """Each of them gets the corrections, and nobody else does."""
    document = rss(item(more="<guid>g</guid>", body="Words " * 2000))
    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(entry, [document] * 64))
    assert all(read.text for read in entries)
    assert "texts" not in feedparser.parse(document).entries[0]
