"""The features of a document and a tag, from which a logistic regression predicts the tag."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p
from operator import mul

import numpy as np
from numpy.typing import NDArray

from aggregator.match.analysis import AnalyzedDocument
from aggregator.match.phrases import Mentions
from aggregator.match.sparse import Floats, Ints, SparseRows
from aggregator.match.tag_statistics import TagStatistics
from aggregator.match.text_vectors import Lexicon

FEATURES = (
    "title",  # the name is in the title: 0 or 1
    "lead",  # in the first fifty words of the text: 0 or 1
    "count",  # log(1 + how often in the text)
    "support",  # log odds that a clipping which contains the name bears the tag
    "inflected",  # the name is there in another form only: 0 or 1
    "rarity",  # -log of the share of collected entries that contain the name
    "title_overlap",  # share of the words of the name (by rarity) that are in the title
    "cooccurrence",  # z-score: nearness to the entries that contain the name
    "words",  # z-score: nearness to the tag's clippings, compared with all clippings
    "meaning",  # z-score: nearness in meaning to the tag's clippings; 0 without embedder
    "prior",  # log of the share of the clippings that bear the tag, smoothed
)
NAME_FEATURES = FEATURES[: FEATURES.index("cooccurrence")]
# Weights of the features and the constant term, fitted to many sets of tagged posts
# (`python -m benchmarks.matching weights` prints them). The reader's clippings adjust them.
DEFAULT_WEIGHTS = (-1.17, -0.27, 0.99, 0.13, 0.8, 0.16, 2.13, 0.37, 1.27, 0.0, 1.14, -0.21)
SEMANTIC_WEIGHTS = (-1.06, -0.44, 1.13, 0.21, 0.73, 0.15, 1.67, 0.29, 0.8, 0.65, 1.24, -0.07)
_MIN_SPREAD = 0.02  # added to the standard deviation of a z-score
# Without clippings, a tag is on one clipping of twenty.
_PRIOR_TAGGED, _PRIOR_CLIPPINGS = 1.5, 30


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The features of some documents for all tags; a feature that is missing is 0."""

    name_features: list[dict[int, list[float]]]  # by document, by tag: values of NAME_FEATURES
    z_scores: dict[str, Floats]  # by feature: (document, tag)
    log_prior: Floats  # (tag,)

    def of_document(self, document: int, tags: Ints) -> Floats:
        """All features (feature, tag) of one document and some tags (tag,)."""
        table = np.zeros((len(FEATURES), len(tags)))
        name_features = self.name_features[document]
        for column, tag in enumerate(tags.tolist()):
            if tag in name_features:
                table[: len(NAME_FEATURES), column] = name_features[tag]
        for feature, values in self.z_scores.items():
            table[FEATURES.index(feature)] = values[document, tags]
        table[FEATURES.index("prior")] = self.log_prior[tags]
        return table

    def log_odds(self, weights: Floats) -> Floats:
        """The log odds (document, tag) that a document bears a tag.

        ``weights`` (feature + 1,) ends with the constant term. The features are added one by one,
        so that the score of a document does not depend on the others of its batch.
        """
        weight_of = dict(zip(FEATURES, weights.tolist(), strict=False))
        by_tag = self.log_prior * weight_of["prior"] + weights[-1]
        total: Floats = np.tile(by_tag, (len(self.name_features), 1))
        for feature, values in self.z_scores.items():
            total += values * weight_of[feature]
        name_weights = [weight_of[feature] for feature in NAME_FEATURES]
        for document, name_features in enumerate(self.name_features):
            for tag, values_of_name in name_features.items():
                total[document, tag] += sum(map(mul, values_of_name, name_weights))
        return total


def compute_features(
    documents: Sequence[AnalyzedDocument], lexicon: Lexicon, statistics: TagStatistics
) -> FeatureTable:
    """The features of ``documents`` for all tags.

    "words" is Rocchio's classifier (1971): the product of the document with the sum of the tag's
    clippings less that of as many average ones, each term divided by its scale.
    """
    counts = statistics.clipping_counts  # (tag,)
    prior = (counts + _PRIOR_TAGGED) / (statistics.clipping_total + _PRIOR_CLIPPINGS)
    if not documents:
        return FeatureTable([], {}, np.log(prior))
    rows = SparseRows.from_vectors([document.vector for document in documents])
    scaled = rows.divide(statistics.scale)
    words = statistics.sums.multiply(scaled, len(counts))  # (document, tag)
    words -= counts * scaled.dot(statistics.mean)[:, None]
    words /= np.maximum(statistics.norms, 1e-9)
    cooccurrence = lexicon.cooccurrence.multiply(rows, len(counts))  # (document, tag)
    z_scores = {
        "cooccurrence": _z_scores(cooccurrence, np.ones(len(counts), bool)),
        "words": _z_scores(words, counts > 0),
    }
    if statistics.meaning.shape[1] and len(documents[0].meaning):
        meanings = np.stack([document.meaning for document in documents])  # (document, size)
        nearness = np.zeros((len(documents), len(counts)))
        trained = np.flatnonzero(counts)
        nearness[:, trained] = np.einsum("ns,ts->nt", meanings, statistics.meaning[trained])
        z_scores["meaning"] = _z_scores(nearness, counts > 0)
    name_features = [_name_features(document, lexicon, statistics) for document in documents]
    return FeatureTable(name_features, z_scores, np.log(prior))


def _name_features(
    document: AnalyzedDocument, lexicon: Lexicon, statistics: TagStatistics
) -> dict[int, list[float]]:
    """`NAME_FEATURES` of the tags whose names are in a document, or in part in its title."""
    features: dict[int, list[float]] = {}
    for tag in {*document.mentions, *document.title_overlap}:
        mentions = document.mentions.get(tag) or Mentions()
        support = rarity = 0.0
        if mentions.is_exact:
            hits, count = statistics.name_hits[tag], statistics.name_counts[tag]
            support = log((hits + 1) / (count - hits + 1))
            rarity = -log(lexicon.name_shares[tag])
        features[tag] = [
            mentions.title, mentions.lead, log1p(mentions.count), support, mentions.inflected,
            rarity, document.title_overlap.get(tag, 0.0),
        ]  # fmt: skip
    return features


def _z_scores(values: Floats, is_counted: NDArray[np.bool_]) -> Floats:
    """How far each value (row, tag) is from the mean of its row, in standard deviations.

    Only tags that are counted (tag,) make the mean; the values of the others are 0 and stay 0.
    Changes ``values`` in place.
    """
    count = int(is_counted.sum())
    if count < 2:
        return values / _MIN_SPREAD / 10
    mean = values.sum(1) / count  # (row,)
    mean_square = (values * values).sum(1) / count  # (row,)
    spread = np.sqrt(np.maximum(mean_square - mean * mean, 0)) + _MIN_SPREAD
    values -= mean[:, None]
    values /= spread[:, None]
    if count < len(is_counted):
        values[:, ~is_counted] = 0
    return values


def sigmoid(log_odds: Floats) -> Floats:
    """The probabilities of these log odds."""
    probabilities: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
    return probabilities


def probability(log_odds: float) -> float:
    """`sigmoid` of one number, rounded as in an array."""
    return float(sigmoid(np.array([log_odds]))[0])
