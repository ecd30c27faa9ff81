"""Corrections of what feedparser 6.0 reads wrongly, each with the test that proves it.

feedparser has a handler for each element. Its handlers merge elements that mean different things: the
description of a picture becomes the text of the post. The handlers here keep them apart. They write
these keys of an entry:

- ``texts``: a dictionary for each element that may be the text, with its ``element``, ``value``,
  ``type``, ``language`` and ``base``. (`test_each_text_is_kept_apart`)
- ``media``: a dictionary for each media:content, media:thumbnail, media:player, itunes:image and image,
  with its ``element``, its attributes, ``base``, ``group``, and a ``title`` and ``description`` that
  belong to it. ``all_media`` has those that belong to no single one.
  (`test_caption_belongs_to_its_picture`)
- ``authors``: one for each element, with its ``text`` or its ``name``, ``email`` and ``href``. feedparser
  looks for e-mail addresses with a pattern that cuts "mastodon.social" short, and gives an author
  without an address the one before's. (`test_names_are_kept_as_written`)
- ``guid_is_address``: feedparser stores a guid as a link. (`test_relative_link_after_the_guid`)
- ``source``: HTML's element of this name would empty it. (`test_source_beside_a_picture_element`)

Four more corrections are applied where they belong:

- A string argument may open a file or an address, so `feedparser_reader` passes BytesIO.
  (`test_no_file_is_opened`)
- With a base address it resolves guids too, so it gets none; `normalize` resolves the links.
  (`test_moved_feed_keeps_its_entries`)
- Its sanitiser lets text/plain through, so `sanitize` does all cleaning. (test_sanitize.py)
- It believes declarations of encodings, so `encoding` converts documents to UTF-8.
  (`test_wrongly_declared_encodings`)
"""

import re
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import feedparser.api
from feedparser.mixin import _FeedParserMixin as Original

_RSS_ELEMENT = re.compile(rb"<(?:\w+:)?(?:channel|image|item|textinput)\b(?:[^>]*[^/>])?>", re.I)
_HTML, _TEXT = "text/html", "text/plain"
# feedparser's name of each element that may be the text of an entry, and its type if it states none.
_TEXTS = {
    "content": _TEXT,
    "content_encoded": _HTML,
    "body": "application/xhtml+xml",
    "xhtml_body": "application/xhtml+xml",
    "fullitem": _HTML,
    "description": _HTML,
    "dc_description": _HTML,
    "abstract": _TEXT,
    "dcterms_abstract": _HTML,
    "summary": _TEXT,
    "itunes_summary": _TEXT,
    "itunes_subtitle": _TEXT,
    "googleplay_description": _TEXT,
    "media_description": _TEXT,
    "media_text": _TEXT,
}
_lock = threading.Lock()  # a thread must not restore the parsers while another one parses
_MEDIA = ("media_content", "media_thumbnail", "media_player", "itunes_image")


def parse(body: bytes, content_type: str) -> Any:
    """feedparser's result with the corrections. ``body`` is in UTF-8.

    The parsers are replaced during this call only, so that other users of feedparser in the process
    get what it documents.
    """
    api = feedparser.api
    with _lock:
        originals = api.StrictFeedParser, api.LooseFeedParser
        api.StrictFeedParser, api.LooseFeedParser = _StrictParser, _LooseParser
        try:
            return feedparser.parse(
                BytesIO(body),
                response_headers={"content-type": content_type},
                sanitize_html=False,
                resolve_relative_uris=False,
            )
        finally:
            api.StrictFeedParser, api.LooseFeedParser = originals


_Start = Callable[[Any, dict[str, str]], None]
_End = Callable[[Any], None]


