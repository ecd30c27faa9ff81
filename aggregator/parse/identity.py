"""Tell the entries of a document apart: their keys, pages and ids. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from aggregator.model import Entry, Feed
from aggregator.parse.drafts import EntryDraft
from aggregator.parse.sanitize import remove_illegal
from aggregator.text.atom_ids import is_atom_id, mint_id
from aggregator.text.folding import digest
from aggregator.text.urls import is_web, link_key

_MIN_COPY_CHARACTERS = 100
_COPY_NUMBER = re.compile(r"-\d+$")  # as Drupal appends it to the address


def identify(
    feed_key: str, feed: Feed, drafts: Sequence[EntryDraft], entries: Sequence[Entry]
) -> tuple[Entry, ...]:
    """Give each entry its ``page``, ``key`` and ``id``, and leave out copies.

    The key is the guid, else the page, else a digest of title and date or text. A guid or page
    that several entries of the document share identifies none of them: a page is not used, a guid is
    completed by link and title. Entries that share all these, such as the reports of a status page,
    differ by their dates, or else by their texts.
    """
    home = link_key(feed.link) if feed.link else None
    link_uses = Counter(link_key(entry.link) for entry in entries if entry.link)
    guids = [_own_guid(draft, home) for draft in drafts]
    guid_uses = Counter(guids)
    atom_id_uses = Counter(draft.atom_id for draft in drafts)
    pages = [_own_page(entry, home, link_uses) for entry in entries]
    keys = [
        _key(guid, page, entry, is_shared=guid_uses[guid] > 1)
        for guid, page, entry in zip(guids, pages, entries, strict=True)
    ]
    identified: dict[str, Entry] = {}
    for draft, page, key, entry in zip(
        drafts, pages, _distinct(keys, entries), entries, strict=True
    ):
        is_own_id = is_atom_id(draft.atom_id) and atom_id_uses[draft.atom_id] == 1
        atom_id = draft.atom_id if is_own_id else mint_id(feed_key, page, key)
        identified.setdefault(key, replace(entry, key=key, page=page, id=atom_id))
    return tuple(_without_copies(identified.values()))


def page_of(entry: Entry, home: str | None) -> str | None:
    """The `link_key` of the entry's link, None if that is the home page of the feed or of any site.

    A home page identifies no entry, however many link to it. An address with a query is a page.
    """
    page = link_key(entry.link) if entry.link else None
    has_path = page is not None and any(mark in page for mark in "/?#")
    return page if has_path and page != home else None


def _own_guid(draft: EntryDraft, home: str | None) -> str:
    """The guid; empty if it is the feed's home page, which identifies no entry."""
    guid = remove_illegal(draft.guid)
    return "" if is_web(guid) and link_key(guid) == home else guid


def _own_page(entry: Entry, home: str | None, link_uses: Counter[str]) -> str | None:
    page = page_of(entry, home)
    return page if page and link_uses[page] == 1 else None


def _key(guid: str, page: str | None, entry: Entry, *, is_shared: bool) -> str:
    if guid and not is_shared:
        return guid
    if guid:
        return f"{guid}|{digest(entry.link or '', entry.title)}"
    return page or digest(entry.link or "", entry.title, _date(entry) or entry.text)


def _date(entry: Entry) -> str:
    at = entry.published or entry.updated
    return str(at) if at else ""


def _distinct(keys: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """The keys, each completed if different entries have it: by date if that is enough."""
    holders: defaultdict[str, list[Entry]] = defaultdict(list)
    for key, entry in zip(keys, entries, strict=True):
        if entry not in holders[key]:
            holders[key].append(entry)
    by_date = {
        key: len({_date(entry) for entry in sharers} - {""}) == len(sharers)
        for key, sharers in holders.items()
    }
    return [
        key
        if len(holders[key]) == 1
        else f"{key}|{digest(_date(entry) if by_date[key] else _contents(entry))}"
        for key, entry in zip(keys, entries, strict=True)
    ]


def _contents(entry: Entry) -> str:
    return digest(entry.text, _date(entry), *(e.url for e in entry.enclosures))


def _without_copies(entries: Iterable[Entry]) -> Iterable[Entry]:
    """Leave out an entry that the feed lists twice: with equal title, text, date and media.

    Of two the one with the shorter address stays: Drupal appends "-0" to the other one.
    """
    originals: dict[str, Entry] = {}
    for entry in entries:
        name = copy_name(entry) or f"key {entry.key}"
        first = originals.get(name)
        if first is None or _address_order(entry) < _address_order(first):
            originals[name] = entry
    return originals.values()


def copy_name(entry: Entry) -> str:
    """A digest that is equal for copies in one feed; empty if the entry says too little."""
    if not _date(entry) or not entry.text:
        return ""
    # Short texts may be equal by chance, unless the address shows that it is a copy.
    address = (
        "" if len(entry.text) >= _MIN_COPY_CHARACTERS else _COPY_NUMBER.sub("", entry.link or "")
    )
    return digest(
        entry.title, entry.content, _date(entry), address, *(e.url for e in entry.enclosures)
    )


def _address_order(entry: Entry) -> tuple[int, str]:
    return len(entry.link or ""), entry.link or ""
