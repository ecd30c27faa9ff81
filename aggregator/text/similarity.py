"""Whether two texts are the same story, or two versions of one entry.

Texts are compared by their shingles, which are runs of three folded words, with Jaccard
similarity: shared shingles divided by all shingles. Texts under 48 words must be equal, because
chance and templates weigh too much there. Candidate pairs come from MinHash (rensa).
"""

import re

from aggregator.text.folding import digest, fold

MIN_STORY_SIMILARITY = 0.85  # of two publishers' texts of one story
MIN_REVISION_SIMILARITY = 0.6  # of one publisher's texts, where title and date are equal
MIN_WORDS = 48
_SHINGLE_WORDS = 3
_MIN_EXCERPT_WORDS = 12
_LAST_WORDS = 3
_BANDS = 6
_ROWS = 4  # a pair at 0.85 shares a band with probability 1 - (1 - 0.85^4)^6 = 0.988
_SEED = 5005
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+")


def shingles(text: str) -> frozenset[str]:
    """The runs of three words in ``text``; none if it has less than 48 words."""
    words = _WORD.findall(fold(text))
    if len(words) < MIN_WORDS:
        return frozenset()
    runs = zip(*(words[start:] for start in range(_SHINGLE_WORDS)), strict=False)
    return frozenset(map(" ".join, runs))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """The share of common shingles, 0 to 1; 0 if both are empty."""
    return len(first & second) / len(first | second) if first or second else 0.0


def bands(text: str) -> tuple[str, ...]:
    """Names for MinHash bands: two similar texts almost certainly share one.

    MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3.4). Texts
    that share a name are only candidates: compare them with `are_similar`.
    """
    runs = shingles(text)
    if not runs:
        return ()
    from rensa import RMinHash  # slow to import

    sketch = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    sketch.update(list(runs))  # takes minima, so the order does not matter
    values = sketch.digest()  # _BANDS * _ROWS integers
    return tuple(
        digest(str(band), *map(str, values[band * _ROWS : (band + 1) * _ROWS]))
        for band in range(_BANDS)
    )


def is_same_story(title: str, text: str, other_title: str, other_text: str) -> bool:
    """Whether two publishers' entries are one story.

    Their texts are similar, and the numbers in their titles are equal: "Release 1.2" and "Release
    1.3" are two stories.
    """
    if _NUMBER.findall(title) != _NUMBER.findall(other_title):
        return False
    return are_similar(text, other_text)


def are_similar(text: str, other: str) -> bool:
    """Whether two texts of at least 48 words have a similarity of at least 0.85."""
    return jaccard(shingles(text), shingles(other)) >= MIN_STORY_SIMILARITY


def is_revision(text: str, other: str) -> bool:
    """Whether one publisher's text may be an edited version of the other."""
    if not text or not other:
        return True
    first, second = shingles(text), shingles(other)
    if first and second:
        return jaccard(first, second) >= MIN_REVISION_SIMILARITY
    return _NUMBER.sub("#", fold(text)) == _NUMBER.sub("#", fold(other))


def is_excerpt(text: str, longer: str) -> bool:
    """Whether ``text``, of twelve words or more, is a part of the longer one.

    Its last words may be "Read more".
    """
    words = _words(text).split()
    return len(words) >= _MIN_EXCERPT_WORDS and " ".join(words[:-_LAST_WORDS]) in _words(longer)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(fold(text)))
