"""Decode documents that other programs wrote, in the encoding that they declare or have.

First the byte order mark counts, then whether the bytes are valid UTF-8, then the declaration as
browsers understand it (https://encoding.spec.whatwg.org/#names-and-labels).
"""

import codecs
import re
from contextlib import suppress

from w3lib.encoding import resolve_encoding

_MARKS = {  # in this order: a mark of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_DECLARATION = re.compile(
    rb"""(?:<\?xml[^>]{0,200}?\sencoding|<meta[^>]{0,200}?charset)\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096  # in which an encoding may be declared
_STATEFUL = ("iso2022_jp",)  # its text is valid ASCII
_ASCII = bytes(range(32, 127))
_WINDOWS_1252 = "bytes of windows-1252"  # the name of an error handler


def decode_document(data: bytes, *, is_markup: bool = True) -> str:
    """The text of a document, without its byte order mark. Only markup declares its encoding.

    Bytes that are not UTF-8, in a document that declares UTF-8 or nothing, are windows-1252.
    """
    for mark, codec in _MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    if data[:1] and data[1:2] == b"\0":
        return data.decode("utf-16-le", "replace")
    if data[:1] == b"\0":
        return data.decode("utf-16-be", "replace")
    declared = _DECLARATION.search(data[:_HEAD_BYTES]) if is_markup else None
    codec = _known_codec(declared[1].decode()) if declared else "utf-8"
    with suppress(UnicodeDecodeError):
        return data.decode(codec if codec in _STATEFUL else "utf-8")
    return data.decode(codec, _WINDOWS_1252 if codec == "utf-8" else "replace")


def _known_codec(label: str) -> str:
    """Python's name of a declared encoding; UTF-8 for one that the declaration itself disproves."""
    codec = resolve_encoding(label) or ""
    with suppress(LookupError, UnicodeError):
        if "escape" not in codec and _ASCII.decode(codec) == _ASCII.decode():
            return codec
    return "utf-8"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_WINDOWS_1252, _as_windows_1252)
