"""Aggregators that read each other, or themselves, polling for days: nothing grows."""

import json
from datetime import timedelta
from html import escape

import feedparser
import pytest

from tests.harness import NOON, Installation, item, rss

BODY = escape(
    '<p>Un texte<a href="#fn1" id="r1">1</a></p><img src="/a.jpg" alt="Un arbre">'
    '<p id="fn1">Note <a href="#r1">↩</a></p><video src="/v.mp4"></video>'
)
MEDIA = (
    '<category>Gand</category><enclosure url="https://feed.example/é[1].mp3" type="audio/mpeg" '
    'length="1200000"/><duration xmlns="http://www.itunes.com/dtds/podcast-1.0.dtd">12:34</duration>'
)
TAG = '[tags."Communs"]\n'
SITE = '[site]\nurl = "{url}"\nlanguage = "{language}"\n'


def configure(installation, urls, language, url):
    installation.configure(urls, TAG)
    text = (installation.root / "feeds.toml").read_text()
    text = text.replace(
        '[site]\nurl = "https://site.example/"\n', SITE.format(url=url, language=language)
    )
    installation.write("feeds.toml", text)


def published(installation, kind):
    """Content, summary, categories and source of each entry of the tag's feed, by id."""
    data = (installation.outputs / f"communs.{kind}").read_bytes()
    if kind == "json":
        return {
            i["id"]: (
                i["content_html"],
                i.get("summary"),
                i["tags"],
                i.get("image"),
                i.get("attachments"),
                i["_source"]["title"],
            )
            for i in json.loads(data)["items"]
        }
    return {
        entry.id: (
            entry.content[0].value,
            entry.get("summary"),
            [(tag.term, tag.scheme) for tag in entry.tags],
            [dict(link) for link in entry.links if link.rel in ("enclosure", "alternate")],
            entry.get("media_content"),
            entry.get("media_thumbnail"),
            entry.source.title,
        )
        for entry in feedparser.parse(data).entries
    }


@pytest.mark.parametrize(("kind", "both_read_the_blog"), [("atom", True), ("json", False)])
def test_two_that_read_each_other(tmp_path, publisher, kind, both_read_the_blog):
    publisher["/blog"] = rss(
        item("Les communs de Gand", body=BODY, more=MEDIA),
        item("Encore les communs", "https://feed.example/b", body="Les communs encore"),
    )
    blog = publisher.url("/blog")
    one, two = Installation(tmp_path / "one"), Installation(tmp_path / "two")
    urls = {name: publisher.url(f"/{name}.{kind}") for name in ("one", "two")}
    configure(one, [blog, urls["two"]], "en", "https://one.example/")
    configure(
        two, [urls["one"], *([blog] if both_read_the_blog else [])], "fr", "https://two.example/"
    )
    rounds = []
    for number in range(10):
        now = NOON + timedelta(hours=number)
        for name, installation in (("one", one), ("two", two)):
            installation.run(now)
            publisher[f"/{name}.{kind}"] = (installation.outputs / f"communs.{kind}").read_bytes()
        rounds.append((published(one, kind), published(two, kind)))
    for entries, label in zip(rounds[-1], ("Here because", "Pourquoi ici"), strict=True):
        assert len(entries) == 2
        for content, *_ in entries.values():
            assert content.count("<small") == content.count(label) == 1, content
    assert rounds[2] == rounds[-1]
    for entries, host in zip(rounds[-1], ("one", "two"), strict=True):
        assert {source for *_, source in entries.values()} == {"A feed"}
        if kind == "atom":
            schemes = {scheme for _, _, tags, *_ in entries.values() for _, scheme in tags}
            assert schemes == {None, f"https://{host}.example/#tags"}


def test_one_that_reads_itself(tmp_path, publisher):
    publisher["/blog"] = rss(item("Les communs de Gand", body="Un texte"))
    publisher["/one.atom"] = rss(title="Not yet")
    one = Installation(tmp_path)
    urls = [publisher.url("/blog"), publisher.url("/one.atom")]
    configure(one, urls, "en", "https://one.example/")
    rounds = []
    for number in range(10):
        one.run(NOON + timedelta(hours=number))
        publisher["/one.atom"] = (one.outputs / "communs.atom").read_bytes()
        rounds.append((one.outputs / "communs.atom").read_bytes())
    assert len(set(rounds[1:])) == 1
    (entry,) = published(one, "atom").values()
    assert entry[0].count("<small") == 1
