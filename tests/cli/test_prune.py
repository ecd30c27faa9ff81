"""The ``prune`` and ``vacuum`` commands."""

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.errors import StorageError
from aggregator.files.run_lock import run_lock
from aggregator.store.vacuum import vacuum
from tests.cli.test_commands import call
from tests.databases import sqlite_only
from tests.harness import item, rss
from tests.serve.test_app import serving

LONG_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(days=200)
SALT = "Du sel. " * 500
MORE = '[tags."Jardin"]\n[publish]\nbackfill = 999\n'
NONE = "no content to remove: no untagged entry is older than 180 days\n"


@pytest.fixture
def old(installation, publisher):
    """An installation that last ran 200 days ago."""
    tomatoes = [item(f"Tomates {n}", f"https://feed.example/{n}", body=SALT) for n in range(50)]
    publisher["/feed"] = rss(
        *tomatoes, item("Le jardin", "https://feed.example/g", body="Abeilles")
    )
    installation.configure([publisher.url("/feed")], MORE)
    installation.run(LONG_AGO)
    return installation


def rows(installation):
    return installation.stored()


def test_prune_reports_what_it_removes(old):
    before, files = rows(old), old.snapshot()
    out, err = call(old.root, "prune", "--dry-run")
    assert out == ""
    assert err.startswith(
        "no feed to remove\nwould remove the content of 50 untagged entries that had not "
        "changed for 180 days: 0.4 MB (399,900 bytes)"
    )
    assert rows(old) == before
    assert old.snapshot() == files
    planned = json.loads(call(old.root, "prune", "--dry-run", "--json")[0])
    done = json.loads(call(old.root, "prune", "--json")[0])
    assert planned == done | {"dry_run": True}
    assert (done["entries"], done["feeds"], done["pages"]) == (50, [], [])
    assert done["size_bytes"] == 399_900  # summary or content, and text
    assert call(old.root, "prune") == ("", "no feed to remove\n" + NONE)
    assert call(old.root, "run") == ("", "")
    assert "Le jardin" in (old.outputs / "all.atom").read_text("utf-8")
    assert "Tomates" not in (old.outputs / "all.atom").read_text("utf-8")


def test_prune_dry_run_lists_feeds_and_pages(old, publisher):
    old.configure([publisher.url("/none")], "[publish]\nbackfill = 999\n")
    call(old.root, "run", code=4)
    before = old.snapshot()
    planned = json.loads(call(old.root, "prune", "--dry-run", "--json")[0])
    assert planned["feeds"] == ["jardin"]
    assert len(planned["pages"]) == 1
    assert planned["entries"] == 51
    assert old.snapshot() == before
    assert json.loads(call(old.root, "prune", "--json")[0]) == planned | {"dry_run": False}
    assert not (old.outputs / "jardin.atom").exists()


def test_prune_skips_content_before_matching(old, publisher):
    old.configure([publisher.url("/feed")], MORE + '[tags."Sel"]\n')
    _, err = call(old.root, "prune")
    assert "content was not checked: feeds.toml or the clippings have changed" in err
    assert json.loads(call(old.root, "prune", "--json")[0])["entries"] == 0
    call(old.root, "retag")
    assert call(old.root, "prune")[1].endswith(NONE)  # all belong to #Sel now


def test_prune_reports_that_all_content_is_kept(old, publisher):
    old.configure([publisher.url("/feed")], MORE + "[store]\nkeep_unmatched_days = 0\n")
    _, err = call(old.root, "prune")
    assert err.endswith("all content is kept: [store] keep_unmatched_days is 0\n")


def test_verbose_run_reports_pruned_entries(old):
    assert ", 50 pruned; " in call(old.root, "-v", "run")[1]
    assert "pruned" not in call(old.root, "-v", "run")[1]


def test_explain_pruned_entry(old):
    call(old.root, "prune")
    out, _ = call(old.root, "explain", "https://feed.example/1")
    assert "Tomates 1\n" in out
    assert f"its content was removed on {datetime.now(UTC):%Y-%m-%d}" in out
    (explanation,) = json.loads(call(old.root, "explain", "https://feed.example/1", "--json")[0])
    assert explanation["pruned_at"]
    assert explanation["missed"] == []


def test_query_does_not_find_pruned_entries(old):
    call(old.root, "prune")
    with serving(old) as (ask, _):
        status, _, body = ask("/query.atom?q=NOT%20lang:fr")
    assert status == 200
    assert b"Le jardin" in body
    assert b"Tomates" not in body


@sqlite_only
def test_vacuum_shrinks_the_database(old):
    path = old.root / "aggregator.sqlite3"
    call(old.root, "prune")
    before = path.stat().st_size
    sizes = json.loads(call(old.root, "vacuum", "--json")[0])
    assert sizes["before_bytes"] >= before
    assert sizes["after_bytes"] == path.stat().st_size < before - 50 * len(SALT)
    stored = rows(old)
    _, err = call(old.root, "vacuum")
    assert re.fullmatch(r"aggregator\.sqlite3: 0\.\d MB before, 0\.\d MB after\n", err)
    assert rows(old) == stored


@sqlite_only
def test_vacuum_without_free_space(old):
    before = rows(old)
    for short in (old.root.absolute(), None):

        def free(folder, short=short):
            return 0 if short in (None, folder) else 10**12

        with closing(old.store()) as store, pytest.raises(StorageError) as refused:
            vacuum(store.database, free)
        assert "vacuum needs " in str(refused.value)
        assert "0.0 MB are free: free some space there" in str(refused.value)
    assert rows(old) == before


@sqlite_only
@pytest.mark.parametrize("command", ["prune", "vacuum"])
def test_prune_and_vacuum_need_the_lock(old, command):
    before = rows(old)
    with run_lock(old.root / "aggregator.sqlite3"):
        _, err = call(old.root, command, code=75)
    assert err.startswith("another run holds ")
    assert rows(old) == before


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ("-1", "-1: expected a number greater than or equal to 0"),
        ('"long"', '"long": expected a whole number'),
        ("1.5", "1.5: expected a whole number"),
        ("100000", "100000: expected a number less than or equal to 36500"),
    ],
)
def test_invalid_keep_unmatched_days(installation, days, message):
    installation.configure(["https://a.example/"], f"[store]\nkeep_unmatched_days = {days}\n")
    _, err = call(installation.root, "check", code=2)
    assert err == f'feeds.toml:7: "store.keep_unmatched_days" is {message}\n'
