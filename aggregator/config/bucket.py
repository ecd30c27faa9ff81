"""The bucket of ``[publish] directory = "s3://bucket/prefix"``: its checks and its `model.Bucket`.

Endpoint and region may also come from the environment variables that every S3 client reads.
"""

import re
from collections.abc import Iterator, Mapping

from aggregator.config.credentials import resolve
from aggregator.config.field_types import (
    BUCKET_ADDRESS,
    BUCKET_SCHEME,
    ENDPOINT_PATTERN,
    REGION_PATTERN,
)
from aggregator.config.schema import PublishTable
from aggregator.model import Bucket

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


def check_bucket(table: PublishTable, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(key, message) for each key of [publish] that does not fit the others or the environment."""
    if not table.directory.startswith(BUCKET_SCHEME):
        for key in ("endpoint", "region", "auth"):
            if getattr(table, key) is not None:
                yield (
                    key,
                    f'"publish.{key}" is for a "directory" that begins with "{BUCKET_SCHEME}"',
                )
        return
    if "br" in table.compress:
        # A bucket does not negotiate: every reader gets the coding that is stored.
        yield (
            "compress",
            '"publish.compress" can only be ["gzip"] in a bucket: an object has one coding, which '
            "every reader must know",
        )
    if table.auth:
        name = table.auth.removeprefix("env:")
        if name not in environment:
            yield "auth", f'"publish.auth" names the environment variable {name}, which is not set'
        elif not all(environment[name].strip().partition(":")):
            yield "auth", f'"publish.auth": expected {name} to hold "KEY:SECRET"'
    for key, names, pattern in (
        ("endpoint", _ENDPOINT_VARIABLES, ENDPOINT_PATTERN),
        ("region", _REGION_VARIABLES, REGION_PATTERN),
    ):
        name, value = _first_set(names, environment)
        if value and getattr(table, key) is None and not re.fullmatch(pattern, value):
            yield "directory", f"the environment variable {name} does not hold the bucket's {key}"


def make_bucket(table: PublishTable, environment: Mapping[str, str]) -> Bucket | None:
    """The bucket that a checked ``table`` publishes to, or None for a folder."""
    address = BUCKET_ADDRESS.fullmatch(table.directory)
    if address is None:
        return None
    credentials = None
    if table.auth:
        key, _, secret = resolve(table.auth, environment).strip().partition(":")
        credentials = key, secret
    return Bucket(
        name=address[1],
        prefix=address[2].strip("/"),
        endpoint=table.endpoint or _first_set(_ENDPOINT_VARIABLES, environment)[1],
        region=table.region or _first_set(_REGION_VARIABLES, environment)[1],
        credentials=credentials,
    )


def _first_set(names: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, str | None]:
    """Name and value of the first variable that is not empty."""
    return next(((n, environment[n]) for n in names if environment.get(n)), ("", None))
