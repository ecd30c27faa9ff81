"""Pictures whose address is not in ``src``, because a script or the browser chooses it."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from aggregator.parse.html_tree import DROPPED, become, first_address

# Attributes in which scripts for lazy loading keep an address. The first ones hold it whenever they
# are there; the others may be a larger version of the picture in ``src``.
_LAZY_SOURCES = (
    "data-src", "data-lazy-src", "data-original", "data-lazyload", "data-lazy", "data-echo",
    "data-actualsrc", "data-cfsrc", "data-litespeed-src", "data-original-src", "data-ll-src",
)  # fmt: skip
_OTHER_SOURCES = (
    "data-orig-file", "data-large-file", "data-medium-file", "data-full-src", "data-hi-res-src",
    "data-image", "data-img-src", "data-url",
)  # fmt: skip
_LAZY_SOURCE_SETS = ("data-srcset", "data-lazy-srcset", "data-original-set")
_SOURCE_SETS = ("srcset", *_LAZY_SOURCE_SETS)
SOURCE_ATTRIBUTES = {*_LAZY_SOURCES, *_OTHER_SOURCES, *_SOURCE_SETS}
LAZY_ATTRIBUTE = re.compile(rf"(?:{'|'.join(_LAZY_SOURCES + _LAZY_SOURCE_SETS)})\s*=")
# What is displayed until a script runs.
PLACEHOLDER = re.compile(
    r"\b(?:1x1|blank|clear|dot|empty|gr[ae]y|lazy[\w-]*|loading|pixel|placeholder|px|spacer|trans"
    r"|transparent)\.(?:gif|png|svg|jpe?g|webp)\b",
    re.IGNORECASE,
)
PICTURE_FILE = re.compile(r"\.(?:avif|gif|jpe?g|png|svg|webp)$", re.IGNORECASE)
_SIZE_IN_NAME = re.compile(r"-\d+x\d+(?=\.\w+$)")
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)[wx]")  # of a candidate in a srcset


def show_pictures(root: Element, base: str, within_fallbacks: set[Element]) -> None:
    """Give each ``img`` its address. A picture that is shown is not repeated in a ``noscript``."""
    sources = {
        img: list(picture.iter("source"))
        for picture in root.iter("picture")
        for img in picture.iter("img")
    }
    pictures = list(root.iter("img"))
    pictures.sort(key=lambda img: img in within_fallbacks)
    shown = set()
    for img in pictures:
        url = _picture_address(img, sources.get(img, []), base)
        if img in within_fallbacks and (not url or _file(url) in shown):
            become(img, DROPPED, {})
        elif url:
            shown.add(_file(url))
            img.set("src", url)
        else:  # as browsers do, unless the fallback has the picture
            become(img, DROPPED, {}, text="" if within_fallbacks else img.get("alt", ""))


def lazy_sources(element: Element) -> list[str]:
    """The addresses that a script would use."""
    values = [element.get(name, "") for name in _LAZY_SOURCES]
    return [value for value in values if "." in value or "/" in value]  # "true" is a flag


def _picture_address(img: Element, sources: list[Element], base: str) -> str | None:
    """The address of a picture; of its largest version if ``src`` is a placeholder."""
    src = img.get("src", "")
    if not sources and SOURCE_ATTRIBUTES.isdisjoint(img.keys()):
        return first_address(base, [src])
    sets = [element.get(name, "") for element in (img, *sources) for name in _SOURCE_SETS]
    guesses = [
        *lazy_sources(img),
        "" if PLACEHOLDER.search(src) else src,
        *map(_largest_source, sets),
        *(img.get(name, "") for name in _OTHER_SOURCES),
        src,
    ]
    return first_address(base, guesses)


def _largest_source(source_set: str) -> str:
    """The candidate of a ``srcset`` with the largest width or density; empty if there is none."""
    candidates = [c for c in _candidates(source_set) if not c[1].startswith("data:")]
    return max(candidates, key=lambda candidate: candidate[0], default=(0, ""))[1]


def _candidates(source_set: str) -> Iterator[tuple[float, str]]:
    """Sizes and addresses (https://html.spec.whatwg.org/#parse-a-srcset-attribute).

    An address may contain commas, but not end with one.
    """
    url, size = "", 1.0
    for token in source_set.split():
        after = token
        if url:
            descriptor, comma, after = token.partition(",")
            number = _SIZE.fullmatch(descriptor)
            size = float(number[1]) if number else size
            if not comma:
                continue
            yield size, url
        url, size = after.lstrip(","), 1.0
        if url.endswith(","):
            yield size, url.rstrip(",")
            url = ""
    if url:
        yield size, url


def _file(url: str) -> str:
    """What the addresses of one picture in several sizes have in common."""
    name = urlsplit(url).path.rpartition("/")[2]
    return _SIZE_IN_NAME.sub("", name) if PICTURE_FILE.search(name) else url
