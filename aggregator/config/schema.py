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
from aggregator.errors import DISTRIBUTION


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _key(default: Any, description: str, **constraints: Any) -> Any:
    """A key that may be left out."""
    return Field(default=default, description=description, **constraints)


class SiteTable(_Table):
    """The publisher, and the address of outputs/."""

    title: Text = _key("Clippings", "Title of the site; each feed's title starts with it")
    url: WebAddress = _key(
        "http://localhost:8000/", "Address at which the output folder is served; feeds link to it"
    )
    author: Text = _key("aggregator", "Author of the output feeds")
    language: Language = _key("en", "Language of the pages (BCP 47)")


class ClippingsTable(_Table):
    """Where the reader's clippings are."""

    files: Texts = _key(
        (), "Files, globs or web addresses: text exports, bookmark HTML or JSON, Atom or RSS"
    )
    public: Texts = _key(
        (), "Those of files that may be published although they are private, or their address is"
    )
    allow_private: Networks = _key((), "Private networks that the addresses may be in")


class SubscriptionTable(_Table):
    """A feed to poll."""

    url: WebAddress = Field(description="Address of an RSS, Atom or JSON feed")
    title: Text | None = _key(
        None,
        "Name in messages, pages and feeds; default: the address, in feeds the publisher's title",
    )
    tags: Texts = _key((), "Tags for every entry of this feed")
    language: Language | None = _key(
        None, "Language of the entries; else that of each text, or else the feed's (BCP 47)"
    )
    headers: dict[str, str] = _key(
        {}, 'Extra request headers; a value "env:NAME" is read from the environment'
    )
    auth: SecretName | None = _key(
        None, '"env:NAME": the variable holds "user:password" or "Bearer TOKEN"'
    )
    min_interval: Duration = _key(timedelta(0), 'Poll no more often than this, for example "2 h"')
    republish: Literal["full", "summary"] = _key(
        "full", "Republish full entries, or only a summary of each"
    )
    allow_private: Networks = _key(
        (), 'Private networks that the feed may be in, such as "10.0.0.5/32"'
    )


class TagTable(_Table):
    """A tag of the clippings, or one of your own."""

    aliases: Texts = _key((), "Other names, in any language")
    match: Regexes = _key((), "Regular expressions to search for in title and text")
    title: Text | None = _key(None, "Title of the tag's feed")
    description: Text | None = _key(None, "Subtitle of the tag's feed")
    threshold: StrictFloat | None = _key(
        None, "Lowest score of an entry that gets the tag", gt=0, le=1
    )
    recall: Literal["high"] | None = _key(
        None, '"high": match more entries, with more errors; a threshold overrides it'
    )
    broader: Texts = _key((), "Broader tags, which entries of this tag get too")
    excluded_phrases: Texts = _key(
        (), "Phrases in which the tag's name means something else", alias="not"
    )


class FeedTable(_Table):
    """A combined feed: the entries that match a query."""

    name: Text = Field(description="Name of the feed; the file name is made from it")
    query: Query = Field(
        description='Tags joined by AND, OR, NOT and parentheses; also lang:fr, source:"A blog", '
        "title:word, text:word, category:word, author:name, is:clipped"
    )
    title: Text | None = _key(None, "Title of the feed")
    description: Text | None = _key(None, "Subtitle of the feed")


class MatchingTable(_Table):
    """How entries are matched."""

    semantic: Semantic = _key(
        False,
        f"Also compare texts by meaning, across languages; needs {DISTRIBUTION}[semantic] and "
        "0.2 seconds for each new entry",
    )


class StoreTable(_Table):
    """The database."""

    url: Database = _key(
        "sqlite:///aggregator.sqlite3",
        '"sqlite:///" and a path, or "postgresql://user@host/database", which needs '
        f'{DISTRIBUTION}[postgres]; "env:NAME" is read from the environment',
    )
    keep_unmatched_days: StrictInt = _key(
        180,
        "Days after which the content of entries in no tag and no combined feed is removed; "
        "0: never",
        ge=0,
        le=36500,
    )


class PublishTable(_Table):
    """The output files and their folder."""

    directory: Directory = _key(
        "outputs", f'Folder for the output files, or "s3://bucket/prefix": needs {DISTRIBUTION}[s3]'
    )
    endpoint: Endpoint | None = _key(
        None, "Server of the bucket, if not Amazon S3; default: AWS_ENDPOINT_URL"
    )
    region: Region | None = _key(None, "Region of the bucket; default: AWS_REGION")
    auth: SecretName | None = _key(
        None,
        '"env:NAME": the variable holds "KEY:SECRET" of the bucket; default: '
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    live: StrictInt = _key(50, "Entries in a tag's feed", ge=1, le=1000)
    backfill: StrictInt = _key(10, "Older entries that a new tag or feed may add at once", ge=0)
    explain: StrictBool = _key(True, "End each entry with the reasons for its tag")
    per_source: StrictInt = _key(20, "Most entries of one subscription in a live feed", ge=1)
    also: tuple[Literal["all", "unmatched", "near-miss"], ...] = _key(
        ("all", "unmatched", "near-miss"),
        "Feeds in addition to those of the tags: all entries, entries without a tag, and entries "
        "that nearly got one",
    )
    archive_all: StrictBool = _key(
        False,
        'Also archive "all": a second copy of every entry, by month, rewritten for each correction',
    )
    thumbnails: StrictBool = _key(
        True, "Show the pictures of entries on pages: browsers load them from the publishers"
    )
    compress: tuple[Literal["gzip", "br"], ...] = _key(
        (), "Also write each output as a .gz or .br file"
    )
    hub: WebAddress | None = _key(None, "A WebSub hub to notify of changed feeds")
    allow_private: Networks = _key((), "Private networks that the hub may be in")
    metrics: MetricsFile | None = _key(
        "metrics.prom", 'Metrics file for Prometheus node_exporter; "none" for no file'
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
