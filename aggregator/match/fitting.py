"""Fits the weights of the features, and the shift of each tag, to clippings that are held out."""

from collections.abc import Iterator, Sequence

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, batches
from aggregator.match.features import DEFAULT_WEIGHTS, SEMANTIC_WEIGHTS, compute_features, sigmoid
from aggregator.match.sparse import Floats, Ints
from aggregator.match.tag_statistics import compute_statistics
from aggregator.match.text_vectors import Lexicon

FOLDS = 10
_MAX_FOLDED_CLIPPINGS = 2000  # with more clippings, only the last fold is held out
_MAX_PAIRS = 400_000  # of clipping and tag, to fit the weights to
# It takes about so many pairs to move a weight, or the shift of a tag, by one.
_WEIGHT_STIFFNESS, _SHIFT_STIFFNESS = 100.0, 8.0
_Pairs = tuple[Ints, Floats, Floats]  # (pair,) tag, (feature, pair), (pair,) 1 if it is right


def split_range(count: int, parts: int) -> list[range]:
    """Split ``range(count)`` into parts of about the same length."""
    return [range(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def held_out_folds(count: int, max_scored: int) -> Iterator[tuple[range, range]]:
    """Pairs of clippings that are left out and, among them, clippings that are scored.

    At most about ``max_scored`` of ``count`` are scored. Neighbours in time often belong to one
    story, so they are left out together: tomorrow's stories are unknown too.
    """
    if count > _MAX_FOLDED_CLIPPINGS:
        last = range(count - max(min(max_scored, count // FOLDS), 1), count)
        yield last, last
        return
    step = max(count // max_scored, 1)
    for fold in split_range(count, FOLDS if count > FOLDS * 2 else count):
        yield fold, fold[::step]


def fit_weights(
    clippings: Sequence[AnalyzedDocument],
    rejections: Sequence[AnalyzedDocument],
    lexicon: Lexicon,
    tag_count: int,
) -> tuple[Floats, Floats]:
    """The weights (feature + 1,), and by how much each tag's log odds are too low (tag,).

    ``rejections`` are entries with the tags that the reader rejected for them.
    """
    default = np.array(SEMANTIC_WEIGHTS if len(lexicon.centre) else DEFAULT_WEIGHTS)
    pairs = list(_held_out_pairs(clippings, lexicon, tag_count))
    if rejections:
        pairs += _rejected_pairs(clippings, rejections, lexicon, tag_count)
    if not pairs:
        return default, np.zeros(tag_count)
    all_tags, all_features, all_labels = zip(*pairs, strict=True)
    tags, labels = np.concatenate(all_tags), np.concatenate(all_labels)
    features = np.concatenate(all_features, 1)
    weights = fit_logistic(features, labels, default, _WEIGHT_STIFFNESS)
    predicted = sigmoid(weights[:-1] @ features + weights[-1])  # (pair,)
    return weights, tag_shifts(tags, labels, predicted, tag_count)


def tag_shifts(tags: Ints, labels: Floats, predicted: Floats, tag_count: int) -> Floats:
    """By how much the predicted log odds of each tag are too low (tag,).

    All arguments are (pair,). This is one step of Newton's method, drawn to zero.
    """
    slopes = np.bincount(tags, labels - predicted, tag_count)  # (tag,)
    curvatures = np.bincount(tags, predicted * (1 - predicted), tag_count)  # (tag,)
    shifts: Floats = slopes / (curvatures + _SHIFT_STIFFNESS)
    return shifts


def _held_out_pairs(
    clippings: Sequence[AnalyzedDocument], lexicon: Lexicon, tag_count: int
) -> Iterator[_Pairs]:
    """Each scored clipping with every tag that the clippings which are not left out know."""
    max_scored = max(_MAX_PAIRS // max(tag_count, 1), 1)
    for left_out, scored in held_out_folds(len(clippings), max_scored):
        others = [*clippings[: left_out.start], *clippings[left_out.stop :]]
        statistics = compute_statistics(others, tag_count, len(lexicon.terms))
        tags = np.flatnonzero(statistics.clipping_counts)
        for batch in batches([clippings[number] for number in scored], tag_count):
            table = compute_features(batch, lexicon, statistics)
            for number, clipping in enumerate(batch):
                labels = np.isin(tags, list(clipping.document.tags)).astype(float)
                yield tags, table.of_document(number, tags), labels


def _rejected_pairs(
    clippings: Sequence[AnalyzedDocument],
    rejections: Sequence[AnalyzedDocument],
    lexicon: Lexicon,
    tag_count: int,
) -> Iterator[_Pairs]:
    statistics = compute_statistics(clippings, tag_count, len(lexicon.terms))
    for entry in rejections:
        tags = np.array(sorted(entry.document.tags), np.int64)
        table = compute_features([entry], lexicon, statistics)
        yield tags, table.of_document(0, tags), np.zeros(len(tags))


def fit_logistic(
    features: Floats,
    labels: Floats,
    prior: Floats,
    stiffness: float,
    pair_weights: Floats | None = None,
) -> Floats:
    """Weights (feature + 1,) of a logistic regression, by Newton's method.

    ``features`` is (feature, pair); ``labels`` and ``pair_weights`` are (pair,). The penalty
    ``stiffness`` draws the weights to ``prior`` (feature + 1,) instead of to zero.
    """
    x = np.column_stack([*features, np.ones(len(labels))])  # (pair, feature + 1)
    importance = np.ones(len(labels)) if pair_weights is None else pair_weights
    weights = prior.copy()
    for _ in range(50):
        p = sigmoid(x @ weights)
        slope = x.T @ (importance * (p - labels)) + stiffness * (weights - prior)
        curvature = (x * (importance * p * (1 - p))[:, None]).T @ x
        step = np.linalg.solve(curvature + stiffness * np.eye(len(weights)), slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights.round(6)
