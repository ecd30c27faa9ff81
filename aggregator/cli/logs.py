"""Log records of all stages on stderr, for ``-v`` (INFO) and ``-vv`` (DEBUG).

Modules log to ``logging.getLogger(__name__)``: the name gives the stage. A record about one
subscription carries its title: ``extra={"subscription": subscription.title}``.
"""

import logging
import os
import sys
import time
from typing import Any

from aggregator.cli.console import printable
from aggregator.text.urls import redact


def show_logs(verbosity: int) -> None:
    """Print the records of our loggers; ``verbosity`` 1 is INFO, 2 or more is DEBUG."""
    handler = _StderrHandler()
    handler.addFilter(_add_context)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(stage)s: %(message)s"))
    logger = logging.getLogger("aggregator")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
    logger.propagate = False


def _add_context(record: logging.LogRecord) -> bool:
    """Give every record a stage and a subscription (None if it is about no single one)."""
    _, folder, module, *_ = f"{record.name}..".split(".")
    # run/ joins all stages; its modules are named after them.
    record.stage = getattr(record, "stage", (folder == "run" and module) or folder)
    record.subscription = getattr(record, "subscription", None)
    return True


class _StderrHandler(logging.Handler):
    """Writes to the current ``sys.stderr``: a progress bar replaces it while it is shown.

    A full disk or a closed pipe must not stop the run. The bytes that could not be written stay in
    the buffer of stderr, which is flushed before each start of a child process, and would fail again.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr)
        except OSError:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123


class _Formatter(logging.Formatter):
    """One line in UTC, without secrets and terminal commands."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = redact(record.message)
        if subscription := getattr(record, "subscription", None):
            record.message = f'"{redact(subscription)}": {record.message}'
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return redact(super().formatException(ei))

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
