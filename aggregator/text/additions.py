"""Our additions to a published entry: lines at its end (why it is here, where else it is), and the
reader's tags among its categories.

An aggregator that reads our feed makes its own additions, so it must know ours. Otherwise the entries
of two that read each other grow with every poll, and each takes its own tag, which comes back as a
category, for a reason.
"""

import re

from aggregator.model import Category

GENERATOR = "aggregator"  # of our Atom documents
# How the schemes of our categories end, on every site.
TAGS, MARKS = "#tags", "#marks"
CLIPPED = "clipped"  # the term of a mark

# What the lines begin with, in all languages and versions. `tests/text/test_additions.py` compares them
# with the message catalogues.
_REASONS = (
    "Here because", "Near miss", "Nearly here",
    "Pourquoi ici", "Presque", "Ici parce que", "Ici de peu s’en faut",
)  # fmt: skip
_PLACES = ("Also at", "Aussi sur")
_START, _END = "<p><small", "</small></p>"
_LINE = re.compile(
    rf'{_START}(?P<mark> lang="[\w-]+")?>'
    rf"(?:(?P<reason>{'|'.join(_REASONS)})|{'|'.join(_PLACES)})(?:[ \xa0]|&nbsp;)?: "
    rf"(?P<words>.*){_END}",
    re.DOTALL,
)


def is_addition(category: Category) -> bool:
    """Whether an aggregator added the category."""
    if category.scheme is None:
        return False  # most categories
    if category.scheme.endswith(TAGS):
        return category.label == f"#{category.term}"
    return category.scheme.endswith(MARKS) and category.term == CLIPPED


def footer_line(html: str, language: str) -> str:
    """A line to add below an entry. ``language`` is that of the line, and marks it as ours."""
    return f'{_START} lang="{language}">{html}{_END}'


def remove_footer(content: str, *, from_aggregator: bool = False) -> str:
    """Remove the lines that aggregators added at the end of an HTML text, however many there are.

    A line is theirs if the document comes ``from_aggregator`` (see `GENERATOR`), if the line has our
    mark, if it names tags as only our reasons do, or if it is above such a line.
    """
    end = len(content)
    certain = from_aggregator
    while match := _last_line(content, _text_end(content, end)):
        words = match["words"]
        certain |= bool(match["mark"] or (match["reason"] and "(#" in words and words[-2:] == ")."))
        if not certain:
            break
        end = match.start()
    return content if end == len(content) else content[:end].rstrip()


def _last_line(content: str, end: int) -> re.Match[str] | None:
    """The last paragraph of ``content[:end]`` if it looks like one of our lines."""
    if not content.endswith(_END, 0, end):
        return None
    match = _LINE.fullmatch(content, max(0, content.rfind(_START, 0, end)), end)
    return None if match and ("</small>" in match["words"] or "<p" in match["words"]) else match


def _text_end(content: str, end: int) -> int:
    """The end of ``content[:end]`` without the white space there."""
    while end and content[end - 1].isspace():
        end -= 1
    return end
