"""What feedparser calls an element: `dc:date` is ``dc_date``, whatever prefix a document gives it.

Its rules (``startElementNS`` in parsers/strict.py, ``track_namespace`` and ``unknown_starttag`` in
mixin.py of 6.0) know some namespaces by their addresses and the others by their prefixes. Where
these cross, as when a strange namespace has a known one's prefix or one prefix stands for two, what
an element is depends on what was declared before it: such documents are `Unclear`.
"""

from aggregator.parse.feedparser_reader import HANDLED, NAMESPACES

# Keys that feedparser's handlers, or we, look for: an element of that name would be taken for them.
HINTS = ("ttl", "sy_updateperiod", "sy_updatefrequency", "sy_updatebase")
_MEANT = {"links", "authors", "contributors", "publishers", "guidislink", *HINTS}
_ENDS = ("_detail", "_parsed")
_USERLAND = "backend.userland.com/rss"  # any address with this in it is known
_XLINK = "http://www.w3.org/1999/xlink"  # its declaration becomes an attribute
_VERSIONS = {"http://purl.org/rss/1.0/": "rss10", "http://www.w3.org/2005/atom": "atom10"}


class Unclear(Exception):
    """Only feedparser itself can say what this document is to it."""


class Names(dict[str, str]):
    """From the tags of `xml.etree` ("{namespace}local") to feedparser's names.

    ``version`` is what the namespaces say of the format; the root may know better.
    """

    def __init__(self, declared: list[tuple[str, str]]) -> None:
        """``declared`` are prefixes with their namespaces, in the document's order."""
        super().__init__()
        self.version = ""
        self._prefixes: dict[str, str] = {}  # of namespaces that feedparser does not know
        used: dict[str, str] = {}
        for given, uri in declared:
            prefix, known = given.lower(), NAMESPACES.get(uri.lower())
            if not uri:
                continue
            self.version = self.version or _VERSIONS.get(uri.lower(), "")
            if uri == _XLINK or uri != "".join(uri.split()):
                raise Unclear
            if known is None:
                if _USERLAND in uri.lower():
                    raise Unclear
                # Elements of a default namespace that it does not know count as without one.
                before = self._prefixes.setdefault(uri, prefix)
                if bool(before) != bool(prefix):
                    raise Unclear
            meaning = uri if known is None else known
            for name in (prefix, known or prefix):
                if name and used.setdefault(name, meaning) != meaning:
                    raise Unclear

    def __missing__(self, tag: str) -> str:
        uri, _, local = tag.rpartition("}")
        known = NAMESPACES.get(uri[1:].lower(), "") if uri else ""
        prefix = known or self._prefixes.get(uri[1:], "")
        name = f"{prefix}_{local.lower()}" if prefix else local.lower()
        self[tag] = name
        return name


def local(tag: str) -> str:
    """The name of an element within a text, which has no prefix."""
    return tag.rpartition("}")[2].lower()


def means_nothing(name: str) -> bool:
    """Whether feedparser only keeps the text of such an element, under a name never asked for."""
    return name not in HANDLED and name not in _MEANT and not name.endswith(_ENDS)
