"""Names and aliases of tags, sought in text as whole words and never inside an address."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from aggregator.match.tokens import FOLDED, STEMS, Memo, Words, read_words

LEAD_WORDS = 50  # about 300 characters
_SHORT = 5  # letters of an acronym that could be a word


class PhraseMatch(NamedTuple):
    """A phrase in a text: whose it is, and its words there (first, how many: none of a sign).

    ``exact``: in this form, not in another inflection or case.
    """

    key: str
    first: int
    words: int
    exact: bool


@dataclass(slots=True)
class Mentions:
    """Where the phrases of one tag stand in an entry.

    ``title`` and ``lead`` tell whether they do; ``count`` is how often in the whole text, and
    ``inflected`` whether only in another form; ``words`` is the longest's number of words.
    ``places`` has them by where they stand: "title", "lead", "body".
    """

    title: bool = False
    lead: bool = False
    count: int = 0
    inflected: bool = False
    words: int = 0
    places: dict[str, list[PhraseMatch]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether any of them stands there as it is written."""
        return self.title or self.count > 0


class PhraseIndex:
    """All phrases at once: the cost of a text is its length, however many phrases there are.

    ``names`` give the tag of each name and alias, as people spell them; ``excluded_phrases`` are, by tag,
    phrases in which its names mean something else. Words are folded, so ``Pair_à_pair`` is found
    in "pair-à-pair" and "PAIR À PAIR"; of a name without letters or digits (an emoji), the signs
    are sought as they stand. A short acronym (``SMart``, ``ESS``) in other case than its own
    counts as an inflection does.
    """

    def __init__(
        self, names: Mapping[str, str], excluded_phrases: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._names: list[tuple[str, str, Words]] = []
        self._signs: list[tuple[str, str]] = []
        for name, key in names.items():
            words = read_words(name)
            if words.raw:
                self._names.append((key, name, words))
            elif name.strip():
                self._signs.append((name, key))
        self._traps = [
            (key, read_words(phrase).folded)
            for key, phrases in (excluded_phrases or {}).items()
            for phrase in phrases
        ]
        self._exact = _Automaton(
            [words.folded for *_, words in self._names] + [words for _, words in self._traps]
        )
        self._stemmed = Memo(self._stems)
        self._leading = Memo(self._leads)

    def names(self) -> Iterator[tuple[str, Words]]:
        """(tag, words) of every name that has words."""
        return ((key, words) for key, _, words in self._names)

    def find(self, text: Words, language: str) -> list[PhraseMatch]:
        """Every phrase in ``text``, from left to right; of those that overlap the longest.

        ``language`` is that of ``text``, or empty.
        """
        if not any(map(self._leading[language].__getitem__, text.raw)):
            return list(self._find_signs(text))
        spans = self._exact.spans(text.joined)
        trapped = {
            (self._traps[number - len(self._names)][0], position)
            for number, first, count in spans
            if number >= len(self._names)
            for position in range(first, first + count)
        }
        found = []
        for number, first, count in spans:
            if number < len(self._names):
                key, name, _ = self._names[number]
                if (key, first) not in trapped:
                    exact = not _is_acronym(name) or text.raw[first] in (name, name.upper())
                    found.append(PhraseMatch(key, first, count, exact))
        taken = {(f.key, f.first) for f in found}
        stems = self._stemmed[language]
        for number, first, count in stems.spans(f" {' '.join(text.stems(language))} "):
            key = self._names[number][0]
            if (key, first) not in taken and (key, first) not in trapped:
                found.append(PhraseMatch(key, first, count, exact=False))
        return [*_longest(found), *self._find_signs(text)]

    def _stems(self, language: str) -> "_Automaton":
        return _Automaton([words.stems(language) for *_, words in self._names])

    def _leads(self, language: str) -> Memo[bool]:
        """Whether a word is the first of a name: most texts have none, and need no search."""
        firsts = {words.folded[0] for *_, words in self._names}
        stems = {words.stems(language)[0] for *_, words in self._names}
        stemmed = STEMS[language]
        return Memo(lambda word: FOLDED[word] in firsts or stemmed[word] in stems)

    def _find_signs(self, text: Words) -> Iterator[PhraseMatch]:
        for sign, key in self._signs:
            start = text.text.find(sign)
            while start >= 0:
                yield PhraseMatch(key, text.number(start), 0, exact=True)
                start = text.text.find(sign, start + len(sign))

    def mentions(self, title: Words, text: Words, language: str) -> dict[str, Mentions]:
        """What stands in an entry, by tag."""
        by_key: dict[str, Mentions] = {}
        for words, in_title in ((title, True), (text, False)):
            for found in self.find(words, language):
                mentions = by_key.setdefault(found.key, Mentions())
                in_lead = not in_title and found.first < LEAD_WORDS
                mentions.words = max(mentions.words, found.words)
                if not found.exact:
                    mentions.inflected = True
                elif in_title:
                    mentions.title = True
                else:
                    mentions.count += 1
                    mentions.lead |= in_lead
                where = "title" if in_title else "lead" if in_lead else "body"
                mentions.places.setdefault(where, []).append(found)
        for mentions in by_key.values():
            mentions.inflected &= not mentions.exact
        return by_key


class _Automaton:
    """Finds sequences of words among words (Aho and Corasick 1975)."""

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        self._lengths = [len(words) for words in phrases]
        patterns = [f" {' '.join(words)} " for words in phrases]
        self._automaton = AhoCorasick(patterns) if patterns else None

    def spans(self, text: str) -> list[tuple[int, int, int]]:
        """(number of the phrase, number of its first word, its words) of every occurrence.

        In ``text`` stands a space before and behind each word.
        """
        if self._automaton is None:
            return []
        return [
            (number, text.count(" ", 0, start), self._lengths[number])
            for number, start, _ in self._automaton.find_matches_as_indexes(text, overlapping=True)
        ]


def _longest(found: Iterable[PhraseMatch]) -> Iterator[PhraseMatch]:
    following = 0
    for one in sorted(found, key=lambda f: (f.first, -f.words, not f.exact, f.key)):
        if one.first >= following:
            yield one
            following = one.first + one.words


def _is_acronym(name: str) -> bool:
    """Whether a name is short and has capitals behind its first letter, and no digit: in other
    case it may be a common word."""
    return len(name) <= _SHORT and name.isalpha() and not name[1:].islower() and name[1:] != ""
