"""Which tags an entry belongs to, and why."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import exp, log, prod

import numpy as np

from aggregator.match.learned import SIMILARITY, Document, Floats, Learned, features, probability
from aggregator.match.learning import Read, document_of, reader_for, teacher_of
from aggregator.match.phrases import Mentions, Phrases
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import (
    Clipping,
    Decision,
    Evidence,
    EvidenceKind,
    Match,
    Role,
    StoredEntry,
    Subscription,
    Tag,
)
from aggregator.urls import link_key

# From which chance on an entry belongs to a tag. By default few are wrong, even where what is
# collected differs from what was clipped; with recall = "high" the best F1, which of calibrated
# chances lies at half of itself (Lipton, Elkan and Narayanaswamy 2014). For a tag of which
# nothing was learned, a word in the title is enough.
PRECISE, HIGH_RECALL, UNTAUGHT = 0.8, 0.25, 0.55

# Chance that evidence alone makes the match right.
_DECIDED = 1.0
_CLIPPED = 1.0
_SUBSCRIPTION = 1.0
_CATEGORY = 0.9
_RULE = 0.9
# Of names, for a tag whose clippings are too few to learn from. A word in the title or two in the
# lead are enough; a single mention in a long body is not, unless other evidence agrees.
_PHRASE = {"title": (0.6, 0.9), "lead": (0.4, 0.6), "body": (0.2, 0.35)}  # one word, several
_INFLECTED = 0.5  # of that
_MOST_MENTIONS = 3
_ENOUGH = 3  # clippings, from which on what was learned speaks alone; of one, names go before
_A_FEW = 10  # clippings altogether: with fewer, nothing tells one tag from another
_NEAR = 0.6  # of the threshold
_LEAST = 0.05  # chance of what is worth telling
_TOLD_WORDS, _TOLD_CLIPPINGS, _TOLD_TITLE = 4, 2, 60
_LEAST_NEAR = 0.02


class Matcher:
    """Matching is a pure function of (vocabulary, clippings, what was learned, entry).

    This holds all but the last. ``learned`` must be of this vocabulary and these clippings; None:
    it is learned here, of them alone.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        subscriptions: Sequence[Subscription],
        learned: Learned | None = None,
        decisions: Sequence[Decision] = (),
    ) -> None:
        self._vocabulary = vocabulary
        phrases = Phrases(vocabulary.names, vocabulary.traps)
        self._learned = learned or teacher_of(vocabulary, clippings, (), decisions).learned()
        self._reader = reader_for(vocabulary, phrases, self._learned.lexicon)
        self._numbers = vocabulary.numbers
        self._sums: dict[int, dict[int, float]] = {}
        self._terms = list(self._learned.lexicon.terms)
        counts = self._learned.profile.taught
        all_of_them = self._learned.profile.clippings
        self._trust = np.clip((counts - 1) / (_ENOUGH - 1), 0, 1) * min(all_of_them / _A_FEW, 1)
        self._heard = counts > 0
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
        self._decided: defaultdict[int, dict[str, bool]] = defaultdict(dict)
        for decision in decisions:
            if decision.tag in self._numbers:
                self._decided[decision.row][decision.tag] = decision.confirmed
        self._behind: defaultdict[int, list[int]] = defaultdict(list)
        for place, lesson in enumerate(self._learned.lessons):
            for number in lesson.tags:
                self._behind[number].append(place)

    def threshold(self, tag: str, base: float | None = None) -> float:
        """The score from which an entry belongs to the tag of this key.

        That of feeds.toml, or else ``base`` (by default as the tag's ``recall`` wants), moved by
        what the held-out clippings said of this tag.
        """
        number = self._numbers[tag]
        of_tag: Tag = self._vocabulary.tags[number]
        if base is None:
            if of_tag.threshold is not None:
                return of_tag.threshold
            base = HIGH_RECALL if of_tag.recall == "high" else self._precise(number)
        odds = log(base / (1 - base)) - float(self._learned.shifts[number])
        return round(1 / (1 + exp(-odds)), 4)

    def _precise(self, number: int) -> float:
        return UNTAUGHT + (PRECISE - UNTAUGHT) * float(self._trust[number])

    def match(self, stored: StoredEntry) -> tuple[Match, ...]:
        """The tags that ``stored`` belongs to, the surest first; else those it nearly does."""
        scored = self.score(stored, least=_NEAR)
        found = tuple(match for match in scored if match.score >= self.threshold(match.tag))
        return found or tuple(
            replace(match, near=True)
            for match in scored
            if match.score >= _NEAR * self.threshold(match.tag)
        )

    def score(self, stored: StoredEntry, least: float = 0.0) -> tuple[Match, ...]:
        """Every tag for which there is evidence, above its threshold or below.

        ``least``: only those with at least this share of their threshold.
        """
        evidence: defaultdict[str, list[Evidence]] = defaultdict(list)
        for key, reason in self._certain(stored):
            evidence[key].append(reason)
        scores = {key: 1 - prod(1 - e.weight for e in found) for key, found in evidence.items()}
        # The reader chose the tags of what was clipped; and without tags there is nothing to read for.
        if self._numbers and stored.role is not Role.CLIPPINGS:
            document = document_of(stored.entry.title, stored.entry.text, stored.entry.language)
            judged = self._judge(document)
            for number in judged.told():
                key = self._vocabulary.tags[number].key
                score = 1 - (1 - scores.get(key, 0.0)) * (1 - float(judged.chances[number]))
                if score < least * self.threshold(key):
                    continue
                if reasons := self._reasons(number, judged, document):
                    scores[key] = score
                    evidence[key] += reasons
        for key in sorted(key for key, score in scores.items() if score >= self.threshold(key)):
            self._raise(key, scores, evidence)
        decided = self._decided.get(stored.row, {})
        refused = {key for key, confirmed in decided.items() if not confirmed}
        matches = (
            Match(key, round(score, 4), tuple(evidence[key]))
            for key, score in scores.items()
            if key not in refused
        )
        return tuple(sorted(matches, key=lambda match: (-match.score, match.tag)))

    def chances(self, title: str, text: str, language: str | None) -> dict[str, float]:
        """What words and names alone say of every tag that they speak for, by key."""
        judged = self._judge(document_of(title, text, language))
        return {
            self._vocabulary.tags[number].key: round(float(judged.chances[number]), 4)
            for number in judged.told()
        }

    def _certain(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        """The evidence that needs no learning."""
        entry = stored.entry
        for key, confirmed in self._decided.get(stored.row, {}).items():
            if confirmed:
                yield key, Evidence(EvidenceKind.DECISION, "", "reader", _DECIDED)
        for clipping in self._clipped.get(entry.page or "", ()):
            for tag in clipping.tags:
                if tagged := self._vocabulary.key(tag):
                    yield tagged, Evidence(EvidenceKind.CLIPPED, clipping.title, "link", _CLIPPED)
        if stored.role is Role.CLIPPINGS:
            return
        if subscription := self._subscriptions.get(stored.feed_url):
            for tag in subscription.tags:
                if tagged := self._vocabulary.key(tag):
                    reason = EvidenceKind.SUBSCRIPTION
                    yield tagged, Evidence(reason, subscription.title, "feed", _SUBSCRIPTION)
        yield from self._categories(stored)
        for key, rule in self._rules:
            for where, text in (("title", entry.title), ("text", entry.text)):
                if found := rule.search(text):
                    yield key, Evidence(EvidenceKind.RULE, found[0][:100], where, _RULE)
                    break

    def _categories(self, stored: StoredEntry) -> Iterator[tuple[str, Evidence]]:
        seen = set()
        for category in stored.entry.categories:
            for name in (category.term, category.label or ""):
                key = self._vocabulary.key(name)
                if key and key not in seen:
                    seen.add(key)
                    yield key, Evidence(EvidenceKind.CATEGORY, name, "category", _CATEGORY)

    def _raise(
        self, key: str, scores: dict[str, float], evidence: dict[str, list[Evidence]]
    ) -> None:
        """What belongs to a tag belongs to those above it."""
        tag, score = self._vocabulary.tags[self._numbers[key]], scores[key]
        for upper in tag.broader:
            scores[upper] = 1 - (1 - scores.get(upper, 0.0)) * (1 - score)
            reason = Evidence(EvidenceKind.NARROWER, tag.name, "tag", round(score, 4))
            evidence[upper].append(reason)

    def _judge(self, document: Document) -> "_Judged":
        read = self._reader.read(document)
        learned = self._learned
        rows = features(read.vector, read.mentions, read.cover, learned.lexicon, learned.profile)
        chances = probability(rows, learned.weights) * self._heard
        for number, mentions in read.mentions.items():
            missed = (1 - _chance_of(mentions)) * (1 - chances[number])
            trust = self._trust[number]
            chances[number] = trust * chances[number] + (1 - trust) * (1 - missed)
        return _Judged(read, rows, chances)

    def _reasons(self, number: int, judged: "_Judged", document: Document) -> list[Evidence]:
        """What speaks for one tag; each reason weighs what it would say alone."""
        row, trust = judged.rows[number : number + 1], float(self._trust[number])
        heard = float(self._heard[number])
        by_name, by_words = row.copy(), row.copy()
        by_name[:, SIMILARITY] = 0
        by_words[:, : SIMILARITY.start] = 0
        weights = self._learned.weights
        reasons: list[Evidence] = []
        if mentions := judged.read.mentions.get(number):
            reasons += _mentioned(mentions, trust, float(probability(by_name, weights)[0]))
        weight = heard * float(probability(by_words, weights)[0])
        if weight >= _LEAST:
            reasons += self._similar(number, judged.read, document, weight)
        return reasons

    def _sums_of(self, number: int) -> dict[int, float]:
        """The words of a tag's clippings, added up, by term."""
        if number not in self._sums:
            self._sums[number] = self._learned.profile.sums.of_tag(number)
        return self._sums[number]

    def _similar(
        self, number: int, read: Read, document: Document, weight: float
    ) -> Iterator[Evidence]:
        """The words that speak for a tag, and the clippings of it that have most of them."""
        learned, (ids, values) = self._learned, read.vector
        profile = learned.profile
        sums = self._sums_of(number)
        said = [
            (-value * (held - profile.mean[term]) / profile.scale[term], self._terms[term])
            for term, value in zip(ids.tolist(), values.tolist(), strict=True)
            if (held := sums.get(term))
        ]
        dense = np.zeros(len(self._terms))
        dense[ids] = values
        near = []
        for place in self._behind.get(number, ()):
            other = learned.lessons[place].vector
            near.append((-float(dense[other.ids] @ other.values), place))
        titles = [
            _shortened(learned.lessons[place].title)
            for nearness, place in sorted(near)[:_TOLD_CLIPPINGS]
            if -nearness >= _LEAST_NEAR
        ]
        words = _spelled([term for weight, term in sorted(said) if weight < 0], document)
        if words and titles:
            detail = ", ".join(words)
            yield Evidence(EvidenceKind.SIMILAR, detail, " / ".join(titles), round(weight, 4))


@dataclass(frozen=True, slots=True)
class _Judged:
    """An entry as it was read, its features by tag, and the chance of every tag."""

    read: Read
    rows: Floats
    chances: Floats

    def told(self) -> list[int]:
        """The tags that are worth a word."""
        return sorted({*self.read.mentions, *np.flatnonzero(self.chances >= _LEAST).tolist()})


def _chance_of(mentions: Mentions) -> float:
    return 1 - prod(1 - chance for _, _, chance in _places(mentions))


def _places(mentions: Mentions) -> Iterator[tuple[str, str, float]]:
    """Where a name stands, how it is spelled there and how often, and what that is worth."""
    for where, surfaces in mentions.surfaces.items():
        one, several = _PHRASE[where]
        chance = several if mentions.words > 1 else one
        if mentions.inflected:
            chance *= _INFLECTED
        times = min(len(surfaces), _MOST_MENTIONS) if where == "body" else 1
        spelled = surfaces[0] + (f" ×{len(surfaces)}" if len(surfaces) > 1 else "")
        yield where, spelled, 1 - (1 - chance) ** times


def _mentioned(mentions: Mentions, trust: float, learned: float) -> Iterator[Evidence]:
    for where, spelled, chance in _places(mentions):
        weight = round(trust * learned + (1 - trust) * chance, 4)
        yield Evidence(EvidenceKind.PHRASE, spelled, where, weight)


def _spelled(terms: Sequence[str], document: Document) -> list[str]:
    """How the document spells these terms, the first of each pair of alike."""
    wanted = set(terms[: 4 * _TOLD_WORDS])
    spelled: dict[str, str] = {}
    for words in (document.title, document.text):
        for number, stem in enumerate(words.stems):
            if stem in wanted:
                spelled.setdefault(stem, words.surface(number))
            if (
                number + 1 < len(words.stems)
                and (pair := f"{stem} {words.stems[number + 1]}") in wanted
            ):
                spelled.setdefault(pair, words.surface(number, 2))
    told: list[str] = []
    for term in terms:
        said = " ".join(spelled.get(term, "").split())
        if said and not any(said in other or other in said for other in told):
            told.append(said)
        if len(told) == _TOLD_WORDS:
            break
    return told


def _shortened(title: str) -> str:
    return title if len(title) <= _TOLD_TITLE else f"{title[: _TOLD_TITLE - 1].rstrip()}…"
