"""Every target holds on the corpus, on damaged corpus files, and on random bytes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")


def seeds(target):
    paths = sorted((CORPUS / target).iterdir())
    assert paths, target
    return paths


@pytest.mark.parametrize(
    ("target", "seed"),
    [(target, seed) for target in TARGETS for seed in seeds(target)],
    ids=lambda value: getattr(value, "name", value),
)
def test_corpus(target, seed):
    TARGETS[target](seed.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_corpus(target, data):
    """Replaces, removes and doubles pieces, then truncates."""
    body = bytearray(data.draw(st.sampled_from(seeds(target))).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        piece = body[start : start + data.draw(st.integers(0, 40))]
        put = data.draw(st.sampled_from([b"", bytes(piece) * 2]) | st.binary(max_size=8))
        body[start : start + len(piece)] = put
    TARGETS[target](bytes(body[: data.draw(st.integers(0, len(body)))]))
    TARGETS[target](bytes(body))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=300)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_random_bytes(target, data):
    TARGETS[target](data)
