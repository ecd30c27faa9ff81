"""Files with strong validators, ranges and precompressed siblings (RFC 9110)."""

from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from os import stat_result
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from aggregator.publish.names import CACHE_CONTROL, MEDIA_TYPES

_SIBLINGS = (("br", ".br"), ("gzip", ".gz"))
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

    def respond(self, request: Request) -> Response:
        """The file of the path, or of its sibling in a coding that the client takes."""
        path = self._find(request.path_params["path"])
        if path is None:
            return PlainTextResponse("not found\n", 404, _HEADERS)
        headers = dict(_HEADERS)
        chosen = path
        for coding, extension in _SIBLINGS:
            sibling = path.with_name(path.name + extension)
            if sibling.is_file() and _takes(request.headers.get("accept-encoding", ""), coding):
                chosen, headers["Content-Encoding"] = sibling, coding
                break
        stat = chosen.stat()
        headers["ETag"] = _etag(chosen, stat.st_mtime_ns, stat.st_size)
        headers["Last-Modified"] = formatdate(stat.st_mtime, usegmt=True)
        if _is_fresh(request, headers["ETag"], stat):
            return _not_modified(headers)
        return FileResponse(
            chosen, headers=headers, media_type=MEDIA_TYPES[path.suffix], stat_result=stat
        )

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


@lru_cache(maxsize=4096)
def _etag(path: Path, _modified: int, _size: int) -> str:
    return f'"{sha256(path.read_bytes()).hexdigest()[:32]}"'


def _takes(accepted: str, coding: str) -> bool:
    """Whether Accept-Encoding names the coding, and not with a weight of nothing."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == coding:
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _is_fresh(request: Request, etag: str, stat: stat_result | None) -> bool:
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
