"""The plain-text export: bulleted blocks of title, link, excerpt and hashtags.

• A title                                   the first bullet stands at the margin,
    https://example.org/page                the others may be indented by up to 3 columns

    A paragraph of the excerpt.

    #Some_tag #another #economy/commons     the last line
"""

import re
from collections.abc import Iterator

from aggregator.errors import Diagnostic
from aggregator.model import Clipping
from aggregator.text.folding import fold

_BULLET = re.compile(r"(\s*)•\s*(.*)", re.DOTALL)
_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_TAB_COLUMNS = 2  # so that one tab is a bullet's indent and two are a text's
_BULLET_COLUMNS = 3  # a bullet further right belongs to an excerpt
_TITLE_LENGTH = 80

Line = tuple[int, str]


def read_text(text: str, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every clipping in ``text``, and a warning for each thing that was not read as it stands."""
    warnings: list[Diagnostic] = []
    lines = [(n, s) for n, s in enumerate(re.split(r"\r\n|\r|\n", text.lstrip("\ufeff")), 1)]
    clippings = tuple(_clipping(b, file, warnings) for b in _blocks(lines, file, warnings))
    if not clippings:
        warnings.append(
            Diagnostic(file, None, 'no clipping found: expected lines that start with "•"')
        )
    return clippings, tuple(warnings)


def _blocks(lines: list[Line], file: str, warnings: list[Diagnostic]) -> Iterator[list[Line]]:
    """The lines of each clipping; the first has lost its bullet."""
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
            warnings.append(Diagnostic(file, number, "left out: text before the first bullet"))
    if block:
        yield block


def _clipping(block: list[Line], file: str, warnings: list[Diagnostic]) -> Clipping:
    (_, title), *rest = [(number, line.strip()) for number, line in block]
    link = None
    if _LINK.fullmatch(title):
        title, link = "", title
    elif rest and _LINK.fullmatch(rest[0][1]):
        link = rest.pop(0)[1]
    tags = _pop_tags(rest, file, warnings)
    excerpt = re.sub(r"\n{3,}", "\n\n", "\n".join(line for _, line in rest)).strip()
    if not title:
        number = block[0][0]
        title = _shortened(excerpt) or link or ""
        if title:
            warnings.append(Diagnostic(file, number, f'no title: shown as "{title}"'))
        else:
            warnings.append(Diagnostic(file, number, "an empty clipping"))
    return Clipping(title, link, excerpt, tags)


def _shortened(text: str) -> str:
    line = text.partition("\n")[0]
    if len(line) <= _TITLE_LENGTH:
        return line
    return line[:_TITLE_LENGTH].rpartition(" ")[0].rstrip(" ,;:") + "…"


def _pop_tags(lines: list[Line], file: str, warnings: list[Diagnostic]) -> tuple[str, ...]:
    """Take the lines of hashtags off the end of a block and read them."""
    tag_lines: list[Line] = []
    while lines and (not lines[-1][1] or _is_tag_line(lines[-1][1])):
        if not lines[-1][1] and tag_lines:
            break
        last = lines.pop()
        if last[1]:
            tag_lines.insert(0, last)
    tags: dict[str, str] = {}
    for number, line in tag_lines:
        for word in line.split():
            for tag in _tags(word, number, file, warnings):
                tags.setdefault(fold(tag), tag)
    return tuple(tags.values())


def _is_tag_line(line: str) -> bool:
    """Starts with a hashtag, and at least half of its words are: a sentence's are not."""
    words = line.split()
    hashtags = sum(1 for word in words if re.match(r"#+[^#]", word))
    return bool(re.match(r"#+[^#\s]", line)) and hashtags * 2 >= len(words)


def _tags(word: str, number: int, file: str, warnings: list[Diagnostic]) -> Iterator[str]:
    """The tags in one word of a tag line, as a person would read it."""
    parts = re.split(r"#(?=\w)", word.rstrip(",;"))
    named = [part.lstrip("#").strip("_-") for part in parts]
    read = [name for name in named if fold(name)]
    if not word.startswith("#") or len(read) > 1:
        what = " and ".join(f"#{name}" for name in read)
        done = f"read as {what}" if read else "left out"
        warnings.append(Diagnostic(file, number, f'"{word}" is not a hashtag: {done}'))
    yield from read
