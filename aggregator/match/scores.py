"""The probability of each tag for a document.

The model gives it for tags with enough clippings; for the others the tag's name decides, and in
between both do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, prod

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, Analyzer
from aggregator.match.features import FeatureTable, compute_features, probability, sigmoid
from aggregator.match.phrases import Mentions, PhraseIndex, PhraseMatch
from aggregator.match.tag_model import TagModel
from aggregator.match.text_vectors import Document, Embedder
from aggregator.match.vocabulary import Vocabulary

MIN_PROBABILITY = 0.05  # below that, a tag is no candidate unless its name is in the entry
_MIN_LOG_ODDS = log(MIN_PROBABILITY / (1 - MIN_PROBABILITY))
_TRUSTED_CLIPPINGS = 3  # from so many clippings of a tag on, only the model decides
_TRUSTED_TOTAL = 10  # with fewer clippings altogether, the model knows too little of any tag
# Probability by the place of a name: of one word, and of several. A word in the title or two in
# the lead are enough for a match; one mention in a long body is not.
_NAME_PROBABILITIES = {"title": (0.6, 0.9), "lead": (0.4, 0.6), "body": (0.2, 0.35)}
_INFLECTED_FACTOR = 0.5
_MAX_BODY_MENTIONS = 3


@dataclass(frozen=True, slots=True)
class DocumentScores:
    """One document with its probabilities.

    ``features`` belong to a batch, in which the document has this ``index``. ``probabilities``, by
    tag index, are only of tags that are named or likely enough.
    """

    analyzed: AnalyzedDocument
    features: FeatureTable
    index: int
    probabilities: dict[int, float]


class TagScorer:
    """Scores documents with one model."""

    def __init__(
        self, vocabulary: Vocabulary, model: TagModel, embedder: Embedder | None = None
    ) -> None:
        phrases = PhraseIndex(vocabulary.names, vocabulary.excluded_phrases)
        self._analyzer = Analyzer(vocabulary, phrases, model.lexicon, embedder)
        self._model = model
        counts, total = model.statistics.clipping_counts, model.statistics.clipping_total
        self.is_trained = counts > 0  # (tag,)
        trust = np.clip((counts - 1) / (_TRUSTED_CLIPPINGS - 1), 0, 1)
        self.trust = trust * min(total / _TRUSTED_TOTAL, 1)  # (tag,) weight of the model, 0 to 1

    def score(self, documents: Sequence[Document]) -> Iterator[DocumentScores]:
        """Score documents; in batches this is much faster than one by one."""
        model = self._model
        analyzed = self._analyzer.analyze(documents)
        features = compute_features(analyzed, model.lexicon, model.statistics)
        log_odds = features.log_odds(model.weights)  # (document, tag)
        is_likely = (log_odds >= _MIN_LOG_ODDS) & self.is_trained  # (document, tag)
        for index, document in enumerate(analyzed):
            tags = np.flatnonzero(is_likely[index])
            likely = sigmoid(log_odds[index, tags]).tolist()
            probabilities = dict(zip(tags.tolist(), likely, strict=True))
            for tag, mentions in document.mentions.items():
                by_name, trust = _name_probability(mentions), float(self.trust[tag])
                by_model = probability(float(log_odds[index, tag])) if self.is_trained[tag] else 0.0
                by_either = 1 - (1 - by_name) * (1 - by_model)
                probabilities[tag] = trust * by_model + (1 - trust) * by_either
            yield DocumentScores(document, features, index, probabilities)


def _name_probability(mentions: Mentions) -> float:
    return 1 - prod(1 - by_place for _, _, by_place in name_probabilities(mentions))


def name_probabilities(mentions: Mentions) -> Iterator[tuple[str, list[PhraseMatch], float]]:
    """Each place of a tag's names, with the matches there and their probability."""
    for place, matches in mentions.places.items():
        one_word, several_words = _NAME_PROBABILITIES[place]
        by_match = several_words if mentions.max_words > 1 else one_word
        if mentions.inflected:
            by_match *= _INFLECTED_FACTOR
        count = min(len(matches), _MAX_BODY_MENTIONS) if place == "body" else 1
        yield place, matches, 1 - (1 - by_match) ** count
