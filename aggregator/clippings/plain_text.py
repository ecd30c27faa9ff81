"""The plain-text export: bulleted blocks of title, link, excerpt and hashtags.

• A title                                   the first bullet is at the margin,
    https://example.org/page                the others may be indented by up to 3 columns

    A paragraph of the excerpt.

    #Some_tag #another #economy/commons     the last line
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from aggregator.errors import Diagnostic
from aggregator.model import Clipping
from aggregator.text.decoding import decode_document
from aggregator.text.folding import fold
from aggregator.text.utf8 import decode_utf8

_BULLET = re.compile(r"(\s*)•\s*(.*)", re.DOTALL)
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_TAB_COLUMNS = 2  # one tab indents a bullet, two indent an excerpt
_BULLET_COLUMNS = 3  # a bullet further to the right belongs to an excerpt
_MAX_TITLE_LENGTH = 80
_HEAD_BYTES = 4096

Line = tuple[int, str]
Warnings = list[tuple[int | None, str]]  # line and message


def is_plain_text(data: bytes) -> bool:
    """Whether ``data`` is neither HTML or XML nor JSON, in any encoding."""
    return decode_document(data[:_HEAD_BYTES]).lstrip()[:1] not in ("<", "{")


def parse_plain_text(data: bytes, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every clipping in the file, and a warning for everything that was changed or left out."""
    warnings: Warnings = []
    text = decode_utf8(data, file).lstrip("\ufeff")
    lines = list(enumerate(re.split(r"\r\n|\r|\n", text), 1))
    clippings = tuple(_parse_block(block, warnings) for block in _split_blocks(lines, warnings))
    if not clippings:
        warnings.append((None, 'no clipping found: expected lines that start with "•"'))
    return clippings, tuple(Diagnostic(file, line, message) for line, message in warnings)


def _split_blocks(lines: list[Line], warnings: Warnings) -> Iterator[list[Line]]:
    """The lines of each clipping, without its bullet."""
    block: list[Line] = []
    for number, line in lines:
        bullet = _BULLET.fullmatch(line)
        if bullet and len(bullet[1].expandtabs(_TAB_COLUMNS)) <= _BULLET_COLUMNS:
            if block:
                yield block
            block = [(number, bullet[2])]
        elif block:
            block.append((number, line))
        elif line.strip():
            warnings.append((number, "left out: text before the first bullet"))
    if block:
        yield block


def _parse_block(block: list[Line], warnings: Warnings) -> Clipping:
    (first_number, title), *lines = [(number, line.strip()) for number, line in block]
    link = None
    if _LINK.fullmatch(title):
        title, link = "", title
    elif lines and _LINK.fullmatch(lines[0][1]):
        link = lines.pop(0)[1]
    tags = _pop_tags(lines, warnings)
    warnings += _find_indented_clippings(lines)
    excerpt = re.sub(r"\n{3,}", "\n\n", "\n".join(line for _, line in lines)).strip()
    if not title:
        title = _shorten(excerpt) or link or ""
        message = f'no title: shown as "{title}"' if title else "an empty clipping"
        warnings.append((first_number, message))
    return Clipping(title, link, excerpt, tags)


def _find_indented_clippings(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """A warning for each bullet with a link of its own: it looks like a clipping of its own."""
    filled = [(number, line) for number, line in lines if line]
    for (number, line), (_, following) in pairwise(filled):
        if line.startswith("•") and _LINK.fullmatch(following):
            message = f"part of the clipping above: at most {_BULLET_COLUMNS} columns may precede"
            yield number, f"{message} the bullet of a clipping"


def _shorten(text: str) -> str:
    line = text.partition("\n")[0]
    if len(line) <= _MAX_TITLE_LENGTH:
        return line
    return line[:_MAX_TITLE_LENGTH].rpartition(" ")[0].rstrip(" ,;:") + "…"


def _pop_tags(lines: list[Line], warnings: Warnings) -> tuple[str, ...]:
    """Remove the lines of hashtags at the end of a block, and return their tags."""
    tag_lines: list[Line] = []
    while lines and (not lines[-1][1] or _is_tag_line(lines[-1][1])):
        if not lines[-1][1] and tag_lines:
            break
        number, line = lines.pop()
        if line:
            tag_lines.insert(0, (number, line))
    tags: dict[str, str] = {}  # by folded name
    for number, line in tag_lines:
        for word in line.split():
            for tag in _split_tags(word, number, warnings):
                tags.setdefault(fold(tag), tag)
    return tuple(tags.values())


def _is_tag_line(line: str) -> bool:
    """Whether it starts with a hashtag, and at least half of its words are hashtags."""
    words = line.split()
    hashtags = sum(1 for word in words if re.match(r"#+[^#]", word))
    return bool(re.match(r"#+[^#\s]", line)) and hashtags * 2 >= len(words)


def _split_tags(word: str, number: int, warnings: Warnings) -> list[str]:
    """The tags in one word of a tag line: ``#a#b`` has two."""
    names = [part.lstrip("#").strip("_-") for part in re.split(r"#(?=\w)", word.rstrip(",;"))]
    tags = [name for name in names if fold(name)]
    if not word.startswith("#") or len(tags) > 1:
        action = f"read as {' and '.join(f'#{tag}' for tag in tags)}" if tags else "left out"
        warnings.append((number, f'"{word}" is not a hashtag: {action}'))
    return tags
