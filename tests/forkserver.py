"""Start the program fast: as a fork of a process that has already imported it.

To start Python and import the program takes half a second of CPU time, and the tests do so a thousand
times. A fork has its own process id, working folder, environment, standard streams, signals, locks
and exit code, as any other process of the program.

A new interpreter is started where the difference could matter: if another command starts the program,
if the child calls a function first, or if the environment has other variables that Python reads as
it starts.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import inspect
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
# Without it, as users start it: what cannot be written stays in a buffer.
_ENVIRONMENT = {name: os.environ[name] for name in os.environ.keys() - {"PYTHONUNBUFFERED"}}
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ")
_MAX_REQUEST_BYTES = 100_000
_PR_SET_CHILD_SUBREAPER = 36


def reset_sigint() -> None:
    """Restore the default action of SIGINT, which shells disable for background jobs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(
    folder: Path, *arguments: str, clock: str | None = None, **settings: Any
) -> "subprocess.Popen[str]":
    """Start the program in a folder. ``clock``: the time at which its clock stands still."""
    program = ["tests.faults.program", clock] if clock else ["aggregator"]
    return start_module([*program, *arguments], cwd=folder, **settings)


def start_module(
    command: Sequence[str],
    *,
    before: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    preexec_fn: Callable[[], object] = reset_sigint,
    may_fork: bool = True,
    **settings: Any,
) -> "subprocess.Popen[str]":
    """Start a module with arguments, as ``python -m`` does. Stdout and stderr are pipes by default.

    ``before``: a prefix of the command line. ``may_fork``: whether it may be a fork. The other
    settings are those of `subprocess.Popen`.
    """
    env = dict(os.environ if env is None else env)
    env.pop("PYTHONUNBUFFERED", None)
    for stream in ("stdout", "stderr"):
        settings.setdefault(stream, subprocess.PIPE)
    settings |= {"encoding": "utf-8", "errors": "replace"}
    is_plain = not before and preexec_fn is reset_sigint and "umask" not in settings
    if may_fork and is_plain and sys.platform == "linux" and _starts_equally(env):
        return _Fork(command, env=env, **settings)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (env.get("PYTHONPATH"), str(REPOSITORY))))
    command = [*before, sys.executable, "-m", *command]
    return subprocess.Popen(command, env=env, preexec_fn=preexec_fn, **settings)


def _starts_equally(env: Mapping[str, str]) -> bool:
    names = {name for name in env.keys() | _ENVIRONMENT.keys() if name.startswith(_READ_AT_START)}
    return all(env.get(name) == _ENVIRONMENT.get(name) for name in names)


class _Fork(subprocess.Popen[str]):
    """A child of this process that the server forked."""

    def _execute_child(self, *values: Any) -> None:
        """Replaces the fork and exec of `subprocess.Popen`."""
        parameters = inspect.signature(super()._execute_child).parameters  # type: ignore[misc]
        given = dict(zip(parameters, values, strict=True))
        ends = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if end == -1 else end for number, end in enumerate(ends)]
        self.pid = _server().fork(given["args"], given["cwd"], given["env"], streams)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]


class _Server:
    """A process that has imported the program, seen from the tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver", str(other_end.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[other_end.fileno()],
                env=_ENVIRONMENT | {"PYTHONPATH": str(REPOSITORY)},
                preexec_fn=reset_sigint,
            )
        atexit.register(self._stop)

    def fork(
        self, command: Sequence[str], folder: Path, env: Mapping[str, str], streams: Sequence[int]
    ) -> int:
        """Run a module with arguments in a fork, which becomes a child of this process."""
        request = json.dumps([command, str(folder), env]).encode()
        with self._lock, _adopting_orphans():
            socket.send_fds(self._socket, [request], streams)
            return int(self._socket.recv(99))

    def _stop(self) -> None:
        self._socket.close()
        self._process.wait()


_server = cache(_Server)


@contextlib.contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Make this process the parent of descendants whose own parent ends."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def main() -> None:
    """Import the program and serve; in a fork, run the program."""
    _import_program()
    gc.freeze()
    command = _serve(socket.socket(fileno=int(sys.argv[1])))
    if command:
        module, *arguments = command
        name = "aggregator.__main__" if module == "aggregator" else module
        program = sys.modules["__main__"] = importlib.import_module(name)
        sys.argv = [str(program.__file__), *arguments]
        program.main()


def _import_program() -> None:
    import aggregator

    for module in pkgutil.walk_packages(aggregator.__path__, "aggregator."):
        if not module.name.startswith("aggregator.store.migrations."):
            with contextlib.suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(module.name)


def _serve(connection: socket.socket) -> list[str] | None:
    """Fork at each request. Returns the command in the fork, and None in the server at its end."""
    while True:
        request, streams, _, _ = socket.recv_fds(connection, _MAX_REQUEST_BYTES, 3)
        if not request:
            return None
        reader, writer = os.pipe()
        if middle := os.fork():
            os.waitpid(middle, 0)
            connection.send(os.read(reader, 99))
        elif child := os.fork():
            os.write(writer, str(child).encode())
            os._exit(0)  # now the test process adopts the child
        for number in (reader, writer):
            os.close(number)
        if not middle:
            connection.close()
            command, folder, env = json.loads(request)
            _become(folder, env, streams)
            return list(command)
        for number in streams:
            os.close(number)


def _become(folder: str, env: dict[str, str], streams: list[int]) -> None:
    """Give this process a working folder, an environment and standard streams."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, (name, stream) in enumerate(
        zip(("stdin", "stdout", "stderr"), streams, strict=True)
    ):
        os.dup2(stream, number)
        os.close(stream)
        old = getattr(sys, name)
        new = open(  # noqa: SIM115
            number,
            "w" if number else "r",
            buffering=1 if name == "stderr" else -1,
            encoding=old.encoding,
            errors=old.errors,
            closefd=False,
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    main()
