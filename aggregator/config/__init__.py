"""feeds.toml: parse and check its text, and return a `model.Config`."""

from aggregator.config.credentials import database_url
from aggregator.config.parse import parse_config
from aggregator.config.schema import json_schema

__all__ = ["database_url", "json_schema", "parse_config"]
