"""Many workers on one PostgreSQL database, beside one process on SQLite: the same outputs.

Twenty thousand feeds on two thousand hosts, all polled once, and then each once more in an hour of
news, of which the clock is ours: twelve rounds, each of what is due in five minutes, settled when
all of it was polled. Once with one process; once with four workers; once with workers of which one
is killed every few seconds, and a server that is restarted in the middle. Then how fast 1, 2 and 4
workers are, when nothing is new.

``python -m benchmarks.machines FEEDS HOSTS WORKERS`` for other numbers: ``make bench`` takes 1,000
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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import TypeVar

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
_KILLED_EVERY_SECONDS = 4.0
_STALLED_SECONDS = 12.0  # after which a killed worker's jobs are given back, in this benchmark
_REPOSITORY = Path(__file__).resolve().parents[1]
_CLIPPINGS = (_REPOSITORY / "clippings" / "michel-bauwens.txt").read_text("utf-8")


@dataclass(slots=True)
class Seen:
    """What the publishers saw: how often each feed was asked for in each round, and the most requests
    that a host had at once."""

    asked: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    at_once: int = 0


# -- publishers ------------------------------------------------------------------------------------


def document(feed: int, minute: int) -> bytes:
    """What a feed serves so many minutes after the start: three entries of the day before, for a
    third of the feeds a fourth that comes in the hour of news, and of some an entry is edited."""
    dice = random.Random(feed)
    words = dice.sample(_WORDS, min(len(_WORDS), 120))
    arrival, edit = dice.randrange(180), dice.randrange(600)
    items = [
        _item(feed, n, START - timedelta(hours=20 + n, minutes=dice.randrange(60)), words, dice)
        for n in range(3)
    ]
    late = _item(feed, 3, START + timedelta(minutes=60 + arrival), words, dice)
    if arrival < 60 and minute >= 60 + arrival:
        items.insert(0, late)
    if edit < 60 and minute >= 60 + edit:
        items[-1] = items[-1].replace("<description>", "<description>Corrected at length, anew. ")
    head = f"<title>Feed {feed}</title><link>https://f{feed}.example/</link>"
    return f'<rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'.encode()


_WORDS = sorted({word for word in _CLIPPINGS.replace("#", " ").split() if word.isalpha()})


def _item(feed: int, number: int, at: datetime, words: list[str], dice: random.Random) -> str:
    title, text = " ".join(dice.choices(words, k=6)), " ".join(dice.choices(words, k=60))
    link = f"https://f{feed}.example/{number}"
    date = f"{at:%a, %d %b %Y %H:%M:%S GMT}"
    return (
        f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>{date}</pubDate><description>{text}</description></item>"
    )


def _publish(minute: "Synchronized[int]", told: "multiprocessing.connection.Connection") -> None:
    """All publishers, in a process of its own. Answers ``/`` with what it has seen, and forgets it."""
    seen = Seen()
    working: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1].decode().removeprefix("/")
                if not path:
                    body = json.dumps([seen.asked, seen.at_once]).encode()
                    seen.asked.clear()
                    seen.at_once = 0
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                    )
                else:
                    working[host] += 1
                    seen.at_once = max(seen.at_once, working[host])
                    seen.asked[minute.value][path] += 1
                    await asyncio.sleep(0.001)  # two at once would be seen
                    writer.write(_answer(int(path), minute.value, request))
                    working[host] -= 1
                await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _answer(feed: int, minute: int, request: bytes) -> bytes:
    body = document(feed, minute)
    etag = b'"%b"' % sha256(body).hexdigest()[:16].encode()
    # So that each is due once in the hour of news.
    fresh = 3600 + int(3000 * spread(f"fresh {feed}"))
    head = b"ETag: %b\r\nCache-Control: max-age=%d\r\n" % (etag, fresh)
    if etag in request:
        return b"HTTP/1.1 304 Not Modified\r\n%b\r\n" % head
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n%bContent-Length: %d\r\n\r\n"
    return whole % (head, len(body)) + body


class World:
    """Publishers on loopback hosts, and the minute that it is for all."""

    def __init__(self, port: int, minute: "Synchronized[int]", feeds: int, hosts: int) -> None:
        self.port = port
        self._minute = minute
        self.urls = [f"http://{_host(number % hosts)}:{port}/{number}" for number in range(feeds)]

    def turn(self, minute: int) -> datetime:
        """It is so many minutes after the start; past the last round nothing new comes."""
        self._minute.value = minute if minute <= ROUNDS[-1] else 0
        return START + timedelta(minutes=minute)

    def seen(self) -> Seen:
        """What the publishers saw since they were last asked."""
        import urllib.request

        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/") as answer:
            asked, at_once = json.load(answer)
        return Seen({int(minute): Counter(paths) for minute, paths in asked.items()}, at_once)


def _host(number: int) -> str:
    return f"127.{1 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


@contextmanager
def world(feeds: int, hosts: int) -> Iterator[World]:
    """Publishers, while they are wanted."""
    context = multiprocessing.get_context("fork")
    minute = context.Value("i", 0)
    here, there = context.Pipe()
    process = context.Process(target=_publish, args=(minute, there), daemon=True)
    process.start()
    try:
        yield World(here.recv(), minute, feeds, hosts)
    finally:
        process.kill()
        process.join()


# -- installations ---------------------------------------------------------------------------------


def install(folder: Path, world: World, url: str) -> Project:
    """A project that polls all feeds of the world and keeps its state at ``url``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "clippings.txt").write_text(_CLIPPINGS, "utf-8")
    subscriptions = "".join(
        f'[[subscriptions]]\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n' for url in world.urls
    )
    (folder / "feeds.toml").write_text(
        f'[site]\nurl = "https://site.example/"\n[store]\nurl = "{url}"\n'
        f'[clippings]\nfiles = "clippings.txt"\n[publish]\nmetrics = "none"\n{subscriptions}'
    )
    return open_project(folder / "feeds.toml", {}, START)


