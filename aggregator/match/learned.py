"""What was learned from the clippings, and how an entry is scored with it.

Every (entry, tag) gets the numbers of `FEATURES`; a logistic regression makes one probability of
them. Words are weighed by TF-IDF (Salton and Buckley 1988) over the clippings and a sample of the
collected entries; what a tag's clippings say is compared with what all say, as in Rocchio's
classifier (1971), with each word scaled by its own spread.
"""

import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import StorageError
from aggregator.match.phrases import Mentions
from aggregator.match.words import Words, read_words, tokens

FEATURES = (
    "title",  # the name stands in the title: 0 or 1
    "lead",  # in the first 300 characters of the text: 0 or 1
    "count",  # log(1 + how often in the text)
    "support",  # log odds that a clipping in which the name stands bears the tag
    "inflected",  # the name stands there in another form only: 0 or 1
    "excess",  # log of how much rarer the tag is than its name, at most 0
    "rarity",  # -log of the share of collected entries in which the name stands
    "cover",  # share of the words of the name (by rarity) that the title has
    "lift",  # log of nearness to the tag's clippings over nearness to all
    "company",  # nearness to the entries in which the name stands, against other tags
    "words",  # what the words say for the tag and against all others, against other tags
    "prior",  # log of the share of the clippings that bear the tag, shrunk
)
# What the fit to many sets of tagged posts gave (benchmarks/matching prints it); each reader's
# clippings move it. The last is the constant term.
WEIGHTS = (-1.28, -0.24, 0.47, 0.36, 0.85, -0.64, 0.18, 2.12, 0.20, 0.36, 1.31, 1.20, -0.05)
SIMILARITY = slice(FEATURES.index("lift"), FEATURES.index("words") + 1)
HEAD_CHARACTERS = 600
TEXT_CHARACTERS = 4000
PHRASE_CHARACTERS = 20_000
_LIFT_FLOOR = 0.002  # a nearness of chance
_SPREAD_FLOOR = 0.02
_PRIOR_TAGGED, _PRIOR_CLIPPINGS = 1.5, 30  # a tag is on one clipping of twenty until they tell
_FORMAT = 1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Document:
    """A clipping or an entry as matching reads it: ``language`` is the one it was read in."""

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

    def of_tag(self, tag: int) -> dict[int, float]:
        """One tag's values, by term."""
        at = np.flatnonzero(self.tags == tag)
        terms = np.searchsorted(self.bounds, at, side="right") - 1
        return dict(zip(terms.tolist(), self.values[at].tolist(), strict=True))

    def times(self, ids: Ints, *vectors: Floats, tags: int) -> list[Floats]:
        """The products with ``vectors``, each the values of the terms ``ids``."""
        starts, ends = self.bounds[ids], self.bounds[ids + 1]
        lengths = ends - starts
        total = int(lengths.sum())
        if not total:
            return [np.zeros(tags) for _ in vectors]
        within = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(starts, lengths) + within
        whose, held = self.tags[at], self.values[at]
        return [
            np.bincount(whose, held * np.repeat(values, lengths), tags).astype(np.float64)
            for values in vectors
        ]


@dataclass(frozen=True, slots=True)
class Profile:
    """What some clippings say about the tags; arrays are by tag or by term.

    ``sums`` add up the vectors of each tag's clippings, ``taught`` counts them among ``clippings``.
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


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The terms that count, and what the collected entries say of them and of the tags.

    ``rarity`` is the inverse document frequency of each term; ``company`` are the words that go
    with each tag's name; ``spread`` is the share of the entries in which the name stands.
    """

    terms: Mapping[str, int]
    rarity: Floats
    company: Postings
    spread: Floats

    def vector(self, document: Document) -> Vector:
        """The words of a document: half its beginning, half the whole; the title counts twice."""
        (title,) = tokens(document.title, HEAD_CHARACTERS)
        head, whole = tokens(document.text, HEAD_CHARACTERS, TEXT_CHARACTERS)
        is_long = head.total() < whole.total()
        for counts in (head, whole):
            for token, count in title.items():
                counts[token] += 2 * count
        numbers = {
            token: number for token in whole if (number := self.terms.get(token)) is not None
        }
        ids = np.fromiter(numbers.values(), np.int64, len(numbers))
        vector = self._unit(ids, np.array([whole[token] for token in numbers], float))
        if is_long:
            vector = vector + self._unit(ids, np.array([head[token] for token in numbers], float))
            vector /= np.linalg.norm(vector) or 1
        return Vector(ids, vector)

    def _unit(self, ids: Ints, counts: Floats) -> Floats:
        weights: Floats = (
            np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * self.rarity[ids]
        )
        return weights / (np.linalg.norm(weights) or 1)


