"""Line numbers of the keys in a TOML text, for error messages.

tomllib gives no positions. But a TOML text is a sequence of statements (a header, or a key and
its value). Each statement consists of whole lines and is a TOML document by itself. So lines are
collected until tomllib accepts them, and the parsed value shows the key that they define.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def _statements(text: str) -> Iterator[tuple[int, str, Any]]:
    """(line, source, value) of each statement of a valid TOML text; lines count from 1."""
    statement: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), 1):
        if not statement and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not statement:
            start = number
        statement.append(line)
        source = "\n".join(statement)
        try:
            value = tomllib.loads(source)
        except tomllib.TOMLDecodeError:
            continue
        yield start, source, value
        statement = []


def _nested_keys(value: Any) -> list[str]:
    """The keys from the root of a one-statement document: ``[a.b]`` gives a, b."""
    keys: list[str] = []
    while True:
        if isinstance(value, list) and value:
            value = value[-1]
        elif isinstance(value, dict) and len(value) == 1:
            key, value = next(iter(value.items()))
            keys.append(key)
        else:
            return keys


def line_numbers(text: str) -> dict[Path, int]:
    """The 1-based line of every key and table of a valid TOML text.

    Paths hold keys and, below an array of tables, positions: ``("subscriptions", 2, "url")``.
    """
    numbers: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, source, value in _statements(text):
        header = source.lstrip().startswith("[")
        path: Path = () if header else table
        keys = _nested_keys(value)
        for depth, key in enumerate(keys):
            path = (*path, key)
            numbers.setdefault(path, line)
            last = depth == len(keys) - 1
            if header and last and source.lstrip().startswith("[["):
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
                numbers[path] = line
            elif header and path in counts:
                path = (*path, counts[path])
        if header:
            table = path
    return numbers


def find_line(numbers: dict[Path, int], path: Path) -> int | None:
    """The line of ``path``, or of the nearest table that contains it."""
    while path:
        if path in numbers:
            return numbers[path]
        path = path[:-1]
    return None
