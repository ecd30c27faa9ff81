"""Upgrades of databases that older versions wrote."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import JSON, MetaData, create_engine, insert, select, text
from sqlmodel import SQLModel

from aggregator.errors import StorageError
from aggregator.store import Store, migrate
from tests import databases
from tests.databases import ON_POSTGRESQL, sqlite_only

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
VERSIONS = [f"{number:04}" for number in range(8 if ON_POSTGRESQL else 1, int(migrate.HEAD) + 1)]
ROWS = (1, 2, 3)  # of each table: three booleans in a row tell any seven columns apart
TABLES_RENAMED_IN_0009 = {
    "band": "minhash_band",
    "host": "host_hold",
    "learned": "tag_model",
    "listing": "channel_story",
    "meaning": "embedding",
    "page": "archive_document",
    "parked": "job_failure",
    "ping": "hub_ping",
    "pruning": "prune_position",
}
COLUMNS_RENAMED_IN_0009 = {
    ("channel", "feed_id"): "atom_id",
    ("entry", "essence"): "content_hash_without_numbers",
    ("entry", "noise"): "trivial_changes",
    ("entry", "vocabulary"): "matched_fingerprint",
    ("feed", "ended"): "gone_confirmed",
    ("feed", "silent"): "is_silent",
    ("feed", "told"): "operator_notified",
    ("listing", "listed_at"): "entered_at",
    ("listing", "month"): "document",
    ("page", "month"): "name",
    ("parked", "parked_at"): "failed_at",
    ("story", "listed"): "ever_published",
    ("story", "unlisted"): "placement_pending",
}
# Values that the program can read; all others are made from the name of the column.
VALUES = {
    ("channel", "key"): "tag:{row}",
    ("channel", "kind"): "tag",
    ("archive_document", "name"): "2026-11",
    ("channel", "pruned"): False,
    ("channel_story", "document"): "2026-11",
    ("feed", "role"): "subscription",
    ("feed", "url"): "https://{row}.example/feed",
    ("feed_event", "kind"): "gone",
    ("listing", "month"): "2026-11",
    ("match", "tag"): "{row}",
    ("page", "month"): "2026-11",
    ("tag", "key"): "{row}",
}


def plain_engine(url, root):
    """An engine without what the program sets on connections."""
    return create_engine(url.replace("sqlite:///", f"sqlite:///{root}/"))


def upgrade_to(version, url, root):
    """Make a database as the program of that version did."""
    engine = plain_engine(url, root)
    with engine.begin() as connection:
        alembic = Config()
        alembic.set_main_option(
            "script_location", str(Path(migrate.__file__).parent / "migrations")
        )
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, version)
    engine.dispose()


def reflect_schema(connection):
    """The tables in the database, but for Alembic's own."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != "alembic_version")
    return metadata


def read_rows(connection, table):
    """The rows of a table, each as a dictionary, by the first columns."""
    query = select(table).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def make_row(table, row):
    """A row with a value in each column; in the last row most columns that may be NULL are."""
    booleans = [c.name for c in table.columns if c.type.python_type is bool]
    values = {}
    for number, column in enumerate(table.columns):
        kind = column.type.python_type
        if column.foreign_keys:
            (key,) = column.foreign_keys
            values[column.name] = make_value(key.column, number=0, row=row)
        elif isinstance(column.type, JSON):
            values[column.name] = {} if column.name == "hints" else []
        elif kind is bool and (table.name, column.name) not in VALUES:
            values[column.name] = bool((booleans.index(column.name) + 1) >> (row - 1) & 1)
        elif column.nullable and row == ROWS[-1]:
            values[column.name] = None
        else:
            values[column.name] = make_value(column, number=number, row=row)
    return values


def make_value(column, *, number, row):
    """A value for column ``number`` of a table, different in each row."""
    kind = column.type.python_type
    if kind is datetime:
        moment = NOW - timedelta(days=row, minutes=number)
        return moment if column.type.timezone else moment.replace(tzinfo=None)
    if kind is bytes:
        return f"{column.table.name}.{column.name} {row}".encode()
    value = VALUES.get((column.table.name, column.name), f"{column.name} {{row}}")
    if kind is str:
        return str(value).format(row=row)
    if kind is bool:
        return value
    return kind(row if column.primary_key else 100 * number + row)


def fill(connection):
    """Put rows into every table; gives them by table."""
    tables = reflect_schema(connection).sorted_tables
    for table in tables:
        connection.execute(insert(table), [make_row(table, row) for row in ROWS])
    return {table.name: read_rows(connection, table) for table in tables}


