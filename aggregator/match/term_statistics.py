"""Builds the lexicon: which terms count, how rare they are, and which go with each tag's name."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import log

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, Analyzer
from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import Floats, SparseRows, SparseVector, TermTagMatrix, Triples
from aggregator.match.tag_statistics import MAX_TAGS_PER_TERM
from aggregator.match.text_vectors import TEXT_WORDS, Document, Embedder, Lexicon, meaning_text
from aggregator.match.tokens import Memo, content_stem
from aggregator.match.vocabulary import Vocabulary

_MAX_TERM_SHARE = 0.5  # a term in more of the documents than this distinguishes nothing
_MIN_DOCUMENTS = 10  # from so many on, that limit applies
_MIN_ENTRIES = 3  # a term of no clipping must be in so many entries
_MAX_COOCCURRING_TERMS = 60  # of each tag's name
_MAX_CENTRE_DOCUMENTS = 256  # clippings, and as many entries, whose mean meaning is the centre
_PRIOR_NAME_ENTRIES = 50  # one in so many entries names a tag, as long as few entries are known
_content_stems = Memo(lambda language: Memo(partial(content_stem, language=language)))


def build_lexicon(
    vocabulary: Vocabulary,
    phrases: PhraseIndex,
    clippings: Sequence[Document],
    entries: Sequence[Document],
    embedder: Embedder | None,
) -> Lexicon:
    """Count the terms of ``clippings`` and of a sample of ``entries``."""
    tag_count = len(vocabulary.tags)
    rarities = _term_rarities(clippings, entries)
    lexicon = Lexicon(
        {term: term_id for term_id, term in enumerate(rarities)},
        np.array(list(rarities.values()), float),
        TermTagMatrix.from_triples((), (len(rarities), tag_count)),
        np.zeros(tag_count),
        np.zeros(0),
    )
    analyzed = Analyzer(vocabulary, phrases, lexicon).analyze(entries)
    lexicon.cooccurrence = _cooccurrence(analyzed, len(rarities), tag_count)
    lexicon.name_shares = _name_shares(analyzed, tag_count)
    documents = [*clippings[:_MAX_CENTRE_DOCUMENTS], *entries[:_MAX_CENTRE_DOCUMENTS]]
    if embedder and documents:
        lexicon.centre = embedder.embed(list(map(meaning_text, documents))).mean(0)
    return lexicon


def _term_rarities(clippings: Sequence[Document], entries: Sequence[Document]) -> dict[str, float]:
    """The inverse document frequency of each term that counts, in alphabetical order."""
    counts: Counter[str] = Counter()
    clipping_terms: set[str] = set()
    for clipping in clippings:
        terms = _distinct_terms(clipping)
        clipping_terms |= terms
        counts.update(terms)
    for entry in entries:
        counts.update(_distinct_terms(entry))
    total = len(clippings) + len(entries)
    max_count = _MAX_TERM_SHARE * total if total >= _MIN_DOCUMENTS else total
    return {
        term: log((total + 1) / (count + 0.5))
        for term, count in sorted(counts.items())
        if count <= max_count
        and (count >= _MIN_ENTRIES or (term in clipping_terms and (count > 1 or " " not in term)))
    }


def _distinct_terms(document: Document) -> set[str]:
    """The content stems, and the pairs of neighbouring ones."""
    stem = _content_stems[document.language].__getitem__
    terms: set[str] = set()
    for words in (document.title.raw, document.text.raw[:TEXT_WORDS]):
        stems = list(map(stem, words))
        terms.update(stems)
        terms.update([f"{first} {second}" for first, second in pairwise(stems) if first and second])
    return terms - {""}


def _name_shares(entries: Sequence[AnalyzedDocument], tag_count: int) -> Floats:
    """The share (tag,) of the entries that name each tag."""
    counts = np.ones(tag_count)
    for entry in entries:
        for tag, mentions in entry.mentions.items():
            counts[tag] += mentions.is_exact
    shares: Floats = counts / (len(entries) + _PRIOR_NAME_ENTRIES)
    return shares


def _cooccurrence(
    entries: Sequence[AnalyzedDocument], term_count: int, tag_count: int
) -> TermTagMatrix:
    """Terms (term, tag) that entries which name a tag have more often than all (Rocchio 1971)."""
    mean = SparseRows.from_vectors([entry.vector for entry in entries]).mean(term_count)
    naming: dict[int, list[tuple[SparseVector, float]]] = {}  # by tag: vector, weight
    for entry in entries:
        for tag, mentions in entry.mentions.items():
            weight = min(mentions.title + mentions.lead + (mentions.count >= 2), 2)
            if weight:
                naming.setdefault(tag, []).append((entry.vector, float(weight)))
    triples: list[Triples] = []
    for tag, vectors in naming.items():
        total = sum(weight for _, weight in vectors)
        weighed = [vector._replace(values=vector.values * (w / total)) for vector, w in vectors]
        rows = SparseRows.from_vectors(weighed)
        ids, inverse = np.unique(rows.ids, return_inverse=True)
        excess = np.bincount(inverse, rows.values, len(ids)) - mean[ids]  # (id,)
        order = np.lexsort((ids, -excess))[:_MAX_COOCCURRING_TERMS]
        order = order[excess[order] > 0]
        length = np.linalg.norm(excess[order]) or 1
        triples.append((ids[order], np.full(len(order), tag), excess[order] / length))
    matrix = TermTagMatrix.from_triples(triples, (term_count, tag_count))
    return matrix.without_common_terms(MAX_TAGS_PER_TERM)
