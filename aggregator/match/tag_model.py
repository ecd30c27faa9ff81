"""What was learned from the clippings, and how an entry is scored with it.

Every (entry, tag) gets the numbers of `FEATURES`; a logistic regression makes one probability of
them. Words are weighed by TF-IDF (Salton and Buckley 1988) over the clippings and a sample of the
collected entries; what a tag's clippings say is compared with what all say, as in Rocchio's
classifier (1971), with each word scaled by its own spread.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import StorageError
from aggregator.match.sparse import Floats, SparseVector, TermTagMatrix
from aggregator.match.tag_statistics import TagStatistics
from aggregator.match.text_vectors import Lexicon

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A clipping (or a confirmed entry) as it was learned from; ``tags`` are numbers."""

    title: str
    tags: tuple[int, ...]
    vector: SparseVector
    meaning: Floats


@dataclass(frozen=True, slots=True)
class TagModel:
    """Everything that one vocabulary and its clippings teach. Made by `learning.Trainer`.

    ``weights`` are those of `FEATURES` and the constant; ``shifts`` are by tag what is added to
    the log odds that a threshold stands for; ``lessons`` are what it was all learned from.
    """

    lexicon: Lexicon
    profile: TagStatistics
    weights: Floats
    shifts: Floats
    lessons: tuple[TrainingExample, ...]

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
        for part in fields(TagStatistics):
            if part.name != "sums":
                arrays[part.name] = np.asarray(getattr(self.profile, part.name))
        held = io.BytesIO()
        np.savez(held, allow_pickle=False, **{name: _small(part) for name, part in arrays.items()})
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TagModel":
        """Raises StorageError if it is damaged or of another version."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                held = {name: _whole(arrays[name]) for name in arrays}
            if int(held["format"]) != _FORMAT:
                raise ValueError("another format")
            terms = _text(held["terms"]).split("\n")
            titles = json.loads(_text(held["titles"]))
            postings = {
                name: TermTagMatrix(*(held[f"{name}_{part}"] for part in TermTagMatrix._fields))
                for name in ("sums", "company")
            }
            profile: dict[str, Any] = {
                part.name: held[part.name] for part in fields(TagStatistics) if part.name != "sums"
            }
            return cls(
                lexicon=Lexicon(
                    {term: number for number, term in enumerate(terms) if term},
                    held["rarity"], postings["company"], held["spread"], held["centre"],
                ),
                profile=TagStatistics(
                    sums=postings["sums"],
                    **(profile | {"clippings": int(profile["clippings"])}),
                ),
                weights=held["weights"],
                shifts=held["shifts"],
                lessons=tuple(
                    TrainingExample(title, tuple(tags.tolist()), SparseVector(ids, values), meaning)
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
