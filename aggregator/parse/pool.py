"""Parsing in child processes that can be stopped. The one file that uses Pebble.

A document is a stranger's program for our parsers. In a child it may take 2 s of CPU and 300 MiB,
no more; then the child is gone, the document has failed, and nothing else has been touched. Of the
documents that are not made to be slow, one of 10 MB takes a fifth of a second, and 50 MB.

To hand a document over costs as much as to read one in which little is new: so a child is given
together what comes within a moment. Of several that break it each is read once more by itself.
And to start a child costs as much as to read hundreds of those: another starts only where more
waits than one is given together, until there are as many as processors.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Self

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument

if TYPE_CHECKING:
    from pebble import ProcessPool

CPU_SECONDS = 2
MEMORY_BYTES = 300 * 1024 * 1024  # with the 115 MiB of a child that has read nothing yet
_WALL_SECONDS = 60.0  # where the machine is so busy that CPU seconds come slowly
_LOST_SECONDS = _WALL_SECONDS + 10  # after which no child is at it any more
_MOST_CHILDREN = 4
_MOMENT_SECONDS = 0.02
_DOCUMENTS_AT_ONCE = 16
_BYTES_AT_ONCE = 1024 * 1024

_KILLED = (
    "reading the document was ended twice from outside, as by a machine that is short of memory"
)
_Document = tuple[Fetched, datetime, str | None, SeenDocument | None]
_Parsed = ParsedFeed | ParseFailed


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A document, and where what it says is awaited."""

    document: _Document
    parsed: asyncio.Future[_Parsed] = field(default_factory=asyncio.Future)

    @property
    def size(self) -> int:
        return len(self.document[0].body)


@dataclass(slots=True, eq=False)
class _Child:
    """A pool of one, and the process that has read something in it, if any has."""

    pool: "ProcessPool"
    process: int | None = None

    def is_there(self) -> bool:
        """Whether nobody has ended it since: pebble's next process may wait for a lock that went with
        the one before."""
        return self.process is None or _exists(self.process)


