"""Reads an HTTP/1 answer (RFC 9112) as leniently as curl, requests and browsers do.

The parsers of Python's HTTP packages refuse a whole answer because of one header that nobody needs:
a long Content-Security-Policy, a name with a space. `http.client` does not, but it ignores all
headers after an invalid one, such as the ETag.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from aggregator.fetch.content_coding import TooLarge, split_codings

MAX_HEAD_BYTES = 256 * 1024  # of all headers; curl's limit is 300 KiB
MAX_HEADERS = 1000
MAX_INTERIM_ANSWERS = 20
MAX_FRAMING_BYTES = 1024 * 1024  # of the lines between chunks: each costs us a step
# Also "HTTP/2 200", "http/1.1 200OK", and a status without a reason.
_STATUS_LINE = re.compile(rb"[ \t]*HTTP/[\d.]+[ \t]+0*([1-9]\d\d)(?!\d)", re.IGNORECASE)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110 section 5.6.2)
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")  # RFC 8446 section 5.1
# Of other headers that are repeated, the first counts.
_LISTS = frozenset(
    ("cache-control", "content-encoding", "content-length", "set-cookie", "transfer-encoding")
)
_ASCII = bytes(range(0x20, 0x7F)).decode()

Receive = Callable[[], Awaitable[bytes]]
Headers = list[tuple[str, str]]


class NoAnswer(Exception):
    """The connection was closed before the first byte."""


class CutShort(Exception):
    """The connection was closed within the answer."""


class Unreadable(Exception):
    """No answer that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it was sent. ``codings`` of its body are names, separated by commas.

    The names of ``headers`` are in lower case.
    """

    status: int
    headers: Headers
    body: bytes
    codings: str


async def read_answer(
    receive: Receive, has_document: Callable[[int], bool], max_bytes: int
) -> RawAnswer:
    """Read an answer. ``receive`` gives the next bytes, or none at the end of the connection.

    The body is read only if ``has_document(status)``. Raises NoAnswer, CutShort, Unreadable,
    TooLarge if the body has more than ``max_bytes``, and what ``receive`` raises before the body.
    """
    incoming = _Incoming(receive)
    for _ in range(MAX_INTERIM_ANSWERS + 1):
        status, headers = await _read_head(incoming)
        if status // 100 != 1 or status == HTTPStatus.SWITCHING_PROTOCOLS:
            break  # otherwise another answer follows (RFC 9110 section 15.2)
    else:
        raise Unreadable(f"more than {MAX_INTERIM_ANSWERS} interim answers")
    transfer = split_codings(_values(headers, "transfer-encoding"))
    others = [coding for coding in transfer if coding != "chunked"]  # such as gzip
    codings = ",".join([_values(headers, "content-encoding"), *others])
    if not has_document(status):
        return RawAnswer(status, headers, b"", codings)
    try:
        if "chunked" in transfer:  # then Content-Length is ignored (RFC 9112 section 6.3)
            body = await _read_chunks(incoming, max_bytes)
        else:
            body = await _read_plain(incoming, _content_length(headers), max_bytes)
    except ConnectionError as error:
        raise CutShort from error
    return RawAnswer(status, headers, body, codings)


class _Incoming:
    """Lines and blocks from pieces of any size."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.buffer = bytearray()

    async def fill(self) -> bool:
        """Add the next piece to the buffer; False at the end of the connection."""
        piece = await self._receive()
        self.buffer += piece
        return bool(piece)

    def remove(self, size: int) -> bytes:
        """The first ``size`` bytes of the buffer, which are removed from it."""
        block = bytes(self.buffer[:size])
        del self.buffer[:size]
        return block

    async def line(self) -> bytes:
        """The next line with its LF; without, if the connection ends. Raises Unreadable."""
        searched = 0
        while (end := self.buffer.find(b"\n", searched, self._line_bytes)) < 0:
            searched = len(self.buffer)
            if searched >= self._line_bytes:
                raise Unreadable(self._too_long)
            if not await self.fill():
                end = searched - 1
                break
        self._line_bytes -= end + 1
        return self.remove(end + 1)

    def limit_lines(self, max_bytes: int, message: str) -> None:
        """Allow the next lines so many bytes in all; ``message`` explains what has more."""
        self._line_bytes, self._too_long = max_bytes, message


async def _read_head(incoming: _Incoming) -> tuple[int, Headers]:
    """The status and the headers, up to an empty line."""
    incoming.limit_lines(
        MAX_HEAD_BYTES, f"the headers are larger than {MAX_HEAD_BYTES // 1024} KiB"
    )
    status = await _read_status(incoming)
    lines: list[bytes] = []
    while line := await _whole_line(incoming):
        lines.append(line)
        if len(lines) > MAX_HEADERS:
            raise Unreadable(f"more than {MAX_HEADERS:,} headers")
    return status, _parse_headers(lines)


