"""Faults of disks, files and the database."""

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlmodel import create_engine

from tests.faults.catalogue import fault
from tests.faults.helpers import (
    check_old_or_new,
    check_one_line,
    delay_answer,
    disk,
    is_polled,
    strace,
    wait_until,
    without_root_override,
)
from tests.faults.world import SECOND, World
from tests.forkserver import REPOSITORY

HINT = 'if it is damaged, "aggregator restore'


@fault(
    "D01",
    "The disk is full",
    produced="a run with new entries on a file system of 4 MB with a random number of free bytes, for database, "
    "outputs and everything else",
    must="exit code 3, with the file that could not be written and what to do; each output completely old or "
    "new; the database intact; when there is space again, one run gives the same outputs as on an empty disk",
    promises="P2 P3 P4 P9",
    rounds=8,
)
def test_full_disk(tmp_path, publishers, baseline, rng, rounds):
    with disk(tmp_path / "disk", "4m") as small:
        world = World(small / "world", publishers)
        world.copy_from(baseline.root)
        world.publish(SECOND)
        before = shutil.disk_usage(small).free
        world.call("run", "--all")
        needed_bytes = before - shutil.disk_usage(small).free
        failed = 0
        for _ in rounds:
            world.copy_from(baseline.root)
            free_bytes = rng.randrange(0, 2 * needed_bytes, 4096)
            print(f"{free_bytes} bytes are free")
            filler = small / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(small).free - free_bytes))
            _, err = world.call("run", "--all", code=None)
            if err:
                failed += 1
                check_one_line(err, small)
                assert "free some space there" in err, err
            check_old_or_new(world, baseline.before, baseline.after)
            filler.unlink()
            world.check_intact()
            world.call("run", "--all")
            world.check_outputs(baseline.after)
            world.check_clean()
        assert failed


@fault(
    "D02",
    "Read-only outputs or database",
    produced="no write permission for outputs/, or for the database and its folder",
    must="exit code 3 before any feed is polled, with the file and what to do; outputs unchanged",
    promises="P2 P3",
    cases=["outputs", "data"],
)
def test_read_only_outputs_or_database(used_world, baseline, case):
    used_world.origin.all_requests.clear()
    folder = used_world.root / case
    for path in folder.iterdir():
        path.chmod(path.stat().st_mode & 0o555)
    folder.chmod(0o555)
    _, err = used_world.call("run", "--all", code=3, before=without_root_override())
    check_one_line(err, folder, "let this user")
    assert not used_world.origin.all_requests
    used_world.check_outputs(baseline.before)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(path.stat().st_mode | 0o200)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "D03",
    "A folder instead of a file, or a file instead of a folder",
    produced="a folder with the name of a feed, an archive document, the database's lock or the metrics file; "
    "a file with the name of a folder",
    must="exit code 3, with its path and what to do; when it is removed, the next run completes the work",
    promises="P2 P3 P4",
    cases=[
        "outputs/commons.atom/",
        "outputs/commons/2026-11.atom/",
        "outputs/commons",
        "outputs/_source",
        "outputs",
        "data/aggregator.sqlite3.lock/",
        "metrics.prom/",
    ],
)
def test_folder_instead_of_file(used_world, baseline, case):
    path = used_world.root / case.rstrip("/")
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if case.endswith("/"):
        path.mkdir()
        (path / "something").touch()
    else:
        path.write_text("a file")
    _, err = used_world.call("run", "--all", code=3)
    check_one_line(err, path, "remove what has its name")
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)
    used_world.check_clean()


@fault(
    "D04",
    "A folder instead of the database",
    produced="`mkdir`",
    must="exit code 3, with its path; nothing in it is changed",
    promises="P2",
)
def test_folder_instead_of_database(world):
    world.state.mkdir(parents=True)
    (world.state / "diary").write_text("mine")
    _, err = world.call("run", code=3)
    check_one_line(err, world.state, "let this user")
    assert [path.name for path in world.state.iterdir()] == ["diary"]


