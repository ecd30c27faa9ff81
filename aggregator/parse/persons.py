"""Read the names of persons, as publishers write them. Pure."""

import re
from collections.abc import Iterable

from aggregator.model import Author
from aggregator.parse.sanitize import one_line, text_from_html
from aggregator.text.folding import fold
from aggregator.text.urls import is_web

# One whole address. It neither starts nor ends within another one, such as @jane@mastodon.social.
_EMAIL = re.compile(
    r"(?<![^\s<(\[,;:])(?:mailto:)?([^\s@<>()\[\],;:\"']{1,64}@[^\s@<>()\[\],;:\"']{1,190})"
    r"(?![^\s>)\],;:\"'])",
    re.IGNORECASE,
)
_DOMAIN = re.compile(r"(?:[^\W_][\w-]*\.)+[^\W\d_][\w-]+\.?")
_NO_REPLY = re.compile(r"(?:no|do-?not|dont)[._-]?reply|nobody|none|noemail", re.IGNORECASE)
_BRACKETED = re.compile(r"<\s*(?:mailto:)?([^\s<>@]{1,64}@[^\s<>@]{1,190})\s*>", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*[,;&]\s*|\s+(?:and|et)\s+")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|<\s*>|\[\s*\]|\"\s*\"")
_WRAPPED = re.compile(r"[(<\"'](.*)[)>\"']")
_MAX_CHARACTERS = 500
MAX_AUTHORS = 50


def read_persons(text: str, email: str = "", uri: str = "") -> list[Author]:
    """The persons of a text such as "jane@example.org (Jane Doe)"; one without a name has "".

    A name stays as it is written. An address is kept whole or dropped. An address for no replies is
    dropped, and no address or URL is a name. A list is divided only if each part has an address.
    """
    # Otherwise the brackets of "Jane <jane@example.org>" would be an HTML tag.
    text = _BRACKETED.sub(r"(\1)", text[:_MAX_CHARACTERS])
    line = one_line(text_from_html(text))
    line = _BRACKETED.sub(r"(\1)", line)
    parts = _SEPARATOR.split(line)
    if len(parts) < 2 or not all(_EMAIL.search(part) for part in parts):
        parts = [line]
    return [_person(part, email, uri.strip()) for part in parts]


def _person(text: str, email: str, uri: str) -> Author:
    addresses = [match[1] for match in _EMAIL.finditer(text) if _is_address(match[1])]
    name = _unwrap(_EMAIL.sub("", text)) if addresses else text
    if is_web(name):
        name, uri = "", uri or name
    address = next(filter(_is_usable, [one_line(email), *addresses]), None)
    return Author(name, address, uri if is_web(uri) else None)


def merge_persons(persons: Iterable[Author]) -> tuple[Author, ...]:
    """Each person with a name once, with the address of any of its mentions."""
    merged: dict[str, Author] = {}
    for person in persons:
        if not person.name or len(merged) >= MAX_AUTHORS:
            continue
        key = fold(person.name)
        first = merged.get(key, person)
        merged[key] = Author(first.name, first.email or person.email, first.uri or person.uri)
    return tuple(merged.values())


def _is_address(text: str) -> bool:
    match = _EMAIL.fullmatch(text)
    return bool(match and _DOMAIN.fullmatch(match[1].partition("@")[2]))


def _is_usable(text: str) -> bool:
    return _is_address(text) and not _NO_REPLY.match(text)


def _unwrap(name: str) -> str:
    """A name without the brackets that separated it from an address."""
    name = _EMPTY_BRACKETS.sub("", name).strip(" \t,;:-–—")
    wrapped = _WRAPPED.fullmatch(name)
    return (wrapped[1] if wrapped else name).strip()
