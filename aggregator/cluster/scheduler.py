"""Plans jobs for the subscriptions that are due. A host has at most one job in the queue, so the queue stays short."""

from collections import defaultdict
from datetime import datetime

from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import Job, Queue
from aggregator.fetch.domains import domain_of
from aggregator.run.poll import plan_polls
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

# The kinds of jobs. They are stored, and named in messages.
POLL, MATCH_AND_PLACE, PUBLISH = "poll", "settle", "publish"
ALL = "all"


async def queue_polls(
    projects: ProjectWatcher, store: Store, locks: WorkerLocks, queue: Queue, now: datetime
) -> int:
    """Queue a job for each host with due feeds; return how many jobs were added.

    Skip a host that still has a job, and one that is parked because its jobs failed too often.
    """
    config = projects.current().config
    async with locks.write_lock():
        plan = plan_polls(config, store, now)
    keys_by_host: defaultdict[str, list[str]] = defaultdict(list)
    for poll in plan.polls:
        keys_by_host[domain_of(poll.url)].append(poll.subscription.key)
    failures = {failure.name: failure for failure in store.job_failures.all()}
    queued_locks = await queue.queued_locks()
    jobs = []
    for host, keys in keys_by_host.items():
        job = Job(POLL, host, {"keys": keys})
        failure = failures.get(job.lock)
        if job.lock in queued_locks or (failure and failure.is_parked(now)):
            continue
        jobs.append(job if failure is None else Job(POLL, host, {"keys": keys, "failed": True}))
    return await queue.put(jobs)


async def queue_matching(queue: Queue) -> int:
    """Queue the job that matches what the polls store; return 0 if it is queued already."""
    return await queue.put([Job(MATCH_AND_PLACE, ALL)])
