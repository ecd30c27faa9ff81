"""What is stored of the entries that documents hold: one transaction's, many documents'."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from aggregator.model import Entry, EntryChange
from aggregator.store import convert
from aggregator.store.changes import decide, find_twin
from aggregator.store.rows import CLIPPINGS_URL, chunks, read, rows_by_id
from aggregator.store.tables import ENTRIES

_MOST_SOUGHT = 10_000


@dataclass(slots=True)
class Document:
    """The entries that a feed's document holds; ``feed`` is its row, ``known`` are the keys of
    those that were not read, because they are as they were. ``kept_whole``: they are the reader's
    clippings, of which nothing is pruned."""

    feed: Any
    entries: Sequence[Entry]
    known: Sequence[str] = ()
    kept_whole: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is no publisher's, but the reader's files."""
        return bool(self.feed.url == CLIPPINGS_URL)

    @property
    def is_first(self) -> bool:
        """Whether nothing of the feed was stored before."""
        return self.feed.first_succeeded_at is None


def change_of(document: Document, row: Any, entry: Entry) -> EntryChange:
    """What an entry is to the stored ``row``. A feed of the reader's own clippings may once have been
    a subscription: they are kept whole."""
    if row.pruned_at and document.kept_whole:
        return EntryChange.MODIFIED
    return decide(row.content_hash, entry)


class Known:
    """Finds the rows behind the entries of documents, each list in the order of those.

    ``rows`` are by the entries' keys; of the modified ones ``whole`` has all columns, by number.
    ``pages`` are those that new entries have and others of the feed had before, by its number.
    """

    def __init__(self, session: Session, documents: Sequence[Document]) -> None:
        self._session = session
        self._documents = documents
        held = self._held([[entry.key for entry in d.entries] for d in documents])
        strangers = [
            [entry for entry in document.entries if entry.key not in rows]
            for document, rows in zip(documents, held, strict=True)
        ]
        twins = self._twins(strangers, held)
        self.rows = [rows | named for rows, named in zip(held, twins, strict=True)]
        self.pages = self._taken_pages(strangers)
        self.whole = self._whole(held)

    def _held(self, keys: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """What is stored of the entries of these keys of each document, by their keys."""
        held: list[dict[str, Any]] = [{} for _ in self._documents]
        numbers = {document.feed.id: n for n, document in enumerate(self._documents)}
        it = ENTRIES.c
        columns = select(it.id, it.feed_id, it.key, it.content_hash, it.pruned_at)
        for feeds, wanted in self._portions(keys):
            theirs = columns.where(it.feed_id.in_(feeds), it.key.in_(wanted))
            for row in read(self._session, theirs):
                held[numbers[row.feed_id]][row.key] = row
        return held

    def _portions(self, keys: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], list[str]]]:
        """Feeds and keys to look for together. The index is sought for each of the one with each of
        the other: few feeds with many keys, or many with few."""
        feeds: list[int] = []
        wanted: list[str] = []
        for document, some in zip(self._documents, keys, strict=True):
            if not some or (document.is_first and not document.is_ours):
                continue
            if (len(feeds) + 1) * (len(wanted) + len(some)) > _MOST_SOUGHT and feeds:
                yield feeds, wanted
                feeds, wanted = [], []
            feeds.append(document.feed.id)
            wanted += some
        if feeds:
            yield feeds, wanted

    def _twins(
        self, strangers: Sequence[Sequence[Entry]], held: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The stored entries that publishers now serve under other keys, by the new key, for each
        document; ``held`` are those that were found under the keys that we know."""
        every_page: set[str] = set()
        every_title: set[str] = set()
        feeds: set[int] = set()
        for document, unknown in zip(self._documents, strangers, strict=True):
            if unknown and not document.is_first and not document.is_ours:
                feeds.add(document.feed.id)
                every_page.update(entry.page for entry in unknown if entry.page)
                every_title.update(entry.title for entry in unknown)
        gone: defaultdict[int, dict[int, Any]] = defaultdict(dict)
        if feeds:
            theirs = select(ENTRIES).where(ENTRIES.c.feed_id.in_(feeds))
            # One after the other, since each has an index, and both together have none.
            for like in (ENTRIES.c.page.in_(every_page), ENTRIES.c.title.in_(every_title)):
                for row in read(self._session, theirs.where(like)):
                    gone[row.feed_id][row.id] = row
        present = self._present(held, gone)
        found = []
        for document, unknown, there in zip(self._documents, strangers, present, strict=True):
            rows = gone.get(document.feed.id, {})
            pages, titles = {e.page for e in unknown if e.page}, {e.title for e in unknown}
            left = {
                id: convert.entry_from_row(row)
                for id, row in sorted(rows.items())
                if id not in there and (row.page in pages or row.title in titles)
            }
            named: dict[str, Any] = {}
            for entry in unknown if left else ():
                twin = find_twin(entry, left.items(), wholesale=not there)
                if twin is not None:
                    named[entry.key] = rows[twin]
                    del left[twin]
            found.append(named)
        return found

    def _present(
        self, held: Sequence[dict[str, Any]], gone: Mapping[int, object]
    ) -> list[set[int]]:
        """The stored entries that stand in each document, if it may have twins."""
        known = self._held(
            [document.known if document.feed.id in gone else () for document in self._documents]
        )
        return [
            {row.id for row in (*read_now.values(), *before.values())}
            for read_now, before in zip(held, known, strict=True)
        ]

    def _taken_pages(self, strangers: Sequence[Sequence[Entry]]) -> dict[int, set[str | None]]:
        """The pages of new entries that already are those of others, by the feed's number."""
        taken: dict[int, set[str | None]] = {}
        for document in self._documents:
            if not document.is_first:
                taken[document.feed.id] = set()
        wanted = {entry.page for unknown in strangers for entry in unknown if entry.page}
        if taken:
            for pages in chunks(sorted(wanted)):
                held = select(ENTRIES.c.feed_id, ENTRIES.c.page).where(ENTRIES.c.page.in_(pages))
                for feed, page in read(self._session, held):
                    if feed in taken:
                        taken[feed].add(page)
        return taken

    def _whole(self, held: Sequence[dict[str, Any]]) -> dict[int, Any]:
        """All of the rows of the entries that are modified, by their numbers."""
        modified = [
            rows[entry.key].id
            for document, rows in zip(self._documents, held, strict=True)
            for entry in document.entries
            if entry.key in rows
            and change_of(document, rows[entry.key], entry) is EntryChange.MODIFIED
        ]
        return rows_by_id(self._session, select(ENTRIES), modified)
