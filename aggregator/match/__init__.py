"""Entries x tags -> `model.Match` values, each with its reasons. Pure.

The `matcher` and what `learning` gives it are imported where something is to be matched: they
need numpy, which most runs do not.
"""

from aggregator.match.placement import (
    Finder,
    Lister,
    channel_key,
    choose_live,
    place,
    unknown_tags,
    wanted_channels,
)
from aggregator.match.vocabulary import Vocabulary, build_vocabulary

__all__ = [
    "Finder",
    "Lister",
    "Vocabulary",
    "build_vocabulary",
    "channel_key",
    "choose_live",
    "place",
    "unknown_tags",
    "wanted_channels",
]