@fault(
    "D05",
    "Permissions are lost during a run",
    produced="chmod of outputs/ while publishers are polled",
    must="exit code 3, with the file; the fetched entries are stored, and the next run publishes them without "
    "polling again",
    promises="P2 P3 P4",
)
def test_permissions_lost_during_run(used_world, baseline):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    process = used_world.start("run", "--all", before=without_root_override())
    wait_until(is_polled(used_world), "the publisher is polled")
    for folder in (
        used_world.outputs,
        *(p for p in used_world.outputs.iterdir() if p.is_dir()),
    ):
        folder.chmod(0o555)
    used_world.publish(SECOND)
    may_answer.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    check_one_line(err, used_world.outputs, "let this user write there")
    used_world.check_outputs(baseline.before)
    for folder in (
        used_world.outputs,
        *(p for p in used_world.outputs.iterdir() if p.is_dir()),
    ):
        folder.chmod(0o755)
    used_world.origin.all_requests.clear()
    used_world.call("run")
    assert not used_world.origin.all_requests
    assert used_world.files() != baseline.before
    used_world.check_intact()


@fault(
    "D06",
    "A symbolic link in outputs/",
    produced="a feed or a folder in outputs/ is a symbolic link to another place",
    must="nothing is written or removed in the target; a link in place of a feed is replaced by a file; a link in "
    "place of a folder is an error",
    promises="P2 P12",
    cases=["all.atom", "commons", "_source"],
)
def test_symbolic_link_in_outputs(used_world, baseline, case):
    target = used_world.root.parent / "outside"
    path = used_world.outputs / case
    if path.is_dir():
        shutil.rmtree(path)
        target.mkdir()
        (target / "mine.html").write_text("mine")
    else:
        path.unlink()
        target.write_text("mine")
    path.symlink_to(target)
    _, err = used_world.call("run", "--all", code=0 if target.is_file() else 3)
    if target.is_file():
        assert target.read_text() == "mine"
    else:
        check_one_line(err, path, target, "remove the link")
        used_world.call("prune", code=None)
        assert [path.name for path in target.iterdir()] == ["mine.html"]
        path.unlink()
        used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


