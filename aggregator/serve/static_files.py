"""Files with strong validators, ranges and precompressed siblings (RFC 9110)."""

import os
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from aggregator.publish.paths import CACHE_CONTROL, MEDIA_TYPES

_SIBLINGS = (("br", ".br"), ("gzip", ".gz"))
_MOST_ETAGS = 4096
_HEADERS = {
    "Access-Control-Allow-Origin": "*",  # readers that are web pages
    "Cache-Control": CACHE_CONTROL,
    "Content-Security-Policy": "frame-ancestors 'none'",  # pages carry the rest of theirs
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Files:
    """The output folder. Nothing but its own kinds of files is ever served."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._etags: dict[tuple[Path, str, int, int], str] = {}

    def respond(self, request: Request) -> Response:
        """The file of the path, or of its sibling in a coding that the client takes."""
        path = self._find(request.path_params["path"])
        opened = path and _open(path, request.headers.get("accept-encoding", ""))
        if not path or not opened:
            return PlainTextResponse("not found\n", 404, _HEADERS)
        file, coding = opened
        stat = os.fstat(file.fileno())
        headers = _HEADERS | {
            "ETag": self._etag((path, coding, stat.st_mtime_ns, stat.st_size), file),
            "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
        }
        if coding:
            headers["Content-Encoding"] = coding
        if _is_fresh(request, headers["ETag"], stat):
            file.close()
            return _not_modified(headers)
        return _Sent(file, headers, MEDIA_TYPES[path.suffix], stat)

    def _etag(self, known: tuple[Path, str, int, int], file: BufferedReader) -> str:
        etag = self._etags.get(known)
        if etag is None:
            etag = f'"{file_digest(file, "sha256").hexdigest()[:32]}"'
            file.seek(0)
            if len(self._etags) >= _MOST_ETAGS:
                self._etags.clear()
            self._etags[known] = etag
        return etag

    def _find(self, name: str) -> Path | None:
        name = name or "index.html"
        try:
            path = (self._folder / name).resolve()
            inside = path.is_relative_to(self._folder)
            hidden = any(part.startswith(".") for part in Path(name).parts)
            wanted = inside and not hidden and path.suffix in MEDIA_TYPES
            return path if wanted and path.is_file() else None
        except (OSError, ValueError):  # too long a name, a NUL
            return None


def answer(request: Request, body: bytes, media_type: str) -> Response:
    """A document that was made for this request, with a strong validator."""
    headers = _HEADERS | {"ETag": f'"{sha256(body).hexdigest()[:32]}"'}
    if _is_fresh(request, headers["ETag"], None):
        return _not_modified(headers)
    return Response(body, headers=headers, media_type=media_type)


def _open(path: Path, accepted: str) -> tuple[BufferedReader, str] | None:
    """The file, or its sibling in a coding that is accepted; None if a run has taken it away since."""
    codings = [(coding, end) for coding, end in _SIBLINGS if _takes(accepted, coding)]
    for coding, end in (*codings, ("", "")):
        chosen = path.with_name(path.name + end)
        with suppress(FileNotFoundError):
            if chosen.is_file():
                return chosen.open("rb"), coding
    return None


class _Sent(FileResponse):
    """A file as it was when it was opened: a run may replace it, or take it away, while it is sent, and
    nobody is to get the length or the validator of one and the bytes of another."""

    def __init__(
        self, file: BufferedReader, headers: dict[str, str], media_type: str, stat: os.stat_result
    ) -> None:
        super().__init__(
            f"/dev/fd/{file.fileno()}", headers=headers, media_type=media_type, stat_result=stat
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def _takes(accepted: str, coding: str) -> bool:
    """Whether Accept-Encoding names the coding, and not with a weight of nothing."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == coding:
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _is_fresh(request: Request, etag: str, stat: os.stat_result | None) -> bool:
    """RFC 9110 section 13.2.2: If-None-Match first, and If-Modified-Since only without it."""
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        return etag in tags or tags == ["*"]
    since = request.headers.get("if-modified-since")
    if since is None or stat is None:
        return False
    try:
        return int(stat.st_mtime) <= parsedate_to_datetime(since).timestamp()
    except ValueError:
        return False


def _not_modified(headers: dict[str, str]) -> Response:
    kept = {name: value for name, value in headers.items() if name != "Content-Encoding"}
    return Response(status_code=304, headers=kept)
