"""The outputs and queries over HTTP, requested with a plain HTTP client."""

import asyncio
import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import sha256

import feedparser
import pytest
from starlette.requests import Request

from aggregator.errors import not_installed
from aggregator.files.atomic import write_atomically
from aggregator.serve.static_files import OutputFiles
from tests.cli.test_commands import call
from tests.databases import sqlite_only
from tests.forkserver import REPOSITORY, start
from tests.harness import item, rss

CLIPPING = "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Communs\n"
ATOM = "application/atom+xml; charset=utf-8"


def free_port():
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@contextmanager
def serving(installation):
    """A client of ``aggregator serve``: ``ask(path, method, **headers)``, and its port."""
    port = free_port()
    process = start(installation.root, "serve", "--port", str(port))

    def ask(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    try:
        for _ in range(200):
            try:
                ask("/health")
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        yield ask, port
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert f"http://127.0.0.1:{port}/" in err


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    from tests.harness import Installation
    from tests.origin import origin

    installation = Installation(tmp_path_factory.mktemp("served"))
    with origin() as publisher:
        publisher["/feed"] = rss(item("Les communs"), item("La pluie", "https://feed.example/b"))
        more = '[publish]\ncompress = ["gzip"]\n'
        installation.configure([publisher.url("/feed")], more, CLIPPING)
        call(installation.root, "run")
    return installation


@pytest.fixture(scope="module")
def ask(served):
    with serving(served) as (client, _):
        yield client


def test_feed_is_served_with_headers(ask, served):
    status, headers, body = ask("/communs.atom")
    assert status == 200
    assert body == (served.outputs / "communs.atom").read_bytes()
    assert headers["content-type"] == ATOM
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == "*"
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    assert "last-modified" in headers
    assert headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/communs.json", "application/feed+json; charset=utf-8"),
        ("/index.opml", "text/x-opml; charset=utf-8"),
        ("/communs/2026-11.atom", ATOM),
    ],
)
def test_media_types(ask, path, media_type):
    status, headers, _ = ask(path)
    assert (status, headers["content-type"]) == (200, media_type)


def test_conditional_requests(ask):
    """RFC 9110 section 13."""
    _, headers, _ = ask("/communs.atom")
    etag, modified = headers["etag"], headers["last-modified"]
    status, again, body = ask("/communs.atom", If_None_Match=etag)
    assert (status, body, again["etag"]) == (304, b"", etag)
    assert ask("/communs.atom", If_None_Match=f'"x", W/{etag}')[0] == 304
    assert ask("/communs.atom", If_None_Match="*")[0] == 304
    assert ask("/communs.atom", If_None_Match='"x"', If_Modified_Since=modified)[0] == 200
    assert ask("/communs.atom", If_Modified_Since=modified)[0] == 304
    assert ask("/communs.atom", If_Modified_Since="Mon, 01 Jan 2001 00:00:00 GMT")[0] == 200
    assert ask("/communs.atom", If_Modified_Since="yesterday")[0] == 200


def test_head_and_range_requests(ask):
    _, _, content = ask("/communs.atom")
    status, headers, body = ask("/communs.atom", "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(content)))
    status, headers, body = ask("/communs.atom", Range="bytes=10-19")
    assert (status, body) == (206, content[10:20])
    assert headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert ask("/communs.atom", Range=f"bytes={len(content)}-")[0] == 416
    assert ask("/communs.atom", "POST")[0] == 405


@pytest.mark.parametrize("header", [(), ((b"range", b"bytes=2-5"),)])
@pytest.mark.parametrize("new", [b"new", b"new and longer", None])
def test_file_replaced_while_sent_is_sent_as_opened(tmp_path, new, header):
    page, old = tmp_path / "a.html", b"old <p>"
    page.write_bytes(old)
    headers = [*header, (b"accept-encoding", b"identity")]
    scope = {"type": "http", "method": "GET", "headers": headers, "path_params": {"path": "a.html"}}
    response = OutputFiles(tmp_path).respond(Request(scope))
    page.unlink() if new is None else write_atomically(page, new, 0o644)
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        await asyncio.sleep(60)

    asyncio.run(response(scope, receive, send))
    response_headers = dict(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    assert body == (old[2:6] if header else old)
    assert int(response_headers[b"content-length"]) == len(body)
    assert response_headers[b"etag"].decode() == f'"{sha256(old).hexdigest()[:32]}"'


def test_file_deleted_before_it_is_opened_is_not_found(tmp_path, monkeypatch):
    files = OutputFiles(tmp_path)
    monkeypatch.setattr(files, "_lookup", lambda name: tmp_path / name)
    scope = {"type": "http", "method": "GET", "headers": [], "path_params": {"path": "a.html"}}
    assert files.respond(Request(scope)).status_code == 404


def test_compressed_siblings_are_served(ask):
    _, plain, content = ask("/communs.atom")
    status, headers, body = ask("/communs.atom", Accept_Encoding="br, gzip;q=0.5")
    assert (status, headers["content-encoding"], headers["content-type"]) == (200, "gzip", ATOM)
    assert gzip.decompress(body) == content
    assert headers["etag"] != plain["etag"]
    assert "content-encoding" not in ask("/communs.atom", Accept_Encoding="gzip;q=0")[1]
    assert ask("/communs.atom", Accept_Encoding="gzip", If_None_Match=headers["etag"])[0] == 304


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.atom",
        "/../aggregator.sqlite3",
        "/%2e%2e/feeds.toml",
        "/..%2f..%2fetc%2fpasswd",
        "/communs",
        "/.tmp-x.atom",
        "/communs.atom.gz",
        "//etc/passwd",
        "/%00",
        "/communs.atom%00",
        f"/{'x' * 300}.atom",
    ],
)
def test_other_paths_are_not_found(ask, path):
    assert ask(path)[0] == 404


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("communs", ["Kept", "Les communs"]),
        ("communs%20NOT%20is:clipped", ["Les communs"]),
        ("title:pluie", ["La pluie"]),
        ("title:neige", []),
    ],
)
def test_any_query_is_a_feed(ask, query, titles):
    status, headers, body = ask(f"/query.atom?q={query}")
    feed = feedparser.parse(body)
    assert (status, headers["content-type"], feed.bozo) == (200, ATOM, False)
    assert sorted(entry.title for entry in feed.entries) == titles
    links = {link.rel: link.href for link in feed.feed.links}
    assert links["self"].startswith("https://site.example/query.atom?q=")
    assert ask(f"/query.atom?q={query}", If_None_Match=headers["etag"])[0] == 304
    document = json.loads(ask(f"/query.json?q={query}")[2])
    assert sorted(entry["title"] for entry in document["items"]) == titles