def one_process(folder: Path, world: World, rounds: tuple[int, ...] = ROUNDS) -> None:
    """What cron does, on SQLite."""
    project = install(folder, world, databases.SQLITE)
    store = Store(project.config.store_url, folder)
    for minute in rounds:
        now = world.turn(minute)

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
    """A database whose server has the time of a file."""

    clock: Path

    def server_time(self) -> datetime:
        return datetime.fromisoformat(self.clock.read_text())


def open_store(folder: Path, url: str) -> SimulatedStore:
    store = SimulatedStore(url, folder)
    store.clock = folder / "clock"
    return store


async def work_here(folder: Path, stalled_seconds: float) -> None:
    """A worker as `aggregator worker` is one, but for its clock, and for the rest that hosts have."""

    def warn(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    projects = ProjectWatcher(
        folder / "feeds.toml", lambda path: open_project(path, {}, START), warn
    )
    url = projects.current().config.store_url
    with ParsingPool() as parser, WorkerLocks(url, folder) as turns:
        async with (
            Queue(conninfo(url), stalled_seconds) as queue,
            Fetcher("aggregator/benchmark", gap_seconds=0) as fetcher,
        ):
            jobs = Jobs(
                projects=projects,
                store=open_store(folder, url),
                locks=turns,
                queue=queue,
                fetcher=fetcher,
                parser=parser,
                open_outputs=lambda known, part: OutputFolder(folder / "outputs", exclusive=False),
                report=lambda job, report: None,
                write_metrics=lambda config, store: None,
            )
            await work(jobs, 16, warn)


class Workers:
    """Processes that work on one folder."""

    def __init__(self, folder: Path, number: int, stalled_seconds: float) -> None:
        self._folder = folder
        self._stalled_seconds = stalled_seconds
        self._log = (folder / "workers.log").open("ab")
        self._processes = [self._start() for _ in range(number)]
        self.killed = 0
        self.cpu_seconds = 0.0

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "benchmarks.machines", "worker", str(self._folder)]
        command.append(str(self._stalled_seconds))
        return subprocess.Popen(command, cwd=_REPOSITORY, stderr=self._log)

    def kill_one(self, dice: random.Random) -> None:
        """As the kernel does when memory is short; another takes its place."""
        place = dice.randrange(len(self._processes))
        self._processes[place].kill()
        self._processes[place].wait()
        self._processes[place] = self._start()
        self.killed += 1

    def cpu(self) -> float:
        """Seconds of the processor that all have taken, with their children that have ended."""
        ticks = 0
        for process in self._processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait()
        self._log.close()


@dataclass
class Rounds:
    """What plans the jobs of an installation, and waits for their end."""

    folder: Path
    url: str
    world: World
    seconds: list[float] = field(default_factory=list)

    async def run(self, rounds: tuple[int, ...], half: Callable[[], None] = lambda: None) -> None:
        """Each round: poll what is due, and when all is polled, settle and publish it."""
        projects = ProjectWatcher(
            self.folder / "feeds.toml", lambda path: open_project(path, {}, START), print
        )
        store = open_store(self.folder, self.url)
        with WorkerLocks(self.url, self.folder) as turns:
            async with Queue(conninfo(self.url)) as queue:
                for number, minute in enumerate(rounds):
                    now = self.world.turn(minute)
                    store.clock.write_text(now.isoformat())
                    began = time.monotonic()
                    await _insist(partial(queue_polls, projects, store, turns, queue, now))
                    await _drained(queue)
                    self.seconds.append(time.monotonic() - began)
                    if number == len(rounds) // 2:
                        half()
                    # What was given up because its workers were killed too often is planned again, as
                    # `aggregator schedule` does in its next interval.
                    await self._settled(queue)
                    while await self._unsettled(store):
                        await self._settled(queue)
        store.close()

    async def _settled(self, queue: Queue) -> None:
        await _insist(partial(queue_matching, queue))
        await _drained(queue)

    async def _unsettled(self, store: Store) -> bool:
        failed = await _insist(partial(asyncio.to_thread, store.job_failures.all))
        return any(not job_failures.name.startswith(POLL) for job_failures in failed)


