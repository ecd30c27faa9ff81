"""Read JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/), unknown to feedparser.

Publishers often write what the specification does not say: an author as a string, tags in one string,
references such as ``&amp;`` in plain text. It is read where the meaning is clear, and ignored elsewhere.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any

from aggregator.model import Author, Category, Enclosure, Fetched, Source
from aggregator.parse.drafts import EntryDraft, FeedDraft, NotAFeed
from aggregator.parse.persons import read_persons
from aggregator.parse.sanitize import one_line
from aggregator.text.dates import read_date
from aggregator.text.decoding import decode_document
from aggregator.text.labels import split_labels
from aggregator.text.markup import replace_references
from aggregator.text.urls import absolute, host, is_web

_HEAD_BYTES = 1024
_MAX_DIGITS = 18  # of a number that stays a number; Python refuses more than 4,300
_TAG = re.compile(r"<[A-Za-z/!]")
_CLEARLY_HTML = re.compile(r"</[A-Za-z][A-Za-z0-9]*>|<(?:p|br|hr|img)\b", re.IGNORECASE)
_OWN_FIELDS = ("content_html", "content_text", "url", "date_published")  # of items


def looks_like_json(body: bytes) -> bool:
    """Whether the document starts like a JSON object, in any encoding; XML cannot."""
    return decode_document(body[:_HEAD_BYTES], is_markup=False).lstrip()[:1] == "{"


def read_jsonfeed(fetched: Fetched, now: datetime) -> FeedDraft:
    """Read a JSON Feed; values of the wrong type are ignored.

    Raises NotAFeed for any other JSON.
    """
    document = _load(fetched.body)
    all_items = _items(document)
    items = [item for item in all_items if isinstance(item, dict)]
    public_items = [item for item in items if not _is_private(item)]
    others, private = len(all_items) - len(items), len(items) - len(public_items)
    problems = {
        "some bytes are not valid UTF-8": _is_damaged(fetched.body),
        f"{others} items are no JSON objects": others,
        f"{private} private items were left out": private,
        "its publisher has ended this feed (expired)": document.get("expired") is True,
    }
    authors, language = list(_authors(document)), _text(document, "language")
    return FeedDraft(
        base=absolute(fetched.final_url, _text(document, "feed_url")) or fetched.final_url,
        title_html=_plain(document, "title"),
        link=_text(document, "home_page_url"),
        language=language,
        entries=[_entry(item, authors, language, now) for item in public_items],
        notes=[problem for problem, exists in problems.items() if exists],
    )


def _load(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises NotAFeed."""
    text = decode_document(body, is_markup=False)
    try:
        document = json.loads(
            text, strict=False, parse_int=_integer, parse_constant=lambda _: None
        )  # strict=False: line breaks in strings
    except (ValueError, RecursionError) as error:
        raise NotAFeed(f"invalid JSON ({error})") from error
    if not isinstance(document, dict):
        raise NotAFeed("JSON of another kind")
    return document


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _is_damaged(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return b"\0" not in body[:4]  # else UTF-16
    return False


def _items(document: dict[str, Any]) -> list[Any]:
    """The items of a document that is a JSON Feed by its version or its fields. Raises NotAFeed."""
    version, items = str(document.get("version", "")), document.get("items")
    is_feed = "jsonfeed" in version.lower()
    if isinstance(items, dict):  # as PHP writes a list with gaps
        items = list(items.values())
    if items is None and is_feed:
        return []
    if isinstance(items, list):
        fields = {name for item in items if isinstance(item, dict) for name in item}
        has_address = bool(_text(document, "home_page_url") or _text(document, "feed_url"))
        if is_feed or has_address or (version[:1] == "1" and fields.intersection(_OWN_FIELDS)):
            return items
    raise NotAFeed("JSON of another kind")


def _is_private(item: dict[str, Any]) -> bool:
    return item.get("_private") is True or item.get("private") is True


def _entry(
    item: dict[str, Any], authors: list[Author], feed_language: str, now: datetime
) -> EntryDraft:
    language = _text(item, "language")
    return EntryDraft(
        guid=_scalar(item, "id").strip(),
        title_html=_plain(item, "title"),
        link=_text(item, "url") or _text(item, "external_url"),
        summary_html=_summary(item),
        content_html=_content(item),
        authors=list(_authors(item)) or authors,
        categories=[Category(tag) for tag in _tags(item)],
        enclosures=[_enclosure(a) for a in _list(item, "attachments") if isinstance(a, dict)],
        published=_date(item, "date_published", now, language or feed_language),
        updated=_date(item, "date_modified", now, language or feed_language),
        language=language,
        image=_text(item, "image") or _text(item, "banner_image"),
        source=_source(item, now),
    )


def _content(item: dict[str, Any]) -> str:
    """The content as HTML, with a link to the page that it is about, if it has none."""
    content = _text(item, "content_html")
    if not content:
        content = _lines(escape(_text(item, "content_text"), quote=False))
    elif not _TAG.search(content):
        content = _lines(content)
    about = _text(item, "external_url")
    if about and _text(item, "url") not in ("", about) and about not in content:
        address = absolute("", about)
        if address and escape(about) not in content:
            link = f'<a href="{escape(address)}">{escape(host(address))}</a>'
            content += f"<p>{link}</p>"
    return content


def _lines(text: str) -> str:
    return text.strip().replace("\r\n", "\n").replace("\n", "<br>")


def _summary(item: dict[str, Any]) -> str:
    """The summary as HTML. It is plain text, and many publishers write HTML."""
    summary = _text(item, "summary")
    return summary if _CLEARLY_HTML.search(summary) else _plain(item, "summary")


def _authors(holder: dict[str, Any]) -> Iterator[Author]:
    """Those of 1.1, or else the one of 1.0; objects, or names alone. A person without name is left out."""
    for person in _list(holder, "authors") or _list(holder, "author"):
        details = person if isinstance(person, dict) else {"name": person}
        if _text(details, "name"):
            yield from read_persons(_plain(details, "name"), uri=_text(details, "url"))


def _tags(item: dict[str, Any]) -> Iterator[str]:
    """Those of a list, or of a string with commas between them; those of an aggregator are left out."""
    tags, reader_tags = item.get("tags"), _list(item, "_reader_tags")
    if isinstance(tags, str):
        tags = list(split_labels(tags))
    for tag in tags if isinstance(tags, list) else ():
        name = (tag.get("name") or tag.get("label")) if isinstance(tag, dict) else tag
        if isinstance(name, str) and name not in reader_tags:
            yield _escape(name)


def _source(item: dict[str, Any], now: datetime) -> Source | None:
    """The feed from which an aggregator has an item, as `publish.jsonfeed` writes it."""
    source = item.get("_source")
    if not isinstance(source, dict) or not (_text(source, "id") and _text(source, "title")):
        return None
    home, address = _text(source, "home_page_url"), _text(source, "feed_url")
    return Source(
        id=_text(source, "id"),
        title=one_line(_text(source, "title")),
        link=home if is_web(home) else None,
        self_url=address if is_web(address) else None,
        updated=read_date(_text(source, "date_modified"), now),
        rights=one_line(_text(source, "rights")) or None,
    )


def _enclosure(attachment: dict[str, Any]) -> Enclosure:
    return Enclosure(
        _text(attachment, "url"),
        _text(attachment, "mime_type") or None,
        _count(attachment, "size_in_bytes"),
        _count(attachment, "duration_in_seconds"),
        replace_references(_text(attachment, "title")) or None,
    )


def _date(item: dict[str, Any], key: str, now: datetime, language: str) -> datetime | None:
    return read_date(_scalar(item, key), now, language=language or None)


def _count(holder: dict[str, Any], key: str) -> int | None:
    """A number that is not negative, also as a string."""
    try:
        number = float(_scalar(holder, key))
    except ValueError:
        return None
    return round(number) if 0 <= number < 10**_MAX_DIGITS else None


def _plain(holder: dict[str, Any], key: str) -> str:
    """Plain text as HTML."""
    return _escape(_scalar(holder, key))


def _escape(text: str) -> str:
    return escape(replace_references(text), quote=False)


def _scalar(holder: dict[str, Any], key: str) -> str:
    """A string or a number, as a string: 12.0 is "12"."""
    value = holder.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_scalar else ""


def _text(holder: dict[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    """A list, or a single value as a list."""
    value = holder.get(key)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
