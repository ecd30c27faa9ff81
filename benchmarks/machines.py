"""Compares many workers on PostgreSQL with one process on SQLite: speed, and equal outputs.

Twenty thousand feeds on two thousand hosts are polled once, then each once more during a simulated
hour with new entries. The hour has twelve rounds of five minutes: all due feeds are polled, then
matched and published. This is done with one process; with four workers; and with four workers while
one is killed every few seconds and the server is restarted in the middle. Then the speed of 1, 2 and
4 workers is measured without new entries.

``python -m benchmarks.machines FEEDS HOSTS WORKERS`` uses other numbers; ``make bench`` uses 1,000
feeds on 100 hosts.
"""

import asyncio
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from aggregator.cluster.jobs import Jobs
from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import STALLED_SECONDS, Queue
from aggregator.cluster.scheduler import POLL, queue_matching, queue_polls
from aggregator.cluster.worker import work
from aggregator.errors import StorageError
from aggregator.fetch.poller import Fetcher
from aggregator.fetch.schedule import spread
from aggregator.files.atomic import TEMPORARY_PATTERN
from aggregator.parse.pool import ParsingPool
from aggregator.publish.folder import OutputFolder
from aggregator.run import pipeline
from aggregator.run.poll import NullProgress
from aggregator.run.project import Project, open_project
from aggregator.run.timing import StageTimer
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks
from aggregator.store.engine import conninfo
from tests import databases

_T = TypeVar("_T")
FEEDS, HOSTS, WORKERS = 20_000, 2_000, 4
START = datetime(2026, 11, 25, 6, tzinfo=UTC)
ROUNDS = (0, *range(60, 125, 5))  # minutes
_KILL_INTERVAL_SECONDS = 4.0
_STALLED_SECONDS = 12.0  # until jobs of a killed worker are queued again, in this benchmark
_REPOSITORY = Path(__file__).resolve().parents[1]
_CLIPPINGS = (_REPOSITORY / "clippings" / "michel-bauwens.txt").read_text("utf-8")


@dataclass(slots=True)
class RequestLog:
    """The number of requests of each feed in each round, and the most concurrent ones of a host."""

    requests: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    max_concurrent: int = 0


# -- publishers ------------------------------------------------------------------------------------


def document(feed: int, minute: int) -> bytes:
    """A feed's document so many minutes after the start.

    It has three entries of the day before. A third of the feeds get a fourth entry during the hour,
    and a tenth of the feeds edit an entry.
    """
    rng = random.Random(feed)
    words = rng.sample(_WORDS, min(len(_WORDS), 120))
    arrival, edit = rng.randrange(180), rng.randrange(600)
    items = [
        _item(feed, n, START - timedelta(hours=20 + n, minutes=rng.randrange(60)), words, rng)
        for n in range(3)
    ]
    late = _item(feed, 3, START + timedelta(minutes=60 + arrival), words, rng)
    if arrival < 60 and minute >= 60 + arrival:
        items.insert(0, late)
    if edit < 60 and minute >= 60 + edit:
        items[-1] = items[-1].replace("<description>", "<description>Corrected at length, anew. ")
    head = f"<title>Feed {feed}</title><link>https://f{feed}.example/</link>"
    return f'<rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'.encode()


_WORDS = sorted({word for word in _CLIPPINGS.replace("#", " ").split() if word.isalpha()})


def _item(feed: int, number: int, at: datetime, words: list[str], rng: random.Random) -> str:
    title, text = " ".join(rng.choices(words, k=6)), " ".join(rng.choices(words, k=60))
    link = f"https://f{feed}.example/{number}"
    date = f"{at:%a, %d %b %Y %H:%M:%S GMT}"
    return (
        f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>{date}</pubDate><description>{text}</description></item>"
    )


def _publish(
    minute: "Synchronized[int]", port_pipe: "multiprocessing.connection.Connection"
) -> None:
    """Serve all feeds, in a separate process. ``/`` gives the request log and clears it."""
    log = RequestLog()
    open_requests: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1].decode().removeprefix("/")
                if not path:
                    body = json.dumps([log.requests, log.max_concurrent]).encode()
                    log.requests.clear()
                    log.max_concurrent = 0
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                    )
                else:
                    open_requests[host] += 1
                    log.max_concurrent = max(log.max_concurrent, open_requests[host])
                    log.requests[minute.value][path] += 1
                    await asyncio.sleep(0.001)  # long enough to notice two at the same time
                    writer.write(_answer(int(path), minute.value, request))
                    open_requests[host] -= 1
                await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
        port_pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _answer(feed: int, minute: int, request: bytes) -> bytes:
    body = document(feed, minute)
    etag = b'"%b"' % sha256(body).hexdigest()[:16].encode()
    # So each feed is due once during the hour.
    fresh = 3600 + int(3000 * spread(f"fresh {feed}"))
    head = b"ETag: %b\r\nCache-Control: max-age=%d\r\n" % (etag, fresh)
    if etag in request:
        return b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % head
    response = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n%bContent-Length: %d\r\n\r\n"
    )
    return response % (head, len(body)) + body


