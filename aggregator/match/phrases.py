"""Names and aliases of tags, sought in text as whole words and never inside an address."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from aggregator.folding import fold

_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\S+", re.IGNORECASE)


class Found(NamedTuple):
    """A phrase in a text: whose it is, how the text spells it, where it begins."""

    key: str
    surface: str
    start: int
    words: int


class Phrases:
    """All phrases at once: the cost of a text is its words, however many phrases there are.

    Words are runs of letters and digits, folded one by one, so ``Pair_à_pair`` is found in
    "pair-à-pair" and "PAIR À PAIR". A name without letters or digits (an emoji) is sought as
    it stands.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._signs: dict[str, str] = {}
        for phrase, key in keys.items():
            words = tuple(fold(word) for word in _WORD.findall(phrase))
            if words:
                self._by_first.setdefault(words[0], []).append((words, key))
            elif phrase:
                self._signs[phrase] = key
        for phrases in self._by_first.values():
            phrases.sort(key=lambda phrase: -len(phrase[0]))  # the longest wins

    def find(self, text: str) -> Iterator[Found]:
        """Every phrase in ``text``, from left to right; the longest where several begin."""
        text = unicodedata.normalize("NFKC", text)  # else an accent of its own would part a word
        hidden = _spans(_ADDRESS, text) if "://" in text or "www." in text or "@" in text else []
        words = [
            (fold(match[0]), match.start(), match.end())
            for match in _WORD.finditer(text)
            if not any(start <= match.start() < end for start, end in hidden)
        ]
        following = 0
        for position, (word, start, _) in enumerate(words):
            candidates = self._by_first.get(word)
            if candidates is None or position < following:
                continue
            for phrase, key in candidates:
                here = words[position : position + len(phrase)]
                if len(here) == len(phrase) and all(
                    a == b[0] for a, b in zip(phrase, here, strict=True)
                ):
                    yield Found(key, text[start : here[-1][2]], start, len(phrase))
                    following = position + len(phrase)
                    break
        for sign, key in self._signs.items():
            yield from (
                Found(key, sign, start, 1) for start, _ in _spans(re.compile(re.escape(sign)), text)
            )


def _spans(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)]


def surfaces(found: Iterable[Found]) -> dict[str, list[Found]]:
    """What was found, by tag."""
    by_key: dict[str, list[Found]] = {}
    for phrase in found:
        by_key.setdefault(phrase.key, []).append(phrase)
    return by_key
