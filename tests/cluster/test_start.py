"""Workers and the scheduler as they are started: together, on nothing, and wrongly."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from aggregator.cluster import worker as processes
from aggregator.cluster.heartbeat import send_heartbeats
from aggregator.cluster.queue import Job, RetryLater
from aggregator.config import database_url
from aggregator.errors import DISTRIBUTION, StorageError
from aggregator.store import Store
from aggregator.store.engine import advice, open_engine
from tests.databases import another_server, execute, new_database

SQLITE = "sqlite:///aggregator.sqlite3"


def start(folder, url, *arguments, without="nothing"):
    """A command of ours, on a machine where a module is not installed; gives what it says."""
    (folder / "clippings.txt").write_text(
        "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Commons\n"
    )
    (folder / "feeds.toml").write_text(
        '[clippings]\nfiles = "clippings.txt"\n[store]\nurl = "env:AGGREGATOR_DATABASE"\n'
    )
    code = (
        f"import sys; sys.modules[{without!r}] = None; from aggregator.__main__ import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"AGGREGATOR_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_processes_that_are_started_together_make_the_tables_once(tmp_path):
    url = new_database(empty=True)
    together = threading.Barrier(4)
    troubles = []

    def begin():
        together.wait()
        try:
            Store(url, tmp_path).close()
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    assert execute(url, tmp_path, "SELECT count(*) FROM alembic_version")[0][0] == 1


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ('FATAL: password authentication failed for user "a"', "correct user and password"),
        ("fe_sendauth: no password supplied", "correct user and password"),
        ('FATAL: database "b" does not exist', "createdb"),
        ('FATAL: role "a" does not exist', "createuser"),
        ("failed to resolve host 'h'", "correct the host"),
        ("Connection refused", "when the server is back"),
    ],
)
def test_what_to_do_fits_what_the_server_said(reason, what):
    assert what in advice(reason)


@pytest.mark.parametrize("url", ["postgresql://u:geheim@h:port/d", "postgresql://u:ge/heim@h/d"])
def test_an_address_that_cannot_be_read_is_told_without_its_password(url):
    with pytest.raises(ValueError, match="write / as %2F") as found:
        database_url(url, {})
    assert "heim" not in str(found.value)


@pytest.mark.parametrize("command", ["worker", "schedule"])
@pytest.mark.parametrize("module", ["procrastinate", "psycopg"])
def test_an_extra_that_is_missing_is_told_with_the_line_that_installs_it(command, module, tmp_path):
    found = start(tmp_path, SQLITE, command, without=module)
    assert found.returncode == 3
    assert f"{module} is not installed" in found.stderr
    assert f'pip install "{DISTRIBUTION}[postgres]"' in found.stderr
    assert "Traceback" not in found.stderr


def test_a_variable_that_is_not_set_is_told_by_its_name(tmp_path):
    found = start(tmp_path, SQLITE, "migrate", "--to", "env:NOBODY_SET_THIS")
    assert found.returncode == 2
    assert "env:NOBODY_SET_THIS names a variable that is not set" in found.stderr


def test_a_file_that_cannot_be_touched_is_told_at_once(tmp_path):
    nowhere = tmp_path / "nowhere" / "alive"
    found = start(tmp_path, new_database(), "schedule", "--alive", str(nowhere))
    assert found.returncode == 2
    assert f"{nowhere}: No such file or directory" in found.stderr


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_life_is_shown_to_health_checks_and_to_systemd(kind, tmp_path, monkeypatch):
    address = str(tmp_path / "notify") if kind == "path" else f"@aggregator-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(address.replace("@", "\0", 1) if kind == "abstract" else address)
        systemd.settimeout(10)

        async def live():
            showing = asyncio.create_task(send_heartbeats(tmp_path / "alive"))
            await asyncio.sleep(0.05)
            showing.cancel()

        asyncio.run(live())
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
    assert (tmp_path / "alive").exists()
    asyncio.run(live())  # nobody listens any more, which is no reason to stop


def test_a_server_that_stores_nothing_does_not_make_publishers_be_asked_all_the_time(tmp_path):
    store = Store(new_database(), tmp_path)
    tried = processes.FailureCounter(store, lambda _: None)

    async def full(job):
        raise StorageError("the database: could not extend file: No space left on device")

    async def seconds(tries):
        with pytest.raises(RetryLater) as found:
            await tried.wrap(full)(Job("poll", "host.example", tries=tries))
        return found.value.seconds

    assert [asyncio.run(seconds(tries)) for tries in (0, 1, 2, 50)] == [5, 10, 20, 900]
    store.close()


def test_a_server_is_to_notice_within_a_minute_that_a_machine_is_gone(tmp_path):
    """Or it would keep its locks for two hours, and all others would wait."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"
    with another_server(port) as address:
        engine = open_engine(address, tmp_path)
        with engine.connect() as connection:
            connection.rollback()
            idle, interval, count = (
                int(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names
            )
        engine.dispose()
    assert idle + interval * count <= 60
