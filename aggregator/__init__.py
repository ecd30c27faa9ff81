"""A syndication feed aggregator that republishes one Atom feed per tag.

    feeds.toml ─┐
                ├─► config ──► fetch ──► parse ──► store ──► match ──► publish ──► outputs/
    clippings ──┘              httpx     feedparser  SQLModel  phrases +   feedgen     <tag>.atom …
                                                               clippings

Every stage takes values (`aggregator.model`) and gives values; they meet in
`aggregator.pipeline`, and in its two halves, `aggregator.collect` and `aggregator.publishing`.
"""

__version__ = "0.1.0"
