"""Lists of bookmarks in JSON: the exports of Pinboard and Wallabag, the answers of Shaarli's API.

Each bookmark is an object. The services name the same things differently:

link: href (Pinboard), url             title: description (Pinboard), title
note: extended (Pinboard), description  tags: "a b" (Pinboard), ["a", "b"], [{"label": "a"}]
public: shared = "yes" (Pinboard), private = false (Shaarli), is_public = true (Wallabag)
"""

import json
import re
from collections.abc import Mapping

from aggregator.clippings.fields import is_true, public_tags, read_time
from aggregator.errors import ConfigError, Diagnostic
from aggregator.model import Clipping
from aggregator.text.decoding import decode_document
from aggregator.text.urls import is_web

_LIST = re.compile(r"\s*\[\s*[{\]]")
_HEAD_BYTES = 4096
_MAX_TITLE_CHARACTERS = 1000
_TIMES = ("time", "created", "created_at", "date_added", "date")


def is_json_bookmarks(data: bytes) -> bool:
    """Whether ``data`` starts like a list of objects in JSON."""
    return bool(_LIST.match(decode_document(data[:_HEAD_BYTES], is_markup=False)))


def parse_json_bookmarks(
    data: bytes, file: str
) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every bookmark with a web address. Raises ConfigError if it is not JSON."""
    try:
        bookmarks = json.loads(decode_document(data, is_markup=False), strict=False)
    except (ValueError, RecursionError) as error:
        raise ConfigError((Diagnostic(file, None, f"not valid JSON: {error}"),)) from error
    clippings: list[Clipping] = []
    warnings: list[Diagnostic] = []
    for number, bookmark in enumerate(bookmarks, 1):
        clipping = _make_clipping(bookmark) if isinstance(bookmark, dict) else None
        if clipping:
            clippings.append(clipping)
        else:
            message = f"left out bookmark {number}: it has no web address"
            warnings.append(Diagnostic(file, None, message))
    if not bookmarks:
        warnings.append(Diagnostic(file, None, "no bookmark found"))
    return tuple(clippings), tuple(warnings)


def _make_clipping(bookmark: Mapping[str, object]) -> Clipping | None:
    is_pinboard = "href" in bookmark
    title, note = ("description", "extended") if is_pinboard else ("title", "description")
    link = _text(bookmark, "href" if is_pinboard else "url").strip()
    if not is_web(link):
        return None
    words = _text(bookmark, title)[:_MAX_TITLE_CHARACTERS].split()
    return Clipping(
        title=" ".join(words) or link,
        link=link,
        excerpt=_text(bookmark, note).strip(),
        tags=public_tags(_tags(bookmark.get("tags", bookmark.get("tag_names")))),
        clipped_at=next(filter(None, (read_time(bookmark.get(name)) for name in _TIMES)), None),
        private=_is_private(bookmark),
    )


def _tags(value: object) -> list[str]:
    """Pinboard's tags are words in one string."""
    if isinstance(value, str):
        return value.split()
    tags = value if isinstance(value, list) else []
    names = (tag.get("label") if isinstance(tag, dict) else tag for tag in tags)
    return [name for name in names if isinstance(name, str)]


def _is_private(bookmark: Mapping[str, object]) -> bool:
    """Whether the bookmark is not marked as public, where its format has such a mark."""
    public = [bookmark[name] for name in ("shared", "is_public", "public") if name in bookmark]
    private = [bookmark.get(name) for name in ("private", "is_private")]
    words = [str(bookmark.get(name)).lower() for name in ("visibility", "status")]
    return any(map(is_true, private)) or not all(map(is_true, public)) or "private" in words


def _text(bookmark: Mapping[str, object], name: str) -> str:
    value = bookmark.get(name)
    return value if isinstance(value, str) else ""
