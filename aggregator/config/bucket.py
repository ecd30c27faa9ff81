"""What ``[publish]`` says of a bucket in object storage: ``s3://bucket/prefix``, and where that is.

Endpoint and region may also stand in the environment, under the names that every S3 client reads.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aggregator.model import Bucket

if TYPE_CHECKING:
    from aggregator.config.schema import PublishTable

NO_S3 = 'a bucket needs obstore, which is not installed: pip install "aggregator[s3]"'
_SCHEME = "s3://"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_ADDRESS = re.compile(rf"{_SCHEME}({_NAME})((?:/[A-Za-z0-9_.~-]+)*)/?")
_ENDPOINT = re.compile(r"https?://[^/@?#\s]+(/[^@?#\s]*)?")
REGION = r"^[A-Za-z0-9-]+$"  # also in the JSON Schema


def check_directory(value: str) -> str:
    """A folder, or the address of a bucket that we can write to. Raises ValueError."""
    if "://" in value:
        address = _ADDRESS.fullmatch(value)
        if address is None or {".", ".."} & set(address[2].split("/")):
            raise ValueError('expected a folder, or "s3://bucket/prefix" of plain letters')
        if find_spec("obstore") is None:
            raise ValueError(NO_S3)
    return value


def check_endpoint(value: str) -> str:
    """The address of a server, and nothing secret in it. Raises ValueError."""
    if not _ENDPOINT.fullmatch(value):
        raise ValueError('expected the address of a server, such as "https://s3.example.org"')
    return value


def diagnostics(table: "PublishTable", environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The key, and what is wrong with it that its own value does not show."""
    if not table.directory.startswith(_SCHEME):
        for key in ("endpoint", "region", "auth"):
            if getattr(table, key) is not None:
                yield key, f'"publish.{key}" is for a "directory" that begins with "{_SCHEME}"'
        return
    if "br" in table.compress:
        # Nobody negotiates before a bucket: what is stored is what everybody gets.
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
        ("endpoint", _ENDPOINTS, _ENDPOINT.pattern),
        ("region", _REGIONS, REGION),
    ):
        found = _first(names, environment)
        if found and getattr(table, key) is None and not re.fullmatch(pattern, environment[found]):
            yield "directory", f"the environment variable {found} does not hold the bucket's {key}"


def bucket_of(table: "PublishTable", environment: Mapping[str, str]) -> Bucket | None:
    """The bucket that ``table``, in which there are no mistakes, publishes to, if it does."""
    address = _ADDRESS.fullmatch(table.directory)
    if address is None:
        return None
    endpoint, region = _first(_ENDPOINTS, environment), _first(_REGIONS, environment)
    credentials = None
    if table.auth:
        key, _, secret = environment[table.auth.removeprefix("env:")].strip().partition(":")
        credentials = key, secret
    return Bucket(
        name=address[1],
        prefix=address[2].strip("/"),
        endpoint=table.endpoint or (environment[endpoint] if endpoint else None),
        region=table.region or (environment[region] if region else None),
        credentials=credentials,
    )


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    """The first variable that is set to something."""
    return next((name for name in names if environment.get(name)), None)
