"""Boolean queries over published stories: their text in, a `Query` out. The one file that uses lark.

    communs AND (coopérativisme OR smart) NOT lang:en
    "bien commun" source:mediapart -title:"revue de presse"

lark is imported where there is a query: most installations have none, and it takes a while.

A bare word or a phrase in quotes names a tag. AND may be left out, ``-`` is NOT; operators are
in capitals, or else words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aggregator.text.folding import ILLEGAL, fold

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

FIELDS = ("author", "category", "is", "lang", "source", "tag", "text", "title")
MAX_CHARACTERS = 1000
_MARKS = ("clipped",)
_GRAMMAR = r"""
?start: either
?either: both ("OR" both)*
?both: single ("AND"? single)*
?single: ("NOT" | "-") single -> neither
       | "(" either ")"
       | [FIELD] (WORD | PHRASE) -> term
FIELD.2: /[^\W\d_]+:/
PHRASE: /"[^"]*"/
WORD: /(?!(?:AND|OR|NOT)(?:[\s()]|$))[^\s()":-][^\s()":]*/
%ignore /\s+/
"""


class QueryError(ValueError):
    """What is wrong with a query; ``column`` counts characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


@dataclass(frozen=True, slots=True)
class Term:
    """``field:value``, the value folded."""

    field: str
    value: str
    column: int


@dataclass(frozen=True, slots=True)
class Both:
    """All of them."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of them at least."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """Everything else."""

    part: "Query"


Query = Term | Both | Either | Neither


@cache
def _parser() -> "Lark":
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr")


def parse_query(text: str) -> Query:
    """Read a query. Raises QueryError, which points at the column."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"a query of more than {MAX_CHARACTERS} characters", MAX_CHARACTERS + 1)
    if not text.strip():
        raise QueryError("expected a query such as: communs AND NOT lang:en", 1)
    if found := ILLEGAL.search(text):
        raise QueryError("a character that no feed can hold", found.start() + 1)
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        return _read(_parser().parse(text))
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        column = len(text.rstrip()) + 1 if ended else error.column
        what = "it ends too soon" if ended else f'"{text[column - 1]}" cannot stand here'
        if text.count('"') % 2:
            column, what = text.rindex('"') + 1, "a quotation mark is not closed"
        raise QueryError(what, column) from None
    except RecursionError:
        raise QueryError("too deeply nested", 1) from None


def terms(query: Query) -> list[Term]:
    """Every term in it, from left to right."""
    match query:
        case Term():
            return [query]
        case Neither():
            return terms(query.part)
        case Both() | Either():
            return [term for part in query.parts for term in terms(part)]


def holds(query: Query, is_true: Callable[[Term], bool]) -> bool:
    """Whether the query is true where ``is_true`` says which of its terms are."""
    match query:
        case Term():
            return is_true(query)
        case Neither():
            return not holds(query.part, is_true)
        case Both():
            return all(holds(part, is_true) for part in query.parts)
        case Either():
            return any(holds(part, is_true) for part in query.parts)


def _read(tree: "Tree[Token]") -> Query:
    from lark import Tree

    if tree.data == "term":
        return _term(tree)
    parts = tuple(_read(part) for part in tree.children if isinstance(part, Tree))
    if tree.data == "neither":
        return Neither(parts[0])
    return Both(parts) if tree.data == "both" else Either(parts)


def _term(tree: "Tree[Token]") -> Term:
    from lark import Token

    field, value = tree.children
    assert isinstance(value, Token)
    name = str(field).removesuffix(":") if field else "tag"
    place = field if isinstance(field, Token) else value
    column = place.column or 1
    if name not in FIELDS:
        raise QueryError(
            f'no field is called "{name}": expected one of {", ".join(FIELDS)}', column
        )
    text = fold(str(value).strip('"').removeprefix("#"))
    if not text:
        raise QueryError("expected a word", value.column or 1)
    if name == "is" and text not in _MARKS:
        raise QueryError(f"expected is:{' or is:'.join(_MARKS)}", column)
    return Term(name, text, column)
