import contextlib
import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aggregator.fetch.content_coding import TooLarge, Undecodable, decode

MOST = 1024 * 1024
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
def test_what_was_compressed_comes_back(coding, compress):
    assert decode(compress(TEXT), coding, MOST) == TEXT
    assert decode(compress(b""), coding, MOST) == b""


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
@given(cut=st.integers(1, 10_000))
def test_a_stream_that_was_cut_is_broken(coding, compress, cut):
    whole = compress(TEXT)
    with pytest.raises(Undecodable):
        decode(whole[: max(len(whole) - cut, 1)], coding, MOST)


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_the_sum_is_bounded(coding, compress):
    with pytest.raises(TooLarge):
        decode(compress(b"\0" * (MOST + 1)), coding, MOST)
    assert len(decode(compress(b"\0" * MOST), coding, MOST)) == MOST


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=200))
def test_noise_is_broken_or_small(coding, data):
    with contextlib.suppress(Undecodable, TooLarge):
        assert len(decode(data, coding, MOST)) <= MOST


def test_several_codings_and_several_members():
    assert decode(gzip.compress(brotli.compress(TEXT)), "br, GZip", MOST) == TEXT
    assert decode(gzip.compress(TEXT) * 2, "gzip", MOST) == TEXT * 2
    assert decode(zstandard.ZstdCompressor().compress(TEXT) * 2, "zstd", MOST) == TEXT * 2
    assert decode(gzip.compress(TEXT) + b"\0" * 9, "gzip", MOST) == TEXT  # padding


def test_none_and_unknown_ones():
    assert decode(TEXT, "", MOST) == decode(TEXT, "identity", MOST) == TEXT
    assert decode(b"", "gzip", MOST) == b""
    with pytest.raises(Undecodable, match="unsupported encoding"):
        decode(TEXT, "compress", MOST)
    with pytest.raises(TooLarge):
        decode(TEXT, "", 10)


def test_what_is_packed_without_a_header_is_unpacked():
    assert decode(gzip.compress(TEXT), "", MOST) == TEXT
    assert decode(gzip.compress(TEXT), "identity", MOST) == TEXT


def test_nobody_packs_more_than_three_times():
    packed = TEXT
    for _ in range(3):
        packed = gzip.compress(packed)
    assert decode(packed, "gzip, gzip, gzip", MOST) == TEXT
    with pytest.raises(Undecodable, match="more than 3"):
        decode(gzip.compress(packed), "gzip, gzip, gzip, gzip", MOST)
