"""Text as the words that matching compares: folded, and cut down to their stems."""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from Stemmer import Stemmer  # type: ignore[import-not-found]

from aggregator.folding import fold

# A run of letters and digits; "c++" and "c#" are words of their own; scripts that part no words
# (Han, Kana) are read letter by letter.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:\+\+|#(?!\w))?"
)
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|[^\s@]{1,64}@[^\s@.]+\.\S+", re.IGNORECASE)
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
_TELLING = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
FUNCTION_WORDS = frozenset(fold(word) for words in _TELLING.values() for word in words)
_TELLING_WORDS = 200  # of a text: more do not tell more
_FEWEST_TELLING = 4


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text, in order; ``starts`` and ``ends`` are their places in ``text``.

    ``text`` is NFKC: an accent that stands by itself would part a word.
    """

    text: str
    folded: tuple[str, ...]
    stems: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def surface(self, first: int, count: int = 1) -> str:
        """What the text has for ``count`` words from number ``first`` on."""
        return self.text[self.starts[first] : self.ends[first + count - 1]]


def read_words(text: str, language: str | None = None) -> Words:
    """The words of ``text``, none of which stands in a web or mail address.

    ``language`` (RFC 5646; only its first part counts) says how words are inflected; words of a
    language without stemmer are their own stems.
    """
    text = unicodedata.normalize("NFKC", text)
    if "://" in text or "www." in text or "@" in text:
        text = _ADDRESS.sub(lambda address: " " * len(address[0]), text)
    found = list(_WORD.finditer(text))
    words = [match[0] for match in found]
    language = primary(language)
    return Words(
        text,
        tuple(map(fold, words)),
        tuple([stem(word, language) for word in words]),
        tuple([match.start() for match in found]),
        tuple([match.end() for match in found]),
    )


def tokens(words: Words, *ends: int) -> list[Counter[str]]:
    """What is counted of the words that begin before each of ``ends`` (ascending): stems, and
    pairs of neighbours.

    Function words and single letters tell nothing, and neither do pairs with one.
    """
    last = bisect_left(words.starts, ends[-1])
    kept = [
        "" if len(stem) < 2 or folded in FUNCTION_WORDS else stem
        for stem, folded in zip(words.stems[:last], words.folded[:last], strict=True)
    ]
    pairs = [f"{one} {other}" if one and other else "" for one, other in pairwise(kept)]
    counts: Counter[str] = Counter()
    found, done = [], 0
    for end in ends:
        upto = bisect_left(words.starts, end)
        counts.update(kept[done:upto])
        counts.update(pairs[max(done - 1, 0) : max(upto - 1, 0)])
        counts.pop("", None)
        found.append(counts.copy() if end != ends[-1] else counts)
        done = upto
    return found


def guess_language(text: str, declared: str | None) -> str | None:
    """The language of ``text`` by its function words, or ``declared`` where they do not tell.

    The text comes first: many feeds declare what their software was installed with.
    """
    words = [word.lower() for word in re.findall(r"[^\W\d_]+", text[:2000])[:_TELLING_WORDS]]
    counts = sorted(
        (
            (sum(map(telling.__contains__, words)), language)
            for language, telling in _TELLING.items()
        ),
        reverse=True,
    )
    (most, language), (second, _) = counts[:2]
    return language if most >= _FEWEST_TELLING and most >= 1.5 * second else declared


def primary(language: str | None) -> str:
    """The first part of a language tag: ``"fr"`` of ``"fr-CA"``."""
    return (language or "").lower().replace("_", "-").partition("-")[0]


@lru_cache(maxsize=1 << 18)
def stem(word: str, language: str) -> str:
    """``word`` without its inflection (Snowball, of Martin Porter), folded."""
    algorithm = _algorithm(language)
    word = word.lower()
    return fold(algorithm.stemWord(word) if algorithm else word)


@lru_cache(maxsize=16)
def _algorithm(language: str) -> Stemmer | None:
    name = _ALGORITHMS.get(language)
    return Stemmer(name) if name else None
