"""Files in which people keep passages and bookmarks -> `model.Clipping` values."""

from aggregator.clippings.clipping_entries import (
    clipping_from_entry,
    entries_from_clippings,
    private_warning,
    without_private_tags,
)
from aggregator.clippings.formats import parse_clippings

__all__ = [
    "clipping_from_entry",
    "entries_from_clippings",
    "parse_clippings",
    "private_warning",
    "without_private_tags",
]
