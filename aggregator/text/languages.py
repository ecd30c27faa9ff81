"""Which language a text is in. Pure.

Many feeds declare the language of their software, not that of their texts. The detector is CLD3,
the neural network of Chrome: 1.4 MB, 2 MB of memory, 0.2 ms for a long text.
"""

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gcld3

_MAX_CHARACTERS = 1200  # of a text
_MIN_BYTES = 90  # of different words, in UTF-8: 90 Latin letters, 30 Chinese ones
_MIN_PART_CHARACTERS, _MAX_PART_CHARACTERS, _MAX_PARTS = 100, 150, 4
# Below these probabilities the declaration counts. A text in several languages has none: of four
# parts three must agree.
_MIN_PROBABILITY = 0.97  # of a text too short for several parts
_MIN_MEAN_PROBABILITY = 0.7  # of several parts
_NO_PROSE = re.compile(r"[{}<>=\\$|_@#]|\w[./:(\[]\w|\(\)", re.ASCII)  # in addresses, tags and code
_LETTER = re.compile(r"[^\W\d_]")
_MIN_PROSE_SHARE = 0.7  # of the words of a line
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_LATIN = "la"  # "Lorem ipsum" in nearly all cases
# One code for each group of languages that the detector does not tell apart.
_GROUPS = {"nb": "no", "nn": "no", "bs": "hr", "sr": "hr", "ms": "id"}


def language_of(text: str, declared: str | None, setting: str | None) -> str | None:
    """The language tag (RFC 5646) of an entry.

    ``setting``, the operator's, comes first; then the language of ``text``, if it is long enough
    and in one language; then ``declared``, the feed's, which also stays if it only says more:
    "fr-CA" for a French text. None if nothing is known.
    """
    if setting:
        return setting
    detected = detect_language(text)
    if detected is None or _group(detected) == _group(declared or ""):
        return declared or None
    return detected


def detect_language(text: str) -> str | None:
    """The language code of a text; None if it is short, mixed, no prose, or uncertain."""
    words = _prose_words(_in_main_script(text[:_MAX_CHARACTERS]))
    if len("".join(set(words)).encode(errors="replace")) < _MIN_BYTES:
        return None
    parts = _parts(" ".join(words))
    minimum = _MIN_PROBABILITY if len(parts) == 1 else _MIN_MEAN_PROBABILITY
    probabilities: Counter[str] = Counter()
    for part in parts:
        result = _detector().FindLanguage(text=part.encode(errors="replace"))
        probabilities[result.language] += result.probability / len(parts)
        if probabilities[result.language] >= minimum:
            return _code(result.language)
    return None


def _code(language: str) -> str | None:
    """The detector's code in RFC 5646; None for "ru-Latn", a transcription, and for Latin."""
    if "-" in language or language == _LATIN:
        return None
    return "he" if language == "iw" else language


def _group(tag: str) -> str:
    code = tag.lower().replace("_", "-").partition("-")[0]
    return _GROUPS.get(code, code)


def _prose_words(text: str) -> list[str]:
    """Without addresses, tags, code and numbers."""
    prose: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if _NO_PROSE.search(line):
            plain = [word for word in words if not _NO_PROSE.search(word)]
            words = plain if len(plain) >= _MIN_PROSE_SHARE * len(words) else []
        prose += words
    return [word for word in prose if word.isalpha() or _LETTER.search(word)]


def _in_main_script(text: str) -> str:
    """Without Latin names in a text of another script: the detector looks at the first letters."""
    letters = sum(map(str.isalpha, text))
    latin = sum(map(len, _LATIN_WORD.findall(text)))
    return _LATIN_WORD.sub(" ", text) if latin * 2 < letters else text


def _parts(prose: str) -> list[str]:
    """Passages from the whole of a text, with gaps if it is long."""
    count = max(1, min(_MAX_PARTS, len(prose) // _MIN_PART_CHARACTERS))
    distance = len(prose) // count
    return [
        prose[start : start + min(distance, _MAX_PART_CHARACTERS)]
        for start in range(0, distance * count, distance)
    ]


@lru_cache(maxsize=1)
def _detector() -> "gcld3.NNetLanguageIdentifier":
    import gcld3  # most runs have no new text

    return gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=4 * _MAX_PART_CHARACTERS)
