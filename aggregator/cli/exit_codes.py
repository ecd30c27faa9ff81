"""Errors and signals as messages and exit codes."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from aggregator.cli.console import Console
from aggregator.cli.signals import handle_signals, raise_stop
from aggregator.errors import AggregatorError

EXIT_STRICT, EXIT_USAGE, EXIT_RESOURCES, EXIT_ALL_FAILED, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
_NEXT_RUN = "nothing is lost, the next run continues"


@contextmanager
def exit_codes(get_console: Callable[[], Console]) -> Iterator[None]:
    """Turn errors that are raised on purpose into a message and an exit code; bugs stay bugs."""
    with handle_signals(raise_stop):
        try:
            yield
        except AggregatorError as error:
            get_console().error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            get_console().error(f"interrupted; {_NEXT_RUN}")
            sys.exit(EXIT_INTERRUPTED)
        except Exception as error:
            shortage = resource_shortage(error)
            if shortage is None:
                raise
            get_console().error(f"{shortage}; {_NEXT_RUN}")
            raise typer.Exit(EXIT_RESOURCES) from None


def resource_shortage(error: BaseException | None) -> str | None:
    """A message if the cause is a missing resource of the system, such as memory; else None."""
    while error is not None:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return "out of memory: raise the limit of this process (ulimit -v) or add memory"
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return "too many open files: raise the limit (ulimit -n)"
        if isinstance(error, BlockingIOError) or "can't start new thread" in str(error):
            return "cannot start a process or thread: raise the limit (ulimit -u) or add memory"
        error = error.__cause__
    return None
