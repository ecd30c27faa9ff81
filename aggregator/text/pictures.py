"""The pictures in cleaned HTML. Pure."""

import re
from html import unescape

from aggregator.text.urls import is_web

_MIN_PIXELS = 64  # smaller ones are icons and the pictures of authors
_PICTURE = re.compile(r'<img((?: [\w-]+="[^"]*")+)>')
_ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')
_PIXELS = re.compile(r"\s*(\d{1,6})(?:\.\d*)?\s*(?:px)?\s*")
# Addresses of pictures that say nothing about an entry: emoji, buttons, counters, advertisements.
_DECORATION = re.compile(
    r"//(?:s\.w\.org|[\w.]*gravatar\.com|feeds\.feedburner\.com|[\w.]*feedsportal\.com"
    r"|[\w.]*doubleclick\.net|(?:pixel|stats)\.(?:wp|wordpress)\.com|img\.shields\.io)/"
    r"|/(?:emojis?|twemoji|smil(?:ey|ie)s?|icons?|avatars?|badges?|buttons?)/"
    r"|/(?:1x1|blank|clear|counter|favicon|icon|pixel|spacer|tracker|transparent)\.\w+(?:[?#]|$)",
    re.IGNORECASE,
)


def first_picture(html: str) -> str | None:
    """The address of the first picture that shows what an entry is about, None if there is none.

    ``html`` must be cleaned. Emoji, icons, counters and pictures of less than 64 pixels do not count.
    """
    for tag in _PICTURE.finditer(html):
        attributes = {name: unescape(value) for name, value in _ATTRIBUTE.findall(tag[1])}
        url = attributes.get("src", "")
        sizes = [_PIXELS.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
        is_small = any(size and int(size[1]) < _MIN_PIXELS for size in sizes)
        if is_web(url) and not is_small and not _DECORATION.search(url):
            return url
    return None
