"""Finds retired words in the code and the documentation: ``python -m tests.words [--count]``.

`tests/retired_words.toml` has the words and what to write instead. Without ``--count`` each use is a
line, and the exit code is 1 if there is any.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORDS = Path(__file__).with_name("retired_words.toml")
# Old schemas keep their names.
_SKIPPED = "aggregator/store/migrations/versions/"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_CODE = re.compile(r"^```.*?^```|^~~~.*?^~~~|``[^`]+``|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Binding:
    """A place where a name is given to something."""

    line: int
    name: str
    owner: str  # the class whose field or method it is, or ""
    variable: bool  # whether it names an argument or a variable


@dataclass(frozen=True)
class Use:
    """A retired word, and what to write instead."""

    path: str
    line: int
    kind: str  # a table of the list
    word: str  # its key in that table
    text: str  # as it was written
    replacement: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: “{self.text}” is retired; write {self.replacement}"


class Words:
    """The list, compiled."""

    def __init__(self, tables: dict[str, dict[str, str]]) -> None:
        self.names = tables.get("names", {})
        self.variables = tables.get("variables", {})
        self.patterns = {re.compile(k): v for k, v in tables.get("patterns", {}).items()}
        self.prose = {re.compile(k, re.IGNORECASE): v for k, v in tables.get("prose", {}).items()}
        self.allowed = tables.get("allowed", {})

    def in_code(self, path: str, source: str) -> Iterator[Use]:
        """Uses in a Python file: its names, then its docstrings."""
        tree = ast.parse(source)
        for binding in bindings(tree):
            for kind, word, replacement in self._about(path, binding):
                if f"{path}:{binding.name}" not in self.allowed:
                    yield Use(path, binding.line, kind, word, binding.name, replacement)
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
                first = node.body[0]
                assert isinstance(first, ast.Expr)
                assert isinstance(first.value, ast.Constant)
                yield from self.in_prose(path, str(first.value.value), first.lineno)

    def in_prose(self, path: str, text: str, line: int = 1) -> Iterator[Use]:
        """Uses in a text that starts at a line of a file, outside its code."""
        text = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
        for pattern, replacement in self.prose.items():
            for match in pattern.finditer(text):
                at = line + text.count("\n", 0, match.start())
                if f"{path}:{match[0].lower()}" not in self.allowed:
                    yield Use(path, at, "prose", pattern.pattern, match[0], replacement)

    def _about(self, path: str, binding: Binding) -> Iterator[tuple[str, str, str]]:
        below = path.removeprefix("aggregator/").removesuffix(".py")
        for key in (binding.name, f"{binding.owner}.{binding.name}"):
            if key in self.names:
                yield "names", key, self.names[key]
        for key, replacement in self.names.items():
            folder, colon, name = key.partition(":")
            if colon and name == binding.name and below.startswith(folder):
                yield "names", key, replacement
        if binding.variable and binding.name in self.variables:
            yield "variables", binding.name, self.variables[binding.name]
        for pattern, replacement in self.patterns.items():
            if pattern.fullmatch(binding.name):
                yield "patterns", pattern.pattern, replacement


def bindings(tree: ast.AST, owner: str = "") -> Iterator[Binding]:
    """Every place where a name is bound: uses of other packages' names do not count."""
    for node in ast.iter_child_nodes(tree):
        inside = ""
        match node:
            case ast.ClassDef():
                yield Binding(node.lineno, node.name, owner, False)
                inside = node.name
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield Binding(node.lineno, node.name, owner, False)
            case ast.arg():
                yield Binding(node.lineno, node.arg, "", True)
            case ast.Name(ctx=ast.Store()):
                yield Binding(node.lineno, node.id, owner, not owner)
            case ast.Attribute(ctx=ast.Store()):
                yield Binding(node.lineno, node.attr, "", False)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield Binding(node.lineno, name, "", True)
            case ast.alias(asname=str(name)):
                yield Binding(node.lineno, name, "", False)
            case ast.Assign() | ast.AnnAssign():
                inside = owner  # the fields of a class
        yield from bindings(node, inside)


def uses(words: Words, root: Path = ROOT) -> Iterator[Use]:
    """All uses in a checkout, by file and line."""
    for path in sorted((root / "aggregator").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(_SKIPPED):
            yield from sorted(words.in_code(name, path.read_text("utf-8")), key=lambda u: u.line)
    for path in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        name = path.relative_to(root).as_posix()
        yield from sorted(words.in_prose(name, path.read_text("utf-8")), key=lambda u: u.line)


def main(arguments: Iterable[str]) -> int:
    """Print the uses, or how many there are of each word."""
    all_uses = list(uses(Words(tomllib.loads(WORDS.read_text("utf-8")))))
    if "--count" in arguments:
        for (kind, word), number in Counter((u.kind, u.word) for u in all_uses).most_common():
            print(f"{number:5} {kind:9} {word}")
        print(f"{len(all_uses):5} in all:", dict(Counter(use.kind for use in all_uses)))
        return 0
    for use in all_uses:
        print(use)
    return 1 if all_uses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
