"""The reader's tags: collected from the clippings, refined by ``[tags."NAME"]`` in feeds.toml."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from aggregator.model import Clipping, Subscription, Tag, TagSettings
from aggregator.text.folding import digest, fold

_VERSION = "5"  # increase it when matching changes, so that stored entries are matched again
_matching_fields = attrgetter(
    "key", "name", "phrases", "rules", "excluded_phrases", "threshold", "recall", "broader"
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every tag, with the tag key of each folded name or alias.

    ``fingerprint`` changes whenever the matches of an entry might change.
    """

    tags: tuple[Tag, ...]
    keys: Mapping[str, str]
    fingerprint: str

    @property
    def names(self) -> dict[str, str]:
        """The tag key of every name and alias, as people spell them."""
        names = {name: tag.key for tag in self.tags for name in (tag.name, *tag.aliases)}
        # In texts, "economy/commons" is just "commons", unless that is another tag.
        for tag in self.tags:
            last = tag.name.rpartition("/")[2].strip()
            if fold(last) and fold(last) not in self.keys:
                names.setdefault(last, tag.key)
        return names

    @property
    def tag_indices(self) -> dict[str, int]:
        """The index of each tag in ``tags``, by key."""
        return {tag.key: index for index, tag in enumerate(self.tags)}

    @property
    def excluded_phrases(self) -> dict[str, tuple[str, ...]]:
        """By tag key, the phrases in which the tag's names mean something else."""
        return {tag.key: tag.excluded_phrases for tag in self.tags if tag.excluded_phrases}

    def key(self, name: str) -> str | None:
        """The key of the tag with this name or alias, whatever its case, accents and separators."""
        return self.keys.get(fold(name))


def build_vocabulary(
    clippings: Sequence[Clipping],
    settings: Sequence[TagSettings],
    subscriptions: Sequence[Subscription],
    placement_settings: Sequence[str] = (),
) -> Vocabulary:
    """Join spellings by folding and synonyms by alias.

    A tag is shown as feeds.toml spells it, else in the reader's commonest spelling (the first of
    several). ``settings`` are valid: no alias belongs to two tags. ``placement_settings`` decide
    where an entry is published; only the fingerprint depends on them.
    """
    settings_by_key = {fold(setting.name): setting for setting in settings}
    keys = {key: key for key in settings_by_key}
    keys |= {fold(alias): fold(s.name) for s in settings for alias in s.aliases}
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    clipping_counts: Counter[str] = Counter()
    for clipping in clippings:
        names = [name for name in clipping.tags if fold(name)]
        for name in names:
            keys.setdefault(fold(name), fold(name))
            spellings[fold(name)][name] += 1
        clipping_counts.update({keys[fold(name)] for name in names})
    for owner in (*(s.tags for s in subscriptions), *(s.broader for s in settings)):
        for name in owner:
            keys.setdefault(fold(name), fold(name))
            spellings[fold(name)][name] += 0

    shown = {fold(alias): alias for setting in settings for alias in setting.aliases}
    shown |= {name: counts.most_common(1)[0][0] for name, counts in spellings.items()}
    phrases: defaultdict[str, list[str]] = defaultdict(list)  # by key
    for phrase, key in sorted(keys.items()):
        phrases[key].append(phrase)
    direct_broader = {key: _direct_broader(key, settings_by_key.get(key), keys) for key in phrases}
    tags = []
    for key in sorted(phrases):
        setting = settings_by_key.get(key) or TagSettings(shown[key])
        tags.append(
            Tag(
                key,
                setting.name,
                tuple(phrases[key]),
                tuple(shown[phrase] for phrase in phrases[key] if phrase != key),
                rules=setting.match,
                title=setting.title,
                description=setting.description,
                threshold=setting.threshold,
                recall=setting.recall,
                excluded_phrases=setting.excluded_phrases,
                broader=_all_broader(key, direct_broader),
                clippings=clipping_counts[key],
            )
        )
    fingerprint = _fingerprint(tags, clippings, subscriptions, placement_settings)
    return Vocabulary(tuple(tags), keys, fingerprint)


def _direct_broader(
    key: str, setting: TagSettings | None, keys: Mapping[str, str]
) -> tuple[str, ...]:
    """The tags one level above: as feeds.toml says, and "economy" for "economy/commons"."""
    names = [fold(name) for name in setting.broader] if setting else []
    parent = keys.get(key.rpartition("/")[0].strip())
    return tuple(dict.fromkeys([*(keys[name] for name in names), *([parent] if parent else [])]))


def _all_broader(key: str, direct_broader: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The tags on all levels above, nearest first, each once, even if they form a circle."""
    broader: dict[str, None] = {}
    queue = list(direct_broader[key])
    while queue:
        tag = queue.pop(0)
        if tag != key and tag not in broader:
            broader[tag] = None
            queue += direct_broader[tag]
    return tuple(broader)


def _fingerprint(
    tags: Iterable[Tag],
    clippings: Iterable[Clipping],
    subscriptions: Iterable[Subscription],
    placement_settings: Iterable[str],
) -> str:
    return digest(
        _VERSION,
        *(repr(_matching_fields(tag)) for tag in tags),
        *sorted(
            f"{(c.link, c.title, c.excerpt, c.tags)}{'private' * c.private}" for c in clippings
        ),
        *sorted(repr((s.url, s.tags)) for s in subscriptions if s.tags),
        *placement_settings,
    )
