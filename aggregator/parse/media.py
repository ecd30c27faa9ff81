"""The enclosures and the picture of an entry, from all the ways to state them. Pure."""

import mimetypes
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aggregator.model import Enclosure
from aggregator.parse.feedparser_fixes import media_type_of
from aggregator.parse.sanitize import one_line, text_from_html
from aggregator.text.urls import host, join

MAX_ENCLOSURES = 100
_TYPES = mimetypes.MimeTypes()  # the table of Python, not that of the machine
for _type, _endings in {
    "audio/mp4": ".m4a .m4b",
    "audio/ogg": ".ogg .oga .opus",
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "video/ogg": ".ogv",
    "video/mp4": ".m4v",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "application/epub+zip": ".epub",
}.items():
    for _ending in _endings.split():
        _TYPES.add_type(_type, _ending)
_MAX_TITLE_CHARACTERS = 1000
_DURATION = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,5}):)?(\d{1,9})(?:[.,]\d*)?", re.ASCII)
_MEDIA_TYPES = ("audio/", "video/", "image/", "application/", "text/")
_USELESS_TYPES = ("application/x-shockwave-flash",)
_UNKNOWN_TYPE = "application/octet-stream"
_TYPES_OF_MEDIA = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4"}
_AVATAR_HOST = re.compile(r"(?:[\w-]+\.)?gravatar\.com|avatars\d*\.githubusercontent\.com")
_MAX_ICON_PIXELS = 50


def read_media(entry: Any) -> tuple[list[Enclosure], str]:
    """The enclosures of a feedparser entry, and the address of its picture ("" if it has none).

    A picture is an enclosure too if it is more than a thumbnail. Addresses may be relative.
    """
    items = [item for item in entry.get("media", []) if not _is_avatar(item)]
    enclosures = [_from_link(link) for link in entry.get("links", ())]
    enclosures += [_from_content(text) for text in entry.get("texts", ()) if text["src"]]
    contents = [item for item in items if item["element"] == "media_content"]
    enclosures += [_from_media(item, entry) for item in _one_of_each_group(contents)]
    merged = merge_enclosures(filter(None, enclosures))
    if not merged:  # nothing but a page with a player
        merged = [Enclosure(_address(item), "text/html") for item in items if _is_player(item)][:1]
    duration = read_duration(entry.get("itunes_duration") or "")
    if duration:
        merged = _with_duration(merged, duration)
    widths = {_address(item): _width(item) for item in contents}
    pictures = [e.url for e in merged if (e.type or "").startswith("image/")]
    pictures.sort(key=lambda url: -widths.get(url, 0))
    thumbnails = [_address(item) for item in _largest_first(items)]
    image = next(filter(None, (*pictures, *thumbnails)), "")
    return merged, image


def merge_enclosures(enclosures: Iterable[Enclosure]) -> list[Enclosure]:
    """Each address once, with what any of its mentions says about it; pictures in one size."""
    merged: dict[str, Enclosure] = {}
    for new in enclosures:
        is_picture = (new.type or "").startswith("image/")
        key = new.url.partition("?")[0] if is_picture else new.url
        old = merged.get(key, new)
        if key not in merged and len(merged) >= MAX_ENCLOSURES:
            break
        merged[key] = Enclosure(
            old.url,
            old.type or new.type,
            old.length_bytes or new.length_bytes,
            old.duration_seconds or new.duration_seconds,
            old.title or new.title,
        )
    return list(merged.values())


