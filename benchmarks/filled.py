"""Creates an installation that looks as after a year of runs, for `benchmarks.scaling`.

A real run over twenty feeds creates the channels and example rows. Then similar rows are written
directly to the tables, as if each entry had been matched, placed and rendered. A last run trains the
model with the stored entries, and renders the open documents.

Closed archive documents and source pages are empty files, because a run only checks that they exist.
``also`` is empty, because `all` and `unmatched` would add thousands of documents, while a run writes
only the last one.
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
_MATCH_INTERVAL = 20  # every 20th entry belongs to one of the tags: 5 %
_DAY, _BANDS_AGE = timedelta(days=1), timedelta(days=30)
_BATCH_SIZE, _PLACEMENT_BATCH_SIZE = 5_000, 20_000
_CACHE_KB = 1_000_000  # SQLite's cache while the database is filled
_CLIPPINGS = Path(__file__).resolve().parents[1] / "clippings" / "michel-bauwens.txt"

Row = dict[str, Any]


def fill(folder: Path, port: int, subscriptions: int, entries: int, began: datetime) -> Path:
    """Create it in ``folder`` while the first of `editions` is served; gives its database."""
    (folder / "clippings.txt").write_bytes(_CLIPPINGS.read_bytes())
    config = folder / "feeds.toml"
    urls = addresses(port, subscriptions)
    config.write_text(_feeds_toml(urls[:REAL]))
    subprocess.run(RUN, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    config.write_text(_feeds_toml(urls))
    project = open_project(config, {}, began)
    with closing(Store(project.config.store_url, folder)) as store:
        # The fingerprint depends on the number of stored entries.
        store.training.count_entries = lambda: entries  # type: ignore[method-assign]
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
        for start in range(0, len(membership_changes), _PLACEMENT_BATCH_SIZE):
            batch = membership_changes[start : start + _PLACEMENT_BATCH_SIZE]
            live = {
                (channel, membership_change.story)
                for membership_change in batch
                for channel in membership_change.enters
            }
            store.channels.save_membership_changes(batch, live, began)
    with _writing(path) as connection:
        _mark_rendered(connection, project.config, folder / project.config.publish.directory)
    subprocess.run(RUN, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return path


def addresses(port: int, subscriptions: int) -> list[str]:
    """The URLs of the subscriptions."""
    return [address(port, number, f"/{number}") for number in range(subscriptions)]


def schedule(path: Path, due: Collection[str]) -> None:
    """Make only the subscriptions of these URLs due."""
    now, feed = datetime.now(UTC).replace(microsecond=0), _table(tables.FeedRow)
    not_due = {"fetched_at": now, "next_poll_at": now + _DAY, "not_before": None}
    is_due = {"fetched_at": now - _DAY, "next_poll_at": now - _DAY / 2}
    engine = open_engine(f"sqlite:///{path}", Path())
    with engine.begin() as connection:
        connection.execute(update(feed).values(not_due))
        connection.execute(update(feed).where(feed.c.url.in_(due)).values(is_due))
    engine.dispose()


def _feeds_toml(urls: Sequence[str]) -> str:
    head = '[clippings]\nfiles = "clippings.txt"\n\n[publish]\nalso = []\n'
    return head + "".join(
        f'\n[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n' for url in urls
    )


@contextmanager
def _writing(path: Path) -> Iterator[Connection]:
    """The database with fast, unsafe settings."""
    engine = open_engine(f"sqlite:///{path}", Path())
    with engine.connect() as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KB}")
        yield connection
        connection.commit()
    engine.dispose()


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Drop the indexes, and create them again at the end: ten times as fast."""
    indexes = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    for _, statement in indexes:
        connection.exec_driver_sql(statement)


def _add_feeds(
    connection: Connection, config: Config, vocabulary: Vocabulary, began: datetime
) -> list[int]:
    """Add a row for each subscription that the first run did not poll; gives the ids of all."""
    feed = _table(tables.FeedRow)
    is_subscription = feed.c.role == Role.SUBSCRIPTION.value
    template = _example_row(connection, feed, is_subscription)
    del template["id"]
    template |= {"etag": etag_of(OTHERS), "last_modified": None, "body_hash": None}
    rows = [
        template
        | dict.fromkeys(("url", "atom_id", "validated_url"), subscription.key)
        | {"title": f"Feed {number}", "link": f"https://f{number}.example/"}
        for number, subscription in enumerate(config.subscriptions)
        if number >= REAL
    ]
    _insert(connection, feed, rows)
    rendered = {
        "first_succeeded_at": began - YEAR - _DAY,
        "dirty": False,
        "rendered": make_feed_builder(config, vocabulary).settings_digest,
    }
    connection.execute(update(feed).where(is_subscription).values(rendered))
    return list(
        connection.execute(select(feed.c.id).where(is_subscription).order_by(feed.c.id)).scalars()
    )