def _text_handlers(element: str, default_type: str) -> tuple[_Start, _End]:
    """Handlers that keep each text of an entry; outside entries they do what feedparser does."""
    feed_start = getattr(Original, f"_start_{element}", None)
    feed_end = getattr(Original, f"_end_{element}", None)
    stack_name = f"text {element}"

    def start(parser: Any, attributes: dict[str, str]) -> None:
        if _is_in_entry(parser) and parser.inimage:
            parser.push(element, 0)  # about the picture of an item
        elif _is_in_entry(parser):
            parser.push_content(stack_name, attributes, default_type, 1)
            parser.contentparams["declared_type"] = parser.contentparams["type"]
            parser.contentparams["src"] = attributes.get("src", "")
        elif feed_start and not element.startswith("media_"):
            feed_start(parser, attributes)
        else:
            parser.push(element, 1)

    def end(parser: Any) -> None:
        if parser.elementstack and parser.elementstack[-1][0] == stack_name:
            is_caption = element == "description" and "open_media" in parser.entries[-1]
            name = "media_description" if is_caption else element
            text = _pop_text(parser, stack_name) | {"element": name}
            parser.entries[-1].setdefault("texts", []).append(text)
            if name == "media_description":
                _describe(parser, "description", text)
        elif feed_end and not _is_in_entry(parser) and not element.startswith("media_"):
            feed_end(parser)
        else:  # an HTML element inside a text, such as "summary"
            parser.pop(element)

    return start, end


def _pop_text(parser: Any, stack_name: str) -> dict[str, str]:
    value = parser.pop(stack_name)
    text = dict(parser.contentparams, value=value)
    parser.incontent -= 1
    parser.contentparams.clear()
    return text


def _is_in_entry(parser: Any) -> bool:
    return bool(parser.inentry and not parser.insource)


def _media_handlers(element: str) -> tuple[_Start, _End]:
    def start(parser: Any, attributes: dict[str, str]) -> None:
        parser.push(element, 0)
        if _is_in_entry(parser):
            entry = parser.entries[-1]
            item = attributes | {"element": element, "base": parser.baseuri}
            item["group"] = entry.get("media_groups", 0) if parser.in_media_group else 0
            entry.setdefault("media", []).append(item)
            if element == "media_content":
                entry["open_media"] = item

    def end(parser: Any) -> None:
        address = parser.pop(element)
        if _is_in_entry(parser):
            entry = parser.entries[-1]
            if element == "media_content":
                entry.pop("open_media", None)
            elif address and entry.get("media"):  # some write the address as text
                entry["media"][-1].setdefault("url", address)

    return start, end


def _start_media_group(parser: Any, attributes: dict[str, str]) -> None:
    parser.in_media_group = True
    if _is_in_entry(parser):
        parser.entries[-1]["media_groups"] = parser.entries[-1].get("media_groups", 0) + 1


def _end_media_group(parser: Any) -> None:
    parser.in_media_group = False


def _start_media_title(parser: Any, attributes: dict[str, str]) -> None:
    parser.push_content("media title", attributes, _TEXT, 1)
    parser.contentparams["declared_type"] = parser.contentparams["type"]


def _end_media_title(parser: Any) -> None:
    if parser.elementstack and parser.elementstack[-1][0] == "media title":
        title = _pop_text(parser, "media title")
        if _is_in_entry(parser):
            _describe(parser, "title", title)


def _start_title(parser: Any, attributes: dict[str, str]) -> None:
    if _is_in_entry(parser) and (parser.inimage or "open_media" in parser.entries[-1]):
        parser.push("picture title", 0)
    else:
        Original._start_title(parser, attributes)


def _end_title(parser: Any) -> None:
    if parser.elementstack and parser.elementstack[-1][0] == "picture title":
        parser.pop("picture title")
    else:
        Original._end_title(parser)


def _describe(parser: Any, key: str, text: dict[str, str]) -> None:
    """Add a title or description to the open media:content, or else to all media of the entry."""
    entry = parser.entries[-1]
    entry.get("open_media", entry.setdefault("all_media", {})).setdefault(key, text)


