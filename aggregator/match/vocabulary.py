"""The reader's tags: learned from the clippings, refined by ``[tags."NAME"]`` in feeds.toml."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aggregator.folding import digest, fold
from aggregator.model import Clipping, Subscription, Tag, TagSettings

_VERSION = "2"  # change it when matching changes, so that stored entries are matched again


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every tag, with the key that each folded name or alias leads to.

    ``fingerprint`` changes whenever an entry might match otherwise than before.
    """

    tags: tuple[Tag, ...]
    keys: Mapping[str, str]
    fingerprint: str

    def key(self, name: str) -> str | None:
        """The tag that ``name`` spells, whatever its case, accents and separators."""
        return self.keys.get(fold(name))


def build_vocabulary(
    clippings: Sequence[Clipping],
    settings: Sequence[TagSettings],
    subscriptions: Sequence[Subscription],
    feeds: Sequence[str] = (),
) -> Vocabulary:
    """Join spellings by folding and synonyms by alias.

    A tag is shown as feeds.toml writes it, else in the reader's commonest spelling (of equals,
    the first). ``settings`` were checked: no alias belongs to two tags. ``feeds`` says what else
    decides where an entry is published; only the fingerprint depends on it.
    """
    keys = {fold(s.name): fold(s.name) for s in settings}
    shown = {fold(alias): alias for s in settings for alias in s.aliases}
    for setting in settings:
        keys |= {fold(alias): fold(setting.name) for alias in setting.aliases}
    spellings: dict[str, Counter[str]] = {}
    uses: Counter[str] = Counter()
    for clipping in clippings:
        named = [tag for tag in clipping.tags if fold(tag)]
        for tag in named:
            keys.setdefault(fold(tag), fold(tag))
            spellings.setdefault(fold(tag), Counter())[tag] += 1
        uses.update({keys[fold(tag)] for tag in named})
    for tag in (tag for subscription in subscriptions for tag in subscription.tags):
        keys.setdefault(fold(tag), fold(tag))
        spellings.setdefault(fold(tag), Counter())[tag] += 0

    shown |= {tag: spelt.most_common(1)[0][0] for tag, spelt in spellings.items()}
    by_key = {fold(s.name): s for s in settings}
    tags = tuple(
        _tag(key, by_key.get(key), keys, shown, uses[key]) for key in sorted(set(keys.values()))
    )
    return Vocabulary(tags, keys, _fingerprint(tags, clippings, subscriptions, feeds))


def _tag(
    key: str,
    setting: TagSettings | None,
    keys: Mapping[str, str],
    shown: Mapping[str, str],
    clippings: int,
) -> Tag:
    name = setting.name if setting else shown[key]
    phrases = tuple(sorted(phrase for phrase, owner in keys.items() if owner == key))
    aliases = tuple(shown[phrase] for phrase in phrases if phrase != key)
    if setting is None:
        return Tag(key, name, phrases, aliases, clippings=clippings)
    return Tag(
        key,
        name,
        phrases,
        aliases,
        rules=setting.match,
        title=setting.title,
        description=setting.description,
        threshold=setting.threshold,
        clippings=clippings,
    )


def _fingerprint(
    tags: Iterable[Tag],
    clippings: Iterable[Clipping],
    subscriptions: Iterable[Subscription],
    feeds: Iterable[str],
) -> str:
    parts = [_VERSION]
    parts += [repr((tag.key, tag.phrases, tag.rules, tag.threshold)) for tag in tags]
    parts += sorted(repr((c.link, c.title, c.tags)) for c in clippings)
    parts += sorted(repr((s.url, s.tags)) for s in subscriptions if s.tags)
    parts += feeds
    return digest(*parts)