def _add_entries(
    connection: Connection, feeds: Sequence[int], vocabulary: Vocabulary, fingerprint: str,
    entries: int, began: datetime,
) -> list[MembershipChange]:  # fmt: skip
    """Add entries and their stories over a year up to yesterday; gives their channel memberships."""
    entry, story, match, band = map(
        _table, (tables.EntryRow, tables.StoryRow, tables.MatchRow, tables.MinHashBandRow)
    )
    first_seen = (
        began - YEAR - _DAY
    )  # the same as of the feeds, also for the entries of the first run
    connection.execute(update(entry).values(first_seen_at=first_seen, changed_at=first_seen))
    stored = connection.execute(select(func.count(), func.max(entry.c.id)).select_from(entry)).one()
    first = max(stored[1], connection.execute(select(func.max(story.c.id))).scalar_one()) + 1
    entry_template = _example_row(connection, entry) | {
        "matched_fingerprint": fingerprint,
        "updated": None,
    }
    story_template = _example_row(connection, story) | {
        "ever_published": True,
        "placement_pending": False,
        "revisions": 0,
    }
    tags = [tag.key for tag in vocabulary.tags]
    texts, missing = Texts(5005), entries - stored[0]
    membership_changes: list[MembershipChange] = []

    def rows() -> Iterator[tuple[Row, Row, Row | None, list[Row]]]:
        for number in range(missing):
            row = first + number
            at = (began - YEAR + (YEAR - _DAY) * (number / missing)).replace(microsecond=0)
            generated = texts.entry(f"f{number % len(feeds)}.example/{number}", at)
            entry_row = entry_template | convert.entry_columns(generated) | {
                "id": row, "feed_id": feeds[number % len(feeds)], "story_id": row,
                "first_seen_at": at, "changed_at": at,
            }  # fmt: skip
            match_row = None
            if (number + number // len(feeds)) % _MATCH_INTERVAL == 0:  # over all feeds in turn
                tag = tags[len(membership_changes) % len(tags)]
                evidence = Evidence(EvidenceKind.PHRASE, tag, "title", 1.0)
                columns = convert.match_columns(Match(tag, 0.9, (evidence,)))
                match_row = {"entry_id": row, "matched_at": at, **columns}
                enters = frozenset({channel_key(ChannelKind.TAG, tag)})
                membership_changes.append(
                    MembershipChange(row, generated.id, at, False, enters, frozenset())
                )
            names = bands(generated.text) if at > began - _BANDS_AGE else ()
            story_row = story_template | {"id": row, "atom_id": generated.id, "updated": at}
            yield (
                story_row,
                entry_row,
                match_row,
                [{"name": name, "entry_id": row} for name in names],
            )

    all_rows = rows()
    while batch := list(islice(all_rows, _BATCH_SIZE)):
        _insert(connection, story, [story_row for story_row, *_ in batch])
        _insert(connection, entry, [entry_row for _, entry_row, *_ in batch])
        _insert(connection, match, [match_row for *_, match_row, _ in batch if match_row])
        _insert(connection, band, [name for *_, names in batch for name in names])
        connection.commit()
    return membership_changes


def _mark_rendered(connection: Connection, config: Config, outputs: Path) -> None:
    """Mark everything as rendered, except the live feeds and the open documents."""
    channel, document, membership, story = map(
        _table,
        (tables.ChannelRow, tables.ArchiveDocumentRow, tables.ChannelStoryRow, tables.StoryRow),
    )
    dates = select(story.c.updated).where(story.c.id == membership.c.story_id).scalar_subquery()
    connection.execute(update(membership).values(entered_at=dates))
    open_documents = connection.execute(
        select(document.c.channel, func.max(document.c.name)).group_by(document.c.channel)
    ).all()
    documents = select(document.c.channel, document.c.name, channel.c.slug).join(channel)
    for key, month, slug in connection.execute(documents).all():
        if (key, month) not in open_documents:
            name = f"{slug}/{month}.atom"
            is_this = (document.c.channel == key) & (document.c.name == month)
            rendered = {"dirty": False, "rendered": f"{config.site.url}{name}"}
            connection.execute(update(document).where(is_this).values(rendered))
            _touch(outputs / name)
    for name in source_files(config.sources).values():
        _touch(outputs / name)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _table(row: Any) -> Table:
    table: Table = row.__table__
    return table


def _example_row(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> Row:
    """A real row, for the columns that are not set here."""
    rows = connection.execute(select(table).where(*conditions).limit(1))
    return dict(rows.mappings().one())


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
