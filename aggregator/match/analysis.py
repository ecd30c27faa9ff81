"""Documents as they are scored: their vectors, and the tag names in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from aggregator.match.name_overlap import TagNameIndex
from aggregator.match.phrases import Mentions, PhraseIndex
from aggregator.match.sparse import Floats, SparseVector
from aggregator.match.text_vectors import Document, Embedder, Lexicon
from aggregator.match.vocabulary import Vocabulary

_BATCH_PAIRS, _BATCH = 1 << 17, 256  # of entry and tag, and of entries, at a time
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AnalyzedDocument:
    """A document as it is scored; ``tags`` are those that the reader gave it."""

    title: str
    vector: SparseVector
    mentions: Mapping[int, Mentions]
    cover: Mapping[int, float]
    meaning: Floats
    tags: frozenset[int] = frozenset()


class Analyzer:
    """Makes of documents what is scored."""

    def __init__(
        self,
        phrases: PhraseIndex,
        numbers: Mapping[str, int],
        lexicon: Lexicon,
        names: TagNameIndex,
        embedder: Embedder | None,
    ) -> None:
        self._phrases, self._numbers = phrases, numbers
        self._lexicon, self._names, self._embedder = lexicon, names, embedder

    def read(self, documents: Sequence[Document]) -> list[AnalyzedDocument]:
        """Their words, the names in them, and how much of each name their titles have."""
        vectors = [
            vector for some in batches(documents, 1) for vector in self._lexicon.vectors(some)
        ]
        found = []
        meanings = self._lexicon.meanings(documents, self._embedder)
        for document, vector, meaning in zip(documents, vectors, meanings, strict=True):
            named = self._phrases.mentions(document.title, document.text, document.language)
            mentions = {self._numbers[key]: mention for key, mention in named.items()}
            cover = self._names.cover(document.title, document.language)
            found.append(AnalyzedDocument(document.title.text, vector, mentions, cover, meaning))
        return found


def make_analyzer(
    vocabulary: Vocabulary, phrases: PhraseIndex, lexicon: Lexicon, embedder: Embedder | None = None
) -> Analyzer:
    """What reads for a vocabulary."""
    numbers = vocabulary.numbers
    names = TagNameIndex([(numbers[key], words) for key, words in phrases.names()], lexicon)
    return Analyzer(phrases, numbers, lexicon, names, embedder)


def batches(items: Iterable[T], tags: int) -> Iterator[list[T]]:
    """As many at a time as are quick together and still fit into little memory."""
    size = min(max(_BATCH_PAIRS // max(tags, 1), 1), _BATCH)
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some
