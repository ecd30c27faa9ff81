"""Whatever changes is written, and nothing else: every page and feed is what it would be if it were
rendered anew."""

import resource
from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.publish.folder import OutputFolder
from aggregator.run.match import load_vocabulary
from aggregator.run.pipeline import retag
from aggregator.run.project import open_project
from aggregator.run.publish import publish
from aggregator.run.stale import RenderPlanner
from aggregator.text.atom_ids import mint_id
from tests.harness import LOOPBACK, NOON, Installation, item, rss
from tests.origin import Answer, origin

DAY = timedelta(days=1)
GARDEN = '[tags."Jardin"]\n'
TAGGED = "<category>Jardin</category>"


def page_of(installation: Installation, name: str) -> str:
    """The page of a source, by the end of its address."""
    for path in Path(installation.outputs, "_source").glob("*.html"):
        text = path.read_text("utf-8")
        if f'/{name}"' in text:
            return text
    raise AssertionError(name)


@pytest.fixture
def settled(installation):
    """Makes sure at the end that all files are as a rendering of everything makes them."""
    yield installation
    before = installation.snapshot()
    for path in installation.outputs.rglob("*"):
        if path.is_file():
            path.unlink()
    project = open_project(installation.root / "feeds.toml", {}, NOON)
    store, writer = installation.store(), OutputFolder(installation.outputs)
    retag(project.config, project.clippings, store, writer, NOON + 4 * DAY)  # polls nothing
    store.close()
    after = installation.snapshot()
    assert {name: data for name, (data, _) in before.items()} == {
        name: data for name, (data, _) in after.items()
    }


def test_an_edited_entry_changes_the_page_of_its_source(settled, publisher):
    def served(text):
        return rss(item("Le jardin", "https://x.example/1", body=text, more=TAGGED))

    publisher["/a"] = served("un texte avec une faute")
    settled.configure([publisher.url("/a")], GARDEN)
    settled.run()
    publisher["/a"] = served("un texte corrige maintenant")
    assert settled.run(NOON + DAY).modified == 1
    assert "corrige" in page_of(settled, "a")


def test_a_second_copy_stands_on_the_page_of_its_own_source(settled, publisher):
    story = "https://x.example/story"
    publisher["/a"] = rss(item("A story", story, body="first words", more=TAGGED))
    publisher["/b"] = rss(item("Other", "https://b.example/other"))
    settled.configure([publisher.url("/a"), publisher.url("/b")], GARDEN)
    settled.run()
    publisher["/b"] = rss(item("Other", "https://b.example/other"), item("A story", story))
    settled.run(NOON + DAY)
    assert "A story" in page_of(settled, "b")


def test_the_page_of_a_source_shows_only_what_was_published_of_it(settled, publisher):
    publisher["/a"] = rss(
        item("Le jardin", "https://x.example/1", more=TAGGED), item("Noise", "https://x.example/2")
    )
    settled.configure([publisher.url("/a")], GARDEN)
    settled.run()
    assert "Le jardin" in page_of(settled, "a")
    assert "Noise" not in page_of(settled, "a")


def test_a_query_that_was_pruned_leaves_the_pages_of_sources(settled, publisher):
    publisher["/a"] = rss(item("Le jardin", "https://x.example/1"))
    settled.configure([publisher.url("/a")], '[[feeds]]\nname = "q"\nquery = "title:jardin"\n')
    settled.run()
    assert "Le jardin" in page_of(settled, "a")
    settled.configure([publisher.url("/a")])
    settled.run(NOON + DAY)
    store = settled.store()
    (ended,) = store.published.remove_ended_channels()
    store.close()
    for path in settled.outputs.glob("q.*"):
        path.unlink()
    for path in (settled.outputs / ended.slug).iterdir():
        path.unlink()
    settled.run(NOON + 2 * DAY)
    assert "Le jardin" not in page_of(settled, "a")


@pytest.mark.parametrize("after", [{"a": "Due", "b": "Uno"}, {"b": "Uno"}], ids=["swap", "take"])
def test_titles_that_change_hands_change_the_pages(settled, publisher, after):
    def configure(titles):
        subscriptions = "".join(
            f'[[subscriptions]]\nurl = "{publisher.url("/" + name)}"\ntitle = "{title}"\n{LOOPBACK}'
            for name, title in titles.items()
        )
        settled.write(
            "feeds.toml", f'[site]\nurl = "https://site.example/"\n{GARDEN}{subscriptions}'
        )

    for name in "ab":
        publisher[f"/{name}"] = rss(item(f"Of {name}", f"https://x.example/{name}", more=TAGGED))
    configure({"a": "Uno", "b": "Due"})
    settled.run()
    configure(after)
    settled.run(NOON + DAY)
    for name, title in after.items():
        text = (settled.outputs / "_source" / f"{title.lower()}.html").read_text("utf-8")
        assert publisher.url(f"/{name}") in text
    if len(after) == 1:
        (settled.outputs / "_source" / "due.html").unlink()  # as prune does


