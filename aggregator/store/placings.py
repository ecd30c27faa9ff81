"""In which output feeds stories stand, and in which documents of their archives."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select, update

from aggregator.folding import slugs
from aggregator.identity import mint_id
from aggregator.model import ChannelKind, Placing, Story
from aggregator.store.connection import Connection
from aggregator.store.rows import IN_ONE_QUERY, chunks, stories_of
from aggregator.store.tables import ChannelRow, ListingRow, PageRow, StoryRow

MOST_IN_A_DOCUMENT = 300
MONTH_LENGTH = len("2026-11")


class PlacingStore(Connection):
    """What listing reads and writes."""

    def save_channels(
        self, wanted: Mapping[str, tuple[ChannelKind, str]], site_url: str, now: datetime
    ) -> None:
        """Remember new output feeds, and which have ended or are back.

        A feed's id is made from the site's address at its first time, and stays when that moves.
        """
        with self._session() as session:
            held = {row.key: row for row in session.exec(select(ChannelRow))}
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
                        feed_id=mint_id(site_url, None, slug), first_seen_at=now,
                    )  # fmt: skip
                    session.add(row)
                elif row.name != name or row.ended_at or row.pruned:
                    row.name, row.ended_at, row.pruned, row.dirty = name, None, False, True
            for key, row in held.items():
                if key not in wanted and row.ended_at is None:
                    row.ended_at, row.dirty = now, True

    def unlisted(self) -> Iterator[tuple[Story, frozenset[str]]]:
        """The stories whose place must be decided again, with the channels they now stand in."""
        last = 0
        while True:
            with self._session() as session:
                rows = session.exec(
                    select(StoryRow)
                    .where(col(StoryRow.unlisted), col(StoryRow.id) > last)
                    .order_by(col(StoryRow.id))
                    .limit(IN_ONE_QUERY)
                ).all()
                held = defaultdict(set)
                ids = [row.id for row in rows]
                listed = select(ListingRow.story_id, ListingRow.channel)
                for story, channel in session.exec(listed.where(col(ListingRow.story_id).in_(ids))):
                    held[story].add(channel)
                found = stories_of(session, rows)
            if not found:
                return
            yield from ((story, frozenset(held[story.row])) for story in found)
            last = found[-1].row

    def save_placings(
        self, placings: Sequence[Placing], live: Collection[tuple[str, int]], now: datetime
    ) -> None:
        """Let stories enter and leave, in one transaction; ``live`` says (channel, story) of those
        that may stand in a live feed.

        A story stands in the archive of its month, or, where a later month was begun, in that:
        closed documents never change for what was found late. One that holds 300 is closed too, so
        that what is written for one story is bounded.
        """
        with self._session() as session:
            archive = _Archive(session)
            touched: set[str] = set()
            for placing in sorted(placings, key=lambda p: (p.date, p.id)):
                touched |= placing.enters | placing.leaves
                if placing.leaves:
                    theirs = ListingRow.story_id == placing.story
                    leaving = col(ListingRow.channel).in_(placing.leaves)
                    for row in session.exec(select(ListingRow).where(theirs, leaving)).all():
                        archive.withdraw(row.channel, row.month)
                        session.delete(row)
                for channel in sorted(placing.enters):
                    session.add(
                        ListingRow(
                            channel=channel, story_id=placing.story,
                            month=archive.enter(channel, placing.date),
                            live=(channel, placing.story) in live, listed_at=now,
                        )
                    )  # fmt: skip
            for keys in chunks(sorted(touched)):
                dirty = update(ChannelRow).where(col(ChannelRow.key).in_(keys))
                session.exec(dirty.values(dirty=True))
            for stories in chunks([placing.story for placing in placings]):
                settled = update(StoryRow).where(col(StoryRow.id).in_(stories))
                session.exec(settled.values(unlisted=False, listed=True))


class _Archive:
    """The documents of all archives, while stories enter them in the order of their dates."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[str, PageRow] = {}  # the latest of each channel
        latest = select(PageRow.channel, func.max(PageRow.month)).group_by(PageRow.channel)
        for channel, month in session.exec(latest).all():
            self._open[channel] = _existing(session, channel, month)

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
        page.dirty = True
        return page.month

    def withdraw(self, channel: str, month: str) -> None:
        """A story leaves the document."""
        page = self._open.get(channel)
        if page is None or page.month != month:
            page = _existing(self._session, channel, month)
        page.stories -= 1
        page.dirty = True

    def _begin(self, channel: str, month: str, before: PageRow | None) -> PageRow:
        page = self._open[channel] = PageRow(channel=channel, month=month)
        self._session.add(page)
        if before is not None:
            before.dirty = True
        return page


def _existing(session: Session, channel: str, month: str) -> PageRow:
    page = session.get(PageRow, (channel, month))
    assert page is not None, (channel, month)
    return page
