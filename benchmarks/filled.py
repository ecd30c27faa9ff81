"""An installation that has run for a year, made in minutes: what `benchmarks.scaling` measures.

A real run over twenty feeds makes the channels, and shows what rows look like. Then rows like those
are written straight into the tables, as if each had been matched, placed and rendered; a last run
learns from what is now stored, and renders what is open.

Closed documents of the archives and pages of sources are empty files: a run asks no more of them
than whether they are there. ``also`` is empty, since `all` and `unmatched` would be thousands of
documents more, of which a run writes none but the last.
"""

import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select, update

from aggregator.match import Vocabulary, channel_key
from aggregator.model import (
    ChannelKind,
    Config,
    Evidence,
    EvidenceKind,
    Match,
    MembershipChange,
    Role,
)
from aggregator.publish.paths import source_files
from aggregator.run.match import load_vocabulary, match_fingerprint
from aggregator.run.project import open_project
from aggregator.run.stale import make_feed_builder
from aggregator.store import Store, convert, tables
from aggregator.store.engine import database_path, open_engine
from aggregator.text.similarity import bands
from benchmarks.editions import OTHERS, REAL, YEAR, Texts
from benchmarks.server import address, etag_of

RUN = (sys.executable, "-m", "aggregator", "run", "--json")
_MATCHED = 20  # every so many entries belongs to one of the tags: 5 %
_DAY, _BANDS_KEPT = timedelta(days=1), timedelta(days=30)
_AT_ONCE, _PLACED_AT_ONCE = 5_000, 20_000
_ROOM = 1_000_000  # KB of memory for the database while it is filled
_CLIPPINGS = Path(__file__).resolve().parents[1] / "clippings" / "michel-bauwens.txt"

Row = dict[str, Any]