def read_duration(text: str) -> int | None:
    """Seconds of "3600", "62:03" or "1:02:03"; None for anything else, and for 0."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds or None


def read_length(text: str | None) -> int | None:
    """A number of bytes; None where the publisher wrote something else, or 0 for unknown."""
    text = (text or "").strip()
    return int(text) or None if text.isascii() and text.isdecimal() and len(text) < 16 else None


def guess_media_type(url: str, stated: str | None, medium: str | None = None) -> str | None:
    """The stated media type, else the one of the file's extension or of Media RSS's ``medium``."""
    if stated and "/" in stated and stated != _UNKNOWN_TYPE:
        return stated
    guess = _TYPES.guess_type(urlsplit(url).path)[0]
    if guess and guess.startswith(_MEDIA_TYPES) and "html" not in guess:
        return guess
    return _TYPES_OF_MEDIA.get(medium or "") or (stated if stated == _UNKNOWN_TYPE else None)


def _from_link(link: Any) -> Enclosure | None:
    url = (link.get("href") or "").strip()
    if link.get("rel") != "enclosure" or not url:
        return None
    media_type = guess_media_type(url, media_type_of(link))
    length, title = read_length(link.get("length")), _title(link.get("title"))
    return Enclosure(url, media_type, length, title=title)


def _from_content(text: dict[str, str]) -> Enclosure | None:
    """Content that is elsewhere (RFC 4287 section 4.1.3.2)."""
    media_type = text["declared_type"]
    is_page = "html" in media_type or media_type == "text/plain"
    return None if is_page else Enclosure(join(text.get("base") or "", text["src"]), media_type)


def _from_media(item: dict[str, Any], entry: Any) -> Enclosure | None:
    """A media:content (https://www.rssboard.org/media-rss#media-content)."""
    url = _address(item)
    if not url or item.get("type") in _USELESS_TYPES:
        return None
    shared = entry.get("all_media", {})
    title = _caption(item) or _caption(shared)
    return Enclosure(
        url,
        guess_media_type(url, item.get("type"), item.get("medium")),
        read_length(item.get("filesize")),
        read_duration(item.get("duration") or ""),
        title,
    )


def _caption(item: dict[str, Any]) -> str | None:
    """The description or else the title of a media element, as plain text."""
    for key in ("description", "title"):
        if text := item.get(key):
            value = text["value"] or ""
            is_html = "html" in text["declared_type"]
            if caption := _title(text_from_html(value) if is_html else value):
                return caption
    return None


def _title(text: str | None) -> str | None:
    return one_line(text or "")[:_MAX_TITLE_CHARACTERS] or None


def _address(item: dict[str, Any]) -> str:
    url = (item.get("url") or item.get("href") or "").strip()
    return join(item["base"], url) if url else ""


def _is_avatar(item: dict[str, Any]) -> bool:
    """Whether it shows the author, or is an icon."""
    sizes = [read_length(item.get(name)) for name in ("width", "height")]
    is_icon = all(size is not None and size <= _MAX_ICON_PIXELS for size in sizes)
    return is_icon or bool(_AVATAR_HOST.fullmatch(host(_address(item))))


def _is_player(item: dict[str, Any]) -> bool:
    return item["element"] == "media_player" and bool(_address(item))


def _width(item: dict[str, Any]) -> int:
    return read_length(item.get("width")) or 0


def _one_of_each_group(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A media:group has renditions of one thing: of each medium take the default, else the widest.

    So have several addresses that differ only in their parameters.
    """
    chosen: dict[tuple[int | str, str], dict[str, Any]] = {}
    for item in items:
        medium = item.get("medium") or (item.get("type") or "").partition("/")[0]
        key = (item["group"] or _address(item).partition("?")[0], medium)
        best = chosen.get(key)
        if best is None or _rank(item) > _rank(best):
            chosen[key] = item
    return list(chosen.values())


def _rank(item: dict[str, Any]) -> tuple[bool, int]:
    return item.get("isdefault") == "true", _width(item)


def _largest_first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    thumbnails = [i for i in items if i["element"] in ("media_thumbnail", "itunes_image", "image")]
    return sorted(thumbnails, key=lambda item: -_width(item))


def _with_duration(enclosures: list[Enclosure], seconds: int) -> list[Enclosure]:
    """itunes:duration is that of the audio or video files, which are one episode in several formats."""
    return [
        replace(enclosure, duration_seconds=seconds)
        if (enclosure.type or "").startswith(("audio/", "video/"))
        and not enclosure.duration_seconds
        else enclosure
        for enclosure in enclosures
    ]
