"""The tables of feeds.toml as pydantic models: types, defaults, and help texts for editors.

A key is added here; `parse` then copies it into `model.Config`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

from aggregator.config.field_types import (
    Database,
    Directory,
    Duration,
    Endpoint,
    Language,
    MetricsFile,
    Networks,
    Query,
    Regexes,
    Region,
    SecretName,
    Semantic,
    Text,
    Texts,
    WebAddress,
)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteTable(_Table):
    """Who publishes, and where outputs/ is served."""

    title: Text = Field("Clippings", description="Title of the site and start of each feed's title")
    url: WebAddress = Field(
        "http://localhost:8000/",
        description="Address at which the output folder is served; feeds name themselves by it",
    )
    author: Text = Field("aggregator", description="Author of the output feeds")
    language: Language = Field("en", description="Language of the pages (BCP 47)")


class ClippingsTable(_Table):
    """Where the reader's clippings are."""

    files: Texts = Field(
        (), description="Files, globs or web addresses: text exports, bookmark HTML, Atom or RSS"
    )
    allow_private: Networks = Field(
        (),
        description="Networks, not of the public Internet, that the addresses may be fetched from",
    )


class SubscriptionTable(_Table):
    """A feed to poll."""

    url: WebAddress = Field(description="Address of an RSS, Atom or JSON feed")
    title: Text | None = Field(None, description="Name in messages and pages; default: the address")
    tags: Texts = Field((), description="Tags that every entry of this feed gets")
    language: Language | None = Field(
        None, description="Language, where the feed does not say it (BCP 47)"
    )
    headers: dict[str, str] = Field(
        {}, description='Extra request headers; a value "env:NAME" is read from the environment'
    )
    auth: SecretName | None = Field(
        None, description='"env:NAME": the variable holds "user:password" or "Bearer TOKEN"'
    )
    min_interval: Duration = Field(
        timedelta(0), description='Poll no more often than this, for example "2 h"'
    )
    republish: Literal["full", "summary"] = Field(
        "full", description="What of its entries is republished: all, or a summary"
    )
    allow_private: Networks = Field(
        (), description='Networks, not of the public Internet, to fetch it from: "10.0.0.5/32"'
    )


class TagTable(_Table):
    """A tag of the clippings, or one of your own."""

    aliases: Texts = Field((), description="Other names, in any language")
    match: Regexes = Field((), description="Regular expressions sought in title and text")
    title: Text | None = Field(None, description="Title of the tag's feed")
    description: Text | None = Field(None, description="Subtitle of the tag's feed")
    threshold: StrictFloat | None = Field(
        None, gt=0, le=1, description="Score from which an entry belongs to the tag"
    )
    recall: Literal["high"] | None = Field(
        None,
        description='"high": find more of it, and more that is wrong (a threshold goes before)',
    )
    broader: Texts = Field(
        (), description="Tags that hold all of it: its entries belong to them too"
    )
    excluded_phrases: Texts = Field(
        (), alias="not", description="Phrases in which the tag's names mean something else"
    )


class FeedTable(_Table):
    """A feed of your own making: what a query finds."""

    name: Text = Field(description="Its name, and the start of its file's name")
    query: Query = Field(
        description='Tags joined by AND, OR, NOT and parentheses; also lang:fr, source:"A blog", '
        "title:word, text:word, category:word, author:name, is:clipped"
    )
    title: Text | None = Field(None, description="Title of the feed")
    description: Text | None = Field(None, description="Subtitle of the feed")


class MatchingTable(_Table):
    """How entries are matched."""

    semantic: Semantic = Field(
        False,
        description="Also compare what texts mean, whatever language they are in: needs "
        "aggregator[semantic], and a fifth of a second for each new entry",
    )


class StoreTable(_Table):
    """Where the state is kept."""

    url: Database = Field(
        "sqlite:///aggregator.sqlite3",
        description='"sqlite:///" and a path, or "postgresql://user@host/database", which needs '
        'aggregator[postgres]; "env:NAME" is read from the environment',
    )
    keep_unmatched_days: StrictInt = Field(
        180,
        ge=0,
        le=36500,
        description="Days after which the content of entries that belong to no tag and no feed of "
        "[[feeds]] is removed; 0: never",
    )


class PublishTable(_Table):
    """What is written."""

    directory: Directory = Field(
        "outputs",
        description='Folder for the output files, or "s3://bucket/prefix": needs aggregator[s3]',
    )
    endpoint: Endpoint | None = Field(
        None, description="Server of the bucket, if it is not Amazon's; default: AWS_ENDPOINT_URL"
    )
    region: Region | None = Field(None, description="Region of the bucket; default: AWS_REGION")
    auth: SecretName | None = Field(
        None,
        description='"env:NAME": the variable holds "KEY:SECRET" of the bucket; default: '
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    live: StrictInt = Field(50, ge=1, le=1000, description="Entries in a tag's feed")
    backfill: StrictInt = Field(
        10, ge=0, description="How many older entries a new tag or feed may bring at once"
    )
    explain: StrictBool = Field(
        True, description="End each entry with a line saying why it is there"
    )
    per_source: StrictInt = Field(
        20, ge=1, description="Of one subscription, this many entries at most in a live feed"
    )
    also: tuple[Literal["all", "unmatched", "near-miss"], ...] = Field(
        ("all", "unmatched", "near-miss"),
        description="Feeds beside those of the tags: every entry, those of no tag, those of no "
        "tag but nearly of one",
    )
    archive_all: StrictBool = Field(
        False,
        description='Whether "all" has an archive: every entry of every source once more, month by '
        "month, written again for each correction",
    )
    compress: tuple[Literal["gzip", "br"], ...] = Field(
        (), description="Write each output also as a .gz or .br file beside it"
    )
    hub: WebAddress | None = Field(
        None, description="A WebSub hub to tell of the feeds that changed"
    )
    allow_private: Networks = Field(
        (), description="Networks, not of the public Internet, in which the hub may be"
    )
    metrics: MetricsFile | None = Field(
        "metrics.prom",
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
    """The keys allowed in the table at ``path``, such as ``("tags", "Communs")``."""
    table: type[BaseModel] = FeedsToml
    if path:
        # SiteTable, or tuple[SubscriptionTable, ...], or dict[str, TagTable]
        annotation = FeedsToml.model_fields[str(path[0])].annotation
        classes = (annotation, *get_args(annotation))
        table = next(c for c in classes if isinstance(c, type) and issubclass(c, BaseModel))
    return [field.alias or name for name, field in table.model_fields.items()]
