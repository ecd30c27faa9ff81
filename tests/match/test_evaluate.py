"""The evaluation counts right, and always gives the same figures."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import ConfigError
from aggregator.match.evaluate import (
    Post,
    evaluate_clippings,
    evaluate_posts,
    read_posts,
)
from aggregator.model import Clipping, TagSettings
from tests.shared import shared

START = datetime(2026, 1, 1, tzinfo=UTC)


def post(title, *tags, day=0, text="Rien."):
    return Post(title, text, tags, "fr", START + timedelta(days=day))


def visible(*tags, number=3):
    return [post(f"{tag} {day}", tag, day=day) for tag in tags for day in range(number)]


def test_figures_of_a_small_case():
    hidden = [
        post("Les vélos", "vélos", day=10),  # right
        post("Encore des vélos", "vélos", day=11),  # right
        post("Vélos et ruches", "ruches", day=12),  # one right, one wrong
        post("Une route", "vélos", day=13),  # missed
    ]
    evaluation = evaluate_posts([*hidden, *visible("vélos", "ruches")], 6)
    assert evaluation.entries == 4
    velos, ruches = evaluation.tags["vélos"], evaluation.tags["ruches"]
    assert (velos.precision, velos.recall, velos.support, velos.found) == (0.6667, 0.6667, 3, 3)
    assert (ruches.precision, ruches.recall, ruches.f1) == (1, 1, 1)
    assert (evaluation.micro.precision, evaluation.micro.recall, evaluation.micro.f1) == (
        0.75,
        0.75,
        0.75,
    )
    assert (evaluation.macro.precision, evaluation.macro.recall) == (0.8334, 0.8334)
    # Wilson's interval of 2 in 3, as tables give it.
    assert velos.recall_interval == (0.2077, 0.9385)
    assert evaluation.unexplained == ("Une route",)
    assert list(evaluation.tags) == ["vélos", "ruches"]


def test_only_tags_with_three_clippings_count():
    posts = [*visible("vélos"), *visible("ruches", number=2), post("Ruches", "ruches", day=9)]
    evaluation = evaluate_posts(posts, 5)
    assert list(evaluation.tags) == ["vélos"]
    assert (evaluation.micro.support, evaluation.micro.found, evaluation.micro.precision) == (
        0,
        0,
        0,
    )
    assert evaluation.unexplained == ()


def test_oldest_posts_are_the_clippings():
    posts = [*visible("vélos"), post("vélos", "vélos", day=9)]
    assert evaluate_posts(posts, 3) == evaluate_posts(posts[::-1], 3)


def test_posts_without_dates_are_always_shuffled_alike():
    posts = [
        Post(f"{tag} {n}", "", (tag,)) for n in range(20) for tag in ("vélos", "ruches", "eau")
    ]
    first = evaluate_posts(posts, 30)
    assert first == evaluate_posts(posts, 30)
    assert {scores.support > 0 for scores in first.tags.values()} == {True}


def test_link_of_a_clipping_does_not_count():
    clippings = [
        Clipping("Au jardin", "https://a.example/1", "Rien du sujet.", ("vélos",)),
        Clipping("Les bicyclettes", "https://a.example/2", "", ("Vélos",)),
    ]
    evaluation = evaluate_clippings(clippings, [TagSettings("vélos", aliases=("bicyclettes",))])
    assert (evaluation.tags["vélos"].support, evaluation.tags["vélos"].found) == (2, 1)
    assert evaluation.unexplained == ("Au jardin",)


def test_only_a_newline_ends_a_line():
    line = json.dumps({"title": "a\u2028b", "text": "c\x85d", "tags": []}, ensure_ascii=False)
    assert [p.title for p in read_posts(f"{line}\n\n{line}\r\n", "p")] == ["a\u2028b"] * 2


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 3:04:05 -0400", datetime(2026, 1, 2, 7, 4, 5, tzinfo=UTC)),
        ("Fri, 2 Jan 2026 03:04:05 EST", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("", None),
        ("one day", None),
        ("2026-13-45", None),
        ("9" * 30, None),
        (1, None),
    ],
)
def test_dates_of_exports_are_parsed(text, date):
    line = json.dumps({"title": "", "text": "", "tags": [], "published": text})
    assert read_posts(line, "p")[0].published == date


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "p:2: not a post: "),
        ("[]", "p:2: not a post: expected a JSON object"),
        ('{"title": "a", "text": "b"}', "p:2: not a post: no 'tags'"),
        ('{"title": "a", "text": 1, "tags": []}', 'p:2: not a post: "text" is not a string'),
        ('{"title": "a", "text": "b", "tags": "c"}', 'p:2: not a post: "tags" is not a list'),
    ],
)
def test_invalid_post_is_reported_with_its_line(line, message):
    with pytest.raises(ConfigError) as raised:
        read_posts(f'{{"title": "", "text": "", "tags": []}}\n{line}', "p")
    assert str(raised.value).startswith(message)


def test_file_without_posts_is_an_error():
    with pytest.raises(ConfigError, match="no posts"):
        read_posts("\n", "p")


@given(st.text() | st.from_type(dict).map(json.dumps))
def test_any_text_gives_posts_or_config_error(text):
    try:
        assert read_posts(text, "p")
    except ConfigError as error:
        assert error.diagnostics


def test_real_posts_are_matched_well():
    """Names alone find less than half as much (benchmarks/matching has the figures)."""
    for name in ("18f", "beta-gouv"):
        path = shared("corpus", "tagged", f"{name}.jsonl")
        evaluation = evaluate_posts(read_posts(path.read_text("utf-8"), path.name), 100)
        assert evaluation.entries > 0
        assert evaluation.micro.support == sum(
            scores.support for scores in evaluation.tags.values()
        )
        assert evaluation.micro.f1 > 0.35
        assert evaluation.precise.micro.precision > 0.55
        assert set(evaluation.thresholds) == set(evaluation.tags)
        assert evaluation.confusions
