"""Finds the names and aliases of tags in texts, as whole words and never inside an address."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from aggregator.match.tokens import FOLDED, STEMS, Memo, Words, read_words

LEAD_WORDS = 50  # about 300 characters
_MAX_ACRONYM_LETTERS = 5


class PhraseMatch(NamedTuple):
    """A name of the tag ``key`` in a text.

    It has ``word_count`` words from number ``start`` on; a name without words (an emoji) has 0.
    ``is_exact``: it is spelled as the name is, in the same inflection and case.
    """

    key: str
    start: int
    word_count: int
    is_exact: bool


@dataclass(slots=True)
class Mentions:
    """Where the names of one tag are in a document."""

    title: bool = False  # an exact match in the title
    lead: bool = False  # an exact match in the first words of the text
    count: int = 0  # exact matches in the whole text
    inflected: bool = False  # there are matches, but none is exact
    max_words: int = 0  # of the longest match
    places: dict[str, list[PhraseMatch]] = field(default_factory=dict)  # title, lead, body

    @property
    def is_exact(self) -> bool:
        """Whether any match is exact."""
        return self.title or self.count > 0


class PhraseIndex:
    """Finds all phrases at once: the time depends on the length of the text, not their number.

    ``names`` gives the tag of each name and alias; ``excluded_phrases``, by tag, are phrases in
    which its names mean something else. Words are folded, so ``Pair_à_pair`` is found in
    "pair-à-pair" and "PAIR À PAIR". A name without letters and digits (an emoji) is found as it
    is. A short acronym (``SMart``, ``ESS``) in another case counts as inflected.
    """

    def __init__(
        self, names: Mapping[str, str], excluded_phrases: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._names: list[tuple[str, str, Words]] = []  # key, name, its words
        self._symbols: list[tuple[str, str]] = []  # name, key
        for name, key in names.items():
            words = read_words(name)
            if words.raw:
                self._names.append((key, name, words))
            elif name.strip():
                self._symbols.append((name, key))
        self._excluded = [
            (key, read_words(phrase).folded)
            for key, phrases in (excluded_phrases or {}).items()
            for phrase in phrases
        ]
        # Numbers from len(self._names) on are excluded phrases.
        self._folded = _WordAutomaton(
            [words.folded for *_, words in self._names] + [words for _, words in self._excluded]
        )
        self._stemmed = Memo(self._stem_automaton)
        self._is_first_word = Memo(self._first_word_test)

    def names(self) -> Iterator[tuple[str, Words]]:
        """(tag, words) of every name that has words."""
        return ((key, words) for key, _, words in self._names)

    def find(self, text: Words, language: str) -> list[PhraseMatch]:
        """The names in ``text`` from left to right, the longest where they overlap.

        ``language`` is that of ``text``, or empty.
        """
        if not any(map(self._is_first_word[language].__getitem__, text.raw)):
            return list(self._find_symbols(text))
        spans = self._folded.spans(text.joined)
        excluded = {
            (self._excluded[number - len(self._names)][0], position)
            for number, start, count in spans
            if number >= len(self._names)
            for position in range(start, start + count)
        }
        matches = []
        for number, start, count in spans:
            if number < len(self._names):
                key, name, _ = self._names[number]
                if (key, start) not in excluded:
                    is_exact = not _is_acronym(name) or text.raw[start] in (name, name.upper())
                    matches.append(PhraseMatch(key, start, count, is_exact))
        covered = excluded | {(match.key, match.start) for match in matches}
        stems = f" {' '.join(text.stems(language))} "
        for number, start, count in self._stemmed[language].spans(stems):
            key = self._names[number][0]
            if (key, start) not in covered:
                matches.append(PhraseMatch(key, start, count, is_exact=False))
        return [*_without_overlaps(matches), *self._find_symbols(text)]

    def _stem_automaton(self, language: str) -> "_WordAutomaton":
        return _WordAutomaton([words.stems(language) for *_, words in self._names])

    def _first_word_test(self, language: str) -> Memo[bool]:
        """Whether a word begins a name: most texts have none, and need no search."""
        folded = {words.folded[0] for *_, words in self._names}
        stems = {words.stems(language)[0] for *_, words in self._names}
        stem_of = STEMS[language]
        return Memo(lambda word: FOLDED[word] in folded or stem_of[word] in stems)

    def _find_symbols(self, text: Words) -> Iterator[PhraseMatch]:
        for symbol, key in self._symbols:
            start = text.text.find(symbol)
            while start >= 0:
                yield PhraseMatch(key, text.word_at(start), 0, is_exact=True)
                start = text.text.find(symbol, start + len(symbol))

    def mentions(self, title: Words, text: Words, language: str) -> dict[str, Mentions]:
        """The mentions in a document, by tag."""
        by_key: dict[str, Mentions] = {}
        for words, is_title in ((title, True), (text, False)):
            for match in self.find(words, language):
                mentions = by_key.setdefault(match.key, Mentions())
                is_lead = not is_title and match.start < LEAD_WORDS
                mentions.max_words = max(mentions.max_words, match.word_count)
                if not match.is_exact:
                    mentions.inflected = True
                elif is_title:
                    mentions.title = True
                else:
                    mentions.count += 1
                    mentions.lead |= is_lead
                place = "title" if is_title else "lead" if is_lead else "body"
                mentions.places.setdefault(place, []).append(match)
        for mentions in by_key.values():
            mentions.inflected &= not mentions.is_exact
        return by_key


class _WordAutomaton:
    """Finds sequences of words in a sequence of words (Aho and Corasick 1975)."""

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        self._lengths = [len(words) for words in phrases]
        patterns = [f" {' '.join(words)} " for words in phrases]
        self._automaton = AhoCorasick(patterns) if patterns else None

    def spans(self, text: str) -> list[tuple[int, int, int]]:
        """All occurrences as (number of the phrase, number of its first word, word count).

        ``text`` has one space before and after each word.
        """
        if self._automaton is None:
            return []
        return [
            (number, text.count(" ", 0, start), self._lengths[number])
            for number, start, _ in self._automaton.find_matches_as_indexes(text, overlapping=True)
        ]


def _without_overlaps(matches: Iterable[PhraseMatch]) -> Iterator[PhraseMatch]:
    end = 0
    for match in sorted(matches, key=lambda m: (m.start, -m.word_count, not m.is_exact, m.key)):
        if match.start >= end:
            yield match
            end = match.start + match.word_count


def _is_acronym(name: str) -> bool:
    """Whether a name has few letters, with capitals after the first: it may spell a common word."""
    return 1 < len(name) <= _MAX_ACRONYM_LETTERS and name.isalpha() and not name[1:].islower()
