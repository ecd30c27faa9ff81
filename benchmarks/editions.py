"""Documents of an installation that has run for a year, in editions with few new entries."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from aggregator.model import Entry
from aggregator.text.atom_ids import mint_id
from benchmarks.workload import Edition

CHANGING = 10  # feeds with one new entry in each edition
REAL = 20  # feeds with entries; the others answer 304
YEAR = timedelta(days=360)
OTHERS = b'<rss version="2.0"/>'
_ENTRIES_PER_FEED = 20
_TAGS = (  # tags of the repository's clippings, used as categories of new entries
    "Capitalisme", "Communs", "Droit", "Emploi", "France",
    "Internet", "Numérique", "P2P", "Politique", "Pouvoirs",
)  # fmt: skip


class Texts:
    """Reproducible entries of about 2 KB in invented words, without any tag name."""

    def __init__(self, seed: int) -> None:
        self._rng = rng = random.Random(seed)
        letters = "aeioubcdfglmnprstv"
        words = ["".join(rng.choices(letters, k=rng.randrange(3, 11))) for _ in range(20_000)]
        self._titles = [" ".join(rng.choices(words, k=7)) for _ in range(4_000)]
        self._paragraphs = [" ".join(rng.choices(words, k=88)) for _ in range(4_000)]

    def entry(self, page: str, published: datetime) -> Entry:
        """A parsed entry of this page (a `urls.link_key`)."""
        paragraphs = self._rng.choices(self._paragraphs, k=3)
        return Entry(
            key=f"https://{page}",
            id=mint_id("", page, ""),
            title=self._rng.choice(self._titles),
            link=f"https://{page}",
            page=page,
            content="".join(f"<p>{paragraph}</p>" for paragraph in paragraphs),
            text="\n\n".join(paragraphs),
            published=published,
        )


def editions(subscriptions: int, number: int, began: datetime) -> list[Edition]:
    """Editions by path: year-old entries, then new entries with one tag each."""
    texts = Texts(4287)
    oldest = began - YEAR - timedelta(days=1)
    items = {
        feed: [
            _item(texts.entry(_page(feed, place), oldest + timedelta(minutes=place, seconds=feed)))
            for place in range(_ENTRIES_PER_FEED)
        ]
        for feed in range(REAL)
    }
    editions_so_far: list[Edition] = []
    for edition in range(number):
        served = {f"/{feed}": OTHERS for feed in range(subscriptions)}
        real = {f"/{feed}": _document(feed, feed_items) for feed, feed_items in items.items()}
        editions_so_far.append(served | real)
        for feed in range(CHANGING):
            at = began - timedelta(minutes=number - edition, seconds=feed)
            new = texts.entry(_page(feed, _ENTRIES_PER_FEED + edition), at)
            items[feed].insert(0, _item(new, _TAGS[feed % len(_TAGS)]))
    return editions_so_far


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
