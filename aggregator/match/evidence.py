"""Evidence that needs no model: decisions, clipped links, subscriptions, categories and rules."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from aggregator.match.vocabulary import Vocabulary
from aggregator.model import (
    Clipping,
    Decision,
    Evidence,
    EvidenceKind,
    Role,
    StoredEntry,
    Subscription,
)
from aggregator.text.labels import label_names
from aggregator.text.urls import link_key

# Probability that a match is right if there is only this evidence.
_DECISION, _CLIPPED, _SUBSCRIPTION, _CATEGORY, _RULE = 1.0, 1.0, 1.0, 0.9, 0.9
_MAX_RULE_CHARACTERS = 100


class DirectEvidence:
    """Finds direct evidence in entries."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        subscriptions: Sequence[Subscription],
        decisions: Sequence[Decision],
    ) -> None:
        self._vocabulary = vocabulary
        self._subscriptions = {s.key: s for s in subscriptions if s.tags}
        self._rules = [
            (tag.key, re.compile(rule, re.IGNORECASE))
            for tag in vocabulary.tags
            for rule in tag.rules
        ]
        self._clippings: defaultdict[str, list[Clipping]] = defaultdict(list)  # by link
        for clipping in clippings:
            if clipping.link and not clipping.private:  # evidence is published
                self._clippings[link_key(clipping.link)].append(clipping)
        self._decisions: defaultdict[int, dict[str, bool]] = defaultdict(dict)  # by entry, by tag
        for decision in decisions:
            if key := vocabulary.key(decision.tag):
                self._decisions[decision.row][key] = decision.confirmed

    def rejected_tags(self, stored: StoredEntry) -> set[str]:
        """The keys of the tags that the reader rejected for an entry."""
        decisions = self._decisions.get(stored.row, {})
        return {key for key, confirmed in decisions.items() if not confirmed}

    def find(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        """All direct evidence, each with the key of its tag."""
        for key, confirmed in self._decisions.get(stored.row, {}).items():
            if confirmed:
                yield key, Evidence(EvidenceKind.DECISION, "", "reader", _DECISION)
        for clipping in self._clippings.get(stored.entry.page or "", ()):
            evidence = Evidence(EvidenceKind.CLIPPED, clipping.title, "link", _CLIPPED)
            yield from ((key, evidence) for key in self._keys(clipping.tags))
        if stored.role is not Role.SUBSCRIPTION or stored.pruned_at:
            return
        if subscription := self._subscriptions.get(stored.feed_url):
            title = subscription.title
            evidence = Evidence(EvidenceKind.SUBSCRIPTION, title, "feed", _SUBSCRIPTION)
            yield from ((key, evidence) for key in self._keys(subscription.tags))
        yield from self._find_categories(stored)
        for key, rule in self._rules:
            for place, text in (("title", stored.entry.title), ("text", stored.entry.text)):
                if match := rule.search(text):
                    detail = match[0][:_MAX_RULE_CHARACTERS]
                    yield key, Evidence(EvidenceKind.RULE, detail, place, _RULE)
                    break

    def _find_categories(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        names: dict[str, str] = {}  # by key
        for category in stored.entry.categories:
            for name in (*label_names(category.term), *label_names(category.label or "")):
                if key := self._vocabulary.key(name):
                    names.setdefault(key, name)
        for key, name in names.items():
            yield key, Evidence(EvidenceKind.CATEGORY, name, "category", _CATEGORY)

    def _keys(self, tags: Sequence[str]) -> Iterator[str]:
        return (key for tag in tags if (key := self._vocabulary.key(tag)))
