"""A short soak test, with the same random faults as a long one."""

from tests.soak import soak

HOURS = 3


def test_soak_loses_and_duplicates_nothing(tmp_path):
    tally = soak(tmp_path, HOURS, seed=11)
    assert tally.is_good, str(tally)
    assert tally.runs > HOURS * 4
    assert tally.served
    assert tally.faults.total() > HOURS * 2
