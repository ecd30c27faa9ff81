"""Secrets: values from the environment, and user names and passwords as request headers."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from aggregator.config.field_types import database
from aggregator.text import urls

_ENV = "env:"


def variable_name(value: str) -> str | None:
    """``NAME`` of a value ``env:NAME``; None for other values."""
    return value.removeprefix(_ENV) if value.startswith(_ENV) else None


def resolve(value: str, environment: Mapping[str, str]) -> str:
    """``value``, or the content of the variable if it is ``env:NAME``.

    Raises KeyError with the name of a variable that is not set.
    """
    name = variable_name(value)
    return value if name is None else environment[name]


def database_url(url: str, environment: Mapping[str, str]) -> str:
    """``[store] url`` in SQLAlchemy's form.

    Raises KeyError for a variable that is not set, ValueError for an invalid address.
    """
    return database(resolve(url, environment))


def authorization_header(secret: str) -> str:
    """``user:password`` as HTTP Basic (RFC 7617); a secret with a space is a whole header value."""
    return secret if " " in secret or ":" not in secret else _basic(secret)


def split_credentials(url: str) -> tuple[str, str | None]:
    """The address without ``user:password@``, and these as an Authorization header."""
    bare = urls.without_userinfo(url)
    if bare == url:
        return url, None
    userinfo = unquote(urlsplit(url).netloc.rpartition("@")[0])
    return bare, _basic(userinfo if ":" in userinfo else f"{userinfo}:")


def _basic(userinfo: str) -> str:
    return "Basic " + b64encode(userinfo.encode(errors="surrogateescape")).decode()
