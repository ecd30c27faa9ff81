"""What a text says as numbers: TF-IDF vectors of its words, and vectors of its meaning."""

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
    unit_rows,
    unit_rows_dense,
)
from aggregator.match.tokens import (
    LANGUAGE_SAMPLE_WORDS,
    Memo,
    Words,
    content_stem,
    guess_language,
    known_language,
    read_words,
)

HEAD_WORDS = 100  # about 600 characters
TEXT_WORDS = 700
MEANING_CHARACTERS, _TITLED = 500, 200
PHRASE_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """A clipping or an entry as matching reads it, and its ``language``, or nothing."""

    title: Words
    text: Words
    language: str


class Embedder(Protocol):
    """What knows what texts mean."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """(text, size), each row as long as one, or nothing where a text could not be read."""
        ...


def read_document(title: str, text: str, declared: str | None) -> Document:
    """Read what there is to match, of a long text its first 20,000 characters."""
    title_words = read_words(title)
    text_words = read_words(strip_feed_footer(text[:PHRASE_CHARACTERS]))
    language = guess_language([*title_words.raw, *text_words.raw[:LANGUAGE_SAMPLE_WORDS]], declared)
    return Document(title_words, text_words, known_language(language))


class Lexicon:
    """The terms that count, and what the collected entries say of them and of the tags.

    A term is a stem, or a pair of neighbours. ``rarity`` is the inverse document frequency of
    each term; ``company`` are the words that go with each tag's name; ``spread`` is the share of
    the entries in which the name stands. ``centre`` is the mean of the meanings of some clippings and entries, or empty.
    """

    def __init__(
        self,
        terms: Mapping[str, int],
        rarity: Floats,
        company: TermTagMatrix,
        spread: Floats,
        centre: Floats,
    ) -> None:
        self.terms, self.rarity = terms, rarity
        self.company, self.spread, self.centre = company, spread, centre
        self._stems: dict[str, int] = {}  # those in terms, numbered anew
        pairs: list[tuple[int, int, int]] = []
        singles: dict[int, int] = {}
        for term, number in terms.items():
            one, _, other = term.partition(" ")
            places = [
                self._stems.setdefault(stem, len(self._stems)) for stem in (one, other) if stem
            ]
            if other:
                pairs.append((places[0], places[1], number))
            else:
                singles[places[0]] = number
        # One more, so that -1 leads to nothing.
        self._single = np.full(len(self._stems) + 1, -1)
        self._single[list(singles)] = list(singles.values())
        codes = np.array([one * len(self._stems) + other for one, other, _ in pairs], np.int64)
        order = np.argsort(codes)
        self._pair_codes = codes[order]
        self._pairs = np.array([number for *_, number in pairs], np.int64)[order]
        self._numbers = Memo(
            lambda language: Memo(lambda word: self._stems.get(content_stem(word, language), -1))
        )

    def meanings(self, documents: Sequence[Document], embedder: Embedder | None) -> Floats:
        """What documents mean (document, size), apart from what all of them do."""
        if embedder is None or not len(self.centre) or not documents:
            return np.zeros((len(documents), 0))
        held = embedder.embed(list(map(meaning_text, documents)))
        known = np.abs(held).sum(1) > 0
        return unit_rows_dense(np.where(known[:, None], held - self.centre, 0))

    def vectors(self, documents: Sequence[Document]) -> list[SparseVector]:
        """The words of documents: half the beginning, half the whole; the title counts twice."""
        stems: list[int] = []
        lengths: list[int] = []  # of title, beginning and rest
        for document in documents:
            number = self._numbers[document.language].__getitem__
            title, text = document.title, document.text
            titled, length = len(title.raw), min(len(text.raw), TEXT_WORDS)
            head = min(length, HEAD_WORDS)
            stems += map(number, title.raw)
            stems += map(number, text.raw[:length])
            lengths += (titled, head, length - head)
        every = np.arange(len(documents))
        document_numbers = np.repeat(np.repeat(every, 3), lengths)
        kinds = np.repeat(np.tile(np.arange(3), len(documents)), lengths)
        terms, at = self._terms_of(np.array(stems, np.int64), document_numbers * 2 + (kinds > 0))
        size = len(self.terms)
        places, inverse = np.unique(document_numbers[at] * size + terms, return_inverse=True)
        of_title = 2.0 * (kinds[at] == 0)
        rows, ids = np.divmod(places, max(size, 1))
        values = np.zeros(len(places))
        for counted in (of_title + (kinds[at] > 0), of_title + (kinds[at] == 1)):
            counts = np.bincount(inverse, counted, len(places)).astype(np.float64)
            values += unit_rows(rows, _damped(counts) * self.rarity[ids], len(documents))
        values = unit_rows(rows, values, len(documents))
        bounds = np.searchsorted(rows, np.arange(len(documents) + 1)).tolist()
        return [SparseVector(ids[start:end], values[start:end]) for start, end in pairwise(bounds)]

    def _terms_of(self, stems: Ints, texts: Ints) -> tuple[Ints, Ints]:
        """The terms in a sequence of stems, and where; pairs do not reach from text to text."""
        singles = self._single[stems]
        single_at = np.flatnonzero(singles >= 0)
        together = (stems[:-1] >= 0) & (stems[1:] >= 0) & (texts[:-1] == texts[1:])
        pair_at = np.flatnonzero(together) + 1
        codes = stems[pair_at - 1] * len(self._stems) + stems[pair_at]
        if not len(self._pair_codes):
            return singles[single_at], single_at
        found = np.minimum(np.searchsorted(self._pair_codes, codes), len(self._pair_codes) - 1)
        known = self._pair_codes[found] == codes
        return (
            np.concatenate([singles[single_at], self._pairs[found[known]]]),
            np.concatenate([single_at, pair_at[known]]),
        )


def meaning_text(document: Document) -> str:
    """What is read for its meaning: title and lead."""
    return f"{document.title.text[:_TITLED]}. {document.text.text[:MEANING_CHARACTERS]}"


def _damped(counts: Floats) -> Floats:
    damped: Floats = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    return damped
