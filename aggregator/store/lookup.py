"""Finds the stored entries behind the entries of documents, many documents in one transaction."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from aggregator.model import Entry, EntryChange
from aggregator.store import convert
from aggregator.store.changes import compare, find_twin
from aggregator.store.rows import CLIPPINGS_URL, AnyRow, chunks, fetch_all, rows_by_id
from aggregator.store.tables import ENTRIES

MAX_INDEX_LOOKUPS = 10_000  # of one query


@dataclass(slots=True)
class Document:
    """The entries of a feed's document.

    ``feed``: its row. ``unread_keys``: keys of entries that incremental parsing skipped. ``is_kept``:
    the entries are clippings, which are never pruned. ``is_reread``: another version of this program
    read the feed before, so a difference may be its correction and not the publisher's.
    """

    feed: AnyRow
    entries: Sequence[Entry]
    unread_keys: Sequence[str] = ()
    is_kept: bool = False
    is_reread: bool = False

    @property
    def is_clippings_file(self) -> bool:
        """Whether it comes from the clippings files, and not from a publisher."""
        return bool(self.feed.url == CLIPPINGS_URL)

    @property
    def is_first(self) -> bool:
        """Whether no document of the feed was stored before."""
        return self.feed.first_succeeded_at is None


def compare_with_row(document: Document, row: AnyRow, entry: Entry) -> EntryChange:
    """Compare an entry with its row. A pruned entry that is now a clipping gets its content back.

    The hash does not show all that another version of this program may have read wrongly.
    """
    if row.pruned_at and document.is_kept:
        return EntryChange.MODIFIED
    if document.is_reread and not row.pruned_at:
        return EntryChange.MODIFIED
    return compare(row.content_hash, entry)


class StoredEntryLookup:
    """The stored rows of some documents' entries. Lists are in the order of the documents.

    ``rows``: by the entries' keys, including rows stored under another key ("twins").
    ``modified_rows``: all columns of the modified entries, by id.
    ``used_pages``: pages of new entries that other entries of the feed have already, by feed id.
    """

    def __init__(self, connection: Connection, documents: Sequence[Document]) -> None:
        self._connection = connection
        self._documents = documents
        rows = self._rows_by_key([[entry.key for entry in d.entries] for d in documents])
        unknown = [
            [entry for entry in document.entries if entry.key not in stored_rows]
            for document, stored_rows in zip(documents, rows, strict=True)
        ]
        twins = self._twins(unknown, rows)
        self.rows = [
            stored_rows | renamed for stored_rows, renamed in zip(rows, twins, strict=True)
        ]
        self.used_pages = self._used_pages(unknown)
        self.modified_rows = self._modified_rows(rows)

    def _rows_by_key(self, keys: Sequence[Sequence[str]]) -> list[dict[str, AnyRow]]:
        """The stored rows with these keys of each document, by key."""
        rows: list[dict[str, AnyRow]] = [{} for _ in self._documents]
        positions = {document.feed.id: n for n, document in enumerate(self._documents)}
        entry = ENTRIES.c
        columns = select(entry.id, entry.feed_id, entry.key, entry.content_hash, entry.pruned_at)
        for feeds, batch in self._batches(keys):
            query = columns.where(entry.feed_id.in_(feeds), entry.key.in_(batch))
            for row in fetch_all(self._connection, query):
                rows[positions[row.feed_id]][row.key] = row
        return rows

    def _batches(self, keys: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], list[str]]]:
        """Feeds and keys for one query each.

        The index is searched for each feed with each key: few feeds with many keys, or vice versa.
        """
        feeds: list[int] = []
        batch: list[str] = []
        for document, own_keys in zip(self._documents, keys, strict=True):
            if not own_keys or (document.is_first and not document.is_clippings_file):
                continue
            lookups = (len(feeds) + 1) * (len(batch) + len(own_keys))
            if feeds and lookups > MAX_INDEX_LOOKUPS:
                yield feeds, batch
                feeds, batch = [], []
            feeds.append(document.feed.id)
            batch += own_keys
        if feeds:
            yield feeds, batch

    def _twins(
        self, unknown: Sequence[Sequence[Entry]], rows: Sequence[dict[str, AnyRow]]
    ) -> list[dict[str, AnyRow]]:
        """The rows that publishers now serve under other keys, by the new key, for each document."""
        similar = self._similar_rows(unknown)
        present = self._present_ids(rows, similar)
        twins = []
        for document, entries, present_ids in zip(self._documents, unknown, present, strict=True):
            own_rows = similar.get(document.feed.id, {})
            pages, titles = {e.page for e in entries if e.page}, {e.title for e in entries}
            dates = {e.published for e in entries if e.published}
            candidates = {
                entry_id: convert.entry_from_row(row)
                for entry_id, row in sorted(own_rows.items())
                if entry_id not in present_ids
                and (row.page in pages or row.title in titles or row.published in dates)
            }
            renamed: dict[str, AnyRow] = {}
            for entry in entries if candidates else ():
                twin = find_twin(
                    entry,
                    candidates.items(),
                    all_keys_new=not present_ids,
                    is_reread=document.is_reread,
                )
                if twin is not None:
                    renamed[entry.key] = own_rows[twin]
                    del candidates[twin]
            twins.append(renamed)
        return twins

    def _similar_rows(
        self, unknown: Sequence[Sequence[Entry]]
    ) -> defaultdict[int, dict[int, AnyRow]]:
        """Rows with the page, title or date of an unknown entry, by feed id and entry id."""
        pages: set[str] = set()
        titles: set[str] = set()
        dates: set[datetime] = set()
        feeds: set[int] = set()
        for document, entries in zip(self._documents, unknown, strict=True):
            if entries and not document.is_first and not document.is_clippings_file:
                feeds.add(document.feed.id)
                pages.update(entry.page for entry in entries if entry.page)
                titles.update(entry.title for entry in entries)
                dates.update(entry.published for entry in entries if entry.published)
        rows: defaultdict[int, dict[int, AnyRow]] = defaultdict(dict)
        if feeds:
            of_feeds = select(ENTRIES).where(ENTRIES.c.feed_id.in_(feeds))
            # Three queries: each condition has an index, but all together have none.
            for is_similar in (
                ENTRIES.c.page.in_(pages),
                ENTRIES.c.title.in_(titles),
                ENTRIES.c.published.in_(dates),
            ):
                for row in fetch_all(self._connection, of_feeds.where(is_similar)):
                    rows[row.feed_id][row.id] = row
        return rows

    def _present_ids(
        self, rows: Sequence[dict[str, AnyRow]], similar: Mapping[int, object]
    ) -> list[set[int]]:
        """The ids of the stored entries in each document that may have twins."""
        unread = self._rows_by_key(
            [d.unread_keys if d.feed.id in similar else () for d in self._documents]
        )
        return [
            {row.id for row in (*parsed.values(), *skipped.values())}
            for parsed, skipped in zip(rows, unread, strict=True)
        ]

    def _used_pages(self, unknown: Sequence[Sequence[Entry]]) -> dict[int, set[str | None]]:
        used: dict[int, set[str | None]] = {
            document.feed.id: set() for document in self._documents if not document.is_first
        }
        pages = {entry.page for entries in unknown for entry in entries if entry.page}
        if used:
            for batch in chunks(sorted(pages)):
                query = select(ENTRIES.c.feed_id, ENTRIES.c.page).where(ENTRIES.c.page.in_(batch))
                for feed, page in fetch_all(self._connection, query):
                    if feed in used:
                        used[feed].add(page)
        return used

    def _modified_rows(self, rows: Sequence[dict[str, AnyRow]]) -> dict[int, AnyRow]:
        modified = [
            stored_rows[entry.key].id
            for document, stored_rows in zip(self._documents, rows, strict=True)
            for entry in document.entries
            if entry.key in stored_rows
            and compare_with_row(document, stored_rows[entry.key], entry) is EntryChange.MODIFIED
        ]
        return rows_by_id(self._connection, select(ENTRIES), modified)