def test_query_errors_show_the_column(ask):
    status, _, body = ask("/query.atom?q=communs%20AND")
    assert (status, body) == (400, b"q: unexpected end (column 12)\n")
    assert ask("/query.atom")[0] == 400
    assert ask("/query.atom?q=a%00")[2] == b"q: invalid character (column 2)\n"
    assert ask("/query.rss?q=communs")[0] == 404


def test_health_and_metrics(ask, served):
    status, _, body = ask("/health")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    status, headers, body = ask("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert body == (served.root / "metrics.prom").read_bytes()


def test_silent_client_is_disconnected(served):
    with serving(served) as (ask, port):
        began = time.monotonic()
        clients = [socket.create_connection(("127.0.0.1", port), timeout=25) for _ in range(200)]
        for client in clients[::2]:
            client.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert ask("/communs.atom")[0] == 200
        assert time.monotonic() - began < 5
        for client in clients:
            assert client.recv(1000) == b""
            client.close()
        assert time.monotonic() - began > 9


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200_000, b"431"),
        (b"GET /" + b"x" * 1_000_000, b"431"),
        (b"no request\r\n\r\n" + b"x" * 1_000_000, b"400"),
    ],
)
def test_invalid_and_too_large_requests_get_an_answer(served, request_, status):
    with serving(served) as (ask, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(request_)
            answer = b"".join(iter(lambda: client.recv(1000), b""))
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert ask("/communs.atom")[0] == 200


@sqlite_only
def test_damaged_database_is_reported(installation):
    installation.configure(clippings=CLIPPING)
    call(installation.root, "run")
    with serving(installation) as (ask, _):
        (installation.root / "aggregator.sqlite3").write_bytes(b"no database" * 999)
        for path in ("/metrics", "/query.atom?q=communs", "/health"):
            status, _, body = ask(path)
            assert status == 503
            assert b"file is not a database" in body
        assert ask("/communs.atom")[0] == 200


def test_invalid_port_is_a_usage_error(served):
    assert "65535" in call(served.root, "serve", "--port", "99999", code=2)[1]


def test_health_is_stale_without_a_run_for_a_day(installation):
    installation.configure(clippings=CLIPPING)
    with serving(installation) as (ask, _):
        assert ask("/health")[0] == 503  # no run ever
        store = installation.store()
        number = store.runs.start(1, datetime(2020, 1, 1, tzinfo=UTC))
        store.runs.finish(number, datetime(2020, 1, 1, tzinfo=UTC), offline=False)
        store.close()
        status, _, body = ask("/health")
        assert (status, json.loads(body)["status"]) == (503, "stale")
        installation.sql("UPDATE alembic_version SET version_num = '9999'")
        status, _, body = ask("/health")
        assert (status, json.loads(body)["status"]) == (503, "broken")


def test_metrics_of_a_run(served):
    text = (served.root / "metrics.prom").read_text()
    assert 'aggregator_subscriptions{condition="ok"} 1.0' in text
    assert 'aggregator_feed_stories{feed="tag:communs"} 2.0' in text
    assert "aggregator_entries 3.0" in text
    assert re.search(r"aggregator_run_finished_timestamp_seconds 1\d{9}\.0", text)
    assert re.search(r"aggregator_subscription_failures\{subscription=.*\} 0.0", text)


def test_missing_extra_is_explained(served, tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('no', name='uvicorn')")
    process = subprocess.run(
        [sys.executable, "-m", "aggregator", "serve"], cwd=served.root, capture_output=True, text=True,
        env={"PYTHONPATH": f"{tmp_path}:{REPOSITORY}", "PATH": "/usr/bin"},
        check=False, timeout=60,
    )  # fmt: skip
    assert process.returncode == 2
    assert not_installed("uvicorn", "serve") in process.stderr
