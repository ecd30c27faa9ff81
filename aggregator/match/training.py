"""How a reader's clippings become a `Learned` model: word by word, and weighed by held-out clippings.

Nothing is drawn at random: the same vocabulary, clippings and sample of entries teach the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import log

import numpy as np

from aggregator.match.boilerplate import without_closing
from aggregator.match.phrases import Phrases
from aggregator.match.tag_model import (
    PHRASE_CHARACTERS,
    TEXT_WORDS,
    WEIGHTS,
    WITH_MEANING,
    Document,
    Embedder,
    Floats,
    Ints,
    Learned,
    Lesson,
    Lexicon,
    Names,
    Postings,
    Profile,
    Read,
    Vector,
    batches,
    beginning,
    chance,
    features,
)
from aggregator.match.tokens import (
    TELLING_WORDS,
    Remembered,
    guess_language,
    known_language,
    read_words,
    telling,
)
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import Clipping, Decision, Entry

FOLDS = 10
_COMMON = 0.5  # a word on more of the documents than this tells nothing
_COMMON_MATTERS = 10  # from so many documents on
_MOST_TAGS = 256  # that may share a word, beyond which it is not worth its time
_SEEN = 3  # entries in which a word must be that is in no clipping
_COMPANY = 60  # words that go with a name
_STIFFNESS = 100.0  # pairs that it takes to move a weight by one, about
_TAG_STIFFNESS = 8.0
_CENTRE = 256  # clippings, and as many entries, that tell what all texts mean
_SPREAD_ENTRIES = 50  # of which one has the name, until the entries tell
_MOST_PAIRS = 400_000  # of clipping and tag, to weigh from
_HELD_OUT_ONCE = 2000  # clippings from which on one part is held out, instead of each in turn
_telling = Remembered(lambda language: Remembered(partial(telling, language=language)))
_NO_SPREAD = 1.0  # of a word's weights, added so that a word of one clipping is not all


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
        self._lexicon = _lexicon(vocabulary, phrases, lessons, entries, embedder)
        reader = reader_for(vocabulary, phrases, self._lexicon, embedder)
        self._read = _read(reader, lessons)
        self._rejected = _read(reader, rejected)

    def learned(self) -> Learned:
        """What all lessons teach."""
        return self._of(self._read, self.weigh(range(0)))

    def weigh(self, left_out: range) -> tuple[Floats, Floats]:
        """The weights of `FEATURES`, near to `WEIGHTS` where lessons are few, and the shifts."""
        return _weigh(self._without(left_out), self._rejected, self._lexicon, self._tags)

    def without(self, left_out: range, weighed: tuple[Floats, Floats]) -> Learned:
        """What the lessons teach but for those ``left_out``."""
        return self._of(self._without(left_out), weighed)

    def _without(self, left_out: range) -> list["Read"]:
        return [*self._read[: left_out.start], *self._read[left_out.stop :]]

    def _of(self, read: Sequence["Read"], weighed: tuple[Floats, Floats]) -> Learned:
        profile = _profile(read, self._tags, len(self._lexicon.terms))
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


def document_of(title: str, text: str, declared: str | None) -> Document:
    """Read what there is to match, of a long text its first 20,000 characters."""
    title_words = read_words(title)
    text_words = read_words(without_closing(text[:PHRASE_CHARACTERS]))
    language = guess_language([*title_words.raw, *text_words.raw[:TELLING_WORDS]], declared)
    return Document(title_words, text_words, known_language(language))


class Reader:
    """Makes of documents what is scored."""

    def __init__(
        self,
        phrases: Phrases,
        numbers: Mapping[str, int],
        lexicon: Lexicon,
        names: Names,
        embedder: Embedder | None,
    ) -> None:
        self._phrases, self._numbers = phrases, numbers
        self._lexicon, self._names, self._embedder = lexicon, names, embedder

    def read(self, documents: Sequence[Document]) -> list[Read]:
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
            found.append(Read(document.title.text, vector, mentions, cover, meaning))
        return found


def reader_for(
    vocabulary: Vocabulary, phrases: Phrases, lexicon: Lexicon, embedder: Embedder | None = None
) -> Reader:
    """What reads for a vocabulary."""
    numbers = vocabulary.numbers
    names = Names([(numbers[key], words) for key, words in phrases.names()], lexicon)
    return Reader(phrases, numbers, lexicon, names, embedder)


def _lexicon(
    vocabulary: Vocabulary,
    phrases: Phrases,
    lessons: Sequence[Tagged],
    entries: Sequence[Document],
    embedder: Embedder | None,
) -> Lexicon:
    size = len(vocabulary.tags)
    seen: Counter[str] = Counter()
    of_lessons: set[str] = set()
    for lesson in lessons:
        held = _distinct(lesson.document)
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
        and (count >= _SEEN or (term in of_lessons and (count > 1 or " " not in term)))
    )
    terms = {term: number for number, term in enumerate(kept)}
    rarity = np.array([log((documents + 1) / (seen[term] + 0.5)) for term in kept])
    nothing = Postings.of(_ints(()), _ints(()), np.zeros(0), (len(kept), size))
    bare = Lexicon(terms, rarity, nothing, np.full(size, 1 / _SPREAD_ENTRIES), np.zeros(0))
    reader = reader_for(vocabulary, phrases, bare)
    read = reader.read(entries)
    spread = np.ones(size)
    for one in read:
        for tag, mentions in one.mentions.items():
            spread[tag] += mentions.exact
    spread /= len(entries) + _SPREAD_ENTRIES
    centre = np.zeros(0)
    if embedder:
        some = [*(lesson.document for lesson in lessons[:_CENTRE]), *entries[:_CENTRE]]
        centre = embedder.embed(list(map(beginning, some))).mean(0) if some else centre
    return bare.knowing(_company(read, len(kept), size), spread, centre)


def _distinct(document: Document) -> set[str]:
    """The stems and pairs of neighbours that tell something."""
    tells = _telling[document.language].__getitem__
    terms: set[str] = set()
    for words in (document.title.raw, document.text.raw[:TEXT_WORDS]):
        stems = list(map(tells, words))
        terms.update(stems)
        terms.update([f"{one} {other}" for one, other in pairwise(stems) if one and other])
    return terms - {""}


def _read(reader: Reader, lessons: Sequence[Tagged]) -> list[Read]:
    read = reader.read([lesson.document for lesson in lessons])
    return [replace(one, tags=lesson.tags) for one, lesson in zip(read, lessons, strict=True)]


def _company(read: Sequence[Read], terms: int, tags: int) -> Postings:
    """The words of the entries in which a tag's name stands, less those of all (Rocchio 1971)."""
    mean = _mean([one.vector for one in read], terms)
    whose: dict[int, list[tuple[Vector, float]]] = {}
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
    return _postings(found, (terms, tags)).without_common(_MOST_TAGS)


