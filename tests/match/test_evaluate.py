"""How good the matching is, counted right, and the same whenever it is counted."""

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


def learned(*tags, number=3):
    return [post(f"{tag} {day}", tag, day=day) for tag in tags for day in range(number)]


def test_every_figure_of_a_small_case():
    hidden = [
        post("Les vélos", "vélos", day=10),  # right
        post("Encore des vélos", "vélos", day=11),  # right
        post("Vélos et ruches", "ruches", day=12),  # one right, one wrong
        post("Une route", "vélos", day=13),  # missed
    ]
    found = evaluate_posts([*hidden, *learned("vélos", "ruches")], 6)
    assert found.entries == 4
    velos, ruches = found.tags["vélos"], found.tags["ruches"]
    assert (velos.precision, velos.recall, velos.support, velos.found) == (0.6667, 0.6667, 3, 3)
    assert (ruches.precision, ruches.recall, ruches.f1) == (1, 1, 1)
    assert (found.micro.precision, found.micro.recall, found.micro.f1) == (0.75, 0.75, 0.75)
    assert (found.macro.precision, found.macro.recall) == (0.8334, 0.8334)
    # Wilson's interval of 2 in 3, as tables give it.
    assert velos.recall_interval == (0.2077, 0.9385)
    assert found.unexplained == ("Une route",)
    assert list(found.tags) == ["vélos", "ruches"]


def test_only_tags_with_three_clippings_count():
    posts = [*learned("vélos"), *learned("ruches", number=2), post("Ruches", "ruches", day=9)]
    found = evaluate_posts(posts, 5)
    assert list(found.tags) == ["vélos"]
    assert (found.micro.support, found.micro.found, found.micro.precision) == (0, 0, 0)
    assert found.unexplained == ()


def test_clippings_are_the_oldest_whatever_the_order_of_the_file():
    posts = [*learned("vélos"), post("vélos", "vélos", day=9)]
    assert evaluate_posts(posts, 3) == evaluate_posts(posts[::-1], 3)


def test_without_dates_a_shuffle_that_is_always_the_same():
    posts = [
        Post(f"{tag} {n}", "", (tag,)) for n in range(20) for tag in ("vélos", "ruches", "eau")
    ]
    first = evaluate_posts(posts, 30)
    assert first == evaluate_posts(posts, 30)
    assert {scores.support > 0 for scores in first.tags.values()} == {True}


def test_a_clipping_is_not_known_by_its_own_link():
    kept = [
        Clipping("Au jardin", "https://a.example/1", "Rien du sujet.", ("vélos",)),
        Clipping("Les bicyclettes", "https://a.example/2", "", ("Vélos",)),
    ]
    found = evaluate_clippings(kept, [TagSettings("vélos", aliases=("bicyclettes",))])
    assert (found.tags["vélos"].support, found.tags["vélos"].found) == (2, 1)
    assert found.unexplained == ("Au jardin",)


def test_lines_end_with_a_newline_only():
    line = json.dumps({"title": "a\u2028b", "text": "c\x85d", "tags": []}, ensure_ascii=False)
    assert [p.title for p in read_posts(f"{line}\n\n{line}\r\n", "p")] == ["a\u2028b"] * 2


@pytest.mark.parametrize(
    ("written", "read"),
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
def test_dates_as_exports_write_them(written, read):
    line = json.dumps({"title": "", "text": "", "tags": [], "published": written})
    assert read_posts(line, "p")[0].published == read


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
def test_what_is_no_post_is_told_with_its_line(line, message):
    with pytest.raises(ConfigError) as raised:
        read_posts(f'{{"title": "", "text": "", "tags": []}}\n{line}', "p")
    assert str(raised.value).startswith(message)


def test_no_posts_at_all():
    with pytest.raises(ConfigError, match="no posts"):
        read_posts("\n", "p")


@given(st.text() | st.from_type(dict).map(json.dumps))
def test_any_text_is_posts_or_a_mistake(text):
    try:
        assert read_posts(text, "p")
    except ConfigError as error:
        assert error.diagnostics


def test_real_posts():
    """What names alone find is less than half of it (benchmarks/matching has the figures)."""
    for name in ("18f", "beta-gouv"):
        path = shared("corpus", "tagged", f"{name}.jsonl")
        found = evaluate_posts(read_posts(path.read_text("utf-8"), path.name), 100)
        assert found.entries > 0
        assert found.micro.support == sum(scores.support for scores in found.tags.values())
        assert found.micro.f1 > 0.35
        assert found.precise.micro.precision > 0.55
        assert set(found.thresholds) == set(found.tags)
        assert found.confusions