def _end_author(parser: Any) -> None:
    text = parser.pop("author")
    if parser.inauthor:
        parser.inauthor = 0
        author = parser._get_context()["authors"][-1]
        if text and not author:
            author["text"] = text


def _end_guid(parser: Any) -> None:
    parser.pop("id")
    parser._save("guid_is_address", bool(parser.guidislink))


def _end_published(parser: Any) -> None:
    parser.pop("published")


def _end_updated(parser: Any) -> None:
    parser.pop("updated")


def _end_image(parser: Any) -> None:
    address = parser.pop("image")
    parser.inimage = 0
    if _is_in_entry(parser):
        address = address or parser.entries[-1].pop("href", "")
        item = {"element": "image", "url": address, "base": parser.baseuri, "group": 0}
        parser.entries[-1].setdefault("media", []).append(item)


def _end_source(parser: Any) -> None:
    if parser.insource:  # else it is HTML's element, inside a text
        Original._end_source(parser)


class _Handlers:
    """The handlers that replace those of feedparser."""

    in_media_group = False
    namespaces = Original.namespaces | {
        "http://www.google.com/schemas/play-podcasts/1.0": "googleplay"
    }
    _start_media_group, _end_media_group = _start_media_group, _end_media_group
    _start_media_title, _end_media_title = _start_media_title, _end_media_title
    _start_title, _end_title = _start_title, _end_title
    _end_author = _end_managingeditor = _end_author
    _end_guid = _end_id = _end_guid
    # `dates` reads them.
    _end_published = _end_issued = _end_pubdate = _end_published
    _end_updated = _end_modified = _end_lastbuilddate = _end_updated
    _end_image = _end_image
    _end_source = _end_source

    def push_content(self, *arguments: Any) -> None:
        """With a plain dictionary. feedparser looks into it for each piece of text, and its own kind
        of dictionary would take a tenth of the time of reading a feed."""
        super().push_content(*arguments)  # type: ignore[misc]
        self.contentparams: dict[str, str] = dict(self.contentparams)

    def _sync_author_detail(self, key: str = "author") -> None:
        """feedparser looks for addresses here; `persons` does that."""


for _element, _default_type in _TEXTS.items():
    _start, _end = _text_handlers(_element, _default_type)
    setattr(_Handlers, f"_start_{_element}", _start)
    setattr(_Handlers, f"_end_{_element}", _end)
for _element in _MEDIA:
    _start, _end = _media_handlers(_element)
    setattr(_Handlers, f"_start_{_element}", _start)
    setattr(_Handlers, f"_end_{_element}", _end)


class _StrictParser(_Handlers, feedparser.api.StrictFeedParser):  # type: ignore[misc]
    """For well-formed documents."""


class _LooseParser(_Handlers, feedparser.api.LooseFeedParser):  # type: ignore[misc]
    """For all others."""


def is_other_rdf(version: str, body: bytes) -> bool:
    """Whether a document with this feedparser version is RDF, but not RSS 1.0.

    feedparser calls every document that declares the namespace of RSS 1.0 a feed, also a list of
    people and their blogs (FOAF). Its channels are references, without content.
    (`test_document_that_is_not_a_feed_fails_with_its_kind`)
    """
    return version in ("rss10", "rss090") and not _RSS_ELEMENT.search(body)


def own_value(entry: Any, key: str) -> Any:
    """The value of ``key``, None if the entry does not have it.

    ``entry.get("updated")`` falls back to ``published``. (`test_missing_updated_date_is_not_the_published_one`)
    """
    return entry[key] if key in entry else None  # noqa: SIM401 (get is what this avoids)


def media_type_of(link: Any) -> str | None:
    """The media type of a link; feedparser calls every link without one "text/html".

    No enclosure is HTML. (`test_enclosure_without_a_type_gets_none`)
    """
    media_type = link.get("type")
    return None if media_type == "text/html" else media_type
