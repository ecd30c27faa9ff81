"""The command that tells how good the matching is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import AsJson, exit_codes, load_project, make_console, open_store

if TYPE_CHECKING:
    from aggregator.match.evaluate import Evaluation
    from aggregator.match.tag_model import Embedder


def evaluate(
    context: typer.Context,
    posts: Annotated[
        Path | None,
        typer.Option(help="Tagged posts, a JSON object a line, in place of your clippings."),
    ] = None,
    clippings: Annotated[
        int, typer.Option(min=1, help="How many of the posts stand for clippings.")
    ] = 100,
    semantic: Annotated[
        bool, typer.Option("--semantic", help="Compare what texts mean, too (with --posts).")
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="Write the table to this file too, as a page.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Take the tags away from what is tagged, seek them again, and count what is right."""
    talk = make_console(context)
    with exit_codes(talk):
        found = _of_posts(posts, clippings, semantic) if posts else _of_clippings(context)
        if page:
            _write(page, talk.evaluation_page(found))
        talk.json(found) if json else talk.evaluation(found)


def _write(path: Path, text: str) -> None:
    """Raises PublishError."""
    from aggregator.errors import PublishError

    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror or error}") from error


def _of_posts(path: Path, clippings: int, semantic: bool) -> "Evaluation":
    """Raises ConfigError."""
    from aggregator.errors import ConfigError, Diagnostic
    from aggregator.match.evaluate import evaluate_posts, read_posts

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError((Diagnostic(str(path), None, error.strerror or str(error)),)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((Diagnostic(str(path), None, f"not UTF-8: {error.reason}"),)) from error
    posts = read_posts(text, str(path))
    if clippings >= len(posts):
        what = f"{len(posts)} posts: --clippings {clippings} leaves none to evaluate"
        raise ConfigError((Diagnostic(str(path), None, what),))
    return evaluate_posts(posts, clippings, _embedder(semantic))


def _embedder(semantic: bool) -> "Embedder | None":
    """Raises ConfigError where it is not installed."""
    if not semantic:
        return None
    from aggregator.match.embedding import E5Embedder

    return E5Embedder()


def _of_clippings(context: typer.Context) -> "Evaluation":
    """Raises ConfigError."""
    from aggregator.errors import ConfigError, Diagnostic
    from aggregator.match.evaluate import evaluate_clippings
    from aggregator.run.match import background, make_embedder
    from aggregator.store.engine import is_missing

    project = load_project(context)
    clippings, tags = project.clippings, project.config.tags
    if not any(clipping.tags for clipping in clippings):
        what = "no clippings with tags in the files of [clippings]: nothing to evaluate"
        raise ConfigError((Diagnostic(str(context.obj.config), None, what),))
    url = project.config.store_url
    if is_missing(url, project.root):
        return evaluate_clippings(clippings, tags, (), (), _embedder(project.config.semantic))
    with open_store(project) as store:
        embedder = make_embedder(project.config, store)
        return evaluate_clippings(
            clippings, tags, background(store), store.training.decisions(), embedder
        )
