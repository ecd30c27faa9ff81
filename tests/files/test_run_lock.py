import errno
import fcntl
import subprocess
import sys

import pytest

from aggregator.errors import LockedError, StorageError
from aggregator.files.run_lock import run_lock

HOLD = """
import sys, pathlib
from aggregator.files.run_lock import run_lock
with run_lock(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def lock_and_release(database):
    with run_lock(database):
        pass


def test_second_run_is_refused_until_the_first_has_ended(tmp_path):
    database = tmp_path / "new folder" / "db.sqlite3"
    holds = pytest.raises(LockedError, match=r"another run holds .*db\.sqlite3\.lock")
    with run_lock(database), holds:
        lock_and_release(database)
    lock_and_release(database)


def test_lock_of_a_killed_process_is_released(tmp_path):
    database = tmp_path / "db.sqlite3"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout and process.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError):
            lock_and_release(database)
        process.kill()
    lock_and_release(database)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_file_system_without_locks_is_reported(tmp_path, monkeypatch, number):
    def flock(descriptor, operation):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match=r"lock: no locks \(put it on a local disk\)"):
        lock_and_release(tmp_path / "db.sqlite3")


def test_link_in_place_of_the_lock_file_is_refused(tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / "db.sqlite3.lock").symlink_to(tmp_path / "target")
    with pytest.raises(StorageError, match="symbolic link"):
        lock_and_release(tmp_path / "db.sqlite3")


def test_leftovers_of_the_database_are_swept(tmp_path):
    leftover, other = tmp_path / ".tmp-db.sqlite3-x", tmp_path / ".tmp-other-x"
    leftover.touch()
    other.touch()
    with run_lock(tmp_path / "db.sqlite3"):
        assert not leftover.exists()
        assert other.exists()
