"""Parsing in child processes that can be stopped. The one file that uses Pebble.

A document is a stranger's program for our parsers. In a child it may take 10 s of CPU and 512 MiB,
no more; then the child is gone, the document has failed, and nothing else has been touched. As
many documents are read at once as there are processors.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from typing import TYPE_CHECKING, Self

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument

if TYPE_CHECKING:
    from pebble import ProcessPool

CPU_SECONDS = 10
MEMORY_BYTES = 512 * 1024 * 1024
_WALL_SECONDS = 60.0  # where the machine is so busy that CPU seconds come slowly
_MOST_CHILDREN = 4

_Document = tuple[Fetched, datetime, str | None, SeenDocument | None]


class ParsingPool:
    """A context manager; a child starts when a document needs it, and they go with the pool.

    Each child is a pool of one. In a pool of several, one task starts them all, and whoever stops
    it then may take their pipes from those that are still starting, which say so on stderr.
    """

    def __init__(self, *, cpu_seconds: int = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self.wall_seconds = 0.0  # of all that was read
        self.cpu_seconds = 0.0
        self._most_seconds = cpu_seconds
        self._memory_bytes = memory_bytes
        self._idle: list[ProcessPool] = []
        self._children: list[ProcessPool] = []
        self._turns = asyncio.Semaphore(min(os.cpu_count() or 1, _MOST_CHILDREN))
        self._too_slow = f"reading the document took more than {cpu_seconds} s; it was stopped"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.stop()  # type: ignore[no-untyped-call]
        for child in self._children:
            child.join()

    async def parse(
        self,
        fetched: Fetched,
        now: datetime,
        language: str | None,
        seen: SeenDocument | None = None,
    ) -> ParsedFeed | ParseFailed:
        """`parse_document`, bounded. Never raises for what is in a document."""
        async with self._turns:
            child = self._idle.pop() if self._idle else self._start()
            try:
                return await self._parse_in(child, (fetched, now, language, seen))
            finally:
                self._idle.append(child)

    def _start(self) -> "ProcessPool":
        from pebble import ProcessPool  # most runs read no document

        child = ProcessPool(
            max_workers=1,
            # Not forked: a copy of a process with threads may stand still for ever.
            context=multiprocessing.get_context("spawn"),
            initializer=_limit_memory,
            initargs=(self._memory_bytes,),
        )
        self._children.append(child)
        return child

    async def _parse_in(
        self, child: "ProcessPool", document: _Document
    ) -> ParsedFeed | ParseFailed:
        from pebble import ProcessExpired

        key = document[0].key
        future = child.schedule(_parse, args=(*document, self._most_seconds), timeout=_WALL_SECONDS)
        try:
            read: tuple[ParsedFeed | ParseFailed, float, float] = await asyncio.wrap_future(future)
        except FutureTimeoutError:
            return ParseFailed(key, self._too_slow)
        except ProcessExpired as expired:
            slow = expired.exitcode == -signal.SIGXCPU
            broke = f"reading the document broke the parser (exit code {expired.exitcode})"
            return ParseFailed(key, self._too_slow if slow else broke)
        except MemoryError:
            size = self._memory_bytes // 1024 // 1024
            return ParseFailed(key, f"reading the document took more than {size} MiB")
        parsed, wall, cpu = read
        self.wall_seconds += wall
        self.cpu_seconds += cpu
        return parsed


def _limit_memory(most_bytes: int) -> None:
    if sys.platform == "linux":  # elsewhere it is refused, or counts what is shared
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def _parse(
    fetched: Fetched,
    now: datetime,
    language: str | None,
    seen: SeenDocument | None,
    cpu_seconds: int,
) -> tuple[ParsedFeed | ParseFailed, float, float]:
    """In the child. Past its limit the kernel ends it (SIGXCPU). Gives also the seconds, of the
    clock and of the processor, that it took."""
    from aggregator.parse import parse_document  # no parent ever needs the readers

    began = time.perf_counter(), time.process_time()
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(began[1]) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
    parsed = parse_document(fetched, now, language, seen)
    return parsed, time.perf_counter() - began[0], time.process_time() - began[1]
