"""Which tags an entry belongs to, and why.

For each entry:

1. `DirectEvidence` finds what needs no model: decisions, clipped links, categories, rules …
2. `TagScorer` gives the probability of each tag by names, words and meaning.
3. Both make the score of a candidate. With its threshold reached, the tag matches.
4. `Explainer` adds the reasons; a candidate without any reason is dropped.
5. Tags that are broader than a matching tag match too.

If nothing matches, the candidates near their threshold are near misses.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from math import exp, log

from aggregator.match.analysis import batches
from aggregator.match.evidence import DirectEvidence
from aggregator.match.explanations import Explainer
from aggregator.match.scores import DocumentScores, TagScorer
from aggregator.match.tag_model import TagModel
from aggregator.match.text_vectors import Embedder, read_entry
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

# Default thresholds. PRECISE makes few errors, even where the collected entries differ from the
# clippings. HIGH_RECALL gives the best F1: for calibrated probabilities that threshold is half of
# the best F1 (Lipton, Elkan and Narayanaswamy 2014). With UNTRAINED, a name in the title is enough.
PRECISE, HIGH_RECALL, UNTRAINED = 0.85, 0.25, 0.55
_NEAR_SHARE = 0.6  # of the threshold, for a near miss


class Matcher:
    """Matches entries. The result depends only on the arguments and the entry.

    ``model`` must belong to this vocabulary and these clippings.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        subscriptions: Sequence[Subscription],
        model: TagModel,
        decisions: Sequence[Decision] = (),
        embedder: Embedder | None = None,
    ) -> None:
        self._vocabulary = vocabulary
        self._tags = vocabulary.tag_indices
        self._shifts = model.shifts
        self._direct = DirectEvidence(vocabulary, clippings, subscriptions, decisions)
        self._scorer = TagScorer(vocabulary, model, embedder)
        self._explainer = Explainer(model, self._scorer)
        self._thresholds = {tag.key: self._tag_threshold(tag) for tag in vocabulary.tags}

    def threshold(self, tag: str, base: float | None = None) -> float:
        """The score at which an entry belongs to the tag with this key.

        That of feeds.toml; else ``base`` (by default as the tag's ``recall`` asks), shifted as the
        held-out clippings of the tag showed.
        """
        return self._thresholds[tag] if base is None else self._shifted(tag, base)

    def _tag_threshold(self, tag: Tag) -> float:
        if tag.threshold is not None:
            return tag.threshold
        if tag.recall == "high":
            return self._shifted(tag.key, HIGH_RECALL)
        trust = float(self._scorer.trust[self._tags[tag.key]])
        return self._shifted(tag.key, UNTRAINED + (PRECISE - UNTRAINED) * trust)

    def _shifted(self, tag: str, base: float) -> float:
        log_odds = log(base / (1 - base)) - float(self._shifts[self._tags[tag]])
        return round(1 / (1 + exp(-log_odds)), 4)

    def match(self, stored: StoredEntry) -> tuple[Match, ...]:
        """The tags that ``stored`` belongs to, by score; if there are none, its near misses."""
        ((_, matches),) = self.match_all([stored])
        return matches

    def match_all(
        self, entries: Iterable[StoredEntry]
    ) -> Iterator[tuple[StoredEntry, tuple[Match, ...]]]:
        """Each entry with its matches, in order; much faster than one by one."""
        for batch in batches(entries, len(self._tags)):
            for stored, scores in self._score_documents(batch):
                candidates = self._candidates(stored, scores, _NEAR_SHARE)
                matches = self._matches(stored, scores, candidates, 1.0)
                if not matches:
                    near_misses = self._matches(stored, scores, candidates, _NEAR_SHARE)
                    matches = tuple(replace(match, near=True) for match in near_misses)
                yield stored, matches

    def score(self, stored: StoredEntry) -> tuple[Match, ...]:
        """Every tag with any evidence, whatever its threshold."""
        ((_, scores),) = self._score_documents([stored])
        return self._matches(stored, scores, self._candidates(stored, scores, 0.0), 0.0)

    def probabilities(self, entries: Iterable[Entry]) -> Iterator[dict[str, float]]:
        """For each entry the probabilities of its tags, by key, from names and words alone."""
        for batch in batches(entries, len(self._tags)):
            for scores in self._scorer.score(list(map(read_entry, batch))):
                yield {
                    self._vocabulary.tags[tag].key: round(probability, 4)
                    for tag, probability in sorted(scores.probabilities.items())
                }

    def _score_documents(
        self, entries: Sequence[StoredEntry]
    ) -> Iterator[tuple[StoredEntry, DocumentScores | None]]:
        """Entries with the scores of their text, or None if the text does not count."""
        readable = [self._is_readable(stored) for stored in entries]
        documents = [read_entry(stored.entry) for stored in compress(entries, readable)]
        scores = self._scorer.score(documents)
        for stored, is_readable in zip(entries, readable, strict=True):
            yield stored, next(scores) if is_readable else None

    def _is_readable(self, stored: StoredEntry) -> bool:
        """A clipping has the tags of its reader, and a pruned entry has no text."""
        return bool(self._tags) and stored.role is Role.SUBSCRIPTION and not stored.pruned_at

    def _candidates(
        self, stored: StoredEntry, scores: DocumentScores | None, share: float
    ) -> dict[str, "_Candidate"]:
        """The tags with at least this share of their threshold, without explanations yet."""
        candidates: defaultdict[str, _Candidate] = defaultdict(_Candidate)
        for key, evidence in self._direct.find(stored):
            candidates[key].add(evidence, evidence.weight)
        for tag, probability in scores.probabilities.items() if scores else ():
            key = self._vocabulary.tags[tag].key
            if key in candidates or probability >= share * self._thresholds[key]:
                candidates[key].by_model = probability
        return {
            key: candidate
            for key, candidate in candidates.items()
            if candidate.score >= share * self._thresholds[key]
        }

    def _matches(
        self,
        stored: StoredEntry,
        scores: DocumentScores | None,
        candidates: Mapping[str, "_Candidate"],
        share: float,
    ) -> tuple[Match, ...]:
        """The matches with at least this share of their threshold, with explanations."""
        rejected = self._direct.rejected_tags(stored)
        belonging = sorted(
            key
            for key, candidate in candidates.items()
            if key not in rejected and candidate.score >= self._thresholds[key]
        )
        broader = {tag for key in belonging for tag in self._tag(key).broader}
        explained: dict[str, _Candidate] = {}
        for key, candidate in candidates.items():
            if key in broader or candidate.score >= share * self._thresholds[key]:
                reasons = self._explainer.explain(self._tags[key], scores) if scores else []
                if reasons or candidate.evidence:
                    explained[key] = candidate.explained(reasons)
        narrower_scores = {key: explained[key].score for key in belonging if key in explained}
        for key, score in narrower_scores.items():
            self._add_broader_tags(key, score, explained)
        matches = (
            Match(key, round(candidate.score, 4), tuple(candidate.evidence))
            for key, candidate in explained.items()
            if key not in rejected and candidate.score >= share * self._thresholds[key]
        )
        return tuple(sorted(matches, key=lambda match: (-match.score, match.tag)))

    def _add_broader_tags(
        self, key: str, score: float, candidates: dict[str, "_Candidate"]
    ) -> None:
        """An entry that belongs to a tag belongs to its broader tags too."""
        tag = self._tag(key)
        evidence = Evidence(EvidenceKind.NARROWER, tag.name, "tag", round(score, 4))
        for broader in tag.broader:
            candidates.setdefault(broader, _Candidate()).add(evidence, score)

    def _tag(self, key: str) -> Tag:
        return self._vocabulary.tags[self._tags[key]]


@dataclass(slots=True)
class _Candidate:
    """A tag that an entry may belong to, with its evidence and its probabilities."""

    evidence: list[Evidence] = field(default_factory=list)
    by_model: float = 0.0
    by_evidence: float = 0.0

    @property
    def score(self) -> float:
        return 1 - (1 - self.by_evidence) * (1 - self.by_model)

    def add(self, evidence: Evidence, probability: float) -> None:
        self.evidence.append(evidence)
        self.by_evidence = 1 - (1 - self.by_evidence) * (1 - probability)

    def explained(self, reasons: Sequence[Evidence]) -> "_Candidate":
        """A copy with the reasons of the model, which without reasons does not count."""
        by_model = self.by_model if reasons else 0.0
        return _Candidate([*self.evidence, *reasons], by_model, self.by_evidence)
