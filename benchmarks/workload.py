"""A reproducible workload: a thousand feeds of about twenty entries each, in three editions.

A third are real documents from ../shared, if it exists. Each of the others is generated from the
words of one real document, or from invented words. In the second edition each feed has one new and
one edited entry; in the third edition, again three percent of the feeds.
"""

import random
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

FEEDS = 1000
CHANGE_INTERVAL = 33  # every 33rd feed changes in the third edition
_ENTRIES, _WORDS = 20, 150
_REAL = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "feeds"
_ENTRY = re.compile(rb"<(item|entry)[\s>].*?</\1>", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{2,}")
_MARKUP = re.compile(r"<[^>]*>|&\w+;|https?://\S+")

Edition = dict[str, bytes]


def editions(feeds: int = FEEDS) -> tuple[Edition, Edition, Edition]:
    """The three editions, each by path."""
    first = {f"/{number}": body for number, body in enumerate(_documents(feeds))}
    second = {path: _edit(body, 2) for path, body in first.items()}
    third = {
        path: _edit(body, 3) if number % CHANGE_INTERVAL == 0 else body
        for number, (path, body) in enumerate(second.items())
    }
    return first, second, third


def count_entries(edition: Edition) -> int:
    """The number of entries in an edition."""
    return sum(len(_ENTRY.findall(body)) for body in edition.values())


def _documents(feeds: int) -> Iterator[bytes]:
    real = [path.read_bytes() for path in sorted(_REAL.iterdir())] if _REAL.is_dir() else []
    typical = [body for body in real if _ENTRIES // 2 <= len(_ENTRY.findall(body)) <= 3 * _ENTRIES]
    typical = typical[: feeds // 3]
    yield from typical
    # Each feed uses the words of one real feed. With the words of all, every entry would be about
    # everything, and match tags that no real entry matches.
    invented = ["".join(pair) for pair in zip("abcdefghijklm", "nopqrstuvwxyz", strict=True)]
    real_words = [
        _WORD.findall(_MARKUP.sub(" ", body.decode("utf-8", "ignore"))) for body in typical
    ]
    vocabularies = [words for words in real_words if len(words) > _WORDS] or [invented]
    rng = random.Random(4287)
    for number in range(len(typical), feeds):
        words = vocabularies[number % len(vocabularies)]
        items = "".join(_item(number, entry, words, rng) for entry in range(_ENTRIES))
        head = f'<rss version="2.0"><channel><title>Feed {number}</title>'
        yield f"{head}<link>https://f{number}.example/</link>{items}</channel></rss>".encode()


def _item(feed: int, entry: int, words: list[str], rng: random.Random) -> str:
    title = " ".join(rng.choices(words, k=8))
    text = "".join(
        f'<p>{" ".join(rng.choices(words, k=_WORDS // 3))} <a href="/{entry}">more</a></p>'
        for _ in range(3)
    )
    link = f"https://f{feed}.example/{entry}"
    return (
        f"<item><title>{escape(title)}</title><link>{link}</link><guid>{link}</guid>"
        f"<pubDate>{23 - entry:02} Nov 2026 {feed % 24:02}:{feed % 60:02}:{entry:02} GMT</pubDate>"
        f"<description>{escape(text)}</description></item>"
    )


def _edit(body: bytes, edition: int) -> bytes:
    """A document with a new first entry and an edited last entry."""
    entries = list(_ENTRY.finditer(body))
    if not entries:
        return body
    mark = b"-%d" % edition
    new = entries[0][0]
    for element in (b"title", b"guid", b"id", b"link"):
        new = re.sub(rb"(\]\]>)?</%b>" % element, lambda end: mark + end[0], new)
    for attribute in (b"href", b"rdf:about"):
        new = re.sub(rb'(%b="[^"]*)"' % attribute, lambda start: start[1] + mark + b'"', new)
    last = entries[-1][0].replace(b"</title>", b" edited%b</title>" % mark, 1)
    last = last.replace(b"]]> edited%b" % mark, b" edited%b]]>" % mark, 1)
    return b"".join(
        (
            body[: entries[0].start()],
            new,
            body[entries[0].start() : entries[-1].start()],
            last,
            body[entries[-1].end() :],
        )
    )
