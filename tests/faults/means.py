"""What produces faults: programs of the system, disks, signals."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest


def needs(there: object, what: str) -> None:
    """Skip where a means is absent, as it may be on a user's machine, and must not be in CI."""
    if not there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")


def tool(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    needs(found, name)
    return str(found)


def strace(*options: str) -> list[str]:
    """In front of a command: strace with these options, and all its children."""
    return [tool("strace"), "-f", "-qq", *options]


def faketime(how: str, **settings: str) -> dict[str, str]:
    """An environment whose clock is so."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    needs(library, "libfaketime")
    return dict(os.environ, LD_PRELOAD=str(library), FAKETIME=how, **settings)


# What changes files, and in whose midst a process may be killed.
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
    """How often the program itself, and not its children, made each of `CALLS`, by strace's log."""
    lines = log.read_text("utf-8", "replace").splitlines()
    mine = lines[0].split()[0]
    found = dict.fromkeys(CALLS, 0)
    for line in lines:
        match = re.match(rf"{mine} +(\w+)\(", line)
        if match and match[1] in found:
            found[match[1]] += 1
    return found


def hear_interrupts() -> None:
    """A job in the background of a shell is started deaf to SIGINT; a user's is not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def powerless() -> list[str]:
    """In front of a command: what takes from root its power over permissions."""
    if os.geteuid():
        return []
    return [tool("setpriv"), "--bounding-set", "-dac_override,-dac_read_search"]


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    made = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    needs(made, "a file system in memory (root may mount one)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def watched(process: "subprocess.Popen[str]") -> tuple[str, str, int]:
    """What a process says until its end, and the most bytes that it and its children held."""
    most = 0
    with ThreadPoolExecutor(1) as executor:
        said = executor.submit(process.communicate, timeout=300)
        while not said.done():
            most = max(most, _resident(process.pid))
            time.sleep(0.05)
    out, err = said.result()
    return out or "", err or "", most


def _resident(process: int) -> int:
    folder = Path(f"/proc/{process}")
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = (folder / f"task/{process}/children").read_text().split()
    except (OSError, IndexError):  # it has ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(_resident, map(int, children)))
