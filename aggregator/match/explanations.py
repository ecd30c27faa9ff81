"""Explains the probabilities of the model: which names, which words, which clippings."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import mul

import numpy as np

from aggregator.match.features import FEATURES, NAME_FEATURES, probability
from aggregator.match.phrases import Mentions
from aggregator.match.scores import MIN_PROBABILITY, DocumentScores, TagScorer, name_probabilities
from aggregator.match.sparse import Floats, SparseRows, SparseVector
from aggregator.match.tag_model import TagModel, TrainingExample
from aggregator.match.text_vectors import Document
from aggregator.match.tokens import Words
from aggregator.model import Evidence, EvidenceKind

_MAX_WORDS, _MAX_CLIPPINGS, _MAX_TITLE_CHARACTERS = 4, 2, 60  # of one explanation
_MAX_TERMS = 16  # that are looked up in the document to find these words
_MIN_SIMILARITY = 0.02  # of a clipping that an explanation names
_MAX_CACHED_TAGS = 64


class Explainer:
    """Explains scores of one model."""

    def __init__(self, model: TagModel, scorer: TagScorer) -> None:
        self._model, self._scorer = model, scorer
        self._terms = list(model.lexicon.terms)
        self._examples: defaultdict[int, list[TrainingExample]] = defaultdict(list)  # by tag
        for example in model.examples:
            for tag in example.tags:
                self._examples[tag].append(example)
        self._cache: dict[int, _TagExamples] = {}

    def explain(self, tag: int, scores: DocumentScores) -> list[Evidence]:
        """The reasons for a tag. Each weighs as much as the probability it would give alone."""
        *weights, constant = self._model.weights.tolist()
        values = scores.features.of_document(scores.index, np.array([tag]))[:, 0].tolist()
        parts = dict(zip(FEATURES, map(mul, values, weights), strict=True))  # of the log odds
        base = parts["prior"] + constant
        document = scores.analyzed
        reasons: list[Evidence] = []
        if mentions := document.mentions.get(tag):
            by_name = probability(sum(parts[feature] for feature in NAME_FEATURES) + base)
            trust = float(self._scorer.trust[tag])
            reasons += _explain_names(mentions, document.document, trust, by_name)
        if not self._scorer.is_trained[tag]:
            return reasons
        by_words = probability(parts["cooccurrence"] + parts["words"] + base)
        if by_words >= MIN_PROBABILITY:
            reasons += self._explain_words(tag, scores, by_words)
        by_meaning = probability(parts["meaning"] + base)
        if parts["meaning"] > 0 and by_meaning >= MIN_PROBABILITY:
            titles = self._tag_examples(tag).nearest_in_meaning(document.meaning)
            weight = round(by_meaning, 4)
            reasons.append(Evidence(EvidenceKind.MEANING, "", _join_titles(titles), weight))
        return reasons

    def _explain_words(self, tag: int, scores: DocumentScores, weight: float) -> Iterator[Evidence]:
        """The words that count most for a tag, and the clippings of it that share most of them."""
        vector, statistics = scores.analyzed.vector, self._model.statistics
        ids = vector.ids
        examples = self._tag_examples(tag)
        sums = examples.sums[ids]  # (n,) as the ids of the vector
        expected = statistics.clipping_counts[tag] * statistics.mean[ids]
        gains = np.where(sums > 0, vector.values * (sums - expected) / statistics.scale[ids], 0)
        best = np.lexsort((ids, -gains))[:_MAX_TERMS]
        terms = [self._terms[term] for term in ids[best[gains[best] > 0]].tolist()]
        titles = examples.nearest(vector)
        words = _spell_terms(terms, scores.analyzed.document)
        if words and titles:
            detail, where = ", ".join(words), _join_titles(titles)
            yield Evidence(EvidenceKind.SIMILAR, detail, where, round(weight, 4))

    def _tag_examples(self, tag: int) -> "_TagExamples":
        if tag not in self._cache:
            if len(self._cache) >= _MAX_CACHED_TAGS:
                self._cache.clear()
            self._cache[tag] = _TagExamples(self._model, self._examples[tag])
        return self._cache[tag]


class _TagExamples:
    """The clippings of one tag."""

    def __init__(self, model: TagModel, examples: Sequence[TrainingExample]) -> None:
        self._titles = [example.title for example in examples]
        self._rows = SparseRows.from_vectors([example.vector for example in examples])
        self._meanings = np.array([example.meaning for example in examples])  # (example, size)
        self._term_count = len(model.lexicon.terms)
        self.sums = np.bincount(self._rows.ids, self._rows.values, self._term_count)  # (term,)
        self.sums[np.diff(model.statistics.sums.bounds) == 0] = 0  # terms that are too common

    def nearest(self, vector: SparseVector) -> list[str]:
        """The titles of the most similar clippings, if any is similar at all."""
        dense = np.zeros(self._term_count)
        dense[vector.ids] = vector.values
        similarities = self._rows.dot(dense)  # (example,)
        order = np.argsort(-similarities, kind="stable")[:_MAX_CLIPPINGS]
        return [self._titles[i] for i in order if similarities[i] >= _MIN_SIMILARITY]

    def nearest_in_meaning(self, meaning: Floats) -> list[str]:
        """The titles of the clippings that mean most nearly the same."""
        order = np.argsort(-(self._meanings @ meaning), kind="stable")
        return [self._titles[i] for i in order[:_MAX_CLIPPINGS]]


def _explain_names(
    mentions: Mentions, document: Document, trust: float, by_model: float
) -> Iterator[Evidence]:
    for place, matches, by_place in name_probabilities(mentions):
        words = document.title if place == "title" else document.text
        first = matches[0]
        spelling = words.surface(first.start, first.word_count) if first.word_count else first.key
        count = f" ×{len(matches)}" if len(matches) > 1 else ""
        weight = round(trust * by_model + (1 - trust) * by_place, 4)
        yield Evidence(EvidenceKind.PHRASE, spelling + count, place, weight)


def _spell_terms(terms: Sequence[str], document: Document) -> list[str]:
    """These terms as the document spells them, without those that contain each other."""
    texts = [(words, words.stems(document.language)) for words in (document.title, document.text)]
    spellings: list[str] = []
    for term in terms:
        spelling = next(filter(None, (_spell(term, words, stems) for words, stems in texts)), "")
        if spelling and not any(spelling in s or s in spelling for s in spellings):
            spellings.append(spelling)
        if len(spellings) == _MAX_WORDS:
            break
    return spellings


def _spell(term: str, words: Words, stems: Sequence[str]) -> str:
    """The first word, or pair of words, with these stems; empty if there is none."""
    first, _, second = term.partition(" ")
    at = -1
    for _ in range(stems.count(first)):
        at = stems.index(first, at + 1)
        if not second:
            return words.raw[at]
        if stems[at + 1 : at + 2] == (second,):
            return f"{words.raw[at]} {words.raw[at + 1]}"
    return ""


def _join_titles(titles: Sequence[str]) -> str:
    """The titles in one line. Private clippings have none."""
    limit, public = _MAX_TITLE_CHARACTERS, filter(None, titles)
    return " / ".join(t if len(t) <= limit else f"{t[: limit - 1].rstrip()}…" for t in public)
