"""Writes outputs to S3-compatible object storage.

A PUT replaces an object as a whole, so readers never see half of one. If two machines write the
same object, the last one wins; both render it from the same stories.
"""

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from hashlib import md5
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import S3Store

from aggregator.errors import PublishError
from aggregator.model import Bucket
from aggregator.publish.paths import CACHE_CONTROL, KINDS, MEDIA_TYPES

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Config, S3Credential, S3CredentialProvider

_UPLOAD_THREADS = 8
_MAX_PENDING = 2 * _UPLOAD_THREADS  # uploads: each holds a document, and Ctrl-C waits for all
_TIMEOUT_SECONDS = 30.0
_MAX_RETRIES = 3  # after network errors and server errors

_EXPLANATIONS = (  # part of an error of obstore -> message
    ("<Code>NoSuchBucket<", "there is no such bucket: create it, or correct [publish] directory"),
    (
        "/latest/api/token",  # where a machine of Amazon asks for the credentials of its role
        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or [publish] auth",
    ),
    ("ConnectionRefused", "connection refused: is the server up, is [publish] endpoint right?"),
    ("dns error", "name not found: check [publish] endpoint and region, or the network"),
    ("kind: Timeout", "no answer in time: is the server overloaded, or behind a firewall?"),
    ("InvalidContentType", "no TLS there: should [publish] endpoint start with http://?"),
)

_Object = tuple[int, str]  # size in bytes, ETag
_ABSENT: _Object = -1, ""


class OutputBucket:
    """A bucket with the same methods as `publish.folder.OutputFolder`.

    Each name is written at most once before ``sync``. With "gzip" in ``codings`` the objects
    themselves are compressed, and have a Content-Encoding: a bucket does not negotiate, and all
    clients know gzip. The bucket is listed once; with ``lazy`` each object is looked up when it is
    needed, for a caller that needs few.
    """

    def __init__(
        self, bucket: Bucket, codings: tuple[str, ...] = (), *, lazy: bool = False
    ) -> None:
        """Raises PublishError if the bucket does not exist or cannot be listed."""
        self._address = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
        if bucket.endpoint:
            self._address += f" at {bucket.endpoint}"
        self._gzip = "gzip" in codings
        self._lazy = lazy
        self._pool = ThreadPoolExecutor(_UPLOAD_THREADS)
        self._uploads: deque[Future[None]] = deque()
        self._objects: dict[str, _Object] = {}
        self.written_bytes = 0
        with self._publish_errors():
            self._store = _open(bucket)
            if not lazy:
                metas = (meta for batch in self._store.list() for meta in batch)
                self._objects = {meta["path"]: _size_and_etag(meta) for meta in metas}

    def has(self, name: str) -> bool:
        """Whether there is an object ``name``."""
        return self._object(name) != _ABSENT

    def _object(self, name: str) -> _Object:
        if self._lazy and name not in self._objects:
            with self._publish_errors(name):
                try:
                    self._objects[name] = _size_and_etag(self._store.head(name))
                except FileNotFoundError:
                    self._objects[name] = _ABSENT
        return self._objects.get(name, _ABSENT)

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the object ``name`` is missing or contains something other than ``data``.

        Raises PublishError.
        """
        return self._differs(name, self._encode(data))

    def _differs(self, name: str, body: bytes) -> bool:
        size, etag = self._object(name)
        if size != len(body):
            return True
        if etag == _md5(body):
            return False
        # The ETag of a multipart or encrypted upload is not an MD5. Compare the content.
        with self._publish_errors(name):
            try:
                return bytes(self._store.get(name).bytes()) != body
            except FileNotFoundError:  # another machine has removed it since
                return True

    def write(self, name: str, data: bytes) -> bool:
        """Start to upload ``data`` unless the object has that content; returns whether it started.

        Raises PublishError, also for uploads that were started before.
        """
        body = self._encode(data)
        if not self._differs(name, body):
            return False
        self._wait(_MAX_PENDING - 1)
        self._uploads.append(self._pool.submit(self._put, name, body))
        self._objects[name] = len(body), _md5(body)
        self.written_bytes += len(body)
        return True

    def _encode(self, data: bytes) -> bytes:
        if not self._gzip:
            return data
        from aggregator.files.compression import compress

        return compress(data, "gzip")

    def _put(self, name: str, body: bytes) -> None:
        attributes = {
            "Content-Type": MEDIA_TYPES[PurePosixPath(name).suffix],
            "Cache-Control": CACHE_CONTROL,
        }
        if self._gzip:
            attributes["Content-Encoding"] = "gzip"
        with self._publish_errors(name):
            # In one part: a PUT is atomic, and most stores use its MD5 as the ETag.
            self._store.put(name, body, attributes=attributes, use_multipart=False)

    def tidy(self) -> None:
        """Nothing to do: there are no temporary objects."""

    def sync(self) -> None:
        """Wait for all uploads. Raises PublishError."""
        self._wait(0)

    def _wait(self, max_pending: int) -> None:
        """Wait until at most ``max_pending`` uploads are left. If one fails, cancel the others."""
        try:
            while len(self._uploads) > max_pending:
                self._uploads.popleft().result()
        except BaseException:
            for upload in self._uploads:
                upload.cancel()
            raise

    def other_pages(self, folder: str, names: Collection[str]) -> list[str]:
        """The pages in ``folder`` that are not among ``names``."""
        objects = sorted(name for name in self._objects if name.endswith(".html"))
        return [n for n in objects if n.rpartition("/")[0] == folder and n not in names]

    def remove_other_pages(self, folder: str, names: Collection[str]) -> list[str]:
        """Remove the pages in ``folder`` that are not among ``names``; returns what it removed."""
        pages = self.other_pages(folder, names)
        self._delete(pages)
        return pages

    def remove(self, slug: str) -> None:
        """Remove all objects of the output feed with this slug, including its archive."""
        live = [f"{slug}.{kind}" for kind in KINDS]
        self._delete([*filter(self.has, live), *self._archive(slug)])

    def has_archive(self, slug: str) -> bool:
        """Whether the output feed with this slug has an archive."""
        return bool(self._archive(slug))

    def remove_archive(self, slug: str) -> bool:
        """Remove the archive of the output feed with this slug; returns whether it had one."""
        documents = self._archive(slug)
        self._delete(documents)
        return bool(documents)

    def _archive(self, slug: str) -> list[str]:
        return [name for name in self._objects if name.startswith(f"{slug}/")]

    def _delete(self, names: Sequence[str]) -> None:
        if names:
            with self._publish_errors():
                self._store.delete(names)
        for name in names:
            del self._objects[name]

    @contextmanager
    def _publish_errors(self, name: str = "") -> Iterator[None]:
        """Turn errors of the store into a PublishError that names the bucket and the object."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            where = f"{name}: " if name else ""
            raise PublishError(f"{self._address}: {where}{_explain(str(error))}") from error


