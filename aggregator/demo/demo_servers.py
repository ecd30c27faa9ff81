"""The demonstration's publishers, and a server for what it publishes. Loopback only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

from aggregator.errors import PublishError

_TYPES = {"xml": "application/xml", "atom": "application/atom+xml", "json": "application/feed+json"}


class _Publishers(BaseHTTPRequestHandler):
    """``/moved.xml`` has moved, ``/gone.xml`` is gone, everything else is a file of ``data``."""

    server_version = "demonstration"
    sys_version = ""

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        if name == "moved.xml":
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", "/cooperatives.xml")
            self._end(b"")
        elif name == "gone.xml":
            self.send_response(HTTPStatus.GONE)
            self._end(b"")
        elif not (path := files("aggregator.demo") / "data" / name).is_file():
            self.send_response(HTTPStatus.NOT_FOUND)
            self._end(b"")
        else:
            self._send(path.read_bytes(), _TYPES[name.rpartition(".")[2]])

    def _send(self, body: bytes, media_type: str) -> None:
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if self.headers["If-None-Match"] == etag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            body = b""
        else:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", media_type)
        self.send_header("ETag", etag)
        self._end(body)

    def _end(self, body: bytes) -> None:
        if body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the run's own report is the show."""


class _Outputs(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".atom": "application/atom+xml; charset=utf-8",
        ".json": "application/feed+json; charset=utf-8",
        ".opml": "text/x-opml; charset=utf-8",
        ".html": "text/html; charset=utf-8",
    }

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def publishers_server() -> ThreadingHTTPServer:
    """The publishers, on any free port."""
    return ThreadingHTTPServer(("127.0.0.1", 0), _Publishers)


def outputs_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """The outputs, on ``port``. Raises PublishError if it is taken."""
    handler = partial(_Outputs, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"port {port}: {reason}; choose another with --port") from error


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    """``server`` answering in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
