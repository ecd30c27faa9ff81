"""The servers of the demonstration, on loopback: publishers of feeds, and the outputs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aggregator.errors import PublishError
from aggregator.publish.paths import MEDIA_TYPES


class _Files(SimpleHTTPRequestHandler):
    extensions_map = (
        SimpleHTTPRequestHandler.extensions_map | MEDIA_TYPES | {".xml": "application/xml"}
    )

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the console shows the reports of the runs."""


class _Publishers(_Files):
    """``/moved.xml`` is redirected, ``/gone.xml`` is gone, every other path is a file."""

    def do_GET(self) -> None:
        if self.path == "/moved.xml":
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", "/cooperatives.xml")
            self.end_headers()
        elif self.path == "/gone.xml":
            self.send_error(HTTPStatus.GONE)
        else:
            super().do_GET()


def publishers_server(folder: Path) -> ThreadingHTTPServer:
    """The publishers of the feeds in ``folder``, on any free port."""
    return ThreadingHTTPServer(("127.0.0.1", 0), partial(_Publishers, directory=str(folder)))


def outputs_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """The outputs, on ``port``. Raises PublishError if another process has the port."""
    handler = partial(_Files, directory=str(folder))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(f"port {port}: {reason}; choose another with --port") from error


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[ThreadingHTTPServer]:
    """Run ``server`` in a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
