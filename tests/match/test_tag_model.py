"""The stored form of the model."""

import io
from contextlib import suppress

import numpy as np
import pytest

from aggregator.errors import StorageError
from aggregator.match import build_vocabulary
from aggregator.match.features import DEFAULT_WEIGHTS
from aggregator.match.matcher import Matcher
from aggregator.match.tag_model import TagModel
from aggregator.match.training import Trainer
from tests.match.samples import (
    UNNAMED,
    make_clippings,
)


def test_model_survives_serialization():
    clippings = make_clippings()
    vocabulary = build_vocabulary(clippings, (), ())
    model = Trainer(vocabulary, clippings, [UNNAMED.entry]).train()
    again = TagModel.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    before, after = (Matcher(vocabulary, clippings, (), m).score(UNNAMED) for m in (model, again))
    assert [match.tag for match in before] == [match.tag for match in after]
    for first, second in zip(before, after, strict=True):
        assert first.score == pytest.approx(second.score, abs=1e-3)


# Stored models of earlier versions have these arrays.
ARRAYS = [
    "format",
    "terms",
    "rarity",
    "spread",
    "centre",
    "meanings",
    "weights",
    "shifts",
    "titles",
    "tags",
    "tags_bounds",
    "ids",
    "ids_bounds",
    "values",
    "values_bounds",
    "sums_bounds",
    "sums_tags",
    "sums_values",
    "company_bounds",
    "company_tags",
    "company_values",
    "taught",
    "clippings",
    "mean",
    "scale",
    "norms",
    "stands",
    "right",
    "meaning",
]


def test_arrays_of_the_format_keep_their_names_and_types():
    clippings = make_clippings()
    model = Trainer(build_vocabulary(clippings, (), ()), clippings, [UNNAMED.entry]).train()
    with np.load(io.BytesIO(model.to_bytes())) as arrays:
        assert list(arrays) == ARRAYS
        assert {arrays[name].dtype.str for name in arrays} == {"<f4", "<i4", "|u1"}
        assert arrays["taught"].tolist() == [4, 4]
        assert (int(arrays["format"]), int(arrays["clippings"])) == (2, 8)


def test_another_format_raises_storage_error():
    data = Trainer(build_vocabulary((), (), ()), (), ()).train().to_bytes()
    with np.load(io.BytesIO(data)) as arrays:
        later = dict(arrays) | {"format": np.array(3)}
    buffer = io.BytesIO()
    np.savez(buffer, **later)
    with pytest.raises(StorageError, match="unknown format"):
        TagModel.from_bytes(buffer.getvalue())


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x03\x04" + b"\0" * 50])
def test_damaged_model_raises_storage_error(data):
    with pytest.raises(StorageError, match="the stored tag model cannot be read"):
        TagModel.from_bytes(data)


def test_corrupt_model_raises_only_storage_error():
    data = Trainer(build_vocabulary((), (), ()), (), ()).train().to_bytes()
    for at in (*range(200), *range(len(data) - 1500, len(data))):  # of the archive itself
        damaged = bytearray(data)
        damaged[at] ^= 0x5A
        with suppress(StorageError):
            TagModel.from_bytes(bytes(damaged))


def test_model_without_clippings_has_the_default_weights():
    model = Trainer(build_vocabulary((), (), ()), (), ()).train()
    data = model.to_bytes()
    assert TagModel.from_bytes(data).weights.tolist() == pytest.approx(
        list(DEFAULT_WEIGHTS), abs=1e-6
    )
