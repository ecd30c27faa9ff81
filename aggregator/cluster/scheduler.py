"""What is due becomes jobs: at most one of each host is in the queue, so it never grows past that."""

from collections import defaultdict
from datetime import datetime

from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import Job, Queue
from aggregator.fetch.domains import domain_of
from aggregator.run.poll import plan
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

POLL, SETTLE, PUBLISH = "poll", "settle", "publish"
ALL = "all"


async def put_polls(
    projects: ProjectWatcher, store: Store, turns: WorkerLocks, queue: Queue, now: datetime
) -> int:
    """Put what is due into the queue, a job for each host; gives how many jobs those are.

    A host whose last job waits or is at work is left until that has ended, and one whose jobs have
    failed too often (`model.JobFailure`) for a day.
    """
    config = projects.current().config
    async with turns.write():
        planned = plan(config, store, now)
    by_host: defaultdict[str, list[str]] = defaultdict(list)
    for poll in planned.polls:
        by_host[domain_of(poll.url)].append(poll.subscription.key)
    failed = {job_failures.name: job_failures for job_failures in store.job_failures.all()}
    waiting = await queue.waiting()
    jobs = []
    for host, keys in by_host.items():
        job = Job(POLL, host, {"keys": keys})
        job_failures = failed.get(job.lock)
        if job.lock in waiting or (job_failures and job_failures.is_parked(now)):
            continue
        jobs.append(
            job if job_failures is None else Job(POLL, host, {"keys": keys, "failed": True})
        )
    return await queue.put(jobs)


async def put_settle(queue: Queue) -> int:
    """What was polled is settled when the jobs before have begun; gives whether that was not yet in
    the queue."""
    return await queue.put([Job(SETTLE, ALL)])
