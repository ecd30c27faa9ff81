"""Sanitise untrusted HTML and turn it into plain text. The one file that uses nh3."""

import html
import re
from functools import lru_cache

import nh3

from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.urls import is_web

_MAX_CHARACTERS = 1024 * 1024
# Every illegal character has one of these in UTF-8. Searching bytes is several times faster.
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\r"})
_ILLEGAL_STARTS = (b"\xc2", b"\xed", b"\xef\xbf")  # U+0080 to U+00BF; surrogates; U+FFC0 to U+FFFF
_LINE_SPACES = re.compile("[ \t\r\n\f\u2028\u2029]+")
# All that nh3 writes.
_REFERENCES = (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_SPACES = "\t\r\f\u200b\ufeff"  # besides space and line feed
_IFRAME_START = re.compile("<[iI][fF][rR][aA][mM][eE]")
_ATTRIBUTE = r' [\w-]+="[^"]*"'  # as nh3 writes it; some versions leave ">" in values
_TRACKING_PIXEL = re.compile(
    rf'<img(?:{_ATTRIBUTE})*? (?:width|height)="[01](?:px)?"(?:{_ATTRIBUTE})*>'
)
_DROPPED_WITH_CONTENT = {
    "script", "style", "noscript", "template", "iframe", "object", "svg", "math", "form",
    "button", "select", "textarea", "title", "head", "audio", "video",
}  # fmt: skip
_TAGS = {
    "a", "abbr", "b", "bdi", "bdo", "blockquote", "br", "caption", "cite", "code", "col",
    "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q",
    "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"lang", "dir", "title"},
    "a": {"href", "hreflang"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "img": {"src", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "ol": {"start"},
    "q": {"cite"},
    "td": {"colspan", "rowspan", "headers"},
    "th": {"colspan", "rowspan", "headers", "scope"},
    "time": {"datetime"},
}  # fmt: skip
_IFRAME_ATTRIBUTES = {"iframe": {"src", "width", "height", "title", "allowfullscreen"}}
# Audio and video players that publishers embed. All other frames are removed.
_PLAYER_URL = re.compile(
    r"(?:https?:)?//(?:www\.youtube(?:-nocookie)?\.com/embed/|player\.vimeo\.com/video/"
    r"|(?:www\.dailymotion\.com|geo\.dailymotion\.com)/|archive\.org/embed/"
    r"|w\.soundcloud\.com/player/|bandcamp\.com/EmbeddedPlayer/|player\.acast\.com/"
    r"|embed\.podcasts\.apple\.com/|open\.spotify\.com/embed/"
    r"|[\w.-]+/videos/embed/[\w-]+(?:[?#]|$))"  # PeerTube, on any host
)
_IFRAME_ELEMENT = re.compile(rf"<iframe((?:{_ATTRIBUTE})*)>(.*?)</iframe>", re.DOTALL)
_SCHEMES = {"http", "https", "mailto"}
_BLOCKS = {
    "p", "div", "br", "li", "dd", "dt", "tr", "td", "th", "blockquote", "pre", "hr", "h1", "h2",
    "h3", "h4", "h5", "h6", "figcaption", "caption", "ul", "ol", "table",
}  # fmt: skip
_PARAGRAPH = re.compile(r"</?(?:p|div|blockquote|pre|h[1-6]|ul|ol|table|hr|tr)>")
_TAG = re.compile(r"<[^>]*>")


def remove_illegal(text: str) -> str:
    """``text`` without lone surrogates and the characters that XML documents cannot contain."""
    if text.isprintable():
        return text
    data = text.encode("utf-8", "surrogatepass")
    if any(start in data for start in _ILLEGAL_STARTS) or data != data.translate(None, _CONTROLS):
        return XML_ILLEGAL.sub("", text)
    return text


def _is_clean_line(text: str) -> bool:
    """Whether ``text`` is one line of legal characters without runs of spaces.

    Most names, categories and titles are. The check is several times faster than cleaning.
    """
    return text.isprintable() and "  " not in text


@lru_cache(maxsize=256)
def _cleaner(base: str | None, *, with_iframes: bool = False) -> nh3.Cleaner:
    """``with_iframes``: for HTML that contains frames. Filtering each attribute takes time."""
    iframe_attributes = _IFRAME_ATTRIBUTES if with_iframes else {}
    return nh3.Cleaner(
        tags=_TAGS | iframe_attributes.keys(),
        clean_content_tags=_DROPPED_WITH_CONTENT - iframe_attributes.keys(),
        attributes=_ATTRIBUTES | iframe_attributes,
        attribute_filter=_allow_players if with_iframes else None,
        url_schemes=_SCHEMES,
        url_relative=("rewrite_with_base", base) if base else "deny",
    )


def _empty_iframe(frame: re.Match[str]) -> str:
    """The frame without its content, which browsers show as text; empty if it has no source."""
    attributes = frame[1]
    names = re.findall(r' ([\w-]+)="', re.sub(r'"[^"]*"', '""', attributes))
    return f"<iframe{attributes}></iframe>" if "src" in names else ""


def _allow_players(tag: str, name: str, value: str) -> str | None:
    if tag == "iframe" and name == "src" and not _PLAYER_URL.match(value):
        return None
    return value


_block_cleaner = nh3.Cleaner(
    tags=_BLOCKS,
    clean_content_tags=_DROPPED_WITH_CONTENT - {"title"},
    attributes={"*": set()},
    link_rel=None,
)


def clean_html(text: str, base: str) -> str:
    """Sanitise an HTML fragment and make its links absolute. Idempotent.

    Removes scripts, styles, forms, event handlers, tracking images of one pixel, and all frames
    except those of well-known players.
    """
    text = remove_illegal(text)[:_MAX_CHARACTERS].strip()
    if "<" not in text and "&" not in text:
        return html.escape(text, quote=False)
    if _IFRAME_START.search(text):
        with_iframes = remove_illegal(_cleaner(_usable_base(base), with_iframes=True).clean(text))
        cleaned = _IFRAME_ELEMENT.sub(_empty_iframe, with_iframes)
    else:
        cleaned = remove_illegal(
            _cleaner(_usable_base(base)).clean(text)
        )  # "&#27;" is a character now
    return _TRACKING_PIXEL.sub("", cleaned).strip()


@lru_cache(maxsize=256)
def _usable_base(base: str) -> str | None:
    if not is_web(base):
        return None
    try:
        nh3.clean("", url_relative=("rewrite_with_base", base))
    except ValueError:  # nh3's parser is stricter than Python's
        return None
    return base


def text_from_html(text: str) -> str:
    """The text of an HTML fragment: one line per block, a blank line between paragraphs."""
    if "<" not in text and "&" not in text and _is_clean_line(text):
        return text[:_MAX_CHARACTERS].strip()
    text = remove_illegal(text)[:_MAX_CHARACTERS]
    if "<" in text:
        text = _collapse_spaces(text.replace("\n", " "))
        # Only blocks without attributes remain, so every "<" in the text begins a tag.
        text = _block_cleaner.clean(text)
        text = _TAG.sub("\n", _PARAGRAPH.sub("\n\n", text))
        for reference, character in _REFERENCES:
            text = text.replace(reference, character)
    else:
        text = html.unescape(text)
    lines = [line.strip() for line in _collapse_spaces(text).split("\n")]
    text = "\n".join(lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return remove_illegal(text).strip()


def _collapse_spaces(text: str) -> str:
    """``text`` with runs of spaces collapsed; str.replace is faster than a pattern."""
    for space in _SPACES:
        text = text.replace(space, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def one_line(text: str) -> str:
    """``text`` with line breaks and runs of spaces collapsed; no-break spaces stay."""
    if _is_clean_line(text):
        return text.strip()
    return _LINE_SPACES.sub(" ", remove_illegal(text)).strip()
