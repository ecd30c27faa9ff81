"""What publishing programs write below an entry, and nobody means: it says nothing of the entry."""

import re

# "The post TITLE appeared first on BLOG.", as WordPress SEO writes it in the languages of blogs
# (its "RSS settings"), and invitations to read on.
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
_MAX_PARAGRAPHS = 2
_MAX_CHARACTERS = 500


def strip_feed_footer(text: str) -> str:
    """``text`` without such lines at its end."""
    for _ in range(_MAX_PARAGRAPHS):
        above, _, last = text.rstrip().rpartition("\n")
        if not above or len(last) > _MAX_CHARACTERS or not _FOOTER.fullmatch(last.strip()):
            break
        text = above
    return text
