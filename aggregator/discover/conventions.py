"""The URLs at which well-known publishing systems have their feeds. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urljoin, urlsplit, urlunsplit

from aggregator.parse.html_links import Page

# From Miniflux (internal/reader/subscription/finder.go), Blogger and JSON Feed.
_WELL_KNOWN = (
    "feed/", "feed", "rss/", "rss.xml", "atom.xml", "feed.xml", "index.xml", "feed.atom",
    "feed.json", "feeds/posts/default",
)  # fmt: skip
_FEED_PATH = re.compile(r"(?:\.(?:rss|atom|rdf)|/(?:feed|rss|atom)/?|(?:feed|rss|atom)\.xml)$")


def conventional_feeds(url: str, page: Page | None) -> Iterator[str]:
    """Feeds of the page's publishing system if it is recognised, the likeliest first."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    path = parts.path
    generator = page.generator if page else ""
    if host == "youtube.com":
        yield from _youtube(url, page)
    elif host == "github.com" and (repository := re.match(r"/[\w.-]+/[\w.-]+", path)):
        yield f"https://github.com{repository[0]}/releases.atom"
        yield f"https://github.com{repository[0]}/commits.atom"
    elif host.endswith("reddit.com") and (group := re.match(r"/(?:r|user)/[\w-]+", path)):
        yield f"https://www.reddit.com{group[0]}/.rss"
    elif host == "medium.com" and len(path) > 1:
        yield f"https://medium.com/feed{path.rstrip('/')}"
    elif account := re.fullmatch(r"/(?:@[\w.]+|users/[\w.]+|tags/[^/]+)", path.rstrip("/")):
        yield _with_path(url, f"{account[0]}.rss")  # Mastodon and compatible servers
    if generator.startswith("MediaWiki") or "/index.php" in path:
        yield from _mediawiki(url, page)
    if generator.startswith("WordPress"):
        yield _with_path(url, f"{path.rstrip('/')}/feed/")
        yield _with_path(url, "/feed/")


def _youtube(url: str, page: Page | None) -> Iterator[str]:
    """Feeds of playlists and channels. The page of a handle has its channel as canonical link."""
    feeds = "https://www.youtube.com/feeds/videos.xml"
    for playlist in parse_qs(urlsplit(url).query).get("list", ()):
        yield f"{feeds}?playlist_id={quote(playlist)}"
    canonical = [link.url for link in page.links if "canonical" in link.rel] if page else []
    for address in (url, *canonical):
        if channel := re.search(r"/channel/(UC[\w-]{22})", address):
            yield f"{feeds}?channel_id={channel[1]}"
            return


def _mediawiki(url: str, page: Page | None) -> Iterator[str]:
    """New pages, then recent changes. The EditURI link of a page shows where the scripts are."""
    script = _with_path(url, urlsplit(url).path.partition("/index.php")[0] + "/index.php")
    for link in page.links if page else ():
        if "edituri" in link.rel:
            script = urljoin(link.url, "index.php")
            break
    for special in ("NewPages", "RecentChanges"):
        yield f"{script}?title=Special:{special}&feed=atom"


def linked_feeds(page: Page) -> Iterator[str]:
    """Links in the text of a page that look like a feed, each once."""
    links = dict.fromkeys(anchor.url for anchor in page.anchors)
    return (url for url in links if _FEED_PATH.search(urlsplit(url).path))


def well_known_feeds(url: str) -> Iterator[str]:
    """Usual URLs of feeds: in the page's folder, then at the root of its site."""
    for base in dict.fromkeys((urljoin(url, "."), urljoin(url, "/"))):
        for path in _WELL_KNOWN:
            yield urljoin(base, path)


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=path, query="", fragment=""))