def truncate(path, rng):
    os.truncate(path, path.stat().st_size // 2)


def empty(path, rng):
    os.truncate(path, 0)


def overwrite_start(path, rng):
    overwrite(path, 0, b"\xff" * 4096)


def overwrite_all_but_first_page(path, rng):
    overwrite(path, 4096, b"\xff" * (path.stat().st_size - 4096))


def replace_by_text(path, rng):
    path.write_text("Dear diary, " * 999)


def overwrite(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


DAMAGES = {f.__name__.replace("_", " "): f for f in (truncate, empty, overwrite_start, overwrite_all_but_first_page, replace_by_text)}  # fmt: skip


@fault(
    "D07",
    "The database is damaged",
    produced=f"one of these operations on the file: {', '.join(DAMAGES)}",
    must="exit code 3, with the file, the damage, and the backup that can be restored; the file and the outputs "
    "stay as they are; after `restore` everything is as before",
    promises="P2 P3",
    cases=list(DAMAGES),
)
def test_damaged_database(used_world, baseline, rng, case):
    used_world.call("backup")
    (backup,) = used_world.state.parent.glob("aggregator-*.sqlite3")
    DAMAGES[case](used_world.state, rng)
    damaged = used_world.state.read_bytes()
    for arguments in (["run", "--all"], ["status"], ["backup"]):
        _, err = used_world.call(*arguments, code=3)
        check_one_line(err, used_world.state)
        if arguments != ["backup"]:
            check_one_line(err, f"{HINT} {backup}")
        assert used_world.state.read_bytes() == damaged
        used_world.check_outputs(baseline.before)
    _, err = used_world.call("restore", str(backup))
    (aside,) = used_world.state.parent.glob("*.old-*Z")
    assert str(aside) in err
    assert aside.read_bytes() == damaged
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "D08",
    "Changed bytes in the database",
    produced="20 bytes at random places of the file get other values",
    must="`run`, `status` and `backup` exit with 0 or 3, never with a traceback; the database is never created "
    "anew; `backup` refuses a database that SQLite finds damaged",
    promises="P2 P3 P4",
    rounds=6,
)
def test_changed_bytes_in_database(used_world, baseline, rng, rounds):
    target = used_world.root / "copy.sqlite3"
    for _ in rounds:
        used_world.copy_from(baseline.root)
        data = bytearray(used_world.state.read_bytes())
        for _ in range(20):
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        used_world.state.write_bytes(data)
        for arguments in (["backup", str(target)], ["status"], ["run", "--all"]):
            _, err = used_world.call(*arguments, code=None)
            if "damaged" in err and "nothing was changed" not in err:
                check_one_line(err, used_world.state, HINT)
        if target.exists():
            with closing(sqlite3.connect(target)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert len(used_world.state.read_bytes()) >= len(data)


@fault(
    "D09",
    "The write-ahead log is lost",
    produced="SIGKILL at a random fsync of a run, then the -wal file is removed",
    must="its content is fetched again, and the outputs equal those of an undisturbed run; or the database is "
    "reported as damaged",
    promises="P2 P3 P10",
    rounds=3,
)
def test_lost_write_ahead_log(used_world, baseline, rng, rounds):
    log = used_world.state.with_name(used_world.state.name + "-wal")
    for _ in rounds:
        log.unlink(missing_ok=True)
        while not log.exists():
            used_world.copy_from(baseline.root)
            number = rng.randint(1, 12)
            inject = strace("fsync", f"signal=KILL:when={number}")
            used_world.call("run", "--all", before=inject, code=None)
        log.unlink()
        used_world.call("run", "--all")
        used_world.check_outputs(baseline.after)
        used_world.check_intact()


@fault(
    "D10",
    "The write-ahead log of an incomplete checkpoint is lost",
    produced="pages of the database are overwritten, and only the index of its log (-shm) exists",
    must="exit code 3, with the file and what to do",
    promises="P2 P3",
)
def test_lost_log_of_incomplete_checkpoint(used_world):
    overwrite_all_but_first_page(used_world.state, None)
    used_world.state.with_name(used_world.state.name + "-shm").touch()
    _, err = used_world.call("run", code=3)
    check_one_line(err, used_world.state, "its write-ahead log is missing", HINT)


@fault(
    "D11",
    "The database was removed",
    produced="the database is removed, but outputs exist",
    must="other commands than `run` exit with 3; `run` creates a new database and reports it once; entries that "
    "publishers still serve are published under their old ids",
    promises="P2 P3",
)
def test_database_was_removed(used_world, baseline):
    used_world.state.unlink()
    for arguments in (["status"], ["tags"], ["prune"], ["explain", "commons"]):
        _, err = used_world.call(*arguments, code=3)
        check_one_line(err, used_world.state, "there is no database", "aggregator restore FILE")
    assert not used_world.state.exists()
    _, err = used_world.call("run", "--all")
    check_one_line(err, used_world.state, "there is no database", "aggregator restore FILE")
    assert used_world.call("run", "--all") == ("", "")
    files = used_world.files()  # archives that the new database does not know stay
    used_world.check_outputs(
        {n: d for n, d in files.items() if n not in baseline.from_nothing} | baseline.from_nothing
    )


@fault(
    "D12",
    "The schema is newer than the program",
    produced="the schema's number is 9999",
    must="exit code 3, with what to do; the file is unchanged; `restore` refuses a backup of it too",
    promises="P2 P3",
)
def test_newer_schema(used_world, baseline):
    with closing(sqlite3.connect(used_world.state)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = used_world.root / "newer.sqlite3"
    shutil.copy(used_world.state, newer)
    before = used_world.state.read_bytes()
    for arguments in (["run"], ["status"], ["restore", str(newer)], ["backup"]):
        _, err = used_world.call(*arguments, code=3)
        check_one_line(err, "(9999)", "update aggregator")
    assert used_world.state.read_bytes() == before
    used_world.check_outputs(baseline.before)


def old_database(path: Path, revision: str) -> None:
    """Create a database as an earlier version did, with a row in each of the main tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    config = Config()
    config.set_main_option("script_location", str(REPOSITORY / "aggregator/store/migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with closing(sqlite3.connect(path)) as old, old:
        names = old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in names} - {"alembic_version"}
        for table in sorted(tables & VALUES.keys()):
            columns = old.execute(f"PRAGMA table_info('{table}')").fetchall()
            row = {
                name: VALUES[table].get(name, _any_value(kind))
                for _, name, kind, not_null, default, _ in columns
                if name in VALUES[table] or (not_null and default is None)
            }
            placeholders = ", ".join("?" * len(row))
            quoted = ", ".join(f'"{name}"' for name in row)
            old.execute(
                f'INSERT INTO "{table}" ({quoted}) VALUES ({placeholders})', list(row.values())
            )


AT = "2026-11-01 00:00:00.000000"
VALUES: dict[str, dict[str, object]] = {
    "feed": {"id": 1, "url": "https://old.example/f", "role": "subscription", "atom_id": "urn:f", "title": "Old"},
    "entry": {
        "id": 1, "feed_id": 1, "story_id": 1, "key": "k", "atom_id": "tag:old.example,2026:1", "title": "Old entry",
        "page": "old.example/1", "link": "https://old.example/1", "content": "<p>kept</p>", "text": "kept",
        "authors": "[]", "categories": "[]", "enclosures": "[]", "content_hash": "h", "first_seen_at": AT,
        "changed_at": AT, "published": AT, "updated": AT,
    },
    "story": {"id": 1, "atom_id": "tag:old.example,2026:1", "updated": AT, "listed": 1, "unlisted": 1},
    "match": {"entry_id": 1, "tag": "p2p", "score": 1, "evidence": "[]", "matched_at": AT},
    "tag": {"key": "p2p", "name": "P2P", "slug": "peer-to-peer", "feed_id": "urn:uuid:1", "first_seen_at": AT},
    "channel": {
        "key": "tag:p2p", "kind": "tag", "name": "P2P", "slug": "peer-to-peer", "atom_id": "urn:uuid:1",
        "feed_id": "urn:uuid:1", "first_seen_at": AT,
    },
    "decision": {"entry_id": 1, "tag": "p2p", "decided_at": AT, "confirmed": 1, "belongs": 1, "accepted": 1},
    "run": {"id": 1, "pid": 1, "started_at": AT},
}  # fmt: skip


def _any_value(kind: str) -> object:
    if kind.startswith(("VARCHAR", "TEXT", "JSON")):
        return "[]" if kind == "JSON" else ""
    return AT if kind == "DATETIME" else 0


def check_upgraded(world: World) -> None:
    """The entry and the channel of `old_database` still exist."""
    world.check_intact()
    (entry,) = json.loads(world.call("explain", "https://old.example/1", "--json")[0])
    assert entry["title"] == "Old entry"
    with closing(sqlite3.connect(world.state)) as database:
        row = database.execute("SELECT atom_id, content FROM entry WHERE key = 'k'").fetchone()
        assert row == ("tag:old.example,2026:1", "<p>kept</p>")
        slug = database.execute("SELECT slug FROM channel WHERE key = 'tag:p2p'").fetchone()
        assert slug == ("peer-to-peer",)
    assert (world.outputs / "peer-to-peer.atom").exists()


OLD_VERSIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]


@fault(
    "D13",
    "A database of an earlier version",
    produced=f"the schemas {', '.join(OLD_VERSIONS)}, with entries, matches and feeds in them",
    must="the next run upgrades it; entries, their ids, and the URLs of feeds stay",
    promises="P3",
    cases=OLD_VERSIONS,
)
def test_database_of_earlier_version(world, case):
    old_database(world.state, case)
    assert world.call("run") == ("", "")
    check_upgraded(world)


@fault(
    "D14",
    "Killed during an upgrade of the database",
    produced=f"SIGKILL at the Nth write of `status` on a database with one of the schemas {', '.join(OLD_VERSIONS)}",
    must="the database has the old or the new schema; the next run upgrades it, and nothing is lost",
    promises="P3",
    rounds=5,
)
def test_killed_during_upgrade(world, rng, rounds):
    for _ in rounds:
        revision, number = rng.choice(OLD_VERSIONS), rng.randint(1, 60)
        print(f"killed at write {number} of the upgrade from {revision}")
        old_database(world.state, revision)
        shutil.rmtree(world.outputs, ignore_errors=True)
        inject = strace("pwrite64", f"signal=KILL:when={number}")
        world.call("status", before=inject, code=None)
        world.check_intact()
        assert world.call("run", "--all") == ("", "")
        check_upgraded(world)


@fault(
    "D15",
    "A backup during a run",
    produced="`backup` with and without a file, and `restore`, while a publisher does not answer",
    must="the backup is complete, verified and one file; `restore` exits with 75 until the run has ended; the "
    "restored database gives the same feeds",
    promises="P3 P4",
)
def test_backup_during_run(used_world, baseline):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    process = used_world.start("run", "--all")
    wait_until(is_polled(used_world), "the publisher is polled")
    process.send_signal(signal.SIGSTOP)  # keeps its lock however long the others take
    target = used_world.root / "backup.sqlite3"
    _, err = used_world.call("backup", str(target))
    assert "entries" in err
    assert "verified" in err
    used_world.call("backup", str(target))  # an older backup is replaced
    assert sorted(path.name for path in target.parent.glob("backup*")) == ["backup.sqlite3"]
    _, err = used_world.call("restore", str(target), code=75)
    check_one_line(err, "another run")
    used_world.publish(SECOND)
    may_answer.set()
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 0
    out, _ = used_world.call("restore", str(target), "--json")
    report = json.loads(out)
    assert Path(report["aside"]).exists()
    assert report["entries"] == json.loads(used_world.call("backup", "--json")[0])["entries"]
    used_world.publish(SECOND)
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)
    used_world.check_clean()


@fault(
    "D16",
    "A file that is no backup",
    produced="`restore` of a missing, empty or damaged file, of a text, of another program's database, and of the "
    "database itself; `backup` onto feeds.toml and onto the database",
    must="exit code 3, with the file and the reason; nothing is changed",
    promises="P2 P3",
    cases=[
        "missing",
        "empty",
        "damaged",
        "a text",
        "another program's",
        "itself",
        "onto feeds.toml",
        "onto itself",
    ],
)
def test_file_that_is_no_backup(used_world, baseline, case):
    file = used_world.root / "file"
    if case == "empty":
        file.touch()
    elif case == "damaged":
        shutil.copy(used_world.state, file)
        overwrite_all_but_first_page(file, None)
    elif case == "a text":
        replace_by_text(file, None)
    elif case == "another program's":
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("CREATE TABLE diary (day)")
    elif case.endswith("itself"):
        file = used_world.state
    elif case == "onto feeds.toml":
        file = used_world.root / "feeds.toml"
    before = used_world.state.read_bytes(), (used_world.root / "feeds.toml").read_bytes()
    _, err = used_world.call("backup" if case.startswith("onto") else "restore", str(file), code=3)
    check_one_line(err, file)
    assert before == (
        used_world.state.read_bytes(),
        (used_world.root / "feeds.toml").read_bytes(),
    )
    used_world.check_clean()
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)


@fault(
    "D17",
    "Killed during backup or restore",
    produced="SIGKILL at the Nth system call of `backup` or `restore` that changes a file",
    must="the backup is the old or the new one; the database is the old or the restored one; the same command "
    "succeeds when it is repeated",
    promises="P3 P4",
    rounds=5,
)
def test_killed_during_backup_or_restore(used_world, baseline, rng, rounds):
    target = used_world.root / "backup.sqlite3"
    used_world.call("backup", str(target))
    with_backup = used_world.root.parent / "with_backup"
    shutil.copytree(used_world.root, with_backup)
    for _ in rounds:
        used_world.copy_from(with_backup)
        command_name = rng.choice(["backup", "restore"])
        call = rng.choice(["pwrite64", "fsync", "fdatasync", "rename", "link", "unlink"])
        number = rng.randint(1, 12)
        print(f"{command_name} killed at {call} {number}")
        inject = strace(call, f"signal=KILL:when={number}")
        used_world.call(command_name, str(target), before=inject, code=None)
        used_world.check_intact()
        with closing(sqlite3.connect(target)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        used_world.call(command_name, str(target))
        used_world.call("run", "--all")
        used_world.check_outputs(baseline.after)
        used_world.check_clean()


@fault(
    "D18",
    "The disk is full during backup or restore",
    produced="`backup` and `restore` on a file system with 8 KB of free space",
    must="exit code 3, with the file and what to do; the older backup and the database are unchanged",
    promises="P2 P3 P4",
    cases=["backup", "restore"],
)
def test_full_disk_during_backup_or_restore(tmp_path, publishers, baseline, case):
    with disk(tmp_path / "disk", "8m") as small:
        world = World(small / "world", publishers)
        world.copy_from(baseline.root)
        target = world.root / "backup.sqlite3"
        world.call("backup", str(target))
        before = world.state.read_bytes(), target.read_bytes()
        filler = small / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(small).free - 8192))
        _, err = world.call(case, str(target), code=3)
        check_one_line(err, target, "full")
        assert before == (world.state.read_bytes(), target.read_bytes())
        world.check_clean()


REMOVALS = {
    "removed": lambda state: state.unlink(),
    "replaced by a backup": lambda state: Path(shutil.copy(state, f"{state}.copy")).replace(state),
    "removed with its folder": lambda state: shutil.rmtree(state.parent),
}


@fault(
    "D19",
    "The database is removed during a run",
    produced=f"it is {', '.join(REMOVALS)} while a publisher does not answer; the next run finds a log without a "
    "database; the log is removed too",
    must="exit code 3, with the file and what to do; nothing is stored in the removed file; then one run gives the "
    "outputs of an undisturbed run",
    promises="P2 P3 P4",
    cases=list(REMOVALS),
)
def test_database_is_removed_during_run(used_world, baseline, case):
    used_world.origin.all_requests.clear()
    may_answer = delay_answer(used_world)
    process = used_world.start("run", "--all")
    wait_until(is_polled(used_world), "the publisher is polled")
    REMOVALS[case](used_world.state)
    may_answer.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    check_one_line(err, used_world.state, "while this command ran", "run it again")
    used_world.check_outputs(baseline.before)
    log = used_world.state.with_name(used_world.state.name + "-wal")
    if log.exists() and not used_world.state.exists():
        _, err = used_world.call("run", "--all", code=3)
        check_one_line(
            err,
            used_world.state,
            "the database is missing, but its write-ahead log",
            "remove the log",
        )
        log.unlink()
    used_world.publish(SECOND)
    used_world.call("run", "--all")
    used_world.check_intact()
    files = used_world.files()
    expected = baseline.from_nothing if "removed" in case else baseline.after
    assert {name: files[name] for name in expected} == expected


CALL_ERRORS = {
    "fsync=EIO": ("outputs", "Input/output error (check that disk)"),
    "fsync=EDQUOT": ("outputs", "Disk quota exceeded (free some space there)"),
    "fdatasync=EIO": ("aggregator.sqlite3", "disk I/O error"),
    "pwrite64=EIO": ("aggregator.sqlite3", "disk I/O error"),
    "ftruncate=EIO": ("aggregator.sqlite3", "disk I/O error"),
    "rename=EXDEV": ("outputs", "Invalid cross-device link"),
    "flock=ENOSYS": ("aggregator.sqlite3.lock", "(put it on a local disk)"),
    "flock=ENOLCK": ("aggregator.sqlite3.lock", "(put it on a local disk)"),
}


@fault(
    "D20",
    "Disk errors",
    produced=f"{', '.join(CALL_ERRORS)} for every such call of a run with new entries (strace)",
    must="exit code 3, with the file and the reason; each output completely old or new; when the disk works "
    "again, the next run gives the outputs of an undisturbed run",
    promises="P2 P3 P4",
    cases=list(CALL_ERRORS),
)
def test_disk_errors(used_world, baseline, case):
    name, _, error = case.partition("=")
    path, message = CALL_ERRORS[case]
    inject = strace(name, f"error={error}")
    _, err = used_world.call("run", "--all", code=3, before=inject)
    check_one_line(err, path, message)
    check_old_or_new(used_world, baseline.before, baseline.after)
    used_world.check_intact()
    used_world.call("run", "--all")
    used_world.check_outputs(baseline.after)
    used_world.check_clean()
