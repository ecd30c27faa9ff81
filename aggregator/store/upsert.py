"""What becomes of the entries of documents that were read: one transaction's, many documents'."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session

from aggregator.model import Entry, EntryChange
from aggregator.store import convert
from aggregator.store.changes import (
    MAX_REVISIONS,
    MAX_TRIVIAL_CHANGES,
    content_hash_without_numbers,
    is_significant,
    is_trivial_change,
    revise,
)
from aggregator.store.lookup import Document, Known, change_of
from aggregator.store.rows import mark_stories, rows_by_id, update_each, write
from aggregator.store.tables import ENTRIES, STORIES
from aggregator.text.atom_ids import mint_id


def save_entries(
    session: Session, documents: Sequence[Document], now: datetime
) -> list[list[EntryChange]]:
    """Insert what is new and update what is modified; gives what each entry was."""
    return _Intake(session, documents, now).save()


class _Intake:
    """Decides of each entry, by what is known of all, then writes."""

    def __init__(self, session: Session, documents: Sequence[Document], now: datetime) -> None:
        self._session = session
        self._documents = documents
        self._now = now
        self._new: list[dict[str, Any]] = []
        self._modified: list[tuple[Any, Entry, Entry, int]] = []  # row, old, new, noise
        self._renamed: list[dict[str, Any]] = []
        self._known = Known(session, documents)

    def save(self) -> list[list[EntryChange]]:
        changes = [
            [self._take(document, entry, rows.get(entry.key)) for entry in document.entries]
            for document, rows in zip(self._documents, self._known.rows, strict=True)
        ]
        write(self._session, insert(ENTRIES), self._new)
        self._revise()
        update_each(self._session, ENTRIES, self._renamed)
        return changes

    def _take(self, document: Document, entry: Entry, row: Any | None) -> EntryChange:
        if row is None:
            columns = convert.entry_columns(self._own_page(document, entry))
            seen = {"feed_id": document.feed.id, "first_seen_at": self._now}
            self._new.append(columns | seen | _NEW | {"changed_at": self._now})
            return EntryChange.NEW
        change = change_of(document, row, entry)
        if change is EntryChange.MODIFIED:
            row = self._known.whole.get(row.id, row)
            old, trivial_changes = convert.entry_from_row(row), row.trivial_changes
            if row.pruned_at:  # only digests are left of what it said: its title tells significance
                if (
                    row.content_hash_without_numbers == content_hash_without_numbers(entry)
                    and not document.kept_whole
                ):
                    trivial_changes = MAX_TRIVIAL_CHANGES + 1  # no counter brings it back
                old = replace(old, text=entry.text)
            else:
                trivial_changes += is_trivial_change(old, entry)
            if trivial_changes <= MAX_TRIVIAL_CHANGES:
                self._modified.append((row, old, entry, trivial_changes))
                return change
            change = EntryChange.UNCHANGED
        if row.key != entry.key:
            self._renamed.append({"id": row.id, "key": entry.key})
        return change

    def _own_page(self, document: Document, entry: Entry) -> Entry:
        """``entry``, without its page where that already is another's of the same feed.

        A link that is given to one entry after another ("today") names none of them.
        """
        taken = self._known.pages.get(document.feed.id)
        if entry.page is None or taken is None:
            return entry
        if entry.page not in taken:
            taken.add(entry.page)
            return entry
        minted = entry.id == mint_id(document.feed.url, entry.page, entry.key)
        own = mint_id(document.feed.url, None, entry.key)
        return replace(entry, page=None, id=own if minted else entry.id)

    def _revise(self) -> None:
        """Store what is modified; significant changes will move the stories that they are told in."""
        story_ids = (row.story_id for row, *_ in self._modified if row.story_id)
        stories = rows_by_id(self._session, select(STORIES), story_ids)
        significant = {row.id for row, old, new, _ in self._modified if is_significant(old, new)}
        told = {id for id, story in stories.items() if story.revisions >= MAX_REVISIONS}
        significant -= {row.id for row, *_ in self._modified if row.story_id in told}
        revised = [
            (row, revise(old, new, self._now, significant=row.id in significant), trivial_changes)
            for row, old, new, trivial_changes in self._modified
        ]
        updates: list[dict[str, Any]] = []
        moves: dict[int, tuple[int, datetime]] = {}
        for row, entry, trivial_changes in revised:
            changed = {
                "id": row.id,
                "trivial_changes": trivial_changes,
                "changed_at": self._now,
            } | _WHOLE
            updates.append(convert.entry_columns(entry) | changed)
            if row.id in significant and row.story_id:
                story = stories[row.story_id]
                revisions, latest = moves.get(story.id, (story.revisions, story.revised))
                wanted = entry.updated or self._now
                moves[story.id] = (revisions + 1, max(wanted, latest or wanted))
        update_each(self._session, ENTRIES, updates)
        moved = [{"id": id, "revisions": n, "revised": at} for id, (n, at) in moves.items()]
        update_each(self._session, STORIES, moved)
        mark_stories(self._session, sorted(stories), corrected=True)


_WHOLE = {"matched_fingerprint": None, "pruned_at": None, "content_hash_without_numbers": None}
_NEW = {"story_id": None, "trivial_changes": 0, "matched_fingerprint": None}
