"""How the program talks: tables and JSON on stdout, everything else on stderr."""

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from unicodedata import bidirectional, category

from aggregator.model import FeedEventKind, RunReport, StageCost, Subscription

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    from aggregator.inspect.status import Explanation
    from aggregator.inspect.suggestions import Alias, Moves, Preview, Sources
    from aggregator.match.evaluate import Evaluation
    from aggregator.run.poll import Progress

_TROUBLES = frozenset({FeedEventKind.BROKEN, FeedEventKind.GONE})
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


class Console:
    """Quiet under cron, talkative on a terminal or with ``--verbose``."""

    def __init__(self, *, verbose: bool, quiet: bool) -> None:
        self._quiet = quiet
        self._watched = not quiet and (verbose or sys.stderr.isatty())
        self._verbose = verbose and not quiet

    @cached_property
    def _out(self) -> "RichConsole":
        from rich.console import (
            Console as RichConsole,  # a run of which there is nothing to say needs none
        )

        return RichConsole(soft_wrap=True, highlight=False, markup=False)

    @cached_property
    def _err(self) -> "RichConsole":
        from rich.console import Console as RichConsole

        return RichConsole(stderr=True, soft_wrap=True, highlight=False, markup=False)

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
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        names = [column.name for column in fields(rows[0])] if rows else []
        names = [n for n in names if any(getattr(row, n) not in (None, "", ()) for row in rows)]
        for name in names:
            numeric = isinstance(getattr(rows[0], name), int)
            table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
        for row in rows:
            table.add_row(*(_cell(getattr(row, name)) for name in names))
        self._product(table)

    def _product(self, table: "Table") -> None:
        console = self._out
        if not console.is_terminal:  # a pipe has no width: never cut what grep will read
            from rich.console import Console as RichConsole

            console = RichConsole(width=10_000, highlight=False, markup=False)
        console.print(table)

    def explanations(self, found: Sequence["Explanation"]) -> None:
        """Entries with the reasons for each of their tags."""
        for entry in found:
            lines = [entry.title, f"  {entry.link or entry.id}", f"  in {entry.feed}"]
            lines += [f"  first seen {entry.first_seen_at:%Y-%m-%d %H:%M} UTC"]
            if entry.pruned_at:
                lines.append(
                    f"  its content was removed on {entry.pruned_at:%Y-%m-%d}, since when it is not "
                    "matched"
                )
            if all(match["near"] for match in entry.matches):
                lines.append("  belongs to no tag" + (", but nearly to" if entry.matches else ""))
            for match in entry.matches:
                lines += _reasons(match)
            if entry.missed:
                lines.append("  not, but nearest:")
                for match in entry.missed:
                    lines += _reasons(match)
            self._out.print(_printable("\n".join(lines)))

    def moves(self, found: Sequence["Moves"], *, dry_run: bool) -> None:
        """What enters and leaves each tag."""
        for move in found:
            self._out.print(
                _printable(f"#{move.tag}: {len(move.enters)} enter, {len(move.leaves)} leave")
            )
            for sign, titles in (("+", move.enters), ("-", move.leaves)):
                for title in titles:
                    self._out.print(_printable(f"  {sign} {title}"))
        if not found:
            self.say("nothing would change" if dry_run else "nothing changed")

    def preview(self, found: "Preview") -> None:
        """A feed's entries with the tags they would belong to."""
        if found.trouble:
            self.error(f"{found.url}: {found.trouble}")
            return
        belong = [entry for entry in found.entries if entry.tags]
        self._out.print(
            _printable(
                f"{found.title}: {len(found.entries)} entries, {len(belong)} belong to a tag"
            )
        )
        for entry in found.entries:
            tags = [f"#{tag} {score:.2f}" for tag, score in entry.tags.items()]
            nearly = [f"#{tag} {score:.2f}" for tag, score in entry.nearly.items()]
            told = ", ".join(tags) or (f"nearly {', '.join(nearly)}" if nearly else "–")
            self._out.print(_printable(f"  {entry.title}: {told}"))

    def sources(self, found: "Sources") -> None:
        """Sites to subscribe to, and subscriptions without use."""
        for host, clipped, linked in found.missing:
            self._out.print(
                _printable(f"{host}: clipped {clipped} times, linked from {linked} entries")
            )
        if found.missing:
            self.say('not subscribed to; "aggregator discover SITE" finds their feeds')
        for title in found.idle:
            self._out.print(_printable(f'"{title}": no entry of it ever belonged to a tag'))
        if not found.missing and not found.idle:
            self.say("nothing to suggest")

    def aliases(self, found: Sequence["Alias"]) -> None:
        """Lines for feeds.toml, each with its reason."""
        for alias in found:
            name, other = (
                json.dumps(alias.tag, ensure_ascii=False),
                json.dumps(alias.alias, ensure_ascii=False),
            )
            self._out.print(_printable(f"[tags.{name}]\naliases = [{other}]  # {alias.why}"))
        if not found:
            self.say("nothing to suggest")

    def evaluation(self, found: "Evaluation") -> None:
        """How good the matching is: a row a tag, then the whole, then what nothing explained."""
        self._product(_evaluated(found))
        for line in _summary(found):
            self._out.print(_printable(line))
        for title in found.unexplained:
            self.detail(f"  {title}")

    def evaluation_page(self, found: "Evaluation") -> str:
        """The same as an HTML document."""
        from rich.console import Console as RichConsole

        console = RichConsole(
            record=True, file=io.StringIO(), width=120, highlight=False, markup=False
        )
        console.print(_evaluated(found))
        for line in (*_summary(found), *(f"  {title}" for title in found.unexplained)):
            console.print(_printable(line))
        return console.export_html(inline_styles=True)

    def report(
        self,
        report: RunReport,
        *,
        everything: bool = False,
        still_offline: bool = False,
        job: str = "",
    ) -> None:
        """A run: what is news to the operator, and all about it where somebody watches.

        ``still_offline``: the run before it was offline too, and that was said. ``job``: it is only
        that part of one.
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
            pruned = f", {report.pruned} pruned" if report.pruned else ""
            self._err.print(
                f"{job}{': ' if job else ''}{report.polled} polled ({report.fetched} fetched, {report.not_modified} not "
                f"modified, {len(report.troubles)} failed){waiting}; {report.new} new entries, "
                f"{report.modified} modified, {report.matched} new matches{pruned}; "
                f"{len(report.written)} files written"
            )

    def stages(self, costs: Sequence[StageCost]) -> None:
        """Where the time of a run went, and how much of it the stages had in hand."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        table.add_column("stage")
        for name in ("wall s", "CPU s", "MB", "entries"):
            table.add_column(name, justify="right")
        for cost in costs:
            size = f"{cost.size_bytes / 1e6:.2f}" if cost.size_bytes else ""
            number = f"{cost.entries:,}" if cost.entries else ""
            seconds = f"{cost.wall_seconds:.3f}", f"{cost.cpu_seconds:.3f}"
            table.add_row(cost.stage, *seconds, size, number)
        # Children read while the rest goes on: their seconds are not of the run's own clock.
        wall = sum(cost.wall_seconds for cost in costs if cost.stage != "parse")
        table.add_row("all", f"{wall:.3f}", f"{sum(c.cpu_seconds for c in costs):.3f}")
        self._err.print(table)

    @contextmanager
    def progress(self) -> Iterator["Progress"]:
        """A bar on a terminal, nothing elsewhere."""
        if self._quiet or not sys.stderr.isatty():
            from aggregator.run.poll import NullProgress

            yield NullProgress()
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        with RichProgress(*columns, console=self._err, transient=True) as bar:
            yield _Bar(bar)


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def begin(self, total: int) -> None:
        self._task = self._bar.add_task("polling", total=total)

    def polled(self, subscription: Subscription, outcome: str) -> None:
        description = _printable(f"{subscription.title}: {outcome}").plain[:60]
        self._bar.update(self._task, advance=1, description=description)


