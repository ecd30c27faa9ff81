"""Checks across the tables of feeds.toml: errors that no single table shows.

Each check gives (path, message) for every error: the path leads to the key, for its line.
"""

import re
from collections.abc import Iterator, Mapping

from aggregator.config.bucket import check_bucket
from aggregator.config.credentials import authorization_header, database_url, variable_name
from aggregator.config.field_types import feed_key, is_one_line
from aggregator.config.locate import Path
from aggregator.config.schema import FeedsToml, SubscriptionTable
from aggregator.text import urls
from aggregator.text.characters import HEADER_VALUE
from aggregator.text.folding import fold

Errors = Iterator[tuple[Path, str]]
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2


def check_tables(table: FeedsToml, environment: Mapping[str, str]) -> Errors:
    """All errors between tables, and in the environment variables that they name."""
    if not table.subscriptions and not table.clippings.files:
        yield (), "nothing to do: expected at least one [[subscriptions]] or [clippings] files"
    yield from _check_addresses(table)
    yield from _check_tags(table)
    for position, subscription in enumerate(table.subscriptions):
        for path, message in _check_headers(subscription, environment):
            yield ("subscriptions", position, *path), message
    yield from _check_database(table.store.url, environment)
    names: dict[str, int] = {}
    for position, feed in enumerate(table.feeds):
        if names.setdefault(fold(feed.name), position) != position:
            yield ("feeds", position, "name"), f'two [[feeds]] are called "{feed.name}"'
    for key, message in check_bucket(table.publish, environment):
        yield ("publish", key), message


def _check_addresses(table: FeedsToml) -> Errors:
    """Each address and title occurs once, among subscriptions and clippings."""
    owners: dict[str, str] = {}  # by the address without what several spellings differ in
    keys: set[str] = set()
    addresses: dict[str, str] = {}  # by title
    for url in filter(urls.is_web, table.clippings.files):
        if feed_key(url) in owners:
            yield ("clippings", "files"), f'"{urls.redact(url)}" is listed twice'
        owners[feed_key(url)] = "[clippings] files"
        keys.add(urls.without_secrets(url))
    for name in table.clippings.public:
        if name not in table.clippings.files:
            message = f'"{urls.redact(name)}" is not in "files" of [clippings]'
            yield ("clippings", "public"), message
    for position, subscription in enumerate(table.subscriptions):
        path = "subscriptions", position
        title, address = subscription.title, urls.redact(subscription.url)
        link, key = feed_key(subscription.url), urls.without_secrets(subscription.url)
        if link in owners:
            message = f'"{address}" is subscribed twice: "{owners[link]}" has the same address'
            if subscription.auth or urls.without_userinfo(subscription.url) != subscription.url:
                message += ": add a fragment such as #second to tell the accounts apart"
            yield (*path, "url"), message
            continue
        owners[link] = title or address
        if key in keys:
            message = f'"{address}" differs from another address only in its secret'
            yield (*path, "url"), f"{message}: add a fragment such as #second to tell them apart"
        keys.add(key)
        if title in addresses:
            message = f'two subscriptions are called "{title}": {addresses[title]} and {address}'
            yield (*path, "title"), message
        elif title:
            addresses[title] = address


def _check_tags(table: FeedsToml) -> Errors:
    """Each name and alias belongs to one tag, also after folding."""
    owners: dict[str, str] = {}
    for name in table.tags:
        if not fold(name) or not is_one_line(name):
            message = "cannot be a tag: expected at least one letter or sign, on one line"
            yield ("tags", name), f"{show_value(name)} {message}"
        elif (owner := owners.setdefault(fold(name), name)) != name:
            yield ("tags", name), f'the tags "{owner}" and "{name}" are the same word'
    for name, tag in table.tags.items():
        for alias in tag.aliases:
            owner = owners.setdefault(fold(alias), name)
            if owner != name:
                message = f'the alias "{alias}" of the tag "{name}" already belongs to "{owner}"'
                yield ("tags", name, "aliases"), message


def _check_headers(subscription: SubscriptionTable, environment: Mapping[str, str]) -> Errors:
    """Variables are set, and all header values can be sent (RFC 9110 section 5)."""
    values: dict[Path, str] = {("headers", name): v for name, v in subscription.headers.items()}
    if subscription.auth:
        values["auth",] = subscription.auth
    for path, value in values.items():
        variable = variable_name(value)
        if variable is None:
            continue
        content = environment.get(variable)
        if content is None:
            reason = "which is not set"
        elif not content.strip():
            reason = "which is empty"
        elif not HEADER_VALUE.fullmatch(
            authorization_header(content) if path == ("auth",) else content
        ):
            reason = "which has a character that headers must not contain, such as a line break"
        else:
            continue
        key = ".".join(map(str, path))
        yield path, f'"{key}" names the environment variable {variable}, {reason}'
    for name, value in subscription.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
            yield ("headers",), f'"{name}" cannot be a request header (RFC 9110 section 5)'


def _check_database(url: str, environment: Mapping[str, str]) -> Errors:
    path = ("store", "url")
    try:
        database_url(url, environment)
    except KeyError as missing:
        yield path, f'"url" names the environment variable {missing.args[0]}, which is not set'
    except ValueError as error:
        yield path, f"{url.replace('env:', 'the variable ')}: {error}"


def show_value(value: object) -> str:
    """``value`` as it appears in a message: short, on one line, without secrets."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = urls.redact(str(value)).replace("\n", "␤")
    text = text if len(text) <= 60 else text[:60] + "…"
    return f'"{text}"' if isinstance(value, str) else text
