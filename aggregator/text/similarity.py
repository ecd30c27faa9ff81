"""When two texts are one. Pure; the one file that uses rensa (MinHash).

Texts are compared by their shingles, runs of three words folded, so that order counts; the
measure is Jaccard's, shared shingles over all. Below 48 words chance and templates weigh too much:
such texts are one only if they are equal.
"""

import re

from aggregator.text.folding import digest, fold

ALIKE = 0.85  # Jaccard, from which two publishers tell one story
STILL_ITSELF = 0.6  # of one publisher, where title and date agree
FEWEST_WORDS = 48
_WORDS_IN_SHINGLE = 3
_BANDS = 6
_ROWS = 4  # a pair at 0.85 shares a band with probability 1 - (1 - 0.85^4)^6 = 0.988
_SEED = 5005
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+")


def shingles(text: str) -> frozenset[str]:
    """The runs of three words in ``text``; none where it has less than 48 words."""
    words = _WORD.findall(fold(text))
    if len(words) < FEWEST_WORDS:
        return frozenset()
    runs = zip(*(words[start:] for start in range(_WORDS_IN_SHINGLE)), strict=False)
    return frozenset(map(" ".join, runs))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared over all, 0..1; 0 where there is nothing to compare."""
    return len(one & other) / len(one | other) if one or other else 0.0


def bands(text: str) -> tuple[str, ...]:
    """Names that two texts almost surely have in common if they are alike.

    MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3.4). What
    shares a name is only a candidate: measure it with `jaccard`.
    """
    found = shingles(text)
    if not found:
        return ()
    from rensa import RMinHash  # where there is something new

    sketch = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    sketch.update(list(found))  # the least of all hashes, in whatever order
    values = sketch.digest()
    return tuple(
        digest(str(band), *map(str, values[band * _ROWS : (band + 1) * _ROWS]))
        for band in range(_BANDS)
    )


def tell_one_story(title: str, text: str, other_title: str, other_text: str) -> bool:
    """Whether two publishers' entries are one story: texts alike, and no number in the titles
    that says otherwise ("Release 1.2" and "Release 1.3")."""
    if _NUMBER.findall(title) != _NUMBER.findall(other_title):
        return False
    return alike(text, other_text)


def alike(text: str, other: str) -> bool:
    """Whether two texts of at least 48 words share 0.85 of their shingles."""
    return jaccard(shingles(text), shingles(other)) >= ALIKE


def still_same(text: str, other: str) -> bool:
    """Whether a publisher's text can be an earlier one of its own, edited."""
    if not text or not other:
        return True
    one, two = shingles(text), shingles(other)
    if one and two:
        return jaccard(one, two) >= STILL_ITSELF
    return _NUMBER.sub("#", fold(text)) == _NUMBER.sub("#", fold(other))
