"""Stale files are rendered, and only those: all outputs equal a complete new rendering."""

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


def source_page(installation: Installation, name: str) -> str:
    """The page of a source, by the end of its URL."""
    for path in Path(installation.outputs, "_source").glob("*.html"):
        text = path.read_text("utf-8")
        if f'/{name}"' in text:
            return text
    raise AssertionError(name)


@pytest.fixture
def checked_installation(installation):
    """Checks at the end that a complete rendering gives the same files."""
    yield installation
    before = installation.snapshot()
    for path in installation.outputs.rglob("*"):
        if path.is_file():
            path.unlink()
    project = open_project(installation.root / "feeds.toml", {}, NOON)
    store, writer = installation.store(), OutputFolder(installation.outputs)
    retag(project.config, project.clippings, store, writer, NOON + 4 * DAY)  # does not poll
    store.close()
    after = installation.snapshot()
    assert {name: data for name, (data, _) in before.items()} == {
        name: data for name, (data, _) in after.items()
    }


def test_edited_entry_changes_its_source_page(checked_installation, publisher):
    def document(text):
        return rss(item("Le jardin", "https://x.example/1", body=text, more=TAGGED))

    publisher["/a"] = document("un texte avec une faute")
    checked_installation.configure([publisher.url("/a")], GARDEN)
    checked_installation.run()
    publisher["/a"] = document("un texte corrige maintenant")
    assert checked_installation.run(NOON + DAY).modified == 1
    assert "corrige" in source_page(checked_installation, "a")


def test_second_copy_is_on_its_own_source_page(checked_installation, publisher):
    story = "https://x.example/story"
    publisher["/a"] = rss(item("A story", story, body="first words", more=TAGGED))
    publisher["/b"] = rss(item("Other", "https://b.example/other"))
    checked_installation.configure([publisher.url("/a"), publisher.url("/b")], GARDEN)
    checked_installation.run()
    publisher["/b"] = rss(item("Other", "https://b.example/other"), item("A story", story))
    checked_installation.run(NOON + DAY)
    assert "A story" in source_page(checked_installation, "b")


def test_source_page_shows_only_published_entries(checked_installation, publisher):
    publisher["/a"] = rss(
        item("Le jardin", "https://x.example/1", more=TAGGED), item("Noise", "https://x.example/2")
    )
    checked_installation.configure([publisher.url("/a")], GARDEN)
    checked_installation.run()
    assert "Le jardin" in source_page(checked_installation, "a")
    assert "Noise" not in source_page(checked_installation, "a")


def test_pruned_query_leaves_source_pages(checked_installation, publisher):
    publisher["/a"] = rss(item("Le jardin", "https://x.example/1"))
    checked_installation.configure(
        [publisher.url("/a")], '[[feeds]]\nname = "q"\nquery = "title:jardin"\n'
    )
    checked_installation.run()
    assert "Le jardin" in source_page(checked_installation, "a")
    checked_installation.configure([publisher.url("/a")])
    checked_installation.run(NOON + DAY)
    store = checked_installation.store()
    (channel,) = store.published.remove_ended_channels()
    store.close()
    for path in checked_installation.outputs.glob("q.*"):
        path.unlink()
    for path in (checked_installation.outputs / channel.slug).iterdir():
        path.unlink()
    checked_installation.run(NOON + 2 * DAY)
    assert "Le jardin" not in source_page(checked_installation, "a")


@pytest.mark.parametrize("after", [{"a": "Due", "b": "Uno"}, {"b": "Uno"}], ids=["swap", "reuse"])
def test_swapped_titles_change_the_pages(checked_installation, publisher, after):
    def configure(titles):
        subscriptions = "".join(
            f'[[subscriptions]]\nurl = "{publisher.url("/" + name)}"\ntitle = "{title}"\n{LOOPBACK}'
            for name, title in titles.items()
        )
        checked_installation.write(
            "feeds.toml", f'[site]\nurl = "https://site.example/"\n{GARDEN}{subscriptions}'
        )

    for name in "ab":
        publisher[f"/{name}"] = rss(item(f"Of {name}", f"https://x.example/{name}", more=TAGGED))
    configure({"a": "Uno", "b": "Due"})
    checked_installation.run()
    configure(after)
    checked_installation.run(NOON + DAY)
    for name, title in after.items():
        text = (checked_installation.outputs / "_source" / f"{title.lower()}.html").read_text(
            "utf-8"
        )
        assert publisher.url(f"/{name}") in text
    if len(after) == 1:
        (checked_installation.outputs / "_source" / "due.html").unlink()  # as prune does