def fill(folder: Path, port: int, subscriptions: int, entries: int, began: datetime) -> Path:
    """Make it in ``folder``, while the first of `editions` is served; gives its database."""
    (folder / "clippings.txt").write_bytes(_CLIPPINGS.read_bytes())
    config = folder / "feeds.toml"
    urls = addresses(port, subscriptions)
    config.write_text(_feeds_toml(urls[:REAL]))
    subprocess.run(RUN, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    config.write_text(_feeds_toml(urls))
    project = open_project(config, {}, began)
    with closing(_Grown(project.config.store_url, folder)) as store:
        store.entries = entries
        vocabulary, _ = load_vocabulary(project.config, project.clippings, store)
        fingerprint = match_fingerprint(vocabulary, store)
    path = database_path(project.config.store_url, folder)
    with _writing(path) as connection:
        feeds = _add_feeds(connection, project.config, vocabulary, began)
        with _without_indexes(connection):
            membership_changes = _add_entries(
                connection, feeds, vocabulary, fingerprint, entries, began
            )
    with closing(Store(project.config.store_url, folder)) as store:
        for start in range(0, len(membership_changes), _PLACED_AT_ONCE):
            some = membership_changes[start : start + _PLACED_AT_ONCE]
            live = {
                (channel, membership_change.story)
                for membership_change in some
                for channel in membership_change.enters
            }
            store.channels.save_membership_changes(some, live, began)
    with _writing(path) as connection:
        _settle(connection, project.config, folder / project.config.publish.directory)
    subprocess.run(RUN, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return path


def addresses(port: int, subscriptions: int) -> list[str]:
    """Where the subscriptions are served."""
    return [address(port, number, f"/{number}") for number in range(subscriptions)]


def schedule(path: Path, due: Collection[str]) -> None:
    """Let the subscriptions of these addresses be due, and no others."""
    now, feed = datetime.now(UTC).replace(microsecond=0), _table(tables.FeedRow)
    later = {"fetched_at": now, "next_poll_at": now + _DAY, "not_before": None}
    at_once = {"fetched_at": now - _DAY, "next_poll_at": now - _DAY / 2}
    engine = open_engine(f"sqlite:///{path}", Path())
    with engine.begin() as connection:
        connection.execute(update(feed).values(later))
        connection.execute(update(feed).where(feed.c.url.in_(due)).values(at_once))
    engine.dispose()


class _Grown(Store):
    """A store that tells the number of entries that it will have: matching depends on it."""

    entries = 0

    def collected(self) -> int:
        return self.entries


def _feeds_toml(urls: Sequence[str]) -> str:
    head = '[clippings]\nfiles = "clippings.txt"\n\n[publish]\nalso = []\n'
    return head + "".join(
        f'\n[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n' for url in urls
    )


@contextmanager
def _writing(path: Path) -> Iterator[Connection]:
    """The database, quick and careless."""
    engine = open_engine(f"sqlite:///{path}", Path())
    with engine.connect() as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_ROOM}")
        yield connection
        connection.commit()
    engine.dispose()


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Indexes that are made at the end are made in a tenth of the time."""
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).all()
    for name, _ in found:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    for _, statement in found:
        connection.exec_driver_sql(statement)


def _add_feeds(
    connection: Connection, config: Config, vocabulary: Vocabulary, began: datetime
) -> list[int]:
    """A row for each subscription that the first run did not read; gives the rows of all."""
    feed = _table(tables.FeedRow)
    ours = feed.c.role == Role.SUBSCRIPTION.value
    like = _a_row(connection, feed, ours)
    del like["id"]
    like |= {"etag": etag_of(OTHERS), "last_modified": None, "body_hash": None}
    rows = [
        like
        | dict.fromkeys(("url", "atom_id", "validated_url"), subscription.key)
        | {"title": f"Feed {number}", "link": f"https://f{number}.example/"}
        for number, subscription in enumerate(config.subscriptions)
        if number >= REAL
    ]
    _insert(connection, feed, rows)
    settled = {
        "first_succeeded_at": began - YEAR - _DAY,
        "dirty": False,
        "rendered": make_feed_builder(config, vocabulary).settings_digest,
    }
    connection.execute(update(feed).where(ours).values(settled))
    return list(connection.execute(select(feed.c.id).where(ours).order_by(feed.c.id)).scalars())


def _add_entries(
    connection: Connection, feeds: Sequence[int], vocabulary: Vocabulary, fingerprint: str,
    entries: int, began: datetime,
) -> list[MembershipChange]:  # fmt: skip
    """Entries, each with its story, over a year up to yesterday; gives where those are to stand
    that belong to a tag."""
    entry, story, match, band = map(
        _table, (tables.EntryRow, tables.StoryRow, tables.MatchRow, tables.MinHashBandRow)
    )
    known = began - YEAR - _DAY  # since the feeds are; those that were read a moment ago too
    connection.execute(update(entry).values(first_seen_at=known, changed_at=known))
    stored = connection.execute(select(func.count(), func.max(entry.c.id)).select_from(entry)).one()
    first = max(stored[1], connection.execute(select(func.max(story.c.id))).scalar_one()) + 1
    like = _a_row(connection, entry) | {"matched_fingerprint": fingerprint, "updated": None}
    story_like = _a_row(connection, story) | {
        "ever_published": True,
        "placement_pending": False,
        "revisions": 0,
    }
    tags = [tag.key for tag in vocabulary.tags]
    texts, rest = Texts(5005), entries - stored[0]
    membership_changes: list[MembershipChange] = []

    def rows() -> Iterator[tuple[Row, Row, Row | None, list[Row]]]:
        for number in range(rest):
            row = first + number
            at = (began - YEAR + (YEAR - _DAY) * (number / rest)).replace(microsecond=0)
            made = texts.entry(f"f{number % len(feeds)}.example/{number}", at)
            one = like | convert.entry_columns(made) | {
                "id": row, "feed_id": feeds[number % len(feeds)], "story_id": row,
                "first_seen_at": at, "changed_at": at,
            }  # fmt: skip
            matched = None
            if (number + number // len(feeds)) % _MATCHED == 0:  # now of these feeds, now of those
                tag = tags[len(membership_changes) % len(tags)]
                why = Evidence(EvidenceKind.PHRASE, tag, "title", 1.0)
                columns = convert.match_columns(Match(tag, 0.9, (why,)))
                matched = {"entry_id": row, "matched_at": at, **columns}
                enters = frozenset({channel_key(ChannelKind.TAG, tag)})
                membership_changes.append(
                    MembershipChange(row, made.id, at, False, enters, frozenset())
                )
            names = bands(made.text) if at > began - _BANDS_KEPT else ()
            told = story_like | {"id": row, "atom_id": made.id, "updated": at}
            yield told, one, matched, [{"name": name, "entry_id": row} for name in names]

    made = rows()
    while some := list(islice(made, _AT_ONCE)):
        _insert(connection, story, [told for told, *_ in some])
        _insert(connection, entry, [one for _, one, *_ in some])
        _insert(connection, match, [matched for *_, matched, _ in some if matched])
        _insert(connection, band, [name for *_, names in some for name in names])
        connection.commit()
    return membership_changes


def _settle(connection: Connection, config: Config, outputs: Path) -> None:
    """Note that all is rendered but the live feeds and the open documents."""
    channel, page, listing, story = map(
        _table,
        (tables.ChannelRow, tables.ArchiveDocumentRow, tables.ChannelStoryRow, tables.StoryRow),
    )
    told = select(story.c.updated).where(story.c.id == listing.c.story_id).scalar_subquery()
    connection.execute(update(listing).values(entered_at=told))
    open_ones = connection.execute(
        select(page.c.channel, func.max(page.c.name)).group_by(page.c.channel)
    ).all()
    held = select(page.c.channel, page.c.name, channel.c.slug).join(channel)
    for key, month, slug in connection.execute(held).all():
        if (key, month) not in open_ones:
            name = f"{slug}/{month}.atom"
            this = (page.c.channel == key) & (page.c.name == month)
            done = {"dirty": False, "rendered": f"{config.site.url}{name}"}
            connection.execute(update(page).where(this).values(done))
            _make(outputs / name)
    for name in source_files(config.sources).values():
        _make(outputs / name)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _table(row: Any) -> Table:
    table: Table = row.__table__
    return table


def _a_row(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> Row:
    """A real row, of which the columns that nobody here knows of are taken."""
    found = connection.execute(select(table).where(*conditions).limit(1))
    return dict(found.mappings().one())


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
