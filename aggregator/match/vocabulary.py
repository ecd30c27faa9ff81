"""The reader's tags: learned from the clippings, refined by ``[tags."NAME"]`` in feeds.toml."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aggregator.model import Clipping, Subscription, Tag, TagSettings
from aggregator.text.folding import digest, fold

_VERSION = "4"  # change it when matching changes, so that stored entries are matched again


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every tag, with the key that each folded name or alias leads to.

    ``fingerprint`` changes whenever an entry might match otherwise than before.
    """

    tags: tuple[Tag, ...]
    keys: Mapping[str, str]
    fingerprint: str

    @property
    def names(self) -> dict[str, str]:
        """The key of every name and alias, as people spell them."""
        names = {name: tag.key for tag in self.tags for name in (tag.name, *tag.aliases)}
        # Of "economy/commons" nobody writes more than the last part, unless that is another tag.
        for tag in self.tags:
            last = tag.name.rpartition("/")[2].strip()
            if fold(last) and fold(last) not in self.keys:
                names.setdefault(last, tag.key)
        return names

    @property
    def numbers(self) -> dict[str, int]:
        """The place of each tag among ``tags``, by key."""
        return {tag.key: number for number, tag in enumerate(self.tags)}

    @property
    def excluded_phrases(self) -> dict[str, tuple[str, ...]]:
        """By key, the phrases in which a tag's names mean something else."""
        return {tag.key: tag.excluded_phrases for tag in self.tags if tag.excluded_phrases}

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
    named_elsewhere = [tag for subscription in subscriptions for tag in subscription.tags]
    named_elsewhere += [tag for setting in settings for tag in setting.broader]
    for tag in named_elsewhere:
        keys.setdefault(fold(tag), fold(tag))
        spellings.setdefault(fold(tag), Counter())[tag] += 0

    shown |= {tag: spelt.most_common(1)[0][0] for tag, spelt in spellings.items()}
    by_key = {fold(s.name): s for s in settings}
    phrases: defaultdict[str, list[str]] = defaultdict(list)
    for phrase, owner in sorted(keys.items()):
        phrases[owner].append(phrase)
    above = {key: _direct_broader(key, by_key.get(key), keys) for key in phrases}
    tags = tuple(
        replace(
            _tag(key, by_key.get(key), tuple(phrases[key]), shown, uses[key]),
            broader=_all_broader(key, above),
        )
        for key in sorted(phrases)
    )
    return Vocabulary(tags, keys, _fingerprint(tags, clippings, subscriptions, feeds))


def _direct_broader(
    key: str, setting: TagSettings | None, keys: Mapping[str, str]
) -> tuple[str, ...]:
    """The tags right above one: as feeds.toml says, and "economy" of "economy/commons"."""
    named = [keys[fold(name)] for name in (setting.broader if setting else ())]
    upper = keys.get(key.rpartition("/")[0].strip())
    return tuple(dict.fromkeys([*named, *([upper] if upper else [])]))


def _all_broader(key: str, above: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Every tag above one, each once; a circle of tags ends where it began."""
    found: dict[str, None] = {}
    waiting = list(above[key])
    while waiting:
        tag = waiting.pop(0)
        if tag != key and tag not in found:
            found[tag] = None
            waiting += above[tag]
    return tuple(found)


def _tag(
    key: str,
    setting: TagSettings | None,
    phrases: tuple[str, ...],
    shown: Mapping[str, str],
    clippings: int,
) -> Tag:
    name = setting.name if setting else shown[key]
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
        recall=setting.recall,
        excluded_phrases=setting.excluded_phrases,
        clippings=clippings,
    )


def _fingerprint(
    tags: Iterable[Tag],
    clippings: Iterable[Clipping],
    subscriptions: Iterable[Subscription],
    feeds: Iterable[str],
) -> str:
    parts = [_VERSION]
    parts += [
        repr(
            (
                tag.key,
                tag.name,
                tag.phrases,
                tag.rules,
                tag.excluded_phrases,
                tag.threshold,
                tag.recall,
                tag.broader,
            )
        )
        for tag in tags
    ]
    parts += sorted(repr((c.link, c.title, c.excerpt, c.tags)) for c in clippings)
    parts += sorted(repr((s.url, s.tags)) for s in subscriptions if s.tags)
    parts += feeds
    return digest(*parts)
