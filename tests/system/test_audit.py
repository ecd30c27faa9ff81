import json

import pytest

from tests.audit import verdict

GOOD = {"name": "good", "version": "1", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3", "2.1"]}]}


@pytest.mark.parametrize(
    ("packages", "words", "code"),
    [
        ([GOOD, UNKNOWN], "1 of 2 packages checked, no advisories", 0),
        ([UNKNOWN, UNKNOWN], "skipped", 0),
        ([GOOD, UNKNOWN, BAD], "bad 2: PYSEC-1, fixed in 3, 2.1", 1),
    ],
)
def test_only_advisories_fail(packages, words, code):
    message, exit_code = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert words in message
    assert exit_code == code


@pytest.mark.parametrize("report", ["", "Traceback", "[]x"])
def test_audit_without_report_is_skipped(report):
    assert "skipped" in verdict(report)[0]
    assert verdict(report)[1] == 0
