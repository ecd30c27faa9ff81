"""A second instance reads the first one's output: what the authors wrote arrives unchanged."""

from typing import Any

import pytest
from lxml import etree

from tests.harness import NOON, Installation
from tests.origin import origin

ATOM = {"a": "http://www.w3.org/2005/Atom", "media": "http://search.yahoo.com/mrss/"}
TAG = '[tags."Jardin"]\naliases = ["jardins"]\n[publish]\nbackfill = 99\n'
PLANET = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/">
<title>Planet</title><id>urn:planet</id><link href="https://planet.example/"/><author><name>The editor</name></author>
<entry xml:lang="fr"><id>tag:jane.example,2026:1</id><title>Le jardin &lt;partagé&gt;</title>
<link href="https://jane.example/1"/><published>2026-11-20T10:00:00Z</published><updated>2026-11-21T10:00:00Z</updated>
<author><name>Jane Doe</name><email>jane@jane.example</email><uri>https://jane.example/</uri></author>
<author><name>@bob@social.example</name></author>
<category term="communs" label="Les communs"/><rights>CC BY-SA</rights><summary>En bref.</summary>
<content type="html">&lt;p&gt;Un jardin&lt;a href="#n1"&gt;1&lt;/a&gt; &lt;img src="/i.jpg" alt="Une image"&gt;&lt;/p&gt;&lt;p id="n1"&gt;Une note.&lt;/p&gt;</content>
<link rel="enclosure" href="https://jane.example/a.mp3" type="audio/mpeg" length="1234" title="Le son"/>
<media:content url="https://jane.example/a.mp3" type="audio/mpeg" duration="61"/>
<media:thumbnail url="https://jane.example/t.jpg"/>
<source><id>tag:jane.example,2026:feed</id><title>Le blog de Jane</title><rights>CC BY-SA</rights>
<link href="https://jane.example/"/><link rel="self" href="https://jane.example/feed"/></source></entry></feed>"""


def entry_of(installation: Installation, name: str) -> "etree._Element":
    root = etree.parse(str(installation.outputs / f"{name}.atom")).getroot()
    (entry,) = root.findall("a:entry", ATOM)
    return entry


def described(entry: "etree._Element") -> dict[str, Any]:
    """What a subscriber sees of an entry, except for the reasons."""

    def texts(path: str) -> list[str]:
        return [(element.text or "").strip() for element in entry.findall(path, ATOM)]

    html = texts("a:content")[0]
    return {
        "texts": [texts(f"a:{name}") for name in ("id", "title", "published", "summary", "rights")],
        "content": html.partition("<p><small")[0],
        "reasons": html.count("Here because"),
        "authors": [
            [(child.tag, child.text) for child in author]
            for author in entry.findall("a:author", ATOM)
        ],
        "links": sorted(
            tuple(sorted((str(key), str(value)) for key, value in link.attrib.items()))
            for link in entry.findall("a:link", ATOM)
            if link.get("rel") != "via"
        ),
        "categories": [
            (category.get("term"), category.get("label"))
            for category in entry.findall("a:category", ATOM)
        ],
        "media": [tuple(sorted(e.attrib.items())) for e in entry.findall("media:*", ATOM)],
        "source": {
            child.tag: child.text or child.get("href")
            for child in entry.findall("a:source/*", ATOM)
            if not child.tag.endswith("updated")
        },
        "language": entry.get("{http://www.w3.org/XML/1998/namespace}lang"),
    }


@pytest.mark.parametrize("name", ["jardin", "all", "jardin/2026-11"])
def test_entry_arrives_unchanged(tmp_path, name):
    with origin() as publisher:
        publisher["/planet"] = PLANET
        first = Installation(tmp_path / "first")
        first.configure([publisher.url("/planet")], TAG)
        first.run(NOON)
        wanted = described(entry_of(first, name))
        assert wanted["reasons"] == 1
        assert ("{http://www.w3.org/2005/Atom}name", "Jane Doe") in wanted["authors"][0]

        publisher["/first"] = (first.outputs / f"{name}.atom").read_bytes()
        second = Installation(tmp_path / "second")
        second.configure([publisher.url("/first")], TAG)
        for _ in range(3):
            second.run(NOON)
            assert described(entry_of(second, "jardin")) == wanted
