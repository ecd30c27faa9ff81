"""Text as the words that matching compares: folded, and cut down to their stems."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

from Stemmer import Stemmer  # type: ignore[import-not-found]

from aggregator.text.folding import fold

# A run of letters and digits; "c++" and "c#" are words of their own; scripts that part no words
# (Han, Kana) are read letter by letter.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:\+\+|#(?!\w))?"
)
# Addresses, and the sign without which there is none: most texts need no search. Each begins with
# letters of one case, which are found fast; the next finds those of the other.
_ADDRESSES = (
    ("://", re.compile(r"https?://\S+")),
    ("://", re.compile(r"https?://\S+", re.IGNORECASE)),
    ("www.", re.compile(r"www\.\S+")),
    ("www.", re.compile(r"www\.\S+", re.IGNORECASE)),
    ("@", re.compile(r"[^\s@]{1,64}@[^\s@.]+\.\S+")),
)
_ALGORITHMS = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "pt": "portuguese",
    "sv": "swedish",
}
# The words that tell a language, and nothing else about a text.
_FUNCTION_WORDS = {
    "de": "der die das und ist nicht mit den von ein eine zu im auf sich des als auch für dem",
    "en": "the of and to in is that for it with as are on this be by from at an or not which",
    "es": "el la de que y los del se las por un para con una es lo como más su al",
    "fr": "le la les de des du et un une est dans pour que qui sur au aux par ce cette en il ne",
    "it": "il la di che e per un una del della non con sono le gli nel alla dei da è",
    "nl": "de het een van en in is dat op te zijn met voor niet aan ook er bij door om",
    "pt": "o a de que e do da em um para com não uma os no se na por mais as dos",
}
_FUNCTION_WORDS_OF = {
    language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()
}
FUNCTION_WORDS = frozenset(fold(word) for words in _FUNCTION_WORDS_OF.values() for word in words)
_LANGUAGES_OF = {
    word: tuple(language for language, words in _FUNCTION_WORDS_OF.items() if word in words)
    for word in frozenset().union(*_FUNCTION_WORDS_OF.values())
}
LANGUAGE_SAMPLE_WORDS = 200  # of a text: more do not tell more
_MIN_FUNCTION_WORDS = 4
_MAX_MEMO_SIZE = 1 << 15
T = TypeVar("T")


class Memo(dict[str, T]):
    """A function of words (or languages), each asked once: texts repeat theirs."""

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, word: str) -> T:
        if len(self) >= _MAX_MEMO_SIZE:
            self.clear()
        value = self[word] = self._function(word)
        return value


# What everything here and in `phrases` asks: so each word is folded once, and stemmed once.
FOLDED = Memo(fold)
STEMS = Memo(lambda language: Memo(partial(stem, language=language)))


class Words:
    """The words of one text, in order. Where they stand in ``text`` is found out when it is asked.

    ``text`` is NFKC: an accent that stands by itself would part a word.
    """

    __slots__ = ("_spans", "raw", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw: list[str] = _WORD.findall(text)
        self._spans: list[tuple[int, int]] | None = None

    @property
    def folded(self) -> tuple[str, ...]:
        """Without case and accents."""
        return tuple(map(FOLDED.__getitem__, self.raw))

    @property
    def joined(self) -> str:
        """The folded words, with a space around each."""
        joined = f" {' '.join(self.raw)} "
        return joined.lower() if joined.isascii() else f" {' '.join(self.folded)} "

    def stems(self, language: str) -> tuple[str, ...]:
        """Without inflection; those of a language without stemmer are the folded words."""
        return tuple(map(STEMS[language].__getitem__, self.raw))

    def number(self, start: int) -> int:
        """Of the first word that begins at the character ``start`` or behind it."""
        return bisect_left(self._found(), (start, 0))

    def surface(self, first: int, count: int = 1) -> str:
        """What the text has for ``count`` words from number ``first`` on."""
        if count == 1:
            return self.raw[first]
        spans = self._found()
        return self.text[spans[first][0] : spans[first + count - 1][1]]

    def _found(self) -> list[tuple[int, int]]:
        if self._spans is None:
            self._spans = [match.span() for match in _WORD.finditer(self.text)]
        return self._spans


def read_words(text: str) -> Words:
    """The words of ``text``, none of which stands in a web or mail address."""
    text = unicodedata.normalize("NFKC", text)
    lower = text.lower()
    for sign, address in _ADDRESSES:
        if sign in lower:
            text = address.sub(lambda found: " " * len(found[0]), text)
    return Words(text)


def content_stem(word: str, language: str) -> str:
    """The stem of a word, or nothing: function words and single letters tell nothing."""
    if FOLDED[word] in FUNCTION_WORDS:
        return ""
    stemmed = STEMS[language][word]
    return stemmed if len(stemmed) > 1 else ""


def guess_language(words: Sequence[str], declared: str | None) -> str | None:
    """The language of a text by its function words, or ``declared`` where they do not tell.

    The text comes first: many feeds declare what their software was installed with.
    """
    counts = dict.fromkeys(_FUNCTION_WORDS_OF, 0)
    for word in map(str.lower, words[:LANGUAGE_SAMPLE_WORDS]):
        if word in _LANGUAGES_OF:
            for language in _LANGUAGES_OF[word]:
                counts[language] += 1
    (most, language), (second, _) = sorted(
        ((count, language) for language, count in counts.items()), reverse=True
    )[:2]
    return language if most >= _MIN_FUNCTION_WORDS and most >= 1.5 * second else declared


def primary(language: str | None) -> str:
    """The first part of a language tag: ``"fr"`` of ``"fr-CA"``."""
    return (language or "").lower().replace("_", "-").partition("-")[0]


def known_language(language: str | None) -> str:
    """A language whose inflection is known, or nothing: the others are read alike, and strangers
    declare what they like."""
    code = primary(language)
    return code if code in _ALGORITHMS else ""


def stem(word: str, language: str) -> str:
    """``word`` without its inflection (Snowball, of Martin Porter), folded."""
    algorithm = _algorithm(language)
    word = word.lower()
    return fold(algorithm.stemWord(word) if algorithm else word)


@lru_cache(maxsize=16)
def _algorithm(language: str) -> Stemmer | None:
    name = _ALGORITHMS.get(language)
    return Stemmer(name) if name else None
