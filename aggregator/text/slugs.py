"""Slugs: the names of channels in file names and URLs."""

import re
from collections import Counter
from collections.abc import Mapping

from aggregator.text.folding import digest, fold

MAX_SLUG_BYTES = 80
_NOT_WORD = re.compile(r"[^\w]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|index|all|unmatched|near-miss|style)")


def slug(text: str) -> str:
    """A file name and URL segment for a name: never empty, hidden, reserved, or a path.

    Letters of any script stay, since people read URLs. A digest of the folded name is added where
    a name has no letters or digits (an emoji), is reserved (``CON``, ``index``), or is too long
    for a file system. The same name always gives the same slug.
    """
    folded = fold(text)
    name = _NOT_WORD.sub("-", folded).strip("-_")
    if not name or _RESERVED.fullmatch(name):
        return f"{name or 'tag'}-{digest(folded)}"
    encoded = name.encode()
    if len(encoded) > MAX_SLUG_BYTES:
        return f"{encoded[:MAX_SLUG_BYTES].decode(errors='ignore')}-{digest(folded)}"
    return name


def assign_slugs(names: Mapping[str, str], assigned: Mapping[str, str]) -> dict[str, str]:
    """A distinct slug for every key of ``names`` and ``assigned``, in any order.

    Arguments:
        names: the name of each key.
        assigned: the slug of each key that already has one. These stay: people subscribe to them.

    New slugs that collide, with each other or with an assigned one (``c++``, ``c#``), all get a
    digest of the name. If that collides too (a tag and a query of one name, or two sources with
    names that differ only in case), they get a digest of name and key.
    """
    plain = {key: slug(name) for key, name in names.items() if key not in assigned}
    new = dict(plain)
    for parts in (lambda key: (fold(names[key]),), lambda key: (fold(names[key]), key)):
        uses = Counter([*assigned.values(), *new.values()])
        new = {
            key: name if uses[name] == 1 else f"{plain[key]}-{digest(*parts(key))}"
            for key, name in new.items()
        }
    return {**assigned, **new}
