"""Documents as they are scored: with their vectors and the tag names found in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from aggregator.match.name_overlap import TagNameIndex
from aggregator.match.phrases import Mentions, PhraseIndex
from aggregator.match.sparse import Floats, SparseVector
from aggregator.match.text_vectors import Document, Embedder, Lexicon
from aggregator.match.vocabulary import Vocabulary

# Limits of one batch: fast together, and still small in memory.
_BATCH_PAIRS, _BATCH_SIZE = 1 << 17, 256  # pairs of document and tag, documents
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnalyzedDocument:
    """A document with everything that its features are computed from, by tag index."""

    document: Document
    vector: SparseVector
    mentions: Mapping[int, Mentions]
    title_overlap: Mapping[int, float]
    meaning: Floats  # (size,)


class Analyzer:
    """Analyzes documents with one vocabulary and lexicon."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        phrases: PhraseIndex,
        lexicon: Lexicon,
        embedder: Embedder | None = None,
    ) -> None:
        self._tags = vocabulary.tag_indices
        self._phrases, self._lexicon, self._embedder = phrases, lexicon, embedder
        names = [(self._tags[key], words) for key, words in phrases.names()]
        self._names = TagNameIndex(names, lexicon)

    def analyze(self, documents: Sequence[Document]) -> list[AnalyzedDocument]:
        """Compute vectors, mentions of tags, and the overlap of titles with tag names."""
        vectors = (
            vector for batch in batches(documents, 1) for vector in self._lexicon.vectors(batch)
        )
        meanings = self._lexicon.meanings(documents, self._embedder)
        return [
            AnalyzedDocument(
                document,
                vector,
                self._mentions(document),
                self._names.title_overlap(document.title, document.language),
                meaning,
            )
            for document, vector, meaning in zip(documents, vectors, meanings, strict=True)
        ]

    def _mentions(self, document: Document) -> dict[int, Mentions]:
        by_key = self._phrases.mentions(document.title, document.text, document.language)
        return {self._tags[key]: mentions for key, mentions in by_key.items()}


def batches(items: Iterable[T], tag_count: int) -> Iterator[list[T]]:
    """Split into lists, shorter ones if there are many tags."""
    size = min(max(_BATCH_PAIRS // max(tag_count, 1), 1), _BATCH_SIZE)
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
