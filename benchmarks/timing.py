"""Measures the time of a command, and the peak memory of its process tree."""

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Timed:
    """One program in one phase: seconds of each round, and peak memory of its process tree in MB."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0.0


def time_process(command: Sequence[str], folder: Path, timed: Timed) -> bytes:
    """Run ``command`` in ``folder``, and add its time to ``timed``; gives its stdout."""
    stdout = folder / "stdout"
    before, began = os.times(), time.monotonic()
    with stdout.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
    watch = threading.Thread(target=_watch, args=(process, timed))
    watch.start()
    process.wait()
    timed.wall.append(time.monotonic() - began)
    watch.join()
    after = os.times()
    timed.cpu.append(
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return stdout.read_bytes()


def _watch(process: subprocess.Popen[bytes], timed: Timed) -> None:
    """Measure the memory of a process tree twenty times a second."""
    while process.poll() is None:
        timed.peak = max(timed.peak, sum(map(_memory, _tree(process.pid))))
        time.sleep(0.05)


def _tree(root: int) -> list[int]:
    pids = [root]
    for pid in pids:
        try:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    return pids


def _memory(pid: int) -> float:
    """Proportional set size in MB: shared pages are divided among their processes."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
