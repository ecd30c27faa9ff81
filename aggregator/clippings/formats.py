"""The formats of clippings files.

To add a format: write a module with a function that recognises it and a parser, and add both to
`parse_clippings`. The first format that recognises a file parses it. Plain text accepts everything
except HTML, XML and JSON, so other formats come before it.
"""

import logging
from collections.abc import Callable

from aggregator.clippings.bookmarks import is_bookmarks, parse_bookmarks
from aggregator.clippings.clipping_entries import make_publishable
from aggregator.clippings.json_bookmarks import is_json_bookmarks, parse_json_bookmarks
from aggregator.clippings.plain_text import is_plain_text, parse_plain_text
from aggregator.errors import Diagnostic
from aggregator.model import Clipping

logger = logging.getLogger(__name__)

Parser = Callable[[bytes, str], tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]]


def parse_clippings(
    data: bytes, file: str, parse_feed: Parser
) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """The clippings of a file in any format, and warnings.

    ``parse_feed`` parses RSS, Atom and JSON Feed; `run` passes it, since stages do not import each
    other. Raises ConfigError if the file cannot be read at all.
    """
    formats: tuple[tuple[Callable[[bytes], bool], Parser], ...] = (
        (is_bookmarks, parse_bookmarks),
        (is_json_bookmarks, parse_json_bookmarks),
        (is_plain_text, parse_plain_text),
        (lambda _: True, parse_feed),
    )
    parse = next(parse for is_format, parse in formats if is_format(data))
    clippings, warnings = parse(data, file)
    logger.debug("%s: %d clippings, %d warnings", file, len(clippings), len(warnings))
    return tuple(map(make_publishable, clippings)), warnings
