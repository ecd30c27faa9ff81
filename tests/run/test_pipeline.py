"""Complete runs from feeds.toml to outputs/, with real HTTP servers on loopback."""

import io
import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import feedparser

from tests.harness import LOOPBACK, NOON, Installation, item, rss
from tests.origin import Answer

DAY = timedelta(days=1)
CLIPPING = "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Communs #P2P\n"


def titles(installation, tag="communs"):
    document = (installation.outputs / f"{tag}.atom").read_bytes()
    parsed = feedparser.parse(io.BytesIO(document))
    assert not parsed.bozo
    return [entry.title for entry in parsed.entries]


def entries(installation, tag="communs"):
    return feedparser.parse(io.BytesIO((installation.outputs / f"{tag}.atom").read_bytes())).entries


def test_clippings_are_published_before_any_poll(installation):
    installation.configure(clippings=CLIPPING)
    report = installation.run()
    assert report.polled == 0
    assert titles(installation) == titles(installation, "p2p") == ["Kept"]
    (entry,) = entries(installation)
    assert entry.link == "https://kept.example/p"
    assert "clipped" in [tag.term for tag in entry.tags]
    assert "Here because: clipped by the reader (#Communs, #P2P)" in entry.content[0].value


def test_entries_are_published_with_reasons(installation, publisher):
    publisher["/feed"] = rss(
        item("Les communs", body="Bonjour"), item("Tomates", link="https://feed.example/b")
    )
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    report = installation.run()
    assert (report.fetched, report.new, report.matched) == (1, 2, 3)
    assert set(titles(installation)) == {"Les communs", "Kept"}
    entry = next(e for e in entries(installation) if e.title == "Les communs")
    assert "“communs” in the title (#Communs)" in entry.content[0].value
    assert entry.source.title == "A feed"


