"""The web application: output files, ``query.atom`` and ``query.json``, metrics, health."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aggregator.errors import StorageError
from aggregator.match import QueryMatcher
from aggregator.model import Channel, ChannelKind, Clipping, Config, OutputFeed, Story
from aggregator.publish.atom import render_atom
from aggregator.publish.feed_builder import NEVER
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.paths import MEDIA_TYPES
from aggregator.run.match import load_vocabulary
from aggregator.run.metrics import render_metrics
from aggregator.run.stale import make_feed_builder
from aggregator.serve.http_protocol import HttpProtocol
from aggregator.serve.static_files import OutputFiles, respond_with
from aggregator.store import Store
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import digest
from aggregator.text.query import Query, QueryError, parse_query

STALE_AFTER = timedelta(days=1)  # without a run
MAX_STORIES = 5000  # that one query searches
BATCH_SIZE = 500

StoreOpener = Callable[[], AbstractContextManager[Store]]


def make_application(
    config: Config,
    clippings: tuple[Clipping, ...],
    folder: Path,
    open_store: StoreOpener,
    clock: Callable[[], datetime],
) -> Starlette:
    """The ASGI application. It serves ``folder``, and answers queries from the store."""
    views = _StoreViews(config, clippings, open_store, clock)
    files = OutputFiles(folder)
    return Starlette(
        routes=[
            Route("/health", views.health),
            Route("/metrics", views.metrics),
            Route("/query.{extension:str}", views.query),
            Route("/{path:path}", files.respond),
        ],
        exception_handlers={StorageError: _storage_error},
    )


def _storage_error(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503)


def serve(application: Starlette, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            application, host=host, port=port, log_level="warning", server_header=False,
            http=HttpProtocol,
        )  # fmt: skip


@dataclass(frozen=True)
class _StoreViews:
    """Answers from the store. Each request opens it again, since runs go on meanwhile."""

    config: Config
    clippings: tuple[Clipping, ...]
    open_store: StoreOpener
    clock: Callable[[], datetime]

    def health(self, _: Request) -> Response:
        """200, or 503 if no run has ended for a day or the store cannot be read."""
        try:
            with self.open_store() as store:
                last = store.runs.last()
        except StorageError as error:
            return JSONResponse({"status": "broken", "reason": str(error)}, 503)
        finished_at = last[2] if last else None
        if finished_at is None or self.clock() - finished_at > STALE_AFTER:
            status, code = "stale", 503
        else:
            status, code = "ok", 200
        run = finished_at.isoformat() if finished_at else None
        return JSONResponse({"status": status, "run": run}, code)

    def metrics(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        with self.open_store() as store:
            text = render_metrics(self.config, store)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def query(self, request: Request) -> Response:
        """A feed of the newest stories that match ``?q=``."""
        extension = request.path_params["extension"]
        if extension not in ("atom", "json"):
            return PlainTextResponse("expected query.atom or query.json\n", 404)
        text = request.query_params.get("q", "")
        try:
            query = parse_query(text)
        except QueryError as error:
            return PlainTextResponse(f"q: {error}\n", 400)
        with self.open_store() as store:
            feed = self._feed(text, query, store)
        body = render_atom(feed) if extension == "atom" else render_jsonfeed(feed)
        return respond_with(request, body, MEDIA_TYPES[f".{extension}"])

    def _feed(self, text: str, query: Query, store: Store) -> OutputFeed:
        vocabulary, _ = load_vocabulary(self.config, self.clippings, store)
        matcher = QueryMatcher(vocabulary, self.config.subscriptions)
        matches = (story for story in _newest(store) if matcher.matches(query, story))
        stories = list(islice(matches, self.config.publish.live))
        channel = Channel(
            key=f"query:{digest(text)}",
            kind=ChannelKind.QUERY,
            name=text,
            slug="query",
            id=mint_id(self.config.site.url, None, f"query {text}"),
            first_seen_at=NEVER,
        )
        builder = make_feed_builder(self.config, vocabulary)
        feed = builder.live_feed(channel, stories, (), len(stories))
        return replace(feed, query=urlencode({"q": text}), hub=None)


def _newest(store: Store) -> Iterator[Story]:
    """The newest stories that can be published."""
    row: int | None = None
    for _ in range(MAX_STORIES // BATCH_SIZE):
        stories = store.published.newest(BATCH_SIZE, before=row)
        yield from (story for story in stories if story.copies and not story.pruned)
        if len(stories) < BATCH_SIZE:
            return
        row = stories[-1].row
