"""Decodes content codings (RFC 9110 section 8.4.1) with bounded memory. Pure.

httpx decompresses each chunk at once (64 KiB became 64 MiB) and accepts a truncated gzip stream.
Here no step gives more than a few MiB, the total is bounded, and a stream without its end is an
error.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial

import brotli
import zstandard

ACCEPTED = "gzip, deflate, br, zstd"
_STEP_BYTES = 256 * 1024  # of output
_INPUT_STEP_BYTES = 4096  # zlib copies the unused rest of its input after each member
_GZIP = b"\x1f\x8b"
_MAX_MEMBERS = 4096  # of a gzip file; each costs a decompressor
MAX_CODINGS = 3  # each may decode up to the whole limit
# zstandard bounds a step by its input only, and a block of 4 bytes may decode to 128 KiB.
_ZSTD_STEP_BYTES = 128
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659


class TooLarge(Exception):
    """The decoded body exceeds the limit."""


class Undecodable(Exception):
    """The body is broken or truncated, or its coding is unknown; the message says which."""


def decode(body: bytes, codings: str, max_bytes: int) -> bytes:
    """Decode ``body``. ``codings`` is the Content-Encoding header, in the order of encoding.

    A gzip file without that header is decoded too: some servers send it like that.
    Raises TooLarge past ``max_bytes``, and Undecodable.
    """
    names = [name.strip().lower() for name in codings.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MAX_CODINGS:
        raise Undecodable(f"more than {MAX_CODINGS} encodings, one in another")
    if not names and body.startswith(_GZIP):
        names = ["gzip"]
    for coding in reversed(names):
        if not body:
            continue
        if coding not in _DECODERS:
            raise Undecodable(f'unsupported encoding "{coding[:20]}"')
        decoded = bytearray()
        try:
            for piece in _DECODERS[coding](body):
                decoded += piece
                if len(decoded) > max_bytes:
                    raise TooLarge
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise Undecodable(f"the answer's compression ({coding}) is broken") from error
        body = bytes(decoded)
    if len(body) > max_bytes:
        raise TooLarge
    return body


def _truncated(coding: str) -> Undecodable:
    return Undecodable(f"the answer was cut short (its {coding} stream has no end)")


def _inflate(body: bytes, window_bits: int, coding: str) -> Iterator[bytes]:
    """Decode concatenated zlib streams (RFC 1952 section 2.2). Bytes after them are padding."""
    position = 0
    for _ in range(_MAX_MEMBERS):
        stream = zlib.decompressobj(window_bits)
        while not stream.eof:
            step = stream.unconsumed_tail
            if not step:
                step = body[position : position + _INPUT_STEP_BYTES]
                position += len(step)
            piece = stream.decompress(step, _STEP_BYTES)
            if not (step or piece or stream.eof):
                raise _truncated(coding)
            yield piece
        position -= len(stream.unused_data)
        if not body.startswith(_GZIP, position):
            return
    raise Undecodable(f"the {coding} stream has more than {_MAX_MEMBERS} members")


_gzip = partial(_inflate, window_bits=16 + zlib.MAX_WBITS, coding="gzip")


def _deflate(body: bytes) -> Iterator[bytes]:
    """Decode a zlib stream (RFC 1950), or the raw one (RFC 1951) that some servers send."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate(body, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, "deflate")


def _brotli(body: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    piece = stream.process(body, output_buffer_limit=_STEP_BYTES)
    yield piece
    while not stream.is_finished():
        piece = stream.process(b"", output_buffer_limit=_STEP_BYTES)
        if not piece and not stream.is_finished():
            raise _truncated("br")
        yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    """Decode concatenated frames (RFC 8878 section 3.1)."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    stream = decompressor.decompressobj()
    position = 0
    while position < len(body):
        step = body[position : position + _ZSTD_STEP_BYTES]
        position += len(step)
        yield stream.decompress(step)
        if stream.eof:
            position -= len(stream.unused_data)
            if position < len(body):
                stream = decompressor.decompressobj()
    if not stream.eof:
        raise _truncated("zstd")


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd,
}  # fmt: skip
