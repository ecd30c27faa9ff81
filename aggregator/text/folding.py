"""Folding makes different spellings of a word equal. For comparing only, never for display.

Case, diacritics and compatibility forms (NFKC) are ignored. ``_``, ``-`` and spaces are equal, and
so are the apostrophes.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache

_COMBINING = re.compile("[\u0300-\u036f]")  # Latin, Greek, Cyrillic; never Indic vowel signs
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
MAX_CACHED_CHARACTERS = 100  # words and names repeat, long texts do not


def fold(text: str) -> str:
    """``"Éco_solidaire"`` and ``"eco-Solidaire"`` both give ``"eco solidaire"``."""
    if text.isascii() and text.isalnum():  # most words
        return text.lower()
    return _fold(text) if len(text) <= MAX_CACHED_CHARACTERS else _fold.__wrapped__(text)


@lru_cache(maxsize=16384)
def _fold(text: str) -> str:
    if text.isascii():
        folded = text.lower()
    else:
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
        folded = unicodedata.normalize("NFC", _COMBINING.sub("", decomposed)).replace("’", "'")
    return _SEPARATORS.sub(" ", folded).strip()


def digest(*parts: str) -> str:
    """64 bits of SHA-256 in hexadecimal. How the text is divided into parts makes a difference."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
