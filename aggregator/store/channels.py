"""In which output feeds stories stand, and in which documents of their archives."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlmodel
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlmodel import Session

from aggregator.model import ChannelKind, MembershipChange, Story
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    UPDATE_ARCHIVE_DOCUMENT,
    chunks,
    load_stories,
    mark_sources,
    read,
    write,
)
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    ENTRIES,
    STORIES,
    ChannelRow,
)
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import slugs

MOST_IN_A_DOCUMENT = 300
MONTH_LENGTH = len("2026-11")


class ChannelStore:
    """What listing reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self, wanted: Mapping[str, tuple[ChannelKind, str]], site_url: str, now: datetime
    ) -> None:
        """Remember new output feeds, and which have ended or are back.

        A feed's id is made from the site's address at its first time, and stays when that moves.
        """
        every = sqlmodel.select(ChannelRow)
        with self._database.transaction() as session:
            held = {row.key: row for row in session.exec(every)}
            names = {
                key: key.partition(":")[2] for key, (kind, _) in wanted.items()
                if kind is not ChannelKind.OWN
            }  # fmt: skip
            known = {key: row.slug for key, row in held.items()}
            known |= {key: name for key, (kind, name) in wanted.items() if kind is ChannelKind.OWN}
            given = slugs(names, known)
            for key, (kind, name) in wanted.items():
                row = held.get(key)
                if row is None:
                    slug = given[key]
                    row = ChannelRow(
                        key=key, kind=kind.value, name=name, slug=slug,
                        atom_id=mint_id(site_url, None, slug), first_seen_at=now,
                    )  # fmt: skip
                    session.add(row)
                elif row.name != name or row.ended_at or row.pruned:
                    row.name, row.ended_at, row.pruned, row.dirty = name, None, False, True
            for key, row in held.items():
                if key not in wanted and row.ended_at is None:
                    row.ended_at, row.dirty = now, True

    def pending_stories(self, *, whole: bool = True) -> Iterator[tuple[Story, frozenset[str]]]:
        """The stories whose place must be decided again, with the channels they now stand in;
        without ``whole``, what they say is left out."""
        last = 0
        while True:
            with self._database.transaction() as session:
                wanted = select(STORIES).where(STORIES.c.placement_pending, STORIES.c.id > last)
                rows = read(session, wanted.order_by(STORIES.c.id).limit(MAX_QUERY_PARAMETERS))
                held = defaultdict(set)
                listed = select(CHANNEL_STORIES.c.story_id, CHANNEL_STORIES.c.channel)
                theirs = listed.where(CHANNEL_STORIES.c.story_id.in_([row.id for row in rows]))
                for story, channel in read(session, theirs):
                    held[story].add(channel)
                found = load_stories(session, rows, whole=whole)
            if not found:
                return
            yield from ((story, frozenset(held[story.row])) for story in found)
            last = found[-1].row

    def save_membership_changes(
        self,
        membership_changes: Sequence[MembershipChange],
        live: Collection[tuple[str, int]],
        now: datetime,
    ) -> None:
        """Let stories enter and leave, in one transaction; ``live`` says (channel, story) of those
        that may stand in a live feed.

        A story stands in the archive of its month, or, where a later month was begun, in that:
        closed documents never change for what was found late. One that holds 300 is closed too, so
        that what is written for one story is bounded.
        """
        if not membership_changes:
            return
        moving = [
            membership_change
            for membership_change in membership_changes
            if membership_change.enters or membership_change.leaves
        ]
        with self._database.transaction() as session:
            if moving:
                _move(session, sorted(moving, key=lambda p: (p.date, p.id)), live, now)
            for stories in chunks(
                [membership_change.story for membership_change in membership_changes]
            ):
                settled = update(STORIES).where(STORIES.c.id.in_(stories))
                write(session, settled.values(placement_pending=False, ever_published=True))