def _mean(vectors: Sequence[Vector], terms: int) -> Floats:
    if not vectors:
        return np.zeros(terms)
    ids = np.concatenate([vector.ids for vector in vectors])
    values = np.concatenate([vector.values for vector in vectors])
    mean: Floats = np.bincount(ids, weights=values, minlength=terms) / len(vectors)
    return mean


def _postings(triples: Sequence[tuple[Ints, Ints, Floats]], size: tuple[int, int]) -> Postings:
    if not triples:
        return Postings.of(_ints(()), _ints(()), np.zeros(0), size)
    terms, tags, values = (np.concatenate(part) for part in zip(*triples, strict=True))
    return Postings.of(terms, tags, values, size)


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)


def _profile(read: Sequence[Read], tags: int, terms: int) -> Profile:
    triples = [
        (one.vector.ids, np.full(len(one.vector.ids), tag), one.vector.values)
        for one in read
        for tag in sorted(one.tags)
    ]
    sums = _postings(triples, (terms, tags)).without_common(_MOST_TAGS)
    taught, stands, right = np.zeros(tags), np.zeros(tags), np.zeros(tags)
    squares = np.full(terms, _NO_SPREAD)
    for one in read:
        squares[one.vector.ids] += one.vector.values**2
        for tag in one.tags:
            taught[tag] += len(one.vector.ids) > 0
        for tag, mentions in one.mentions.items():
            if mentions.exact:
                stands[tag] += 1
                right[tag] += tag in one.tags
    mean = _mean([one.vector for one in read], terms)
    if tags > _MOST_TAGS:  # of what was left out there, nothing is to be taken away either
        mean[np.diff(sums.bounds) == 0] = 0
    # |S/scale - taught * mean/scale| by tag, without making that matrix, which is not sparse.
    by_term = np.repeat(np.arange(terms), np.diff(sums.bounds))
    scaled, common = sums.values / squares[by_term], mean / squares
    own = np.bincount(sums.tags, weights=scaled**2, minlength=tags)
    shared = np.bincount(sums.tags, weights=scaled * common[by_term], minlength=tags)
    norms = np.sqrt(np.maximum(own - 2 * taught * shared + taught**2 * (common @ common), 0))
    together = np.zeros((tags, len(read[0].meaning) if read else 0))
    for one in read:
        together[sorted(one.tags)] += one.meaning
    together /= np.maximum(np.linalg.norm(together, axis=1, keepdims=True), 1e-9)
    return Profile(sums, taught, len(read), mean, squares, norms, stands, right, together)


