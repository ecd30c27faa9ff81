"""Parse documents in child processes, several at a time.

Handing a document over costs as much as parsing one with few new entries. So documents that arrive
within a moment are handed to a child as one batch. If a batch fails, each of its documents is parsed
again by itself, so that only the one at fault fails.

Starting a child costs as much as parsing hundreds of such documents. So another child starts only
when more documents wait than fit in one batch, up to one per processor.
"""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument
from aggregator.parse.child import Batch, Child, ChildLost, Document, DocumentsFailed, Limits

CPU_SECONDS = 2
MEMORY_BYTES = 300 * 1024 * 1024  # includes the 115 MiB of a child that has parsed nothing yet
_MAX_CHILDREN = 4
_BATCH_WAIT_SECONDS = 0.02
_BATCH_SIZE = 16
_MAX_BATCH_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A document that waits to be parsed, and the future of its result."""

    document: Document
    result: asyncio.Future[ParsedFeed | ParseFailed] = field(default_factory=asyncio.Future)

    @property
    def size(self) -> int:
        return len(self.document[0].body)

    @property
    def key(self) -> str:
        return self.document[0].key


class ParsingPool:
    """A context manager. Children start on demand and end with the pool.

    ``wall_seconds`` and ``cpu_seconds`` sum up what parsing took.
    """

    def __init__(self, *, cpu_seconds: int = CPU_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self.wall_seconds = 0.0
        self.cpu_seconds = 0.0
        self._limits = Limits(cpu_seconds, memory_bytes)
        self._waiting: deque[_Task] = deque()
        self._children: list[Child] = []
        self._idle: list[Child] = []
        self._slots = asyncio.Semaphore(1)  # one per batch that is parsed at the same time
        self._unused_slots = min(os.cpu_count() or 1, _MAX_CHILDREN) - 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.stop()
        for child in self._children:
            child.join()

    async def parse(
        self,
        fetched: Fetched,
        now: datetime,
        language: str | None,
        previous: SeenDocument | None = None,
    ) -> ParsedFeed | ParseFailed:
        """`parse_document` within limits. Never raises for a bad document.

        The first task to get a slot parses a batch; the others find their results in it.
        """
        task = _Task((fetched, now, language, previous))
        self._waiting.append(task)
        if self._unused_slots and self._exceeds_one_batch():
            self._unused_slots -= 1
            self._slots.release()
        async with self._slots:
            if task in self._waiting:
                await asyncio.sleep(_BATCH_WAIT_SECONDS)  # for others to arrive
            if task in self._waiting:
                batch = self._take_batch(task)
                try:
                    await self._parse_batch(batch)
                finally:
                    for member in batch:
                        member.result.cancel()  # no effect if it is done
        return await task.result

    def _exceeds_one_batch(self) -> bool:
        size = sum(task.size for task in self._waiting)
        return len(self._waiting) > _BATCH_SIZE or size > _MAX_BATCH_BYTES

    def _take_batch(self, first: _Task) -> list[_Task]:
        """Remove ``first`` from the queue, and as many others as one batch may hold."""
        self._waiting.remove(first)
        batch, size = [first], first.size
        while self._waiting and len(batch) < _BATCH_SIZE:
            size += self._waiting[0].size
            if size > _MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _parse_batch(self, tasks: Sequence[_Task]) -> None:
        """Set the result of each task; if the batch fails, parse its documents one by one."""
        results: Sequence[ParsedFeed | ParseFailed]
        try:
            results = await self._parse_with_retry([task.document for task in tasks])
        except DocumentsFailed as error:
            if len(tasks) > 1:
                for task in tasks:
                    await self._parse_batch([task])
                return
            results = [ParseFailed(tasks[0].key, str(error))]
        for task, result in zip(tasks, results, strict=True):
            if not task.result.done():  # it is done if the caller was cancelled
                task.result.set_result(result)

    async def _parse_with_retry(
        self, documents: Sequence[Document]
    ) -> list[ParsedFeed | ParseFailed]:
        """Parse in a child; once more in another if that child is lost."""
        for _ in range(2):
            try:
                batch = await self._parse_in_child(documents)
            except ChildLost:
                continue
            self.wall_seconds += batch.wall_seconds
            self.cpu_seconds += batch.cpu_seconds
            return batch.parsed
        raise DocumentsFailed(
            "parsing was killed twice from outside; the machine may be short of memory"
        )

    async def _parse_in_child(self, documents: Sequence[Document]) -> Batch:
        child = await self._idle_child() or self._start_child()
        try:
            batch = await child.parse(documents)
        except ChildLost:
            await self._end_child(child)
            raise
        except BaseException:
            self._idle.append(child)
            raise
        self._idle.append(child)
        return batch

    async def _idle_child(self) -> Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.is_alive():
                return child
            await self._end_child(child)
        return None

    def _start_child(self) -> Child:
        child = Child(self._limits)
        self._children.append(child)
        return child

    async def _end_child(self, child: Child) -> None:
        self._children.remove(child)
        child.stop()
        await asyncio.to_thread(child.join)
