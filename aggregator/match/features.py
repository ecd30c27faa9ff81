"""The numbers from which an entry and a tag are scored."""

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
    "title",  # the name stands in the title: 0 or 1
    "lead",  # in the first fifty words of the text: 0 or 1
    "count",  # log(1 + how often in the text)
    "support",  # log odds that a clipping in which the name stands bears the tag
    "inflected",  # the name stands there in another form only: 0 or 1
    "rarity",  # -log of the share of collected entries in which the name stands
    "cover",  # share of the words of the name (by rarity) that the title has
    "company",  # nearness to the entries in which the name stands, against other tags
    "words",  # what the words say for the tag and against all others, against other tags
    "meaning",  # nearness in meaning to the tag's clippings, against other tags; 0 without embedder
    "prior",  # log of the share of the clippings that bear the tag, shrunk
)
# What the fit to many sets of tagged posts gave (benchmarks/matching prints it); each reader's
# clippings move it. The last is the constant term.
DEFAULT_WEIGHTS = (-1.17, -0.27, 0.99, 0.13, 0.8, 0.16, 2.13, 0.37, 1.27, 0.0, 1.14, -0.21)
SEMANTIC_WEIGHTS = (-1.06, -0.44, 1.13, 0.21, 0.73, 0.15, 1.67, 0.29, 0.8, 0.65, 1.24, -0.07)
NAME_FEATURES = FEATURES[: FEATURES.index("company")]  # those that speak of the tag's name
_SPREAD_FLOOR = 0.02
_PRIOR_TAGGED, _PRIOR_CLIPPINGS = 1.5, 30  # a tag is on one clipping of twenty until they tell


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The numbers of `FEATURES` for some documents and all tags; few are not nothing.

    ``named``, by document and tag, are those that speak of the tag's name. ``standing`` are by
    feature (document, tag), ``prior`` by tag.
    """

    named: list[dict[int, list[float]]]
    standing: dict[str, Floats]
    prior: Floats

    def of(self, document: int, tags: Ints) -> Floats:
        """All numbers (feature, tag) of one document and some tags."""
        found = np.zeros((len(FEATURES), len(tags)))
        named = self.named[document]
        for place, tag in enumerate(tags.tolist()):
            if tag in named:
                found[: len(NAME_FEATURES), place] = named[tag]
        for feature, values in self.standing.items():
            found[FEATURES.index(feature)] = values[document, tags]
        found[FEATURES.index("prior")] = self.prior[tags]
        return found

    def odds(self, weights: Floats) -> Floats:
        """What is weighed, added up (document, tag): the logarithm of the odds.

        Added feature by feature, so that a score does not depend on what it is computed beside.
        """
        by_feature = dict(zip(FEATURES, weights.tolist(), strict=False))
        by_tag = self.prior * by_feature["prior"] + weights[-1]
        total: Floats = np.tile(by_tag, (len(self.named), 1))
        for feature, values in self.standing.items():
            total += values * by_feature[feature]
        of_names = [by_feature[feature] for feature in NAME_FEATURES]
        for document, named in enumerate(self.named):
            for tag, numbers in named.items():
                total[document, tag] += sum(map(mul, numbers, of_names))
        return total


def compute_features(
    read: Sequence[AnalyzedDocument], lexicon: Lexicon, profile: TagStatistics
) -> FeatureTable:
    """What is known of documents, by tag."""
    tags = len(profile.taught)
    share = (profile.taught + _PRIOR_TAGGED) / (profile.clippings + _PRIOR_CLIPPINGS)
    if not read:
        return FeatureTable([], {}, np.log(share))
    rows = SparseRows([one.vector for one in read])
    by_spread = rows.values / profile.scale[rows.ids]
    company = lexicon.company.times(rows, rows.values, tags)
    said = profile.sums.times(rows, by_spread, tags)
    shared = rows.times(by_spread, profile.mean)[:, None]
    said -= profile.taught * shared
    said /= np.maximum(profile.norms, 1e-9)
    standing = {
        "company": _z_scores(company, np.ones(tags, bool)),
        "words": _z_scores(said, profile.taught > 0),
    }
    if profile.meaning.shape[1] and len(read[0].meaning):
        meanings = np.stack([one.meaning for one in read])
        near = np.zeros((len(read), tags))
        some = np.flatnonzero(profile.taught)
        near[:, some] = np.einsum("ns,ts->nt", meanings, profile.meaning[some])
        standing["meaning"] = _z_scores(near, profile.taught > 0)
    return FeatureTable([_named(one, lexicon, profile) for one in read], standing, np.log(share))


def _named(
    read: AnalyzedDocument, lexicon: Lexicon, profile: TagStatistics
) -> dict[int, list[float]]:
    """The numbers of `NAME_FEATURES`, of the tags whose names stand in a document, or in part."""
    named: dict[int, list[float]] = {}
    for tag in {*read.mentions, *read.cover}:
        mentions = read.mentions.get(tag) or Mentions()
        support = rarity = 0.0
        if mentions.exact:
            right, stands = profile.right[tag], profile.stands[tag]
            support = log((right + 1) / (stands - right + 1))
            rarity = -log(lexicon.spread[tag])
        named[tag] = [
            mentions.title, mentions.lead, log1p(mentions.count), support, mentions.inflected,
            rarity, read.cover.get(tag, 0.0),
        ]  # fmt: skip
    return named


def _z_scores(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """How far each tag's value stands out of those of all tags ``counted``, in every row.

    The values of the others are nothing, before and after.
    """
    count = int(counted.sum())
    if count < 2:
        return values / _SPREAD_FLOOR / 10
    middle = values.sum(1) / count
    square = (values * values).sum(1) / count  # row by row, each in the same order
    spread = np.sqrt(np.maximum(square - middle * middle, 0)) + _SPREAD_FLOOR
    values -= middle[:, None]
    values /= spread[:, None]
    if count < len(counted):
        values[:, ~counted] = 0
    return values


def sigmoid(odds: Floats) -> Floats:
    """The logistic function."""
    chances: Floats = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return chances
