"""Output files in the codings of RFC 9110 section 8.4.1. Pure."""

import gzip

import brotli


def compress(data: bytes, coding: str) -> bytes:
    """``data`` in the coding "gzip" or "br", as small as it gets. The same data, the same bytes."""
    if coding == "gzip":
        return gzip.compress(data, mtime=0)
    packed: bytes = brotli.compress(data, mode=brotli.MODE_TEXT)
    return packed