class Publishers:
    """Publishers on loopback hosts, with a simulated clock."""

    def __init__(self, port: int, minute: "Synchronized[int]", feeds: int, hosts: int) -> None:
        self.port = port
        self._minute = minute
        self.urls = [f"http://{_host(number % hosts)}:{port}/{number}" for number in range(feeds)]

    def set_minute(self, minute: int) -> datetime:
        """Set the clock to minutes after the start; nothing is new after the last round."""
        self._minute.value = minute if minute <= ROUNDS[-1] else 0
        return START + timedelta(minutes=minute)

    def take_log(self) -> RequestLog:
        """The requests since the last call."""
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/") as answer:
            requests, max_concurrent = json.load(answer)
        by_minute = {int(minute): Counter(paths) for minute, paths in requests.items()}
        return RequestLog(by_minute, max_concurrent)


def _host(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


@contextmanager
def serve_publishers(feeds: int, hosts: int) -> Iterator[Publishers]:
    """Publishers that answer until the block ends."""
    context = multiprocessing.get_context("fork")
    minute = context.Value("i", 0)
    here, there = context.Pipe()
    process = context.Process(target=_publish, args=(minute, there), daemon=True)
    process.start()
    try:
        yield Publishers(here.recv(), minute, feeds, hosts)
    finally:
        process.kill()
        process.join()


# -- installations ---------------------------------------------------------------------------------


def install(folder: Path, publishers: Publishers, url: str) -> Project:
    """A project that polls all feeds, with its database at ``url``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clippings.txt").write_text(_CLIPPINGS, "utf-8")
    subscriptions = "".join(
        f'[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n'
        for url in publishers.urls
    )
    (folder / "feeds.toml").write_text(
        f'[site]\nurl = "https://site.example/"\n[store]\nurl = "{url}"\n'
        f'[clippings]\nfiles = "clippings.txt"\n[publish]\nmetrics = "none"\n{subscriptions}'
    )
    return open_project(folder / "feeds.toml", {}, START)


def run_in_one_process(
    folder: Path, publishers: Publishers, rounds: tuple[int, ...] = ROUNDS
) -> None:
    """Run as cron does, on SQLite."""
    project = install(folder, publishers, databases.SQLITE)
    store = Store(project.config.store_url, folder)
    for minute in rounds:
        now = publishers.set_minute(minute)

        @asynccontextmanager
        async def open_network() -> AsyncIterator[tuple[Fetcher, ParsingPool]]:
            with ParsingPool() as parser:
                async with Fetcher("aggregator/benchmark", gap_seconds=0) as fetcher:
                    yield fetcher, parser

        asyncio.run(
            pipeline.run(
                project.config,
                project.clippings,
                store,
                open_network,
                OutputFolder(folder / "outputs"),
                NullProgress(),
                StageTimer(),
                now,
            )
        )
    store.close()


class SimulatedStore(Store):
    """A store whose server time comes from a file."""

    clock: Path

    def server_time(self) -> datetime:
        return datetime.fromisoformat(self.clock.read_text())


def open_store(folder: Path, url: str) -> SimulatedStore:
    store = SimulatedStore(url, folder)
    store.clock = folder / "clock"
    return store


async def run_worker(folder: Path, stalled_seconds: float) -> None:
    """A worker like `aggregator worker`, but with a simulated clock and no pause between requests."""

    def warn(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    projects = ProjectWatcher(
        folder / "feeds.toml", lambda path: open_project(path, {}, START), warn
    )
    url = projects.current().config.store_url
    with ParsingPool() as parser, WorkerLocks(url, folder) as locks:
        async with (
            Queue(conninfo(url), stalled_seconds) as queue,
            Fetcher("aggregator/benchmark", gap_seconds=0) as fetcher,
        ):
            jobs = Jobs(
                projects=projects,
                store=open_store(folder, url),
                locks=locks,
                queue=queue,
                fetcher=fetcher,
                parser=parser,
                open_outputs=lambda project, part: OutputFolder(
                    folder / "outputs", exclusive=False
                ),
                report=lambda job, report: None,
                write_metrics=lambda config, store: None,
            )
            await work(jobs, 16, warn)


Start = Callable[[Sequence[str], BinaryIO], "subprocess.Popen[Any]"]


def start_process(command: Sequence[str], log: BinaryIO) -> "subprocess.Popen[Any]":
    """Start a module of this repository; its messages go to the log."""
    return subprocess.Popen([sys.executable, "-m", *command], cwd=_REPOSITORY, stderr=log)


class Workers:
    """Worker processes of one installation."""

    def __init__(
        self, folder: Path, number: int, stalled_seconds: float, start: Start = start_process
    ) -> None:
        self._command = ["benchmarks.worker", str(folder), str(stalled_seconds)]
        self._start_process = start
        self._log = (folder / "workers.log").open("ab")
        self._processes = [self._start() for _ in range(number)]
        self.killed = 0
        self.cpu_seconds = 0.0

    def _start(self) -> "subprocess.Popen[Any]":
        return self._start_process(self._command, self._log)

    def kill_one(self, rng: random.Random) -> None:
        """Kill a worker, as the kernel does when memory is short, and start another."""
        place = rng.randrange(len(self._processes))
        self._processes[place].kill()
        self._processes[place].wait()
        self._processes[place] = self._start()
        self.killed += 1

    def cpu(self) -> float:
        """CPU seconds of all running workers, with those of their ended children."""
        ticks = 0
        for process in self._processes:
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                stat = Path(f"/proc/{process.pid}/stat").read_text()
                ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait()
        self._log.close()


@dataclass
class Planner:
    """Enqueues the jobs of an installation round by round, and waits for their end."""

    folder: Path
    url: str
    publishers: Publishers
    seconds: list[float] = field(default_factory=list)

    async def run(
        self, rounds: tuple[int, ...], at_half: Callable[[], None] = lambda: None
    ) -> None:
        """In each round poll what is due, then match and publish."""
        projects = ProjectWatcher(
            self.folder / "feeds.toml", lambda path: open_project(path, {}, START), print
        )
        store = open_store(self.folder, self.url)
        with WorkerLocks(self.url, self.folder) as locks:
            async with Queue(conninfo(self.url)) as queue:
                for number, minute in enumerate(rounds):
                    now = self.publishers.set_minute(minute)
                    store.clock.write_text(now.isoformat())
                    began = time.monotonic()
                    await _retry(partial(queue_polls, projects, store, locks, queue, now))
                    await _wait_until_empty(queue)
                    self.seconds.append(time.monotonic() - began)
                    if number == len(rounds) // 2:
                        at_half()
                    # Jobs that were given up because their workers were killed are planned again, as
                    # `aggregator schedule` does in its next interval.
                    await self._match_and_publish(queue)
                    while await self._has_failed_jobs(store):
                        await self._match_and_publish(queue)
        store.close()

    async def _match_and_publish(self, queue: Queue) -> None:
        await _retry(partial(queue_matching, queue))
        await _wait_until_empty(queue)

    async def _has_failed_jobs(self, store: Store) -> bool:
        failures = await _retry(partial(asyncio.to_thread, store.job_failures.all))
        return any(not failure.name.startswith(POLL) for failure in failures)


async def _retry(action: Callable[[], Awaitable[_T]]) -> _T:
    while True:
        try:
            return await action()
        except StorageError:  # while the server is restarted
            await asyncio.sleep(0.2)


async def _wait_until_empty(queue: Queue) -> None:
    while await _retry(queue.queued_locks):
        await asyncio.sleep(0.2)


def run_with_workers(
    folder: Path,
    publishers: Publishers,
    workers: int,
    *,
    chaos: bool = False,
    rounds: tuple[int, ...] = ROUNDS,
    stalled_seconds: float = STALLED_SECONDS,
    start: Start = start_process,
) -> tuple[Workers, Planner]:
    """Run the rounds with workers.

    With ``chaos``, a worker is killed every few seconds, and the server is restarted once.
    """
    url = databases.new_database()
    install(folder, publishers, url)
    (folder / "clock").write_text(START.isoformat())
    crew = Workers(folder, workers, stalled_seconds, start)
    planner = Planner(folder, url, publishers)
    ended = threading.Event()

    def kill() -> None:
        rng = random.Random(7)
        while not ended.wait(_KILL_INTERVAL_SECONDS * (0.5 + rng.random())):
            crew.kill_one(rng)

    killer = threading.Thread(target=kill)
    if chaos:
        killer.start()
    try:
        asyncio.run(planner.run(rounds, databases.restart if chaos else lambda: None))
        crew.cpu_seconds = crew.cpu()
    finally:
        ended.set()
        if chaos:
            killer.join()
        crew.stop()
    return crew, planner


def read_outputs(folder: Path) -> dict[str, bytes]:
    """The published files."""
    root = folder / "outputs"
    files = filter(Path.is_file, sorted(root.rglob("*")))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in files
        if not path.match(TEMPORARY_PATTERN)  # of killed workers: no reader sees them
    }


def read_entries(folder: Path, url: str) -> list[tuple[str, str, str]]:
    """The feed, key and content hash of each stored entry."""
    statement = (
        "SELECT feed.url, entry.key, entry.content_hash FROM entry "
        "JOIN feed ON feed.id = entry.feed_id"
    )
    return sorted(map(tuple, databases.execute(url, folder, statement)))


def main(feeds: int = FEEDS, hosts: int = HOSTS, workers: int = WORKERS) -> None:
    """Print the tables."""
    print(f"\n{feeds} feeds on {hosts} hosts, {len(ROUNDS)} rounds\n")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        root = Path(name)
        publishers = stack.enter_context(serve_publishers(feeds, hosts))
        began = time.monotonic()
        run_in_one_process(root / "one", publishers)
        print(f"  one process, SQLite    {time.monotonic() - began:6.1f} s")
        expected_log, expected = publishers.take_log(), read_outputs(root / "one")
        entries = read_entries(root / "one", databases.SQLITE)
        for title, chaos in ((f"{workers} workers", False), (f"{workers} workers, killed", True)):
            folder = root / title
            began = time.monotonic()
            stalled_seconds = _STALLED_SECONDS if chaos else STALLED_SECONDS
            crew, planner = run_with_workers(
                folder, publishers, workers, chaos=chaos, stalled_seconds=stalled_seconds
            )
            log, files = publishers.take_log(), read_outputs(folder)
            repeated = sum(
                n > expected_log.requests[m][p]
                for m, ps in log.requests.items()
                for p, n in ps.items()
            )
            missed = sum(
                log.requests[m][p] < n
                for m, ps in expected_log.requests.items()
                for p, n in ps.items()
            )
            print(
                f"  {title:22} {time.monotonic() - began:6.1f} s; {crew.killed} killed; "
                f"at most {log.max_concurrent} concurrent requests of a host; of {count_requests(expected_log)} polls "
                f"{missed} missed, {repeated} repeated; {len(files)} files, "
                f"{'equal' if files == expected else 'NOT equal'}; {len(entries)} entries, "
                f"{'equal' if read_entries(folder, planner.url) == entries else 'NOT equal'}"
            )
        _throughput(root, publishers)


def count_requests(log: RequestLog) -> int:
    """The number of all requests."""
    return sum(sum(paths.values()) for paths in log.requests.values())


def _throughput(root: Path, publishers: Publishers) -> None:
    """Time a round a day later, in which all publishers answer 304."""
    feeds = len(publishers.urls)
    print("\n  nothing new:            wall s   CPU s   feeds a second   CPU ms a feed")
    rounds = (0, 30 * 60)
    folder = root / "warm"
    publishers.set_minute(0)
    run_in_one_process(folder, publishers, rounds[:1])
    before, began = os.times(), time.monotonic()
    run_in_one_process(folder, publishers, rounds[1:])
    after = os.times()
    cpu = (after.user + after.system) - (before.user + before.system)
    _row("one process", time.monotonic() - began, cpu, feeds)
    for number in (1, 2, 4):
        folder = root / f"warm {number}"
        url = databases.new_database()
        install(folder, publishers, url)
        (folder / "clock").write_text(START.isoformat())
        crew, planner = Workers(folder, number, STALLED_SECONDS), Planner(folder, url, publishers)
        asyncio.run(planner.run(rounds[:1]))
        before_cpu = crew.cpu()
        asyncio.run(planner.run(rounds[1:]))
        _row(f"{number} workers", planner.seconds[-1], crew.cpu() - before_cpu, feeds)
        crew.stop()


def _row(title: str, wall: float, cpu: float, feeds: int) -> None:
    print(f"  {title:22} {wall:7.1f} {cpu:7.1f} {feeds / wall:16.0f} {1000 * cpu / feeds:15.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
