"""Convert every document to UTF-8 before anything else reads it. Pure."""

import re
from dataclasses import replace

from aggregator.model import Fetched
from aggregator.text.decoding import decode_with_note

_XML_DECLARATION = re.compile(r"""^(<\?xml[^>]{0,200}?encoding\s*=\s*)(["'])[\w.:-]{1,40}\2""")


def to_utf8(fetched: Fetched) -> tuple[Fetched, str]:
    """Convert the document, its declaration and its content type to UTF-8.

    Also removes white space before the XML declaration. Returns a note too if the declarations are
    wrong, else "".
    """
    text, note = decode_with_note(fetched.body.lstrip(b" \t\r\n"), fetched.content_type)
    text = _XML_DECLARATION.sub(r"\1\2utf-8\2", text.lstrip("\ufeff \t\r\n"), count=1)
    media_type = fetched.content_type.partition(";")[0].strip() or "application/xml"
    content_type = f"{media_type}; charset=utf-8"
    return replace(fetched, body=text.encode("utf-8", "replace"), content_type=content_type), note