class _Lost(Exception):
    """The child was ended from outside, as by a kernel that is short of memory."""


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
        self._idle: list[_Child] = []
        self._children: list[_Child] = []
        self._waiting: deque[_Task] = deque()
        self._turns = asyncio.Semaphore(1)  # of which there are more when there are more children
        self._more_children = min(os.cpu_count() or 1, _MOST_CHILDREN) - 1
        self._too_slow = f"reading the document took more than {cpu_seconds} s; it was stopped"
        size = memory_bytes // 1024 // 1024
        self._too_large = f"took more than {size} MiB"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.pool.stop()  # type: ignore[no-untyped-call]
        for child in self._children:
            child.pool.join()

    async def parse(
        self,
        fetched: Fetched,
        now: datetime,
        language: str | None,
        seen: SeenDocument | None = None,
    ) -> _Parsed:
        """`parse_document`, bounded. Never raises for what is in a document."""
        task = _Task((fetched, now, language, seen))
        self._waiting.append(task)
        if self._more_children and self._is_too_much():
            self._more_children -= 1
            self._turns.release()
        async with self._turns:
            if task in self._waiting:
                await asyncio.sleep(_MOMENT_SECONDS)
            if task in self._waiting:  # and did not go with another
                portion = self._portion(task)
                try:
                    await self._read(portion)
                finally:
                    for other in portion:
                        other.parsed.cancel()  # where that is not done
        return await task.parsed

    def _is_too_much(self) -> bool:
        """Whether more waits than a child is given together."""
        size = sum(task.size for task in self._waiting)
        return len(self._waiting) > _DOCUMENTS_AT_ONCE or size > _BYTES_AT_ONCE

    def _portion(self, first: _Task) -> list[_Task]:
        """``first``, and of what waits as much as a child is given together."""
        self._waiting.remove(first)
        portion, size = [first], first.size
        while self._waiting and len(portion) < _DOCUMENTS_AT_ONCE:
            size += self._waiting[0].size
            if size > _BYTES_AT_ONCE:
                break
            portion.append(self._waiting.popleft())
        return portion

    async def _read(self, portion: Sequence[_Task]) -> None:
        """Have them read by a child that has nothing to do; by another, once, if that is lost."""
        documents = [task.document for task in portion]
        try:
            read = await self._read_by_one(documents)
        except _Lost:
            try:
                read = await self._read_by_one(documents)
            except _Lost:
                read = _KILLED
        if isinstance(read, str) and len(portion) > 1:
            for task in portion:
                await self._read([task])
            return
        for number, task in enumerate(portion):
            if not task.parsed.done():  # nobody has ceased to wait for it
                key = task.document[0].key
                told = ParseFailed(key, read) if isinstance(read, str) else read[number]
                task.parsed.set_result(told)

    async def _read_by_one(self, documents: Sequence[_Document]) -> list[_Parsed] | str:
        child = await self._idle_child() or self._start()
        try:
            read = await self._parse_in(child, documents)
        except _Lost:
            await self._end(child)
            raise
        except BaseException:
            self._idle.append(child)
            raise
        self._idle.append(child)
        return read

    async def _idle_child(self) -> _Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.is_there():
                return child
            await self._end(child)
        return None

    async def _end(self, child: _Child) -> None:
        self._children.remove(child)
        child.pool.stop()  # type: ignore[no-untyped-call]
        await asyncio.to_thread(child.pool.join)

    def _start(self) -> _Child:
        from pebble import ProcessPool  # most runs read no document

        child = _Child(
            ProcessPool(
                max_workers=1,
                # Not forked: a copy of a process with threads may stand still for ever.
                context=multiprocessing.get_context("spawn"),
                initializer=_limit_memory,
                initargs=(self._memory_bytes,),
            )
        )
        self._children.append(child)
        return child

    async def _parse_in(self, child: _Child, documents: Sequence[_Document]) -> list[_Parsed] | str:
        """What a child reads, or why it does not. Raises _Lost."""
        from pebble import ProcessExpired

        try:
            future = asyncio.wrap_future(
                child.pool.schedule(
                    _parse, args=(documents, self._most_seconds), timeout=_WALL_SECONDS
                )
            )
            try:
                done, _ = await asyncio.wait([future], timeout=_LOST_SECONDS)
            finally:
                future.cancel()  # where it is not done
            if not done:
                raise _Lost
            parsed, wall, cpu, child.process = future.result()
        except BrokenProcessPool as error:
            if isinstance(error.__cause__, OSError):  # no process could be started
                raise
            raise _Lost from error
        except FutureTimeoutError:
            child.process = None  # pebble has put another in its place
            return self._too_slow
        except ProcessExpired as expired:
            child.process = None
            if expired.exitcode == -signal.SIGPROF:
                return self._too_slow
            # nh3 and the memory of C libraries abort where Python raises MemoryError.
            if expired.exitcode == -signal.SIGABRT:
                return f"reading the document broke the parser; most likely it {self._too_large}"
            return f"reading the document broke the parser (exit code {expired.exitcode})"
        except MemoryError:
            return f"reading the document {self._too_large}"
        self.wall_seconds += wall
        self.cpu_seconds += cpu
        return parsed


def _limit_memory(most_bytes: int) -> None:
    if sys.platform == "linux":  # elsewhere it is refused, or counts what is shared
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def _exists(process: int) -> bool:
    try:
        return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # pebble has noticed that it ended
        return False


def _parse(
    documents: Sequence[_Document], cpu_seconds: int
) -> tuple[list[_Parsed], float, float, int]:
    """In the child. Past its limit with any of them the kernel ends it (SIGPROF, whatever C code it
    is in). Gives also the seconds, of the clock and of the processor, that all took, and its number."""
    from aggregator.parse import parse_document  # no parent ever needs the readers

    began = time.perf_counter(), time.process_time()
    parsed = []
    for document in documents:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        parsed.append(parse_document(*document))
    signal.setitimer(signal.ITIMER_PROF, 0)
    return parsed, time.perf_counter() - began[0], time.process_time() - began[1], os.getpid()
