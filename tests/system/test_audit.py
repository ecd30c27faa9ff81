import json

import pytest

from tests.audit import verdict

GOOD = {"name": "good", "version": "1", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3", "2.1"]}]}


@pytest.mark.parametrize(
    ("packages", "words", "code"),
    [
        ([GOOD, UNKNOWN], "of 2 packages 1 were looked up, none is bad", 0),
        ([UNKNOWN, UNKNOWN], "skipped", 0),
        ([GOOD, UNKNOWN, BAD], "bad 2: PYSEC-1, mended in 3, 2.1", 1),
    ],
)
def test_only_an_advisory_fails(packages, words, code):
    told, gave = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert words in told
    assert gave == code


@pytest.mark.parametrize("report", ["", "Traceback", "[]x"])
def test_without_an_answer_it_is_skipped(report):
    assert "skipped" in verdict(report)[0]
    assert verdict(report)[1] == 0
