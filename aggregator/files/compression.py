"""Compressed output files (content codings of RFC 9110 section 8.4.1). Pure."""

import gzip

import brotli


def compress(data: bytes, coding: str) -> bytes:
    """Compress ``data`` with the coding "gzip" or "br". Equal data gives equal bytes."""
    if coding == "gzip":
        return gzip.compress(data, mtime=0)
    return bytes(brotli.compress(data, mode=brotli.MODE_TEXT))
