"""A thousand feeds of about twenty entries each, in three editions, always the same.

Real documents beside the checkout are a third of them where they are there; the rest is generated
of their words, each of one's (or of made-up ones). In the second edition every feed has one entry more and one
edited; in the third, three feeds of a hundred have again.
"""

import random
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

FEEDS = 1000
CHANGED_IN_A_DAY = 33  # every so many feeds has changed in the third edition
_ENTRIES, _WORDS = 20, 150
_REAL = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "feeds"
_ENTRY = re.compile(rb"<(item|entry)[\s>].*?</\1>", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{2,}")
_MARKUP = re.compile(r"<[^>]*>|&\w+;|https?://\S+")

Edition = dict[str, bytes]


def editions(feeds: int = FEEDS) -> tuple[Edition, Edition, Edition]:
    """Three editions, each by path."""
    first = {f"/{number}": body for number, body in enumerate(_documents(feeds))}
    second = {path: _changed(body, 2) for path, body in first.items()}
    third = {
        path: _changed(body, 3) if number % CHANGED_IN_A_DAY == 0 else body
        for number, (path, body) in enumerate(second.items())
    }
    return first, second, third


def count_entries(edition: Edition) -> int:
    """How many entries an edition has."""
    return sum(len(_ENTRY.findall(body)) for body in edition.values())


def _documents(feeds: int) -> Iterator[bytes]:
    real = [path.read_bytes() for path in sorted(_REAL.iterdir())] if _REAL.is_dir() else []
    usual = [body for body in real if _ENTRIES // 2 <= len(_ENTRY.findall(body)) <= 3 * _ENTRIES]
    usual = usual[: feeds // 3]
    yield from usual
    # A feed's words are those of one real feed: of all together, every entry would be about
    # everything, and belong to tags that nothing real belongs to.
    made_up = ["".join(pair) for pair in zip("abcdefghijklm", "nopqrstuvwxyz", strict=True)]
    of_real = [_WORD.findall(_MARKUP.sub(" ", body.decode("utf-8", "ignore"))) for body in usual]
    vocabularies = [words for words in of_real if len(words) > _WORDS] or [made_up]
    chance = random.Random(4287)  # always the same, no secret
    for number in range(len(usual), feeds):
        words = vocabularies[number % len(vocabularies)]
        items = "".join(_item(number, entry, words, chance) for entry in range(_ENTRIES))
        head = f'<rss version="2.0"><channel><title>Feed {number}</title>'
        yield f"{head}<link>https://f{number}.example/</link>{items}</channel></rss>".encode()


def _item(feed: int, entry: int, words: list[str], chance: random.Random) -> str:
    title = " ".join(chance.choices(words, k=8))
    text = "".join(
        f'<p>{" ".join(chance.choices(words, k=_WORDS // 3))} <a href="/{entry}">more</a></p>'
        for _ in range(3)
    )
    link = f"https://f{feed}.example/{entry}"
    return (
        f"<item><title>{escape(title)}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>{23 - entry:02} Nov 2026 {feed % 24:02}:{feed % 60:02}:{entry:02} GMT</pubDate>"
        f"<description>{escape(text)}</description></item>"
    )


def _changed(body: bytes, edition: int) -> bytes:
    """A document with one entry more, before its others, and its last edited."""
    found = list(_ENTRY.finditer(body))
    if not found:
        return body
    mark = b"-%d" % edition
    new = found[0][0]
    for element in (b"title", b"guid", b"id", b"link"):
        new = re.sub(rb"(\]\]>)?</%b>" % element, lambda end: mark + end[0], new)
    for attribute in (b"href", b"rdf:about"):
        new = re.sub(rb'(%b="[^"]*)"' % attribute, lambda start: start[1] + mark + b'"', new)
    last = found[-1][0].replace(b"</title>", b" edited%b</title>" % mark, 1)
    last = last.replace(b"]]> edited%b" % mark, b" edited%b]]>" % mark, 1)
    return b"".join(
        (
            body[: found[0].start()],
            new,
            body[found[0].start() : found[-1].start()],
            last,
            body[found[-1].end() :],
        )
    )
