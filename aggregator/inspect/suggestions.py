"""What the reader is told before deciding: what would change, what a source would give, what is
missing from feeds.toml."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from itertools import combinations, islice
from typing import TYPE_CHECKING

from aggregator.errors import ConfigError, Diagnostic
from aggregator.fetch.domains import domain_of
from aggregator.match.matcher import Matcher
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
    from aggregator.parse.pool import ParsingPool
    from aggregator.store import Store

_AT_ONCE = 200
_READ_STORIES = 1000  # the newest, for the links in them
_CLIPPED_OFTEN, _LINKED_OFTEN = 2, 5
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
    """Keep the reader's word on an entry, or take it back (None); gives what to say.

    None if there is no such entry. Raises ConfigError if there is no such tag.
    """
    vocabulary, _ = load_vocabulary(config, clippings, store)
    key = vocabulary.key(tag)
    if key is None:
        names = [name for known in vocabulary.tags for name in (known.name, *known.aliases)]
        near = get_close_matches(tag, names, 1)
        did_you_mean = f'; did you mean "{near[0]}"?' if near else ""
        raise ConfigError((Diagnostic(tag, None, f"no tag is called so{did_you_mean}"),))
    copies = store.matches.find_entries(entry, urls.link_key(entry))
    if not copies:
        return None
    store.training.save_decision([copy.stored.row for copy in copies], key, confirmed, now)
    name = next(known.name for known in vocabulary.tags if known.key == key)
    said = {True: "belongs to", False: "does not belong to", None: "is left to the matching for"}
    title = copies[0].stored.entry.title
    return f'"{title}" {said[confirmed]} #{name}, from the next run or "aggregator retag" on'


@dataclass(frozen=True, slots=True)
class Moves:
    """Titles of the entries that come to a tag and that go, were it all matched again now."""

    tag: str
    enters: tuple[str, ...]
    leaves: tuple[str, ...]


def changes(
    config: Config, clippings: Sequence[Clipping], store: "Store", *, keep: bool = False
) -> list[Moves]:
    """What another matching would change, by tag; only tags for which something does.

    ``keep`` stores what is learned for it, for the matching that follows.
    """
    vocabulary, kept = load_vocabulary(config, clippings, store)
    unmatched = store.matches.unmatched_entries(match_fingerprint(vocabulary, store))
    matcher: Matcher | None = None
    enters: dict[str, list[str]] = {}
    leaves: dict[str, list[str]] = {}
    while some := list(islice(unmatched, _AT_ONCE)):
        matcher = matcher or load_matcher(config, vocabulary, kept, store, keep=keep)
        held = store.training.matches_by_entry(stored.row for stored in some)
        for stored, matches in matcher.match_all(some):
            old = {match.tag for match in held.get(stored.row, ()) if not match.near}
            new = {match.tag for match in matches if not match.near}
            for tag in new - old:
                enters.setdefault(tag, []).append(stored.entry.title)
            for tag in old - new:
                leaves.setdefault(tag, []).append(stored.entry.title)
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
    """``tags`` are the names and scores of those it would belong to, ``nearly`` of those it would
    nearly."""

    title: str
    link: str | None
    tags: dict[str, float]
    nearly: dict[str, float]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a feed would give. ``trouble`` is why nothing can be said."""

    url: str
    title: str = ""
    entries: tuple[PreviewedEntry, ...] = ()
    trouble: str | None = None


