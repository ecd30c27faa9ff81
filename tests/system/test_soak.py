"""A short soak, in which kills, full disks and publishers at their worst come as in a long one."""

from tests.soak import soak

HOURS = 3


def test_nothing_is_lost_doubled_or_invalid_whatever_strikes(tmp_path):
    tally = soak(tmp_path, HOURS, seed=11)
    assert tally.holds, str(tally)
    assert tally.runs > HOURS * 4
    assert tally.served
    assert tally.faults.total() > HOURS * 2
