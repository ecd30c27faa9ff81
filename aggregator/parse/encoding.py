"""Convert every document to UTF-8 before anything else reads it. Pure.

Servers and documents often declare the wrong encoding, and feedparser believes them. What the bytes
show is more reliable:

1. The byte order mark, or the first character of UTF-16 and UTF-32 (XML 1.0, appendix F).
2. Bytes outside ASCII that are valid UTF-8 are UTF-8: text in another encoding is not, except by
   chance.
3. The declarations, as browsers understand them (https://encoding.spec.whatwg.org/#names-and-labels):
   "iso-8859-1" means windows-1252, "shift_jis" has the characters of cp932.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import replace

from w3lib.encoding import resolve_encoding

from aggregator.model import Fetched

_SIGNATURES = {  # in this order: a mark of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    "<".encode("utf-32-le"): "utf-32-le",
    "<".encode("utf-32-be"): "utf-32-be",
    "<".encode("utf-16-le"): "utf-16-le",
    "<".encode("utf-16-be"): "utf-16-be",
}
_XML_DECLARATION = re.compile(r"""^(<\?xml[^>]{0,200}?encoding\s*=\s*)(["'])([\w.:-]{1,40})\2""")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_STATEFUL = {"iso2022_jp", "hz"}  # text in these is valid ASCII
_DEFAULT = "cp1252"  # accepts nearly all bytes, so it says nothing about them
_MIXED = "aggregator.mixed"  # the name of an error handler
_LEAD_BYTES = (b"\xc2", b"\xc3", b"\xe2")
_MAX_START = 300  # characters


def to_utf8(fetched: Fetched) -> tuple[Fetched, str]:
    """Convert the document, its declaration and its content type to UTF-8.

    Also removes white space before the XML declaration. Returns a note too if the declarations are
    wrong, else "".
    """
    text, note = _decode(fetched.body, fetched.content_type)
    text = _XML_DECLARATION.sub(r"\1\2utf-8\2", text.lstrip("\ufeff \t\r\n"), count=1)
    media_type = fetched.content_type.partition(";")[0].strip() or "application/xml"
    content_type = f"{media_type}; charset=utf-8"
    return replace(fetched, body=text.encode("utf-8", "replace"), content_type=content_type), note


def _decode(body: bytes, content_type: str) -> tuple[str, str]:
    body = body.lstrip(b" \t\r\n")
    for start, codec in _SIGNATURES.items():
        if body.startswith(start):
            # Incremental, so that half a character at the end is dropped.
            return codecs.getincrementaldecoder(codec)("replace").decode(body), ""
    declared = _declared_codecs(body, content_type)
    stateful = [codec for codec in declared if codec in _STATEFUL]
    try:
        text = body.decode()
        if not stateful or not text.isascii():
            is_declared = text.isascii() or not declared or "utf-8" in declared
            return text, "" if is_declared else _wrong(declared, "utf-8")
    except UnicodeDecodeError:
        if _is_mostly_utf8(body):
            return body.decode("utf-8", _MIXED), "some bytes are not valid UTF-8"
    candidates = [*stateful, *(codec for codec in declared if codec != _DEFAULT), _DEFAULT]
    for codec in dict.fromkeys(candidates):
        try:
            return body.decode(codec), "" if codec in declared else _wrong(declared, codec)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode(_DEFAULT, "replace"), "some bytes are not in the declared encoding"


def _wrong(declared: Iterable[str], codec: str) -> str:
    return f"read as {codec}, though it declares {' and '.join(declared) or 'no encoding'}"


def _replace_invalid(error: UnicodeError) -> tuple[str, int]:
    """Decode invalid UTF-8 as windows-1252: a publisher pasted text in it.

    The lead bytes of most characters in Western texts become U+FFFD: a publisher cut a text there.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    invalid = error.object[error.start : error.end]
    is_cut = invalid[:1] in _LEAD_BYTES
    return "\ufffd" if is_cut else invalid.decode(_DEFAULT, "replace"), error.end


codecs.register_error(_MIXED, _replace_invalid)


def _declared_codecs(body: bytes, content_type: str) -> dict[str, None]:
    """The codecs that the HTTP header and the document name, in this order, without duplicates."""
    header = _CHARSET.search(content_type)
    declaration = _XML_DECLARATION.match(body[:_MAX_START].decode("latin-1"))
    labels = [header[1] if header else "", declaration[3] if declaration else ""]
    codecs_named = (resolve_encoding(label) if label else None for label in labels)
    return {codec: None for codec in codecs_named if codec and _is_text_codec(codec)}


def _is_text_codec(codec: str) -> bool:
    """Whether it decodes to text, and ASCII markup is ASCII in it."""
    try:
        return codec in _STATEFUL or b"<a>".decode(codec) == "<a>"
    except (LookupError, UnicodeError):
        return False


def _is_mostly_utf8(body: bytes) -> bool:
    """Whether most bytes outside ASCII are valid UTF-8: a title was cut within a character."""
    text = body.decode("utf-8", "replace")
    invalid = text.count("\ufffd")
    return invalid < len(text) - len(text.encode("ascii", "ignore")) - invalid
