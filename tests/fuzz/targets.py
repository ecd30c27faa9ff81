"""Each parser of untrusted bytes, with its invariants. A target raises if one is violated."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta

from aggregator.clippings import entries_from_clippings, parse_clippings
from aggregator.clippings.plain_text import parse_plain_text
from aggregator.config import parse_config
from aggregator.config.edit import NewSubscription, add_subscriptions
from aggregator.config.opml_import import read_opml
from aggregator.errors import ConfigError
from aggregator.fetch.conditional import has_document
from aggregator.fetch.content_coding import TooLarge, Undecodable, decode
from aggregator.fetch.http_answer import CutShort, NoAnswer, Unreadable, read_answer
from aggregator.model import (
    Channel,
    ChannelKind,
    Entry,
    Feed,
    Fetched,
    OutputFeed,
    ParsedFeed,
    ParseFailed,
    PublishedEntry,
    PublishSettings,
    Role,
    Site,
    StoredEntry,
    Story,
    StoryEntry,
)
from aggregator.parse.document import parse_document
from aggregator.parse.html_links import read_page
from aggregator.publish.atom import render_atom
from aggregator.publish.entries import EntryBuilder
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.query import QueryError, evaluate, parse_query, terms
from aggregator.text.urls import is_web
from tests.atomrules import complaints

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://a.example/feed"
SITE = Site("A site", "https://site.example/", "Somebody", "fr")
FEED = Feed("urn:uuid:2", "A feed")
BUILDER = EntryBuilder(SITE, PublishSettings("outputs", 50, 10, explain=True), {})
TAG = Channel("tag:t", ChannelKind.TAG, "T", "t", "urn:uuid:1", NOW)
_MOST_ENTRIES = 300
_MOST_BYTES = 100_000


def documents(data: bytes) -> None:
    """Gives a feed with distinct entries that render as valid Atom, or a failure with its reason."""
    fetched = Fetched(URL, URL, data, "")
    parsed = parse_document(fetched, NOW)
    if isinstance(parsed, ParseFailed):
        _check_legal(parsed.reason)
        return
    assert isinstance(parsed, ParsedFeed)
    assert len(parsed.entries) <= _MOST_ENTRIES
    for name in ("key", "id"):
        assert len({getattr(entry, name) for entry in parsed.entries}) == len(parsed.entries)
    _check_legal(parsed.feed)
    _check_legal(parsed.entries)
    _check_valid(parsed.entries)
    again = parse_document(fetched, NOW, None, parsed.seen)
    assert isinstance(again, ParsedFeed)
    assert {entry.key for entry in again.entries} <= {entry.key for entry in parsed.entries}


def pages(data: bytes) -> None:
    """Gives only web addresses for the feeds that a page announces."""
    for link in read_page(data, URL).feeds():
        assert is_web(link.url)
        _check_legal(link.url)


def config(data: bytes) -> None:
    """The settings, or mistakes of one line each."""
    try:
        parse_config(data.decode("utf-8", "replace"), "feeds.toml", {})
    except ConfigError as error:
        assert error.diagnostics
        for mistake in error.diagnostics:
            assert "\n" not in str(mistake)


def clippings(data: bytes) -> None:
    """Clippings of any kind, whose entries make a document that is valid."""
    text = data.decode("utf-8", "replace").encode()
    parsed, warnings = parse_clippings(text, "c.txt", parse_plain_text)
    assert parsed or warnings
    entries = tuple(entries_from_clippings(parsed))
    _check_legal(entries)
    _check_valid(entries)


def queries(data: bytes) -> None:
    """A query, or a mistake and its column."""
    text = data.decode("utf-8", "replace")
    try:
        query = parse_query(text)
    except QueryError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert terms(query)
        assert evaluate(query, lambda _: True) in (True, False)


def opml(data: bytes) -> None:
    """Feeds that can be subscribed to, or ValueError."""
    try:
        feeds, _ = read_opml(data)
    except ValueError:
        return
    if feeds:
        new = [NewSubscription(feed.url, feed.title) for feed in feeds]
        text, added = add_subscriptions("", new)
        assert len(parse_config(text, "feeds.toml", {}).subscriptions) == added > 0


def answers(data: bytes) -> None:
    """An HTTP answer whose headers have no line breaks, and whose body is bounded, or a reason."""
    pieces = iter([data[:99], data[99:]])

    async def receive() -> bytes:
        return next(pieces, b"")

    with suppress(NoAnswer, CutShort, Unreadable, Undecodable, TooLarge):
        answer = asyncio.run(read_answer(receive, has_document, _MOST_BYTES))
        assert 200 <= answer.status <= 999 or answer.status == 101
        for name, value in answer.headers:
            assert name == name.strip().lower() != ""
            assert not set(name + value) & set("\0\r\n")
            value.encode()  # no surrogates
        assert len(answer.body) <= _MOST_BYTES
        assert len(decode(answer.body, answer.codings, _MOST_BYTES)) <= _MOST_BYTES


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (documents, pages, config, clippings, queries, opml, answers)
}


def _check_legal(value: object) -> None:
    """Every text in ``value`` is legal in XML."""
    if isinstance(value, str):
        assert not XML_ILLEGAL.search(value), repr(value)
    elif isinstance(value, tuple):
        for part in value:
            _check_legal(part)
    elif is_dataclass(value):
        for field in fields(value):
            if field.name not in ("key", "page"):  # never published
                _check_legal(getattr(value, field.name))


def _check_valid(entries: tuple[Entry, ...]) -> None:
    """The entries render as a valid Atom document without active content."""
    published = tuple(_publish(entry, number) for number, entry in enumerate(entries))
    document = render_atom(OutputFeed(TAG, "t", SITE, NOW, published, 1))
    assert not (found := complaints(document, "https://site.example/t.atom")), found


def _publish(entry: Entry, number: int) -> PublishedEntry:
    stored = StoredEntry(number, URL, FEED, Role.SUBSCRIPTION, entry, NOW, NOW)
    updated = NOW - timedelta(seconds=number)
    return BUILDER.build(Story(number, entry.id, updated, (StoryEntry(stored, ()),)))
