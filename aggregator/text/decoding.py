"""Decode documents that other programs wrote, in the encoding that they have.

Servers and documents often declare the wrong encoding. What the bytes show is more reliable:

1. The byte order mark, or the zero bytes of UTF-16 and UTF-32 (XML 1.0, appendix F).
2. Bytes outside ASCII that are valid UTF-8 are UTF-8: text in another encoding is not, except by
   chance.
3. The declarations, as browsers understand them (https://encoding.spec.whatwg.org/#names-and-labels):
   "iso-8859-1" means windows-1252, "shift_jis" has the characters of cp932.
"""

import codecs
import re
from collections.abc import Iterable

from w3lib.encoding import resolve_encoding

_SIGNATURES = {  # in this order: a mark of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WIDE = (  # text that begins with an ASCII character
    (re.compile(rb"[\x01-\x7f]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[\x01-\x7f]"), "utf-32-be"),
    (re.compile(rb"[\x01-\x7f]\0"), "utf-16-le"),
    (re.compile(rb"\0[\x01-\x7f]"), "utf-16-be"),
)
_DECLARATION = re.compile(
    rb"""(?:<\?xml[^>]{0,200}?\sencoding|<meta[^>]{0,200}?charset)\s*=\s*["']?\s*([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096  # in which an encoding may be declared
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_STATEFUL = {"iso2022_jp", "hz"}  # text in these is valid ASCII
_DEFAULT = "cp1252"  # accepts nearly all bytes, so it says nothing about them
_MIXED = "aggregator.mixed"  # the name of an error handler
_LEAD_BYTES = (b"\xc2", b"\xc3", b"\xe2")
_ASCII = bytes(range(32, 127))


def decode_document(data: bytes, content_type: str = "", *, is_markup: bool = True) -> str:
    """The text of a document, without its byte order mark. Only markup declares its encoding."""
    return decode_with_note(data, content_type, is_markup=is_markup)[0]


def decode_with_note(
    data: bytes, content_type: str = "", *, is_markup: bool = True
) -> tuple[str, str]:
    """The text of a document, and a note about a wrong encoding ("": there is none)."""
    if codec := _signature(data):
        # Incremental, so that half a character at the end is dropped.
        text = codecs.getincrementaldecoder(codec)("replace").decode(data)
        return text.removeprefix("\ufeff"), ""
    declared = _declared_codecs(data if is_markup else b"", content_type)
    stateful = [codec for codec in declared if codec in _STATEFUL]
    try:
        text = data.decode()
        if (original := _encoded_once(text)) is not None:
            return original, "its text was encoded twice"
        if not stateful or not text.isascii():
            is_declared = text.isascii() or not declared or "utf-8" in declared
            return text, "" if is_declared else _wrong(declared, "utf-8")
    except UnicodeDecodeError:
        if _is_mostly_utf8(data):
            return data.decode("utf-8", _MIXED), "some bytes are not valid UTF-8"
    candidates = [*stateful, *(codec for codec in declared if codec != _DEFAULT), _DEFAULT]
    for codec in dict.fromkeys(candidates):
        try:
            return data.decode(codec), "" if codec in declared else _wrong(declared, codec)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode(_DEFAULT, "replace"), "some bytes are not in the declared encoding"


def _signature(data: bytes) -> str | None:
    for mark, codec in _SIGNATURES.items():
        if data.startswith(mark):
            return codec
    return next((codec for start, codec in _WIDE if start.match(data)), None)


def _wrong(declared: Iterable[str], codec: str) -> str:
    return f"read as {codec}, though it declares {' and '.join(declared) or 'no encoding'}"


def _replace_invalid(error: UnicodeError) -> tuple[str | bytes, int]:
    """Decode invalid UTF-8 as windows-1252: a publisher pasted text in it.

    The lead bytes of most characters in Western texts become U+FFFD: a publisher cut a text there.
    """
    if isinstance(error, UnicodeEncodeError):  # the five bytes that windows-1252 does not have
        missing = error.object[error.start : error.end]
        return missing.encode("latin-1"), error.end
    assert isinstance(error, UnicodeDecodeError)
    invalid = error.object[error.start : error.end]
    is_cut = invalid[:1] in _LEAD_BYTES
    return "\ufffd" if is_cut else invalid.decode(_DEFAULT, "replace"), error.end


codecs.register_error(_MIXED, _replace_invalid)


def _encoded_once(text: str) -> str | None:
    """The text of a document in which each "é" is "Ã©"; None if this is another document.

    Its publisher took bytes of UTF-8 for windows-1252, and encoded them again.
    """
    if text.isascii():
        return None
    try:
        return text.encode(_DEFAULT, _MIXED).decode()
    except UnicodeError:
        return None


def _declared_codecs(data: bytes, content_type: str) -> dict[str, None]:
    """The codecs that the HTTP header and the document name, in this order, without duplicates."""
    header, declaration = _CHARSET.search(content_type), _DECLARATION.search(data[:_HEAD_BYTES])
    labels = [header[1] if header else "", declaration[1].decode() if declaration else ""]
    names = (resolve_encoding(label) if label else None for label in labels)
    return {codec: None for codec in names if codec and _is_text_codec(codec)}


def _is_text_codec(codec: str) -> bool:
    """Whether it decodes to text, and ASCII is ASCII in it; "utf-7" and "unicode_escape" are attacks."""
    if codec in _STATEFUL or "escape" in codec:
        return codec in _STATEFUL
    try:
        return _ASCII.decode(codec) == _ASCII.decode()
    except (LookupError, UnicodeError):
        return False


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether most bytes outside ASCII are valid UTF-8: a title was cut within a character."""
    text = data.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    return invalid <= len(text) - len(text.encode("ascii", "ignore")) - invalid
