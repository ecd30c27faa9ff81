import itertools
import re

import pytest

from aggregator.text.similarity import (  # fmt: skip
    MIN_STORY_SIMILARITY,
    MIN_WORDS,
    bands,
    is_revision,
    is_same_story,
    jaccard,
    shingles,
)

TEXT = " ".join(f"mot{number}" for number in range(164))


def edited(*places):
    words = TEXT.split()
    for place in places:
        words[place] = "autre"
    return " ".join(words)


def test_order_of_folded_words_counts():
    assert shingles(TEXT.upper()) == shingles(TEXT.replace(" ", ", "))
    assert jaccard(shingles(TEXT), shingles(" ".join(reversed(TEXT.split())))) == 0
    assert jaccard(shingles(TEXT), shingles(TEXT)) == 1
    assert jaccard(frozenset(), frozenset()) == 0


def test_short_texts_are_never_similar():
    short = " ".join(TEXT.split()[: MIN_WORDS - 1])
    assert bands(short) == ()
    assert not is_same_story("T", short, "T", short)
    enough = " ".join(TEXT.split()[:MIN_WORDS])
    assert is_same_story("T", enough, "T", enough)


@pytest.mark.parametrize(
    ("places", "alike"), [((5,), True), ((5, 50), True), (range(0, 99, 9), False)]
)
def test_similarity_threshold(places, alike):
    other = edited(*places)
    assert (jaccard(shingles(TEXT), shingles(other)) >= MIN_STORY_SIMILARITY) is alike
    assert is_same_story("T", TEXT, "T", other) is alike


def test_similar_texts_share_a_band():
    """All pairs of one edit and of two: the bands must not lose what is alike."""
    ours = set(bands(TEXT))
    missed = [
        p for p in itertools.combinations(range(0, 160, 5), 2) if not ours & set(bands(edited(*p)))
    ]
    assert len(missed) <= 2


def test_numbers_in_titles_separate_stories():
    assert not is_same_story("Release 1.2", TEXT, "Release 1.3", TEXT)
    assert is_same_story("Release 1.2", TEXT, "Release 1.2 is out", TEXT)


@pytest.mark.parametrize(
    ("text", "other", "same"),
    [
        ("", "anything", True),
        ("Seen 5 times", "seen 6 times", True),
        ("Open", "Closed", False),
        (TEXT, edited(5, 50, 90), True),
        (TEXT, re.sub("mot", "tom", TEXT), False),
    ],
)
def test_revisions_of_a_text(text, other, same):
    assert is_revision(text, other) is same
