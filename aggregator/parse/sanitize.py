"""Untrusted HTML -> HTML that nothing can run, and plain text. The one file that uses nh3."""

import html
import re
from functools import lru_cache

import nh3

from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.urls import is_web

_MAX_CHARACTERS = 1024 * 1024
# Nothing illegal is without these in UTF-8, and bytes are several times faster to look through.
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\r"})
_SUSPICIOUS = (b"\xc2", b"\xed", b"\xef\xbf")  # U+0080 to U+00BF; surrogates; U+FFC0 to U+FFFF
_BREAKS = re.compile("[ \t\r\n\f\u2028\u2029]+")
_REFERENCES = (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # all of nh3's
_SPACES = "\t\r\f\u200b\ufeff"  # beside the space and the line feed
_IFRAME = re.compile("<[iI][fF][rR][aA][mM][eE]")
_ATTRIBUTE = r' [\w-]+="[^"]*"'  # as nh3 writes them; some of its versions leave ">" in values
_PIXEL = re.compile(rf'<img(?:{_ATTRIBUTE})*? (?:width|height)="[01](?:px)?"(?:{_ATTRIBUTE})*>')
_DROPPED_WHOLE = {
    "script", "style", "noscript", "template", "iframe", "object", "svg", "math", "form",
    "button", "select", "textarea", "title", "head", "audio", "video",
}  # fmt: skip
_TAGS = {
    "a",
    "abbr",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
}
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
_FRAME = {"iframe": {"src", "width", "height", "title", "allowfullscreen"}}
# Players of sound and pictures that publishers embed; nothing else may frame itself in a feed.
_PLAYER = re.compile(
    r"(?:https?:)?//(?:www\.youtube(?:-nocookie)?\.com/embed/|player\.vimeo\.com/video/"
    r"|(?:www\.dailymotion\.com|geo\.dailymotion\.com)/|archive\.org/embed/"
    r"|w\.soundcloud\.com/player/|bandcamp\.com/EmbeddedPlayer/|player\.acast\.com/"
    r"|embed\.podcasts\.apple\.com/|open\.spotify\.com/embed/"
    r"|[\w.-]+/videos/embed/[\w-]+(?:[?#]|$))"  # PeerTube, on whatever host
)
_FRAMED = re.compile(rf"<iframe((?:{_ATTRIBUTE})*)>(.*?)</iframe>", re.DOTALL)
_SCHEMES = {"http", "https", "mailto"}
_BLOCKS = {
    "p", "div", "br", "li", "dd", "dt", "tr", "td", "th", "blockquote", "pre", "hr", "h1", "h2",
    "h3", "h4", "h5", "h6", "figcaption", "caption", "ul", "ol", "table",
}  # fmt: skip
_PARAGRAPH = re.compile(r"</?(?:p|div|blockquote|pre|h[1-6]|ul|ol|table|hr|tr)>")
_TAG = re.compile(r"<[^>]*>")


def legal(text: str) -> str:
    """``text`` without the characters that no XML document can hold (and lone surrogates)."""
    if text.isprintable():
        return text
    data = text.encode("utf-8", "surrogatepass")
    if any(start in data for start in _SUSPICIOUS) or data != data.translate(None, _CONTROLS):
        return XML_ILLEGAL.sub("", text)
    return text


def _is_plain(text: str) -> bool:
    """Whether ``text`` is one line of legal characters with no space but single ones.

    So are most names, categories and titles; asking is several times cheaper than cleaning.
    """
    return text.isprintable() and "  " not in text


@lru_cache(maxsize=256)
def _cleaner(base: str | None, *, framed: bool = False) -> nh3.Cleaner:
    """``framed``: for HTML with frames in it. Asking about each attribute takes time."""
    return nh3.Cleaner(
        tags=_TAGS | {"iframe"} if framed else _TAGS,
        clean_content_tags=_DROPPED_WHOLE - {"iframe"} if framed else _DROPPED_WHOLE,
        attributes=_ATTRIBUTES | _FRAME if framed else _ATTRIBUTES,
        attribute_filter=_only_known_frames if framed else None,
        url_schemes=_SCHEMES,
        url_relative=("rewrite_with_base", base) if base else "deny",
    )


def _empty(frame: re.Match[str]) -> str:
    """A frame without what stands in it, which is text to browsers and no HTML; or nothing."""
    attributes = frame[1]
    known = re.findall(r' ([\w-]+)="', re.sub(r'"[^"]*"', '""', attributes))
    return f"<iframe{attributes}></iframe>" if "src" in known else ""


def _only_known_frames(tag: str, name: str, value: str) -> str | None:
    if tag == "iframe" and name == "src" and not _PLAYER.match(value):
        return None
    return value


_to_blocks = nh3.Cleaner(
    tags=_BLOCKS,
    clean_content_tags=_DROPPED_WHOLE - {"title"},
    attributes={"*": set()},
    link_rel=None,
)


def clean_html(text: str, base: str) -> str:
    """An HTML fragment with nothing active in it and every link absolute; idempotent.

    Scripts, styles, forms and event handlers go, and so do frames, but for those of well-known
    players, and images of one pixel, which are there to watch the reader.
    """
    text = legal(text)[:_MAX_CHARACTERS].strip()
    if "<" not in text and "&" not in text:
        return html.escape(text, quote=False)
    if _IFRAME.search(text):
        framed = legal(_cleaner(_usable(base), framed=True).clean(text))
        cleaned = _FRAMED.sub(_empty, framed)
    else:
        cleaned = legal(_cleaner(_usable(base)).clean(text))  # "&#27;" is a character now
    return _PIXEL.sub("", cleaned).strip()


@lru_cache(maxsize=256)
def _usable(base: str) -> str | None:
    if not is_web(base):
        return None
    try:
        nh3.clean("", url_relative=("rewrite_with_base", base))
    except ValueError:  # an address that Python takes and nh3's stricter parser does not
        return None
    return base


def text_from_html(text: str) -> str:
    """The words of an HTML fragment: one line a block, a blank line between paragraphs."""
    if "<" not in text and "&" not in text and _is_plain(text):
        return text[:_MAX_CHARACTERS].strip()
    text = legal(text)[:_MAX_CHARACTERS]
    if "<" in text:
        text = _squeezed(text.replace("\n", " "))
        # Blocks without attributes: now every "<" in the text begins one of our own tags.
        text = _to_blocks.clean(text)
        text = _TAG.sub("\n", _PARAGRAPH.sub("\n\n", text))
        for reference, character in _REFERENCES:
            text = text.replace(reference, character)
    else:
        text = html.unescape(text)
    lines = [line.strip() for line in _squeezed(text).split("\n")]
    text = "\n".join(lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return legal(text).strip()


def _squeezed(text: str) -> str:
    """``text`` with its runs of spaces made one space; replacing is faster than a pattern."""
    for space in _SPACES:
        text = text.replace(space, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def one_line(text: str) -> str:
    """``text`` with its line breaks and runs of spaces made one space; no-break spaces stay."""
    if _is_plain(text):
        return text.strip()
    return _BREAKS.sub(" ", legal(text)).strip()
