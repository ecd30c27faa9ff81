"""The page that lists the tag feeds. The one file that uses Jinja2."""

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from itertools import islice
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator.model import PublishedEntry, Site, TagFeed
from aggregator.publish.words import words

_NEWEST = 20


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["segment"] = quote
    environment.filters["breakable"] = _breakable
    return environment


def render_index(site: Site, feeds: Sequence[TagFeed]) -> bytes:
    """``index.html``: every tag with its feed, and the newest entries of all.

    It loads nothing. Its style and script are in it, and its Content-Security-Policy names
    them by hash, so that nothing a publisher writes can ever run there.
    """
    environment = _environment()
    loader = environment.loader
    assert loader is not None
    style = loader.get_source(environment, "style.css")[0]
    script = loader.get_source(environment, "filter.js")[0]
    page = environment.get_template("index.html").render(
        site=site,
        feeds=sorted(feeds, key=lambda feed: (-feed.total, feed.tag.key)),
        newest=_newest(feeds),
        words=words(site.language),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page.encode()


def _newest(feeds: Sequence[TagFeed]) -> list[tuple[PublishedEntry, list[TagFeed]]]:
    """The newest entries over all tags, each with the feeds it stands in."""
    places: dict[str, list[TagFeed]] = {}
    entries: dict[str, PublishedEntry] = {}
    for feed in feeds:
        for entry in feed.entries:
            entries[entry.id] = entry
            places.setdefault(entry.id, []).append(feed)
    newest = sorted(entries.values(), key=lambda entry: entry.id)
    newest.sort(key=lambda entry: entry.updated, reverse=True)
    return [(entry, places[entry.id]) for entry in islice(newest, _NEWEST)]


def _breakable(name: str) -> Markup:
    """A long tag may break behind its separators, and nowhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[_/-])", name))


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
