"""Boolean queries over published stories, parsed with lark.

    communs AND (coopérativisme OR smart) NOT lang:en
    "bien commun" source:mediapart -title:"revue de presse"

A bare word or a quoted phrase means a tag. AND may be omitted, ``-`` means NOT. Operators are in
capitals; in lower case they are words.

lark is imported only when there is a query: most installations have none, and the import is slow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.folding import fold

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

FIELDS = ("author", "category", "is", "lang", "source", "tag", "text", "title")
MAX_CHARACTERS = 1000
FLAGS = ("clipped",)  # of the field "is"
_GRAMMAR = r"""
?start: or
?or: and ("OR" and)*
?and: factor ("AND"? factor)*
?factor: ("NOT" | "-") factor -> not
       | "(" or ")"
       | [FIELD] (WORD | PHRASE) -> term
FIELD.2: /[^\W\d_]+:/
PHRASE: /"[^"]*"/
WORD: /(?!(?:AND|OR|NOT)(?:[\s()]|$))[^\s()":-][^\s()":]*/
%ignore /\s+/
"""


class QueryError(ValueError):
    """A query has a syntax error at ``column``, which counts characters from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


@dataclass(frozen=True, slots=True)
class Term:
    """``field:value``, with a folded value."""

    field: str
    value: str
    column: int


@dataclass(frozen=True, slots=True)
class And:
    """All operands are true."""

    operands: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one operand is true."""

    operands: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand is false."""

    operand: "Query"


Query = Term | And | Or | Not


@cache
def _parser() -> "Lark":
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr")


def parse_query(text: str) -> Query:
    """Parse a query. Raises QueryError."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"a query of more than {MAX_CHARACTERS} characters", MAX_CHARACTERS + 1)
    if not text.strip():
        raise QueryError("expected a query such as: communs AND NOT lang:en", 1)
    if match := XML_ILLEGAL.search(text):
        raise QueryError("invalid character", match.start() + 1)
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        return _convert(_parser().parse(text))
    except UnexpectedInput as error:
        if text.count('"') % 2:
            raise QueryError("unclosed quotation mark", text.rindex('"') + 1) from None
        if isinstance(error, UnexpectedToken) and error.token.type == "$END":
            raise QueryError("unexpected end", len(text.rstrip()) + 1) from None
        raise QueryError(f'unexpected "{text[error.column - 1]}"', error.column) from None
    except RecursionError:
        raise QueryError("too deeply nested", 1) from None


def terms(query: Query) -> list[Term]:
    """All terms of the query, from left to right."""
    match query:
        case Term():
            return [query]
        case Not():
            return terms(query.operand)
        case And() | Or():
            return [term for operand in query.operands for term in terms(operand)]


def evaluate(query: Query, is_true: Callable[[Term], bool]) -> bool:
    """Whether the query is true, given the truth of each term."""
    match query:
        case Term():
            return is_true(query)
        case Not():
            return not evaluate(query.operand, is_true)
        case And():
            return all(evaluate(operand, is_true) for operand in query.operands)
        case Or():
            return any(evaluate(operand, is_true) for operand in query.operands)


def _convert(tree: "Tree[Token]") -> Query:
    from lark import Tree

    if tree.data == "term":
        return _convert_term(tree)
    operands = tuple(_convert(child) for child in tree.children if isinstance(child, Tree))
    if tree.data == "not":
        return Not(operands[0])
    return And(operands) if tree.data == "and" else Or(operands)


def _convert_term(tree: "Tree[Token]") -> Term:
    from lark import Token

    field, value = tree.children
    assert isinstance(value, Token)
    name = str(field).removesuffix(":") if field else "tag"
    column = (field if isinstance(field, Token) else value).column or 1
    if name not in FIELDS:
        raise QueryError(f'unknown field "{name}": expected one of {", ".join(FIELDS)}', column)
    text = fold(str(value).strip('"').removeprefix("#"))
    if not text:
        raise QueryError("expected a word", value.column or 1)
    if name == "is" and text not in FLAGS:
        raise QueryError(f"expected is:{' or is:'.join(FLAGS)}", column)
    return Term(name, text, column)
