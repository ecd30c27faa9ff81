"""A publisher of many feeds in a process of its own, fast enough not to be what is measured."""

import asyncio
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing.connection import Connection


def _serve(documents: Mapping[str, bytes], told: Connection) -> None:
    answers = {}
    for path, body in documents.items():
        etag = f'"{sha256(body).hexdigest()[:16]}"'.encode()
        head = b"HTTP/1.1 200 OK\r\nETag: %b\r\nContent-Length: %d\r\n\r\n" % (etag, len(body))
        unchanged = b"HTTP/1.1 304 Not Modified\r\nETag: %b\r\n\r\n" % etag
        answers[path.encode()] = (etag, head + body, unchanged)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                etag, whole, unchanged = answers[request.split(b" ", 2)[1]]
                writer.write(unchanged if etag in request else whole)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def serving(documents: Mapping[str, bytes]) -> Iterator[int]:
    """The port, on every 127.x.y.z, at which the documents are served until the block ends."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(documents, there))
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def address(port: int, number: int, path: str) -> str:
    """The address of feed ``number``: each has a loopback host of its own."""
    return f"http://127.1.{number // 250}.{number % 250 + 1}:{port}{path}"
