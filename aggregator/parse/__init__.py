"""Bytes -> `model.ParsedFeed`, whatever a publisher serves."""

from aggregator.parse.document import parse_document

__all__ = ["parse_document"]
