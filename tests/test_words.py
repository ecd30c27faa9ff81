"""What the check of retired words finds, and what it leaves alone."""

from tests.words import Words

WORDS = Words(
    {
        "names": {"Talk": "Console", "Page.month": "name", "match/:cover": "title_overlap"},
        "variables": {"found": "the thing"},
        "patterns": {r"_?MOST_\w+": "MAX_…"},
        "prose": {r"\bof which\b": "split the sentence"},
        "allowed": {"aggregator/store/page.py:found": "the name of a form's field"},
    }
)


def words_of(source: str, path: str = "aggregator/cli/shell.py") -> list[tuple[int, str]]:
    return [(use.line, use.text) for use in WORDS.in_code(path, source)]


def test_names_are_found_where_they_are_bound():
    assert words_of("class Talk: ...\n") == [(1, "Talk")]
    assert words_of("import a as Talk\nTalk = 1\nx.Talk = 2\n") == [
        (1, "Talk"),
        (2, "Talk"),
        (3, "Talk"),
    ]
    assert words_of("_MOST_AT_ONCE = 3\n") == [(1, "_MOST_AT_ONCE")]


def test_uses_of_names_are_left_alone():
    assert words_of("rich.Talk().cover(found)\n") == []


def test_a_name_may_be_retired_in_one_class_or_folder():
    assert words_of("class Page:\n    month: int\nmonth = 1\n") == [(2, "month")]
    assert words_of("def cover(): ...\n", "aggregator/match/names.py") == [(1, "cover")]
    assert words_of("def cover(): ...\n", "aggregator/text/names.py") == []


def test_variables_are_arguments_and_locals():
    assert words_of("def f(found):\n    for found in (): ...\n") == [(1, "found"), (2, "found")]
    assert words_of("class A:\n    found: int\ndef found(): ...\n") == []


def test_an_allowed_use_is_left_alone():
    assert words_of("found = 1\n", "aggregator/store/page.py") == []


def test_prose_is_that_of_docstrings_and_documents_outside_code():
    assert words_of('"""One.\n\nTwo, of which three.\n"""\n') == [(3, "of which")]
    assert words_of('x = "of which"\n') == []
    text = "```\nof which\n```\n`of which`\nOf which, in\ntext.\n"
    assert [(use.line, use.text) for use in WORDS.in_prose("README.md", text)] == [(5, "Of which")]
