"""A publisher on loopback that says what a test tells it to, and remembers what it was asked."""

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

RESET = struct.pack("ii", 1, 0)  # linger for no time


@dataclass
class Answer:
    """An HTTP answer.

    ``raw`` is written to the socket as it is, in place of all the rest: bytes, or pieces that are
    made while the client still listens. After it the connection ends, by a ``reset`` if that is
    wanted.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | Callable[[], Iterable[bytes]] | None = None
    wait: Callable[[], object] = lambda: None
    reset: bool = False


@dataclass
class Asked:
    """A request as it arrived."""

    path: str
    host: str
    headers: Message
    at: float


class Origin:
    """``origin["/feed"] = Answer(…)`` or bytes, which get an ETag and honour it."""

    def __init__(self, port: int, tls: bool = False) -> None:
        self.port = port
        self.tls = tls
        self.answers: dict[str, Answer | bytes] = {}
        self.asked: list[Asked] = []
        self.most_at_once: dict[str, int] = {}

    def __setitem__(self, path: str, answer: Answer | bytes | str) -> None:
        self.answers[path] = answer.encode() if isinstance(answer, str) else answer

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host}:{self.port}{path}"

    def requests(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]


@contextmanager
def origin(address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """Answering until the block ends. ``0.0.0.0`` answers on every 127.x.y.z."""
    lock = threading.Lock()
    now_at: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host = str(self.connection.getsockname()[0])
            with lock:
                told.asked.append(Asked(self.path, host, self.headers, time.monotonic()))
                now_at[host] = now_at.get(host, 0) + 1
                told.most_at_once[host] = max(told.most_at_once.get(host, 0), now_at[host])
            try:
                self._answer(told.answers.get(self.path, Answer(b"not here", 404)))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with lock:
                    now_at[host] -= 1

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
                request.close()  # a shutdown would end the connection in good order before
            else:
                super().shutdown_request(request)

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    with Server((address, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        told = Origin(server.server_port, tls is not None)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
