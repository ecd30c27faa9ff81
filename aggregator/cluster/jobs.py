"""What the workers do. Each job may be done twice, by whomever: the second time does nothing.

poll a host     | ask, read, store, match     what is due there, one request at a time
settle          | group, learn, match, place  what all polls have stored, alone
publish a part  | render, write               what of it is stale
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aggregator.cluster.loaded_project import Known, ProjectWatcher
from aggregator.cluster.queue import Job, Queue
from aggregator.cluster.scheduler import PUBLISH
from aggregator.fetch.domains import domain_of
from aggregator.model import Config, RunReport
from aggregator.run import pipeline
from aggregator.run.match import MatcherCache, load_vocabulary, match
from aggregator.run.poll import NullProgress, PollResult, collect, plan_subscriptions
from aggregator.run.publish import publish, stale_parts
from aggregator.run.stale import EVERYTHING, Writer
from aggregator.run.timing import StageTimer
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool

_T = TypeVar("_T")
_HEARD_SECONDS = 300  # since when somebody must have answered, for silence to be the publisher's


@dataclass(slots=True)
class Jobs:
    """The shells of one worker, and its jobs. ``open_outputs`` opens the outputs, of which a
    job asks all or part; ``tell`` is what the operator hears of a job, ``write_metrics`` what
    monitoring does."""

    projects: ProjectWatcher
    store: Store
    turns: WorkerLocks
    queue: Queue
    poller: "Fetcher"
    parser: "ParsingPool"
    open_outputs: Callable[[Known, bool], Writer]
    tell: Callable[[str, RunReport], None]
    write_metrics: Callable[[Config, Store], None]
    _matcher: MatcherCache = field(default_factory=MatcherCache, init=False)
    _heard_at: float | None = field(default=None, init=False)

    async def poll(self, job: Job) -> None:
        """Poll what is due of one host, store what is new, and match it."""
        known = self.projects.current()
        keys = [str(key) for key in job.details["keys"]]
        theirs = [known.by_key[key] for key in keys if key in known.by_key]
        async with self.turns.job():
            now = self.store.server_time()
            planned = plan_subscriptions(theirs, self.store, now, few=True)
            if not planned.polls:
                return
            told = await collect(
                planned,
                self.store,
                self.poller,
                self.parser,
                NullProgress(),
                StageTimer(),
                now,
                turn=self.turns.write,
                online=self._online(known),
            )
            self._hear(told)
            if told.new or told.modified:
                async with self.turns.write():
                    vocabulary, clippings = load_vocabulary(
                        known.config, known.clippings, self.store
                    )
                    match(
                        known.config, vocabulary, clippings, self.store, StageTimer(), now,
                        feeds=keys, kept=self._matcher,
                    )  # fmt: skip
        self.tell(job.lock, told.report())

    def _online(self, known: Known) -> bool | None:
        """Whether somebody has answered this worker of late. A job asks one host only: where there
        are others, its silence by itself does not tell whose fault it is."""
        if self._heard_at is not None and time.monotonic() - self._heard_at < _HEARD_SECONDS:
            return True
        hosts = {domain_of(subscription.url) for subscription in known.config.subscriptions[:100]}
        return False if len(hosts) > 1 else None

    def _hear(self, told: PollResult) -> None:
        if told.fetched or told.not_modified or (told.troubles and not told.offline):
            self._heard_at = time.monotonic()

    async def match_and_place(self, job: Job) -> None:
        """Decide where all stands that was stored, and put what is to be rendered into the queue."""
        async with self.turns.job():
            parts = await _to_the_end(self._settle, self.projects.current(), job)
        await self.queue.put([Job(PUBLISH, part) for part in parts])

    def _settle(self, known: Known, job: Job) -> list[str]:
        config, store = known.config, self.store
        writer = self.open_outputs(known, False)
        timer = StageTimer(time.perf_counter, time.thread_time)
        with self.turns.writing():
            now = store.server_time()
            number = store.runs.start(os.getpid(), now)
            vocabulary, clippings, done = pipeline.match_and_place(
                config, known.clippings, store, timer, now
            )
            ended = store.server_time()
            store.runs.finish(number, ended, offline=False, stages=timer.costs())
        self.tell(job.lock, done)
        return stale_parts(config, vocabulary, clippings, store, writer, known.files)

    async def publish(self, job: Job) -> None:
        """Render one part of what is stale: a feed with its archive, some pages of sources, or what is
        about everything; and then tell the hub."""
        known = self.projects.current()
        async with self.turns.job():
            written = await _to_the_end(self._publish, known, job.name)
            warnings: list[str] = []
            if job.name == EVERYTHING and known.config.publish.hub:
                warnings = await pipeline.ping_hub(known.config.publish, self.store, self.poller)
        self.tell(job.lock, RunReport(written=written, warnings=tuple(warnings)))

    def _publish(self, known: Known, part: str) -> tuple[str, ...]:
        config, store = known.config, self.store
        vocabulary, clippings = load_vocabulary(config, known.clippings, store)
        writer = self.open_outputs(known, True)
        turn = self.turns.writing
        written = publish(
            config, vocabulary, clippings, store, writer, part=part, turn=turn, files=known.files
        )
        if part == EVERYTHING:
            self.write_metrics(config, store)
        return written


async def _to_the_end(this: Callable[..., _T], *arguments: Any) -> _T:
    """In a thread, which nothing can stop: who is cancelled meanwhile is at work until it ends. A run that
    began before would write the same files, and what was rendered first might be written last."""
    working = asyncio.create_task(asyncio.to_thread(this, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.gather(working, return_exceptions=True)
        raise
