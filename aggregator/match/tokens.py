"""Splits texts into words, folds them and reduces them to stems, so that they can be compared."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import TypeVar

from Stemmer import Stemmer  # type: ignore[import-not-found]

from aggregator.text.folding import fold

# A run of letters and digits. "c++" and "c#" are words. Scripts without spaces between words
# (Han, Kana) have one word a letter.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:\+\+|#(?!\w))?"
)
# Web and mail addresses, each with the text that every one contains: most texts need no search.
# The first pattern of each pair begins with literal letters and is fast; the second is for others.
_ADDRESSES = (
    ("://", re.compile(r"https?://\S+")),
    ("://", re.compile(r"https?://\S+", re.IGNORECASE)),
    ("www.", re.compile(r"www\.\S+")),
    ("www.", re.compile(r"www\.\S+", re.IGNORECASE)),
    ("@", re.compile(r"[^\s@]{1,64}@[^\s@.]+\.\S+")),
)
_STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fr": "french",
    "it": "italian", "nl": "dutch", "pt": "portuguese", "sv": "swedish",
}  # fmt: skip
# Words that reveal the language of a text, and nothing else about it.
_FUNCTION_WORDS = {
    "de": "der die das und ist nicht mit den von ein eine zu im auf sich des als auch für dem",
    "en": "the of and to in is that for it with as are on this be by from at an or not which",
    "es": "el la de que y los del se las por un para con una es lo como más su al",
    "fr": "le la les de des du et un une est dans pour que qui sur au aux par ce cette en il ne",
    "it": "il la di che e per un una del della non con sono le gli nel alla dei da è",
    "nl": "de het een van en in is dat op te zijn met voor niet aan ook er bij door om",
    "pt": "o a de que e do da em um para com não uma os no se na por mais as dos",
}
_LANGUAGES_BY_WORD: dict[str, list[str]] = {}
for _language, _words in _FUNCTION_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_BY_WORD.setdefault(_word, []).append(_language)
_FOLDED_FUNCTION_WORDS = frozenset(map(fold, _LANGUAGES_BY_WORD))
LANGUAGE_SAMPLE_WORDS = 200  # of a text, to guess its language
_MIN_FUNCTION_WORDS = 4  # of the guessed language
_MIN_LEAD = 1.5  # times as many as of the next language
_MAX_MEMO_SIZE = 1 << 15
T = TypeVar("T")


class Memo(dict[str, T]):
    """A function of a word or language that remembers its results."""

    def __init__(self, function: Callable[[str], T]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, word: str) -> T:
        if len(self) >= _MAX_MEMO_SIZE:
            self.clear()
        value = self[word] = self._function(word)
        return value


# Shared by all users, so that each word is folded and stemmed once.
FOLDED = Memo(fold)
STEMS = Memo(lambda language: Memo(partial(stem, language=language)))


class Words:
    """The words of a text, in order. Their positions are computed when they are first needed.

    ``text`` is NFKC: a separate combining accent would split a word.
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
        """Without inflection. In a language without stemmer these are the folded words."""
        return tuple(map(STEMS[language].__getitem__, self.raw))

    def word_at(self, position: int) -> int:
        """The number of the first word that begins at this character or after it."""
        return bisect_left(self._word_spans(), (position, 0))

    def surface(self, start: int, count: int = 1) -> str:
        """The text of ``count`` words from number ``start`` on."""
        if count == 1:
            return self.raw[start]
        spans = self._word_spans()
        return self.text[spans[start][0] : spans[start + count - 1][1]]

    def _word_spans(self) -> list[tuple[int, int]]:
        if self._spans is None:
            self._spans = [match.span() for match in _WORD.finditer(self.text)]
        return self._spans


def read_words(text: str) -> Words:
    """The words of ``text`` outside of web and mail addresses."""
    text = unicodedata.normalize("NFKC", text)
    lower = text.lower()
    for literal, address in _ADDRESSES:
        if literal in lower:
            text = address.sub(lambda match: " " * len(match[0]), text)
    return Words(text)


def content_stem(word: str, language: str) -> str:
    """The stem of a word; empty for function words and single letters, which have no content."""
    if FOLDED[word] in _FOLDED_FUNCTION_WORDS:
        return ""
    stemmed = STEMS[language][word]
    return stemmed if len(stemmed) > 1 else ""


def guess_language(words: Sequence[str], declared: str | None) -> str | None:
    """The language of a text by its function words, or ``declared`` if they are too few.

    The text counts first: many feeds declare the language of their software.
    """
    counts = dict.fromkeys(_FUNCTION_WORDS, 0)
    for word in map(str.lower, words[:LANGUAGE_SAMPLE_WORDS]):
        for language in _LANGUAGES_BY_WORD.get(word, ()):
            counts[language] += 1
    (most, language), (second, _) = sorted(
        ((count, language) for language, count in counts.items()), reverse=True
    )[:2]
    is_clear = most >= _MIN_FUNCTION_WORDS and most >= _MIN_LEAD * second
    return language if is_clear else declared


def stemmer_language(language: str | None) -> str:
    """The stemmer for a language tag ("fr" for "fr-CA"), or empty if there is none.

    A feed may declare anything; all languages without stemmer are treated alike.
    """
    code = (language or "").lower().replace("_", "-").partition("-")[0]
    return code if code in _STEMMERS else ""


def stem(word: str, language: str) -> str:
    """``word`` without inflection (Snowball, by Martin Porter), folded."""
    stemmer = _make_stemmer(language)
    word = word.lower()
    return fold(stemmer.stemWord(word) if stemmer else word)


@lru_cache(maxsize=16)
def _make_stemmer(language: str) -> Stemmer | None:
    name = _STEMMERS.get(language)
    return Stemmer(name) if name else None
