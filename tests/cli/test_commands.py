"""The program as a child process: its output and exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import weakref
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.cli import app, context, exit_codes, signals
from aggregator.cli.console import Console
from aggregator.files.run_lock import run_lock
from aggregator.store.engine import database_name
from tests.databases import sqlite_only
from tests.forkserver import REPOSITORY, start
from tests.harness import NOON, Installation, item, rss
from tests.origin import Answer

CLIPPING = "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Communs _emploi #P2P\n"


def call(folder, *arguments, code=0, **settings):
    process = start(folder, *arguments, **settings)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (process.returncode, out, err)
    assert "Traceback" not in err
    return out, err


@pytest.fixture
def working(installation, publisher):
    """An installation with one subscription, which answers."""
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    return installation


def test_silent_when_all_is_well(working):
    assert call(working.root, "run") == ("", "")
    assert call(working.root, "run") == ("", "")
    assert (working.outputs / "communs.atom").exists()


def test_verbose_prints_summary_and_clipping_warnings(working):
    _, err = call(working.root, "-v", "run")
    assert "1 polled (1 fetched, 0 not modified, 0 failed); 1 new entries" in err
    assert 'clippings.txt:6: "_emploi" is not a hashtag: read as #emploi' in err


def test_run_json(working):
    out, _ = call(working.root, "run", "--json")
    report = json.loads(out)
    assert report["new"] == 1
    assert "communs.atom" in report["written"]


def test_failure_and_recovery_of_new_subscription_are_reported_once(working, publisher):
    good = publisher.answers["/feed"]
    publisher["/feed"] = Answer(status=500)
    _, err = call(working.root, "run", code=4)
    assert err == f'"{publisher.url("/feed")}": HTTP 500 Internal Server Error (it will be retried)\n'  # fmt: skip
    assert call(working.root, "run") == ("", "")  # not due
    assert call(working.root, "run", "--all", code=4) == ("", "")
    assert "(3 times in a row)" in call(working.root, "-v", "run", "--all", code=4)[1]
    publisher["/feed"] = good
    assert "answers again" in call(working.root, "run", "--all")[1]


def test_first_failure_of_working_subscription_is_silent(working, publisher):
    call(working.root, "run")
    publisher["/feed"] = Answer(status=500)
    assert call(working.root, "run", "--all", code=4) == ("", "")


def test_quiet_hides_failed_subscriptions(working, publisher):
    publisher["/feed"] = Answer(status=500)
    assert call(working.root, "-q", "run", code=4) == ("", "")


def test_exit_code_with_some_failures(working, publisher):
    publisher["/bad"] = Answer(status=500)
    working.configure([publisher.url("/feed"), publisher.url("/bad")], clippings=CLIPPING)
    call(working.root, "run")
    call(working.root, "run", "--all", "--strict", code=1)


def test_run_without_network_reports_once_and_publishes_clippings(tmp_path):
    installation = Installation(tmp_path)
    urls = [f"http://{name}.invalid/feed" for name in ("one", "two")]
    installation.configure(urls, clippings=CLIPPING)
    _, err = call(tmp_path, "run", code=4)
    offline, *lines = err.splitlines()
    assert offline == "no network: no feed answered (not counted as failures)"
    for url, line in zip(urls, lines, strict=True):
        assert line == f'"{url}": name not found: check the address, or the network'
    assert (installation.outputs / "communs.atom").exists()
    assert call(tmp_path, "run", code=4) == ("", "")


def test_config_errors_are_reported_and_nothing_changes(tmp_path):
    installation = Installation(tmp_path)
    installation.write("feeds.toml", '[site]\ntitel = "x"\n[[subscriptions]]\nurl = "x"\n')
    for command in ("run", "check", "status", "tags"):
        out, err = call(tmp_path, command, code=2)
        assert out == ""
        assert err.splitlines() == [
            'feeds.toml:2: unknown key "site.titel": did you mean "title"?',
            'feeds.toml:4: "subscriptions.url" is "x": expected an address that starts with '
            '"https://" or "http://"',
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["feeds.toml"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "feeds.toml: no configuration here: expected a feeds.toml (No such file or directory)"),
        ({"feeds.toml": b""}, "feeds.toml: nothing is configured"),
        ({"feeds.toml": "é = 1".encode("latin-1")}, "feeds.toml:1: not UTF-8 (byte 0xe9; is it another encoding?)"),
        ({"feeds.toml": "a = 1".encode("utf-16")}, "is it UTF-16?"),
        ({"feeds.toml": b'[clippings]\nfiles = ["a.txt", "b/*.txt"]'}, 'feeds.toml: [clippings] files: there is no file "a.txt"'),
        ({"feeds.toml": b'[clippings]\nfiles = "a"', "a": b" \n"}, "a: the clippings file is empty"),
        ({"feeds.toml": b'[clippings]\nfiles = "a"', "a": b"ok\n\xff"}, "a:2: not UTF-8"),
        ({"feeds.toml": b'[clippings]\nfiles = "a"', "a": b"<html><title>No</title>"}, 'a: neither clippings nor a bookmark file; not a feed: an HTML page called "No"'),
        ({"feeds.toml": b'[clippings]\nfiles = "' + b"a" * 999 + b'"'}, "[clippings] files: there is no file"),
        ({"feeds.toml": b'[clippings]\nfiles = "/dev/zero"'}, "/dev/zero: the clippings file is a device, not a file"),
        ({"feeds.toml": b'[clippings]\nfiles = "."'}, ".: the clippings file cannot be read (Is a directory)"),
    ],
)  # fmt: skip
def test_project_error_messages(tmp_path, files, message):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    _, err = call(tmp_path, "check", code=2)
    assert message in err
    assert not (tmp_path / "outputs").exists()


def test_all_missing_clippings_files_are_named(tmp_path):
    (tmp_path / "feeds.toml").write_text('[clippings]\nfiles = ["a.txt", "b/*.txt", "/no/*"]')
    assert len(call(tmp_path, "check", code=2)[1].splitlines()) == 3


def test_clippings_in_every_format(tmp_path):
    installation = Installation(tmp_path)
    installation.write("a.txt", CLIPPING)
    installation.write(
        "b.html",
        "<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><DT><A HREF='https://b.example/' TAGS='Communs'>B</A>",
    )
    installation.write(
        "c.xml", rss(item("C", "https://c.example/p", more="<category>Communs</category>"))
    )
    installation.write("feeds.toml", '[clippings]\nfiles = ["*.txt", "*.html", "c.xml"]')
    assert "0 subscriptions, 3 clippings" in call(tmp_path, "check")[1]
    call(tmp_path, "run")
    feed = (installation.outputs / "communs.atom").read_text()
    assert all(f"<title>{title}</title>" in feed for title in ("Kept", "B", "C"))


def test_status(working, publisher):
    publisher["/bad"] = Answer(status=503, headers={"Retry-After": "60"})
    working.configure([publisher.url("/feed"), publisher.url("/bad")], clippings=CLIPPING)
    states = [row["state"] for row in json.loads(call(working.root, "status", "--json")[0])]
    assert states == ["new", "new"]
    call(working.root, "run")
    good, bad = json.loads(call(working.root, "status", "--json")[0])
    assert (good["state"], good["entries"], good["failures"]) == ("ok", 1, 0)
    assert (bad["state"], bad["failures"]) == ("failing", 1)
    assert "503" in bad["error"]
    assert bad["why"] == "failed once"
    assert good["next_poll"] > good["last_success"]
    assert "no entry for" in good["why"]
    out, _ = call(working.root, "status")
    assert len(out.splitlines()) == 3
    assert publisher.url("/bad") in out


def test_tags(working):
    call(working.root, "run")
    rows = {row["tag"]: row for row in json.loads(call(working.root, "tags", "--json")[0])}
    assert rows["Communs"]["feed"] == "https://site.example/communs.atom"
    assert (rows["Communs"]["clippings"], rows["Communs"]["entries"]) == (1, 2)
    assert "emploi" in rows
    assert "Communs" in call(working.root, "tags")[0]


def test_explain(working):
    call(working.root, "run")
    link = "https://feed.example/a"
    out, _ = call(working.root, "explain", link)
    assert "Les communs" in out
    assert "#Communs" in out
    assert "“communs” in the title" in out
    (entry,) = json.loads(call(working.root, "explain", link, "--json")[0])
    assert entry["matches"][0]["evidence"][0]["kind"] == "phrase"
    assert "Les communs" in call(working.root, "explain", entry["id"])[0]
    assert "clipped" in call(working.root, "explain", "http://www.kept.example/p/")[0]
    _, err = call(working.root, "explain", "https://nowhere.example/", code=2)
    assert err == 'no entry has the link or id "https://nowhere.example/"\n'


def test_explain_entry_without_tag(working, publisher):
    publisher["/feed"] = rss(item("Tomates"))
    call(working.root, "run")
    assert "  no tag\n" in call(working.root, "explain", "https://feed.example/a")[0]


def test_explain_shows_near_misses(working, publisher):
    publisher["/feed"] = rss(item("Tomates", body="Une recette des communs"))
    call(working.root, "run")
    out, _ = call(working.root, "explain", "https://feed.example/a")
    assert re.search(r"  no tag, near misses:\n  #Communs  0.4\d* \(needs 0.5\d*\)", out)
    assert "(one clipping: matched by name only)" in out


def test_explain_shows_other_tags_with_highest_scores(working, publisher):
    publisher["/feed"] = rss(item("Les communs", body="du p2p"))
    call(working.root, "run")
    out, _ = call(working.root, "explain", "https://feed.example/a")
    assert "other tags with the highest scores:\n  #P2P" in out


def test_confirm_and_reject(working):
    call(working.root, "run")
    link = "https://feed.example/a"
    _, err = call(working.root, "confirm", link, "emploi", "-v", code=2)
    assert "No such option" in err
    _, err = call(working.root, "-v", "confirm", link, "emploi")
    assert '"Les communs" belongs to #emploi' in err
    call(working.root, "reject", link, "COMMUNS")
    call(working.root, "retag")
    out, _ = call(working.root, "explain", link)
    assert "#emploi  1.0" in out
    assert "your decision" in out
    assert "#Communs" not in out
    _, err = call(working.root, "confirm", link, "Comuns", code=2)
    assert err == 'Comuns: unknown tag; did you mean "Communs"?\n'
    _, err = call(working.root, "reject", "https://nowhere.example/", "P2P", code=2)
    assert err == 'no entry has the link or id "https://nowhere.example/"\n'


def test_retag_dry_run_shows_moves(working):
    call(working.root, "run")
    working.write(
        "feeds.toml",
        working.root.joinpath("feeds.toml").read_text() + '[tags."P2P"]\naliases = ["communs"]\n',
    )
    before = working.snapshot()
    out, _ = call(working.root, "retag", "--dry-run")
    assert "#P2P: 1 enter, 0 leave\n  + Les communs" in out
    assert working.snapshot() == before
    (moves, *_) = json.loads(call(working.root, "retag", "--json")[0])
    assert "Les communs" in moves["enters"] + moves["leaves"]
    assert call(working.root, "retag", "--dry-run") == ("", "nothing would change\n")
    assert "Les communs" in (working.outputs / "p2p.atom").read_text()


def test_preview(working, publisher):
    publisher["/other"] = rss(item("Le P2P"), item("Tomates", link="https://feed.example/t"))
    url, loopback = publisher.url("/other"), ("--allow-private", "127.0.0.0/8")
    out, _ = call(working.root, "preview", url, *loopback)
    assert re.search(r"A feed: 2 entries, 1 with a tag\n  Le P2P: #P2P 0.\d+\n  Tomates: –", out)
    assert json.loads(call(working.root, "preview", url, *loopback, "--json")[0])["trouble"] is None
    publisher["/page"] = Answer(body=b"<html><title>x</title></html>")
    _, err = call(working.root, "preview", publisher.url("/page"), *loopback, code=2)
    assert "aggregator discover" in err
    _, err = call(working.root, "preview", "ftp://x.example/", code=2)
    assert err == "ftp://x.example/: not a web address\n"
    _, err = call(working.root, "preview", url, "--allow-private", "x", code=2)
    assert "does not appear to be" in err


def test_suggest(working):
    working.write(
        "clippings.txt",
        "".join(
            f"• Kept {n}\n    https://often.example/{n}\n\n    A passage.\n\n    #Communs #commun #P2P #Peer-to-Peer\n\n"
            for n in range(3)
        ),
    )
    call(working.root, "run")
    out, _ = call(working.root, "suggest", "sources")
    assert "often.example: clipped 3 times, linked from 0 entries" in out
    assert json.loads(call(working.root, "suggest", "sources", "--json")[0])["missing"]
    out, _ = call(working.root, "suggest", "aliases")
    assert '[tags."commun"]\naliases = ["Communs"]  # forms of one word' in out
    assert '[tags."P2P"]\naliases = ["Peer-to-Peer"]  # the initials' in out


def test_control_characters_of_feeds_are_replaced(working, publisher):
    publisher["/feed"] = rss(item("Communs &#x202e;&#x9b;31m\u00a0:"))
    call(working.root, "run")
    out, _ = call(working.root, "explain", "https://feed.example/a")
    assert "\u202e" not in out
    assert "\x9b" not in out
    assert "\u00a0:" in out


def test_schema_file_is_up_to_date(tmp_path):
    out, _ = call(tmp_path, "schema")
    assert json.loads(out)["title"] == "FeedsToml"
    assert (REPOSITORY / "docs" / "feeds.schema.json").read_text("utf-8") == out
    first = (REPOSITORY / "feeds.toml").read_text("utf-8").partition("\n")[0]
    assert first == "#:schema ./docs/feeds.schema.json"


def test_bundled_feeds_toml_is_valid(tmp_path):
    _, err = call(tmp_path, "-c", str(REPOSITORY / "feeds.toml"), "check")
    assert re.search(r"\d\d subscriptions, 13 clippings, \d\d tags with settings", err)


def test_second_run_is_locked_out(working, publisher):
    released = threading.Event()
    publisher["/feed"] = Answer(rss(item("Communs")).encode(), wait=lambda: released.wait(60))
    first = start(working.root, "run")
    while not publisher.all_requests:
        time.sleep(0.02)
    _, err = call(working.root, "run", code=75)
    released.set()
    assert f"another run is in progress (process {first.pid}, since 20" in err
    assert first.communicate()[1] == ""
    assert first.returncode == 0
    call(working.root, "run")


@sqlite_only
def test_locked_out_run_creates_no_database(working):
    """The run that holds the lock creates it, and reports that it was missing."""
    call(working.root, "run")
    database = working.root / "aggregator.sqlite3"
    for file in working.root.glob("aggregator.sqlite3*"):
        file.unlink()
    with run_lock(database):
        _, err = call(working.root, "run", code=75)
        assert not database.exists()
    assert f"another run is in progress ({database}); nothing was done" in err


def test_lock_message_does_not_name_finished_run(working):
    """Another command, such as `vacuum`, holds the lock."""
    call(working.root, "run")
    with context.acquire_lock(working.root, working.database):
        _, err = call(working.root, "run", code=75)
    name = database_name(working.database, working.root)
    assert f"another run is in progress ({name}); nothing was done" in err


@pytest.mark.parametrize(
    ("signal_sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
)
def test_stopped_run_is_completed_by_next_run(working, publisher, signal_sent, code):
    call(working.root, "run")
    before = working.snapshot()
    publisher["/feed"] = Answer(rss(item("Communs, bis")).encode(), wait=lambda: time.sleep(3))
    requests = len(publisher.all_requests)
    process = start(working.root, "run", "--all")
    for _ in range(1000):
        if len(publisher.all_requests) > requests:
            break
        time.sleep(0.02)
    process.send_signal(signal_sent)
    began = time.monotonic()
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode == code
    assert "Traceback" not in err
    assert working.snapshot() == before
    publisher["/feed"] = rss(item("Communs, bis"))
    call(working.root, "run", "--all")
    assert "Communs, bis" in (working.outputs / "communs.atom").read_text()


@sqlite_only
def test_file_that_is_not_a_database(working):
    (working.root / "aggregator.sqlite3").write_bytes(b"diary" * 999)
    _, err = call(working.root, "run", code=3)
    assert "aggregator.sqlite3: file is not a database" in err
    assert (working.root / "aggregator.sqlite3").read_bytes() == b"diary" * 999


def test_unwritable_outputs_are_reported_before_polling(working, publisher):
    working.outputs.write_text("a file")
    _, err = call(working.root, "run", code=3)
    assert "outputs: " in err
    assert not publisher.all_requests


def test_run_in_minimal_environment_of_cron(working):
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    assert call(working.root, "run", env=bare, stdin=subprocess.DEVNULL) == ("", "")
    out, _ = call(working.root, "explain", "https://feed.example/a", env=bare)
    assert "“communs”" in out


def test_demo(tmp_path):
    _, err = call(tmp_path, "demo", "--no-serve", "--port", "0", "--folder", "here")
    assert "7 polled (6 fetched, 0 not modified, 1 failed); 12 new entries" in err
    assert "7 polled (1 fetched, 5 not modified, 1 failed); 0 new entries" in err  # one is cut
    assert "0 files written" in err
    assert "gone for good" in err
    assert "redirects for good" in err
    assert "damaged" in err
    assert (tmp_path / "here" / "outputs" / "index.html").exists()


def test_demo_serves_until_interrupted(tmp_path):
    process = start(tmp_path, "demo", "--port", "0", "--folder", "here")
    assert process.stderr
    lines: list[str] = []
    while not (address := re.search(r"http://127\.0\.0\.1:\d+/(?= in a browser)", "".join(lines))):
        lines.append(process.stderr.readline())
    for name in ("index.html", "communs.atom", "index.opml"):
        with urllib.request.urlopen(address[0] + name, timeout=5) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_demo_port_in_use(tmp_path, publisher):
    _, err = call(tmp_path, "demo", "--port", str(publisher.port), code=3)
    assert f"port {publisher.port}: Address already in use; choose another with --port" in err


def test_prune_removes_unconfigured_feeds_and_pages(working, publisher):
    publisher["/other"] = rss(item("Autre", "https://b.example/"))
    working.configure([publisher.url("/feed"), publisher.url("/other")], clippings=CLIPPING)
    call(working.root, "run")
    assert call(working.root, "prune")[1].startswith("no feed to remove\n")
    pages = set((working.outputs / "_source").iterdir())
    working.configure([publisher.url("/feed")], clippings=CLIPPING.replace(" #P2P", ""))
    call(working.root, "run")
    assert (working.outputs / "p2p.atom").is_file()
    _, err = call(working.root, "prune")
    assert "P2P: removed p2p.atom and its archive" in err
    assert not list(working.outputs.glob("p2p*"))
    assert len(set((working.outputs / "_source").iterdir())) == len(pages) - 1
    call(working.root, "run")
    assert not list(working.outputs.glob("p2p*"))


def test_unwritable_metrics_file(working):
    (working.root / "metrics.prom").mkdir()
    _, err = call(working.root, "run", code=3)
    assert "metrics.prom: " in err


def test_help_and_version(tmp_path):
    out, _ = call(tmp_path, "--help")
    assert "75 another run holds the lock" in " ".join(out.split())
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", call(tmp_path, "--version")[0])
    call(tmp_path, "runn", code=2)


def test_every_command_and_exit_code_is_documented():
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    for command in app.registered_commands:
        assert command.callback
        assert f"aggregator {command.callback.__name__}" in readme
    for group in app.registered_groups:
        assert group.typer_instance
        for command in group.typer_instance.registered_commands:
            assert f"aggregator {group.name} {command.name}" in readme
    for code in (0, 1, 2, 3, 4, 75):
        assert f"| {code} |" in readme


def test_evaluate_clippings(working):
    out, err = call(working.root, "-v", "evaluate")
    assert "all pairs: precision 0.00, recall 0.00, F1 0.00" in out
    assert "1 entries, 1 without a predicted tag" in out
    assert "  Kept" in err
    found = json.loads(call(working.root, "evaluate", "--json")[0])
    assert list(found["tags"]) == ["Communs", "emploi", "P2P"]
    assert found["micro"]["support"] == 3
    working.configure(["https://feed.example/"])
    assert "nothing to evaluate" in call(working.root, "evaluate", code=2)[1]


def test_evaluate_posts_without_project(tmp_path):
    rows = [{"title": f"Vélos {n}", "text": "", "tags": ["vélos"]} for n in range(5)]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    posts = ("evaluate", "--posts", "posts.jsonl", "--clippings")
    found = json.loads(call(tmp_path, *posts, "3", "--json")[0])
    assert (found["entries"], found["tags"]["vélos"]["recall"]) == (2, 1)
    assert "vélos" in call(tmp_path, *posts, "3")[0]
    assert "leaves none to evaluate" in call(tmp_path, *posts, "5", code=2)[1]
    (tmp_path / "posts.jsonl").write_bytes(b"\xff")
    assert "posts.jsonl: not UTF-8" in call(tmp_path, *posts, "3", code=2)[1]
    (tmp_path / "posts.jsonl").unlink()
    assert "posts.jsonl: No such file" in call(tmp_path, *posts, "3", code=2)[1]


def test_discover_prints_toml_and_add_edits_feeds_toml(working, publisher):
    publisher["/"] = '<link rel="alternate" type="application/rss+xml" href="/posts.rss">'
    publisher["/posts.rss"] = rss(item(), title="Posts", language="fr")
    allowed = ("--allow-private", "127.0.0.1/32")
    out, _ = call(working.root, "discover", publisher.url("/"), *allowed)
    assert out == (
        '[[subscriptions]]\ntitle = "Posts" # 1 entries, newest 2026-11-23\n'
        f'url = "{publisher.url("/posts.rss")}"\nlanguage = "fr"\n'
        'allow_private = ["127.0.0.1/32"]\n'
    )
    (found,) = json.loads(call(working.root, "discover", publisher.url("/"), *allowed, "--json")[0])
    assert found["entries"] == 1
    before = (working.root / "feeds.toml").read_text()
    _, err = call(working.root, "discover", publisher.url("/"), *allowed, "--add")
    assert err == "feeds.toml: 1 subscriptions added\n"
    after = (working.root / "feeds.toml").read_text()
    assert set(after.splitlines()) > set(before.splitlines())
    assert "2 subscriptions" in call(working.root, "check")[1]
    _, err = call(working.root, "discover", publisher.url("/posts.rss"), *allowed, "--add")
    assert err == "feeds.toml: 0 subscriptions added; 1 already there\n"


def test_discover_without_project_and_without_feed(tmp_path, publisher):
    publisher["/feed"] = rss(item())
    url = publisher.url("/feed")
    allowed = ("--allow-private", "127.0.0.1/32")
    call(tmp_path, "discover", url, *allowed, "--add")
    assert f'url = "{url}"' in (tmp_path / "feeds.toml").read_text()
    _, err = call(tmp_path, "discover", publisher.url("/feed"), code=4)
    assert "127.0.0.1 is a private address" in err
    assert "no web address" in call(tmp_path, "discover", "ftp://a/", code=4)[1]
    call(tmp_path, "discover", url, "--allow-private", "here", code=2)


def test_opml_import_and_export(installation):
    secret = "https://me:pw@b.example/feed?token=SECRET"
    opml = f'<opml version="2.0"><body><outline text="A" xmlUrl="https://a.example/feed"/><outline text="F"><outline text="B" xmlUrl="{secret}"/></outline></body></opml>'  # fmt: skip
    installation.write("list.opml", opml)
    _, err = call(installation.root, "import", "opml", "list.opml")
    assert err == "feeds.toml: 2 subscriptions added\n"
    text = (installation.root / "feeds.toml").read_text()
    assert 'title = "B" # F' in text
    out, err = call(installation.root, "export", "opml")
    assert "secrets were left out of: B" in err
    assert "SECRET" not in out
    assert "pw" not in out
    installation.write("again.opml", out)
    _, err = call(installation.root, "import", "opml", "again.opml")
    assert err == "feeds.toml: 0 subscriptions added; 2 already there\n"
    installation.write("list.opml", "no list")
    assert "not an OPML list" in call(installation.root, "import", "opml", "list.opml", code=2)[1]
    assert "No such file" in call(installation.root, "import", "opml", "none.opml", code=2)[1]


def test_import_does_not_change_invalid_feeds_toml(tmp_path):
    (tmp_path / "feeds.toml").write_text("[site\n")
    (tmp_path / "list.opml").write_text(
        '<opml version="2.0"><body><outline text="A" xmlUrl="https://a.example/"/></body></opml>'
    )
    _, err = call(tmp_path, "import", "opml", "list.opml", code=2)
    assert "cannot be added to" in err
    assert (tmp_path / "feeds.toml").read_text() == "[site\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feeds.toml", "list.opml"]


def test_status_prints_new_address_of_moved_feed(installation, publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item())
    installation.configure([publisher.url("/old")])
    for day in range(5):
        installation.run(NOON - timedelta(days=9 - day))
    out, err = call(installation.root, "status")
    assert " moved " in out
    assert err.splitlines()[-1] == f'    url = "{publisher.url("/new")}"'
    (row,) = json.loads(call(installation.root, "status", "--json")[0])
    assert (row["state"], row["moved_to"]) == ("moved", publisher.url("/new"))


def test_states_of_subscriptions(installation, publisher):
    recent = item(date=f"{datetime.now(UTC) - timedelta(hours=1):%a, %d %b %Y %H:%M:%S GMT}")
    publisher["/ok"] = rss(recent)
    publisher["/degraded"] = rss(recent, "<title><unclosed></title>")
    publisher["/silent"] = rss(item(date="Mon, 23 Nov 2020 10:00:00 GMT"))
    publisher["/gone"] = Answer(status=410)
    publisher["/broken"] = rss(recent)
    publisher["/waiting"] = Answer(rss(recent).encode(), headers={"Retry-After": "600000"})
    names = ("ok", "degraded", "silent", "gone", "broken", "waiting")
    installation.configure([publisher.url(f"/{name}") for name in names])
    now = datetime.now(UTC).replace(microsecond=0)
    installation.run(now - timedelta(days=4))
    publisher["/broken"] = Answer(status=500)
    installation.run(now - timedelta(days=3, hours=1))
    installation.run(now - timedelta(minutes=1))
    rows = json.loads(call(installation.root, "status", "--json")[0])
    assert [row["state"] for row in rows] == list(names)
    assert "Retry-After" in rows[-1]["why"]
    assert "damaged" in rows[1]["warning"]
    assert rows[1]["error"] is None


def test_evaluate_writes_html_page(working):
    call(working.root, "run")
    call(working.root, "evaluate", "--page", "page.html")
    page = (working.root / "page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Communs" in page
    assert "by default" in page
    _, err = call(working.root, "evaluate", "--page", "no/such/folder.html", code=3)
    assert err == "no/such/folder.html: No such file or directory\n"


HEAVY = {"httpx", "aiohappyeyeballs", "feedparser", "feedgen", "lxml", "jinja2", "lark", "numpy"}
HEAVY |= {"nh3", "pebble", "rich", "brotli", "zstandard", "tomlkit", "Stemmer", "rensa"}


def imported_by(folder, *arguments):
    """The top-level modules that a command has imported when it ends."""
    report = (
        "import atexit,sys;atexit.register(lambda:print(' '.join(sys.modules),file=sys.stderr))"
    )
    run = f"sys.argv=['aggregator',*{arguments!r}];from aggregator.__main__ import main;main()"
    process = subprocess.run(
        [sys.executable, "-c", f"{report};{run}"], cwd=folder, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return {name.partition(".")[0] for name in process.stderr.split()}


def test_idle_run_and_help_import_only_what_they_need(working):
    call(working.root, "run")
    imported = imported_by(working.root, "run")
    assert "sqlmodel" in imported
    assert imported & HEAVY == set()
    assert not imported_by(working.root, "--help") & (HEAVY | {"sqlmodel", "pydantic"})


def test_run_with_304_imports_no_parser(working):
    call(working.root, "run")
    imported = imported_by(working.root, "run", "--all")
    assert "httpx" in imported
    assert imported & {"feedparser", "pebble", "feedgen", "lxml", "jinja2", "numpy"} == set()


def test_profile(working):
    _, err = call(working.root, "run", "--profile")
    rows = {line.split()[0]: line.split()[1:] for line in err.splitlines()}
    assert {"start", "plan", "fetch", "parse", "store", "group", "match", "publish"} <= set(rows)
    assert float(rows["start"][1]) > 0
    assert rows["store"][-1] == "1"
    out, _ = call(working.root, "run", "--all", "--json")
    stages = {stage["stage"]: stage for stage in json.loads(out)["stages"]}
    assert stages["fetch"]["wall_seconds"] > 0
    assert stages["fetch"]["entries"] == 1
    metrics = (working.root / "metrics.prom").read_text("utf-8")
    assert re.search(r'aggregator_run_stage_seconds\{stage="fetch"\} [\d.]+', metrics)
    assert re.search(r'aggregator_run_stage_cpu_seconds\{stage="start"\} [\d.]+', metrics)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_weakref_callback_prints_no_traceback(capsys, number):
    class Referent:
        pass

    with signals.handle_signals(signals.raise_stop):
        referent = Referent()
        reference = weakref.ref(referent, lambda _: signal.raise_signal(number))
        del referent
        assert reference() is None
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_second_signal_does_not_change_exit_code(number, code):
    """Otherwise one that arrives during the exit would decide the exit code."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(each) for each in numbers]
    signal.signal(number, signal.SIG_DFL)  # a background process ignores SIGINT
    try:
        with (
            pytest.raises(SystemExit) as end,
            exit_codes.exit_codes(lambda: Console(quiet=True)),
        ):
            signal.raise_signal(number)
        after = [signal.getsignal(each) for each in numbers]
    finally:
        for each, handler in zip(numbers, before, strict=True):
            signal.signal(each, handler)
    assert end.value.code == code
    assert after == [signal.SIG_IGN] * 3
