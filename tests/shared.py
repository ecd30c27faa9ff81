"""Access to the real feeds beside a checkout, which are not part of it."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(*parts: str) -> Path:
    """A path in ``../shared``; the test skips where that folder is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return SHARED.joinpath(*parts)
