"""Stores the entries of documents: finds the stored rows, decides about each entry, writes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from aggregator.model import Entry, EntryChange
from aggregator.store import convert
from aggregator.store.changes import (
    MAX_REVISIONS,
    MAX_TRIVIAL_CHANGES,
    content_hash_without_numbers,
    correct,
    is_significant,
    is_trivial_change,
    revise,
)
from aggregator.store.lookup import Document, StoredEntryLookup, compare_with_row
from aggregator.store.rows import AnyRow, Values, execute, mark_stories, rows_by_id, update_each
from aggregator.store.tables import ENTRIES, STORIES
from aggregator.text.atom_ids import mint_id

_NEW: Values = {"story_id": None, "trivial_changes": 0, "matched_fingerprint": None}
_RESTORED: Values = {
    "matched_fingerprint": None,
    "pruned_at": None,
    "content_hash_without_numbers": None,
}


def save_entries(
    connection: Connection, documents: Sequence[Document], now: datetime
) -> list[list[EntryChange]]:
    """Insert new entries and update modified ones; return the change of each entry."""
    return _Upsert(connection, documents, now).save()


@dataclass(frozen=True, slots=True)
class _Modification:
    row: AnyRow
    old: Entry
    new: Entry
    trivial_changes: int
    is_reread: bool


class _Upsert:
    """One transaction. First all entries are decided, then all are written."""

    def __init__(
        self, connection: Connection, documents: Sequence[Document], now: datetime
    ) -> None:
        self._connection = connection
        self._documents = documents
        self._now = now
        self._new: list[Values] = []
        self._modified: list[_Modification] = []
        self._renamed: list[Values] = []  # unchanged, but with a new key
        self._stored = StoredEntryLookup(connection, documents)

    def save(self) -> list[list[EntryChange]]:
        changes = [
            [self._decide(document, entry, rows.get(entry.key)) for entry in document.entries]
            for document, rows in zip(self._documents, self._stored.rows, strict=True)
        ]
        execute(self._connection, insert(ENTRIES), self._new)
        self._write_modified()
        update_each(self._connection, ENTRIES, self._renamed)
        return changes

    def _decide(self, document: Document, entry: Entry, row: AnyRow | None) -> EntryChange:
        if row is None:
            columns = convert.entry_columns(self._with_own_page(document, entry))
            times = {"first_seen_at": self._now, "changed_at": self._now}
            self._new.append(columns | times | _NEW | {"feed_id": document.feed.id})
            return EntryChange.NEW
        is_modified = compare_with_row(document, row, entry) is EntryChange.MODIFIED
        if is_modified and (modification := self._modification(document, row, entry)):
            self._modified.append(modification)
            return EntryChange.MODIFIED
        if row.key != entry.key:
            self._renamed.append({"id": row.id, "key": entry.key})
        return EntryChange.UNCHANGED

    def _modification(self, document: Document, row: AnyRow, entry: Entry) -> _Modification | None:
        """The change to store. None if only numbers changed, too often or in a pruned entry."""
        row = self._stored.modified_rows.get(row.id, row)
        old, trivial_changes = convert.entry_from_row(row), row.trivial_changes
        if document.is_reread and not row.pruned_at:
            if correct(old, entry) == old:
                return None
        elif row.pruned_at:  # the text is gone, so only the title can show a significant change
            is_same = row.content_hash_without_numbers == content_hash_without_numbers(entry)
            if is_same and not document.is_kept:
                return None
            old = replace(old, text=entry.text)
        elif is_trivial_change(old, entry):
            trivial_changes += 1
            if trivial_changes > MAX_TRIVIAL_CHANGES:
                return None
        return _Modification(row, old, entry, trivial_changes, document.is_reread)

    def _with_own_page(self, document: Document, entry: Entry) -> Entry:
        """``entry``, without its page if another entry of the feed has that page already.

        A link that one entry after another gets ("today") identifies none of them.
        """
        used = self._stored.used_pages.get(document.feed.id)
        if entry.page is None or used is None:
            return entry
        if entry.page not in used:
            used.add(entry.page)
            return entry
        is_minted = entry.id == mint_id(document.feed.url, entry.page, entry.key)
        own_id = mint_id(document.feed.url, None, entry.key)
        return replace(entry, page=None, id=own_id if is_minted else entry.id)

    def _write_modified(self) -> None:
        """Store the modified entries. Significant changes will move the dates of their stories.

        A later version of this program notifies no subscriber of its better reading.
        """
        story_ids = (m.row.story_id for m in self._modified if m.row.story_id)
        stories = rows_by_id(self._connection, select(STORIES), story_ids)
        entries: list[Values] = []
        moves: dict[int, tuple[int, datetime]] = {}  # story id: revisions, date
        for change in self._modified:
            story = stories.get(change.row.story_id)
            significant = (
                not change.is_reread
                and (story is None or story.revisions < MAX_REVISIONS)
                and is_significant(change.old, change.new)
            )
            entry = (
                correct(change.old, change.new)
                if change.is_reread
                else revise(change.old, change.new, self._now, significant=significant)
            )
            times = {"changed_at": self._now, "trivial_changes": change.trivial_changes}
            entries.append(convert.entry_columns(entry) | times | _RESTORED | {"id": change.row.id})
            if significant and story is not None:
                revisions, latest = moves.get(story.id, (story.revisions, story.revised))
                date = entry.updated or self._now
                moves[story.id] = (revisions + 1, max(date, latest or date))
        update_each(self._connection, ENTRIES, entries)
        update_each(
            self._connection,
            STORIES,
            [{"id": i, "revisions": n, "revised": date} for i, (n, date) in moves.items()],
        )
        mark_stories(self._connection, sorted(stories), corrected=True)
