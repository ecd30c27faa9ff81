import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from aggregator.errors import StorageError
from aggregator.files.run_lock import run_lock
from aggregator.store import Store
from aggregator.store.backup import back_up, default_backup, restore
from aggregator.store.sqlite_file import find_damage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "sqlite:///db.sqlite3"


@pytest.fixture
def root(tmp_path):
    """A folder with a database of one run."""
    with closing(Store(URL, tmp_path)) as store:
        store.runs.start(7, NOW)
    return tmp_path


def runs(root):
    with closing(Store(URL, root)) as store:
        return store.runs.last()


def test_restore_moves_current_database_aside(root):
    backup = default_backup(URL, root, NOW)
    assert backup.name == "db-20261124T120000Z.sqlite3"
    backup_copy = back_up(URL, root, backup)
    assert (backup_copy.file, backup_copy.entries, backup_copy.size_bytes) == (
        backup,
        0,
        backup.stat().st_size,
    )
    with closing(Store(URL, root)) as store:
        store.runs.start(8, NOW)
    asides = [restore(URL, root, backup, NOW).aside for _ in range(2)]
    assert runs(root)[0] == 7
    assert [aside.name for aside in asides if aside] == [
        "db.sqlite3.old-20261124T120000Z",
        "db.sqlite3.old-20261124T120000Z-2",
    ]
    assert asides[0]
    assert restore(URL, root, asides[0], NOW).aside
    assert runs(root)[0] == 8


def test_backup_is_one_file_with_permissions_of_the_database(root):
    (root / "db.sqlite3").chmod(0o600)
    with closing(Store(URL, root)) as store:
        store.runs.start(8, NOW)  # is in the write-ahead log while the store is open
        back_up(URL, root, root / "b")
        assert sorted(path.name for path in root.glob("b*")) == ["b"]
    with closing(sqlite3.connect(root / "b")) as copy:
        assert copy.execute("SELECT max(pid) FROM run").fetchone() == (8,)
    assert (root / "b").stat().st_mode & 0o777 == 0o600


def while_verifying(monkeypatch, action):
    """Run an action while a copy is verified."""
    verify = "aggregator.store.backup.find_damage"

    def act_and_verify(path, **options):
        monkeypatch.setattr(verify, find_damage)
        action()
        return find_damage(path, **options)

    monkeypatch.setattr(verify, act_and_verify)


def test_two_backups_with_same_name_at_same_time(root, monkeypatch):
    while_verifying(monkeypatch, lambda: back_up(URL, root, root / "b"))
    back_up(URL, root, root / "b")
    assert find_damage(root / "b", thorough=True) is None
    assert not list(root.glob(".tmp-*"))


def test_run_keeps_backup_with_name_like_the_database(root, monkeypatch):
    def run():
        with run_lock(root / "db.sqlite3"):
            pass

    while_verifying(monkeypatch, run)
    back_up(URL, root, root / "db.sqlite3-monday")
    assert (root / "db.sqlite3-monday").exists()


def test_next_backup_removes_files_of_a_killed_one(root):
    for end in ("", "-journal", "-wal"):
        (root / f".tmp-b-12345678{end}").write_bytes(b"half")
    back_up(URL, root, root / "b")
    assert not list(root.glob(".tmp-*"))


def test_opening_restored_database_waits_for_writer(root):
    back_up(URL, root, root / "b")
    restore(URL, root, root / "b", NOW)
    other = sqlite3.connect(root / "db.sqlite3", isolation_level=None, check_same_thread=False)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        ended = threading.Timer(0.3, other.execute, ["COMMIT"])
        ended.start()
        assert runs(root)[0] == 7
        ended.join()


def test_restore_into_empty_installation(root, tmp_path_factory):
    back_up(URL, root, root / "b")
    other = tmp_path_factory.mktemp("other")
    assert restore("sqlite:///data/db.sqlite3", other, root / "b", NOW).aside is None
    assert (other / "data" / "db.sqlite3").exists()


def test_other_files_are_refused_and_unchanged(root):
    (root / "diary").write_text("dear " * 999)
    (root / "b").touch()
    for source, reason in (("diary", "not a database"), ("b", "not one of aggregator"), ("db.sqlite3", "itself"), ("c", "no such file")):  # fmt: skip
        with pytest.raises(StorageError, match=reason):
            restore(URL, root, root / source, NOW)
    for target in ("diary", "db.sqlite3"):
        with pytest.raises(StorageError, match="not a backup"):
            back_up(URL, root, root / target)
    with pytest.raises(StorageError, match="nothing was changed"):
        back_up(URL, root, root / "diary" / "b")
    assert sorted(path.name for path in root.iterdir()) == ["b", "db.sqlite3", "diary"]


def test_backup_of_later_schema_is_refused(root):
    with closing(sqlite3.connect(root / "db.sqlite3")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer than this program's"):
        back_up(URL, root, root / "b")


def test_backup_of_postgresql_is_refused(tmp_path):
    with pytest.raises(StorageError, match="pg_dump"):
        back_up("postgresql+psycopg://there/db", tmp_path, tmp_path / "b")


def test_damaged_database_is_refused(root):
    path = root / "db.sqlite3"
    assert find_damage(path) is None
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert find_damage(path)
    (root / "db.sqlite3-wal").unlink(missing_ok=True)
    (root / "db.sqlite3-shm").touch()
    with pytest.raises(StorageError, match="write-ahead log is missing"):
        Store(URL, root)
    with pytest.raises(StorageError, match=r"damaged|malformed"):
        back_up(URL, root, root / "b")


def test_empty_file_is_not_a_new_database(root):
    back_up(URL, root, default_backup(URL, root, NOW))
    os.truncate(root / "db.sqlite3", 0)
    with pytest.raises(StorageError, match=r"restore .*db-20261124T120000Z.sqlite3"):
        Store(URL, root)


def test_database_is_created_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    with closing(Store(URL, tmp_path)):
        assert [path.name for path in tmp_path.glob("*.sqlite3")] == ["db.sqlite3"]
    assert not list(tmp_path.glob(".tmp-*"))