def test_news_of_a_feed_of_bookmarks_is_told(settled, publisher):
    publisher["/a"] = rss(item())
    publisher["/c"] = rss(item("C", "https://x.example/c", more="<category>t</category>"))
    clippings = f'[clippings]\nfiles = "{publisher.url("/c")}"\n{LOOPBACK}'
    settled.configure([publisher.url("/a")], clippings)
    settled.run()
    publisher["/c"] = Answer(b"", 410)
    for day in range(1, 4):
        settled.run(NOON + day * DAY)
    assert "gone" in (settled.outputs / "_status.atom").read_text("utf-8")


def test_an_id_of_ours_that_another_feed_bears_stops_no_run(settled, publisher):
    """A publisher republishes an entry of ours that has no page, under the id that we minted."""
    minted = mint_id(publisher.url("/a"), None, "g1")
    publisher["/a"] = rss("<item><title>Mine</title><guid isPermaLink='false'>g1</guid></item>")
    publisher["/b"] = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><id>urn:b</id>'
        f"<entry><title>Other</title><id>{minted}</id><updated>2026-11-20T10:00:00Z</updated>"
        '<link href="https://b.example/1"/></entry></feed>'
    )
    settled.configure([publisher.url("/a"), publisher.url("/b")])
    assert settled.run().new == 2
    assert settled.run(NOON + DAY).written == ()


def test_a_feed_of_bookmarks_that_changes_its_guids_doubles_no_clipping(settled, publisher):
    def served(start):
        return rss(
            *(
                item(f"Title {n}", f"https://x.example/{n}", body="words " * 9,
                     more=f"<guid isPermaLink='false'>{start}{n}</guid><category>t</category>")
                for n in range(3)
            )
        )  # fmt: skip

    publisher["/a"], publisher["/c"] = rss(item()), served("a")
    clippings = f'[clippings]\nfiles = "{publisher.url("/c")}"\n{LOOPBACK}'
    settled.configure([publisher.url("/a")], clippings)
    settled.run()
    publisher["/c"] = served("b")
    report = settled.run(NOON + DAY)
    assert (report.new, report.modified) == (0, 0)


def test_what_is_known_again_does_not_depend_on_what_else_came(installation, publisher):
    def release(title, guid, text):
        return f"<item><title>{title}</title><guid isPermaLink='false'>{guid}</guid>{text}</item>"

    same = "<pubDate>Mon, 23 Nov 2026 10:00:00 GMT</pubDate><description>words</description>"
    news = []
    for number, other in enumerate(("Something", "Release Notes")):
        one = Installation(installation.root / str(number))
        one.root.mkdir()
        publisher["/a"] = rss(release("Release Notes", 1, same))
        publisher["/b"] = rss(item("Old", "https://b.example/old"))
        one.configure([publisher.url("/a"), publisher.url("/b")])
        one.run()
        publisher["/a"] = rss(release("release notes", 2, same))
        publisher["/b"] = rss(item(other, "https://b.example/new"))
        report = one.run(NOON + DAY)
        news.append((report.new, report.modified))
    assert news[0] == news[1]


def test_a_pruned_entry_is_not_brought_back_by_a_counter(installation, publisher):
    def served(number):
        counted = item("Tomates", "https://x.example/1", body=f"lue {number} fois par des gens")
        return rss(counted, item("Le jardin", "https://x.example/2", more=TAGGED))

    publisher["/a"] = served(1)
    installation.configure([publisher.url("/a")], GARDEN)
    installation.run()
    assert installation.run(NOON + 200 * DAY).pruned == 1
    for day in range(201, 206):
        publisher["/a"] = served(day)
        assert installation.run(NOON + day * DAY).modified == 0


def test_more_hosts_than_a_process_may_have_files_open(installation):
    """A connection is not kept open behind its answer."""
    with origin("0.0.0.0") as publishers:
        hosts = []
        for number in range(150):
            publishers[f"/{number}"] = rss(item())
            hosts.append(publishers.url(f"/{number}", f"127.0.1.{number + 1}"))
        installation.configure(hosts)
        used = len(list(Path("/proc/self/fd").iterdir()))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 110, hard))
        try:
            report = installation.run()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert report.troubles == ()
    assert report.fetched == 150


def test_all_that_is_stale_may_be_rendered_part_by_part(settled, publisher, monkeypatch):
    monkeypatch.setattr("aggregator.run.stale.SOURCES_PER_PART", 2)
    for name in "abc":
        publisher[f"/{name}"] = rss(item(name, f"https://{name}.example/", more=TAGGED))
    settled.configure([publisher.url(f"/{name}") for name in "abc"], GARDEN)
    settled.run()
    whole = {name: data for name, (data, _) in settled.snapshot().items()}
    for name in whole:
        (settled.outputs / name).unlink()
    project = open_project(settled.root / "feeds.toml", {}, NOON)
    store, writer = settled.store(), OutputFolder(settled.outputs)
    vocabulary, clippings = load_vocabulary(project.config, project.clippings, store)
    known = project.config, vocabulary, clippings, store, writer
    parts = RenderPlanner(*known).parts()
    assert [part.name for part in parts[-3:]] == ["sources 0", "sources 1", "everything"]
    written = [name for part in reversed(parts) for name in publish(*known, part=part)]
    store.close()
    assert sorted(written) == sorted(whole)  # each once
    assert {name: data for name, (data, _) in settled.snapshot().items()} == whole
