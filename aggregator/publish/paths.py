"""Names and HTTP headers of the output files. Pure."""

from collections.abc import Iterable

from aggregator.model import Subscription
from aggregator.text.slugs import assign_slugs

SOURCES = "_source"  # folder of the pages of sources; no slug, which starts with a letter or digit
# The files about the whole site.
SITE = ["index.html", "index.opml", "sources.opml", "_status.atom", "_status.json", "_status.html"]
KINDS = ("atom", "json", "html")  # extensions of the live documents of a channel
MEDIA_TYPES = {
    ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/feed+json; charset=utf-8",
    ".opml": "text/x-opml; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
CACHE_CONTROL = "public, max-age=300"  # a run comes every quarter of an hour


def source_files(sources: Iterable[Subscription]) -> dict[str, str]:
    """The file of each subscription's page, by subscription key."""
    names = assign_slugs({source.key: source.title for source in sources}, {})
    return {key: f"{SOURCES}/{slug}.html" for key, slug in names.items()}
