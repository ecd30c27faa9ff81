"""The query language of [[feeds]], as people write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.query import QueryError, evaluate, parse_query, terms


def is_match(query, *true):
    return evaluate(parse_query(query), lambda term: f"{term.field}:{term.value}" in true)


@pytest.mark.parametrize(
    ("query", "true", "expected"),
    [
        ("communs", ["tag:communs"], True),
        ("#Communs", ["tag:communs"], True),
        ("Économie_sociale", ["tag:economie sociale"], True),
        ('"économie sociale"', ["tag:economie sociale"], True),
        ("communs AND smart", ["tag:communs"], False),
        ("communs smart", ["tag:communs", "tag:smart"], True),
        ("communs OR smart", ["tag:smart"], True),
        ("communs NOT smart", ["tag:communs"], True),
        ("communs -smart", ["tag:communs", "tag:smart"], False),
        ("a OR b AND c", ["tag:a"], True),
        ("(a OR b) AND c", ["tag:a"], False),
        ("communs AND (coopérativisme OR smart) NOT lang:en", ["tag:communs", "tag:smart"], True),
        ("communs AND (coopérativisme OR smart) NOT lang:en",
         ["tag:communs", "tag:smart", "lang:en"], False),
        ('source:"P2P Foundation" is:clipped', ["source:p2p foundation", "is:clipped"], True),
        ("peer-to-peer", ["tag:peer to peer"], True),
        ("C++ ORANGE", ["tag:c++", "tag:orange"], True),
        ("NOT NOT a", ["tag:a"], True),
    ],
)  # fmt: skip
def test_queries_are_evaluated(query, true, expected):
    assert is_match(query, *true) is expected


@pytest.mark.parametrize(
    ("query", "message", "column"),
    [
        ("", "expected a query", 1),
        ("a AND", "unexpected end", 6),
        ("(a OR b", "unexpected end", 8),
        ("a ) b", 'unexpected ")"', 3),
        ("a OR OR b", 'unexpected "O"', 6),
        ('a "b', "unclosed quotation mark", 3),
        ("a colour:red", 'unknown field "colour"', 3),
        ("is:great", "expected is:clipped", 1),
        ('a title:""', "expected a word", 9),
        ("x" * 1001, "a query of more than 1000 characters", 1001),
    ],
)
def test_errors_show_their_column(query, message, column):
    with pytest.raises(QueryError, match="column") as caught:
        parse_query(query)
    assert message in str(caught.value)
    assert caught.value.column == column


def test_terms_are_listed_in_order():
    assert [term.value for term in terms(parse_query("a AND (b OR NOT title:c)"))] == [
        "a",
        "b",
        "c",
    ]


@given(st.text(alphabet='ab()"-: ANDORT#é', max_size=40))
def test_any_text_is_a_query_or_an_error(text):
    try:
        query = parse_query(text)
    except QueryError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert terms(query)
