"""Which of an entry's texts are its content and its summary. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

# The elements by what publishers put into them. The names are feedparser's.
_FULL = {"content", "content_encoded", "body", "xhtml_body", "fullitem"}
_SHORT = {"description", "dc_description", "abstract", "dcterms_abstract", "summary"}
# For other programs, or about pictures: used where nothing else exists, in this order.
_LAST_RESORT = (
    "itunes_summary", "googleplay_description", "media_description", "media_text",
    "itunes_subtitle",
)  # fmt: skip
_FOR_PODCASTS = {"itunes_summary", "googleplay_description"}
_TAG = re.compile(r"<[^<>]*>")
_MARKUP = re.compile(r"<[a-zA-Z/]")
_MARKUP_FACTOR = 1.25  # markup is worth as much as a quarter of the text


@dataclass(frozen=True, slots=True)
class Text:
    """A text of an entry as HTML that is not sanitised. ``element`` is feedparser's name of it."""

    element: str
    html: str
    is_markup: bool = True
    language: str = ""
    base: str = ""


def text_from_detail(detail: dict[str, str]) -> Text | None:
    """The text of a dictionary of `feedparser_fixes`; None if it is empty or not readable."""
    value, media_type = detail["value"] or "", detail.get("type") or "text/plain"
    element = detail["element"]
    if element.startswith("media_"):  # plain unless it says otherwise, whatever it looks like
        media_type = detail["declared_type"]
    language, base = detail.get("language") or "", detail.get("base") or ""
    if "html" in media_type:
        html, is_markup = value, True
    elif media_type.startswith("text/"):
        html, is_markup = escape(value, quote=False), False
        if element in _LAST_RESORT or media_type != "text/plain":
            html = html.strip().replace("\n", "<br>\n")
    else:
        return None
    return Text(element, html, is_markup, language, base) if html.strip() else None


def choose_content_and_summary(texts: Sequence[Text]) -> tuple[Text | None, Text | None]:
    """The content and the summary of an entry, whatever the order of its elements.

    The table is in docs/outputs.md: the full text, else the richest of description and summary, else
    what was written for podcast programs or about pictures. No longer text is lost.
    """
    if len(texts) < 2:  # most entries
        return next(iter(texts), None), None
    full = [text for text in texts if text.element in _FULL]
    short = sorted((text for text in texts if text.element in _SHORT), key=_richness, reverse=True)
    if full:
        content = _joined(full) or max(full, key=lambda text: (text.is_markup, len(text.html)))
    elif short:
        content = short.pop(0)
    else:
        return next(_last_resort(texts), None), None
    podcast = [text for text in texts if text.element in _FOR_PODCASTS]
    longer = [text for text in podcast if not full and _richness(text) > _richness(content)]
    others = [text for text in (*longer, *short) if _words(text) != _words(content)]
    return content, next(iter(others), None)


def _joined(texts: Sequence[Text]) -> Text | None:
    """All parts of a text in several content:encoded; None if there is at most one."""
    parts = {_words(text): text for text in texts if text.element == "content_encoded"}
    if len(parts) < 2:
        return None
    first = next(iter(parts.values()))
    return replace(first, html="\n".join(text.html for text in parts.values()))


def _last_resort(texts: Sequence[Text]) -> Iterator[Text]:
    for element in _LAST_RESORT:
        same = [text for text in texts if text.element == element]
        if same:
            yield max(same, key=_richness)


def _richness(text: Text) -> float:
    length = len(_words(text))
    return length * _MARKUP_FACTOR if text.is_markup and _MARKUP.search(text.html) else length


def _words(text: Text) -> str:
    return " ".join(_TAG.sub(" ", text.html).split())
