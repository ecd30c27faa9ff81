"""Links within an entry: they stay there, and work on a page with many entries."""

import re
from html import escape, unescape
from urllib.parse import unquote

from aggregator.parse.html_tree import ATTRIBUTE, write_attribute
from aggregator.text.folding import digest
from aggregator.text.urls import absolute

# The id of an element that a link leads to, after cleaning. An id of this form is never changed, so
# aggregators that read each other publish the same content.
OWN_ID = re.compile(r"entry-[0-9a-f]{8}-[\w.:~-]+")
_NOT_IN_ID = re.compile(r"[^\w.:~-]")
_TAG_WITH_NAME = re.compile(rf'<\w+(?:{ATTRIBUTE})*? (?:id|name)="[^"]*"(?:{ATTRIBUTE})*>')
_LINK = re.compile(rf'<a(?:{ATTRIBUTE})*? href="[^"#]*#[^"]*"(?:{ATTRIBUTE})*>')
_ATTRIBUTE = re.compile(r' ([\w-]+)="([^"]*)"')
_HREF = re.compile(r' href="\s*([^"#]*)#([^"]*?)\s*"')


def has_links_within(html: str, page: str) -> bool:
    """Whether ``html`` has a link to a part of the entry, whose own page is ``page``."""
    return '="#' in html or f'="{page.replace("&", "&amp;")}#' in html


def keep_anchors(html: str, page: str, anchors: str) -> str:
    """Give the targets of links within the entry ids of their own, and change the links.

    ``html`` is as the sanitiser writes it, with ``id`` and ``name``. All other ids are removed. A
    link to a target that the entry does not have leads to ``page``. ``anchors`` identifies the
    entry: all ids begin with a digest of it.
    """
    pages = {"", escape(page)}
    links = _HREF.finditer("".join(_LINK.findall(html)))
    fragments = {unescape(link[2]) for link in links if link[1] in pages}
    names = {name for fragment in fragments for name in (fragment, unquote(fragment))} - {""}
    prefix = f"entry-{digest(anchors)[:8]}-"
    ids: dict[str, str] = {}

    def change_target(tag: re.Match[str]) -> str:
        values = [unescape(a[2]) for a in _ATTRIBUTE.finditer(tag[0]) if a[1] in ("id", "name")]
        new = [value for value in values if value in names and value not in ids]
        others = _ATTRIBUTE.sub(lambda a: "" if a[1] in ("id", "name") else a[0], tag[0])
        if not new:
            return others
        own_id = new[0] if OWN_ID.fullmatch(new[0]) else prefix + _NOT_IN_ID.sub("-", new[0])
        ids.update(dict.fromkeys(new, own_id))
        return others[:-1] + write_attribute("id", own_id) + ">"

    def change_href(attribute: re.Match[str]) -> str:
        link = _HREF.fullmatch(attribute[0])
        if not link or link[1] not in pages:
            return attribute[0]
        fragment = unescape(link[2])
        own_id = ids.get(fragment) or ids.get(unquote(fragment))
        url = f"#{own_id}" if own_id else absolute(page, f"#{fragment}")
        return write_attribute("href", url) if url else ""

    html = _TAG_WITH_NAME.sub(change_target, html)
    return _LINK.sub(lambda tag: _ATTRIBUTE.sub(change_href, tag[0]), html)
