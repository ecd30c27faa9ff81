"""Entries x tags -> `model.Match` values, each with its reasons. Pure.

The `matcher` and what `learning` gives it are imported where something is to be matched: they
need numpy, which most runs do not.
"""

from aggregator.match.placement import (
    PlacementRules,
    QueryMatcher,
    channel_key,
    choose_live,
    expected_channels,
    place,
    unknown_tags,
)
from aggregator.match.vocabulary import Vocabulary, build_vocabulary

__all__ = [
    "PlacementRules",
    "QueryMatcher",
    "Vocabulary",
    "build_vocabulary",
    "channel_key",
    "choose_live",
    "expected_channels",
    "place",
    "unknown_tags",
]