async def _read_status(incoming: _Incoming) -> int:
    line = await incoming.line()
    while line in (b"\r\n", b"\n"):
        line = await incoming.line()
    if not line:
        raise NoAnswer
    match = _STATUS_LINE.match(line)
    if match and line.endswith(b"\n"):
        return int(match[1])
    if line[:5].upper() == b"HTTP/" and not line.endswith(b"\n"):
        raise CutShort
    if _TLS_RECORD.match(line):
        raise Unreadable("not an HTTP answer but TLS: does the address begin with https://?")
    raise Unreadable(f"not an HTTP answer: it begins with {line[:30].rstrip().decode('latin-1')!a}")


async def _whole_line(incoming: _Incoming) -> bytes:
    """The next line without its end, CR LF or LF. Raises CutShort, Unreadable."""
    line = await incoming.line()
    if not line.endswith(b"\n"):
        raise CutShort
    return line.rstrip(b"\r\n")


def _parse_headers(lines: list[bytes]) -> Headers:
    """Names and values, in order; without lines that are no header, as in browsers.

    Spaces before the colon are removed (RFC 9112 section 5.1), and folded lines are joined
    (section 5.2).
    """
    unfolded: list[bytearray] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            unfolded.append(bytearray(line))
        elif unfolded:
            unfolded[-1] += b" " + line.strip()
    headers: Headers = []
    names = set()
    for header in map(bytes, unfolded):
        name, colon, value = header.partition(b":")
        name = name.rstrip(b" \t").lower()
        if not colon or not _NAME.fullmatch(name) or b"\0" in value:
            continue
        key = name.decode("ascii")
        if key not in names or key in _LISTS:
            names.add(key)
            headers.append((key, _decode(key, value.replace(b"\r", b" ").strip())))
    return headers


def _decode(name: str, value: bytes) -> str:
    """As UTF-8, else as Latin-1; in an address, each byte that is not UTF-8 becomes %XX."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return quote(value, safe=_ASCII) if name == "location" else value.decode("latin-1")


def _values(headers: Headers, name: str) -> str:
    return ",".join(value for key, value in headers if key == name)


def _content_length(headers: Headers) -> int | None:
    """The length of the body; None if it ends with the connection, or if the length is no number.

    It may be repeated (RFC 9110 section 8.6). Raises Unreadable if there are different ones, since
    nobody knows where the body ends (RFC 9112 section 6.3).
    """
    lengths = {value.strip() for value in _values(headers, "content-length").split(",")} - {""}
    if len(lengths) > 1:
        first, second, *_ = sorted(lengths)
        raise Unreadable(f"two different Content-Length headers, {first[:20]} and {second[:20]}")
    length = "".join(lengths)
    # With more digits, it is a -1 that was printed as an unsigned number.
    is_number = length.isascii() and length.isdecimal() and len(length) < 16
    return int(length) if is_number else None


async def _read_plain(incoming: _Incoming, length: int | None, max_bytes: int) -> bytes:
    """A body of ``length`` bytes, whatever follows; without a length, all up to the end."""
    if length is not None:
        return await _read_block(incoming, length, max_bytes)
    while len(incoming.buffer) <= max_bytes:
        if not await incoming.fill():
            return bytes(incoming.buffer)
    raise TooLarge


async def _read_block(incoming: _Incoming, size: int, max_bytes: int) -> bytes:
    """Raises TooLarge, CutShort."""
    if size > max_bytes:
        raise TooLarge
    while len(incoming.buffer) < size:
        if not await incoming.fill():
            raise CutShort
    return incoming.remove(size)


async def _read_chunks(incoming: _Incoming, max_bytes: int) -> bytes:
    """A chunked body (RFC 9112 section 7.1). Ignore what follows the last chunk."""
    incoming.limit_lines(MAX_FRAMING_BYTES, "the answer has too many chunks")
    body = bytearray()
    while size := _chunk_size(await incoming.line()):
        body += await _read_block(incoming, size, max_bytes - len(body))
        if (await incoming.line()).strip():
            raise Unreadable("the answer's chunks are broken: one is longer than its size")
    return bytes(body)


def _chunk_size(line: bytes) -> int:
    """The hexadecimal number before extensions."""
    if not line:
        raise CutShort
    try:
        size = int(line.partition(b";")[0], 16)
    except ValueError:
        size = -1
    if size < 0:
        raise Unreadable("the answer's chunks are broken: a size is no number")
    return size
