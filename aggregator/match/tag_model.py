"""The model that is trained on the reader's clippings, and its file format.

Each pair of an entry and a tag has the numbers of `features.FEATURES`; a logistic regression
turns them into one probability. Words count by TF-IDF (Salton and Buckley 1988) over the clippings
and a sample of the collected entries.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import StorageError
from aggregator.match.sparse import Floats, SparseVector, TermTagMatrix
from aggregator.match.tag_statistics import TagStatistics
from aggregator.match.text_vectors import Lexicon

_FORMAT = 2
# The name in the file of each array of `TagStatistics`; "sums" is apart.
_STATISTICS_ARRAYS = {
    "taught": "clipping_counts",
    "clippings": "clipping_total",
    "mean": "mean",
    "scale": "scale",
    "norms": "norms",
    "stands": "name_counts",
    "right": "name_hits",
    "meaning": "meaning",
}
_Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A clipping, or an entry that the reader confirmed; ``tags`` are indices.

    ``title`` is empty for a private clipping, because explanations contain it.
    """

    title: str
    tags: tuple[int, ...]
    vector: SparseVector
    meaning: Floats  # (size,)


@dataclass(frozen=True, slots=True)
class TagModel:
    """Everything that is learned from one vocabulary and its clippings, by `training.Trainer`."""

    lexicon: Lexicon
    statistics: TagStatistics
    weights: Floats  # (feature + 1,) of `FEATURES` and the constant term
    shifts: Floats  # (tag,) subtracted from the log odds of the tag's threshold
    examples: tuple[TrainingExample, ...]

    def to_bytes(self) -> bytes:
        """Serialize as an NPZ archive. It holds only arrays: loading it runs no code."""
        arrays: dict[str, Any] = {
            "format": _FORMAT,
            "terms": _encode("\n".join(self.lexicon.terms)),
            "rarity": self.lexicon.rarity,
            "spread": self.lexicon.name_shares,
            "centre": self.lexicon.centre,
            "meanings": [example.meaning for example in self.examples],
            "weights": self.weights,
            "shifts": self.shifts,
            "titles": _encode(json.dumps([example.title for example in self.examples])),
            **_join("tags", [np.array(example.tags, np.int64) for example in self.examples]),
            **_join("ids", [example.vector.ids for example in self.examples]),
            **_join("values", [example.vector.values for example in self.examples]),
        }
        matrices = {"sums": self.statistics.sums, "company": self.lexicon.cooccurrence}
        for name, matrix in matrices.items():
            arrays |= {f"{name}_{part}": array for part, array in matrix._asdict().items()}
        for name, field in _STATISTICS_ARRAYS.items():
            arrays[name] = getattr(self.statistics, field)
        buffer = io.BytesIO()
        # Single precision halves the size and is enough: scores have four digits.
        small = {name: _cast(np.asarray(array), 4) for name, array in arrays.items()}
        np.savez(buffer, allow_pickle=False, **small)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TagModel":
        """Load what `to_bytes` gave. Raises StorageError for damaged data or another format."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: _cast(file[name], 8) for name in file}
            if int(arrays["format"]) != _FORMAT:
                raise ValueError("unknown format")
            return cls._from_arrays(arrays)
        except Exception as error:  # numpy and zipfile raise many types for damaged data
            hint = '"aggregator restore FILE" restores a backup of the database'
            raise StorageError(f"the stored tag model cannot be read ({error}): {hint}") from error

    @classmethod
    def _from_arrays(cls, arrays: _Arrays) -> "TagModel":
        sums, cooccurrence = (
            TermTagMatrix(*(arrays[f"{name}_{part}"] for part in TermTagMatrix._fields))
            for name in ("sums", "company")
        )
        terms = _decode(arrays["terms"]).split("\n")
        lexicon = Lexicon(
            {term: term_id for term_id, term in enumerate(terms) if term},
            arrays["rarity"], cooccurrence, arrays["spread"], arrays["centre"],
        )  # fmt: skip
        fields: dict[str, Any] = {f: arrays[name] for name, f in _STATISTICS_ARRAYS.items()}
        fields["clipping_total"] = int(fields["clipping_total"])
        examples = tuple(
            TrainingExample(title, tuple(tags.tolist()), SparseVector(ids, values), meaning)
            for title, tags, ids, values, meaning in zip(
                json.loads(_decode(arrays["titles"])),
                *(_split(arrays, name) for name in ("tags", "ids", "values")),
                arrays["meanings"],
                strict=True,
            )
        )
        statistics = TagStatistics(sums, **fields)
        return cls(lexicon, statistics, arrays["weights"], arrays["shifts"], examples)


def _encode(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


def _decode(array: NDArray[Any]) -> str:
    return array.astype(np.uint8).tobytes().decode()


def _join(name: str, rows: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Store arrays of several lengths as one, with the bounds of each."""
    joined = np.concatenate(rows) if rows else np.zeros(0)
    return {name: joined, f"{name}_bounds": np.cumsum([0, *map(len, rows)])}


def _split(arrays: _Arrays, name: str) -> list[NDArray[Any]]:
    bounds = arrays[f"{name}_bounds"].tolist()
    return [arrays[name][start:end] for start, end in pairwise(bounds)]


def _cast(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Numbers of ``size`` bytes; other types stay, as ``uint8`` does."""
    return array.astype(f"{array.dtype.kind}{size}") if array.dtype.kind in "fi" else array
