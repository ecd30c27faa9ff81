"""The second step of a run: train a model on the clippings, and match the unmatched entries.

The model is stored. A run trains again only if the clippings, the settings or the reader's decisions
changed, or if the number of collected entries doubled.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from aggregator.clippings import clipping_from_entry, without_private_tags
from aggregator.match import Vocabulary, build_vocabulary
from aggregator.model import Clipping, Config, Entry, MatchedEntry, Role
from aggregator.run.timing import StageTimer
from aggregator.text.folding import digest

if TYPE_CHECKING:
    from aggregator.match.matcher import Matcher
    from aggregator.match.text_vectors import Embedder
    from aggregator.store import Store

# How common a word is, is learned from a sample of the entries. More than 2,048 change nothing.
MAX_SAMPLE_SIZE = 2048
MIN_SAMPLE_SIZE = 64
BATCH_SIZE = 500  # entries whose matches are stored in one transaction


def match(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    timer: StageTimer,
    now: datetime,
    *,
    feeds: Collection[str] | None = None,
    cache: "MatcherCache | None" = None,
) -> int:
    """Match the entries that were not yet matched with this vocabulary; return the new matches.

    With ``feeds``, match only entries of these, and only if a model exists: a model must not depend
    on the polling order. ``cache`` keeps the matcher in a process that lives longer than a run.
    """
    fingerprint = match_fingerprint(vocabulary, store)
    model = None if feeds is None else store.training.load_model(fingerprint)
    if feeds is not None and model is None:
        return 0
    unmatched = store.matches.unmatched_entries(fingerprint, feeds)
    first = next(unmatched, None)
    if first is None:  # the usual run: load and train nothing
        return 0
    with timer.stage("learn"):
        make = partial(load_matcher, config, vocabulary, clippings, store, fingerprint=fingerprint)
        if cache is None:
            matcher = make()
        else:
            matcher = cache.get((fingerprint, model, store.training.decisions()), make)
    new_matches = 0
    batch: list[MatchedEntry] = []
    for entry, matches in matcher.match_all(chain([first], unmatched)):
        timer.add("match", entries=1)
        batch.append(MatchedEntry(entry.row, matches))
        if len(batch) == BATCH_SIZE:
            new_matches += store.matches.save(batch, fingerprint, now)
            batch = []
    return new_matches + store.matches.save(batch, fingerprint, now)


class MatcherCache:
    """Keeps the last matcher, for processes that live longer than a run."""

    def __init__(self) -> None:
        self._key: object = None
        self._matcher: Matcher | None = None

    def get(self, key: object, make: "Callable[[], Matcher]") -> "Matcher":
        """The last matcher if it has this ``key``, else a new one."""
        if self._matcher is None or key != self._key:
            self._key, self._matcher = key, make()
        return self._matcher


def load_vocabulary(
    config: Config, clippings: Sequence[Clipping], store: "Store"
) -> tuple[Vocabulary, list[Clipping]]:
    """The tags, and all clippings: those of the files and those of polled bookmark feeds.

    No tag is known that only private clippings have, unless feeds.toml names it.
    """
    all_clippings = [*clippings]
    for role in (Role.CLIPPINGS, Role.PRIVATE_CLIPPINGS):
        is_private = role is Role.PRIVATE_CLIPPINGS
        for key in sorted(config.keys(role)):
            entries = store.clippings.polled_entries(key)
            all_clippings += (clipping_from_entry(e, key, private=is_private) for e in entries)
    all_clippings = without_private_tags(all_clippings, config.tag_names)
    return build_tag_vocabulary(config, all_clippings), all_clippings


def build_tag_vocabulary(config: Config, clippings: Sequence[Clipping]) -> Vocabulary:
    """The tags. Its fingerprint also covers the settings that decide where an entry is published."""
    settings = [repr((feed.name, feed.query)) for feed in config.feeds]
    if settings:  # a query may ask for the title of a subscription
        settings += sorted(repr((s.key, s.title)) for s in config.subscriptions)
    settings += config.publish.also
    if config.semantic:
        settings.append("semantic")
    return build_vocabulary(clippings, config.tags, config.subscriptions, settings)


def match_fingerprint(vocabulary: Vocabulary, store: "Store") -> str:
    """Digest of what an entry is matched with. When it changes, all entries are matched again.

    It changes with the vocabulary, and each time that the number of collected entries or of the
    reader's decisions has doubled.
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
    """The matcher, with the stored model if it has this fingerprint, else with a new model.

    ``keep``: store a new model.
    """
    from aggregator.match.matcher import Matcher
    from aggregator.match.tag_model import TagModel
    from aggregator.match.training import Trainer

    fingerprint = fingerprint or match_fingerprint(vocabulary, store)
    decisions = store.training.decisions()
    embedder = make_embedder(config, store)
    data = store.training.load_model(fingerprint)
    if data is None:
        entries = background(store) if vocabulary.tags else []
        trainer = Trainer(vocabulary, clippings, entries, decisions, embedder)
        data = trainer.train().to_bytes()
        if keep:
            store.training.save_model(fingerprint, data)
    model = TagModel.from_bytes(data)  # also a new one, since stored numbers are rounded
    return Matcher(vocabulary, clippings, config.subscriptions, model, decisions, embedder)


def make_embedder(config: Config, store: "Store") -> "Embedder | None":
    """The embedder, if feeds.toml enables it; its vectors are stored."""
    if not config.semantic:
        return None
    from aggregator.match.embedding import CachedEmbedder, E5Embedder

    return CachedEmbedder(E5Embedder(), store.training)


def background(store: "Store") -> list[Entry]:
    """The sample of collected entries from which the frequency of words is learned."""
    return store.training.sample_entries(sample_size(store.training.count_entries()))


def sample_size(collected: int) -> int:
    """The size of the sample, where ``collected`` entries are stored."""
    size = min(_power_of_two(collected), MAX_SAMPLE_SIZE)
    return size if size >= MIN_SAMPLE_SIZE else 0


def _power_of_two(number: int) -> int:
    """The greatest power of two that is at most ``number``; 0 for 0."""
    return 1 << (number.bit_length() - 1) if number else 0
