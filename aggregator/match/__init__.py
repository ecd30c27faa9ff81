"""Entries x tags -> `model.Match` values, each with its reasons. Pure."""

from aggregator.match.listing import (
    Finder,
    Lister,
    channel_key,
    choose_live,
    place,
    unknown_tags,
    wanted_channels,
)
from aggregator.match.matcher import Matcher
from aggregator.match.vocabulary import Vocabulary, build_vocabulary

__all__ = [
    "Finder",
    "Lister",
    "Matcher",
    "Vocabulary",
    "build_vocabulary",
    "channel_key",
    "choose_live",
    "place",
    "unknown_tags",
    "wanted_channels",
]
