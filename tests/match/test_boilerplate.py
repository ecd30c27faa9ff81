"""The lines that programs add below an entry."""

import pytest

from aggregator.match.boilerplate import strip_feed_footer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bees.\nThe post Bees appeared first on Commons Blog.", "Bees."),
        ("Abeilles.\n\nL’article Abeilles est apparu en premier sur Les communs.", "Abeilles."),
        ("Bees.\nContinue reading Commons →\nThe post Bees appeared first on X.", "Bees."),
        ("The post was late.\nWe waited.", "The post was late.\nWe waited."),
        ("The post Bees appeared first on X.\nMore of it.", "The post Bees appeared first on X.\nMore of it."),
    ],
)  # fmt: skip
def test_feed_footer_is_removed(text, expected):
    assert strip_feed_footer(text).strip() == expected


@pytest.mark.parametrize(
    "text",
    ["Read more about how commons work, in this piece.", "The post office appeared first on."],
)
def test_text_of_one_line_is_kept(text):
    assert strip_feed_footer(text) == text


def test_two_footer_lines_of_at_most_500_characters_are_removed():
    footer = "Read more → »"
    assert strip_feed_footer(f"Bees.\n{footer}\n{footer}").strip() == "Bees."
    three = f"Bees.\n{footer}\n{footer}\n{footer}"
    assert strip_feed_footer(three).strip() == f"Bees.\n{footer}"
    for length, expected in ((500, "Bees."), (501, None)):
        line = "The post appeared first on ".ljust(length, "x").replace("post ", "post x ", 1)[
            :length
        ]
        text = f"Bees.\n{line}"
        assert strip_feed_footer(text) == (expected or text)
