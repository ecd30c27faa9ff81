"""SIGINT, SIGTERM and SIGHUP end a command wherever it is, and only once."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

_Result = TypeVar("_Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_async(work: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run` that signals can end.

    An exception from a handler is lost if the signal arrives in a callback of a weak reference, of
    which there are many while child processes start. So the task is also cancelled. Signals are
    blocked while the event loop is created.
    """
    stopped: list[int] = []
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    async def main() -> _Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int, _: object) -> None:
            stopped.append(number)
            loop.call_soon_threadsafe(task.cancel)
            if asyncio.current_task(loop) is task:  # it may compute for long before it awaits
                raise_stop(number, None)

        with handle_signals(stop):
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
                return await work
            finally:
                work.close()  # if it was never started

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise_stop(stopped[0], None)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


def raise_stop(number: int, _: object) -> NoReturn:
    """A signal handler: KeyboardInterrupt, or exit with 128 + the signal's number."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


@contextmanager
def handle_signals(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Call ``handler`` for `_SIGNALS`, except those that are ignored (nohup).

    Its exceptions are not reported where Python cannot raise them, as in a callback of a weak
    reference. After it has ended the program with SystemExit, further signals are ignored.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number, now in before.items() if now is not signal.SIG_IGN]
    report = sys.unraisablehook

    def report_errors(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, (KeyboardInterrupt, SystemExit)):
            report(unraisable)

    sys.unraisablehook = report_errors
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    except SystemExit:
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for number in handled:
            signal.signal(number, before[number])
        sys.unraisablehook = report
