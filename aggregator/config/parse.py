"""The text of feeds.toml -> `model.Config`, or every mistake in it at once."""

import re
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aggregator.config import bucket
from aggregator.config.locate import Path, line_of, lines
from aggregator.config.schema import FeedsToml, SubscriptionTable, database, valid_names
from aggregator.errors import ConfigError, Diagnostic
from aggregator.model import (
    CombinedFeed,
    Config,
    PublishSettings,
    Role,
    Site,
    Subscription,
    TagSettings,
)
from aggregator.text import urls
from aggregator.text.characters import HEADER_VALUE, XML_ILLEGAL
from aggregator.text.folding import fold

_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_CHOICES = {
    "republish": '"full" or "summary"',
    "also": '"all", "unmatched" or "near-miss"',
    "compress": '"gzip" or "br"',
}
_PATTERNS = {
    "language": 'a language code such as "fr" or "en-GB"',
    "region": 'a region such as "eu-west-3"',
    "auth": '"env:NAME", the name of an environment variable that holds the secret',
}


def parse_config(text: str, file: str, environment: Mapping[str, str]) -> Config:
    """Check ``text``, the whole of a feeds.toml, and give its values.

    ``file`` is its name for messages; ``environment`` is where ``env:NAME`` values are read.
    Raises ConfigError with every mistake found.
    """
    raw = _read_toml(text.removeprefix("\ufeff"), file)
    try:
        table = FeedsToml.model_validate(raw)
    except ValidationError as error:
        details = error.errors(include_url=False)
        _refuse(file, text, [(_path(d), _explain(d)) for d in details])
    if found := list(_contradictions(table, environment)):
        _refuse(file, text, found)
    return _config(table, environment)


def _read_toml(text: str, file: str) -> dict[str, Any]:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
        what = re.sub(r" \(at .*\)$", "", str(error))
        message = f"not valid TOML: {what}" + (f" (column {at[2]})" if at else "")
        line = int(at[1]) if at else text.count("\n") + 1
        raise ConfigError((Diagnostic(file, line, message),)) from None
    except (RecursionError, ValueError) as error:  # of what no file of this kind has
        deep = isinstance(error, RecursionError)
        what = "lists in lists without end" if deep else str(error).partition(":")[0]
        raise ConfigError((Diagnostic(file, None, f"not valid TOML: {what}"),)) from None
    if not raw:
        message = "nothing is configured: expected at least one [[subscriptions]] or [clippings]"
        raise ConfigError((Diagnostic(file, None, message),))
    return raw


def _refuse(file: str, text: str, found: list[tuple[Path, str]]) -> NoReturn:
    known = lines(text.removeprefix("\ufeff"))
    diagnostics = [Diagnostic(file, line_of(known, path), message) for path, message in found]
    raise ConfigError(tuple(sorted(diagnostics, key=lambda m: (m.line or 0, m.message)))) from None


def _path(detail: ErrorDetails) -> Path:
    return tuple(step for step in detail["loc"] if step != "[key]")


def _name(path: Path) -> str:
    """``("tags", "Communs", "aliases", 0)`` as a person would write it: tags.Communs.aliases."""
    keys = [str(step) for step in path if not isinstance(step, int)]
    return ".".join(keys)


def _explain(detail: ErrorDetails) -> str:
    path, kind, found = _path(detail), detail["type"], detail["input"]
    name = _name(path)
    if kind == "extra_forbidden":
        names = valid_names(path[:-1])
        near = get_close_matches(str(path[-1]), names, n=1)
        hint = f'did you mean "{near[0]}"?' if near else "expected one of " + ", ".join(names)
        return f'unknown key "{name}": {hint}'
    if kind == "missing":
        return f'"{name}" is missing'
    if kind == "value_error":
        expected = str(detail["ctx"]["error"])
    elif kind == "string_pattern_mismatch":
        expected = "expected " + _PATTERNS[str(path[-1])]
    elif kind == "literal_error":
        expected = "expected " + _CHOICES[name.rpartition(".")[2]]
    elif kind in _EXPECTED:
        expected = "expected " + _EXPECTED[kind]
    else:
        expected = detail["msg"].replace("Input should be", "expected a number")
    return f'"{name}" is {_shown(found)}: {expected}'


