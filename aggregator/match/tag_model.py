"""What was learned from the clippings, and how an entry is scored with it.

Every (entry, tag) gets the numbers of `FEATURES`; a logistic regression makes one probability of
them. Words are weighed by TF-IDF (Salton and Buckley 1988) over the clippings and a sample of the
collected entries; what a tag's clippings say is compared with what all say, as in Rocchio's
classifier (1971), with each word scaled by its own spread.
"""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from itertools import islice, pairwise
from math import log, log1p
from operator import mul
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import StorageError
from aggregator.match.phrases import Mentions
from aggregator.match.tokens import Remembered, Words, telling

FEATURES = (
    "title",  # the name stands in the title: 0 or 1
    "lead",  # in the first fifty words of the text: 0 or 1
    "count",  # log(1 + how often in the text)
    "support",  # log odds that a clipping in which the name stands bears the tag
    "inflected",  # the name stands there in another form only: 0 or 1
    "rarity",  # -log of the share of collected entries in which the name stands
    "cover",  # share of the words of the name (by rarity) that the title has
    "company",  # nearness to the entries in which the name stands, against other tags
    "words",  # what the words say for the tag and against all others, against other tags
    "meaning",  # nearness in meaning to the tag's clippings, against other tags; 0 without embedder
    "prior",  # log of the share of the clippings that bear the tag, shrunk
)
# What the fit to many sets of tagged posts gave (benchmarks/matching prints it); each reader's
# clippings move it. The last is the constant term.
WEIGHTS = (-1.17, -0.27, 0.99, 0.13, 0.8, 0.16, 2.13, 0.37, 1.27, 0.0, 1.14, -0.21)
WITH_MEANING = (-1.06, -0.44, 1.13, 0.21, 0.73, 0.15, 1.67, 0.29, 0.8, 0.65, 1.24, -0.07)
NAMED = FEATURES[: FEATURES.index("company")]  # those that speak of the tag's name
HEAD_WORDS = 100  # about 600 characters
TEXT_WORDS = 700
MEANING_CHARACTERS, _TITLED = 500, 200
PHRASE_CHARACTERS = 20_000
_SPREAD_FLOOR = 0.02
_PRIOR_TAGGED, _PRIOR_CLIPPINGS = 1.5, 30  # a tag is on one clipping of twenty until they tell
_BATCH_PAIRS, _BATCH = 1 << 17, 256  # of entry and tag, and of entries, at a time
_FORMAT = 2

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """A clipping or an entry as matching reads it, and its ``language``, or nothing."""

    title: Words
    text: Words
    language: str


class Vector(NamedTuple):
    """A sparse vector of unit length, or none: ``ids`` are terms."""

    ids: Ints
    values: Floats


class Postings(NamedTuple):
    """A sparse matrix of terms x tags, by term: those of term t are at ``bounds[t:t+2]``."""

    bounds: Ints
    tags: Ints
    values: Floats

    @classmethod
    def of(cls, terms: Ints, tags: Ints, values: Floats, size: tuple[int, int]) -> "Postings":
        """From triples, in which a pair may come more than once: those are added up."""
        places, inverse = np.unique(terms * size[1] + tags, return_inverse=True)
        sums = np.bincount(inverse, values, len(places)).astype(np.float64)
        bounds = np.searchsorted(places, np.arange(size[0] + 1) * size[1])
        return cls(bounds, places % size[1], sums)

    def without_common(self, most: int) -> "Postings":
        """Without the terms that more than ``most`` tags have: they tell no tag from another."""
        lengths = np.diff(self.bounds)
        kept = lengths <= most
        bounds = np.concatenate(([0], np.cumsum(np.where(kept, lengths, 0))))
        held = np.repeat(kept, lengths)
        return Postings(bounds, self.tags[held], self.values[held])

    def times(self, rows: "Rows", values: Floats, tags: int) -> Floats:
        """The product (row, tag) of ``rows``, with these values in it."""
        starts = self.bounds[rows.ids]
        lengths = self.bounds[rows.ids + 1] - starts
        total, size = int(lengths.sum()), rows.count * tags
        at = np.arange(total) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        places = np.repeat(rows.numbers * tags, lengths) + self.tags[at]
        product = np.bincount(places, self.values[at] * np.repeat(values, lengths), size)
        return product.astype(np.float64).reshape(rows.count, tags)


