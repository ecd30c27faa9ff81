"""The jobs of the workers. Each job may run twice, on any machine: the second run does nothing.

poll a host      | fetch, parse, store, match   the due feeds of a host, one request at a time
match and place  | group, train, match, place   everything that the polls have stored
publish a part   | render, write                one `run.stale.RenderPart` that is out of date
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from aggregator.cluster.loaded_project import LoadedProject, ProjectWatcher
from aggregator.cluster.queue import Job, Queue
from aggregator.cluster.scheduler import PUBLISH
from aggregator.fetch.domains import domain_of
from aggregator.model import Config, RunReport
from aggregator.run import pipeline
from aggregator.run.match import MatcherCache, load_vocabulary, match
from aggregator.run.poll import NullProgress, plan_subscriptions, poll_feeds
from aggregator.run.publish import publish
from aggregator.run.stale import SITE_PART, OutputWriter, RenderPart, RenderPlanner
from aggregator.run.timing import StageTimer
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool

_T = TypeVar("_T")
# A host that does not answer is to blame if another host has answered in the last five minutes.
RECENT_ANSWER_SECONDS = 300


@dataclass(slots=True)
class Jobs:
    """What the jobs of one worker need.

    ``open_outputs(project, part)`` opens the outputs; ``part``: the job checks only few files.
    ``report`` shows what a job did, ``write_metrics`` writes the file for Prometheus.
    """

    projects: ProjectWatcher
    store: Store
    locks: WorkerLocks
    queue: Queue
    fetcher: "Fetcher"
    parser: "ParsingPool"
    open_outputs: Callable[[LoadedProject, bool], OutputWriter]
    report: Callable[[str, RunReport], None]
    write_metrics: Callable[[Config, Store], None]
    _matcher_cache: MatcherCache = field(default_factory=MatcherCache, init=False)
    _last_answer_at: float | None = field(default=None, init=False)  # monotonic seconds

    async def poll(self, job: Job) -> None:
        """Poll the due feeds of one host, store what is new, and match it."""
        project = self.projects.current()
        keys = [str(key) for key in job.details["keys"]]
        subscriptions = [project.by_key[key] for key in keys if key in project.by_key]
        async with self.locks.job_lock():
            now = self.store.server_time()
            plan = plan_subscriptions(subscriptions, self.store, now, only_these=True)
            if not plan.polls:
                return
            result = await poll_feeds(
                plan, self.store, self.fetcher, self.parser, NullProgress(), StageTimer(), now,
                write_lock=self.locks.write_lock, online=self._is_online(project),
            )  # fmt: skip
            if result.answered:
                self._last_answer_at = time.monotonic()
            if result.new or result.modified:
                async with self.locks.write_lock():
                    vocabulary, clippings = load_vocabulary(
                        project.config, project.clippings, self.store
                    )
                    match(
                        project.config, vocabulary, clippings, self.store, StageTimer(), now,
                        feeds=keys, cache=self._matcher_cache,
                    )  # fmt: skip
        self.report(job.lock, result.report())

    def _is_online(self, project: LoadedProject) -> bool | None:
        """Whether another host has answered recently; None if there is no other host to ask.

        A job polls one host, so its silence alone does not show whether our network is down.
        """
        if (
            self._last_answer_at is not None
            and time.monotonic() - self._last_answer_at < RECENT_ANSWER_SECONDS
        ):
            return True
        hosts = {domain_of(subscription.url) for subscription in project.config.subscriptions[:100]}
        return False if len(hosts) > 1 else None

    async def match_and_place(self, job: Job) -> None:
        """Match and place all that is stored, and queue a job for each part to render."""
        async with self.locks.job_lock():
            parts = await _finish_in_thread(self._match_and_place, self.projects.current(), job)
        await self.queue.put([Job(PUBLISH, part.name) for part in parts])

    def _match_and_place(self, project: LoadedProject, job: Job) -> list[RenderPart]:
        config, store = project.config, self.store
        writer = self.open_outputs(project, False)
        timer = StageTimer(time.perf_counter, time.thread_time)
        with self.locks.write_lock_in_thread():
            now = store.server_time()
            number = store.runs.start(os.getpid(), now)
            vocabulary, clippings, report = pipeline.match_and_place(
                config, project.clippings, store, timer, now
            )
            ended_at = store.server_time()
            store.runs.finish(number, ended_at, offline=False, stages=timer.costs())
        self.report(job.lock, report)
        planner = RenderPlanner(config, vocabulary, clippings, store, writer, project.source_files)
        return planner.parts()

    async def publish(self, job: Job) -> None:
        """Render one part of the outputs; after the last part, ping the hub."""
        project, part = self.projects.current(), RenderPart(job.name)
        async with self.locks.job_lock():
            written = await _finish_in_thread(self._publish, project, part)
            warnings: list[str] = []
            if part == SITE_PART and project.config.publish.hub:
                warnings = await pipeline.ping_hub(project.config.publish, self.store, self.fetcher)
        self.report(job.lock, RunReport(written=written, warnings=tuple(warnings)))

    def _publish(self, project: LoadedProject, part: RenderPart) -> tuple[str, ...]:
        config, store = project.config, self.store
        vocabulary, clippings = load_vocabulary(config, project.clippings, store)
        written = publish(
            config, vocabulary, clippings, store, self.open_outputs(project, True),
            part=part, write_lock=self.locks.write_lock_in_thread, files=project.source_files,
        )  # fmt: skip
        if part == SITE_PART:
            self.write_metrics(config, store)
        return written


async def _finish_in_thread(function: Callable[..., _T], *arguments: object) -> _T:
    """Run a function in a thread, and wait for its end even if this task is cancelled.

    A thread cannot be stopped. If the job ended before its thread, a run could start, render newer
    files, and have the thread overwrite them with older ones.
    """
    task = asyncio.create_task(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
