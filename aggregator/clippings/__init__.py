"""Texts in which people keep passages and bookmarks -> `model.Clipping` values."""

from aggregator.clippings.clipping_entries import (
    clipping_from_entry,
    entries_from_clippings,
    legible,
)
from aggregator.clippings.formats import is_bookmarks
from aggregator.clippings.plain_text import read_text

__all__ = [
    "clipping_from_entry",
    "entries_from_clippings",
    "is_bookmarks",
    "legible",
    "read_text",
]
