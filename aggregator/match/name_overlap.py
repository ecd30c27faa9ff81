"""How much of each tag's name a title has."""

from collections import defaultdict
from collections.abc import Sequence

from aggregator.match.text_vectors import Lexicon
from aggregator.match.tokens import (
    Words,
)


class TagNameIndex:
    """The words of the tags' names (tag, name), for the share of them that a title has."""

    def __init__(self, names: Sequence[tuple[int, Words]], lexicon: Lexicon) -> None:
        self._names = names
        self._lexicon = lexicon
        self._parts: dict[str, dict[str, list[tuple[int, int, float]]]] = {}
        self._rarest = float(lexicon.rarity.max()) if len(lexicon.rarity) else 1.0

    def _in(self, language: str) -> dict[str, list[tuple[int, int, float]]]:
        """By stem: the number of the name, its tag, and the stem's share of it."""
        if language not in self._parts:
            parts = self._parts[language] = {}
            for number, (tag, name) in enumerate(self._names):
                rarities = [(stem, self._rarity(stem)) for stem in name.stems(language)]
                whole = sum(rarity for _, rarity in rarities)
                for stem in dict(rarities):
                    share = sum(rarity for other, rarity in rarities if other == stem) / whole
                    parts.setdefault(stem, []).append((number, tag, share))
        return self._parts[language]

    def _rarity(self, stem: str) -> float:
        number = self._lexicon.terms.get(stem)
        return self._rarest if number is None else max(float(self._lexicon.rarity[number]), 0.1)

    def cover(self, title: Words, language: str) -> dict[int, float]:
        """By tag, how much of its name (or of the alias most of which stands there)."""
        shares: defaultdict[tuple[int, int], float] = defaultdict(float)
        parts = self._in(language)
        for stem in sorted(set(title.stems(language))):
            for number, tag, share in parts.get(stem, ()):
                shares[number, tag] += share
        covered: dict[int, float] = {}
        for (_, tag), share in shares.items():
            covered[tag] = max(covered.get(tag, 0.0), share)
        return covered