def test_events_of_bookmarks_feed_are_reported(checked_installation, publisher):
    publisher["/a"] = rss(item())
    publisher["/c"] = rss(item("C", "https://x.example/c", more="<category>t</category>"))
    clippings = f'[clippings]\nfiles = "{publisher.url("/c")}"\n{LOOPBACK}'
    checked_installation.configure([publisher.url("/a")], clippings)
    checked_installation.run()
    publisher["/c"] = Answer(b"", 410)
    for day in range(1, 4):
        checked_installation.run(NOON + day * DAY)
    assert "gone" in (checked_installation.outputs / "_status.atom").read_text("utf-8")


def test_our_generated_id_in_another_feed_stops_no_run(checked_installation, publisher):
    """A publisher republishes an entry without a page, with the id that we generated."""
    minted = mint_id(publisher.url("/a"), None, "g1")
    publisher["/a"] = rss("<item><title>Mine</title><guid isPermaLink='false'>g1</guid></item>")
    publisher["/b"] = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><id>urn:b</id>'
        f"<entry><title>Other</title><id>{minted}</id><updated>2026-11-20T10:00:00Z</updated>"
        '<link href="https://b.example/1"/></entry></feed>'
    )
    checked_installation.configure([publisher.url("/a"), publisher.url("/b")])
    assert checked_installation.run().new == 2
    assert checked_installation.run(NOON + DAY).written == ()


def test_new_guids_in_bookmarks_feed_duplicate_no_clipping(checked_installation, publisher):
    def document(start):
        return rss(
            *(
                item(f"Title {n}", f"https://x.example/{n}", body="words " * 9,
                     more=f"<guid isPermaLink='false'>{start}{n}</guid><category>t</category>")
                for n in range(3)
            )
        )  # fmt: skip

    publisher["/a"], publisher["/c"] = rss(item()), document("a")
    clippings = f'[clippings]\nfiles = "{publisher.url("/c")}"\n{LOOPBACK}'
    checked_installation.configure([publisher.url("/a")], clippings)
    checked_installation.run()
    publisher["/c"] = document("b")
    report = checked_installation.run(NOON + DAY)
    assert (report.new, report.modified) == (0, 0)


def test_recognized_entries_do_not_depend_on_other_feeds(installation, publisher):
    def release(title, guid, text):
        return f"<item><title>{title}</title><guid isPermaLink='false'>{guid}</guid>{text}</item>"

    same = "<pubDate>Mon, 23 Nov 2026 10:00:00 GMT</pubDate><description>words</description>"
    counts = []
    for number, other in enumerate(("Something", "Release Notes")):
        variant = Installation(installation.root / str(number))
        variant.root.mkdir()
        publisher["/a"] = rss(release("Release Notes", 1, same))
        publisher["/b"] = rss(item("Old", "https://b.example/old"))
        variant.configure([publisher.url("/a"), publisher.url("/b")])
        variant.run()
        publisher["/a"] = rss(release("release notes", 2, same))
        publisher["/b"] = rss(item(other, "https://b.example/new"))
        report = variant.run(NOON + DAY)
        counts.append((report.new, report.modified))
    assert counts[0] == counts[1]


def test_changed_counter_does_not_restore_pruned_entry(installation, publisher):
    def document(number):
        tomatoes = item("Tomates", "https://x.example/1", body=f"lue {number} fois par des gens")
        return rss(tomatoes, item("Le jardin", "https://x.example/2", more=TAGGED))

    publisher["/a"] = document(1)
    installation.configure([publisher.url("/a")], GARDEN)
    installation.run()
    assert installation.run(NOON + 200 * DAY).pruned == 1
    for day in range(201, 206):
        publisher["/a"] = document(day)
        assert installation.run(NOON + day * DAY).modified == 0


def test_more_hosts_than_open_files_are_allowed(installation):
    """Connections are closed after the answer."""
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


def test_rendering_by_parts_gives_the_same_files(checked_installation, publisher, monkeypatch):
    monkeypatch.setattr("aggregator.run.stale.SOURCES_PER_PART", 2)
    for name in "abc":
        publisher[f"/{name}"] = rss(item(name, f"https://{name}.example/", more=TAGGED))
    checked_installation.configure([publisher.url(f"/{name}") for name in "abc"], GARDEN)
    checked_installation.run()
    expected = {name: data for name, (data, _) in checked_installation.snapshot().items()}
    for name in expected:
        (checked_installation.outputs / name).unlink()
    project = open_project(checked_installation.root / "feeds.toml", {}, NOON)
    store, writer = checked_installation.store(), OutputFolder(checked_installation.outputs)
    vocabulary, clippings = load_vocabulary(project.config, project.clippings, store)
    arguments = project.config, vocabulary, clippings, store, writer
    parts = RenderPlanner(*arguments).parts()
    assert [part.name for part in parts[-3:]] == ["sources 0", "sources 1", "everything"]
    written = [name for part in reversed(parts) for name in publish(*arguments, part=part)]
    store.close()
    assert sorted(written) == sorted(expected)  # each once
    assert {name: data for name, (data, _) in checked_installation.snapshot().items()} == expected
