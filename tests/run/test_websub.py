"""A WebSub hub on loopback is notified of changed feeds only."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import feedparser
import pytest

from tests.harness import NOON, item, rss

DAY = timedelta(days=1)


class Hub:
    """Records the topics it is notified of; answers with ``status``."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.status = 202
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                assert form["hub.mode"] == ["publish"]
                assert form["hub.topic"] == form["hub.url"]
                hub.topics += form["hub.url"]
                self.send_response(hub.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take_topics(self) -> set[str]:
        """The topics since the last call; none may occur twice."""
        topics, self.topics = self.topics, []
        assert len(set(topics)) == len(topics)
        return {url.removeprefix("https://site.example/") for url in topics}


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def site(installation, publisher, hub):
    publisher["/feed"] = rss(item("Les communs"))
    more = f'[publish]\nhub = "{hub.url}"\nallow_private = "127.0.0.0/8"\nalso = []\n'
    installation.configure([publisher.url("/feed")], f'{more}[tags."Communs"]\n[tags."P2P"]\n')
    return installation


def hub_warnings(report):
    return [warning for warning in report.warnings if "the hub" in warning]


def test_hub_is_notified_of_changed_feeds_only(site, publisher, hub):
    site.run()
    assert hub.take_topics() == {"communs.atom", "p2p.atom"}  # archive documents are not topics
    site.run(NOON + DAY)
    assert hub.take_topics() == set()
    publisher["/feed"] = rss(item("P2P", "https://feed.example/2"))
    site.run(NOON + DAY)
    assert hub.take_topics() == {"p2p.atom"}
    links = feedparser.parse((site.outputs / "p2p.atom").read_bytes()).feed.links
    assert [link.href for link in links if link.rel == "hub"] == [hub.url]


def test_rejected_notification_is_retried_by_the_next_run(site, hub):
    hub.status = 500
    (warning,) = hub_warnings(site.run())
    assert "; the next run retries: HTTP 500" in warning
    hub.take_topics()
    hub.status = 204
    assert hub_warnings(site.run(NOON + DAY)) == []
    assert hub.take_topics() == {"communs.atom", "p2p.atom"}


def test_unreachable_hub_is_a_warning(site, hub):
    hub.close()
    (warning,) = hub_warnings(site.run())
    assert "connection refused" in warning
    assert (site.outputs / "communs.atom").is_file()
    text = (
        (site.root / "feeds.toml")
        .read_text()
        .replace('allow_private = "127.0.0.0/8"\nalso', "also")
    )
    site.write("feeds.toml", text)
    (warning,) = hub_warnings(site.run(NOON + DAY))
    assert "not on the public Internet" in warning or "private" in warning
