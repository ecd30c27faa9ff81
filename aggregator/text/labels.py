"""The names in a publisher's category. Pure."""

import re

from aggregator.text.urls import is_web

_SEPARATORS = re.compile(r"[,;|\n、，；·•]")
_HASHTAGS = re.compile(
    r"\s*(?:[#＃][^\s,;|]+\s+)+[#＃][^\s,;|]+\s*"
)  # nothing else, and at least two
_LEVELS = re.compile(r"\s*(?:/|>|»|›|::|→|\\)\s*")
_AROUND = "#＃\"'“”«» \t"
MAX_NAMES = 50


def split_labels(text: str) -> tuple[str, ...]:
    """The labels in "communs, #logement": some programs write all of them into one element."""
    parts = text.split() if _HASHTAGS.fullmatch(text) else _SEPARATORS.split(text)
    labels = (part.lstrip(_AROUND).rstrip(_AROUND.replace("#", "")) for part in parts)
    return tuple(dict.fromkeys(label for label in labels if label))[:MAX_NAMES]


def label_names(text: str) -> tuple[str, ...]:
    """Every name by which a category can be meant: the text, its labels, and their levels.

    "Économie/Communs" is a place in a hierarchy (RSS 2.0, category), so it means "Communs" too. A name
    with a comma is possible, so the text as a whole counts too.
    """
    names = [text.strip()]
    if not is_web(text):
        for label in split_labels(text):
            names += (label, *(level.lstrip(_AROUND) for level in _LEVELS.split(label)))
    return tuple(dict.fromkeys(name for name in names if name))[:MAX_NAMES]
