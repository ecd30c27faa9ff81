"""Matches entries with tags, and places stories in the output channels.

Import `matcher`, `training` and `tag_model` only where something is matched: they need numpy,
which most runs do not.
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
