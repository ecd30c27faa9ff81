"""Makes the addresses that a published entry contains valid. Pure.

Most are, and then the value itself is returned: every entry passes here each time it is rendered.
"""

import re
from dataclasses import replace

from aggregator.model import Author, Category, Enclosure, Source
from aggregator.text.atom_ids import is_atom_id, mint_id
from aggregator.text.uris import to_uri

# An address that the W3C's validator accepts too.
_EMAIL = re.compile(
    r"[\w.+'!#$%&*/=?^`{|}~-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII
)


def valid_source(source: Source) -> Source:
    """``source`` with URIs. An id that is an IRI stays as its publisher wrote it."""
    return Source(
        id=source.id if is_atom_id(source.id) else _make_id(source.id),
        title=source.title,
        link=to_uri(source.link) if source.link else None,
        self_url=to_uri(source.self_url) if source.self_url else None,
        updated=source.updated,
        rights=source.rights,
    )


def _make_id(text: str) -> str:
    uri = to_uri(text)
    return uri if is_atom_id(uri) else mint_id(text, None, "")


def valid_author(author: Author) -> Author:
    """``author`` with a URI, and without an e-mail address to which nobody can write."""
    uri = author.uri and to_uri(author.uri)
    email = author.email if author.email and _EMAIL.fullmatch(author.email) else None
    if (email, uri) == (author.email, author.uri):
        return author
    return replace(author, email=email, uri=uri)


def valid_category(category: Category) -> Category:
    """``category`` with a URI as its scheme."""
    scheme = category.scheme and to_uri(category.scheme)
    return category if scheme == category.scheme else replace(category, scheme=scheme)


def valid_enclosure(enclosure: Enclosure) -> Enclosure:
    """``enclosure`` with a URI."""
    url = to_uri(enclosure.url)
    return enclosure if url == enclosure.url else replace(enclosure, url=url)