def _evaluated(found: "Evaluation") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("tag")
    for name in ("support", "found", "precision", "recall", "F1", "threshold"):
        table.add_column(name, justify="right")
    for tag, scores in found.tags.items():
        low, high = scores.precision_interval
        precision = f"{scores.precision:.2f} ({low:.2f} to {high:.2f})" if scores.found else "–"
        low, high = scores.recall_interval
        recall = f"{scores.recall:.2f} ({low:.2f} to {high:.2f})" if scores.support else "–"
        counts = (str(scores.support), str(scores.found))
        f1, threshold = f"{scores.f1:.2f}", f"{found.thresholds[tag]:.2f}"
        table.add_row(_printable(tag), *counts, precision, recall, f1, threshold)
    return table


def _summary(found: "Evaluation") -> Iterator[str]:
    points = (
        ('with recall = "high", as above', found.micro, found.macro),
        ("by default", found.precise.micro, found.precise.macro),
    )
    for point, micro, macro in points:
        yield f"{point}:"
        for title, mean in (("all pairs", micro), ("mean of tags", macro)):
            yield (
                f"  {title}: precision {mean.precision:.2f}, recall {mean.recall:.2f}, "
                f"F1 {mean.f1:.2f}"
            )
    for confusion in found.confusions:
        if confusion.times > 1:
            yield f"#{confusion.missed} was taken for #{confusion.wrong} {confusion.times} times"
    yield f"{found.entries} entries; of {len(found.unexplained)} no tag was found"


def _reasons(match: Mapping[str, Any]) -> Iterator[str]:
    few = " (one clipping: names decide)" if match["clippings"] == 1 else ""
    yield f"  #{match['tag']}  {match['score']} (needs {match['threshold']}){few}"
    for reason in match["evidence"]:
        said = f"{reason['weight']:<6} {reason['kind']}"
        if reason["kind"] == "similar":
            yield f"    {said}: near to “{reason['where']}” by {reason['detail']}"
        elif reason["kind"] == "decision":
            yield f"    {said}: you said so"
        elif reason["kind"] == "narrower":
            yield f"    {said}: it belongs to “{reason['detail']}”"
        else:
            yield f"    {said}: “{reason['detail']}” in the {reason['where']}"


def _printable(message: str) -> "Text":
    """Without control characters: what publishers write must not drive the terminal."""
    from rich.text import Text

    return Text("".join(c if c == "\n" or not _drives(c) else "\ufffd" for c in message))


def _drives(character: str) -> bool:
    """Whether a character is a command to a terminal or turns the direction of its text."""
    return category(character) in ("Cc", "Cs") or bidirectional(character) in _TURNING


def _cell(value: object) -> "Text":
    if value is None:
        return _printable("")
    if isinstance(value, datetime):
        return _printable(f"{value:%Y-%m-%d %H:%M}")
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
