"""Output of all commands: results go to stdout, messages to stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional, category

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

_DIRECTION_CONTROLS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class Console:
    """Few messages under cron, more on a terminal or with ``--verbose``.

    rich is imported only when there is something to print: most runs print nothing.
    """

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose and not quiet
        self.interactive = not quiet and (verbose or sys.stderr.isatty())

    @cached_property
    def _stdout(self) -> "RichConsole":
        return _rich_console()

    @cached_property
    def stderr(self) -> "RichConsole":
        """rich's console for messages, for those that need its tables and progress bars."""
        return _rich_console(stderr=True)

    def error(self, message: str) -> None:
        """Why the command failed: always shown."""
        self.stderr.print(rich_text(message), style="red")

    def warn(self, message: str) -> None:
        """Something that the user should know; hidden by ``--quiet``."""
        if not self.quiet:
            self.stderr.print(rich_text(message), style="yellow")

    def info(self, message: str) -> None:
        """What the command did; hidden by ``--quiet``."""
        if not self.quiet:
            self.stderr.print(rich_text(message))

    def detail(self, message: str) -> None:
        """Shown only with ``--verbose``."""
        if self.verbose:
            self.stderr.print(rich_text(message))

    def print(self, text: str) -> None:
        """A line of the result."""
        self._stdout.print(rich_text(text))

    def json(self, value: object) -> None:
        """The result for another program."""
        print(json.dumps(_to_json(value), ensure_ascii=False, indent=2, default=str))

    def table(self, rows: Sequence[Any]) -> None:
        """Rows of one dataclass; columns are the fields that are not empty in all rows."""
        names = [field.name for field in fields(rows[0])] if rows else []
        names = [n for n in names if any(getattr(row, n) not in (None, "", ()) for row in rows)]
        numeric = [name for name in names if isinstance(getattr(rows[0], name), int)]
        table = make_table(
            [name.replace("_", " ") for name in names],
            [name.replace("_", " ") for name in numeric],
        )
        for row in rows:
            table.add_row(*(rich_text(_cell(getattr(row, name))) for name in names))
        self.print_table(table)

    def print_table(self, table: "Table") -> None:
        """A table as result; in a pipe, which has no width, it is as wide as its cells."""
        console = self._stdout
        if not console.is_terminal:
            from rich.console import Console as RichConsole

            console = RichConsole(width=10_000, highlight=False, markup=False)
        console.print(table)


def make_table(columns: Sequence[str], right_aligned: Sequence[str]) -> "Table":
    """An empty table without borders."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in right_aligned else "left")
    return table


def printable(text: str) -> str:
    """``text`` without control characters: feeds must not control the terminal."""
    return "".join(c if c == "\n" or not _is_control(c) else "\ufffd" for c in text)


def rich_text(text: str) -> "Text":
    """`printable` text in which rich finds no markup and no emoji codes."""
    from rich.text import Text

    return Text(printable(text))


def _is_control(character: str) -> bool:
    """Whether it is a terminal command or changes the direction of text."""
    return category(character) in ("Cc", "Cs") or bidirectional(character) in _DIRECTION_CONTROLS


def _rich_console(*, stderr: bool = False) -> "RichConsole":
    from rich.console import Console as RichConsole

    return RichConsole(stderr=stderr, soft_wrap=True, highlight=False, markup=False)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _to_json(value: Any) -> Any:
    """Dataclasses become objects, times RFC 3339."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    return _to_json(asdict(value)) if hasattr(value, "__dataclass_fields__") else value
