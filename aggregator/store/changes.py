"""What a fetched entry is to the store, and what becomes of the one it holds. Pure."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from difflib import SequenceMatcher

from aggregator.model import Entry, EntryChange
from aggregator.text.folding import digest, fold
from aggregator.text.similarity import are_similar, is_revision
from aggregator.text.urls import link_key

MAX_TRIVIAL_CHANGES = 3  # changes of numbers and parameters only that are stored of one entry
MAX_REVISIONS = 3  # times that one story is shown to subscribers as changed
_SIGNIFICANT_CHARACTERS = 200
_SIGNIFICANT_SHARE = 0.1
_MOST_COMPARED = 20_000  # characters; difflib takes quadratic time

_NUMBER = re.compile(r"\d+")
_QUERY = re.compile(r"""[?#][^"'\s>]*""")


def content_hash(entry: Entry) -> str:
    """A digest of what a subscriber sees of an entry.

    Dates are left out, because publishers stamp unchanged entries anew; empty fields too, so
    that a field added to `Entry` one day changes no hash.
    """
    parts = [
        f"title={entry.title}",
        entry.link and f"link={entry.link}",
        entry.summary and f"summary={entry.summary}",
        entry.content and f"content={entry.content}",
        *(f"author={a.name}\x1e{a.uri or ''}" for a in entry.authors),
        *(f"category={c.term}\x1e{c.scheme or ''}" for c in entry.categories),
        *(f"enclosure={e.url}" for e in entry.enclosures),
    ]
    return digest(*(part for part in parts if part))


def decide(known_hash: str | None, entry: Entry) -> EntryChange:
    """``known_hash`` is that of the stored entry with the same key, None where there is none."""
    if known_hash is None:
        return EntryChange.NEW
    return EntryChange.UNCHANGED if known_hash == content_hash(entry) else EntryChange.MODIFIED


def is_trivial_change(old: Entry, new: Entry) -> bool:
    """Whether only numbers and the parameters of addresses differ: a counter of visits, the
    address of a tracking pixel, a session's id. Or a date that was corrected: nobody can know."""
    return content_hash_without_numbers(old) == content_hash_without_numbers(new)


def content_hash_without_numbers(entry: Entry) -> str:
    """A digest of what an entry says, but for numbers and the parameters of addresses."""
    return digest(
        _NUMBER.sub("#", entry.title),
        _plain(entry.link or ""),
        _NUMBER.sub("#", _plain(entry.summary)),
        _NUMBER.sub("#", _plain(entry.content)),
        *(a.name for a in entry.authors),
        *(c.term for c in entry.categories),
        *(_plain(e.url) for e in entry.enclosures),
    )


def _plain(text: str) -> str:
    return _QUERY.sub("", text)


def is_significant(old: Entry, new: Entry) -> bool:
    """Whether a reader who has read ``old`` would want to be told of ``new``: another title, or a
    tenth of the text, or 200 characters of it. Numbers count for nothing."""
    if _NUMBER.sub("#", fold(old.title)) != _NUMBER.sub("#", fold(new.title)):
        return True
    before, after = (_NUMBER.sub("#", entry.text)[:_MOST_COMPARED] for entry in (old, new))
    if before == after:
        return False
    words, others = before.split(), after.split()
    blocks = SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks()
    kept = sum(len(" ".join(words[b.a : b.a + b.size])) for b in blocks)
    longer = max(len(before), len(after))
    changed = longer - kept
    return changed >= min(_SIGNIFICANT_CHARACTERS, max(_SIGNIFICANT_SHARE * longer, 1))


def revise(old: Entry, new: Entry, now: datetime, *, significant: bool) -> Entry:
    """The stored ``old`` with what the publisher now says in ``new``.

    The id never changes, ``published`` is frozen at first sight, and ``updated`` only moves with
    a significant change, and forward: to the publisher's time if that is later, else to now.
    A page that was not its own does not become it.
    """
    updated = old.updated
    if significant:
        before = old.updated or old.published
        later = new.updated and (before is None or new.updated > before)
        updated = new.updated if later else now
    same_link = bool(old.link and new.link) and link_key(old.link or "") == link_key(new.link or "")
    return replace(
        new,
        id=old.id,
        page=old.page if same_link else new.page,
        published=old.published or new.published,
        updated=updated,
    )


def find_twin(entry: Entry, gone: Iterable[tuple[int, Entry]], *, wholesale: bool) -> int | None:
    """Which entry, of those that are stored of a feed and stand in its document no more, ``entry``
    is under another key: the number it stands with in ``gone``, or None.

    The rungs are its page, its title and date, its title and text; and what it says must not be
    something else. ``wholesale``: the document holds no key that we know, so that its publisher
    has re-issued everything, perhaps with other dates.
    """
    for is_twin in (_by_page, _by_date, _by_text):
        for number, old in gone:
            if is_twin(old, entry, wholesale):
                return number
    return None


def _by_page(old: Entry, new: Entry, _: bool) -> bool:
    if new.page is None or old.page != new.page:
        return False
    return fold(old.title) == fold(new.title) or (
        bool(old.text and new.text) and is_revision(old.text, new.text)
    )


def _by_date(old: Entry, new: Entry, _: bool) -> bool:
    date = new.published or new.updated
    if date is None or date != (old.published or old.updated):
        return False
    return fold(old.title) == fold(new.title) and is_revision(old.text, new.text)


def _by_text(old: Entry, new: Entry, wholesale: bool) -> bool:
    if fold(old.title) != fold(new.title) or not new.text:
        return False
    if wholesale and are_similar(old.text, new.text):
        return True
    dated = old.published or old.updated or new.published or new.updated
    return not dated and old.text == new.text
