"""The feeds of an installation that has run for a year, in editions: nearly nothing in each is new."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from aggregator.model import Entry
from aggregator.text.atom_ids import mint_id
from benchmarks.workload import Edition

CHANGING = 10  # feeds that have one entry more in each edition than in the one before
REAL = 20  # feeds with entries; the others are known already, and answer 304
YEAR = timedelta(days=360)
OTHERS = b'<rss version="2.0"/>'
_IN_A_FEED = 20
_TAGS = (  # of the repository's clippings; those that the new entries have as their categories
    "Capitalisme", "Communs", "Droit", "Emploi", "France",
    "Internet", "Numérique", "P2P", "Politique", "Pouvoirs",
)  # fmt: skip


class Texts:
    """Entries of about 2 KB in made-up words, always the same, which name no tag."""

    def __init__(self, seed: int) -> None:
        self._dice = dice = random.Random(seed)
        letters = "aeioubcdfglmnprstv"
        words = ["".join(dice.choices(letters, k=dice.randrange(3, 11))) for _ in range(20_000)]
        self._titles = [" ".join(dice.choices(words, k=7)) for _ in range(4_000)]
        self._paragraphs = [" ".join(dice.choices(words, k=88)) for _ in range(4_000)]

    def entry(self, page: str, published: datetime) -> Entry:
        """An entry of this page (a `urls.link_key`), as it is after parsing."""
        paragraphs = self._dice.choices(self._paragraphs, k=3)
        return Entry(
            key=f"https://{page}",
            id=mint_id("", page, ""),
            title=self._dice.choice(self._titles),
            link=f"https://{page}",
            page=page,
            content="".join(f"<p>{paragraph}</p>" for paragraph in paragraphs),
            text="\n\n".join(paragraphs),
            published=published,
        )


def editions(subscriptions: int, number: int, began: datetime) -> list[Edition]:
    """What is served, by path: entries that are a year old, and then new ones, each of a tag."""
    texts = Texts(4287)
    oldest = began - YEAR - timedelta(days=1)
    items = {
        feed: [
            _item(texts.entry(_page(feed, place), oldest + timedelta(minutes=place, seconds=feed)))
            for place in range(_IN_A_FEED)
        ]
        for feed in range(REAL)
    }
    every: list[Edition] = []
    for edition in range(number):
        served = {f"/{feed}": OTHERS for feed in range(subscriptions)}
        every.append(served | {f"/{feed}": _document(feed, found) for feed, found in items.items()})
        for feed in range(CHANGING):
            at = began - timedelta(minutes=number - edition, seconds=feed)
            new = texts.entry(_page(feed, _IN_A_FEED + edition), at)
            items[feed].insert(0, _item(new, _TAGS[feed % len(_TAGS)]))
    return every


def _page(feed: int, place: int) -> str:
    return f"f{feed}.example/real/{place}"


def _item(entry: Entry, tag: str | None = None) -> str:
    category = f"<category>{tag}</category>" if tag else ""
    return (
        f"<item><title>{entry.title}</title><link>{entry.link}</link><guid>{entry.key}</guid>"
        f"<pubDate>{entry.published:%d %b %Y %H:%M:%S} GMT</pubDate>{category}"
        f"<description><![CDATA[{entry.content}]]></description></item>"
    )


def _document(feed: int, items: Sequence[str]) -> bytes:
    head = f'<rss version="2.0"><channel><title>Feed {feed}</title>'
    return f"{head}<link>https://f{feed}.example/</link>{''.join(items)}</channel></rss>".encode()
