"""The stored form of the model."""

from contextlib import suppress

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
    kept = make_clippings()
    vocabulary = build_vocabulary(kept, (), ())
    learned = Trainer(vocabulary, kept, [UNNAMED.entry]).train()
    again = TagModel.from_bytes(learned.to_bytes())
    assert again.to_bytes() == learned.to_bytes()
    one, other = (Matcher(vocabulary, kept, (), known).score(UNNAMED) for known in (learned, again))
    assert [match.tag for match in one] == [match.tag for match in other]
    for match, same in zip(one, other, strict=True):
        assert match.score == pytest.approx(same.score, abs=1e-3)


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
    learned = Trainer(build_vocabulary((), (), ()), (), ()).train()
    data = learned.to_bytes()
    assert TagModel.from_bytes(data).weights.tolist() == pytest.approx(
        list(DEFAULT_WEIGHTS), abs=1e-6
    )
