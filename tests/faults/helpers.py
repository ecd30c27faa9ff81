"""Tools that produce faults: strace, faketime, small disks, limits."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.forkserver import REPOSITORY
from tests.origin import Answer

if TYPE_CHECKING:
    from tests.faults.world import World


def needs(available: object, what: str) -> None:
    """Skip the test if a tool is missing; in CI, fail."""
    if not available:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def tool(name: str) -> str:
    """The path of a program; skips the test if it is not installed."""
    path = shutil.which(name)
    needs(path, name)
    return str(path)


def strace(calls: str, injected: str = "", log: Path = Path(os.devnull)) -> list[str]:
    """Prefix of a command that runs it and its children under strace.

    ``calls``: the system calls that are written to the ``log``, separated by commas. ``injected``:
    what happens at each of them, such as "error=EIO".
    """
    command = [tool("strace"), "-f", "-qq", "-o", str(log), f"--trace={calls}"]
    if not injected.startswith("signal="):
        command.append("--seccomp-bpf")  # much faster, but strace 6.1 then injects no signals
    return [*command, f"--inject={calls}:{injected}"] if injected else command


def faketime(offset: str, **settings: str) -> dict[str, str]:
    """Environment variables that shift the clock, as in faketime(1): "-1d", "@2026-10-25 00:59:58"."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    needs(library, "libfaketime")
    return dict(os.environ, LD_PRELOAD=str(library), FAKETIME=offset, **settings)


# System calls that change files. Tests kill a process in one of them.
CALLS = (
    "openat",
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "link",
    "unlink",
)


def count_calls(log: Path) -> dict[str, int]:
    """Count each of `CALLS` in strace's log, without those of child processes."""
    lines = log.read_text("utf-8", "replace").splitlines()
    pid = lines[0].split()[0]
    counts = dict.fromkeys(CALLS, 0)
    for line in lines:
        match = re.match(rf"{pid} +(\w+)\(", line)
        if match and match[1] in counts:
            counts[match[1]] += 1
    return counts


def without_root_override() -> list[str]:
    """Prefix of a command that makes file permissions apply to root too."""
    if os.geteuid():
        return []
    return [tool("setpriv"), "--bounding-set", "-dac_override,-dac_read_search"]


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount an empty file system of this size until the block ends."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    needs(mounted, "a file system in memory (root may mount one)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition; fail the test if ``what`` does not happen in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"did not happen in {seconds} s: {what}")


def delay_answer(world: "World") -> threading.Event:
    """One publisher answers only after the event is set."""
    may_answer = threading.Event()
    edition = world.origin.answers["/0"]
    assert isinstance(edition, bytes)
    world.origin["/0"] = Answer(edition, wait=lambda: may_answer.wait(60))
    return may_answer


def is_polled(world: "World", path: str = "/0") -> Callable[[], bool]:
    """A condition for `wait_until`."""
    return lambda: bool(world.origin.requests(path))


def check_old_or_new(world: "World", *editions: dict[str, bytes]) -> None:
    """Every output is a complete file of one of these editions."""
    for name, data in world.files().items():
        if not name.rpartition("/")[2].startswith("."):
            assert data in [files.get(name) for files in editions], name


def check_end(number: int, code: int, err: str) -> None:
    """A signal ended the process as documented.

    Signals that arrive while Python itself starts, before our code is imported, are not ours to
    handle: then Python prints a traceback and exits with 1.
    """
    if "KeyboardInterrupt" not in err or str(REPOSITORY / "aggregator") in err:
        assert code in (128 + number, 0, -number), (number, code, err)
        assert "Traceback" not in err, err


def check_one_line(err: str, *parts: object) -> None:
    """The error is one line that contains all parts."""
    assert err.count("\n") == 1, err
    for part in parts:
        assert str(part) in err, (part, err)


def communicate_and_measure(process: "subprocess.Popen[str]") -> tuple[str, str, int]:
    """Wait for a process; gives stdout, stderr, and the peak memory of it and its children in bytes."""
    peak_bytes = 0
    with ThreadPoolExecutor(1) as executor:
        streams = executor.submit(process.communicate, timeout=300)
        while not streams.done():
            peak_bytes = max(peak_bytes, _resident_bytes(process.pid))
            time.sleep(0.05)
    out, err = streams.result()
    return out or "", err or "", peak_bytes


def _resident_bytes(pid: int) -> int:
    folder = Path(f"/proc/{pid}")
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = (folder / f"task/{pid}/children").read_text().split()
    except (OSError, IndexError):  # the process has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(_resident_bytes, map(int, children)))