def test_title_of_a_subscription_is_its_name_everywhere(installation, publisher):
    publisher["/feed"] = rss(item("Les communs", body="Bonjour"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    (entry,) = (e for e in entries(installation) if e.title == "Les communs")
    assert (entry.source.title, entry.author) == ("A feed", "A feed")
    for title in ("My name", "Another"):
        installation.configure([publisher.url("/feed")], f'title = "{title}"\n', CLIPPING)
        report = installation.run()
        assert report.not_modified == 1
        (entry,) = (e for e in entries(installation) if e.title == "Les communs")
        assert (entry.source.title, entry.author) == (title, title)
        source = f"_source/{title.lower().replace(' ', '-')}"
        for name in ("index", "communs", "all", source):
            page = (installation.outputs / f"{name}.html").read_text()
            assert f"from {title}" in page
            assert "A feed" not in page
    assert installation.run().written == ()


def test_unchanged_run_writes_nothing(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    before = installation.snapshot()
    report = installation.run(NOON + DAY)
    assert (report.not_modified, report.new, report.written) == (1, 0, ())
    assert installation.snapshot() == before


def test_unchanged_document_without_validators_is_not_parsed(installation, publisher):
    publisher["/feed"] = Answer(rss(item("Les communs")).encode())
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    before = installation.snapshot()
    assert installation.run(NOON + DAY).not_modified == 1
    assert installation.snapshot() == before


def test_outputs_depend_on_neither_clock_nor_order(tmp_path, publisher):
    for name in "abc":
        date = f"Mon, 2{ord(name) - 96} Nov 2026 10:00:00 GMT"
        publisher[f"/{name}"] = rss(item(f"Communs {name}", f"https://{name}.example/p", date))
    urls = [publisher.url(f"/{name}") for name in "abc"]
    snapshots = []
    for folder, order, now in (("x", urls, NOON), ("y", urls[::-1], NOON + DAY)):
        installation = Installation(tmp_path / folder)
        installation.configure(order, '[tags."Communs"]\n')
        installation.run(now)
        snapshots.append({n: data for n, (data, _) in installation.snapshot().items()})
    assert snapshots[0] == snapshots[1]
    assert b"Communs c" in snapshots[0]["communs.atom"]


def test_bad_publishers_do_not_affect_others(installation, publisher):
    publisher["/good"] = rss(item("Les communs"))
    publisher["/html"] = "<html><title>Sign in</title></html>"
    publisher["/error"] = Answer(status=500)
    publisher["/gone"] = Answer(status=410)
    publisher["/cut"] = Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<rss")
    paths = ("/good", "/html", "/error", "/gone", "/cut", "/missing")
    installation.configure([publisher.url(path) for path in paths], clippings=CLIPPING)
    report = installation.run()
    assert "Les communs" in titles(installation)
    assert report.fetched == 1
    reasons = {trouble.url.rpartition("/")[2]: trouble.reason for trouble in report.troubles}
    assert reasons["html"] == 'not a feed: an HTML page called "Sign in"'
    assert reasons["error"].startswith("HTTP 500")
    assert "gone for good" in reasons["gone"]
    assert reasons["cut"] == "the answer was cut short"
    assert len(report.troubles) == 5


def test_failures_keep_entries_and_are_reported(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    url = publisher.url("/feed")
    installation.configure([url], clippings=CLIPPING)
    installation.run()
    before = installation.snapshot()
    publisher["/feed"] = "<html><title>Down</title></html>"
    for streak in (1, 2):
        (trouble,) = installation.run(NOON + streak * DAY).troubles
        assert trouble.streak == streak
    after = installation.snapshot()
    changed = {name for name in before if after[name] != before[name]}
    assert {name.partition("/")[0] for name in changed} == {"_status.html", "_source"}
    (event,) = installation.run(NOON + 4 * DAY).events
    assert event.message == 'failing since 2026-11-25: not a feed: an HTML page called "Down"'
    (page,) = (installation.outputs / "_source").glob("*.html")
    history = unescape(re.sub(r"<[^>]*>", "", page.read_text()))
    assert f"{url}: failing since " in history
    assert 'not a feed: an HTML page called "Down"' in history
    publisher["/feed"] = rss(item("Les communs"), item("Communs 2", "https://feed.example/b"))
    report = installation.run(NOON + 5 * DAY)
    assert report.troubles == ()
    assert report.new == 1
    assert "Communs 2" in titles(installation)


def test_retry_after_is_respected(installation, publisher):
    publisher["/feed"] = Answer(status=503, headers={"Retry-After": "7200"})
    installation.configure([publisher.url("/feed")])
    installation.run()
    report = installation.run(NOON + timedelta(hours=1))
    assert (report.polled, report.waiting) == (0, 1)
    installation.run(NOON + timedelta(hours=2))
    assert len(publisher.all_requests) == 2


def test_edited_entry_keeps_its_id_and_is_updated(installation, publisher):
    publisher["/feed"] = rss(item("Les communs", more="<guid>g</guid>"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    (before,) = [e for e in entries(installation) if e.title == "Les communs"]
    publisher["/feed"] = rss(item("Les communs, corrigé", more="<guid>g</guid>"))
    report = installation.run(NOON + DAY)
    assert (report.new, report.modified) == (0, 1)
    (after,) = [e for e in entries(installation) if e.title == "Les communs, corrigé"]
    assert after.id == before.id
    assert after.updated_parsed > before.updated_parsed
    assert after.published_parsed == before.published_parsed


def test_new_dates_alone_change_nothing(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    before = installation.snapshot()
    publisher["/feed"] = rss(item("Les communs", date="Tue, 24 Nov 2026 09:00:00 GMT"))
    assert installation.run(NOON + DAY).modified == 0
    assert installation.snapshot() == before


def test_new_guid_of_same_page_keeps_the_entry(installation, publisher):
    publisher["/feed"] = rss(item("Les communs", more="<guid isPermaLink='false'>1</guid>"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    ids = [entry.id for entry in entries(installation)]
    publisher["/feed"] = rss(item("Les communs", more="<guid isPermaLink='false'>2</guid>"))
    installation.run(NOON + DAY)
    assert [entry.id for entry in entries(installation)] == ids


def test_entry_that_left_its_feed_stays_published(installation, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    publisher["/feed"] = rss()
    installation.run(NOON + DAY)
    assert "Les communs" in titles(installation)


def test_story_in_two_feeds_and_a_clipping_is_one_entry(installation, publisher):
    publisher["/one"] = rss(item("Communs", "https://kept.example/p"), title="One")
    publisher["/two"] = rss(
        item("Communs!", "http://www.kept.example/p/?utm_source=x"), title="Two"
    )
    installation.configure(clippings=CLIPPING)
    installation.run()
    (clipping,) = entries(installation)
    installation.configure([publisher.url("/one"), publisher.url("/two")], clippings=CLIPPING)
    installation.run(NOON + DAY)
    (merged,) = entries(installation)
    assert merged.id == clipping.id
    assert merged.title in ("Communs", "Communs!")
    assert "clipped" in [tag.term for tag in merged.tags]


def test_removed_clipping_is_withdrawn_and_changed_one_keeps_its_id(installation):
    installation.configure(clippings=CLIPPING + "\n• Two\n    https://two.example/\n    #Communs\n")
    installation.run()
    ids = {entry.title: entry.id for entry in entries(installation)}
    installation.configure(clippings=CLIPPING.replace("A passage", "Another passage"))
    installation.run(NOON + DAY)
    (entry,) = entries(installation)
    assert entry.id == ids["Kept"]
    assert "Another passage" in entry.content[0].value


def test_clippings_from_a_bookmarks_feed(installation, publisher):
    publisher["/mine"] = rss(
        item("Kept elsewhere", "https://kept.example/q", more="<category>Communs</category>")
    )
    publisher["/feed"] = rss(item("Les communs"))
    mine = publisher.url("/mine")
    installation.write(
        "feeds.toml",
        f'[clippings]\nfiles = "{mine}"\n{LOOPBACK}'
        f'[[subscriptions]]\nurl = "{publisher.url("/feed")}"\n{LOOPBACK}',
    )
    installation.run()
    assert set(titles(installation)) == {"Kept elsewhere", "Les communs"}
    publisher["/mine"] = rss()  # it left the bookmarks feed, but is still a clipping
    installation.run(NOON + DAY)
    assert set(titles(installation)) == {"Kept elsewhere", "Les communs"}
    installation.configure([publisher.url("/feed")], '[tags."Communs"]\n')
    installation.run(NOON + 2 * DAY)
    assert titles(installation) == ["Les communs"]  # the bookmarks feed was removed from feeds.toml


def test_new_subscription_does_not_flood_a_tag(installation, publisher):
    items = [
        item(f"Communs {n}", f"https://feed.example/{n}", f"Mon, {n:02} Nov 2026 10:00:00 GMT")
        for n in range(1, 21)
    ]
    publisher["/feed"] = rss(*items)
    installation.configure([publisher.url("/feed")], "[publish]\nbackfill = 3\n", CLIPPING)
    installation.run()
    assert set(titles(installation)) == {"Kept", "Communs 20", "Communs 19", "Communs 18"}
    more = [
        item(f"Nouveau {n} des communs", f"https://feed.example/n{n}", "Tue, 24 Nov 2026 10:00:00 GMT")
        for n in range(5)
    ]  # fmt: skip
    publisher["/feed"] = rss(*more, *items)
    installation.run(NOON + DAY)
    assert len(titles(installation)) == 4 + 5


def test_new_alias_matches_stored_entries_without_flooding(installation, publisher):
    items = [item(f"Commons {n}", f"https://feed.example/{n}") for n in range(9)]
    publisher["/feed"] = rss(*items)
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run()
    assert titles(installation) == ["Kept"]
    more = '[publish]\nbackfill = 2\n[tags."Communs"]\naliases = "commons"\n'
    installation.configure([publisher.url("/feed")], more, CLIPPING)
    report = installation.run(NOON + DAY)
    assert report.matched == 9
    assert len(titles(installation)) == 1 + 2
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    installation.run(NOON + 2 * DAY)
    assert titles(installation) == ["Kept"]


def test_moved_feed_is_followed_and_reported(installation, publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item("Les communs"))
    installation.configure([publisher.url("/old")], clippings=CLIPPING)
    (warning,) = installation.run().warnings
    assert f"redirects for good to {publisher.url('/new')}" in warning
    assert "Les communs" in titles(installation)


def test_tags_with_equal_slugs_and_a_tag_that_is_a_path(installation):
    text = "• T\n    https://a.example/\n    #C++ #C# #../../etc/passwd #🌱\n"
    installation.configure(clippings=text)
    installation.run()
    names = sorted(path.name for path in installation.outputs.iterdir())
    assert len([n for n in names if n.startswith("c-") and n.endswith(".json")]) == 2
    assert "etc-passwd.atom" in names
    general_feeds = {"_status.atom", "all.atom", "unmatched.atom", "near-miss.atom"}
    assert len([n for n in names if n.endswith(".atom") and n not in general_feeds]) == 4
    assert not list(installation.root.parent.rglob("passwd*"))


def test_run_killed_before_matching_is_completed_by_the_next(tmp_path, publisher):
    publisher["/feed"] = rss(item("Les communs"))
    snapshots = []
    for folder, killed in (("a", False), ("b", True)):
        installation = Installation(tmp_path / folder)
        installation.configure([publisher.url("/feed")], '[tags."Communs"]\n')
        installation.run()
        if killed:  # remove everything that came after storing
            installation.sql(
                *(
                    f'DELETE FROM "{table}"'
                    for table in ("match", "channel_story", "archive_document", "minhash_band")
                ),
                "UPDATE entry SET matched_fingerprint = NULL, story_id = NULL",
                "DELETE FROM story",
            )
            for path in filter(Path.is_file, installation.outputs.rglob("*")):
                path.unlink()
            installation.run(NOON + DAY)
        snapshots.append({n: data for n, (data, _) in installation.snapshot().items()})
    assert snapshots[0] == snapshots[1]


def test_outputs_contain_no_secrets(installation, publisher, monkeypatch):
    publisher["/feed?token=CANARY-T"] = rss(item("Les communs"))
    url = publisher.url("/feed?token=CANARY-T")
    installation.configure([url], clippings=CLIPPING)
    report = installation.run()
    assert "Les communs" in titles(installation)
    assert "CANARY" not in repr(report)
    for path in filter(Path.is_file, installation.outputs.rglob("*")):
        assert b"CANARY" not in path.read_bytes(), path
