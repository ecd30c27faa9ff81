"""Reading answers from pieces of any size. The expected values are written by hand."""

import asyncio
import contextlib
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aggregator.fetch.conditional import has_document
from aggregator.fetch.content_coding import TooLarge, decode
from aggregator.fetch.http_answer import (
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    CutShort,
    NoAnswer,
    Unreadable,
    read_answer,
)
from tests.fetch.odd_answers import CHUNKED, CLEAR, FEED, LENGTH, OK, READABLE, chunks, with_headers

MAX_BYTES = 1_000_000


def read(*pieces, max_bytes=MAX_BYTES):
    """The answer in these pieces, after which the connection ends."""
    left = iter(pieces)

    async def receive():
        return next(left, b"")

    return asyncio.run(read_answer(receive, has_document, max_bytes))


def split(raw, size):
    return [raw[n : n + size] for n in range(0, len(raw), size)]


def headers(*lines):
    return read(with_headers(*lines)).headers[:-1]  # without Content-Length


@pytest.mark.parametrize("name", [*READABLE, *CLEAR])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_pieces_make_no_difference(name, size):
    raw = (READABLE | CLEAR)[name]
    answer = read(*split(raw, size))
    assert decode(answer.body, answer.codings, MAX_BYTES) == FEED


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"ETag: W/\"1\""], [("etag", 'W/"1"')]),
        ([b"ETag:\"1\" "], [("etag", '"1"')]),
        ([b"ETag : \"1\""], [("etag", '"1"')]),
        ([b"X: a:b"], [("x", "a:b")]),
        ([b"X:"], [("x", "")]),
        ([b"X: a\rb"], [("x", "a b")]),
        ([b"X: one", b"\ttwo", b"   three "], [("x", "one two three")]),
        # no header at all: they are ignored, and the next ones count
        ([b"X Y: z", b"ETag: \"1\""], [("etag", '"1"')]),
        ([b'"X": z', b"garbage", b": z", b"X\xe9: z", b"ETag: \"1\""], [("etag", '"1"')]),
        ([b"X: a\0b", b"ETag: \"1\""], [("etag", '"1"')]),
        ([b"garbage", b" folded", b"ETag: \"1\""], [("etag", '"1"')]),
        # repeated: lists are joined by their readers; else the first counts
        ([b"Cache-Control: a", b"cache-control: b"], [("cache-control", "a"), ("cache-control", "b")]),
        ([b"Set-Cookie: a", b"Set-Cookie: b"], [("set-cookie", "a"), ("set-cookie", "b")]),
        ([b"Location: /a", b"Location: /b"], [("location", "/a")]),
        # other bytes than ASCII
        (["X: é".encode()], [("x", "é")]),
        (["X: é".encode("latin-1")], [("x", "é")]),
        (["X: é".encode("latin-1"), "Y: é".encode()], [("x", "é"), ("y", "é")]),
        (["Location: /é?".encode("latin-1")], [("location", "/%E9?")]),
        (["Location: /é?".encode()], [("location", "/é?")]),
    ],
)  # fmt: skip
def test_headers(lines, expected):
    assert headers(*lines) == expected


def test_status_of_the_last_answer():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    answer = read(early * 20 + b"HTTP/1.1 404 Not Found\r\nX: y\r\n\r\nnot here")
    assert (answer.status, answer.headers, answer.body) == (404, [("x", "y")], b"")
    with pytest.raises(Unreadable, match="more than 20 interim"):
        read(early * 21 + with_headers())


def test_codings_are_in_the_order_of_encoding():
    raw = OK + b"Content-Encoding: br\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    assert read(raw + chunks(b"x")).codings == "br,gzip"