def _open(bucket: Bucket) -> S3Store:
    """Without credentials in feeds.toml, obstore looks for them itself."""
    # Not every S3-compatible store accepts many deletions in one request.
    config: S3Config = {"disable_bulk_delete": True}
    if bucket.endpoint:
        config["aws_endpoint_url_s3"] = bucket.endpoint.rstrip("/")
    if bucket.region:
        config["region"] = bucket.region
    return S3Store(
        bucket.name,
        prefix=bucket.prefix or None,
        config=config,
        credential_provider=_provider(*bucket.credentials) if bucket.credentials else None,
        client_options={
            "timeout": timedelta(seconds=_TIMEOUT_SECONDS),
            "allow_http": (bucket.endpoint or "").startswith("http://"),
        },
        retry_config={
            "max_retries": _MAX_RETRIES,
            "retry_timeout": timedelta(seconds=2 * _TIMEOUT_SECONDS),
        },
    )


def _provider(key: str, secret: str) -> "S3CredentialProvider":
    """These credentials only. obstore would combine a key in its configuration with a session token
    from the environment."""

    def credentials() -> "S3Credential":
        return {"access_key_id": key, "secret_access_key": secret, "expires_at": None}

    return credentials


def _size_and_etag(meta: "ObjectMeta") -> _Object:
    return meta["size"], (meta["e_tag"] or "").strip('"')


def _md5(body: bytes) -> str:
    return md5(body, usedforsecurity=False).hexdigest()


def _explain(message: str) -> str:
    """An error of obstore in a few words.

    Only the status and the code of an answer are shown. The rest may repeat what was sent,
    including the name of a key.
    """
    for part, explanation in _EXPLANATIONS:
        if part in message:
            return explanation
    status = re.search(r"status code: (\d{3}(?: [A-Za-z ]+)?)", message)
    if status is None:
        return re.sub(r".* - ", "", message.partition("\n")[0])
    code = re.search(r"<Code>(\w+)</Code>", message)
    answer = f"HTTP {status[1].strip()}" + (f" ({code[1]})" if code else "")
    if status[1].startswith(("401", "403")):
        return (
            f"refused, {answer}: check that the credentials are right and allow listing, reading, "
            "writing and deleting"
        )
    return f"{answer}; the next run tries again"
