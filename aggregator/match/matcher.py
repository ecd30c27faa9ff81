"""Which tags an entry belongs to, and why."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from aggregator.match.phrases import Phrases, surfaces
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import (
    Clipping,
    Evidence,
    EvidenceKind,
    Match,
    Role,
    StoredEntry,
    Subscription,
)
from aggregator.urls import link_key

DEFAULT_THRESHOLD = 0.55

# Chance that evidence alone makes the match right. A word in the title or two in the lead are
# enough; a single mention in a long body is not, unless other evidence agrees.
_CLIPPED = 1.0
_SUBSCRIPTION = 1.0
_CATEGORY = 0.9
_RULE = 0.9
_PHRASE = {"title": (0.6, 0.9), "lead": (0.4, 0.6), "body": (0.2, 0.35)}  # one word, several
_NEAR = 0.6  # of the threshold
_LEAD_CHARACTERS = 300
_MOST_MENTIONS = 3


class Matcher:
    """Matching is a pure function of (vocabulary, clippings, entry); this holds the first two."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        subscriptions: Sequence[Subscription],
    ) -> None:
        self._vocabulary = vocabulary
        self._phrases = Phrases(vocabulary.keys)
        self._thresholds = {tag.key: tag.threshold for tag in vocabulary.tags if tag.threshold}
        self._rules = [
            (tag.key, re.compile(rule, re.IGNORECASE))
            for tag in vocabulary.tags
            for rule in tag.rules
        ]
        self._clipped: defaultdict[str, list[Clipping]] = defaultdict(list)
        for clipping in clippings:
            if clipping.link:
                self._clipped[link_key(clipping.link)].append(clipping)
        self._subscriptions = {s.key: s for s in subscriptions if s.tags}

    def threshold(self, tag: str) -> float:
        """The score from which an entry belongs to the tag of this key."""
        return self._thresholds.get(tag, DEFAULT_THRESHOLD)

    def match(self, stored: StoredEntry) -> tuple[Match, ...]:
        """The tags that ``stored`` belongs to, the surest first; else those it nearly does."""
        scored = self.score(stored)
        found = tuple(match for match in scored if match.score >= self.threshold(match.tag))
        return found or tuple(
            replace(match, near=True)
            for match in scored
            if match.score >= _NEAR * self.threshold(match.tag)
        )

    def score(self, stored: StoredEntry) -> tuple[Match, ...]:
        """Every tag for which there is any evidence, above its threshold or below."""
        evidence: defaultdict[str, list[Evidence]] = defaultdict(list)
        for key, reason in self._evidence(stored):
            evidence[key].append(reason)
        matches = [
            Match(key, round(1 - prod(1 - reason.weight for reason in reasons), 4), tuple(reasons))
            for key, reasons in evidence.items()
        ]
        return tuple(sorted(matches, key=lambda match: (-match.score, match.tag)))

    def _evidence(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        entry = stored.entry
        for clipping in self._clipped.get(entry.page or "", ()):
            for tag in clipping.tags:
                if key := self._vocabulary.key(tag):
                    yield key, Evidence(EvidenceKind.CLIPPED, clipping.title, "link", _CLIPPED)
        if stored.role is Role.CLIPPINGS:
            return  # the reader chose its tags; nothing is to be guessed
        if subscription := self._subscriptions.get(stored.feed_url):
            for tag in subscription.tags:
                if key := self._vocabulary.key(tag):
                    reason = EvidenceKind.SUBSCRIPTION
                    yield key, Evidence(reason, subscription.title, "feed", _SUBSCRIPTION)
        yield from self._categories(stored)
        for key, rule in self._rules:
            for where, text in (("title", entry.title), ("text", entry.text)):
                if found := rule.search(text):
                    yield key, Evidence(EvidenceKind.RULE, found[0][:100], where, _RULE)
                    break
        yield from self._mentions(stored)

    def _categories(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        seen = set()
        for category in stored.entry.categories:
            for name in (category.term, category.label or ""):
                key = self._vocabulary.key(name)
                if key and key not in seen:
                    seen.add(key)
                    yield key, Evidence(EvidenceKind.CATEGORY, name, "category", _CATEGORY)

    def _mentions(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        text = stored.entry.text
        in_title = surfaces(self._phrases.find(stored.entry.title))
        in_text = surfaces(self._phrases.find(text))
        for key in sorted(in_title.keys() | in_text.keys()):
            places = {
                "title": in_title.get(key, []),
                "lead": [f for f in in_text.get(key, []) if f.start < _LEAD_CHARACTERS],
                "body": [f for f in in_text.get(key, []) if f.start >= _LEAD_CHARACTERS],
            }
            for where, found in places.items():
                if not found:
                    continue
                one, several = _PHRASE[where]
                mentions = found[:_MOST_MENTIONS] if where == "body" else found[:1]
                missing = prod(1 - (several if f.words > 1 else one) for f in mentions)
                detail = found[0].surface + (f" ×{len(found)}" if len(found) > 1 else "")
                weight = round(1 - missing, 4)
                yield key, Evidence(EvidenceKind.PHRASE, detail, where, weight)
