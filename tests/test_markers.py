"""Every name in the lists of tests/conftest.py is that of a test."""

import pytest

from tests.conftest import FAST, GROUPS, LONGEST, POSTGRES, S3, SLOW, TESTS


@pytest.mark.parametrize("start", sorted({*SLOW, *FAST, *LONGEST, *POSTGRES, *S3, *GROUPS}))
def test_name_begins_that_of_a_test(start):
    path, _, name = start.partition("::")
    assert (TESTS / path).exists()
    if name:
        assert f"\ndef {name}" in (TESTS / path).read_text("utf-8")
