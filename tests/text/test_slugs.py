import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.slugs import assign_slugs, slug


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("Équateur_(pays)", "equateur-pays"),
        ("economy/commons", "economy-commons"),
        ("../../etc/passwd", "etc-passwd"),
        ("/absolute", "absolute"),
        ("共有", "共有"),
    ],
)
def test_slugs_are_readable(tag, expected):
    assert slug(tag) == expected


@pytest.mark.parametrize("tag", ["CON", "index", "🌱", ".", "..", "a" * 300, "\x00", "é" * 300])
def test_unsafe_names_get_a_digest(tag):
    assert slug(tag)[-17] == "-"
    assert len(slug(tag).encode()) <= 100


@given(st.text())
def test_slug_is_one_safe_path_segment(text):
    assert not set(slug(text)) & set("/\\\x00.~ %?#")
    assert slug(text)


def names(*keys):
    return {f"tag:{key}": key for key in keys}


def test_colliding_names_get_distinct_slugs_in_any_order():
    first = assign_slugs(names("c++", "c#", "communs"), {})
    second = assign_slugs(names("communs", "c#", "c++"), {})
    assert first == second
    assert len(set(first.values())) == 3
    assert first["tag:communs"] == "communs"


def test_assigned_slug_stays():
    slugs = assign_slugs(names("c++", "c#"), {"tag:c++": "c"})
    assert slugs["tag:c++"] == "c"
    assert slugs["tag:c#"] != "c"


def test_names_that_fold_equally_get_distinct_slugs():
    slugs = assign_slugs({"tag:x": "X", "query:x": "x", "tag:y": "Y"}, {})
    assert len(set(slugs.values())) == 3
    assert slugs["tag:y"] == "y"
    assert assign_slugs({"query:x": "x"}, {"tag:x": "x"})["query:x"].startswith("x-")
