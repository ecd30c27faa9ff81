"""Which elements, attributes and schemes stay in HTML. The one file that uses nh3.

What nh3 writes is canonical: every element is closed, attributes have the form ``name="value"``, and
``<`` only begins a tag (except in `RAW_TEXT_TAGS`). The patterns of other modules rely on it.
"""

import nh3

from aggregator.parse import embeds

# Elements with these tags become others of the same kind, which every reader knows.
OTHER_BLOCKS = {
    "address", "article", "aside", "center", "details", "dialog", "fieldset", "footer", "form",
    "header", "hgroup", "legend", "listing", "main", "marquee", "nav", "optgroup", "search",
    "section", "select", "summary",
}  # fmt: skip
SAME_KIND = dict.fromkeys(OTHER_BLOCKS, "div") | {
    "button": "span", "dir": "ul", "input": "wbr", "menu": "ul", "option": "p",
}  # fmt: skip
_TAGS = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "blockquote", "br", "caption", "cite", "code", "col",
    "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "iframe", "img", "ins", "kbd", "li", "mark", "ol", "p",
    "pre", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_DROPPED_WITH_CONTENT = {
    "annotation", "annotation-xml", "datalist", "head", "noembed", "noframes", "noscript", "script",
    "style", "svg", "template", "textarea", "title",
}  # fmt: skip
RAW_TEXT_TAGS = ("iframe", "noembed", "noscript")  # nh3 does not parse their content
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "iframe": {"src", "width", "height", "allowfullscreen"},
    "img": {"src", "alt", "width", "height"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "reversed", "type"},
    "q": {"cite"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}  # fmt: skip
# Of links that another program opens: those that websites may register with a browser
# (https://html.spec.whatwg.org/#safelisted-scheme), and those of other networks.
OTHER_SCHEMES = {
    "bitcoin", "ftp", "ftps", "geo", "im", "irc", "ircs", "magnet", "mailto", "matrix", "mms", "news",
    "nntp", "openpgp4fpr", "sftp", "sip", "sms", "smsto", "ssh", "tel", "urn", "webcal", "wtai", "xmpp",
    "callto", "dat", "ed2k", "ethereum", "feed", "finger", "gemini", "gopher", "hyper", "ipfs", "ipns",
    "lightning", "monero", "nostr", "rtsp", "sips", "skype", "spartan", "spotify", "tg", "whatsapp",
}  # fmt: skip
_SCHEMES = {"http", "https", *OTHER_SCHEMES}
# Elements that separate words.
_SEPARATORS = SAME_KIND.keys() | {
    "blockquote", "br", "canvas", "caption", "dd", "div", "dl", "dt", "embed", "figcaption", "figure",
    "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "li", "object", "ol", "p", "pre", "table", "td",
    "th", "tr", "ul",
}  # fmt: skip

# Making a cleaner takes as long as cleaning an entry.
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
)
_cleaner_with_ids = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES | {"*": _ATTRIBUTES["*"] | {"id"}, "a": _ATTRIBUTES["a"] | {"name"}},
    url_schemes=_SCHEMES,
)
_tidier = nh3.Cleaner(
    tags=_TAGS | embeds.TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT - embeds.TAGS,
    attributes={"*": embeds.ATTRIBUTES.union(*_ATTRIBUTES.values())},
    url_schemes=_SCHEMES,
)
_separator_cleaner = nh3.Cleaner(
    tags=set(_SEPARATORS),
    clean_content_tags=(_DROPPED_WITH_CONTENT | {"audio", "iframe", "math", "video"}) - {"title"},
    attributes={"*": set()},
    link_rel=None,
)


def keep_allowed(html: str, *, with_ids: bool = False) -> str:
    """What may be published, but addresses are as they were.

    ``with_ids``: with every ``id``, and the ``name`` of links.
    """
    cleaner = _cleaner_with_ids if with_ids else _cleaner
    return cleaner.clean(html)


def tidy(html: str) -> str:
    """What may be published and what `embeds` replaces, in canonical form."""
    return _tidier.clean(html)


def keep_separators(html: str) -> str:
    """The text, and the tags that separate words, without attributes."""
    return _separator_cleaner.clean(html)
