"""From the address of a page to the feeds of its site."""

from aggregator.discover.search import Candidate, Search, discover

__all__ = ["Candidate", "Search", "discover"]
