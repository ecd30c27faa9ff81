"""Where the feeds of well-known publishing systems are. Pure."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urljoin, urlsplit, urlunsplit

from aggregator.parse import Page

# Miniflux's list (internal/reader/subscription/finder.go), and Blogger's and JSON Feed's.
_WELL_KNOWN = (
    "feed/",
    "feed",
    "rss/",
    "rss.xml",
    "atom.xml",
    "feed.xml",
    "index.xml",
    "feed.atom",
    "feed.json",
    "feeds/posts/default",
)
_LOOKS_LIKE_A_FEED = re.compile(
    r"(?:\.(?:rss|atom|rdf)|/(?:feed|rss|atom)/?|(?:feed|rss|atom)\.xml)$"
)


def conventional_feeds(url: str, page: Page | None) -> Iterator[str]:
    """The feeds that a system we recognise has for this page, the likeliest first."""
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
        yield _at(url, f"{account[0]}.rss")  # Mastodon and its kin
    if generator.startswith("MediaWiki") or "/index.php" in path:
        yield from _mediawiki(url, page)
    if generator.startswith("WordPress"):
        yield _at(url, f"{path.rstrip('/')}/feed/")
        yield _at(url, "/feed/")


def _youtube(url: str, page: Page | None) -> Iterator[str]:
    """By channel or by playlist; a handle's page names its channel as its canonical address."""
    feeds = "https://www.youtube.com/feeds/videos.xml"
    for playlist in parse_qs(urlsplit(url).query).get("list", ()):
        yield f"{feeds}?playlist_id={quote(playlist)}"
    canonical = [link.url for link in page.links if "canonical" in link.rel] if page else []
    for address in (url, *canonical):
        if channel := re.search(r"/channel/(UC[\w-]{22})", address):
            yield f"{feeds}?channel_id={channel[1]}"
            return


def _mediawiki(url: str, page: Page | None) -> Iterator[str]:
    """New pages, then recent changes. The page's EditURI link tells where the scripts are."""
    scripts = [
        urljoin(link.url, "index.php")
        for link in (page.links if page else ())
        if "edituri" in link.rel
    ]
    script = (scripts or [_at(url, urlsplit(url).path.partition("/index.php")[0] + "/index.php")])[
        0
    ]
    for special in ("NewPages", "RecentChanges"):
        yield f"{script}?title=Special:{special}&feed=atom"


def linked_feeds(page: Page) -> Iterator[str]:
    """Addresses in the text of a page that look like a feed's."""
    seen = set()
    for anchor in page.anchors:
        if _LOOKS_LIKE_A_FEED.search(urlsplit(anchor.url).path) and anchor.url not in seen:
            seen.add(anchor.url)
            yield anchor.url


def well_known_feeds(url: str) -> Iterator[str]:
    """Usual places: below the page's folder, then at the root of its site."""
    folder = urljoin(url, ".")
    for base in dict.fromkeys((folder, urljoin(url, "/"))):
        for path in _WELL_KNOWN:
            yield urljoin(base, path)


def _at(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=path, query="", fragment=""))
