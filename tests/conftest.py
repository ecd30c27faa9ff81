from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Installation
from tests.origin import Origin, origin


@pytest.fixture
def publisher() -> Iterator[Origin]:
    """A scripted publisher on loopback."""
    with origin() as told:
        yield told


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation in an empty folder."""
    return Installation(tmp_path)
