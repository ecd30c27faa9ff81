"""Add subscriptions to feeds.toml and keep its comments and layout. Only this file uses tomlkit."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from aggregator.config.field_types import feed_key
from aggregator.text import urls


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A ``[[subscriptions]]`` table to write; ``comment`` follows its title."""

    url: str
    title: str
    language: str | None = None
    allow_private: tuple[str, ...] = ()
    comment: str = ""


def subscriptions_toml(subscriptions: Iterable[NewSubscription]) -> str:
    """The tables as text, ready to paste."""
    document = tomlkit.document()
    document.append("subscriptions", _make_tables(subscriptions))
    return tomlkit.dumps(document).strip() + "\n"


def add_subscriptions(text: str, new: Iterable[NewSubscription]) -> tuple[str, int]:
    """Append to feeds.toml those that it does not have yet; returns the text and their number.

    Raises ValueError if ``text`` is not TOML, or its subscriptions are not tables.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ValueError(str(error)) from error
    tables = document.get("subscriptions")
    if tables is not None and not isinstance(tables, AoT):
        raise ValueError("its subscriptions are not [[subscriptions]] tables")
    keys = {_key(str(table.get("url", ""))) for table in tables or ()}
    titles = {str(table["title"]) for table in tables or () if "title" in table}
    added = []
    for subscription in new:
        key = _key(subscription.url)
        if key not in keys:
            keys.add(key)
            added.append(_with_unique_title(subscription, titles))
    if not added:
        return text, 0
    if tables is None:
        document.append("subscriptions", _make_tables(added))
    else:
        for table in _make_tables(added):
            tables.append(table)
        tables[-1].add(tomlkit.nl())  # an empty line before the next table
    return tomlkit.dumps(document).rstrip("\n") + "\n", len(added)


def _key(url: str) -> str:
    return feed_key(urls.without_secrets(url))


def _with_unique_title(subscription: NewSubscription, titles: set[str]) -> NewSubscription:
    """Add a number to a title that another subscription has: messages name them by title."""
    title, number = subscription.title, 2
    while title in titles:
        title, number = f"{subscription.title} ({number})", number + 1
    titles.add(title)
    return replace(subscription, title=title)


def _make_tables(subscriptions: Iterable[NewSubscription]) -> AoT:
    tables = tomlkit.aot()
    for subscription in subscriptions:
        tables.append(_make_table(subscription))
    return tables


def _make_table(subscription: NewSubscription) -> Table:
    table = tomlkit.table()
    table.add("title", subscription.title)
    # It may come from a foreign OPML file: a line break would end the comment.
    comment = " ".join("".join(c if c.isprintable() else " " for c in subscription.comment).split())
    if comment:
        table["title"].comment(comment)
    table.add("url", subscription.url)
    if subscription.language:
        table.add("language", subscription.language)
    if subscription.allow_private:
        table.add("allow_private", list(subscription.allow_private))
    return table
