"""The text of feeds.toml -> `model.Config`, or all of its errors at once."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aggregator.config.bucket import make_bucket
from aggregator.config.checks import check_tables, show_value
from aggregator.config.credentials import (
    authorization_header,
    database_url,
    resolve,
    split_credentials,
)
from aggregator.config.locate import Path, find_line, line_numbers
from aggregator.config.private_addresses import is_private_address
from aggregator.config.schema import FeedsToml, SubscriptionTable, valid_names
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

# What was expected, by pydantic's error type or by the key whose pattern did not match.
_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "language": 'a language code such as "fr" or "en-GB"',
    "region": 'a region such as "eu-west-3"',
    "auth": '"env:NAME", the name of an environment variable that holds the secret',
}


def parse_config(text: str, file: str, environment: Mapping[str, str]) -> Config:
    """Check ``text``, the whole of a feeds.toml, and return its values.

    ``file`` is its name for messages; ``env:NAME`` values are read from ``environment``.
    Raises ConfigError with every error in the file.
    """
    text = text.removeprefix("\ufeff")
    raw = _read_toml(text, file)
    try:
        table = FeedsToml.model_validate(raw)
    except ValidationError as invalid:
        errors = [(_path(e), _explain(e)) for e in invalid.errors(include_url=False)]
        _raise_errors(errors, text, file)
    if errors := list(check_tables(table, environment)):
        _raise_errors(errors, text, file)
    return _make_config(table, environment)


def _read_toml(text: str, file: str) -> dict[str, Any]:
    line = None
    try:
        if raw := tomllib.loads(text):
            return raw
        message = "nothing is configured: expected at least one [[subscriptions]] or [clippings]"
    except tomllib.TOMLDecodeError as error:
        reason = re.sub(r" \(at .*\)$", "", str(error))
        position = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
        message = f"not valid TOML: {reason}" + (f" (column {position[2]})" if position else "")
        line = int(position[1]) if position else text.count("\n") + 1
    except RecursionError:
        message = "not valid TOML: lists are nested too deeply"
    except ValueError as error:  # a number with more digits than Python converts
        message = f"not valid TOML: {str(error).partition(':')[0]}"
    raise ConfigError((Diagnostic(file, line, message),))


def _raise_errors(errors: Iterable[tuple[Path, str]], text: str, file: str) -> NoReturn:
    """Raise ConfigError with the line of each error, in the order of the file."""
    numbers = line_numbers(text)
    diagnostics = [Diagnostic(file, find_line(numbers, path), message) for path, message in errors]
    raise ConfigError(tuple(sorted(diagnostics, key=lambda d: (d.line or 0, d.message)))) from None


def _path(error: ErrorDetails) -> Path:
    return tuple(step for step in error["loc"] if step != "[key]")


def _explain(error: ErrorDetails) -> str:
    """pydantic's error in the words of feeds.toml: key, value and expected type."""
    path, kind = _path(error), error["type"]
    keys = [step for step in path if isinstance(step, str)]
    name = ".".join(keys)
    if kind == "extra_forbidden":
        names = valid_names(path[:-1])
        matches = get_close_matches(keys[-1], names, n=1)
        hint = f'did you mean "{matches[0]}"?' if matches else f"expected one of {', '.join(names)}"
        return f'unknown key "{name}": {hint}'
    if kind == "missing":
        return f'"{name}" is missing'
    if kind == "value_error":
        expected = str(error["ctx"]["error"])
    elif kind == "string_pattern_mismatch":
        expected = f"expected {_EXPECTED[keys[-1]]}"
    elif kind == "literal_error":
        expected = f"expected {error['ctx']['expected']}".replace("'", '"')
    elif kind in _EXPECTED:
        expected = f"expected {_EXPECTED[kind]}"
    else:
        expected = error["msg"].replace("Input should be", "expected a number")
    return f'"{name}" is {show_value(error["input"])}: {expected}'


def _make_config(table: FeedsToml, environment: Mapping[str, str]) -> Config:
    """The values of checked tables."""
    site, publish = table.site, table.publish
    subscriptions = [_make_subscription(each, environment) for each in table.subscriptions]
    for url in filter(urls.is_web, table.clippings.files):
        clippings = SubscriptionTable(url=url, allow_private=table.clippings.allow_private)
        is_private = is_private_address(url) and url not in table.clippings.public
        role = Role.PRIVATE_CLIPPINGS if is_private else Role.CLIPPINGS
        subscriptions.append(_make_subscription(clippings, environment, role))
    return Config(
        site=Site(site.title, site.url.rstrip("/") + "/", site.author, site.language),
        clippings=tuple(file for file in table.clippings.files if not urls.is_web(file)),
        subscriptions=tuple(subscriptions),
        tags=tuple(TagSettings(name, **dict(tag)) for name, tag in table.tags.items()),
        store_url=database_url(table.store.url, environment),
        publish=PublishSettings(
            **publish.model_dump(exclude={"endpoint", "region", "auth", "metrics"}),
            summary_only=frozenset(
                urls.without_secrets(each.url)
                for each in table.subscriptions
                if each.republish == "summary"
            ),
            source_titles={
                urls.without_secrets(each.url): each.title
                for each in table.subscriptions
                if each.title
            },
            metrics=None if publish.metrics == "none" else publish.metrics,
            bucket=make_bucket(publish, environment),
        ),
        feeds=tuple(CombinedFeed(**dict(feed)) for feed in table.feeds),
        semantic=table.matching.semantic,
        keep_unmatched_days=table.store.keep_unmatched_days,
        public_clippings=table.clippings.public,
    )


def _make_subscription(
    table: SubscriptionTable, environment: Mapping[str, str], role: Role = Role.SUBSCRIPTION
) -> Subscription:
    url, authorization = split_credentials(table.url)
    if table.auth:
        authorization = authorization_header(resolve(table.auth, environment))
    return Subscription(
        url=url,
        key=urls.without_secrets(url),
        title=table.title or _title(url, role),
        tags=table.tags,
        language=table.language,
        headers=tuple((name, resolve(v, environment)) for name, v in table.headers.items()),
        authorization=authorization,
        min_interval=table.min_interval,
        allow_private=table.allow_private,
        role=role,
    )


def _title(url: str, role: Role) -> str:
    """The address without its secret, which may be in the path."""
    if role is Role.PRIVATE_CLIPPINGS and is_private_address(urls.without_secrets(url)):
        return f"https://{urls.host(url)}/…"
    return urls.redact(url)
