"""Recognises the addresses of bookmark feeds that only their owner knows.

Services give such an address to read private bookmarks without a password. The bookmarks behind it are
not known to be public.
"""

import re
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit

from aggregator.text import urls

_PATHS = re.compile(
    r"/secret:"  # Pinboard
    r"|/private[/-]"
    r"|/feeds/[^/]+/(?:all|unread|shared)\b"  # linkding; /feeds/shared is public
    r"|/feed/[^/]+/[^/]+/(?:all|unread|archive|starred|annotated|tags)\b"  # Wallabag
    r"|/[^/]+/[^/]+/(?:all|unread|archive|starred)\.xml$"  # Wallabag until 2.3
    r"|/rss/\d+/\w+"  # Instapaper
    r"|/starred/\w+\.xml$"  # Feedbin
    r"|/starred_rss/"  # NewsBlur
)
_PARAMETERS = ("private", "unlisted")
_RUN = re.compile(r"[A-Za-z0-9]+")
_MIN_TOKEN_CHARACTERS, _MIN_CHANGES = 12, 4  # between capitals, small letters and digits


def is_private_address(url: str) -> bool:
    """Whether an address contains a secret: a password, a token, or a path that names one."""
    parts = urlsplit(url)
    return (
        urls.without_secrets(url) != url
        or bool(_PATHS.search(parts.path))
        or _is_token(parts.path)
        or any(n.lower() in _PARAMETERS or _is_token(v) for n, v in parse_qsl(parts.query))
    )


def _is_token(text: str) -> bool:
    """Whether a run of letters and digits in ``text`` looks random: "gNeOvHDV2rdg5Kd", not "Communs2026"."""
    return any(
        len(run) >= _MIN_TOKEN_CHARACTERS
        and any(map(str.isdigit, run))
        and sum(_kind(first) != _kind(second) for first, second in pairwise(run)) >= _MIN_CHANGES
        for run in _RUN.findall(text)
    )


def _kind(character: str) -> tuple[bool, bool]:
    return character.isdigit(), character.isupper()
