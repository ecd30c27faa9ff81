"""A fast publisher of many feeds, in a separate process so that its cost is not measured."""

import asyncio
import multiprocessing
import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing.connection import Connection

_EDITION = b"/edition/"
_PORT = 4287  # if it is free
_VALIDATORS = re.compile(rb"^if-(?:none-match|modified-since): *(.*?) *\r$", re.IGNORECASE | re.M)


def _serve(editions: Sequence[Mapping[str, bytes]], port_pipe: Connection) -> None:
    answers = [_answers(number, documents) for number, documents in enumerate(editions)]
    current = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1]
                if path.startswith(_EDITION):
                    current[0] = int(path.removeprefix(_EDITION))
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                else:
                    validators, response, not_modified = answers[current[0]][path]
                    match = _VALIDATORS.search(request)
                    is_current = match and match[1] in validators
                    writer.write(not_modified if is_current else response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        # The port is part of resolved links: another port gives other texts and other matches.
        try:
            server = await asyncio.start_server(answer, "0.0.0.0", _PORT, backlog=4096)
        except OSError:
            server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _answers(
    number: int, documents: Mapping[str, bytes]
) -> dict[bytes, tuple[tuple[bytes, bytes], bytes, bytes]]:
    """By path: the validators, the full response, and the 304 response."""
    answers = {}
    for path, body in documents.items():
        digest = sha256(body).digest()
        etag = etag_of(body).encode()
        # A different date for each body, because some readers send no ETag.
        at = b"Mon, 23 Nov 2026 %02d:%02d:%02d GMT" % (10 + number, digest[0] % 60, digest[1] % 60)
        head = b"ETag: %b\r\nLast-Modified: %b\r\n" % (etag, at)
        response = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n%bContent-Length: %d\r\n\r\n"
        )
        not_modified = b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % head
        answers[path.encode()] = ((etag, at), response % (head, len(body)) + body, not_modified)
    return answers


def etag_of(body: bytes) -> str:
    """The ETag of a document, the same in each edition."""
    return f'"{sha256(body).hexdigest()[:16]}"'


@contextmanager
def serving(*editions: Mapping[str, bytes]) -> Iterator[int]:
    """Serve the first edition on every 127.x.y.z; gives the port. `serve_edition` changes it."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(editions, there))
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def serve_edition(port: int, edition: int) -> None:
    """Serve this edition from now on."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/edition/{edition}").close()


def address(port: int, number: int, path: str) -> str:
    """The URL of feed ``number``, each on its own loopback host; enough for millions."""
    high, low = divmod(number, 250)
    return f"http://127.{1 + high // 250}.{high % 250}.{low + 1}:{port}{path}"
