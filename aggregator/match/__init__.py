"""Entries x tags -> `model.Match` values, each with its reasons. Pure."""

from aggregator.match.matcher import Matcher
from aggregator.match.news import choose_live, is_late
from aggregator.match.vocabulary import Vocabulary, build_vocabulary

__all__ = ["Matcher", "Vocabulary", "build_vocabulary", "choose_live", "is_late"]
