"""How a reader's clippings become a `TagModel` model: word by word, and weighed by held-out clippings.

Nothing is drawn at random: the same vocabulary, clippings and sample of entries teach the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aggregator.match.analysis import AnalyzedDocument, Analyzer, make_analyzer
from aggregator.match.fitting import fit_weights
from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import Floats
from aggregator.match.tag_model import TagModel, TrainingExample
from aggregator.match.tag_statistics import compute_statistics
from aggregator.match.term_statistics import build_lexicon
from aggregator.match.text_vectors import Document, Embedder, read_document
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import Clipping, Decision, Entry


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """A document with the tags (by number) that the reader gave it."""

    document: Document
    tags: frozenset[int]


class Trainer:
    """Makes a `TagModel` of lessons, with all of them or with some left out.

    ``lessons`` are in the order of time, or any that lasts: neighbours are held out together.
    ``entries`` are those collected, or some: they tell how common words and names are.
    ``rejected`` have the tags that they do not bear.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        lessons: Sequence[LabelledDocument],
        entries: Sequence[Document],
        rejected: Sequence[LabelledDocument] = (),
        embedder: Embedder | None = None,
    ) -> None:
        self._tags = len(vocabulary.tags)
        phrases = PhraseIndex(vocabulary.names, vocabulary.excluded_phrases)
        self._lexicon = build_lexicon(
            vocabulary, phrases, [lesson.document for lesson in lessons], entries, embedder
        )
        reader = make_analyzer(vocabulary, phrases, self._lexicon, embedder)
        self._read = _read(reader, lessons)
        self._rejected = _read(reader, rejected)

    def train(self) -> TagModel:
        """What all lessons teach."""
        return self._of(self._read, self.fit_weights(range(0)))

    def fit_weights(self, left_out: range) -> tuple[Floats, Floats]:
        """The weights of `FEATURES`, near to `DEFAULT_WEIGHTS` where lessons are few, and the shifts."""
        return fit_weights(self._without(left_out), self._rejected, self._lexicon, self._tags)

    def without(self, left_out: range, weighed: tuple[Floats, Floats]) -> TagModel:
        """What the lessons teach but for those ``left_out``."""
        return self._of(self._without(left_out), weighed)

    def _without(self, left_out: range) -> list["AnalyzedDocument"]:
        return [*self._read[: left_out.start], *self._read[left_out.stop :]]

    def _of(self, read: Sequence["AnalyzedDocument"], weighed: tuple[Floats, Floats]) -> TagModel:
        profile = compute_statistics(read, self._tags, len(self._lexicon.terms))
        lessons = (
            TrainingExample(one.title, tuple(sorted(one.tags)), one.vector, one.meaning)
            for one in read
        )
        return TagModel(self._lexicon, profile, *weighed, tuple(lessons))


def make_trainer(
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    entries: Iterable[Entry],
    decisions: Sequence[Decision] = (),
    embedder: Embedder | None = None,
) -> Trainer:
    """What makes a `TagModel` of the reader's clippings, and of the entries that were confirmed."""
    numbers = vocabulary.numbers
    known = [decision for decision in decisions if vocabulary.key(decision.tag)]
    lessons = [
        LabelledDocument(
            read_document(clipping.title, clipping.excerpt, None),
            frozenset(numbers[key] for key in map(vocabulary.key, clipping.tags) if key),
        )
        for clipping in training_clippings(clippings, known)
    ]
    documents = [read_document(entry.title, entry.text, entry.language) for entry in entries]
    rejected = [
        LabelledDocument(
            read_document(decision.entry.title, decision.entry.text, decision.entry.language),
            frozenset({numbers[key]}),
        )
        for decision in decisions
        if not decision.confirmed and (key := vocabulary.key(decision.tag))
    ]
    return Trainer(vocabulary, lessons, documents, rejected, embedder)


def training_clippings(
    clippings: Iterable[Clipping], decisions: Iterable[Decision] = ()
) -> list[Clipping]:
    """The clippings to learn from: one without tags says nothing, not even no.

    An entry that was confirmed is as good as one that was clipped.
    """
    confirmed: dict[int, Clipping] = {}
    for decision in decisions:
        if decision.confirmed:
            entry = decision.entry
            tags = (*getattr(confirmed.get(decision.row), "tags", ()), decision.tag)
            confirmed[decision.row] = Clipping(entry.title, None, entry.text, tags)
    return [*(clipping for clipping in clippings if clipping.tags), *confirmed.values()]


def _read(reader: Analyzer, lessons: Sequence[LabelledDocument]) -> list[AnalyzedDocument]:
    read = reader.read([lesson.document for lesson in lessons])
    return [replace(one, tags=lesson.tags) for one, lesson in zip(read, lessons, strict=True)]
