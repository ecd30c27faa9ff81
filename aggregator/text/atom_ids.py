"""The atom:id of a republished entry. It is made once and never changes.

RFC 4287 section 4.2.6: an atom:id is an IRI that never changes, not even when the entry is
republished elsewhere. So an Atom publisher's own id is kept. An RSS guid is no atom:id; those
entries get a name-based UUID (RFC 9562 section 5.5) of the page's URL. The same page therefore has
the same id in every feed, on every machine, and after a rebuild of the database from the same
feeds. The id contains nothing of this installation (site URL, clock, database keys).
"""

import re
from uuid import NAMESPACE_URL, uuid5

_NO_IRI_CHARACTER = r"\s<>\"{}|\\^`\[\]%\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_IRI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*:(?://\[[0-9A-Fa-f:.]+\])?"
    rf"[^{_NO_IRI_CHARACTER}]*(?:%[0-9A-Fa-f]{{2}}[^{_NO_IRI_CHARACTER}]*)*"
)
_ACTIVE_SCHEMES = ("javascript", "data", "vbscript", "file", "about", "blob")


def mint_id(feed: str, page: str | None, key: str) -> str:
    """A ``urn:uuid:`` of the page (a `urls.link_key`), or else of the feed and the entry's key."""
    name = f"https://{page}" if page else f"{feed}\n{key}"
    return uuid5(NAMESPACE_URL, name).urn


def is_atom_id(value: str) -> bool:
    """Whether a publisher's atom:id can be kept: an absolute IRI that no program executes."""
    scheme, _, name = value.partition(":")
    return bool(name and _IRI.fullmatch(value)) and scheme.lower() not in _ACTIVE_SCHEMES
