"""The atom:id under which a story is republished: minted once, from what lasts.

RFC 4287 section 4.2.6: an atom:id is an IRI that never changes, not even when the entry is
republished elsewhere. So an Atom publisher's own id is kept; an RSS guid is not an atom:id, and
for those we mint a name-based UUID (RFC 9562 section 5.5) from the page's address. The same
page has thus the same id in every feed that carries it, on every machine, and in a database
rebuilt from the same feeds; nothing of ours (site address, clock, database numbers) is in it.
"""

import re
from uuid import NAMESPACE_URL, uuid5

_IRI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff]+"
)
_UNSAFE = ("javascript", "data", "vbscript", "file", "about", "blob")


def mint_id(feed: str, page: str | None, key: str) -> str:
    """A ``urn:uuid:`` from the page (a `urls.link_key`), or else from the feed and the key in it."""
    name = f"https://{page}" if page else f"{feed}\n{key}"
    return uuid5(NAMESPACE_URL, name).urn


def is_atom_id(value: str) -> bool:
    """Whether a publisher's atom:id can be ours: an absolute IRI of a scheme that nothing runs."""
    return bool(_IRI.fullmatch(value)) and value.partition(":")[0].lower() not in _UNSAFE
