"""A child process that parses documents within limits. The one file that uses Pebble.

Documents come from strangers and may exploit or exhaust our parsers. A child may use 2 s of CPU per
document and 300 MiB of memory. Past a limit only the child ends, and the document has failed. A
document of 10 MB that was not made to be slow takes a fifth of a second and 50 MB.

States of a child: starting (no process id yet), idle, parsing, and dead. Pebble replaces a process
that it ended itself, so after a time-out the child is starting again. A process that was ended from
outside is not replaced reliably: such a child is lost and must be stopped.
"""

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument

_MAX_WALL_SECONDS = 60.0  # on a machine so busy that CPU seconds take long
_LOST_SECONDS = _MAX_WALL_SECONDS + 10  # no answer by then: the process is gone

Document = tuple[Fetched, datetime, str | None, SeenDocument | None]  # of parse_document
Parsed = ParsedFeed | ParseFailed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: ``cpu_seconds`` per document, ``memory_bytes`` in all."""

    cpu_seconds: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Parsed documents, and the seconds that they took together. ``pid`` is the child's."""

    parsed: list[Parsed]
    wall_seconds: float
    cpu_seconds: float
    pid: int


class DocumentsFailed(Exception):
    """A document reached a limit or broke the parser; the message is for the operator."""


class ChildLost(Exception):
    """The process was ended from outside, as by a kernel that is short of memory."""


class Child:
    """A Pebble pool of one process, which starts with the first documents.

    Not a pool of several: there one task starts all processes, and stopping it then can take the
    pipes from those that are still starting, which report so on stderr.
    """

    def __init__(self, limits: Limits) -> None:
        from pebble import ProcessPool  # most runs parse no document

        self._limits = limits
        self._pid: int | None = None  # None while no process has parsed anything
        self._pool = ProcessPool(
            max_workers=1,
            # Not forked: a copy of a process with threads may hang for ever.
            context=multiprocessing.get_context("spawn"),
            initializer=_limit_memory,
            initargs=(limits.memory_bytes,),
        )

    def is_alive(self) -> bool:
        """Whether the process is usable: not ended from outside since it parsed last.

        Pebble's replacement for such a process may wait for a lock that the dead one held.
        """
        return self._pid is None or _is_running(self._pid)

    async def parse(self, documents: Sequence[Document]) -> Batch:
        """Parse ``documents``. Raises DocumentsFailed or ChildLost."""
        from pebble import ProcessExpired

        too_slow = f"parsing took more than {self._limits.cpu_seconds} s and was stopped"
        too_large = f"took more than {self._limits.memory_bytes // 1024 // 1024} MiB"
        try:
            batch = await self._schedule(documents)
        except BrokenProcessPool as error:
            if isinstance(error.__cause__, OSError):  # no process could be started
                raise
            raise ChildLost from error
        except FutureTimeoutError:
            self._pid = None
            raise DocumentsFailed(too_slow) from None
        except ProcessExpired as error:
            self._pid = None
            if error.exitcode == -signal.SIGPROF:
                raise DocumentsFailed(too_slow) from None
            # nh3 and C libraries that run out of memory abort, where Python raises MemoryError.
            abort = error.exitcode == -signal.SIGABRT
            cause = f"; it probably {too_large}" if abort else f" (exit code {error.exitcode})"
            raise DocumentsFailed(f"the document crashed the parser{cause}") from None
        except MemoryError:
            raise DocumentsFailed(f"parsing {too_large}") from None
        self._pid = batch.pid
        return batch

    async def _schedule(self, documents: Sequence[Document]) -> Batch:
        future = asyncio.wrap_future(
            self._pool.schedule(
                _parse, args=(documents, self._limits.cpu_seconds), timeout=_MAX_WALL_SECONDS
            )
        )
        try:
            await asyncio.wait([future], timeout=_LOST_SECONDS)
            if not future.done():
                raise ChildLost
            return future.result()
        finally:
            future.cancel()  # no effect if it is done
            del future  # its exception refers to this frame: the cycle would keep the documents

    def stop(self) -> None:
        """End the process; `join` waits for that."""
        self._pool.stop()  # type: ignore[no-untyped-call]

    def join(self) -> None:
        """Wait until a stopped process has ended."""
        self._pool.join()


def _limit_memory(max_bytes: int) -> None:
    if sys.platform == "linux":  # others refuse it, or count shared memory too
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))


def _is_running(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:  # Pebble has already collected the exit status
        return False


def _parse(documents: Sequence[Document], cpu_seconds: int) -> Batch:
    """Runs in the child. Past the CPU limit of a document the kernel sends SIGPROF, which ends the
    process whatever C code it is in."""
    from aggregator.parse.document import parse_document  # the parent never needs the readers

    wall_start, cpu_start = time.perf_counter(), time.process_time()
    parsed = []
    for document in documents:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        parsed.append(parse_document(*document))
    signal.setitimer(signal.ITIMER_PROF, 0)
    wall, cpu = time.perf_counter() - wall_start, time.process_time() - cpu_start
    return Batch(parsed, wall, cpu, os.getpid())
