"""Sanitise untrusted HTML and turn it into plain text."""

import html
import re

from aggregator.parse.allowed_html import (
    OTHER_BLOCKS,
    OTHER_SCHEMES,
    RAW_TEXT_TAGS,
    SAME_KIND,
    keep_allowed,
    keep_separators,
    tidy,
)
from aggregator.parse.embeds import TAGS, show_embeds
from aggregator.parse.footnotes import OWN_ID, has_links_within, keep_anchors
from aggregator.parse.html_tree import ATTRIBUTE, read_tree, write_attribute, write_tree
from aggregator.parse.lazy_pictures import LAZY_ATTRIBUTE, PLACEHOLDER
from aggregator.parse.players import PLAYER
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.urls import absolute

_MAX_CHARACTERS = 1024 * 1024
# Every illegal character has one of these in UTF-8. Searching bytes is several times faster.
_CONTROLS = bytes({*range(0x20), 0x7F} - {*b"\t\n\r"})
_ILLEGAL_STARTS = (b"\xc2", b"\xed", b"\xef\xbf")  # U+0080 to U+00BF; surrogates; U+FFC0 to U+FFFF
_LINE_SPACES = re.compile("[ \t\r\n\f\u2028\u2029]+")
# All that nh3 writes.
_REFERENCES = (("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_SPACES = "\t\r\f\u200b\ufeff"  # besides space and line feed

# Of any HTML. Passing over the beginnings of frequent tags makes the search three times faster.
_OTHER_TAG = re.compile(rf"<(/?)((?i:{'|'.join(SAME_KIND)}))(?=[\s/>])")
_EMBED_TAGS = TAGS - {"iframe", "param", "picture", "source"}
_EMBED_START = re.compile(rf"<(?i:{'|'.join(_EMBED_TAGS)})[\s/>]")
_UNUSUAL_TAG = re.compile(
    r"<(?![pu/]|[abi][ >]|b[lr]|em[ >]|im|li[ >]|s[tpu]p?[ar>])"
    rf"(?i:{'|'.join(SAME_KIND.keys() | _EMBED_TAGS)})[\s/>]"
)
_RAW_TEXT_START = re.compile("<no(?=embed|script)", re.IGNORECASE)
_PRE_START = re.compile("<[pP][rR][eE]")

# Of canonical HTML.
_RAW_TEXT = re.compile(rf"(<({'|'.join(RAW_TEXT_TAGS)})(?:{ATTRIBUTE})*>)(.*?)</\2>", re.DOTALL)
_ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_PLAIN_URL = r'https?://[A-Za-z0-9.-]+(?:[/?#][!#-;=?-Z_a-z~]*)?"'  # that stays as it is
_PLAIN_LINK = rf'{_PLAIN_URL}|#{OWN_ID.pattern}"'
# The sign first, because there are fewer of them than spaces.
_OTHER_ADDRESS = re.compile(
    rf'="(?:(?<= href=")(?!{_PLAIN_LINK})|(?:(?<= src=")|(?<= cite="))(?!{_PLAIN_URL}))'
)
_TAG_WITH_OTHER_ADDRESS = re.compile(
    rf'<\w+(?:{ATTRIBUTE})*? (?:href="(?!{_PLAIN_LINK})|(?:src|cite)="(?!{_PLAIN_URL}))[^"]*"'
    rf"(?:{ATTRIBUTE})*>"
)
_SPACE_BEFORE_FRAGMENT = re.compile(r' href="\s+#')
_PICTURE_SOURCE = re.compile(rf'<img(?:(?! src){ATTRIBUTE})*+ src="([^"]*)"')
_TRACKING_PIXEL = re.compile(
    rf'<img(?:{ATTRIBUTE})*? (?:width|height)="[01](?:px)?"(?:{ATTRIBUTE})*>'
)
_NOT_SHOWN = re.compile(
    rf"<img(?:(?! src){ATTRIBUTE})*+>"
    rf'|<iframe(?:(?! src){ATTRIBUTE})*+(?! src="{PLAYER})(?:{ATTRIBUTE})*+></iframe>'
)
_LINK_IN_LINK = re.compile(r"<a (?:[^<]|<(?!/?a[ >]))*+<a ")
_PRE_WITH_LINE = re.compile(rf"(<pre(?:{ATTRIBUTE})*>)(?=\n)")
_IN_LINE = re.compile("</?(?:button|canvas|embed|img|input|object|select)>")
_PARAGRAPH = re.compile(
    rf"</?(?:{'|'.join(OTHER_BLOCKS)}|p|div|blockquote|pre|h[1-6]|ul|ol|dl|table|hr|tr)>"
)
_PRE_TAG = re.compile("(</?pre>)")
_TAG = re.compile(r"<[^>]*>")


def remove_illegal(text: str) -> str:
    """``text`` without lone surrogates and the characters that XML documents cannot contain."""
    if text.isprintable():
        return text
    data = text.encode("utf-8", "surrogatepass")
    may_be_illegal = not text.isascii() and any(map(data.__contains__, _ILLEGAL_STARTS))
    if may_be_illegal or data != data.translate(None, _CONTROLS):
        return XML_ILLEGAL.sub("", text)
    return text


def _is_clean_line(text: str) -> bool:
    """Whether ``text`` is one line of legal characters without runs of spaces.

    Most names, categories and titles are. The check is several times faster than cleaning.
    """
    return text.isprintable() and "  " not in text


def clean_html(text: str, base: str, *, page: str = "", anchors: str = "") -> str:
    """Sanitise an HTML fragment and make its links absolute. Idempotent.

    Removes scripts, styles, event handlers and tracking images of one pixel, and takes forms apart.
    What only a browser shows becomes something that feed readers show (`embeds`).

    Addresses are resolved against ``base``. A link such as ``#note`` stays within the entry if the
    target is there; else it leads to ``page``, the entry's own (``base`` if empty). ``anchors``
    identifies the entry among all of a page, for the ids of such targets (``page`` if empty).
    """
    text = remove_illegal(text)[:_MAX_CHARACTERS].strip()
    if "<" not in text and "&" not in text:
        return html.escape(text, quote=False)
    page = (page or base).partition("#")[0]
    if _UNUSUAL_TAG.search(text):
        text = _OTHER_TAG.sub(_tag_of_same_kind, text)
        if _EMBED_START.search(text):
            return _clean_tree(text, base, page, anchors)
    cleaned = _clean(text, base, page, anchors)
    if "<im" in cleaned or "<if" in cleaned:
        if _NOT_SHOWN.search(cleaned) or _is_lazy(text, cleaned):
            return _clean_tree(text, base, page, anchors)
        cleaned = _TRACKING_PIXEL.sub("", cleaned)
    return cleaned.strip()


def _clean(text: str, base: str, page: str, anchors: str) -> str:
    cleaned = _keep_allowed(text)
    has_others = _OTHER_ADDRESS.search(cleaned)
    if "#" in cleaned and (
        has_links_within(cleaned, page) or (has_others and _SPACE_BEFORE_FRAGMENT.search(cleaned))
    ):
        cleaned = keep_anchors(_keep_allowed(text, with_ids=True), page, anchors or page)
    return _with_addresses(cleaned, base, page) if has_others else cleaned


def _keep_allowed(text: str, *, with_ids: bool = False) -> str:
    """`keep_allowed` in a form that stays when it is cleaned again."""
    cleaned = keep_allowed(text, with_ids=with_ids)
    if "<table" in cleaned and _LINK_IN_LINK.search(cleaned):  # it was moved out of a table
        cleaned = keep_allowed(cleaned, with_ids=with_ids)
    if "&#" in text:
        cleaned = remove_illegal(cleaned)  # "&#27;" is a character now
    if "<pre" in cleaned:  # parsers ignore a line break at its beginning
        cleaned = _PRE_WITH_LINE.sub(r"\1\n", cleaned)
    if "<iframe" in cleaned:  # browsers ignore its content
        cleaned = _RAW_TEXT.sub(r"\1</iframe>", cleaned)
    return cleaned


def _with_addresses(cleaned: str, base: str, page: str) -> str:
    def change(attribute: re.Match[str]) -> str:
        name, value = attribute.groups()
        if name not in ("href", "src", "cite"):
            return attribute[0]
        url = _address(name, html.unescape(value).strip(), base, page)
        return write_attribute(name, url) if url else ""

    return _TAG_WITH_OTHER_ADDRESS.sub(lambda tag: _ATTRIBUTE.sub(change, tag[0]), cleaned)


def _address(name: str, value: str, base: str, page: str) -> str | None:
    """The value of an attribute as an absolute address, None if it cannot be one."""
    if not value or value.startswith("#"):
        return absolute(page, value) if name == "href" else None
    scheme = _SCHEME.match(value)
    if name == "href" and scheme and scheme[1].lower() in OTHER_SCHEMES:
        return value
    return absolute(base, value)


def _tag_of_same_kind(tag: re.Match[str]) -> str:
    """Another tag for the same kind of element; spaces where the borders of boxes separate words."""
    slash, name = tag[1], SAME_KIND[tag[2].lower()]
    space = " " if name in ("span", "wbr") else ""
    return f"</{name}{space}" if slash else f"{space}<{name}"


def _is_lazy(text: str, cleaned: str) -> bool:
    """Whether a picture may have its address in another attribute."""
    has_data = "data-" in text
    if has_data and LAZY_ATTRIBUTE.search(text):
        return True
    return (has_data or "srcset" in text) and any(
        map(PLACEHOLDER.search, _PICTURE_SOURCE.findall(cleaned))
    )


def _clean_tree(text: str, base: str, page: str, anchors: str) -> str:
    """The same for HTML with elements that are replaced."""
    root = read_tree(remove_illegal(_RAW_TEXT.sub(_parsed_text, tidy(text))))
    if root is not None:
        own_base = root.find(".//base[@href]")
        if own_base is not None:
            base = absolute(base, own_base.get("href", "")) or base
        show_embeds(root, base)
        text = write_tree(root)
    cleaned = _clean(text, base, page, anchors)
    return _NOT_SHOWN.sub("", _TRACKING_PIXEL.sub("", cleaned)).strip()


def _parsed_text(element: re.Match[str]) -> str:
    """An element whose content nh3 does not parse, with its content as elements.

    Browsers ignore the content of a frame.
    """
    start, name, content = element.groups()
    if name == "iframe":
        return f"{start}</iframe>"
    inner = tidy(_RAW_TEXT_START.sub("<x-no", content))
    return f"<noscript>{_RAW_TEXT.sub(_parsed_text, inner)}</noscript>"


def text_from_html(text: str) -> str:
    """The text of an HTML fragment: one line per block, a blank line between paragraphs.

    Hyphens that are only shown at the end of a line are left out, as in a search of a page.
    """
    if "<" not in text and "&" not in text and _is_clean_line(text):
        return text[:_MAX_CHARACTERS].strip()
    text = remove_illegal(text)[:_MAX_CHARACTERS]
    if "<" in text:
        has_lines = _PRE_START.search(text)
        text = _collapse_spaces(text if has_lines else text.replace("\n", " "))
        # Only blocks without attributes remain, so every "<" in the text begins a tag.
        text = keep_separators(text)
        text = _outside_pre(text) if has_lines else text
        text = _TAG.sub("\n", _PARAGRAPH.sub("\n\n", _IN_LINE.sub(" ", text)))
        for reference, character in _REFERENCES:
            text = text.replace(reference, character)
    else:
        text = html.unescape(text)
    text = text.replace("\xad", "")
    lines = [line.strip() for line in _collapse_spaces(text).split("\n")]
    text = "\n".join(lines)
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return remove_illegal(text).strip()


def _outside_pre(text: str) -> str:
    """``text`` with spaces for its line breaks, except in ``pre``."""
    pieces, depth = _PRE_TAG.split(text), 0
    for index, piece in enumerate(pieces):
        if index % 2:
            depth += -1 if "/" in piece else 1
        elif not depth:
            pieces[index] = piece.replace("\n", " ")
    return "".join(pieces)


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
