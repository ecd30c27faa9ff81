"""Decides in which output channels a story is, and which old stories may enter a live feed.

A new subscription, tag or alias, or a publisher that reissues its archive, would otherwise flood
people's feed readers with years of old entries.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial

from aggregator.match.vocabulary import Vocabulary
from aggregator.model import (
    ChannelKind,
    CombinedFeed,
    Config,
    EvidenceKind,
    MembershipChange,
    Role,
    Story,
    StoryEntry,
    Subscription,
)
from aggregator.text.folding import fold
from aggregator.text.labels import label_names
from aggregator.text.query import Query, Term, evaluate, parse_query, terms

_MAX_NEWS_AGE = timedelta(days=30)


def channel_key(kind: ChannelKind, name: str) -> str:
    """The `Channel.key` of the channel with this name."""
    return f"{kind.value}:{fold(name)}"


def expected_channels(vocabulary: Vocabulary, config: Config) -> dict[str, tuple[ChannelKind, str]]:
    """Kind and name of every channel that should exist, by its key."""
    named = [
        *((ChannelKind.TAG, tag.key, tag.name) for tag in vocabulary.tags),
        *((ChannelKind.QUERY, feed.name, feed.name) for feed in config.feeds),
        *((ChannelKind.OWN, name, name) for name in config.publish.also),
    ]
    return {channel_key(kind, key): (kind, name) for kind, key, name in named}


def unknown_tags(vocabulary: Vocabulary, feeds: Iterable[CombinedFeed]) -> list[str]:
    """A warning for each tag in a query that does not exist."""
    return [
        f'[[feeds]] "{feed.name}": unknown tag "{term.value}" (column {term.column})'
        for feed in feeds
        for term in terms(parse_query(feed.query))
        if term.field == "tag" and vocabulary.key(term.value) is None
    ]


class PlacementRules:
    """Which channels a story belongs to."""

    def __init__(self, vocabulary: Vocabulary, config: Config) -> None:
        self._queries = [
            (channel_key(ChannelKind.QUERY, feed.name), parse_query(feed.query))
            for feed in config.feeds
        ]
        self._own = frozenset(config.publish.also)
        self._matcher = QueryMatcher(vocabulary, config.subscriptions)
        self.keys = frozenset(expected_channels(vocabulary, config))

    def channels(self, story: Story) -> frozenset[str]:
        """The keys of the channels that ``story`` belongs to.

        Deleted and pruned stories belong to none, and clippings without a link cannot be published.
        A clipping without tags is not "unmatched": its reader gave it none.
        """
        if story.pruned:
            return frozenset()
        if all(_is_clipping(copy) and not copy.stored.entry.link for copy in story.copies):
            return frozenset()
        matches = [match for copy in story.copies for match in copy.matches]
        tags = {match.tag for match in matches if not match.near}
        keys = {channel_key(ChannelKind.TAG, tag) for tag in tags} & self.keys
        keys |= {key for key, query in self._queries if self._matcher.matches(query, story)}
        own = {"all"}
        if not tags and not all(map(_is_clipping, story.copies)):
            own |= {"unmatched", "near-miss"} if matches else {"unmatched"}
        keys |= {channel_key(ChannelKind.OWN, name) for name in own & self._own}
        return frozenset(keys)


class QueryMatcher:
    """Evaluates queries."""

    def __init__(self, vocabulary: Vocabulary, subscriptions: Iterable[Subscription]) -> None:
        self._vocabulary = vocabulary
        self._titles = {s.key: fold(s.title) for s in subscriptions}

    def matches(self, query: Query, story: Story) -> bool:
        """Whether ``query`` is true for ``story``. A term is true if it is for one of its copies."""
        return evaluate(query, partial(self._matches_term, story))

    def _matches_term(self, story: Story, term: Term) -> bool:
        return any(self._copy_matches(copy, term) for copy in story.copies)

    def _copy_matches(self, copy: StoryEntry, term: Term) -> bool:
        stored, value = copy.stored, term.value
        entry = stored.entry
        tests: Mapping[str, Callable[[], bool]] = {
            "tag": lambda: any(
                match.tag == self._vocabulary.key(value) and not match.near
                for match in copy.matches
            ),
            "lang": lambda: fold(entry.language or "").split(" ")[0] == value.split(" ")[0],
            "source": lambda: (
                value in self._titles.get(stored.feed_url, "") or value in fold(stored.feed.title)
            ),
            "title": lambda: _contains_words(entry.title, value),
            "text": lambda: _contains_words(f"{entry.title}\n{entry.text}", value),
            "category": lambda: any(
                value == fold(name)
                for c in entry.categories
                for name in label_names(c.label or c.term)
            ),
            "author": lambda: any(value in fold(author.name) for author in entry.authors),
            "is": lambda: _is_clipping(copy) or _is_clipped(copy),
        }
        return tests[term.field]()


def _contains_words(text: str, words: str) -> bool:
    """Whether ``text`` contains ``words`` as whole words."""
    return f" {_fold_words(words)} " in f" {_fold_words(text)} "


def _fold_words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in fold(text)).split())


def _is_clipping(copy: StoryEntry) -> bool:
    return copy.stored.role is Role.CLIPPINGS


def _is_clipped(copy: StoryEntry) -> bool:
    return any(e.kind is EvidenceKind.CLIPPED for m in copy.matches for e in m.evidence)


def _is_late(story: Story) -> bool:
    """Whether a story that enters a channel is old.

    It is if it was published before in some channel, came with a new subscription, or was more
    than 30 days old when it was first seen. What the reader clips is never old.
    """
    if any(map(_is_clipping, story.copies)):
        return False
    return story.ever_published or all(map(_is_old, story.copies))


def _is_old(copy: StoryEntry) -> bool:
    stored = copy.stored
    date = stored.entry.published or stored.entry.updated
    return stored.came_with_feed or (
        date is not None and stored.first_seen_at - date > _MAX_NEWS_AGE
    )


def place(story: Story, current: frozenset[str], rules: PlacementRules) -> MembershipChange:
    """The channels that ``story``, now in the channels ``current``, enters and leaves.

    A story stays in channels that no longer exist, unless it was deleted or pruned itself.
    """
    exists = bool(story.copies) and not story.pruned
    expected = rules.channels(story)
    leaves = (current & rules.keys if exists else current) - expected
    late = _is_late(story) if exists else True
    return MembershipChange(story.row, story.id, story.updated, late, expected - current, leaves)


def choose_live(changes: Iterable[MembershipChange], backfill: int) -> set[tuple[str, int]]:
    """The (channel, story) pairs that enter live feeds.

    These are all that are not late, and the newest ``backfill`` late ones of each channel.
    """
    live: set[tuple[str, int]] = set()
    late: defaultdict[str, list[MembershipChange]] = defaultdict(list)  # by channel
    for change in changes:
        for channel in change.enters:
            if change.late:
                late[channel].append(change)
            else:
                live.add((channel, change.story))
    for channel, late_changes in late.items():
        by_id = sorted(late_changes, key=lambda change: change.id)
        newest = sorted(by_id, key=lambda change: change.date, reverse=True)
        live |= {(channel, change.story) for change in newest[:backfill]}
    return live