def test_headers_are_bounded():
    most = MAX_HEADERS - 1  # Content-Length is one
    assert read(with_headers(*[b"X-%d: y" % n for n in range(most)])).body == FEED
    with pytest.raises(Unreadable, match="more than 1,000 headers"):
        read(with_headers(*[b"X-%d: y" % n for n in range(most + 1)]))
    room = MAX_HEAD_BYTES - len(with_headers(b"X: ", body=b""))
    assert read(with_headers(b"X: " + b"x" * room)).body == FEED
    with pytest.raises(Unreadable, match="256 KiB"):
        read(with_headers(b"X: " + b"x" * (room + 1)))
    for head, endless in (
        (b"", b"x"),
        (b"", b"\r\n"),
        (b"HTTP/1.1 200 ", b"x"),
        (OK + b"X: ", b"x"),
    ):
        with pytest.raises(Unreadable, match="256 KiB"):
            read(head + endless * MAX_HEAD_BYTES)


def test_body_is_bounded():
    assert read(OK + b"\r\n" + b"x" * MAX_BYTES).body == b"x" * MAX_BYTES
    for raw in (
        OK + b"\r\n" + b"x" * (MAX_BYTES + 1),
        OK + b"Content-Length: %d\r\n\r\n" % (MAX_BYTES + 1),
        OK + CHUNKED + b"\r\n" + chunks(b"x" * (MAX_BYTES // 2), b"x" * (MAX_BYTES // 2), b"x"),
        OK + CHUNKED + b"\r\n" + b"f" * 4000 + b"\r\n",
    ):
        with pytest.raises(TooLarge):
            read(raw)
    with pytest.raises(Unreadable, match="too many chunks"):
        read(OK + CHUNKED + b"\r\n" + b"1\r\nx\r\n" * (MAX_FRAMING_BYTES // 5 + 1))


def test_time_is_linear():
    """A piece of a byte, in the line that is the longest."""
    began = time.perf_counter()
    with pytest.raises(CutShort):
        read(OK, *split(b"X: " + b"x" * (MAX_HEAD_BYTES - 99), 1))
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([OK + LENGTH + b"\r\n", FEED], None),  # all had come
        ([OK + LENGTH + b"\r\n", FEED[:-1]], CutShort),
        ([OK + b"\r\n", FEED], CutShort),
        ([OK], ConnectionResetError),
        ([], ConnectionResetError),
    ],
)
def test_reset_connection(pieces, error):
    left = iter(pieces)

    async def receive():
        for piece in left:
            return piece
        raise ConnectionResetError

    with pytest.raises(error) if error else contextlib.nullcontext():
        assert asyncio.run(read_answer(receive, has_document, MAX_BYTES)).body == FEED


TOKEN = st.from_regex(rb"\A[A-Za-z][A-Za-z0-9-]{0,20}\Z").filter(
    lambda name: not name.lower().startswith((b"content-", b"transfer-"))
)
VALUE = st.from_regex(rb"\A([!-~]([ -~]{0,40}[!-~])?)?\Z")


@settings(deadline=None)
@given(
    names=st.lists(st.tuples(TOKEN, VALUE), max_size=30, unique_by=lambda pair: pair[0].lower()),
    parts=st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    framing=st.sampled_from(["length", "chunks", "end"]),
    ends=st.sampled_from([b"\r\n", b"\n"]),
    size=st.integers(1, 500),
)
def test_generated_answers(names, parts, framing, ends, size):
    body = b"".join(parts)
    head = [b"HTTP/1.1 200 OK", *[b"%b: %b" % pair for pair in names]]
    if framing == "length":
        head.append(b"Content-Length: %d" % len(body))
    if framing == "chunks":
        head.append(b"Transfer-Encoding: chunked")
    raw = ends.join([*head, b"", b""]) + (chunks(*parts) if framing == "chunks" else body)
    answer = read(*split(raw, size))
    assert answer.body == body
    assert answer.headers[: len(names)] == [(n.decode().lower(), v.decode()) for n, v in names]


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 100))
@example(b"HTTP/1.1 200\n\n", b"", 1)
def test_random_bytes_give_a_value_or_a_known_error(first, second, size):
    for raw in (
        first,
        OK + first,
        OK + first + b"\r\n\r\n" + second,
        OK + CHUNKED + b"\r\n" + first,
    ):
        with contextlib.suppress(NoAnswer, CutShort, Unreadable, TooLarge):
            read(*split(raw, size))
