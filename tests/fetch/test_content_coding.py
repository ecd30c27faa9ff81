import contextlib
import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aggregator.fetch.content_coding import TooLarge, Undecodable, decode

MAX_BYTES = 1024 * 1024
TEXT = b"<rss>" + bytes(range(256)) * 40


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
]


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_decode_reverses_compression(coding, compress):
    assert decode(compress(TEXT), coding, MAX_BYTES) == TEXT
    assert decode(compress(b""), coding, MAX_BYTES) == b""


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
@given(cut=st.integers(1, 10_000))
def test_truncated_stream_is_an_error(coding, compress, cut):
    compressed = compress(TEXT)
    with pytest.raises(Undecodable):
        decode(compressed[: max(len(compressed) - cut, 1)], coding, MAX_BYTES)


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_decoded_size_is_bounded(coding, compress):
    with pytest.raises(TooLarge):
        decode(compress(b"\0" * (MAX_BYTES + 1)), coding, MAX_BYTES)
    assert len(decode(compress(b"\0" * MAX_BYTES), coding, MAX_BYTES)) == MAX_BYTES


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=200))
def test_random_bytes_are_an_error_or_small(coding, data):
    with contextlib.suppress(Undecodable, TooLarge):
        assert len(decode(data, coding, MAX_BYTES)) <= MAX_BYTES


def test_several_codings_and_concatenated_streams():
    assert decode(gzip.compress(brotli.compress(TEXT)), "br, GZip", MAX_BYTES) == TEXT
    assert decode(gzip.compress(TEXT) * 2, "gzip", MAX_BYTES) == TEXT * 2
    assert decode(zstandard.ZstdCompressor().compress(TEXT) * 2, "zstd", MAX_BYTES) == TEXT * 2
    assert decode(gzip.compress(TEXT) + b"\0" * 9, "gzip", MAX_BYTES) == TEXT  # padding


def test_no_coding_and_unknown_codings():
    assert decode(TEXT, "", MAX_BYTES) == decode(TEXT, "identity", MAX_BYTES) == TEXT
    assert decode(b"", "gzip", MAX_BYTES) == b""
    with pytest.raises(TooLarge):
        decode(TEXT, "", 10)


@pytest.mark.parametrize(
    "text", [b"<rss/>", b"\xef\xbb\xbf \n<?xml", b"{}", b" [1]", "<".encode("utf-16")]
)
@pytest.mark.parametrize(
    "coding", ["aws-chunked", "UTF-8", "none", "binary", "text/xml", "compress"]
)
def test_unknown_coding_of_a_text_is_ignored(coding, text):
    assert decode(text, coding, MAX_BYTES) == text
    assert decode(gzip.compress(text), coding, MAX_BYTES) == text
    assert decode(gzip.compress(text), f"gzip, {coding}", MAX_BYTES) == text
    assert decode(gzip.compress(text), f"{coding},gzip", MAX_BYTES) == text


@pytest.mark.parametrize(
    "body", [b"\xff\6\0\0sNaPpY", b"\x1f\x9d\x90<rss/>", b"10;chunk-signature=x\r\n<rss/>"]
)
def test_unknown_coding_of_other_bytes_is_an_error(body):
    with pytest.raises(Undecodable, match='unsupported encoding "snappy"'):
        decode(body, "snappy", MAX_BYTES)
    with pytest.raises(Undecodable, match="unsupported"):
        decode(brotli.compress(body), "br, snappy", MAX_BYTES)


def test_names_in_quotation_marks_and_parameters():
    packed = gzip.compress(TEXT)
    for header in ('"gzip"', "GZip;q=1", " , gzip ,", "'gzip'", "identity, gzip"):
        assert decode(packed, header, MAX_BYTES) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "zstd"])
def test_text_declared_as_compressed_is_an_error(coding):
    with pytest.raises(Undecodable, match=r"is broken: it is not compressed$"):
        decode(b"<rss/>" * 9, coding, MAX_BYTES)


def test_zlib_declared_as_gzip():
    assert decode(zlib.compress(TEXT), "gzip", MAX_BYTES) == TEXT


def test_gzip_without_a_header_is_decoded():
    assert decode(gzip.compress(TEXT), "", MAX_BYTES) == TEXT
    assert decode(gzip.compress(TEXT), "identity", MAX_BYTES) == TEXT


def test_more_than_three_codings_are_refused():
    packed = TEXT
    for _ in range(3):
        packed = gzip.compress(packed)
    assert decode(packed, "gzip, gzip, gzip", MAX_BYTES) == TEXT
    with pytest.raises(Undecodable, match="more than 3"):
        decode(gzip.compress(packed), "gzip, gzip, gzip, gzip", MAX_BYTES)


def test_thousands_of_empty_gzip_members_are_refused():
    """Each empty member has 20 bytes, so that 20 kB of gzip in gzip would cost a minute."""
    empty = gzip.compress(b"")
    assert decode(empty * 4000 + gzip.compress(TEXT), "gzip", MAX_BYTES) == TEXT
    with pytest.raises(Undecodable, match="more than 4096 members"):
        decode(gzip.compress(empty * 500_000), "gzip, gzip", 10 * MAX_BYTES)
