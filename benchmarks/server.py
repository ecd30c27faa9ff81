"""A publisher of many feeds in a process of its own, fast enough not to be what is measured."""

import asyncio
import multiprocessing
import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing.connection import Connection

_TURN = b"/edition/"
_PORT = 4287  # where it is free
_VALIDATORS = re.compile(rb"^if-(?:none-match|modified-since): *(.*?) *\r$", re.IGNORECASE | re.M)


def _serve(editions: Sequence[Mapping[str, bytes]], told: Connection) -> None:
    every = [_answers(number, documents) for number, documents in enumerate(editions)]
    current = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1]
                if path.startswith(_TURN):
                    current[0] = int(path.removeprefix(_TURN))
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                else:
                    validators, whole, unchanged = every[current[0]][path]
                    known = _VALIDATORS.search(request)
                    writer.write(unchanged if known and known[1] in validators else whole)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        # The port is in every link that is resolved: another gives other texts, and other matches.
        try:
            server = await asyncio.start_server(answer, "0.0.0.0", _PORT, backlog=4096)
        except OSError:
            server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _answers(
    number: int, documents: Mapping[str, bytes]
) -> dict[bytes, tuple[tuple[bytes, bytes], bytes, bytes]]:
    """By path: the validators, the whole answer, and that to whom knows them."""
    answers = {}
    for path, body in documents.items():
        digest = sha256(body).digest()
        etag = etag_of(body).encode()
        # A time of its own for each body: some readers send no ETag.
        at = b"Mon, 23 Nov 2026 %02d:%02d:%02d GMT" % (10 + number, digest[0] % 60, digest[1] % 60)
        head = b"ETag: %b\r\nLast-Modified: %b\r\n" % (etag, at)
        whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n%bContent-Length: %d\r\n\r\n"
        unchanged = b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % head
        answers[path.encode()] = ((etag, at), whole % (head, len(body)) + body, unchanged)
    return answers


def etag_of(body: bytes) -> str:
    """The ETag with which a document is served, whatever its edition."""
    return f'"{sha256(body).hexdigest()[:16]}"'


@contextmanager
def serving(*editions: Mapping[str, bytes]) -> Iterator[int]:
    """The port, on every 127.x.y.z, at which the first edition is served; `turn` to another."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(editions, there))
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def turn(port: int, edition: int) -> None:
    """From now on, serve this edition."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/edition/{edition}").close()


def address(port: int, number: int, path: str) -> str:
    """The address of feed ``number``: each of millions has a loopback host of its own."""
    high, low = divmod(number, 250)
    return f"http://127.{1 + high // 250}.{high % 250}.{low + 1}:{port}{path}"
