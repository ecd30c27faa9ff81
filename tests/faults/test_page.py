"""The page about faults is that of the tests."""

from tests.faults.catalogue import PAGE, page


def test_the_page_is_what_the_tests_say():
    assert PAGE.read_text("utf-8") == page(), "python -m tests.faults"
