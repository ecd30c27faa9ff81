"""Folding: when two spellings are the same word. For comparing only, never for showing.

NFKC, case, diacritics; ``_``, ``-`` and spaces are alike, and so are the apostrophes.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

# XML 1.0 section 2.2, and the control characters that it discourages
ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SENDABLE = re.compile(r"[\t\x20-\x7e]*")  # what a request header may hold (RFC 9110 section 5.5)
_COMBINING = re.compile("[\u0300-\u036f]")  # Latin, Greek, Cyrillic; never Indic vowel signs
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
_UNSAFE = re.compile(r"[^\w]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|index|all|unmatched|near-miss|style)")
_SLUG_BYTES = 80
_REMEMBERED_CHARACTERS = 100  # words and names come again, texts do not


def fold(text: str) -> str:
    """``"Éco_solidaire"`` and ``"eco-Solidaire"`` both give ``"eco solidaire"``."""
    if text.isascii() and text.isalnum():  # most words
        return text.lower()
    return _folded(text) if len(text) <= _REMEMBERED_CHARACTERS else _folded.__wrapped__(text)


@lru_cache(maxsize=16384)
def _folded(text: str) -> str:
    if text.isascii():
        folded = text.lower()
    else:
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
        folded = unicodedata.normalize("NFC", _COMBINING.sub("", decomposed)).replace("’", "'")
    return _SEPARATORS.sub(" ", folded).strip()


def digest(*parts: str) -> str:
    """A short name for some text: 64 bits of SHA-256 in hexadecimal, parts kept apart."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def slug(text: str) -> str:
    """A file name and URL segment for a tag: never empty, hidden, reserved, or a path.

    Letters of any script stay, since people read addresses. What has no letters or digits
    (an emoji), what is a device or page name (``CON``, ``index``) and what is too long for a
    file system gets a digest of its folded form, so the same tag has the same slug for ever.
    """
    folded = fold(text)
    name = _UNSAFE.sub("-", folded).strip("-_")
    if not name or _RESERVED.fullmatch(name):
        return f"{name or 'tag'}-{digest(folded)}"
    encoded = name.encode()
    if len(encoded) > _SLUG_BYTES:
        return f"{encoded[:_SLUG_BYTES].decode(errors='ignore')}-{digest(folded)}"
    return name


def slugs(names: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """A distinct slug for every key of ``names`` and ``known``, in whatever order they stand.

    ``names`` gives what each key is called. Keys in ``known`` keep their slugs, because people
    subscribe to them. New keys that would share a slug, with each other or with a known one
    (``c++``, ``c#``), each get a digest behind it: of the name, or, where even that is shared (a
    tag and a query of one name, two sources whose names differ in case), of the key too.
    """
    given = {key: slug(name) for key, name in names.items() if key not in known}
    plain = dict(given)
    for parts in (lambda key: (fold(names[key]),), lambda key: (fold(names[key]), key)):
        uses = Counter([*known.values(), *given.values()])
        given = {
            key: name if uses[name] == 1 else f"{plain[key]}-{digest(*parts(key))}"
            for key, name in given.items()
        }
    return {**known, **given}
