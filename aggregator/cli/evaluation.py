"""The command that measures matching quality."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.console import Console, make_table, rich_text
from aggregator.cli.context import AsJson, get_console, get_options, load_project, open_store
from aggregator.errors import ConfigError, Diagnostic, PublishError

if TYPE_CHECKING:
    from rich.table import Table

    from aggregator.match.evaluate import Evaluation
    from aggregator.match.text_vectors import Embedder


def evaluate(
    context: typer.Context,
    posts: Annotated[
        Path | None,
        typer.Option(help="Evaluate tagged posts (JSON Lines) instead of your clippings."),
    ] = None,
    clippings: Annotated[
        int, typer.Option(min=1, help="Number of posts to use as clippings.")
    ] = 100,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="Also compare texts by meaning (with --posts).")
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="Also write the result to this file as HTML.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Measure matching quality by hiding tags and predicting them."""
    console = get_console(context)
    if posts:
        evaluation = _evaluate_posts(posts, clippings, _make_embedder(semantic))
    else:
        evaluation = _evaluate_clippings(context)
    if page:
        _write_page(page, evaluation)
    console.json(evaluation) if json else _print_evaluation(console, evaluation)


def _evaluate_posts(path: Path, clippings: int, embedder: "Embedder | None") -> "Evaluation":
    """Raises ConfigError."""
    from aggregator.match.evaluate import evaluate_posts, read_posts

    file = str(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError((Diagnostic(file, None, error.strerror or str(error)),)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((Diagnostic(file, None, f"not UTF-8: {error.reason}"),)) from error
    posts = read_posts(text, file)
    if clippings >= len(posts):
        message = f"{len(posts)} posts: --clippings {clippings} leaves none to evaluate"
        raise ConfigError((Diagnostic(file, None, message),))
    return evaluate_posts(posts, clippings, embedder)


def _make_embedder(semantic: bool) -> "Embedder | None":
    """Raises ConfigError if it is not installed."""
    if not semantic:
        return None
    from aggregator.match.embedding import E5Embedder

    return E5Embedder()


def _evaluate_clippings(context: typer.Context) -> "Evaluation":
    """Raises ConfigError."""
    from aggregator.match.evaluate import evaluate_clippings
    from aggregator.run.match import background, make_embedder
    from aggregator.store.engine import is_missing

    project = load_project(context)
    clippings, config = project.clippings, project.config
    if not any(clipping.tags for clipping in clippings):
        message = "no clippings with tags in the files of [clippings]: nothing to evaluate"
        raise ConfigError((Diagnostic(str(get_options(context).config), None, message),))
    if is_missing(config.store_url, project.root):
        embedder = _make_embedder(config.semantic)
        return evaluate_clippings(clippings, config.tags, (), (), embedder)
    with open_store(project) as store:
        return evaluate_clippings(
            clippings,
            config.tags,
            background(store),
            store.training.decisions(),
            make_embedder(config, store),
        )


def _write_page(path: Path, evaluation: "Evaluation") -> None:
    """Write the evaluation as HTML. Raises PublishError."""
    from rich.console import Console as RichConsole

    console = RichConsole(record=True, file=io.StringIO(), width=120, highlight=False, markup=False)
    console.print(_table(evaluation))
    for line in (*_summary(evaluation), *(f"  {title}" for title in evaluation.unexplained)):
        console.print(rich_text(line))
    try:
        path.write_text(console.export_html(inline_styles=True), "utf-8")
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror or error}") from error


def _print_evaluation(console: Console, evaluation: "Evaluation") -> None:
    console.print_table(_table(evaluation))
    for line in _summary(evaluation):
        console.print(line)
    for title in evaluation.unexplained:
        console.detail(f"  {title}")


def _table(evaluation: "Evaluation") -> "Table":
    """A row for each tag."""
    columns = ["support", "found", "precision", "recall", "F1", "threshold"]
    table = make_table(["tag", *columns], columns)
    for tag, scores in evaluation.tags.items():
        low, high = scores.precision_interval
        precision = f"{scores.precision:.2f} ({low:.2f} to {high:.2f})" if scores.found else "–"
        low, high = scores.recall_interval
        recall = f"{scores.recall:.2f} ({low:.2f} to {high:.2f})" if scores.support else "–"
        counts = str(scores.support), str(scores.found)
        f1, threshold = f"{scores.f1:.2f}", f"{evaluation.thresholds[tag]:.2f}"
        table.add_row(rich_text(tag), *counts, precision, recall, f1, threshold)
    return table


def _summary(evaluation: "Evaluation") -> Iterator[str]:
    """Averages over tags, frequent confusions, and the number of entries without a tag."""
    precise = evaluation.precise
    for name, micro, macro in (
        ('with recall = "high", as above', evaluation.micro, evaluation.macro),
        ("by default", precise.micro, precise.macro),
    ):
        yield f"{name}:"
        for title, mean in (("all pairs", micro), ("mean of tags", macro)):
            yield (
                f"  {title}: precision {mean.precision:.2f}, recall {mean.recall:.2f}, "
                f"F1 {mean.f1:.2f}"
            )
    for confusion in evaluation.confusions:
        if confusion.times > 1:
            yield f"#{confusion.missed} was predicted as #{confusion.wrong} {confusion.times} times"
    yield f"{evaluation.entries} entries, {len(evaluation.unexplained)} without a predicted tag"