class Rows:
    """Several vectors as one: for each value its term in ``ids`` and its row in ``numbers``."""

    def __init__(self, vectors: Sequence[Vector]) -> None:
        self.count = len(vectors)
        self.ids = np.concatenate([vector.ids for vector in vectors])
        self.values = np.concatenate([vector.values for vector in vectors])
        self.numbers = np.repeat(np.arange(self.count), [len(vector.ids) for vector in vectors])

    def times(self, values: Floats, by_term: Floats) -> Floats:
        """The product of each row, with these values in it, with one vector of all terms."""
        return np.bincount(self.numbers, values * by_term[self.ids], self.count).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Profile:
    """What some clippings say about the tags; arrays are by tag or by term.

    ``sums`` add up the vectors of each tag's clippings, ``taught`` counts them among ``clippings``.
    ``meaning`` is (tag, size) what they mean together, or of no size.
    ``mean`` is the mean vector of all, ``scale`` what a term is divided by, ``norms`` the lengths
    of the tags' weight vectors. ``stands`` counts the clippings in which the name stands, ``right``
    those of them that bear the tag.
    """

    sums: Postings
    taught: Floats
    clippings: int
    mean: Floats
    scale: Floats
    norms: Floats
    stands: Floats
    right: Floats
    meaning: Floats


class Embedder(Protocol):
    """What knows what texts mean."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """(text, size), each row as long as one, or nothing where a text could not be read."""
        ...


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
        company: Postings,
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
        self._numbers = Remembered(
            lambda language: Remembered(lambda word: self._stems.get(telling(word, language), -1))
        )

    def knowing(self, company: Postings, spread: Floats, centre: Floats) -> "Lexicon":
        """The same terms, with what else the entries say."""
        known = copy(self)
        known.company, known.spread, known.centre = company, spread, centre
        return known

    def meanings(self, documents: Sequence[Document], embedder: Embedder | None) -> Floats:
        """What documents mean (document, size), apart from what all of them do."""
        if embedder is None or not len(self.centre) or not documents:
            return np.zeros((len(documents), 0))
        held = embedder.embed(list(map(beginning, documents)))
        known = np.abs(held).sum(1) > 0
        return _as_long_as_one(np.where(known[:, None], held - self.centre, 0))

    def vectors(self, documents: Sequence[Document]) -> list[Vector]:
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
            values += _unit(rows, _damped(counts) * self.rarity[ids], len(documents))
        values = _unit(rows, values, len(documents))
        bounds = np.searchsorted(rows, np.arange(len(documents) + 1)).tolist()
        return [Vector(ids[start:end], values[start:end]) for start, end in pairwise(bounds)]

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


def beginning(document: Document) -> str:
    """What is read for its meaning: title and lead."""
    return f"{document.title.text[:_TITLED]}. {document.text.text[:MEANING_CHARACTERS]}"


def _as_long_as_one(rows: Floats) -> Floats:
    units: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return units


def _damped(counts: Floats) -> Floats:
    damped: Floats = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    return damped


def _unit(rows: Ints, values: Floats, count: int) -> Floats:
    """The rows of a sparse matrix made as long as one."""
    lengths = np.sqrt(np.bincount(rows, values * values, count))
    units: Floats = values / np.where(lengths > 0, lengths, 1)[rows]
    return units


class Names:
    """The words of the tags' names (tag, name), for the share of them that a title has."""

    def __init__(self, names: Sequence[tuple[int, Words]], lexicon: Lexicon) -> None:
        self._names = names
        self._lexicon = lexicon
        self._parts: dict[str, dict[str, list[tuple[int, int, float]]]] = {}
        self._rarest = float(lexicon.rarity.max()) if len(lexicon.rarity) else 1.0

    def _in(self, language: str) -> dict[str, list[tuple[int, int, float]]]:
        """By stem: the number of the name, its tag, and the stem's share of it."""
        if language not in self._parts:
            parts = self._parts[language] = {}
            for number, (tag, name) in enumerate(self._names):
                rarities = [(stem, self._rarity(stem)) for stem in name.stems(language)]
                whole = sum(rarity for _, rarity in rarities)
                for stem in dict(rarities):
                    share = sum(rarity for other, rarity in rarities if other == stem) / whole
                    parts.setdefault(stem, []).append((number, tag, share))
        return self._parts[language]

    def _rarity(self, stem: str) -> float:
        number = self._lexicon.terms.get(stem)
        return self._rarest if number is None else max(float(self._lexicon.rarity[number]), 0.1)

    def cover(self, title: Words, language: str) -> dict[int, float]:
        """By tag, how much of its name (or of the alias most of which stands there)."""
        shares: defaultdict[tuple[int, int], float] = defaultdict(float)
        parts = self._in(language)
        for stem in sorted(set(title.stems(language))):
            for number, tag, share in parts.get(stem, ()):
                shares[number, tag] += share
        covered: dict[int, float] = {}
        for (_, tag), share in shares.items():
            covered[tag] = max(covered.get(tag, 0.0), share)
        return covered


