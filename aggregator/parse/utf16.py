"""Convert documents in UTF-16 and UTF-32 to UTF-8 before anything else reads them. Pure.

Everything that searches the bytes (for entities, entries, truncation) searches for ASCII.
The byte order mark, or the bytes of the first character (XML 1.0, appendix F), are more reliable
than what the server or the document declares: if a header says UTF-8, feedparser reads English
text in UTF-16 as UTF-8 with zero bytes.
"""

import codecs
import re
from dataclasses import replace

from aggregator.model import Fetched

_SIGNATURES = {  # in this order: a mark of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    "<".encode("utf-32-le"): "utf-32-le",
    "<".encode("utf-32-be"): "utf-32-be",
    "<".encode("utf-16-le"): "utf-16-le",
    "<".encode("utf-16-be"): "utf-16-be",
}
_DECLARATION = re.compile(r"""^(<\?xml[^>]{0,200}?encoding\s*=\s*["'])[\w.:-]+""")


def to_utf8(fetched: Fetched) -> Fetched:
    """Convert the document and its declaration to UTF-8. Half a character at its end is dropped."""
    codec = next((c for start, c in _SIGNATURES.items() if fetched.body.startswith(start)), None)
    if codec is None:
        return fetched
    text = codecs.getincrementaldecoder(codec)("replace").decode(fetched.body)
    text = _DECLARATION.sub(r"\1utf-8", text.removeprefix("\ufeff"), count=1)
    media_type = fetched.content_type.partition(";")[0].strip() or "application/xml"
    return replace(fetched, body=text.encode(), content_type=f"{media_type}; charset=utf-8")
