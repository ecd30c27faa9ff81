"""In which line of a TOML text a key stands. Needed only once something is wrong with it.

tomllib gives no positions. But a TOML text is a sequence of statements (a header, or a key and
its value), each of whole lines, and each by itself a TOML document: so the lines are gathered
until tomllib accepts them, and what it reads names the statement.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def _statements(text: str) -> Iterator[tuple[int, str, Any]]:
    """(line, source, value) of each statement of a valid TOML text; lines count from 1."""
    gathered: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), 1):
        if not gathered and (not line.strip() or line.lstrip().startswith("#")):
            continue
        if not gathered:
            start = number
        gathered.append(line)
        source = "\n".join(gathered)
        try:
            value = tomllib.loads(source)
        except tomllib.TOMLDecodeError:
            continue
        yield start, source, value
        gathered = []


def _spine(value: Any) -> list[str]:
    """The keys that a one-statement document goes down: ``[a.b]`` gives a, b."""
    keys: list[str] = []
    while True:
        if isinstance(value, list) and value:
            value = value[-1]
        elif isinstance(value, dict) and len(value) == 1:
            key, value = next(iter(value.items()))
            keys.append(key)
        else:
            return keys


def lines(text: str) -> dict[Path, int]:
    """The 1-based line of every key and table of a valid TOML text.

    Paths hold keys and, below an array of tables, positions: ``("subscriptions", 2, "url")``.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, source, value in _statements(text):
        header = source.lstrip().startswith("[")
        path: Path = () if header else table
        spine = _spine(value)
        for depth, key in enumerate(spine):
            path = (*path, key)
            found.setdefault(path, line)
            last = depth == len(spine) - 1
            if header and last and source.lstrip().startswith("[["):
                counts[path] = counts.get(path, -1) + 1
                path = (*path, counts[path])
                found[path] = line
            elif header and path in counts:
                path = (*path, counts[path])
        if header:
            table = path
    return found


def line_of(found: dict[Path, int], path: Path) -> int | None:
    """The line of ``path``, or of the nearest table around it."""
    while path:
        if path in found:
            return found[path]
        path = path[:-1]
    return None