def upgraded_rows(rows):
    """What the rows of an old schema are in the newest one, by table and without new columns."""
    rows = dict(rows)
    if "tag" in rows:  # 0001 and 0002: tags became channels, and everything is matched again
        rows["channel"] = [
            {"kind": "tag"} | row | {"key": f"tag:{row['key']}"} for row in rows.pop("tag")
        ]
        rows["match"] = [
            {name: value for name, value in row.items() if name != "live"} for row in rows["match"]
        ]
        rows["entry"] = [row | {"vocabulary": "before stories"} for row in rows["entry"]]
    return {
        TABLES_RENAMED_IN_0009.get(table, table): [
            {COLUMNS_RENAMED_IN_0009.get((table, name), name): row[name] for name in row}
            for row in table_rows
        ]
        for table, table_rows in rows.items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_upgrade_keeps_every_row(tmp_path, version):
    url = databases.new_database(empty=True) if ON_POSTGRESQL else databases.SQLITE
    upgrade_to(version, url, tmp_path)
    engine = plain_engine(url, tmp_path)
    with engine.begin() as connection:
        old_rows = fill(connection)
    assert all(len(rows) == len(ROWS) for rows in old_rows.values())

    store = Store(url, tmp_path)

    with engine.connect() as connection:
        for name, expected in upgraded_rows(old_rows).items():
            rows = read_rows(connection, reflect_schema(connection).tables[name])
            assert [
                {column: row[column] for column in old}
                for row, old in zip(rows, expected, strict=True)
            ] == expected, name
        assert schema_differences(connection) == []
    engine.dispose()
    check_reads(store, version)
    store.close()


def schema_differences(connection):
    """Differences between a database's schema and the tables of the code.

    PostgreSQL has other types and indexes than the code says (0008), so there its own catalogue is
    compared with that of a new database.
    """
    if not ON_POSTGRESQL:
        return compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    new_engine = create_engine(databases.new_database())
    with new_engine.connect() as new_connection:
        difference = read_catalogue(connection) ^ read_catalogue(new_connection)
    new_engine.dispose()
    options = {
        "compare_type": False,
        "include_object": lambda _, _name, kind, *_more: kind in ("table", "column"),
    }
    context = MigrationContext.configure(connection, opts=options)
    return compare_metadata(context, SQLModel.metadata) + sorted(difference)


def read_catalogue(connection):
    """The columns and indexes of a PostgreSQL database."""
    columns = text(
        "SELECT table_name, column_name, data_type, is_nullable, collation_name "
        "FROM information_schema.columns WHERE table_schema = 'public'"
    )
    indexes = text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    return {
        tuple(map(str, row)) for query in (columns, indexes) for row in connection.execute(query)
    }


def check_reads(store, version):
    """What `fill` stored can be read by the methods that the program uses."""
    assert set(store.feeds.states()) == {f"https://{row}.example/feed" for row in ROWS}
    for row in ROWS:
        (match,) = store.matches.find_entries(f"atom_id {row}", "")
        assert match.stored.entry.title == f"title {row}"
        assert match.stored.feed_url == f"https://{row}.example/feed"
    not_pruned = 3 if version < "0007" else 1
    assert len(list(store.matches.unmatched_entries("now"))) == not_pruned
    channels = [f"tag:{row}" for row in ROWS]
    assert [channel.key for channel in store.published.channels()] == channels
    counts = store.published.counts_by_month()
    assert list(counts) == channels
    assert all(set(months) == {"2026-11"} for months in counts.values())
    decisions = store.training.decisions()
    if version >= "0004":
        assert [(d.entry.id, d.tag) for d in decisions] == [
            (f"atom_id {row}", f"tag {row}") for row in ROWS
        ]
        table = "tag_model" if version >= "0009" else "learned"
        assert store.training.load_model("fingerprint 1") == f"{table}.data 1".encode()
    else:
        assert decisions == []
    if version >= "0005":
        table = "embedding" if version >= "0009" else "meaning"
        vector = f"{table}.vector 2".encode()
        assert store.training.load_embeddings(["name 2"]) == {"name 2": vector}


def test_upgrade_from_0002_keeps_ids_slugs_and_live_entries(tmp_path):
    path = tmp_path / "aggregator.sqlite3"
    upgrade_to("0002", databases.SQLITE, tmp_path)
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(
            """
            INSERT INTO feed (id, url, role, atom_id, title, failures) VALUES
              (1, 'https://a.example/f', 'subscription', 'urn:f', 'A', 0),
              (2, 'clippings:', 'clippings', 'urn:s', 'S', 0);
            INSERT INTO entry (id, feed_id, key, atom_id, page, title, summary, content, text,
              authors, categories, enclosures, updated, content_hash, first_seen_at, changed_at)
            VALUES
              (1, 1, 'k', 'tag:a', 'a.example/1', 'T', '', '', '', '[]', '[]', '[]',
               '2026-10-05 00:00:00.000000', 'h', '2026-11-01 00:00:00.000000', '2026-11-01 00:00:00.000000'),
              (2, 2, 'c', 'urn:c', 'a.example/1', 'T', '', '', '', '[]', '[]', '[]', NULL,
               'h', '2026-11-01 00:00:00.000000', '2026-11-01 00:00:00.000000'),
              (3, 1, 'l', 'tag:b', NULL, 'U', '', '', '', '[]', '[]', '[]', NULL,
               'h', '2026-11-02 00:00:00.000000', '2026-11-02 00:00:00.000000');
            INSERT INTO match (entry_id, tag, score, evidence, matched_at, live) VALUES
              (1, 'communs', 1, '[]', '2026-11-01 00:00:00.000000', 1),
              (2, 'communs', 1, '[]', '2026-11-01 00:00:00.000000', 0),
              (3, 'communs', 1, '[]', '2026-11-02 00:00:00.000000', 0);
            INSERT INTO tag (key, name, slug, feed_id, first_seen_at) VALUES
              ('communs', 'Communs', 'communs', 'urn:uuid:1', '2026-11-01 00:00:00.000000');
            """
        )
    store = Store("sqlite:///aggregator.sqlite3", tmp_path)
    (channel,) = store.published.channels()
    assert (channel.key, channel.slug, channel.id) == ("tag:communs", "communs", "urn:uuid:1")
    (live,) = store.published.live_stories("tag:communs", 0, 9)
    assert (live.id, len(live.copies), live.ever_published) == ("urn:c", 2, True)
    assert store.published.counts_by_month() == {"tag:communs": {"2026-11": 2}}
    assert len(list(store.matches.unmatched_entries("v"))) == 3
    store.close()


def test_upgrade_from_0005_keeps_content_until_it_is_pruned(tmp_path):
    path = tmp_path / "aggregator.sqlite3"
    upgrade_to("0005", databases.SQLITE, tmp_path)
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(
            """
            INSERT INTO feed (id, url, role, atom_id, title, failures, next_poll_reason, told,
              ended, moved_count, move_adopted, silent, dirty, rendered)
            VALUES (1, 'https://a.example/f', 'subscription', 'urn:f', 'A', 0, '', 0, 0, 0, 0, 0, 0, '');
            INSERT INTO story (id, atom_id, updated, revisions, listed, unlisted)
            VALUES (1, 'tag:a', '2020-01-01 00:00:00.000000', 0, 1, 0);
            INSERT INTO entry (id, feed_id, story_id, key, atom_id, title, summary, content, text,
              authors, categories, enclosures, content_hash, noise, first_seen_at, changed_at,
              vocabulary)
            VALUES (1, 1, 1, 'k', 'tag:a', 'T', '', '<p>c</p>', 'c', '[]', '[]', '[]', 'h', 0,
              '2020-01-01 00:00:00.000000', '2020-01-01 00:00:00.000000', 'v');
            """
        )
    with closing(Store("sqlite:///aggregator.sqlite3", tmp_path)) as store:
        (copy,) = store.matches.find_entries("tag:a", "")
        assert (copy.stored.entry.content, copy.stored.pruned_at) == ("<p>c</p>", None)
        assert store.retention.prune_all(NOW, lambda _: 0, NOW).entries == 1
        (copy,) = store.matches.find_entries("tag:a", "")
        assert (copy.stored.entry.content, copy.stored.pruned_at) == ("", NOW)


@sqlite_only
def test_schema_equals_tables_of_the_code(tmp_path):
    Store(databases.SQLITE, tmp_path).close()
    engine = plain_engine(databases.SQLITE, tmp_path)
    with engine.connect() as connection:
        assert schema_differences(connection) == []
    engine.dispose()


@sqlite_only
def test_schema_of_a_later_version_is_refused(tmp_path):
    Store(databases.SQLITE, tmp_path).close()
    databases.execute(databases.SQLITE, tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer than this program"):
        Store(databases.SQLITE, tmp_path)
