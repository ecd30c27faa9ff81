"""Output files over HTTP: Starlette's static files with our headers.

Added to Starlette: an ETag of the content, precompressed siblings, and a list of file types.
"""

import os
from contextlib import suppress
from hashlib import file_digest, sha256
from io import BufferedReader
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Receive, Scope, Send

from aggregator.publish.paths import CACHE_CONTROL, MEDIA_TYPES

MAX_ETAGS = 4096
HEADERS = {
    "Access-Control-Allow-Origin": "*",  # for feed readers that run in a browser
    "Cache-Control": CACHE_CONTROL,
    "Content-Security-Policy": "frame-ancestors 'none'",  # HTML pages carry the rest of their policy
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class OutputFiles:
    """The output folder. Only the file types that the program publishes are served."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, check_dir=False)
        self._etags: dict[tuple[str, int, int], str] = {}

    def respond(self, request: Request) -> Response:
        """Answer with the requested file, or with its compressed sibling if the client accepts it."""
        path = self._lookup(request.path_params["path"] or "index.html")
        accepted = request.headers.get("accept-encoding", "").lower()
        for coding, extension in (("br", ".br"), ("gzip", ".gz"), ("", "")):
            if path and (not coding or _accepts(accepted, coding)):
                with suppress(FileNotFoundError, IsADirectoryError):
                    return self._send(request, path, Path(f"{path}{extension}").open("rb"), coding)
        return PlainTextResponse("not found\n", 404, HEADERS)

    def _lookup(self, name: str) -> Path | None:
        """The file to serve, with links resolved, inside the folder."""
        is_hidden = any(part.startswith(".") for part in Path(name).parts)
        with suppress(OSError, ValueError):  # a name that is too long, or has a NUL
            path = Path(self._files.lookup_path(name)[0])
            if path.suffix in MEDIA_TYPES and path.is_file() and not is_hidden:
                return path
        return None

    def _send(self, request: Request, path: Path, file: BufferedReader, coding: str) -> Response:
        stat = os.fstat(file.fileno())
        headers = HEADERS | {"ETag": self._etag(file, stat)}
        if coding:
            headers["Content-Encoding"] = coding
        response = _OpenFileResponse(file, headers, MEDIA_TYPES[path.suffix], stat)
        result = unless_not_modified(request, response)
        if result is not response:
            file.close()
        return result

    def _etag(self, file: BufferedReader, stat: os.stat_result) -> str:
        version = (file.name, stat.st_mtime_ns, stat.st_size)
        if version not in self._etags:
            if len(self._etags) >= MAX_ETAGS:
                self._etags.clear()
            self._etags[version] = _make_etag(file_digest(file, "sha256").hexdigest())
            file.seek(0)
        return self._etags[version]


class _OpenFileResponse(FileResponse):
    """Sends a file that is already open.

    A run may replace or delete the file while it is sent. Length, validators and bytes then still
    belong to the same version.
    """

    def __init__(
        self, file: BufferedReader, headers: dict[str, str], media_type: str, stat: os.stat_result
    ) -> None:
        path = f"/dev/fd/{file.fileno()}"
        super().__init__(path, headers=headers, media_type=media_type, stat_result=stat)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def respond_with(request: Request, body: bytes, media_type: str) -> Response:
    """Answer with a document made for this request."""
    headers = HEADERS | {"ETag": _make_etag(sha256(body).hexdigest())}
    response = Response(body, headers=headers, media_type=media_type)
    return unless_not_modified(request, response)


def unless_not_modified(request: Request, response: Response) -> Response:
    """``response``, or 304 if the client already has it (RFC 9110 section 13.2.2)."""
    if not StaticFiles().is_not_modified(response.headers, request.headers):
        return response
    not_modified = NotModifiedResponse(response.headers)
    not_modified.headers.update(HEADERS)
    return not_modified


def _make_etag(digest: str) -> str:
    return f'"{digest[:32]}"'


def _accepts(accepted: str, coding: str) -> bool:
    """Whether Accept-Encoding names the coding with a weight above 0."""
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        if name.strip() == coding:
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