def _move(
    session: Session,
    membership_changes: Sequence[MembershipChange],
    live: Collection[tuple[str, int]],
    now: datetime,
) -> None:
    archive = _Archive(session)
    entering: list[dict[str, Any]] = []
    for membership_change in membership_changes:
        if membership_change.leaves:
            _leave(session, archive, membership_change.story, membership_change.leaves)
        entering += [
            {
                "channel": channel,
                "story_id": membership_change.story,
                "document": archive.enter(channel, membership_change.date),
                "live": (channel, membership_change.story) in live,
                "entered_at": now,
            }
            for channel in sorted(membership_change.enters)
        ]
    write(session, insert(CHANNEL_STORIES), entering)
    archive.save()
    touched = {
        key
        for membership_change in membership_changes
        for key in membership_change.enters | membership_change.leaves
    }
    for keys in chunks(sorted(touched)):
        write(session, update(CHANNELS).where(CHANNELS.c.key.in_(keys)).values(dirty=True))
    ours = select(CHANNELS.c.key).where(CHANNELS.c.kind == ChannelKind.OWN.value)
    own_keys = {key for (key,) in read(session, ours)}
    shown = [p.story for p in membership_changes if (p.enters | p.leaves) - own_keys]
    for stories in chunks(shown):
        mark_sources(session, select(ENTRIES.c.feed_id).where(ENTRIES.c.story_id.in_(stories)))


def _leave(session: Session, archive: "_Archive", story: int, channels: Collection[str]) -> None:
    """A story leaves these channels and the documents of their archives."""
    there = (CHANNEL_STORIES.c.story_id == story) & CHANNEL_STORIES.c.channel.in_(sorted(channels))
    for row in read(session, select(CHANNEL_STORIES).where(there)):
        archive.withdraw(row.channel, row.document)
    write(session, delete(CHANNEL_STORIES).where(there))


@dataclass(slots=True)
class _Page:
    """A document while stories enter and leave it."""

    channel: str
    month: str
    stories: int = 0
    touched: bool = False
    new: bool = False


class _Archive:
    """The documents of all archives, while stories enter them in the order of their dates."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[str, _Page] = {}  # the latest of each channel
        self._pages: dict[tuple[str, str], _Page] = {}
        latest = select(
            ARCHIVE_DOCUMENTS.c.channel, func.max(ARCHIVE_DOCUMENTS.c.name).label("name")
        )
        newest = latest.group_by(ARCHIVE_DOCUMENTS.c.channel).subquery()
        joined = (ARCHIVE_DOCUMENTS.c.channel == newest.c.channel) & (
            ARCHIVE_DOCUMENTS.c.name == newest.c.name
        )
        columns = select(
            ARCHIVE_DOCUMENTS.c.channel, ARCHIVE_DOCUMENTS.c.name, ARCHIVE_DOCUMENTS.c.stories
        )
        for row in read(session, columns.join(newest, joined)):
            page = _Page(row.channel, row.name, row.stories)
            self._open[page.channel] = self._pages[page.channel, page.month] = page

    def enter(self, channel: str, date: datetime) -> str:
        """Where a story of this date goes; the document before a new one now has a next."""
        month = f"{date:%Y-%m}"
        page = self._open.get(channel)
        if page is None or month > page.month[:MONTH_LENGTH]:
            page = self._begin(channel, month, page)
        elif page.stories >= MOST_IN_A_DOCUMENT:
            month, _, part = page.month.partition(".")
            page = self._begin(channel, f"{month}.{int(part or 1) + 1:03}", page)
        page.stories += 1
        page.touched = True
        return page.month

    def withdraw(self, channel: str, month: str) -> None:
        """A story leaves the document."""
        if (channel, month) not in self._pages:
            held = select(ARCHIVE_DOCUMENTS.c.stories).where(
                ARCHIVE_DOCUMENTS.c.channel == channel, ARCHIVE_DOCUMENTS.c.name == month
            )
            ((stories,),) = read(self._session, held)
            self._pages[channel, month] = _Page(channel, month, stories)
        page = self._pages[channel, month]
        page.stories -= 1
        page.touched = True

    def _begin(self, channel: str, month: str, before: _Page | None) -> _Page:
        page = self._open[channel] = self._pages[channel, month] = _Page(channel, month, new=True)
        if before is not None:
            before.touched = True
        return page

    def save(self) -> None:
        """Write the documents that were touched."""
        touched = [page for page in self._pages.values() if page.touched]
        made = [
            {
                "channel": p.channel,
                "name": p.month,
                "stories": p.stories,
                "dirty": True,
                "rendered": "",
            }
            for p in touched
            if p.new
        ]
        write(self._session, insert(ARCHIVE_DOCUMENTS), made)
        changed = [
            {"its_channel": p.channel, "its_name": p.month, "number": p.stories}
            for p in touched
            if not p.new
        ]
        write(
            self._session,
            UPDATE_ARCHIVE_DOCUMENT.values(stories=bindparam("number"), dirty=True),
            changed,
        )
