"""A publisher on loopback: answers as a test says, and records requests."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESET = struct.pack("ii", 1, 0)  # SO_LINGER with 0 s: close with a reset


@dataclass
class Answer:
    """An HTTP answer.

    ``raw``, bytes or a function that yields them, is written to the socket instead of the other
    fields; then the connection is closed, with a TCP reset if ``reset``. ``wait`` is called before
    the answer.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | Callable[[], Iterable[bytes]] | None = None
    wait: Callable[[], object] = lambda: None
    reset: bool = False


@dataclass
class Request:
    """A request as it arrived."""

    path: str
    host: str
    headers: Message
    at: float


class Origin:
    """``origin["/feed"] = Answer(…)``, or bytes, which are served with an ETag."""

    def __init__(self, port: int, tls: bool = False) -> None:
        self.port = port
        self.tls = tls
        self.answers: dict[str, Answer | bytes] = {}
        self.all_requests: list[Request] = []
        self.max_concurrent: dict[str, int] = {}

    def __setitem__(self, path: str, answer: Answer | bytes | str) -> None:
        self.answers[path] = answer.encode() if isinstance(answer, str) else answer

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host}:{self.port}{path}"

    def requests(self, path: str) -> list[Request]:
        return [request for request in self.all_requests if request.path == path]


@contextmanager
def origin(address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """A publisher that answers until the block ends. ``0.0.0.0`` answers on every 127.x.y.z."""
    lock = threading.Lock()
    open_requests: dict[str, int] = {}  # by host

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = str(self.connection.getsockname()[0])
            with lock:
                publisher.all_requests.append(
                    Request(self.path, host, self.headers, time.monotonic())
                )
                open_requests[host] = open_requests.get(host, 0) + 1
                publisher.max_concurrent[host] = max(
                    publisher.max_concurrent.get(host, 0), open_requests[host]
                )
            try:
                self._answer(publisher.answers.get(self.path, Answer(b"not here", 404)))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with lock:
                    open_requests[host] -= 1

        def _answer(self, answer: Answer | bytes) -> None:
            if isinstance(answer, bytes):
                etag = f'"{sha256(answer).hexdigest()[:8]}"'
                fresh = self.headers["If-None-Match"] == etag
                answer = Answer(b"" if fresh else answer, 304 if fresh else 200, {"ETag": etag})
            answer.wait()
            if answer.raw is not None:
                self.close_connection = True
                for piece in [answer.raw] if isinstance(answer.raw, bytes) else answer.raw():
                    self.wfile.write(piece)
                    self.wfile.flush()
                if answer.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers and answer.status != 304:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET:
                request.close()  # a shutdown would close the connection without a reset
            else:
                super().shutdown_request(request)

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # some tests make clients disconnect

    with Server((address, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        publisher = Origin(server.server_port, tls is not None)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield publisher
        finally:
            server.shutdown()
            thread.join()
