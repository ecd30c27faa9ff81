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
def test_what_cannot_be_a_file_name_gets_a_digest(tag):
    assert slug(tag)[-17] == "-"
    assert len(slug(tag).encode()) <= 100


@given(st.text())
def test_a_slug_is_one_safe_path_segment(text):
    assert not set(slug(text)) & set("/\\\x00.~ %?#")
    assert slug(text)


def names(*keys):
    return {f"tag:{key}": key for key in keys}


def test_tags_that_would_share_a_slug_each_get_their_own_in_any_order():
    one = assign_slugs(names("c++", "c#", "communs"), {})
    other = assign_slugs(names("communs", "c#", "c++"), {})
    assert one == other
    assert len(set(one.values())) == 3
    assert one["tag:communs"] == "communs"


def test_a_slug_that_people_subscribe_to_stays():
    found = assign_slugs(names("c++", "c#"), {"tag:c++": "c"})
    assert found["tag:c++"] == "c"
    assert found["tag:c#"] != "c"


def test_names_that_fold_alike_have_slugs_of_their_own():
    given = assign_slugs({"tag:x": "X", "query:x": "x", "tag:y": "Y"}, {})
    assert len(set(given.values())) == 3
    assert given["tag:y"] == "y"
    assert assign_slugs({"query:x": "x"}, {"tag:x": "x"})["query:x"].startswith("x-")
