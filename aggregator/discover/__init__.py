"""Finds the feeds of a site from the URL of one of its pages."""

from aggregator.discover.search import Candidate, Discovery, discover

__all__ = ["Candidate", "Discovery", "discover"]
