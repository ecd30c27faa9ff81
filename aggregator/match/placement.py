"""In which output feeds a story stands, and how much that is no news may enter them. Pure.

A new subscription, tag or alias, or a publisher that re-issues its archive, would otherwise
fill people's readers with years of old entries in one hour.
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
from aggregator.text.query import Query, Term, evaluate, parse_query, terms

_STALE = timedelta(days=30)


def channel_key(kind: ChannelKind, name: str) -> str:
    """The `Channel.key` of what is called ``name``."""
    return f"{kind.value}:{fold(name)}"


def expected_channels(vocabulary: Vocabulary, config: Config) -> dict[str, tuple[ChannelKind, str]]:
    """Kind and name of every output feed there should be, by its key."""
    named = [
        *((ChannelKind.TAG, tag.key, tag.name) for tag in vocabulary.tags),
        *((ChannelKind.QUERY, feed.name, feed.name) for feed in config.feeds),
        *((ChannelKind.OWN, name, name) for name in config.publish.also),
    ]
    return {channel_key(kind, key): (kind, name) for kind, key, name in named}


def unknown_tags(vocabulary: Vocabulary, feeds: Iterable[CombinedFeed]) -> list[str]:
    """What the operator should know of queries that name tags which nobody has."""
    return [
        f'[[feeds]] "{feed.name}": no tag is called "{term.value}" (column {term.column})'
        for feed in feeds
        for term in terms(parse_query(feed.query))
        if term.field == "tag" and vocabulary.key(term.value) is None
    ]


class PlacementRules:
    """Which channels a story belongs to."""

    def __init__(self, vocabulary: Vocabulary, config: Config) -> None:
        self._vocabulary = vocabulary
        self._queries = [
            (channel_key(ChannelKind.QUERY, feed.name), parse_query(feed.query))
            for feed in config.feeds
        ]
        self._own = frozenset(config.publish.also)
        self._finder = QueryMatcher(vocabulary, config.subscriptions)
        self.keys = frozenset(expected_channels(vocabulary, config))

    def channels(self, story: Story) -> frozenset[str]:
        """The keys of the channels that ``story`` belongs to.

        A clipping is of no tag only if the reader gave it none, and nobody can read one that has
        no link: those are known, and not published. So is what was pruned.
        """
        if story.pruned:
            return frozenset()
        if all(_is_clipping(copy) and not copy.stored.entry.link for copy in story.copies):
            return frozenset()
        matches = [match for copy in story.copies for match in copy.matches]
        tags = {match.tag for match in matches if not match.near}
        found = {channel_key(ChannelKind.TAG, tag) for tag in tags} & self.keys
        found |= {key for key, query in self._queries if self._finder.finds(query, story)}
        own = {"all"}
        if not tags and not all(map(_is_clipping, story.copies)):
            own |= {"unmatched", "near-miss"} if matches else {"unmatched"}
        found |= {channel_key(ChannelKind.OWN, name) for name in own & self._own}
        return frozenset(found)


class QueryMatcher:
    """Which stories a query finds."""

    def __init__(self, vocabulary: Vocabulary, subscriptions: Iterable[Subscription]) -> None:
        self._vocabulary = vocabulary
        self._titles = {s.key: fold(s.title) for s in subscriptions}

    def finds(self, query: Query, story: Story) -> bool:
        """Whether ``query`` is true of ``story``: each term of one of its copies."""
        return evaluate(query, partial(self._is_true, story))

    def _is_true(self, story: Story, term: Term) -> bool:
        return any(self._is_true_of(copy, term) for copy in story.copies)

    def _is_true_of(self, copy: StoryEntry, term: Term) -> bool:
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
            "title": lambda: _has_words(entry.title, value),
            "text": lambda: _has_words(f"{entry.title}\n{entry.text}", value),
            "category": lambda: any(value == fold(c.label or c.term) for c in entry.categories),
            "author": lambda: any(value in fold(author.name) for author in entry.authors),
            "is": lambda: _is_clipping(copy) or _is_clipped(copy),
        }
        return tests[term.field]()


def _has_words(text: str, words: str) -> bool:
    """Whether ``words`` (folded) stand in ``text``, as whole words."""
    return f" {_only_words(words)} " in f" {_only_words(text)} "


def _only_words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in fold(text)).split())


def _is_clipping(copy: StoryEntry) -> bool:
    return copy.stored.role is Role.CLIPPINGS


def _is_clipped(copy: StoryEntry) -> bool:
    return any(e.kind is EvidenceKind.CLIPPED for m in copy.matches for e in m.evidence)


def is_late(story: Story) -> bool:
    """Whether a story that enters a feed is old: it was there before the feed wanted it, or came
    with its subscription, or was published more than 30 days before we saw it. What the reader
    clips never is."""
    if any(map(_is_clipping, story.copies)):
        return False
    return story.ever_published or all(map(_is_old, story.copies))


def _is_old(copy: StoryEntry) -> bool:
    stored = copy.stored
    claimed = stored.entry.published or stored.entry.updated
    stale = claimed is not None and stored.first_seen_at - claimed > _STALE
    return stored.came_with_feed or stale


def place(story: Story, now_in: frozenset[str], rules: PlacementRules) -> MembershipChange:
    """Where ``story``, which stands in the channels ``now_in``, must come and go.

    A feed that has ended keeps what it has, unless the story itself is no more.
    """
    there = bool(story.copies) and not story.pruned
    wanted = rules.channels(story) if there else frozenset[str]()
    leaves = (now_in & rules.keys if there else now_in) - wanted
    late = is_late(story) if there else True
    return MembershipChange(story.row, story.id, story.updated, late, wanted - now_in, leaves)


def choose_live(
    membership_changes: Iterable[MembershipChange], backfill: int
) -> set[tuple[str, int]]:
    """(channel, story) of what enters the live feeds: all news, and of the rest the newest
    ``backfill`` of each channel."""
    live, late = set(), defaultdict(list)
    for membership_change in membership_changes:
        for channel in membership_change.enters:
            if membership_change.late:
                late[channel].append(membership_change)
            else:
                live.add((channel, membership_change.story))
    for channel, old in late.items():
        newest = sorted(sorted(old, key=lambda p: p.id), key=lambda p: p.date, reverse=True)
        live |= {(channel, membership_change.story) for membership_change in newest[:backfill]}
    return live