async def preview_feed(
    url: str,
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    visitor: "Fetcher",
    parser: "ParsingPool",
    now: datetime,
    allow_private: tuple[Network, ...] = (),
) -> Preview:
    """Fetch a feed and match its entries; nothing of it is stored but what texts mean."""
    shown = urls.redact(url)
    if not urls.is_web(url):
        return Preview(shown, trouble="no web address")
    subscription = Subscription(url, shown, urls.without_secrets(url), allow_private=allow_private)
    outcome = await visitor.fetch(Poll(subscription, url), now)
    if isinstance(outcome, FetchFailed):
        return Preview(shown, trouble=outcome.reason)
    if not isinstance(outcome, Fetched):
        return Preview(shown, trouble="it is gone for good, or its host asked us to wait")
    parsed = await parser.parse(outcome, now, None)
    if isinstance(parsed, ParseFailed):
        return Preview(
            shown, trouble=f'{parsed.reason}; "aggregator discover {shown}" may find one'
        )
    vocabulary, kept = load_vocabulary(config, clippings, store)
    matcher = load_matcher(config, vocabulary, kept, store, keep=False)
    names = {tag.key: tag.name for tag in vocabulary.tags}
    stored = [
        StoredEntry(0, subscription.key, parsed.feed, Role.SUBSCRIPTION, entry, now, now)
        for entry in parsed.entries
    ]
    entries = [
        PreviewedEntry(
            one.entry.title,
            one.entry.link,
            {names[match.tag]: match.score for match in matches if not match.near},
            {names[match.tag]: match.score for match in matches if match.near},
        )
        for one, matches in matcher.match_all(stored)
    ]
    return Preview(shown, parsed.feed.title, tuple(entries))


@dataclass(frozen=True, slots=True)
class Sources:
    """``missing`` are sites that are not subscribed to: how often they were clipped, and how many
    published entries link there. ``idle`` are the subscriptions of which no entry ever matched."""

    missing: tuple[tuple[str, int, int], ...]
    idle: tuple[str, ...]


def suggest_sources(config: Config, clippings: Sequence[Clipping], store: "Store") -> Sources:
    """Where the reader reads, and where nothing comes from."""
    _, kept = load_vocabulary(config, clippings, store)
    known = {domain_of(subscription.url) for subscription in config.subscriptions}
    clipped = Counter(domain_of(clipping.link) for clipping in kept if clipping.link)
    linked: Counter[str] = Counter()
    for story in store.published.newest_published(_READ_STORIES):
        entry = story.copies[0].stored.entry
        own = domain_of(entry.link) if entry.link else ""
        hosts = {domain_of(link) for link in _LINK.findall(entry.content) if urls.is_web(link)}
        linked.update(hosts - {own})
    missing = sorted(
        (-clipped[host], -linked[host], host)
        for host in {*clipped, *linked} - known
        if clipped[host] >= _CLIPPED_OFTEN or linked[host] >= _LINKED_OFTEN
    )
    counts, matched = store.feeds.entry_counts(), store.training.matched_counts()
    idle = (
        subscription.title
        for subscription in config.subscriptions
        if counts.get(subscription.key) and not matched.get(subscription.key)
    )
    return Sources(
        tuple((host, -times, -links) for times, links, host in missing), tuple(sorted(idle))
    )


@dataclass(frozen=True, slots=True)
class Alias:
    """Two tags that look like names of one thing, and why. ``tag`` has more clippings."""

    tag: str
    alias: str
    why: str


def suggest_aliases(config: Config, clippings: Sequence[Clipping]) -> list[Alias]:
    """Pairs of tags of the clippings that are joined nowhere yet."""
    vocabulary = build_tag_vocabulary(config, clippings)
    tags = sorted(
        (tag for tag in vocabulary.tags if tag.clippings), key=lambda tag: (-tag.clippings, tag.key)
    )
    found = []
    for one, other in combinations(tags, 2):
        for same, why in _LIKENESSES:
            if same(one.name, other.name):
                found.append(Alias(one.name, other.name, why))
                break
    return found


@cache
def _words(name: str) -> Words:
    """Read once, since each name is compared with every other."""
    return read_words(name)


def _letters(name: str) -> str:
    return "".join(_words(name).folded)


def _same_letters(one: str, other: str) -> bool:
    return _letters(one) == _letters(other)


def _same_stems(one: str, other: str) -> bool:
    return any(_words(one).stems(code) == _words(other).stems(code) for code in ("fr", "en"))


def _is_initials(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    initials = "".join(word[0] for word in _words(long).folded)
    return len(initials) >= 2 and _letters(short) in (initials, initials.replace("t", "2"))


_LIKENESSES: tuple[tuple[Callable[[str, str], bool], str], ...] = (
    (_same_letters, "the same letters"),
    (_same_stems, "forms of one word"),
    (_is_initials, "the initials"),
)
