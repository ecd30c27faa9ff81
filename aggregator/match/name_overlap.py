"""How much of each tag's name is in a title, even if not as a phrase."""

from collections import defaultdict
from collections.abc import Sequence

from aggregator.match.text_vectors import Lexicon
from aggregator.match.tokens import Memo, Words

_MIN_RARITY = 0.1
_StemShares = dict[str, list[tuple[int, int, float]]]  # by stem: name, tag, share of the name


class TagNameIndex:
    """The stems of all tag names and aliases, given as (tag, words)."""

    def __init__(self, names: Sequence[tuple[int, Words]], lexicon: Lexicon) -> None:
        self._names = names
        self._lexicon = lexicon
        self._max_rarity = float(lexicon.rarity.max()) if len(lexicon.rarity) else 1.0
        self._shares = Memo(self._stem_shares)

    def title_overlap(self, title: Words, language: str) -> dict[int, float]:
        """By tag, the share of its name (weighed by rarity) that is in ``title``.

        Of a tag with aliases, the name with the largest share counts.
        """
        shares: defaultdict[tuple[int, int], float] = defaultdict(float)
        stem_shares = self._shares[language]
        for stem in sorted(set(title.stems(language))):
            for name, tag, share in stem_shares.get(stem, ()):
                shares[name, tag] += share
        overlap: dict[int, float] = {}
        for (_, tag), share in shares.items():
            overlap[tag] = max(overlap.get(tag, 0.0), share)
        return overlap

    def _stem_shares(self, language: str) -> _StemShares:
        stem_shares: _StemShares = {}
        for number, (tag, name) in enumerate(self._names):
            rarities = [(stem, self._rarity(stem)) for stem in name.stems(language)]
            total = sum(rarity for _, rarity in rarities)
            for stem in dict(rarities):
                share = sum(rarity for other, rarity in rarities if other == stem) / total
                stem_shares.setdefault(stem, []).append((number, tag, share))
        return stem_shares

    def _rarity(self, stem: str) -> float:
        """An unknown stem is as rare as the rarest term."""
        term = self._lexicon.terms.get(stem)
        if term is None:
            return self._max_rarity
        return max(float(self._lexicon.rarity[term]), _MIN_RARITY)
