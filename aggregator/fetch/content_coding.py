"""Decodes content codings (RFC 9110 section 8.4.1) with bounded memory. Pure.

httpx decompresses each chunk at once (64 KiB became 64 MiB) and accepts a truncated gzip stream.
Here no step gives more than a few MiB, the total is bounded, and a stream without its end is an
error.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import brotli
import zstandard

ACCEPTED = "gzip, deflate, br, zstd"
_STEP_BYTES = 256 * 1024  # of output
_INPUT_STEP_BYTES = 4096  # zlib copies the unused rest of its input after each member
_GZIP = b"\x1f\x8b"
# How XML, HTML and JSON begin, in UTF-8 or UTF-16.
_TEXT = re.compile(rb"[\xef\xbb\xbf\xff\xfe\0\s]*+[<{\[]")
_MAX_MEMBERS = 4096  # of a gzip file; each costs a decompressor
MAX_CODINGS = 3  # each may decode up to the whole limit
# zstandard bounds a step by its input only, and a block of 4 bytes may decode to 128 KiB.
_ZSTD_STEP_BYTES = 128
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659


class TooLarge(Exception):
    """The decoded body exceeds the limit."""


class Undecodable(Exception):
    """The body is broken or truncated, or its coding is unknown; the message says which."""


def split_codings(header: str) -> list[str]:
    """The names in a Content-Encoding or Transfer-Encoding header, without quotes and parameters."""
    names = (coding.partition(";")[0].strip(" \t\"'").lower() for coding in header.split(","))
    return [name for name in names if name not in ("", "identity")]


def decode(body: bytes, codings: str, max_bytes: int) -> bytes:
    """Decode ``body``. ``codings`` is the Content-Encoding header, in the order of encoding.

    A name that we do not know is ignored if the rest gives a text: servers send "aws-chunked",
    "UTF-8" or "none" with a plain body, and browsers ignore these too. A gzip file without its name
    is decoded too. A plain body that is declared as compressed is an error, as in browsers and
    curl. Raises TooLarge past ``max_bytes``, and Undecodable.
    """
    declared = split_codings(codings)
    names = [name for name in declared if name in _DECODERS]
    unknown = [name for name in declared if name not in _DECODERS]
    if len(names) > MAX_CODINGS:
        raise Undecodable(f"more than {MAX_CODINGS} encodings, one in another")
    if not names and body.startswith(_GZIP):
        names = ["gzip"]
    for name in reversed(names):
        body = _decode_one(body, name, max_bytes)
    if len(body) > max_bytes:
        raise TooLarge
    if unknown and body and not _TEXT.match(body):
        raise Undecodable(f'unsupported encoding "{unknown[0][:20]}"')
    return body


def _decode_one(body: bytes, coding: str, max_bytes: int) -> bytes:
    decoded = bytearray()
    try:
        for piece in _DECODERS[coding](body) if body else ():
            decoded += piece
            if len(decoded) > max_bytes:
                raise TooLarge
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        reason = ": it is not compressed" if _TEXT.match(body) else ""
        raise Undecodable(f"the answer's compression ({coding}) is broken{reason}") from error
    return bytes(decoded)


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


# 32: the header says whether it is gzip or zlib. Some servers confuse them, and curl reads both.
_gzip = partial(_inflate, window_bits=32 + zlib.MAX_WBITS, coding="gzip")


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
