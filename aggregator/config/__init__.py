"""feeds.toml: its text in, a checked `model.Config` out."""

from aggregator.config.opml import ListedFeed, read_opml
from aggregator.config.parse import parse_config
from aggregator.config.schema import json_schema

__all__ = ["ListedFeed", "json_schema", "parse_config", "read_opml"]