def _shown(found: object) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, dict):
        return "a table"
    if isinstance(found, list):
        return "a list"
    text = urls.redact(str(found)).replace("\n", "␤")  # a message is one line
    text = text if len(text) <= 60 else text[:60] + "…"
    return f'"{text}"' if isinstance(found, str) else text


def _contradictions(table: FeedsToml, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """What each table allows by itself and the whole does not."""
    if not table.subscriptions and not table.clippings.files:
        yield (), "nothing to do: expected at least one [[subscriptions]] or [clippings] files"
    yield from _same_feeds(table)
    yield from _same_names(table)
    for position, subscription in enumerate(table.subscriptions):
        where: Path = ("subscriptions", position)
        for key, reference in _references(subscription):
            value = environment.get(reference)
            if value is None:
                trouble = "which is not set"
            elif not value.strip():
                trouble = "which is empty"
            elif not HEADER_VALUE.fullmatch(_authorization(value) if key == "auth" else value):
                trouble = "which holds a character that no request header can: a line break, say"
            else:
                continue
            message = f'"{key}" names the environment variable {reference}, {trouble}'
            yield (*where, *key.split(".")), message
        for name, value in subscription.headers.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not HEADER_VALUE.fullmatch(
                value
            ):
                yield (
                    (*where, "headers"),
                    f'"{name}" cannot be a request header (RFC 9110 section 5)',
                )
    try:
        database_url(table.store.url, environment)
    except KeyError as missing:
        yield (
            ("store", "url"),
            f'"url" names the environment variable {missing.args[0]}, which is not set',
        )
    except ValueError as error:
        yield ("store", "url"), f"{table.store.url.replace('env:', 'the variable ')}: {error}"
    names: dict[str, int] = {}
    for position, feed in enumerate(table.feeds):
        if names.setdefault(fold(feed.name), position) != position:
            yield ("feeds", position, "name"), f'two [[feeds]] are called "{feed.name}"'
    for key, message in bucket.diagnostics(table.publish, environment):
        yield ("publish", key), message


def _same_feeds(table: FeedsToml) -> Iterator[tuple[Path, str]]:
    addresses: dict[str, SubscriptionTable] = {}
    keys: dict[str, SubscriptionTable] = {}
    titles: dict[str, SubscriptionTable] = {}
    for file in filter(urls.is_web, table.clippings.files):
        clippings = SubscriptionTable(url=file, title="[clippings] files")
        keys.setdefault(urls.without_secrets(file), clippings)
        if addresses.setdefault(urls.link_key(file), clippings) is not clippings:
            yield ("clippings", "files"), f'"{urls.redact(file)}" stands twice'
    for position, subscription in enumerate(table.subscriptions):
        first = addresses.setdefault(urls.link_key(subscription.url), subscription)
        if first is not subscription:
            yield (
                ("subscriptions", position, "url"),
                f'"{urls.redact(subscription.url)}" is subscribed twice: '
                f'"{first.title or urls.redact(first.url)}" has the same address',
            )
            continue
        first = keys.setdefault(urls.without_secrets(subscription.url), subscription)
        if first is not subscription:
            yield (
                ("subscriptions", position, "url"),
                f'"{urls.redact(subscription.url)}" differs from another address only in its '
                "secret: add a fragment such as #second, by which to tell them apart",
            )
        if subscription.title is None:
            continue
        first = titles.setdefault(subscription.title, subscription)
        if first is not subscription:
            yield (
                ("subscriptions", position, "title"),
                f'two subscriptions are called "{subscription.title}": '
                f"{urls.redact(first.url)} and {urls.redact(subscription.url)}",
            )


def _same_names(table: FeedsToml) -> Iterator[tuple[Path, str]]:
    claims: dict[str, str] = {}
    for name in table.tags:
        if not fold(name) or XML_ILLEGAL.search(name) or any(c in name for c in "\t\r\n"):
            message = "cannot be a tag: expected at least one letter or sign, on one line"
            yield ("tags", name), f"{_shown(name)} {message}"
        elif (other := claims.setdefault(fold(name), name)) != name:
            yield ("tags", name), f'the tags "{other}" and "{name}" are the same word'
    for name, tag in table.tags.items():
        for alias in tag.aliases:
            owner = claims.setdefault(fold(alias), name)
            if owner != name:
                message = f'the alias "{alias}" of the tag "{name}" already belongs to "{owner}"'
                yield ("tags", name, "aliases"), message


def _references(subscription: SubscriptionTable) -> Iterator[tuple[str, str]]:
    """(key, variable) of every ``env:NAME`` in a subscription."""
    if subscription.auth:
        yield "auth", subscription.auth.removeprefix("env:")
    for name, value in subscription.headers.items():
        if value.startswith("env:"):
            yield f"headers.{name}", value.removeprefix("env:")


def database_url(url: str, environment: Mapping[str, str]) -> str:
    """What ``[store] url`` means. Raises KeyError, of a variable that is not set, or ValueError."""
    return (
        database(environment[url.removeprefix("env:")]) if url.startswith("env:") else database(url)
    )


def _config(table: FeedsToml, environment: Mapping[str, str]) -> Config:
    site = table.site
    return Config(
        site=Site(site.title, site.url.rstrip("/") + "/", site.author, site.language),
        clippings=tuple(f for f in table.clippings.files if not urls.is_web(f)),
        subscriptions=(
            *(_subscription(s, environment) for s in table.subscriptions),
            *(
                _subscription(
                    SubscriptionTable(url=f, allow_private=table.clippings.allow_private),
                    environment,
                    Role.CLIPPINGS,
                )
                for f in table.clippings.files
                if urls.is_web(f)
            ),
        ),
        tags=tuple(
            TagSettings(
                name,
                t.aliases,
                t.match,
                t.title,
                t.description,
                t.threshold,
                t.recall,
                t.excluded_phrases,
                t.broader,
            )
            for name, t in table.tags.items()
        ),
        store_url=database_url(table.store.url, environment),
        publish=PublishSettings(
            table.publish.directory,
            table.publish.live,
            table.publish.backfill,
            table.publish.explain,
            frozenset(
                urls.without_secrets(s.url) for s in table.subscriptions if s.republish == "summary"
            ),
            per_source=table.publish.per_source,
            also=table.publish.also,
            archive_all=table.publish.archive_all,
            compress=table.publish.compress,
            hub=table.publish.hub,
            metrics=None if table.publish.metrics == "none" else table.publish.metrics,
            allow_private=table.publish.allow_private,
            bucket=bucket.bucket_of(table.publish, environment),
        ),
        feeds=tuple(CombinedFeed(f.name, f.query, f.title, f.description) for f in table.feeds),
        semantic=table.matching.semantic,
        keep_unmatched_days=table.store.keep_unmatched_days,
    )


def _subscription(
    table: SubscriptionTable, environment: Mapping[str, str], role: Role = Role.SUBSCRIPTION
) -> Subscription:
    headers = tuple(
        (name, environment[v.removeprefix("env:")] if v.startswith("env:") else v)
        for name, v in table.headers.items()
    )
    url, authorization = _credentials(table.url)
    if table.auth:
        authorization = _authorization(environment[table.auth.removeprefix("env:")])
    return Subscription(
        url=url,
        key=urls.without_secrets(url),
        title=table.title or urls.redact(url),
        tags=table.tags,
        language=table.language,
        headers=headers,
        authorization=authorization,
        min_interval=table.min_interval,
        allow_private=table.allow_private,
        role=role,
    )


def _credentials(url: str) -> tuple[str, str | None]:
    """The address without ``user:password@``, and that as HTTP Basic."""
    bare = urls.without_userinfo(url)
    if bare == url:
        return url, None
    userinfo = unquote(urlsplit(url).netloc.rpartition("@")[0])
    return bare, _basic(userinfo if ":" in userinfo else f"{userinfo}:")


def _authorization(secret: str) -> str:
    """``user:password`` becomes HTTP Basic (RFC 7617); anything with a space is sent as it is."""
    if " " in secret or ":" not in secret:
        return secret
    return _basic(secret)


def _basic(userinfo: str) -> str:
    return "Basic " + b64encode(userinfo.encode(errors="surrogateescape")).decode()
