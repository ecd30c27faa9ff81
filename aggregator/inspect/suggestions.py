"""What ``confirm``, ``retag``, ``preview`` and ``suggest`` show before the reader decides."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from itertools import combinations, islice
from typing import TYPE_CHECKING

from aggregator.clippings import without_private_tags
from aggregator.errors import ConfigError, Diagnostic
from aggregator.fetch.domains import domain_of
from aggregator.match.tokens import Words, read_words
from aggregator.model import (
    Clipping,
    Config,
    Fetched,
    FetchFailed,
    Network,
    ParseFailed,
    Poll,
    Role,
    StoredEntry,
    Subscription,
)
from aggregator.run.match import (
    build_tag_vocabulary,
    load_matcher,
    load_vocabulary,
    match_fingerprint,
)
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.match.matcher import Matcher
    from aggregator.parse.pool import ParsingPool
    from aggregator.store import Store

BATCH_SIZE = 200  # entries matched at once
LINKS_FROM_STORIES = 1000  # the newest; their links suggest sources
MIN_CLIPPED, MIN_LINKED = 2, 5  # times, before a site is suggested
_LINK = re.compile(r'<a\b[^>]*\bhref="([^"]+)"')


def decide(
    entry: str,
    tag: str,
    confirmed: bool | None,
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    now: datetime,
) -> str | None:
    """Store the reader's decision about an entry and a tag, or remove it (``confirmed`` None).

    Return a message, or None if there is no such entry. Raises ConfigError for an unknown tag.
    """
    vocabulary, _ = load_vocabulary(config, clippings, store)
    key = vocabulary.key(tag)
    if key is None:
        names = [name for t in vocabulary.tags for name in (t.name, *t.aliases)]
        similar = get_close_matches(tag, names, 1)
        hint = f'; did you mean "{similar[0]}"?' if similar else ""
        raise ConfigError((Diagnostic(tag, None, f"unknown tag{hint}"),))
    story_entries = store.matches.find_entries(entry, urls.link_key(entry))
    if not story_entries:
        return None
    rows = [story_entry.stored.row for story_entry in story_entries]
    store.training.save_decision(rows, key, confirmed, now)
    name = next(t.name for t in vocabulary.tags if t.key == key)
    verb = {True: "belongs to", False: "does not belong to", None: "is matched again for"}
    title = story_entries[0].stored.entry.title
    return f'"{title}" {verb[confirmed]} #{name} from the next run or "aggregator retag" on'


@dataclass(frozen=True, slots=True)
class Moves:
    """Titles of the entries that would enter and leave a tag if all were matched again."""

    tag: str
    enters: tuple[str, ...]
    leaves: tuple[str, ...]


def preview_retag(
    config: Config, clippings: Sequence[Clipping], store: "Store", *, keep: bool = False
) -> list[Moves]:
    """What matching again would change, for the tags that change.

    ``keep``: store the trained model for the matching that follows.
    """
    vocabulary, all_clippings = load_vocabulary(config, clippings, store)
    unmatched = store.matches.unmatched_entries(match_fingerprint(vocabulary, store))
    matcher: Matcher | None = None
    enters: defaultdict[str, list[str]] = defaultdict(list)
    leaves: defaultdict[str, list[str]] = defaultdict(list)
    while batch := list(islice(unmatched, BATCH_SIZE)):
        matcher = matcher or load_matcher(config, vocabulary, all_clippings, store, keep=keep)
        stored_matches = store.training.matches_by_entry(entry.row for entry in batch)
        for entry, matches in matcher.match_all(batch):
            old = {m.tag for m in stored_matches.get(entry.row, ()) if not m.near}
            new = {m.tag for m in matches if not m.near}
            for tag in new - old:
                enters[tag].append(entry.entry.title)
            for tag in old - new:
                leaves[tag].append(entry.entry.title)
    names = {tag.key: tag.name for tag in vocabulary.tags}
    return [
        Moves(
            names.get(tag, tag),
            tuple(sorted(enters.get(tag, ()))),
            tuple(sorted(leaves.get(tag, ()))),
        )
        for tag in sorted({*enters, *leaves})
    ]


@dataclass(frozen=True, slots=True)
class PreviewedEntry:
    """``tags``: name and score of the tags it would belong to; ``nearly``: of those it nearly does."""

    title: str
    link: str | None
    tags: dict[str, float]
    nearly: dict[str, float]


@dataclass(frozen=True, slots=True)
class Preview:
    """The entries of a feed. ``trouble`` says why there are none."""

    url: str
    title: str = ""
    entries: tuple[PreviewedEntry, ...] = ()
    trouble: str | None = None


async def preview_feed(
    url: str,
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    fetcher: "Fetcher",
    parser: "ParsingPool",
    now: datetime,
    allow_private: tuple[Network, ...] = (),
) -> Preview:
    """Fetch a feed and match its entries. Only the vectors of an embedder are stored."""
    address = urls.redact(url)
    if not urls.is_web(url):
        return Preview(address, trouble="not a web address")
    key = urls.without_secrets(url)
    subscription = Subscription(url, address, key, allow_private=allow_private)
    outcome = await fetcher.fetch(Poll(subscription, url), now)
    if isinstance(outcome, FetchFailed):
        return Preview(address, trouble=outcome.reason)
    if not isinstance(outcome, Fetched):
        return Preview(address, trouble="it is gone for good, or its host asked us to wait")
    parsed = await parser.parse(outcome, now, None)
    if isinstance(parsed, ParseFailed):
        hint = f'"aggregator discover {address}" may find one'
        return Preview(address, trouble=f"{parsed.reason}; {hint}")
    vocabulary, all_clippings = load_vocabulary(config, clippings, store)
    matcher = load_matcher(config, vocabulary, all_clippings, store, keep=False)
    names = {tag.key: tag.name for tag in vocabulary.tags}
    entries = [
        StoredEntry(0, subscription.key, parsed.feed, Role.SUBSCRIPTION, entry, now, now)
        for entry in parsed.entries
    ]
    previews = [
        PreviewedEntry(
            entry.entry.title,
            entry.entry.link,
            {names[m.tag]: m.score for m in matches if not m.near},
            {names[m.tag]: m.score for m in matches if m.near},
        )
        for entry, matches in matcher.match_all(entries)
    ]
    return Preview(address, parsed.feed.title, tuple(previews))


@dataclass(frozen=True, slots=True)
class Sources:
    """``missing``: sites without a subscription, with the number of clippings from there and of
    published entries that link there. ``idle``: subscriptions without any match."""

    missing: tuple[tuple[str, int, int], ...]
    idle: tuple[str, ...]


def suggest_sources(config: Config, clippings: Sequence[Clipping], store: "Store") -> Sources:
    """Sites to subscribe to, and subscriptions that no tag ever matched."""
    _, all_clippings = load_vocabulary(config, clippings, store)
    subscribed = {domain_of(subscription.url) for subscription in config.subscriptions}
    clipped = Counter(domain_of(c.link) for c in all_clippings if c.link)
    linked: Counter[str] = Counter()
    for story in store.published.newest_published(LINKS_FROM_STORIES):
        entry = story.copies[0].stored.entry
        own_host = domain_of(entry.link) if entry.link else ""
        links = filter(urls.is_web, _LINK.findall(entry.content))
        linked.update(set(map(domain_of, links)) - {own_host})
    missing = sorted(
        (-clipped[host], -linked[host], host)
        for host in {*clipped, *linked} - subscribed
        if clipped[host] >= MIN_CLIPPED or linked[host] >= MIN_LINKED
    )
    entries, matches = store.feeds.entry_counts(), store.training.matched_counts()
    idle = sorted(
        subscription.title
        for subscription in config.subscriptions
        if entries.get(subscription.key) and not matches.get(subscription.key)
    )
    return Sources(tuple((host, -clips, -links) for clips, links, host in missing), tuple(idle))


@dataclass(frozen=True, slots=True)
class Alias:
    """Two tags that look like names of one subject, and why. ``tag`` has more clippings."""

    tag: str
    alias: str
    why: str


def suggest_aliases(config: Config, clippings: Sequence[Clipping]) -> list[Alias]:
    """Pairs of tags of the clippings that may be synonyms, and are not joined by an alias."""
    clippings = without_private_tags(clippings, config.tag_names)
    vocabulary = build_tag_vocabulary(config, clippings)
    tags = sorted(
        (tag for tag in vocabulary.tags if tag.clippings), key=lambda tag: (-tag.clippings, tag.key)
    )
    aliases = []
    for first, second in combinations(tags, 2):
        for is_similar, why in _SIMILARITIES:
            if is_similar(first.name, second.name):
                aliases.append(Alias(first.name, second.name, why))
                break
    return aliases


@cache  # each name is compared with each other name
def _words(name: str) -> Words:
    return read_words(name)


def _letters(name: str) -> str:
    return "".join(_words(name).folded)


def _have_same_letters(first: str, second: str) -> bool:
    return _letters(first) == _letters(second)


def _have_same_stems(first: str, second: str) -> bool:
    return any(_words(first).stems(code) == _words(second).stems(code) for code in ("fr", "en"))


def _are_initials(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    initials = "".join(word[0] for word in _words(long).folded)
    return len(initials) >= 2 and _letters(short) in (initials, initials.replace("t", "2"))


_SIMILARITIES: tuple[tuple[Callable[[str, str], bool], str], ...] = (
    (_have_same_letters, "the same letters"),
    (_have_same_stems, "forms of one word"),
    (_are_initials, "the initials"),
)
