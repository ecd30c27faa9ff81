"""How the program talks: tables and JSON on stdout, everything else on stderr."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional, category

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aggregator.model import FeedEventKind, RunReport, Subscription

if TYPE_CHECKING:
    from aggregator.collect import Progress
    from aggregator.match.evaluate import Evaluation
    from aggregator.reports import Explanation

_TROUBLES = frozenset({FeedEventKind.BROKEN, FeedEventKind.GONE})
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class Talk:
    """Quiet under cron, talkative on a terminal or with ``--verbose``."""

    def __init__(self, *, verbose: bool, quiet: bool) -> None:
        self._out = Console(soft_wrap=True, highlight=False, markup=False)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self._quiet = quiet
        self._watched = not quiet and (verbose or self._err.is_terminal)
        self._verbose = verbose and not quiet

    def error(self, message: str) -> None:
        """What the command fails with: always said."""
        self._err.print(_printable(message), style="red")

    def warn(self, message: str) -> None:
        """What the operator should know."""
        if not self._quiet:
            self._err.print(_printable(message), style="yellow")

    def say(self, message: str) -> None:
        """What a command tells beside its product."""
        if not self._quiet:
            self._err.print(_printable(message))

    def detail(self, message: str) -> None:
        """What only ``--verbose`` tells."""
        if self._verbose:
            self._err.print(_printable(message))

    def json(self, value: Any) -> None:
        """Data for another program."""
        print(json.dumps(_plain(value), ensure_ascii=False, indent=2, default=str))

    def table(self, rows: Sequence[Any]) -> None:
        """Rows of one dataclass, as columns those of its fields that say something."""
        table = Table(box=None, pad_edge=False)
        names = [column.name for column in fields(rows[0])] if rows else []
        names = [n for n in names if any(getattr(row, n) not in (None, "", ()) for row in rows)]
        for name in names:
            numeric = isinstance(getattr(rows[0], name), int)
            table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
        for row in rows:
            table.add_row(*(_cell(getattr(row, name)) for name in names))
        self._product(table)

    def _product(self, table: Table) -> None:
        console = self._out
        if not console.is_terminal:  # a pipe has no width: never cut what grep will read
            console = Console(width=10_000, highlight=False, markup=False)
        console.print(table)

    def explanations(self, found: Sequence["Explanation"]) -> None:
        """Entries with the reasons for each of their tags."""
        for entry in found:
            lines = [entry.title, f"  {entry.link or entry.id}", f"  in {entry.feed}"]
            lines += [f"  first seen {entry.first_seen_at:%Y-%m-%d %H:%M} UTC"]
            if all(match["near"] for match in entry.matches):
                lines.append("  belongs to no tag" + (", but nearly to" if entry.matches else ""))
            for match in entry.matches:
                lines.append(f"  #{match['tag']}  {match['score']} (needs {match['threshold']})")
                reasons: Any = match["evidence"]
                for reason in reasons:
                    lines.append(
                        f"    {reason['weight']:<6} {reason['kind']}: "
                        f"“{reason['detail']}” in the {reason['where']}"
                    )
            self._out.print(_printable("\n".join(lines)))

    def evaluation(self, found: "Evaluation") -> None:
        """How good the matching is: a row a tag, then the whole, then what nothing explained."""
        table = Table(box=None, pad_edge=False)
        table.add_column("tag")
        for name in ("support", "found", "precision", "recall", "F1"):
            table.add_column(name, justify="right")
        for tag, scores in found.tags.items():
            low, high = scores.precision_interval
            precision = f"{scores.precision:.2f} ({low:.2f} to {high:.2f})" if scores.found else "–"
            low, high = scores.recall_interval
            recall = f"{scores.recall:.2f} ({low:.2f} to {high:.2f})" if scores.support else "–"
            counts = (str(scores.support), str(scores.found))
            table.add_row(_printable(tag), *counts, precision, recall, f"{scores.f1:.2f}")
        self._product(table)
        for title, mean in (("all pairs", found.micro), ("mean of tags", found.macro)):
            self._out.print(
                f"{title}: precision {mean.precision:.2f}, recall {mean.recall:.2f}, "
                f"F1 {mean.f1:.2f}"
            )
        self._out.print(f"{found.entries} entries; of {len(found.unexplained)} no tag was found")
        for title in found.unexplained:
            self.detail(f"  {title}")

    def report(
        self, report: RunReport, *, everything: bool = False, still_offline: bool = False
    ) -> None:
        """A run: what is news to the operator, and all about it where somebody watches.

        ``still_offline``: the run before it was offline too, and that was said.
        """
        watched = (self._watched or everything) and not self._quiet
        offline = report.offline and not still_offline
        if offline:
            self.warn("offline: no publisher answered; none is held responsible")
        for trouble in report.troubles:
            if watched or (offline and trouble.new):
                streak = f" ({trouble.streak} times in a row)" if trouble.streak > 1 else ""
                self.warn(f'"{trouble.title}": {trouble.reason}{streak}')
        # Where troubles are listed, what broke and what has gone is among them.
        known = _TROUBLES if watched else {FeedEventKind.SILENT}
        for event in report.events:
            if event.kind not in known:
                self.warn(f'"{event.title}": {event.message}')
        for warning in report.warnings:
            if everything or self._verbose:
                self.say(warning)
        if watched:
            waiting = f", {report.waiting} not due" if report.waiting else ""
            self._err.print(
                f"{report.polled} polled ({report.fetched} fetched, {report.not_modified} not "
                f"modified, {len(report.troubles)} failed){waiting}; {report.new} new entries, "
                f"{report.modified} modified, {report.matched} new matches; "
                f"{len(report.written)} files written"
            )

    @contextmanager
    def progress(self) -> Iterator["Progress"]:
        """A bar on a terminal, nothing elsewhere."""
        if self._quiet or not self._err.is_terminal:
            yield _Nobody()
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        with RichProgress(*columns, console=self._err, transient=True) as bar:
            yield _Bar(bar)


class _Nobody:
    def begin(self, total: int) -> None:
        pass

    def polled(self, subscription: Subscription, outcome: str) -> None:
        pass


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def begin(self, total: int) -> None:
        self._task = self._bar.add_task("polling", total=total)

    def polled(self, subscription: Subscription, outcome: str) -> None:
        description = _printable(f"{subscription.title}: {outcome}").plain[:60]
        self._bar.update(self._task, advance=1, description=description)


def _printable(message: str) -> Text:
    """Without control characters: what publishers write must not drive the terminal."""
    return Text("".join(c if c == "\n" or not _drives(c) else "\ufffd" for c in message))


def _drives(character: str) -> bool:
    """Whether a character is a command to a terminal or turns the direction of its text."""
    return category(character) in ("Cc", "Cs") or bidirectional(character) in _TURNING


def _cell(value: object) -> Text:
    if value is None:
        return Text("")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M}")
    if isinstance(value, tuple):
        return _printable(", ".join(map(str, value)))
    return _printable(str(value))


def _plain(value: Any) -> Any:
    """Dataclasses as objects, times as RFC 3339."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return _plain(asdict(value)) if hasattr(value, "__dataclass_fields__") else value
