"""Which terms count, how rare they are, and which go with the tags' names."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import log

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, make_analyzer
from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import (
    MOST_TAGS,
    Floats,
    Ints,
    SparseVector,
    TermTagMatrix,
    mean_vector,
)
from aggregator.match.text_vectors import TEXT_WORDS, Document, Embedder, Lexicon, meaning_text
from aggregator.match.tokens import Memo, content_stem
from aggregator.match.vocabulary import Vocabulary

_COMMON = 0.5  # a word on more of the documents than this tells nothing
_COMMON_MATTERS = 10  # from so many documents on
_MIN_ENTRIES = 3  # entries in which a word must be that is in no clipping
_COMPANY = 60  # words that go with a name
_CENTRE = 256  # clippings, and as many entries, that tell what all texts mean
_SPREAD_ENTRIES = 50  # of which one has the name, until the entries tell
_content_stems = Memo(lambda language: Memo(partial(content_stem, language=language)))


def build_lexicon(
    vocabulary: Vocabulary,
    phrases: PhraseIndex,
    lessons: Sequence[Document],
    entries: Sequence[Document],
    embedder: Embedder | None,
) -> Lexicon:
    size = len(vocabulary.tags)
    seen: Counter[str] = Counter()
    of_lessons: set[str] = set()
    for lesson in lessons:
        held = _distinct(lesson)
        of_lessons |= held
        seen.update(held)
    for entry in entries:
        seen.update(_distinct(entry))
    documents = len(lessons) + len(entries)
    most = _COMMON * documents if documents >= _COMMON_MATTERS else documents
    kept = sorted(
        term
        for term, count in seen.items()
        if count <= most
        and (count >= _MIN_ENTRIES or (term in of_lessons and (count > 1 or " " not in term)))
    )
    terms = {term: number for number, term in enumerate(kept)}
    rarity = np.array([log((documents + 1) / (seen[term] + 0.5)) for term in kept])
    nothing = TermTagMatrix.of((), (len(kept), size))
    bare = Lexicon(terms, rarity, nothing, np.full(size, 1 / _SPREAD_ENTRIES), np.zeros(0))
    reader = make_analyzer(vocabulary, phrases, bare)
    read = reader.read(entries)
    spread = np.ones(size)
    for one in read:
        for tag, mentions in one.mentions.items():
            spread[tag] += mentions.exact
    spread /= len(entries) + _SPREAD_ENTRIES
    centre = np.zeros(0)
    if embedder:
        some = [*lessons[:_CENTRE], *entries[:_CENTRE]]
        centre = embedder.embed(list(map(meaning_text, some))).mean(0) if some else centre
    bare.company, bare.spread, bare.centre = _company(read, len(kept), size), spread, centre
    return bare


def _distinct(document: Document) -> set[str]:
    """The stems and pairs of neighbours that tell something."""
    tells = _content_stems[document.language].__getitem__
    terms: set[str] = set()
    for words in (document.title.raw, document.text.raw[:TEXT_WORDS]):
        stems = list(map(tells, words))
        terms.update(stems)
        terms.update([f"{one} {other}" for one, other in pairwise(stems) if one and other])
    return terms - {""}


def _company(read: Sequence[AnalyzedDocument], terms: int, tags: int) -> TermTagMatrix:
    """The words of the entries in which a tag's name stands, less those of all (Rocchio 1971)."""
    mean = mean_vector([one.vector for one in read], terms)
    whose: dict[int, list[tuple[SparseVector, float]]] = {}
    for one in read:
        for tag, mentions in one.mentions.items():
            weight = min(mentions.title + mentions.lead + (mentions.count >= 2), 2)
            if weight:
                whose.setdefault(tag, []).append((one.vector, float(weight)))
    found: list[tuple[Ints, Ints, Floats]] = []
    for tag, vectors in whose.items():
        total = sum(weight for _, weight in vectors)
        ids = np.concatenate([vector.ids for vector, _ in vectors])
        values = np.concatenate([vector.values * (weight / total) for vector, weight in vectors])
        held, inverse = np.unique(ids, return_inverse=True)
        more = np.bincount(inverse, weights=values, minlength=len(held)) - mean[held]
        order = np.lexsort((held, -more))[:_COMPANY]
        order = order[more[order] > 0]
        length = np.linalg.norm(more[order]) or 1
        found.append((held[order], np.full(len(order), tag), more[order] / length))
    return TermTagMatrix.of(found, (terms, tags)).without_common_terms(MOST_TAGS)
