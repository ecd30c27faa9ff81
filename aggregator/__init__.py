"""A syndication feed aggregator that republishes one Atom feed per tag.

    feeds.toml ─┐
                ├─► config ──► fetch ──► parse ──► store ──► match ──► publish ──► outputs/
    clippings ──┘              httpx     feedparser  SQLModel  phrases +   feedgen     <tag>.atom …
                                                               clippings

A folder is a stage. A stage takes values (`aggregator.model`), returns values, and never imports
another stage. Only `aggregator.run` joins the stages.
"""

__version__ = "0.1.0"
