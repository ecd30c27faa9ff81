"""Which tags an entry belongs to, and why."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from math import exp, log, prod
from operator import mul

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, batches, make_analyzer
from aggregator.match.features import (
    FEATURES,
    NAME_FEATURES,
    FeatureTable,
    compute_features,
    sigmoid,
)
from aggregator.match.phrases import Mentions, PhraseIndex, PhraseMatch
from aggregator.match.sparse import Floats, SparseRows, SparseVector
from aggregator.match.tag_model import TagModel
from aggregator.match.text_vectors import Document, Embedder, read_document
from aggregator.match.tokens import Words
from aggregator.match.training import make_trainer
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import (
    Clipping,
    Decision,
    Entry,
    Evidence,
    EvidenceKind,
    Match,
    Role,
    StoredEntry,
    Subscription,
    Tag,
)
from aggregator.text.urls import link_key

# From which chance on an entry belongs to a tag. By default few are wrong, even where what is
# collected differs from what was clipped; with recall = "high" the best F1, which of calibrated
# chances lies at half of itself (Lipton, Elkan and Narayanaswamy 2014). For a tag of which
# nothing was learned, a word in the title is enough.
PRECISE, HIGH_RECALL, UNTAUGHT = 0.85, 0.25, 0.55

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
_MAX_MENTIONS = 3
_MIN_CLIPPINGS = (
    3  # clippings, from which on what was learned speaks alone; of one, names go before
)
_A_FEW = 10  # clippings altogether: with fewer, nothing tells one tag from another
_NEAR = 0.6  # of the threshold
_MIN_EVIDENCE = 0.05  # chance of what is worth telling
_MIN_LOG_ODDS = log(_MIN_EVIDENCE / (1 - _MIN_EVIDENCE))
_TOLD_WORDS, _TOLD_CLIPPINGS, _TOLD_TITLE = 4, 2, 60
_MIN_SIMILARITY = 0.02
_SPELLED = 16  # terms that are looked up, of which four are told
_MAX_CACHED_TAGS = 64  # tags whose clippings are held ready


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
        learned: TagModel | None = None,
        decisions: Sequence[Decision] = (),
        embedder: Embedder | None = None,
    ) -> None:
        self._vocabulary = vocabulary
        phrases = PhraseIndex(vocabulary.names, vocabulary.excluded_phrases)
        self._learned = learned or (
            make_trainer(vocabulary, clippings, (), decisions, embedder).train()
        )
        self._reader = make_analyzer(vocabulary, phrases, self._learned.lexicon, embedder)
        self._numbers = vocabulary.numbers
        self._lessons: dict[int, _Lessons] = {}
        self._terms = list(self._learned.lexicon.terms)
        counts = self._learned.profile.taught
        all_of_them = self._learned.profile.clippings
        self._trust = np.clip((counts - 1) / (_MIN_CLIPPINGS - 1), 0, 1) * min(
            all_of_them / _A_FEW, 1
        )
        self._heard = counts > 0
        self._thresholds = np.array([*map(self._threshold, range(len(vocabulary.tags)))], float)
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
            if key := vocabulary.key(decision.tag):
                self._decided[decision.row][key] = decision.confirmed
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
        return float(self._thresholds[number]) if base is None else self._moved(number, base)

    def _threshold(self, number: int) -> float:
        tag: Tag = self._vocabulary.tags[number]
        if tag.threshold is not None:
            return tag.threshold
        return self._moved(number, HIGH_RECALL if tag.recall == "high" else self._precise(number))

    def _moved(self, number: int, base: float) -> float:
        odds = log(base / (1 - base)) - float(self._learned.shifts[number])
        return round(1 / (1 + exp(-odds)), 4)

    def _precise(self, number: int) -> float:
        return UNTAUGHT + (PRECISE - UNTAUGHT) * float(self._trust[number])

    def match(self, stored: StoredEntry) -> tuple[Match, ...]:
        """The tags that ``stored`` belongs to, the surest first; else those it nearly does."""
        ((_, found),) = self.match_all([stored])
        return found

    def match_all(
        self, entries: Iterable[StoredEntry]
    ) -> Iterator[tuple[StoredEntry, tuple[Match, ...]]]:
        """Each with its matches, in their order; much faster than one by one."""
        for some in batches(entries, len(self._numbers)):
            for stored, judged in self._read(some):
                scores = self._scores(stored, judged, _NEAR)
                found = self._matches(stored, judged, scores, 1.0)
                if not found:
                    nearly = self._matches(stored, judged, scores, _NEAR)
                    found = tuple(replace(match, near=True) for match in nearly)
                yield stored, found

    def score(self, stored: StoredEntry) -> tuple[Match, ...]:
        """Every tag for which there is evidence, above its threshold or below."""
        ((_, judged),) = self._read([stored])
        return self._matches(stored, judged, self._scores(stored, judged, 0.0), 0.0)

    def _read(
        self, entries: Sequence[StoredEntry]
    ) -> Iterator[tuple[StoredEntry, "_Judged | None"]]:
        # The reader chose the tags of what was clipped; and without tags there is nothing to read for.
        # Of what was pruned there is nothing to read.
        read = [
            bool(self._numbers) and stored.role is not Role.CLIPPINGS and not stored.pruned_at
            for stored in entries
        ]
        judged = self._judge(
            [
                read_document(stored.entry.title, stored.entry.text, stored.entry.language)
                for stored in compress(entries, read)
            ]
        )
        for stored, one in zip(entries, read, strict=True):
            yield stored, next(judged) if one else None

    def _scores(
        self, stored: StoredEntry, judged: "_Judged | None", least: float
    ) -> dict[str, "_Score"]:
        """Of every tag with at least this share of its threshold; learned evidence is yet to be told."""
        scores: defaultdict[str, _Score] = defaultdict(_Score)
        for key, reason in self._certain(stored):
            one = scores[key]
            one.evidence.append(reason)
            one.certain = 1 - (1 - one.certain) * (1 - reason.weight)
        if judged:
            for number, chance_of_it in judged.chances.items():
                key = self._vocabulary.tags[number].key
                if key in scores or chance_of_it >= least * self._thresholds[number]:
                    scores[key].chance = chance_of_it
        return {key: one for key, one in scores.items() if one.total >= least * self.threshold(key)}

    def _matches(
        self,
        stored: StoredEntry,
        judged: "_Judged | None",
        scores: Mapping[str, "_Score"],
        least: float,
    ) -> tuple[Match, ...]:
        """Those with at least this share of their threshold, with their reasons."""
        refused = {key for key, yes in self._decided.get(stored.row, {}).items() if not yes}
        belong = sorted(
            key
            for key, one in scores.items()
            if key not in refused and one.total >= self.threshold(key)
        )
        raised = {upper for key in belong for upper in self._tag(key).broader}
        told: dict[str, _Score] = {}
        for key, one in scores.items():
            if key in raised or one.total >= least * self.threshold(key):
                reasons = self._reasons(self._numbers[key], judged) if judged else []
                if reasons or one.evidence:
                    chance = one.chance if reasons else 0.0
                    told[key] = _Score([*one.evidence, *reasons], chance, one.certain)
        before = {key: told[key].total for key in belong if key in told}
        for key, score in before.items():
            self._add_broader_tags(key, score, told)
        matches = (
            Match(key, round(one.total, 4), tuple(one.evidence))
            for key, one in told.items()
            if key not in refused and one.total >= least * self.threshold(key)
        )
        return tuple(sorted(matches, key=lambda match: (-match.score, match.tag)))

    def chances(self, entries: Iterable[Entry]) -> Iterator[dict[str, float]]:
        """What words and names alone say of every tag that they speak for, by key, of each entry."""
        for some in batches(entries, len(self._numbers)):
            documents = [read_document(entry.title, entry.text, entry.language) for entry in some]
            for judged in self._judge(documents):
                yield {
                    self._vocabulary.tags[number].key: round(chance_of_it, 4)
                    for number, chance_of_it in sorted(judged.chances.items())
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
        if stored.role is Role.CLIPPINGS or stored.pruned_at:
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

    def _tag(self, key: str) -> Tag:
        return self._vocabulary.tags[self._numbers[key]]

    def _add_broader_tags(self, key: str, score: float, told: dict[str, "_Score"]) -> None:
        """What belongs to a tag belongs to those above it."""
        for upper in self._tag(key).broader:
            above = told.setdefault(upper, _Score())
            above.certain = 1 - (1 - above.certain) * (1 - score)
            reason = Evidence(EvidenceKind.NARROWER, self._tag(key).name, "tag", round(score, 4))
            above.evidence.append(reason)

    def _judge(self, documents: Sequence[Document]) -> Iterator["_Judged"]:
        learned = self._learned
        read = self._reader.read(documents)
        found = compute_features(read, learned.lexicon, learned.profile)
        odds = found.odds(learned.weights)
        likely = (odds >= _MIN_LOG_ODDS) & self._heard
        for place, (document, one) in enumerate(zip(documents, read, strict=True)):
            numbers = np.flatnonzero(likely[place])
            chances = dict(
                zip(numbers.tolist(), sigmoid(odds[place, numbers]).tolist(), strict=True)
            )
            for number, mentions in one.mentions.items():
                of_names, trust = _chance_of(mentions), float(self._trust[number])
                of_all = _sigmoid(float(odds[place, number])) if self._heard[number] else 0.0
                untaught = 1 - (1 - of_names) * (1 - of_all)
                chances[number] = trust * of_all + (1 - trust) * untaught
            yield _Judged(document, one, found, place, chances)

    def _reasons(self, number: int, judged: "_Judged") -> list[Evidence]:
        """What speaks for one tag; each reason weighs what it would say alone."""
        trust, heard = float(self._trust[number]), float(self._heard[number])
        *weights, constant = self._learned.weights.tolist()
        numbers = judged.found.of(judged.place, np.array([number]))[:, 0].tolist()
        said = dict(zip(FEATURES, map(mul, numbers, weights), strict=True))
        by_prior = said["prior"] + constant
        reasons: list[Evidence] = []
        if mentions := judged.read.mentions.get(number):
            by_name = sum(said[feature] for feature in NAME_FEATURES)
            reasons += _mentioned(mentions, judged.document, trust, _sigmoid(by_name + by_prior))
        by_words = heard * _sigmoid(said["company"] + said["words"] + by_prior)
        if by_words >= _MIN_EVIDENCE:
            reasons += self._similar(number, judged, by_words)
        by_meaning = heard * _sigmoid(said["meaning"] + by_prior)
        if said["meaning"] > 0 and by_meaning >= _MIN_EVIDENCE:
            near = self._lessons_of(number).meant(judged.read.meaning)
            titles = " / ".join(_shortened(self._learned.lessons[place].title) for place in near)
            reasons.append(Evidence(EvidenceKind.MEANING, "", titles, round(by_meaning, 4)))
        return reasons

    def _lessons_of(self, number: int) -> "_Lessons":
        if number not in self._lessons:
            if len(self._lessons) >= _MAX_CACHED_TAGS:
                self._lessons.clear()
            self._lessons[number] = _Lessons(self._learned, self._behind.get(number, []))
        return self._lessons[number]

    def _similar(self, number: int, judged: "_Judged", weight: float) -> Iterator[Evidence]:
        """The words that speak for a tag, and the clippings of it that have most of them."""
        ids, values = judged.read.vector
        profile, lessons = self._learned.profile, self._lessons_of(number)
        held = lessons.sums[ids]
        usual = profile.taught[number] * profile.mean[ids]
        said = np.where(held > 0, values * (held - usual) / profile.scale[ids], 0)
        best = np.lexsort((ids, -said))[:_SPELLED]
        terms = [self._terms[term] for term in ids[best[said[best] > 0]].tolist()]
        titles = [
            _shortened(self._learned.lessons[place].title)
            for place in lessons.nearest(judged.read.vector)
        ]
        words = _spelled(terms, judged.document)
        if words and titles:
            detail = ", ".join(words)
            yield Evidence(EvidenceKind.SIMILAR, detail, " / ".join(titles), round(weight, 4))


class _Lessons:
    """The clippings of one tag, and their words added up, by term."""

    def __init__(self, learned: TagModel, places: Sequence[int]) -> None:
        self._places = places
        self._rows = SparseRows([learned.lessons[place].vector for place in places])
        self._meanings = np.array([learned.lessons[place].meaning for place in places])
        self._terms = len(learned.lexicon.terms)
        self.sums = np.bincount(self._rows.ids, self._rows.values, self._terms)
        self.sums[np.diff(learned.profile.sums.bounds) == 0] = 0  # too common to say anything

    def nearest(self, vector: SparseVector) -> list[int]:
        """The places of those that are nearest, if they are near at all."""
        dense = np.zeros(self._terms)
        dense[vector.ids] = vector.values
        near = zip(
            (-self._rows.times(self._rows.values, dense)).tolist(), self._places, strict=True
        )
        return [place for far, place in sorted(near)[:_TOLD_CLIPPINGS] if -far >= _MIN_SIMILARITY]

    def meant(self, meaning: Floats) -> list[int]:
        """The places of those that mean most nearly the same."""
        order = np.argsort(-(self._meanings @ meaning), kind="stable")
        return [self._places[number] for number in order[:_TOLD_CLIPPINGS].tolist()]


@dataclass(slots=True)
class _Score:
    """``certain`` is the chance that evidence makes which needs no learning, ``chance`` the rest."""

    evidence: list[Evidence] = field(default_factory=list)
    chance: float = 0.0
    certain: float = 0.0

    @property
    def total(self) -> float:
        return 1 - (1 - self.certain) * (1 - self.chance)


@dataclass(frozen=True, slots=True)
class _Judged:
    """An entry as it was read, its features (of document ``place``), and the chances of the tags
    that are worth a word: those that are named, and those that are likely enough."""

    document: Document
    read: AnalyzedDocument
    found: FeatureTable
    place: int
    chances: dict[int, float]


def _sigmoid(odds: float) -> float:
    return float(sigmoid(np.array([odds]))[0])


def _chance_of(mentions: Mentions) -> float:
    return 1 - prod(1 - by_name for _, _, by_name in _places(mentions))


def _places(mentions: Mentions) -> Iterator[tuple[str, list[PhraseMatch], float]]:
    """Where a name stands, and what that is worth."""
    for where, found in mentions.places.items():
        one, several = _PHRASE[where]
        worth = several if mentions.words > 1 else one
        if mentions.inflected:
            worth *= _INFLECTED
        times = min(len(found), _MAX_MENTIONS) if where == "body" else 1
        yield where, found, 1 - (1 - worth) ** times


def _mentioned(
    mentions: Mentions, document: Document, trust: float, learned: float
) -> Iterator[Evidence]:
    for where, found, by_name in _places(mentions):
        words = document.title if where == "title" else document.text
        first = found[0]
        spelled = words.surface(first.first, first.words) if first.words else first.key
        spelled += f" ×{len(found)}" if len(found) > 1 else ""
        weight = round(trust * learned + (1 - trust) * by_name, 4)
        yield Evidence(EvidenceKind.PHRASE, spelled, where, weight)


def _spelled(terms: Sequence[str], document: Document) -> list[str]:
    """How the document spells these terms, the first of each pair of alike."""
    texts = [(words, words.stems(document.language)) for words in (document.title, document.text)]
    told: list[str] = []
    for term in terms:
        said = next(filter(None, (_said(term, words, stems) for words, stems in texts)), "")
        if said and not any(said in other or other in said for other in told):
            told.append(said)
        if len(told) == _TOLD_WORDS:
            break
    return told


def _said(term: str, words: Words, stems: Sequence[str]) -> str:
    """The first words that have these stems, or nothing."""
    one, _, other = term.partition(" ")
    at = -1
    for _ in range(stems.count(one)):
        at = stems.index(one, at + 1)
        if not other:
            return words.raw[at]
        if stems[at + 1 : at + 2] == (other,):
            return f"{words.raw[at]} {words.raw[at + 1]}"
    return ""


def _shortened(title: str) -> str:
    return title if len(title) <= _TOLD_TITLE else f"{title[: _TOLD_TITLE - 1].rstrip()}…"
