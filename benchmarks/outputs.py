"""Times publishing: a run that adds ten entries to many stored ones.

200,000 entries under 2,000 tags are stored, grouped, matched, placed and rendered; then ten more.
Everything after parsing is timed; nothing is fetched.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregator.config import parse_config
from aggregator.model import (
    Category,
    Config,
    Entry,
    Feed,
    FeedState,
    ParsedAnswer,
    ParsedFeed,
    Subscription,
)
from aggregator.publish.folder import OutputFolder
from aggregator.run.match import build_tag_vocabulary, match
from aggregator.run.publish import place_stories, publish
from aggregator.run.timing import StageTimer
from aggregator.store import Store
from aggregator.text.atom_ids import mint_id

TAGS = 2_000
FEEDS = 200
ENTRIES_PER_FEED = 1_000
NEW_ENTRIES = 10
_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_WORDS = [f"mot{number}" for number in range(5_000)]


def _config() -> Config:
    tags = "".join(f'[tags."Sujet {number}"]\n' for number in range(TAGS))
    subscriptions = "".join(
        f'[[subscriptions]]\nurl = "https://f{number}.example/feed"\ntitle = "Feed {number}"\n'
        for number in range(FEEDS)
    )
    return parse_config(subscriptions + tags, "feeds.toml", {})


def _entries(feed: int, first: int, number: int) -> Iterator[Entry]:
    rng = random.Random(f"{feed} {first}")
    for place in range(first, first + number):
        page = f"f{feed}.example/{place}"
        text = " ".join(rng.choices(_WORDS, k=80))
        yield Entry(
            key=page,
            id=mint_id("", page, ""),
            title=f"Entry {place} of {feed}",
            link=f"https://{page}",
            page=page,
            content=f"<p>{text}</p>",
            text=text,
            categories=tuple(Category(f"Sujet {rng.randrange(TAGS)}") for _ in range(2)),
            published=_NOW - timedelta(hours=rng.randrange(365 * 24)),
        )


def _save(store: Store, subscription: Subscription, entries: list[Entry], now: datetime) -> None:
    feed = Feed(subscription.key, subscription.title, f"https://{subscription.title}.example/")
    state = FeedState(subscription.key, fetched_at=now, succeeded_at=now)
    parsed = ParsedFeed(subscription.key, feed, tuple(entries))
    store.feeds.save_answers([ParsedAnswer(subscription, parsed, state)], now)


def _time_steps(
    config: Config, store: Store, folder: OutputFolder, now: datetime
) -> dict[str, float]:
    """Seconds of each step after storing, and the number of files that were written."""
    clock = time.monotonic
    began = clock()
    store.stories.group_entries(now)
    grouped = clock()
    vocabulary = build_tag_vocabulary(config, [])
    match(config, vocabulary, [], store, StageTimer(), now)
    matched = clock()
    place_stories(config, vocabulary, store, now)
    placed = clock()
    written = publish(config, vocabulary, [], store, folder)
    steps = (grouped - began, matched - grouped, placed - matched, clock() - placed)
    return dict(zip(("group", "match", "place", "publish"), steps, strict=True)) | {
        "files": len(written)
    }


def main() -> None:
    """Print the table."""
    config = _config()
    with tempfile.TemporaryDirectory() as name:
        store = Store("sqlite:///db.sqlite3", Path(name))
        folder = OutputFolder(Path(name) / "outputs")
        began = time.monotonic()
        for number, subscription in enumerate(config.subscriptions):
            _save(store, subscription, list(_entries(number, 0, ENTRIES_PER_FEED)), _NOW)
        store_seconds = time.monotonic() - began
        later = _NOW + timedelta(days=1)
        rows = [("everything", {"store": store_seconds} | _time_steps(config, store, folder, _NOW))]
        rows.append(("nothing new", {"store": 0.0} | _time_steps(config, store, folder, later)))
        for place in range(NEW_ENTRIES):
            (entry,) = _entries(place, ENTRIES_PER_FEED, 1)
            new = replace(entry, published=later)
            _save(store, config.subscriptions[place], [new], later)
        rows.append(
            (f"{NEW_ENTRIES} new", {"store": 0.0} | _time_steps(config, store, folder, later))
        )
        store.close()
    total = FEEDS * ENTRIES_PER_FEED
    print(f"\nPublishing {total:,} entries under {TAGS:,} tags; seconds of each step\n")
    print("                store   group   match   place  publish   files written")
    for label, row in rows:
        seconds = "".join(f"{row[k]:8.2f}" for k in ("store", "group", "match", "place", "publish"))
        print(f"  {label:<12}{seconds}   {row['files']:8,.0f}")


if __name__ == "__main__":
    main()