@dataclass(frozen=True, slots=True)
class Read:
    """A document as it is scored; ``tags`` are those that the reader gave it."""

    title: str
    vector: Vector
    mentions: Mapping[int, Mentions]
    cover: Mapping[int, float]
    meaning: Floats
    tags: frozenset[int] = frozenset()


def batches(items: Iterable[T], tags: int) -> Iterator[list[T]]:
    """As many at a time as are quick together and still fit into little memory."""
    size = min(max(_BATCH_PAIRS // max(tags, 1), 1), _BATCH)
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some


@dataclass(frozen=True, slots=True)
class Features:
    """The numbers of `FEATURES` for some documents and all tags; few are not nothing.

    ``named``, by document and tag, are those that speak of the tag's name. ``standing`` are by
    feature (document, tag), ``prior`` by tag.
    """

    named: list[dict[int, list[float]]]
    standing: dict[str, Floats]
    prior: Floats

    def of(self, document: int, tags: Ints) -> Floats:
        """All numbers (feature, tag) of one document and some tags."""
        found = np.zeros((len(FEATURES), len(tags)))
        named = self.named[document]
        for place, tag in enumerate(tags.tolist()):
            if tag in named:
                found[: len(NAMED), place] = named[tag]
        for feature, values in self.standing.items():
            found[FEATURES.index(feature)] = values[document, tags]
        found[FEATURES.index("prior")] = self.prior[tags]
        return found

    def odds(self, weights: Floats) -> Floats:
        """What is weighed, added up (document, tag): the logarithm of the odds.

        Added feature by feature, so that a score does not depend on what it is computed beside.
        """
        by_feature = dict(zip(FEATURES, weights.tolist(), strict=False))
        by_tag = self.prior * by_feature["prior"] + weights[-1]
        total: Floats = np.tile(by_tag, (len(self.named), 1))
        for feature, values in self.standing.items():
            total += values * by_feature[feature]
        of_names = [by_feature[feature] for feature in NAMED]
        for document, named in enumerate(self.named):
            for tag, numbers in named.items():
                total[document, tag] += sum(map(mul, numbers, of_names))
        return total


def features(read: Sequence[Read], lexicon: Lexicon, profile: Profile) -> Features:
    """What is known of documents, by tag."""
    tags = len(profile.taught)
    share = (profile.taught + _PRIOR_TAGGED) / (profile.clippings + _PRIOR_CLIPPINGS)
    if not read:
        return Features([], {}, np.log(share))
    rows = Rows([one.vector for one in read])
    by_spread = rows.values / profile.scale[rows.ids]
    company = lexicon.company.times(rows, rows.values, tags)
    said = profile.sums.times(rows, by_spread, tags)
    shared = rows.times(by_spread, profile.mean)[:, None]
    said -= profile.taught * shared
    said /= np.maximum(profile.norms, 1e-9)
    standing = {
        "company": _standing(company, np.ones(tags, bool)),
        "words": _standing(said, profile.taught > 0),
    }
    if profile.meaning.shape[1] and len(read[0].meaning):
        meanings = np.stack([one.meaning for one in read])
        near = np.zeros((len(read), tags))
        some = np.flatnonzero(profile.taught)
        near[:, some] = np.einsum("ns,ts->nt", meanings, profile.meaning[some])
        standing["meaning"] = _standing(near, profile.taught > 0)
    return Features([_named(one, lexicon, profile) for one in read], standing, np.log(share))


def _named(read: Read, lexicon: Lexicon, profile: Profile) -> dict[int, list[float]]:
    """The numbers of `NAMED`, of the tags whose names stand in a document, or in part."""
    named: dict[int, list[float]] = {}
    for tag in {*read.mentions, *read.cover}:
        mentions = read.mentions.get(tag) or Mentions()
        support = rarity = 0.0
        if mentions.exact:
            right, stands = profile.right[tag], profile.stands[tag]
            support = log((right + 1) / (stands - right + 1))
            rarity = -log(lexicon.spread[tag])
        named[tag] = [
            mentions.title, mentions.lead, log1p(mentions.count), support, mentions.inflected,
            rarity, read.cover.get(tag, 0.0),
        ]  # fmt: skip
    return named


def _standing(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """How far each tag's value stands out of those of all tags ``counted``, in every row.

    The values of the others are nothing, before and after.
    """
    count = int(counted.sum())
    if count < 2:
        return values / _SPREAD_FLOOR / 10
    middle = values.sum(1) / count
    square = (values * values).sum(1) / count  # row by row, each in the same order
    spread = np.sqrt(np.maximum(square - middle * middle, 0)) + _SPREAD_FLOOR
    values -= middle[:, None]
    values /= spread[:, None]
    if count < len(counted):
        values[:, ~counted] = 0
    return values


def chance(odds: Floats) -> Floats:
    """The logistic function."""
    chances: Floats = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return chances


@dataclass(frozen=True, slots=True)
class Lesson:
    """A clipping (or a confirmed entry) as it was learned from; ``tags`` are numbers."""

    title: str
    tags: tuple[int, ...]
    vector: Vector
    meaning: Floats


@dataclass(frozen=True, slots=True)
class Learned:
    """Everything that one vocabulary and its clippings teach. Made by `learning.Teacher`.

    ``weights`` are those of `FEATURES` and the constant; ``shifts`` are by tag what is added to
    the log odds that a threshold stands for; ``lessons`` are what it was all learned from.
    """

    lexicon: Lexicon
    profile: Profile
    weights: Floats
    shifts: Floats
    lessons: tuple[Lesson, ...]

    def to_bytes(self) -> bytes:
        """For the store. Nothing but arrays: reading it runs nothing."""
        arrays = {
            "format": np.array(_FORMAT),
            "terms": _bytes("\n".join(self.lexicon.terms)),
            "rarity": self.lexicon.rarity,
            "spread": self.lexicon.spread,
            "centre": self.lexicon.centre,
            "meanings": np.array([lesson.meaning for lesson in self.lessons]),
            "weights": self.weights,
            "shifts": self.shifts,
            "titles": _bytes(json.dumps([lesson.title for lesson in self.lessons])),
            **_rows("tags", [np.array(lesson.tags, np.int64) for lesson in self.lessons]),
            **_rows("ids", [lesson.vector.ids for lesson in self.lessons]),
            **_rows("values", [lesson.vector.values for lesson in self.lessons]),
        }
        for name, postings in (("sums", self.profile.sums), ("company", self.lexicon.company)):
            arrays |= {f"{name}_{part}": value for part, value in postings._asdict().items()}
        for part in fields(Profile):
            if part.name != "sums":
                arrays[part.name] = np.asarray(getattr(self.profile, part.name))
        held = io.BytesIO()
        np.savez(held, allow_pickle=False, **{name: _small(part) for name, part in arrays.items()})
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Learned":
        """Raises StorageError if it is damaged or of another version."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                held = {name: _whole(arrays[name]) for name in arrays}
            if int(held["format"]) != _FORMAT:
                raise ValueError("another format")
            terms = _text(held["terms"]).split("\n")
            titles = json.loads(_text(held["titles"]))
            postings = {
                name: Postings(*(held[f"{name}_{part}"] for part in Postings._fields))
                for name in ("sums", "company")
            }
            profile: dict[str, Any] = {
                part.name: held[part.name] for part in fields(Profile) if part.name != "sums"
            }
            return cls(
                lexicon=Lexicon(
                    {term: number for number, term in enumerate(terms) if term},
                    held["rarity"], postings["company"], held["spread"], held["centre"],
                ),
                profile=Profile(
                    sums=postings["sums"],
                    **(profile | {"clippings": int(profile["clippings"])}),
                ),
                weights=held["weights"],
                shifts=held["shifts"],
                lessons=tuple(
                    Lesson(title, tuple(tags.tolist()), Vector(ids, values), meaning)
                    for title, tags, ids, values, meaning in zip(
                        titles, *(_cut(held, name) for name in ("tags", "ids", "values")),
                        held["meanings"], strict=True,
                    )
                ),
            )  # fmt: skip
        except Exception as error:  # damaged bytes lead zipfile and numpy into errors of every kind
            todo = '"aggregator restore FILE" brings a backup of the database back'
            raise StorageError(f"what was learned cannot be read ({error}): {todo}") from error


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


def _text(part: NDArray[Any]) -> str:
    return part.astype(np.uint8).tobytes().decode()


def _rows(name: str, rows: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Rows of several lengths as one array, with their bounds."""
    joined = np.concatenate(rows) if rows else np.zeros(0)
    return {name: joined, f"{name}_bounds": np.cumsum([0, *map(len, rows)])}


def _cut(held: Mapping[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    bounds = held[f"{name}_bounds"].tolist()
    return [held[name][start:end] for start, end in pairwise(bounds)]


def _small(part: NDArray[Any]) -> NDArray[Any]:
    """Half the size, and enough: scores are told to four digits."""
    kinds: dict[str, type] = {"f": np.float32, "i": np.int32}
    return part.astype(kinds[part.dtype.kind]) if part.dtype.kind in kinds else part


def _whole(part: NDArray[Any]) -> NDArray[Any]:
    kinds: dict[str, type] = {"f": np.float64, "i": np.int64}
    return part.astype(kinds[part.dtype.kind]) if part.dtype.kind in kinds else part
