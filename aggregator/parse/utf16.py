"""Documents in UTF-16 and UTF-32, which become UTF-8 before anybody else looks at them. Pure.

All that looks into bytes (for entities, for entries, for where a document was cut) looks for ASCII.
The mark at the beginning, or how the first character stands there (XML 1.0, appendix F), says more
than what the server or the document declares: feedparser takes plain English in UTF-16 for UTF-8
with zeros in it where a header says so.
"""

import codecs
import re
from dataclasses import replace

from aggregator.model import Fetched

_SIGNATURES = {  # in this order: the mark of UTF-16 is the first half of one of UTF-32
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
    """The same document in UTF-8, and declared so. Half a character at its end is left out."""
    codec = next((c for start, c in _SIGNATURES.items() if fetched.body.startswith(start)), None)
    if codec is None:
        return fetched
    text = codecs.getincrementaldecoder(codec)("replace").decode(fetched.body)
    text = _DECLARATION.sub(r"\1utf-8", text.removeprefix("\ufeff"), count=1)
    media_type = fetched.content_type.partition(";")[0].strip() or "application/xml"
    return replace(fetched, body=text.encode(), content_type=f"{media_type}; charset=utf-8")
