"""Starting workers and the scheduler: at the same time, with wrong settings, without extras."""

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
from tests.objectstore import free_ports

SQLITE = "sqlite:///aggregator.sqlite3"


def start(folder, url, *arguments, without="nothing"):
    """Run a command as if the module ``without`` were not installed."""
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


def test_processes_that_start_together_create_tables_once(tmp_path):
    url = new_database(empty=True)
    barrier = threading.Barrier(4)
    errors = []

    def open_store():
        barrier.wait()
        try:
            Store(url, tmp_path).close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert execute(url, tmp_path, "SELECT count(*) FROM alembic_version")[0][0] == 1


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ('FATAL: password authentication failed for user "a"', "correct the user and password"),
        ("fe_sendauth: no password supplied", "correct the user and password"),
        ('FATAL: database "b" does not exist', "createdb"),
        ('FATAL: role "a" does not exist', "createuser"),
        ("failed to resolve host 'h'", "correct the host"),
        ("Connection refused", "when the server is back"),
    ],
)
def test_advice_fits_the_server_error(reason, hint):
    assert hint in advice(reason)


@pytest.mark.parametrize("url", ["postgresql://u:geheim@h:port/d", "postgresql://u:ge/heim@h/d"])
def test_invalid_database_url_is_reported_without_password(url):
    with pytest.raises(ValueError, match="write / as %2F") as raised:
        database_url(url, {})
    assert "heim" not in str(raised.value)


@pytest.mark.parametrize("command", ["worker", "schedule"])
@pytest.mark.parametrize("module", ["procrastinate", "psycopg"])
def test_missing_extra_is_reported_with_install_command(command, module, tmp_path):
    process = start(tmp_path, SQLITE, command, without=module)
    assert process.returncode == 3
    assert f"{module} is not installed" in process.stderr
    assert f'pip install "{DISTRIBUTION}[postgres]"' in process.stderr
    assert "Traceback" not in process.stderr


def test_unset_variable_is_reported_by_name(tmp_path):
    process = start(tmp_path, SQLITE, "migrate", "--to", "env:NOBODY_SET_THIS")
    assert process.returncode == 2
    assert "env:NOBODY_SET_THIS names a variable that is not set" in process.stderr


def test_unwritable_heartbeat_file_is_reported_at_start(tmp_path):
    nowhere = tmp_path / "nowhere" / "alive"
    process = start(tmp_path, new_database(), "schedule", "--alive", str(nowhere))
    assert process.returncode == 2
    assert f"{nowhere}: No such file or directory" in process.stderr


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_heartbeats_reach_health_check_file_and_systemd(kind, tmp_path, monkeypatch):
    address = str(tmp_path / "notify") if kind == "path" else f"@aggregator-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(address.replace("@", "\0", 1) if kind == "abstract" else address)
        systemd.settimeout(10)

        async def beat():
            heartbeats = asyncio.create_task(send_heartbeats(tmp_path / "alive"))
            await asyncio.sleep(0.05)
            heartbeats.cancel()

        asyncio.run(beat())
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
    assert (tmp_path / "alive").exists()
    asyncio.run(beat())  # without a listener it continues


def test_full_server_delays_retries(tmp_path):
    store = Store(new_database(), tmp_path)
    failures = processes.FailureCounter(store, lambda _: None)

    async def full(job):
        raise StorageError("the database: could not extend file: No space left on device")

    async def seconds(tries):
        with pytest.raises(RetryLater) as raised:
            await failures.wrap(full)(Job("poll", "host.example", tries=tries))
        return raised.value.seconds

    assert [asyncio.run(seconds(tries)) for tries in (0, 1, 2, 50)] == [5, 10, 20, 900]
    store.close()


def test_server_notices_lost_machine_within_a_minute(tmp_path):
    """Otherwise the server would keep the machine's locks for two hours."""
    (port,) = free_ports(1)
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