async def _insist(this: Callable[[], Awaitable[_T]]) -> _T:
    while True:
        try:
            return await this()
        except StorageError:  # while the server is restarted
            await asyncio.sleep(0.2)


async def _drained(queue: Queue) -> None:
    while await _insist(queue.queued_locks):
        await asyncio.sleep(0.2)


def many(
    folder: Path,
    world: World,
    workers: int,
    *,
    chaos: bool = False,
    rounds: tuple[int, ...] = ROUNDS,
    stalled_seconds: float = STALLED_SECONDS,
) -> tuple[Workers, Rounds]:
    """The same with workers; with ``chaos`` one is killed every few seconds, and once the server."""
    url = databases.new_database()
    install(folder, world, url)
    (folder / "clock").write_text(START.isoformat())
    crew = Workers(folder, workers, stalled_seconds)
    planner = Rounds(folder, url, world)
    over = threading.Event()

    def kill() -> None:
        dice = random.Random(7)
        while not over.wait(_KILLED_EVERY_SECONDS * (0.5 + dice.random())):
            crew.kill_one(dice)

    killer = threading.Thread(target=kill)
    if chaos:
        killer.start()
    try:
        asyncio.run(planner.run(rounds, databases.restart if chaos else lambda: None))
        crew.cpu_seconds = crew.cpu()
    finally:
        over.set()
        if chaos:
            killer.join()
        crew.stop()
    return crew, planner


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that was published."""
    root = folder / "outputs"
    files = filter(Path.is_file, sorted(root.rglob("*")))
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in files
        if not path.match(TEMPORARY_PATTERN)  # of those that were killed: no reader sees them
    }


def stored(folder: Path, url: str) -> list[tuple[str, str, str]]:
    """Every entry: its feed, its key, and a digest of what it says."""
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
        publishers = stack.enter_context(world(feeds, hosts))
        began = time.monotonic()
        one_process(root / "one", publishers)
        print(f"  one process, SQLite    {time.monotonic() - began:6.1f} s")
        exclusive, wanted = publishers.seen(), outputs(root / "one")
        entries = stored(root / "one", databases.SQLITE)
        for title, chaos in ((f"{workers} workers", False), (f"{workers} workers, killed", True)):
            folder = root / title
            began = time.monotonic()
            patience = _STALLED_SECONDS if chaos else STALLED_SECONDS
            crew, planner = many(folder, publishers, workers, chaos=chaos, stalled_seconds=patience)
            seen, found = publishers.seen(), outputs(folder)
            twice = sum(
                n > exclusive.asked[m][p] for m, ps in seen.asked.items() for p, n in ps.items()
            )
            missed = sum(
                seen.asked[m][p] < n for m, ps in exclusive.asked.items() for p, n in ps.items()
            )
            print(
                f"  {title:22} {time.monotonic() - began:6.1f} s; {crew.killed} killed; "
                f"at most {seen.at_once} requests of a host at once; of {alone_total(exclusive)} polls "
                f"{missed} missed, {twice} done twice; {len(found)} files, "
                f"{'equal' if found == wanted else 'NOT equal'}; {len(entries)} entries, "
                f"{'equal' if stored(folder, planner.url) == entries else 'NOT equal'}"
            )
        _throughput(root, publishers)


def alone_total(seen: Seen) -> int:
    """How many requests there were."""
    return sum(sum(paths.values()) for paths in seen.asked.values())


def _throughput(root: Path, publishers: World) -> None:
    """A round, a day later, in which all answer that nothing is new."""
    feeds = len(publishers.urls)
    print("\n  nothing is new:         wall s   CPU s   feeds a second   CPU ms a feed")
    rounds = (0, 30 * 60)
    folder = root / "warm"
    publishers.turn(0)
    one_process(folder, publishers, rounds[:1])
    before, began = os.times(), time.monotonic()
    one_process(folder, publishers, rounds[1:])
    after = os.times()
    cpu = (after.user + after.system) - (before.user + before.system)
    _row("one process", time.monotonic() - began, cpu, feeds)
    for number in (1, 2, 4):
        folder = root / f"warm {number}"
        url = databases.new_database()
        install(folder, publishers, url)
        (folder / "clock").write_text(START.isoformat())
        crew, planner = Workers(folder, number, STALLED_SECONDS), Rounds(folder, url, publishers)
        asyncio.run(planner.run(rounds[:1]))
        before_cpu = crew.cpu()
        asyncio.run(planner.run(rounds[1:]))
        _row(f"{number} workers", planner.seconds[-1], crew.cpu() - before_cpu, feeds)
        crew.stop()


def _row(title: str, wall: float, cpu: float, feeds: int) -> None:
    print(f"  {title:22} {wall:7.1f} {cpu:7.1f} {feeds / wall:16.0f} {1000 * cpu / feeds:15.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        asyncio.run(work_here(Path(sys.argv[2]), float(sys.argv[3])))
    else:
        main(*map(int, sys.argv[1:]))