def held_out(count: int, most: int) -> Iterator[tuple[range, range]]:
    """Which of ``count`` clippings are scored, each time with those beside them left out.

    Neighbours in time are of one story: they are left out together, as tomorrow's are unknown.
    """
    if count > _HELD_OUT_ONCE:
        scored = max(min(most, count // FOLDS), 1)
        yield range(count - scored, count), range(count - scored, count)
        return
    folds = min(FOLDS, count) if count > FOLDS * 2 else count
    step = max(count // most, 1)
    for fold in range(folds):
        left_out = range(count * fold // folds, count * (fold + 1) // folds)
        yield left_out, left_out[::step]


def _weigh(
    read: Sequence[Read], rejected: Sequence[Read], lexicon: Lexicon, tags: int
) -> tuple[Floats, Floats]:
    prior = np.array(WITH_MEANING if len(lexicon.centre) else WEIGHTS)
    most = max(_MOST_PAIRS // max(tags, 1), 1)
    rows: list[Floats] = []
    right: list[Floats] = []
    whose: list[Ints] = []
    for left_out, scored in held_out(len(read), most):
        rest = [*read[: left_out.start], *read[left_out.stop :]]
        profile = _profile(rest, tags, len(lexicon.terms))
        taught = np.flatnonzero(profile.taught)
        for some in batches([read[number] for number in scored], tags):
            found = features(some, lexicon, profile)
            rows += [found.of(number, taught) for number in range(len(some))]
            right += [np.isin(taught, list(one.tags)).astype(float) for one in some]
            whose += [taught] * len(some)
    whole = _profile(read if rejected else (), tags, len(lexicon.terms))
    for one in rejected:
        refused = _ints(sorted(one.tags))
        rows.append(features([one], lexicon, whole).of(0, refused))
        right.append(np.zeros(len(refused)))
        whose.append(refused)
    if not rows:
        return prior, np.zeros(tags)
    x, y, tag = np.concatenate(rows, 1), np.concatenate(right), np.concatenate(whose)
    weights = fit(x, y, prior, _STIFFNESS)
    missed = y - (p := chance(weights[:-1] @ x + weights[-1]))
    sums = np.bincount(tag, weights=missed, minlength=tags)
    certain = np.bincount(tag, weights=p * (1 - p), minlength=tags)
    return weights, sums / (certain + _TAG_STIFFNESS)


def fit(
    rows: Floats, right: Floats, prior: Floats, stiffness: float, by: Floats | None = None
) -> Floats:
    """Logistic regression drawn to ``prior`` instead of to nothing, by Newton's method.

    ``rows`` are by feature first; ``by`` weighs the pairs.
    """
    x = np.column_stack([*rows, np.ones(len(right))])
    weigh = np.ones(len(right)) if by is None else by
    weights = prior.copy()
    for _ in range(50):
        p = chance(x @ weights)
        slope = x.T @ (weigh * (p - right)) + stiffness * (weights - prior)
        curve = (x * (weigh * p * (1 - p))[:, None]).T @ x + stiffness * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights.round(6)
