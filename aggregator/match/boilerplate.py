"""Removes the lines that publishing programs add below an entry: they say nothing about it."""

import re

# "The post TITLE appeared first on BLOG.", as the RSS settings of WordPress SEO plugins write it
# in several languages, and invitations to read on.
_CREDITS = (
    "the post .+ (?:appeared first on|first appeared on)",
    "(?:cet|l['’]) ?article .+ est apparu en premier sur",
    "der beitrag .+ erschien zuerst auf",
    "la entrada .+ (?:se publicó primero en|aparece primero en)",
    "l['’]articolo .+ (?:proviene da|sembra essere il primo su)",
    "o post .+ apareceu primeiro em",
    "het bericht .+ verscheen eerst op",
)
_READ_ON = ("continue reading", "read more", "lire la suite", "weiterlesen", "seguir leyendo")
_FOOTER = re.compile(
    rf"(?:(?:{'|'.join(_CREDITS)}) .+|(?:{'|'.join(_READ_ON)})\b(?:.{{0,80}}[→…»\]])?)",
    re.IGNORECASE,
)
_MAX_FOOTER_LINES, _MAX_FOOTER_CHARACTERS = 2, 500


def strip_feed_footer(text: str) -> str:
    """``text`` without such lines at its end. A text of one line stays as it is."""
    for _ in range(_MAX_FOOTER_LINES):
        above, _, last = text.rstrip().rpartition("\n")
        is_short = len(last) <= _MAX_FOOTER_CHARACTERS
        if not above or not is_short or not _FOOTER.fullmatch(last.strip()):
            break
        text = above
    return text
