"""Content codings (RFC 9110 section 8.4.1), undone. Pure.

They are undone in small steps, and only if they are whole.

httpx inflates whatever one chunk holds at once (64 KiB became 64 MiB), and takes a gzip stream
that was cut for a whole one. Here no step gives more than a few MiB, the sum is bounded, and a
stream without its end is broken.
"""

import zlib
from collections.abc import Iterator

import brotli
import zstandard

ACCEPTED = "gzip, deflate, br, zstd"
_STEP_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"
_MOST_CODINGS = 3  # each gives up to the whole limit; nobody means more
# A block of 4 bytes may stand for 128 KiB, and zstandard's steps are bounded by their input only.
_ZSTD_STEP_BYTES = 128
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659


class TooLarge(Exception):
    """More than is allowed, once decoded."""


class Undecodable(Exception):
    """Broken, cut short, or of a coding that we do not know; says which."""


def decode(body: bytes, codings: str, most_bytes: int) -> bytes:
    """``body`` without the codings that Content-Encoding lists, in the order they were applied.

    A file that is served packed as it lies, which no header tells, is unpacked too.
    Raises TooLarge past ``most_bytes``, Undecodable if it cannot be undone.
    """
    names = [name.strip().lower() for name in codings.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MOST_CODINGS:
        raise Undecodable(f"more than {_MOST_CODINGS} encodings, one in another")
    if not names and body.startswith(_GZIP):
        names = ["gzip"]
    for coding in reversed(names):
        if not body:
            continue
        if coding not in _DECODERS:
            raise Undecodable(f'unsupported encoding "{coding[:20]}"')
        pieces = bytearray()
        try:
            for piece in _DECODERS[coding](body):
                pieces += piece
                if len(pieces) > most_bytes:
                    raise TooLarge
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise Undecodable(f"the answer's compression ({coding}) is broken") from error
        body = bytes(pieces)
    if len(body) > most_bytes:
        raise TooLarge
    return body


def _cut(coding: str) -> Undecodable:
    return Undecodable(f"the answer was cut short (its {coding} stream has no end)")


def _inflate(body: bytes, window_bits: int, coding: str) -> Iterator[bytes]:
    """One zlib stream after another, as RFC 1952 section 2.2 allows; what follows is padding."""
    while True:
        stream = zlib.decompressobj(window_bits)
        piece = stream.decompress(body, _STEP_BYTES)
        yield piece
        while not stream.eof:
            if not stream.unconsumed_tail and not piece:
                raise _cut(coding)
            piece = stream.decompress(stream.unconsumed_tail, _STEP_BYTES)
            yield piece
        body = stream.unused_data
        if not body.startswith(_GZIP):
            return


def _gzip(body: bytes) -> Iterator[bytes]:
    return _inflate(body, 16 + zlib.MAX_WBITS, "gzip")


def _deflate(body: bytes) -> Iterator[bytes]:
    """A zlib stream (RFC 1950), or, as some servers have it, a bare one (RFC 1951)."""
    wrapped = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, "deflate")


def _brotli(body: bytes) -> Iterator[bytes]:
    stream = brotli.Decompressor()
    piece = stream.process(body, output_buffer_limit=_STEP_BYTES)
    yield piece
    while not stream.is_finished():
        piece = stream.process(b"", output_buffer_limit=_STEP_BYTES)
        if not piece and not stream.is_finished():
            raise _cut("br")
        yield piece


def _zstd(body: bytes) -> Iterator[bytes]:
    """Frame after frame (RFC 8878 section 3.1)."""
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
        raise _cut("zstd")


_DECODERS = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
