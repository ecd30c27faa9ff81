"""Texts as vectors: TF-IDF of their words, and the meaning that an embedder gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from aggregator.match.boilerplate import strip_feed_footer
from aggregator.match.sparse import (
    Floats,
    Ints,
    SparseVector,
    TermTagMatrix,
    normalize_rows,
    scale_to_unit_length,
)
from aggregator.match.tokens import (
    LANGUAGE_SAMPLE_WORDS,
    Memo,
    Words,
    content_stem,
    guess_language,
    read_words,
    stemmer_language,
)
from aggregator.model import Entry

HEAD_WORDS = 100  # the beginning of a text, which weighs more; about 600 characters
TEXT_WORDS = 700  # the words of a text that its vector counts
PHRASE_CHARACTERS = 20_000  # the part of a text that is searched for tag names
_MEANING_CHARACTERS, _MEANING_TITLE_CHARACTERS = 500, 200


@dataclass(frozen=True, slots=True)
class Document:
    """A clipping or an entry, split into words.

    ``language`` is one with a stemmer, or empty; ``tags`` are the indices of the reader's tags.
    """

    title: Words
    text: Words
    language: str
    tags: frozenset[int] = frozenset()


def read_document(
    title: str, text: str, declared_language: str | None, tags: frozenset[int] = frozenset()
) -> Document:
    """Split a title and the first 20,000 characters of a text into words."""
    title_words = read_words(title)
    text_words = read_words(strip_feed_footer(text[:PHRASE_CHARACTERS]))
    sample = [*title_words.raw, *text_words.raw[:LANGUAGE_SAMPLE_WORDS]]
    language = stemmer_language(guess_language(sample, declared_language))
    return Document(title_words, text_words, language, tags)


def read_entry(entry: Entry, tags: frozenset[int] = frozenset()) -> Document:
    """`read_document` for an entry."""
    return read_document(entry.title, entry.text, entry.language, tags)


class Embedder(Protocol):
    """Turns texts into vectors of their meaning."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Vectors (text, size) of length one, or of zeros for a text that cannot be read."""
        ...


class Lexicon:
    """The terms that count, and what a sample of the collected entries says about them.

    A term is a stem, or two neighbouring stems with a space between.
    """

    def __init__(
        self,
        terms: Mapping[str, int],
        rarity: Floats,
        cooccurrence: TermTagMatrix,
        name_shares: Floats,
        centre: Floats,
    ) -> None:
        self.terms = terms
        self.rarity = rarity  # (term,) inverse document frequency
        self.cooccurrence = cooccurrence  # (term, tag) words of the entries that name the tag
        self.name_shares = name_shares  # (tag,) share of the entries that name the tag
        self.centre = centre  # (size,) mean meaning of clippings and entries, or empty
        stem_ids: dict[str, int] = {}
        pairs: list[tuple[int, int, int]] = []
        singles: dict[int, int] = {}
        for term, term_id in terms.items():
            first, *second = [
                stem_ids.setdefault(stem, len(stem_ids)) for stem in term.split(" ", 1)
            ]
            if second:
                pairs.append((first, second[0], term_id))
            else:
                singles[first] = term_id
        # Unknown words have the stem id -1, which leads to the additional last place.
        self._single_terms = np.full(len(stem_ids) + 1, -1)  # (stem + 1,) term of a stem, or -1
        self._single_terms[list(singles)] = list(singles.values())
        self._stem_count = len(stem_ids)
        codes = np.array([first * len(stem_ids) + second for first, second, _ in pairs], np.int64)
        order = np.argsort(codes)
        self._pair_codes = codes[order]  # (pair,) ascending
        self._pair_terms = np.array([term_id for *_, term_id in pairs], np.int64)[order]  # (pair,)
        self._stem_ids = Memo(
            lambda language: Memo(lambda word: stem_ids.get(content_stem(word, language), -1))
        )

    def meanings(self, documents: Sequence[Document], embedder: Embedder | None) -> Floats:
        """Vectors (document, size) of the meanings, apart from what all texts share.

        Without embedder they have size 0.
        """
        if embedder is None or not len(self.centre) or not documents:
            return np.zeros((len(documents), 0))
        vectors = embedder.embed(list(map(meaning_text, documents)))  # (document, size)
        is_readable = np.abs(vectors).sum(1) > 0  # (document,)
        return normalize_rows(np.where(is_readable[:, None], vectors - self.centre, 0))

    def vectors(self, documents: Sequence[Document]) -> list[SparseVector]:
        """TF-IDF vectors: half from the beginning, half from the whole; titles count twice."""
        stems: list[int] = []
        lengths: list[int] = []  # of title, head and rest of each document
        for document in documents:
            stem_id = self._stem_ids[document.language].__getitem__
            title, text = document.title.raw, document.text.raw[:TEXT_WORDS]
            stems += map(stem_id, title)
            stems += map(stem_id, text)
            head = min(len(text), HEAD_WORDS)
            lengths += (len(title), head, len(text) - head)
        count, size = len(documents), len(self.terms)
        document_ids = np.repeat(np.repeat(np.arange(count), 3), lengths)  # (word,)
        parts = np.repeat(np.tile(np.arange(3), count), lengths)  # (word,) 0 title, 1 head, 2 rest
        texts = document_ids * 2 + (parts > 0)  # (word,) titles and texts are apart
        terms, at = self._find_terms(np.array(stems, np.int64), texts)
        cells, inverse = np.unique(document_ids[at] * size + terms, return_inverse=True)
        rows, ids = np.divmod(cells, max(size, 1))  # (cell,) document and term
        titles = 2.0 * (parts[at] == 0)
        values = np.zeros(len(cells))
        for occurrences in (titles + (parts[at] > 0), titles + (parts[at] == 1)):
            counts = np.bincount(inverse, occurrences, len(cells)).astype(np.float64)
            values += scale_to_unit_length(rows, _dampen(counts) * self.rarity[ids], count)
        values = scale_to_unit_length(rows, values, count)
        bounds = np.searchsorted(rows, np.arange(count + 1)).tolist()
        return [SparseVector(ids[start:end], values[start:end]) for start, end in pairwise(bounds)]

    def _find_terms(self, stems: Ints, texts: Ints) -> tuple[Ints, Ints]:
        """The terms in a sequence of stems (word,), and their places in it.

        ``texts`` (word,) numbers the texts: a pair does not reach from one to the next.
        """
        singles = self._single_terms[stems]
        single_at = np.flatnonzero(singles >= 0)
        if not len(self._pair_codes):
            return singles[single_at], single_at
        is_pair = (stems[:-1] >= 0) & (stems[1:] >= 0) & (texts[:-1] == texts[1:])
        pair_at = np.flatnonzero(is_pair) + 1
        codes = stems[pair_at - 1] * self._stem_count + stems[pair_at]
        places = np.minimum(np.searchsorted(self._pair_codes, codes), len(self._pair_codes) - 1)
        is_term = self._pair_codes[places] == codes
        return (
            np.concatenate([singles[single_at], self._pair_terms[places[is_term]]]),
            np.concatenate([single_at, pair_at[is_term]]),
        )


def meaning_text(document: Document) -> str:
    """The title and lead, which an embedder reads."""
    title = document.title.text[:_MEANING_TITLE_CHARACTERS]
    return f"{title}. {document.text.text[:_MEANING_CHARACTERS]}"


def _dampen(counts: Floats) -> Floats:
    """1 + log(count): the second occurrence of a word says less than the first."""
    dampened: Floats = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    return dampened
