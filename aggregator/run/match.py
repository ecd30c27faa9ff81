"""The middle of a run: learn from what the reader kept, match what was not yet matched.

    clippings, decisions, a sample of entries | learn | what was learned
    unmatched entries                         | match | store

What was learned is stored, so that a run in which no clipping is new learns nothing again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from aggregator.clippings import clipping_from_entry
from aggregator.match import Vocabulary, build_vocabulary
from aggregator.model import Clipping, Config, Entry, MatchedEntry
from aggregator.run.timing import StageTimer
from aggregator.text.folding import digest

if TYPE_CHECKING:
    from aggregator.match.matcher import Matcher
    from aggregator.match.tag_model import Embedder
    from aggregator.store import Store

SAMPLE = 2048  # entries that tell how common words are: more do not tell more
_FEWEST = 64
_AT_ONCE = 500  # entries whose matches are stored in one transaction


def match(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    timer: StageTimer,
    now: datetime,
    *,
    feeds: Collection[str] | None = None,
    kept: "MatcherCache | None" = None,
) -> int:
    """Match what was not yet matched with this knowledge; gives how many matches are new.

    Of some ``feeds`` only what can be with what was learned before: what is learned must not depend
    on which of them came first. ``kept`` is the matcher of the time before.
    """
    fingerprint = match_fingerprint(vocabulary, store)
    held = None if feeds is None else store.training.load_model(fingerprint)
    if feeds is not None and held is None:
        return 0
    unmatched = store.matches.unmatched_entries(fingerprint, feeds)
    first = next(unmatched, None)
    if first is None:  # the usual run: nothing is learned, nothing even read
        return 0
    with timer.stage("learn"):
        make = partial(load_matcher, config, vocabulary, clippings, store, fingerprint=fingerprint)
        if kept is None:
            matcher = make()
        else:
            matcher = kept.same((fingerprint, held, store.training.decisions()), make)
    new = 0
    matched: list[MatchedEntry] = []
    for stored, matches in matcher.match_all(chain([first], unmatched)):
        timer.add("match", entries=1)
        matched.append(MatchedEntry(stored.row, matches))
        if len(matched) == _AT_ONCE:
            new += store.matches.save(matched, fingerprint, now)
            matched = []
    return new + store.matches.save(matched, fingerprint, now)


class MatcherCache:
    """The matcher that was made last, for processes that outlive a run."""

    def __init__(self) -> None:
        self._key: object = None
        self._matcher: Matcher | None = None

    def same(self, key: object, make: "Callable[[], Matcher]") -> "Matcher":
        """The last one, if its ``key`` was the same, or a new one."""
        if self._matcher is None or key != self._key:
            self._key, self._matcher = key, make()
        return self._matcher


def load_vocabulary(
    config: Config, clippings: Sequence[Clipping], store: "Store"
) -> tuple[Vocabulary, list[Clipping]]:
    """The tags, and all clippings: those of the files and those of polled bookmark feeds."""
    polled = store.clippings.polled_entries(config.clippings_keys)
    every = [*clippings, *map(clipping_from_entry, polled)]
    return build_tag_vocabulary(config, every), every


def build_tag_vocabulary(config: Config, clippings: Sequence[Clipping]) -> Vocabulary:
    """The tags, and what else decides where an entry stands."""
    feeds = [repr((feed.name, feed.query)) for feed in config.feeds]
    if feeds:  # which may ask for the title of a subscription
        feeds += sorted(repr((s.key, s.title)) for s in config.subscriptions)
    feeds += config.publish.also
    if config.semantic:
        feeds.append("semantic")
    return build_vocabulary(clippings, config.tags, config.subscriptions, feeds)


def match_fingerprint(vocabulary: Vocabulary, store: "Store") -> str:
    """What an entry was matched with: whenever it changes, all are matched again.

    It changes with the vocabulary, and each time that the entries collected or the reader's
    decisions have doubled.
    """
    return digest(
        vocabulary.fingerprint,
        str(sample_size(store.training.count_entries())),
        str(_power_of_two(store.training.count_decisions())),
    )


def load_matcher(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    *,
    keep: bool = True,
    fingerprint: str | None = None,
) -> "Matcher":
    """The matcher of a run, with what was learned before or, if that is of other clippings,
    with what is learned now; ``keep`` stores that."""
    from aggregator.match.matcher import Matcher
    from aggregator.match.tag_model import Learned
    from aggregator.match.training import teacher_of

    fingerprint = fingerprint or match_fingerprint(vocabulary, store)
    decisions = store.training.decisions()
    embedder = make_embedder(config, store)
    held = store.training.load_model(fingerprint)
    if held is None:
        entries = background(store) if vocabulary.tags else []
        teacher = teacher_of(vocabulary, clippings, entries, decisions, embedder)
        held = teacher.learned().to_bytes()
        if keep:
            store.training.save_model(fingerprint, held)
    learned = Learned.from_bytes(held)  # even if just made: stored numbers are rounded
    return Matcher(vocabulary, clippings, config.subscriptions, learned, decisions, embedder)


def make_embedder(config: Config, store: "Store") -> "Embedder | None":
    """What tells what texts mean, if feeds.toml wants it; what it told is kept."""
    if not config.semantic:
        return None
    from aggregator.match.embedding import E5Embedder, RememberingEmbedder

    return RememberingEmbedder(E5Embedder(), store.training)


def background(store: "Store") -> list[Entry]:
    """The entries that tell how common words are."""
    return store.training.sample_entries(sample_size(store.training.count_entries()))


def sample_size(collected: int) -> int:
    """Of how many entries that is, where so many are collected."""
    size = min(_power_of_two(collected), SAMPLE)
    return size if size >= _FEWEST else 0


def _power_of_two(number: int) -> int:
    """The greatest that is not above ``number``, or 0."""
    return 1 << (number.bit_length() - 1) if number else 0
