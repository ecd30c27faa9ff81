"""How an entry of a document compares with the stored one, and how to update that. Pure."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from difflib import SequenceMatcher

from aggregator.model import Entry, EntryChange
from aggregator.text.folding import digest, fold
from aggregator.text.similarity import are_similar, is_revision
from aggregator.text.urls import link_key

MAX_TRIVIAL_CHANGES = 3  # changes of numbers and URL parameters only, stored of one entry
MAX_REVISIONS = 3  # times that subscribers are shown a story as changed
SIGNIFICANT_CHARACTERS = 200
SIGNIFICANT_SHARE = 0.1
MAX_COMPARED_CHARACTERS = 20_000  # difflib takes quadratic time

_MIN_TEXT_CHARACTERS = 60  # shorter texts may be equal by chance
_REVISION = re.compile(r"#\d+$")  # the BBC counts the editions of an article in its guid
_NUMBER = re.compile(r"\d+")
_QUERY = re.compile(r"""[?#][^"'\s>]*""")


def content_hash(entry: Entry) -> str:
    """Digest of what a subscriber sees of an entry.

    Dates are left out, because publishers give unchanged entries new dates. Empty fields are left
    out too, so that a new field of `Entry` changes no hash.
    """
    parts = [
        f"title={entry.title}",
        entry.link and f"link={entry.link}",
        entry.summary and f"summary={entry.summary}",
        entry.content and f"content={entry.content}",
        *(f"author={a.name}\x1e{a.uri or ''}" for a in entry.authors),
        *(f"category={c.term}\x1e{c.scheme or ''}" for c in entry.categories),
        *(f"enclosure={e.url}" for e in entry.enclosures),
        entry.image and f"image={entry.image}",
        entry.rights and entry.source and f"rights={entry.rights}",
        entry.source and f"source={entry.source.id}\x1e{entry.source.title}",
    ]
    return digest(*(part for part in parts if part))


def content_hash_without_numbers(entry: Entry) -> str:
    """Digest of an entry without its numbers and the parameters of its addresses."""
    return digest(
        _NUMBER.sub("#", entry.title),
        _without_queries(entry.link or ""),
        _NUMBER.sub("#", _without_queries(entry.summary)),
        _NUMBER.sub("#", _without_queries(entry.content)),
        *(a.name for a in entry.authors),
        *(c.term for c in entry.categories),
        *(_without_queries(e.url) for e in entry.enclosures),
    )


def _without_queries(text: str) -> str:
    return _QUERY.sub("", text)


def compare(stored_hash: str | None, entry: Entry) -> EntryChange:
    """Compare an entry with the hash of the stored entry with its key; None: there is none."""
    if stored_hash is None:
        return EntryChange.NEW
    return EntryChange.UNCHANGED if stored_hash == content_hash(entry) else EntryChange.MODIFIED


def is_trivial_change(old: Entry, new: Entry) -> bool:
    """Whether only numbers and URL parameters differ: a visitor counter, a tracking pixel, a session
    id, or a corrected date; they look alike."""
    return content_hash_without_numbers(old) == content_hash_without_numbers(new)


def is_significant(old: Entry, new: Entry) -> bool:
    """Whether readers of ``old`` should be notified about ``new``.

    True for another title, or if a tenth of the text or 200 characters changed; numbers do not count.
    """
    if _NUMBER.sub("#", fold(old.title)) != _NUMBER.sub("#", fold(new.title)):
        return True
    before, after = (_NUMBER.sub("#", entry.text)[:MAX_COMPARED_CHARACTERS] for entry in (old, new))
    if before == after:
        return False
    old_words, new_words = before.split(), after.split()
    matcher = SequenceMatcher(None, old_words, new_words, autojunk=False)
    unchanged = sum(
        len(" ".join(old_words[block.a : block.a + block.size]))
        for block in matcher.get_matching_blocks()
    )
    length = max(len(before), len(after))
    limit = min(SIGNIFICANT_CHARACTERS, max(SIGNIFICANT_SHARE * length, 1))
    return length - unchanged >= limit


def revise(old: Entry, new: Entry, now: datetime, *, significant: bool) -> Entry:
    """The stored ``old`` with what the publisher now says in ``new``.

    The id never changes, and ``published`` stays as first seen. ``updated`` moves only with a
    significant change, and only forward: to the publisher's time if that is later, else to now. An
    entry whose link was not its own page keeps that.
    """
    updated = old.updated
    if significant:
        before = old.updated or old.published
        is_later = new.updated and (before is None or new.updated > before)
        updated = new.updated if is_later else now
    same_link = bool(old.link and new.link) and link_key(old.link or "") == link_key(new.link or "")
    return replace(
        new,
        id=old.id,
        page=old.page if same_link else new.page,
        published=old.published or new.published,
        updated=updated,
    )


def correct(old: Entry, new: Entry) -> Entry:
    """The stored ``old`` as a later version of this program reads it in ``new``.

    The dates by which stories are sorted and announced stay. A date of publication was perhaps read
    wrongly.
    """
    return replace(
        new,
        id=old.id,
        published=new.published or old.published,
        updated=old.updated or new.updated,
    )


def find_twin(
    entry: Entry,
    candidates: Iterable[tuple[int, Entry]],
    *,
    all_keys_new: bool,
    is_reread: bool = False,
) -> int | None:
    """The stored entry that the publisher now serves as ``entry`` under another key; None if none.

    ``candidates``: ids and entries of the feed that are no longer in its document. They are compared
    by page, by title and date, by title and text, by date and text; in each case the text must
    agree. ``all_keys_new``: no key of the document is known, so the publisher has re-issued its
    archive, perhaps with other dates. ``is_reread``: another version of this program read ``old``,
    perhaps another part of the entry as its text.
    """
    for is_twin in (_has_same_page, _has_same_date, _has_same_text, _has_new_title):
        for entry_id, old in candidates:
            if is_twin(old, entry, all_keys_new):
                return entry_id
    if is_reread:
        return next((i for i, old in candidates if _may_be_misread(old, entry)), None)
    return None


def _may_be_misread(old: Entry, new: Entry) -> bool:
    if _date(old) is None or _date(old) != _date(new):
        return False
    return old.title == new.title or (old.link is not None and old.link == new.link)


def _date(entry: Entry) -> datetime | None:
    return entry.published or entry.updated


def _has_same_page(old: Entry, new: Entry, _: bool) -> bool:
    if new.page is None or old.page != new.page:
        return False
    if _REVISION.sub("", old.key) == _REVISION.sub("", new.key):
        return True
    return fold(old.title) == fold(new.title) or (
        bool(old.text and new.text) and is_revision(old.text, new.text)
    )


def _has_same_date(old: Entry, new: Entry, _: bool) -> bool:
    if _date(new) is None or _date(new) != _date(old):
        return False
    return fold(old.title) == fold(new.title) and is_revision(old.text, new.text)


def _has_same_text(old: Entry, new: Entry, all_keys_new: bool) -> bool:
    if fold(old.title) != fold(new.title) or not new.text:
        return False
    if all_keys_new and are_similar(old.text, new.text):
        return True
    is_dated = old.published or old.updated or new.published or new.updated
    return not is_dated and old.text == new.text


def _has_new_title(old: Entry, new: Entry, _: bool) -> bool:
    """Whether the publisher corrected the title, and the address with it."""
    if _date(new) is None or _date(new) != _date(old) or len(new.text) < _MIN_TEXT_CHARACTERS:
        return False
    return old.text == new.text or are_similar(old.text, new.text)
