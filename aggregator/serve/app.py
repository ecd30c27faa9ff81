"""The routes: files of the output folder, ``query.atom`` and ``query.json``, metrics, health."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
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
from aggregator.publish.entries import NEVER
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.paths import MEDIA_TYPES
from aggregator.run.match import load_vocabulary
from aggregator.run.metrics import render_metrics
from aggregator.run.stale import make_feed_builder
from aggregator.serve.http_protocol import Connection
from aggregator.serve.static_files import Files, answer
from aggregator.store import Store
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import digest
from aggregator.text.query import Query, QueryError, parse_query

STALE_AFTER = timedelta(days=1)  # without a run
_LOOKED_AT = 5000  # stories, at most, for one query
_AT_ONCE = 500

Opener = Callable[[], AbstractContextManager[Store]]


def application(
    config: Config,
    clippings: tuple[Clipping, ...],
    folder: Path,
    open_store: Opener,
    clock: Callable[[], datetime],
) -> Starlette:
    """An ASGI application that serves ``folder`` and answers queries from the store."""
    site = _Site(config, clippings, open_store, clock)
    files = Files(folder)
    return Starlette(
        routes=[
            Route("/health", site.health),
            Route("/metrics", site.metrics),
            Route("/query.{extension:str}", site.query),
            Route("/{path:path}", files.respond),
        ],
        exception_handlers={StorageError: _broken},
    )


def _broken(_: Request, error: Exception) -> Response:
    """The store cannot be read: /health says more."""
    return PlainTextResponse(f"{error}\n", 503)


def serve(application: Starlette, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    with suppress(KeyboardInterrupt):  # the ordinary way to end it
        uvicorn.run(
            application,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            http=Connection,
        )


class _Site:
    """What is answered from the store. Each request reads it anew: runs go on beside."""

    def __init__(
        self,
        config: Config,
        clippings: tuple[Clipping, ...],
        open_store: Opener,
        clock: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._clippings = clippings
        self._open_store = open_store
        self._clock = clock

    def health(self, _: Request) -> Response:
        """200 while runs end, 503 once none has for a day or the store cannot be read."""
        try:
            with self._open_store() as store:
                last = store.runs.last()
        except StorageError as error:
            return JSONResponse({"status": "broken", "reason": str(error)}, 503)
        ended = last[2] if last else None
        stale = ended is None or self._clock() - ended > STALE_AFTER
        told = {"status": "stale" if stale else "ok", "run": ended.isoformat() if ended else None}
        return JSONResponse(told, 503 if stale else 200)

    def metrics(self, _: Request) -> Response:
        """The figures for Prometheus."""
        with self._open_store() as store:
            text = render_metrics(self._config, store)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def query(self, request: Request) -> Response:
        """The newest stories that ``?q=`` finds, as a feed."""
        extension = request.path_params["extension"]
        if extension not in ("atom", "json"):
            return PlainTextResponse("expected query.atom or query.json\n", 404)
        text = request.query_params.get("q", "")
        try:
            query = parse_query(text)
        except QueryError as error:
            return PlainTextResponse(f"q: {error}\n", 400)
        with self._open_store() as store:
            feed = self._feed(text, query, store)
        body = render_atom(feed) if extension == "atom" else render_jsonfeed(feed)
        return answer(request, body, MEDIA_TYPES[f".{extension}"])

    def _feed(self, text: str, query: Query, store: Store) -> OutputFeed:
        config = self._config
        vocabulary, _ = load_vocabulary(config, self._clippings, store)
        finder = QueryMatcher(vocabulary, config.subscriptions)
        found: list[Story] = []
        for story in _newest(store):
            if finder.finds(query, story):
                found.append(story)
                if len(found) == config.publish.live:
                    break
        channel = Channel(
            key=f"query:{digest(text)}",
            kind=ChannelKind.QUERY,
            name=text,
            slug="query",
            id=mint_id(config.site.url, None, f"query {text}"),
            first_seen_at=NEVER,
        )
        feed = make_feed_builder(config, vocabulary).live_feed(channel, found, (), len(found))
        return replace(feed, query=urlencode({"q": text}), hub=None)


def _newest(store: Store) -> Iterator[Story]:
    last: int | None = None
    for _ in range(_LOOKED_AT // _AT_ONCE):
        stories = store.published.newest(_AT_ONCE, before=last)
        yield from (story for story in stories if story.copies and not story.pruned)
        if len(stories) < _AT_ONCE:
            return
        last = stories[-1].row
