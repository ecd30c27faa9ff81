"""Correct the character references of an XML document before a parser sees it. Pure.

Publishers write references that XML does not know. An XML parser drops some of them without an error
(names, if the document has a DOCTYPE), and refuses the document for others.
"""

import re
from html import escape
from html.entities import html5

from aggregator.parse.sanitize import remove_illegal

_HIGH = rb"(?:5[5-7]\d{3}|[xX][dD][89abAB][0-9a-fA-F]{2})"
_LOW = rb"(?:5[5-7]\d{3}|[xX][dD][c-fC-F][0-9a-fA-F]{2})"
_REFERENCE = re.compile(
    rb"&(?!(?:lt|gt|amp|quot|apos);)"  # most references
    rb"(?:#(%b);&#(%b);|#([0-9]{1,64}|[xX][0-9a-fA-F]{1,64});?"
    rb"|([A-Za-z][A-Za-z0-9]{0,31})(;|(?![A-Za-z0-9=])))?" % (_HIGH, _LOW)
)
_XML_NAMES = {b"lt", b"gt", b"amp", b"quot", b"apos"}
_DECLARED_NAME = re.compile(rb"<!ENTITY\s+([A-Za-z][\w.-]{0,31})\s")
_CDATA, _CDATA_END = b"<![CDATA[", b"]]>"


def correct_references(body: bytes) -> tuple[bytes, str]:
    """Correct the references in a UTF-8 document, outside its CDATA sections.

    Returns a note too if characters were left out, else "".

    - ``&eacute;`` and all other names of HTML become their characters.
    - ``&#146;`` becomes ’, as in browsers: such numbers are bytes of windows-1252.
    - ``&#55357;&#56832;``, two halves of a character in UTF-16, become that character.
    - ``&#11;`` and other characters that XML does not allow are removed.
    - An ``&`` that starts no reference becomes ``&amp;``.
    """
    if b"&" not in body:
        return body, ""
    declared = _XML_NAMES.union(_DECLARED_NAME.findall(body))

    dropped: list[bytes] = []

    def correct(match: re.Match[bytes]) -> bytes:
        character = correct_one(match)
        if not character:
            dropped.append(match[0])
        return character

    def correct_one(match: re.Match[bytes]) -> bytes:
        high, low, number, name, end = match.groups()
        if name and name in declared and end:
            return match[0]
        if name:  # some names of HTML need no semicolon
            return _character(f"{name.decode()}{end.decode()}") or b"&amp;%b%b" % (name, end)
        if number and match[0].endswith(b";") and not _is_unusual(number):
            return match[0]
        if number:
            return _by_number(_number(number))
        if high:
            return _by_number(0x10000 + ((_number(high) & 0x3FF) << 10) + (_number(low) & 0x3FF))
        return b"&amp;"

    first, *others = body.split(_CDATA)
    pieces = [_REFERENCE.sub(correct, first)]
    for piece in others:
        section, end, markup = piece.partition(_CDATA_END)
        pieces.append(section + end + _REFERENCE.sub(correct, markup))
    example = dropped[0][:20].decode() if dropped else ""
    note = f"characters that XML does not allow were left out, such as {example}" if dropped else ""
    return _CDATA.join(pieces), note


def _character(name: str) -> bytes:
    """The character of an HTML name with its semicolon, or of one that needs none."""
    return escape(html5.get(name, ""), quote=False).encode()


def _number(digits: bytes) -> int:
    return int(digits[1:], 16) if digits[:1] in b"xX" else int(digits)


def _is_unusual(digits: bytes) -> bool:
    """Whether XML does not allow the character, or browsers read another one."""
    number = _number(digits)
    return 0x80 <= number < 0xA0 or number > 0x10FFFF or not remove_illegal(chr(number))


def _by_number(number: int) -> bytes:
    """The character of a reference as browsers read it; empty if there is none."""
    if 0x80 <= number < 0xA0:
        return bytes([number]).decode("cp1252", "ignore").encode()
    if number > 0x10FFFF:
        return b""
    return remove_illegal(chr(number)).encode("utf-8", "ignore")
