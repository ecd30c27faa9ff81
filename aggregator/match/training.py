"""How a reader's clippings become a `Learned` model: word by word, and weighed by held-out clippings.

Nothing is drawn at random: the same vocabulary, clippings and sample of entries teach the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aggregator.match.analysis import Read, Reader, reader_for
from aggregator.match.fitting import weigh
from aggregator.match.phrases import Phrases
from aggregator.match.sparse import Floats
from aggregator.match.tag_model import Learned, Lesson
from aggregator.match.tag_statistics import profile_of
from aggregator.match.term_statistics import lexicon_of
from aggregator.match.text_vectors import Document, Embedder, document_of
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import Clipping, Decision, Entry


@dataclass(frozen=True, slots=True)
class Tagged:
    """A document with the tags (by number) that the reader gave it."""

    document: Document
    tags: frozenset[int]


class Teacher:
    """Makes a `Learned` of lessons, with all of them or with some left out.

    ``lessons`` are in the order of time, or any that lasts: neighbours are held out together.
    ``entries`` are those collected, or some: they tell how common words and names are.
    ``rejected`` have the tags that they do not bear.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        lessons: Sequence[Tagged],
        entries: Sequence[Document],
        rejected: Sequence[Tagged] = (),
        embedder: Embedder | None = None,
    ) -> None:
        self._tags = len(vocabulary.tags)
        phrases = Phrases(vocabulary.names, vocabulary.excluded_phrases)
        self._lexicon = lexicon_of(
            vocabulary, phrases, [lesson.document for lesson in lessons], entries, embedder
        )
        reader = reader_for(vocabulary, phrases, self._lexicon, embedder)
        self._read = _read(reader, lessons)
        self._rejected = _read(reader, rejected)

    def learned(self) -> Learned:
        """What all lessons teach."""
        return self._of(self._read, self.weigh(range(0)))

    def weigh(self, left_out: range) -> tuple[Floats, Floats]:
        """The weights of `FEATURES`, near to `WEIGHTS` where lessons are few, and the shifts."""
        return weigh(self._without(left_out), self._rejected, self._lexicon, self._tags)

    def without(self, left_out: range, weighed: tuple[Floats, Floats]) -> Learned:
        """What the lessons teach but for those ``left_out``."""
        return self._of(self._without(left_out), weighed)

    def _without(self, left_out: range) -> list["Read"]:
        return [*self._read[: left_out.start], *self._read[left_out.stop :]]

    def _of(self, read: Sequence["Read"], weighed: tuple[Floats, Floats]) -> Learned:
        profile = profile_of(read, self._tags, len(self._lexicon.terms))
        lessons = (
            Lesson(one.title, tuple(sorted(one.tags)), one.vector, one.meaning) for one in read
        )
        return Learned(self._lexicon, profile, *weighed, tuple(lessons))


def teacher_of(
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    entries: Iterable[Entry],
    decisions: Sequence[Decision] = (),
    embedder: Embedder | None = None,
) -> Teacher:
    """What makes a `Learned` of the reader's clippings, and of the entries that were confirmed."""
    numbers = vocabulary.numbers
    known = [decision for decision in decisions if vocabulary.key(decision.tag)]
    lessons = [
        Tagged(
            document_of(clipping.title, clipping.excerpt, None),
            frozenset(numbers[key] for key in map(vocabulary.key, clipping.tags) if key),
        )
        for clipping in taught(clippings, known)
    ]
    documents = [document_of(entry.title, entry.text, entry.language) for entry in entries]
    rejected = [
        Tagged(
            document_of(decision.entry.title, decision.entry.text, decision.entry.language),
            frozenset({numbers[key]}),
        )
        for decision in decisions
        if not decision.confirmed and (key := vocabulary.key(decision.tag))
    ]
    return Teacher(vocabulary, lessons, documents, rejected, embedder)


def taught(clippings: Iterable[Clipping], decisions: Iterable[Decision] = ()) -> list[Clipping]:
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


def _read(reader: Reader, lessons: Sequence[Tagged]) -> list[Read]:
    read = reader.read([lesson.document for lesson in lessons])
    return [replace(one, tags=lesson.tags) for one, lesson in zip(read, lessons, strict=True)]
