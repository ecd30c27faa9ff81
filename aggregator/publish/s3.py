"""Outputs in S3-compatible object storage. The one user of obstore.

A PUT replaces an object as a whole, so readers never see half of one. Of two machines that write
the same object the last wins; what they write is made of the same stories.
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

_AT_ONCE = 8
_MOST_WAITING = (
    2 * _AT_ONCE
)  # uploads: their documents are held in memory, and Ctrl-C waits for them
_SECONDS = 30.0  # for one request
_RETRIES = 3  # of what did not arrive, or found the server in trouble

_EXPLANATIONS = (  # what stands in an error of obstore's -> what to say
    ("<Code>NoSuchBucket<", "there is no such bucket: make it, or correct [publish] directory"),
    (
        "/latest/api/token",  # where a machine of Amazon's asks for those of its role
        "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or [publish] auth",
    ),
    ("ConnectionRefused", "connection refused: is the server up, is [publish] endpoint right?"),
    ("dns error", "name not found: check [publish] endpoint and region, or the network"),
    ("kind: Timeout", "no answer in time: is it overloaded, or a firewall in between?"),
    ("InvalidContentType", "it does not speak TLS: does [publish] endpoint begin with http://?"),
)


_NOTHING = -1, ""


def _told(found: "ObjectMeta") -> tuple[int, str]:
    return found["size"], (found["e_tag"] or "").strip('"')


class OutputBucket:
    """As `publish.folder.OutputFolder`, for a bucket. Each name is written once before a ``sync``.

    What is there is asked once, or, where only ``part`` of it will be asked for, of each object by
    itself. With "gzip" in ``codings`` the objects themselves are compressed,
    and say so (Content-Encoding): nobody negotiates before a bucket, and every client knows gzip.
    """

    def __init__(
        self, bucket: Bucket, codings: tuple[str, ...] = (), *, part: bool = False
    ) -> None:
        """Raises PublishError if there is no such bucket, or it cannot be listed."""
        self._address = f"s3://{bucket.name}/{bucket.prefix}".rstrip("/")
        if bucket.endpoint:
            self._address += f" at {bucket.endpoint}"
        self._gzip = "gzip" in codings
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._uploads: deque[Future[None]] = deque()
        self.written_bytes = 0
        with self._explained():
            self._store = _open(bucket)
            self._all_known = not part
            self._found = (
                {}
                if part
                else {found["path"]: _told(found) for some in self._store.list() for found in some}
            )

    def has(self, name: str) -> bool:
        """Whether there was an object ``name`` when we came, or since."""
        return self._known(name) != _NOTHING

    def _known(self, name: str) -> tuple[int, str]:
        """The size and the ETag of an object."""
        if not self._all_known and name not in self._found:
            with self._explained(name):
                try:
                    self._found[name] = _told(self._store.head(name))
                except FileNotFoundError:
                    self._found[name] = _NOTHING
        return self._found.get(name, _NOTHING)

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the object ``name`` is absent or holds something else. Raises PublishError."""
        return self._differs(name, self._encoded(data))

    def _differs(self, name: str, body: bytes) -> bool:
        size, etag = self._known(name)
        if size != len(body):
            return True
        if etag == _md5(body):
            return False
        # An ETag need not be an MD5: after an upload in parts, or under a key of the store's, it is
        # something else. Then only the object itself can tell.
        with self._explained(name):
            try:
                return bytes(self._store.get(name).bytes()) != body
            except FileNotFoundError:  # another machine took it away since
                return True

    def write(self, name: str, data: bytes) -> bool:
        """Begin to make the object hold ``data``; gives whether that is needed.

        Raises PublishError, also for those that were begun before.
        """
        body = self._encoded(data)
        if not self._differs(name, body):
            return False
        self._wait(_MOST_WAITING - 1)
        self._uploads.append(self._pool.submit(self._put, name, body))
        self._found[name] = len(body), _md5(body)
        self.written_bytes += len(body)
        return True

    def _encoded(self, data: bytes) -> bytes:
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
        with self._explained(name):
            # In one part: so it is an atomic PUT, and most stores make its ETag of its MD5.
            self._store.put(name, body, attributes=attributes, use_multipart=False)

    def tidy(self) -> None:
        """Nothing is ever half written."""

    def sync(self) -> None:
        """Wait until all that was written is stored. Raises PublishError."""
        self._wait(0)

    def _wait(self, most: int) -> None:
        """Until at most so many uploads are left. If one fails, none begins any more."""
        try:
            while len(self._uploads) > most:
                self._uploads.popleft().result()
        except BaseException:
            for upload in self._uploads:
                upload.cancel()
            raise

    def beside(self, folder: str, names: Collection[str]) -> list[str]:
        """The pages in a folder that are not among ``names``."""
        found = (n for n in self._found if n.endswith(".html") and n.rpartition("/")[0] == folder)
        return [name for name in sorted(found) if name not in names]

    def keep_only(self, folder: str, names: Collection[str]) -> list[str]:
        """Take away the pages of a folder that are not among ``names``; gives which."""
        others = self.beside(folder, names)
        self._delete(others)
        return others

    def remove(self, slug: str) -> None:
        """Take away every object of the output feed with this slug, its archive included."""
        live = [f"{slug}.{kind}" for kind in KINDS]
        self._delete([*filter(self.has, live), *self._archive(slug)])

    def has_archive(self, slug: str) -> bool:
        """Whether the output feed with this slug has an archive."""
        return bool(self._archive(slug))

    def remove_archive(self, slug: str) -> bool:
        """Take away the archive of the output feed with this slug; gives whether it had one."""
        documents = self._archive(slug)
        self._delete(documents)
        return bool(documents)

    def _archive(self, slug: str) -> list[str]:
        return [name for name in self._found if name.startswith(f"{slug}/")]

    def _delete(self, names: Sequence[str]) -> None:
        if names:
            with self._explained():
                self._store.delete(names)
        for name in names:
            del self._found[name]

    @contextmanager
    def _explained(self, name: str = "") -> Iterator[None]:
        """Errors of the store become a PublishError that says where, what, and what to do."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            where = f"{name}: " if name else ""
            raise PublishError(f"{self._address}: {where}{_explain(str(error))}") from error


def _open(bucket: Bucket) -> S3Store:
    """Credentials that feeds.toml does not name are found by obstore itself."""
    # One by one: not every S3-compatible store takes many deletions in one request.
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
            "timeout": timedelta(seconds=_SECONDS),
            "allow_http": (bucket.endpoint or "").startswith("http://"),
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timedelta(seconds=2 * _SECONDS),
        },
    )


def _provider(key: str, secret: str) -> "S3CredentialProvider":
    """These alone: a key in the configuration would go with the session token of the environment."""

    def credentials() -> "S3Credential":
        return {"access_key_id": key, "secret_access_key": secret, "expires_at": None}

    return credentials


def _md5(body: bytes) -> str:
    return md5(body, usedforsecurity=False).hexdigest()


def _explain(message: str) -> str:
    """An error of obstore's in a few words. Of a store's answer nothing but its status and its code
    is told: the rest may repeat what was sent, the name of a key included."""
    for sign, explanation in _EXPLANATIONS:
        if sign in message:
            return explanation
    status = re.search(r"status code: (\d{3}(?: [A-Za-z ]+)?)", message)
    if status is None:
        return re.sub(r".* - ", "", message.partition("\n")[0])
    code = re.search(r"<Code>(\w+)</Code>", message)
    told = f"HTTP {status[1].strip()}" + (f" ({code[1]})" if code else "")
    if status[1].startswith(("401", "403")):
        return (
            f"refused, {told}: check the credentials, and that they allow listing, reading, "
            "writing and deleting there"
        )
    return f"{told}; the next run tries again"
