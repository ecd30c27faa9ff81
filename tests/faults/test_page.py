"""docs/faults.md is up to date."""

from tests.faults.catalogue import PAGE, page


def test_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == page(), "python -m tests.faults"