class Names:
    """The words of the tags' names (tag, name), for the share of them that a title has."""

    def __init__(self, names: Sequence[tuple[int, str]], lexicon: Lexicon) -> None:
        self._names = names
        self._lexicon = lexicon
        self._parts: dict[str, dict[str, list[tuple[int, int, float]]]] = {}
        self._rarest = float(lexicon.rarity.max()) if len(lexicon.rarity) else 1.0

    def _in(self, language: str) -> dict[str, list[tuple[int, int, float]]]:
        """By stem: the number of the name, its tag, and the stem's share of it."""
        if language not in self._parts:
            parts = self._parts[language] = {}
            for number, (tag, name) in enumerate(self._names):
                rarities = [(stem, self._rarity(stem)) for stem in read_words(name, language).stems]
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
        for stem in sorted(set(title.stems)):
            for number, tag, share in parts.get(stem, ()):
                shares[number, tag] += share
        covered: dict[int, float] = {}
        for (_, tag), share in shares.items():
            covered[tag] = max(covered.get(tag, 0.0), share)
        return covered


def features(
    vector: Vector,
    mentions: Mapping[int, Mentions],
    cover: Mapping[int, float],
    lexicon: Lexicon,
    profile: Profile,
) -> Floats:
    """One row of `FEATURES` for each tag."""
    tags = len(profile.taught)
    rows = np.zeros((len(FEATURES), tags)).T  # each feature lies together
    column = {name: rows[:, number] for number, name in enumerate(FEATURES)}
    ids, values = vector
    by_spread = values / profile.scale[ids]
    plain, scaled = profile.sums.times(ids, values, by_spread, tags=tags)
    (company,) = lexicon.company.times(ids, values, tags=tags)
    all_of_them = float(values @ profile.mean[ids])
    mean_scaled = float(by_spread @ profile.mean[ids])
    taught = profile.taught > 0
    near = plain / np.maximum(profile.taught, 1)
    column["lift"][:] = np.where(
        taught, np.log((near + _LIFT_FLOOR) / (all_of_them + _LIFT_FLOOR)), 0
    )
    said = (scaled - profile.taught * mean_scaled) / np.maximum(profile.norms, 1e-9)
    column["words"][:] = _standing(said, taught)
    column["company"][:] = _standing(company, np.ones(tags, bool))
    share = (profile.taught + _PRIOR_TAGGED) / (profile.clippings + _PRIOR_CLIPPINGS)
    column["prior"][:] = np.log(share)
    for tag, found in mentions.items():
        rows[tag, :3] = found.title, found.lead, np.log1p(found.count)
        column["inflected"][tag] = found.inflected
        if found.exact:
            right, stands = profile.right[tag], profile.stands[tag]
            column["support"][tag] = np.log((right + 1) / (stands - right + 1))
            spread = lexicon.spread[tag]
            own = (profile.taught[tag] + 0.5) / (profile.clippings + 1) if profile.clippings else 1
            column["excess"][tag] = min(0.0, np.log(own / spread))
            column["rarity"][tag] = -np.log(spread)
    for tag, share_of_name in cover.items():
        column["cover"][tag] = share_of_name
    return rows


def _standing(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """How far each tag's value stands out of those of all tags."""
    held = values[counted]
    if len(held) < 2:
        return np.where(counted, values / _SPREAD_FLOOR / 10, 0)
    return np.where(counted, (values - held.mean()) / (held.std() + _SPREAD_FLOOR), 0)


def probability(rows: Floats, weights: Floats) -> Floats:
    """The logistic function of what is weighed."""
    score: Floats = 1 / (1 + np.exp(-np.clip(rows @ weights[:-1] + weights[-1], -30, 30)))
    return score


@dataclass(frozen=True, slots=True)
class Lesson:
    """A clipping (or a confirmed entry) as it was learned from; ``tags`` are numbers."""

    title: str
    tags: tuple[int, ...]
    vector: Vector


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
                    held["rarity"], postings["company"], held["spread"],
                ),
                profile=Profile(
                    sums=postings["sums"],
                    **(profile | {"clippings": int(profile["clippings"])}),
                ),
                weights=held["weights"],
                shifts=held["shifts"],
                lessons=tuple(
                    Lesson(title, tuple(tags.tolist()), Vector(ids, values))
                    for title, tags, ids, values in zip(
                        titles, *(_cut(held, name) for name in ("tags", "ids", "values")), strict=True
                    )
                ),
            )  # fmt: skip
        except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
            raise StorageError(f"what was learned cannot be read: {error}") from error


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
