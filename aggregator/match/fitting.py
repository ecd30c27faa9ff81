"""The weights of the features, fitted to held-out clippings."""

from collections.abc import Iterator, Sequence

import numpy as np

from aggregator.match.analysis import AnalyzedDocument, batches
from aggregator.match.features import DEFAULT_WEIGHTS, SEMANTIC_WEIGHTS, compute_features, sigmoid
from aggregator.match.sparse import Floats, Ints
from aggregator.match.tag_statistics import compute_statistics
from aggregator.match.text_vectors import Lexicon

FOLDS = 10
_PRIOR_PENALTY = 100.0  # pairs that it takes to move a weight by one, about
_SHIFT_PENALTY = 8.0
_MAX_PAIRS = 400_000  # of clipping and tag, to weigh from
_HELD_OUT_ONCE = 2000  # clippings from which on one part is held out, instead of each in turn


def held_out_folds(count: int, most: int) -> Iterator[tuple[range, range]]:
    """Which of ``count`` clippings are scored, each time with those beside them left out.

    Neighbours in time are of one story: they are left out together, as tomorrow's are unknown.
    """
    if count > _HELD_OUT_ONCE:
        scored = max(min(most, count // FOLDS), 1)
        yield range(count - scored, count), range(count - scored, count)
        return
    folds = min(FOLDS, count) if count > FOLDS * 2 else count
    step = max(count // most, 1)
    for fold in range(folds):
        left_out = range(count * fold // folds, count * (fold + 1) // folds)
        yield left_out, left_out[::step]


def fit_weights(
    read: Sequence[AnalyzedDocument],
    rejected: Sequence[AnalyzedDocument],
    lexicon: Lexicon,
    tags: int,
) -> tuple[Floats, Floats]:
    prior = np.array(SEMANTIC_WEIGHTS if len(lexicon.centre) else DEFAULT_WEIGHTS)
    most = max(_MAX_PAIRS // max(tags, 1), 1)
    rows: list[Floats] = []
    right: list[Floats] = []
    whose: list[Ints] = []
    for left_out, scored in held_out_folds(len(read), most):
        rest = [*read[: left_out.start], *read[left_out.stop :]]
        profile = compute_statistics(rest, tags, len(lexicon.terms))
        taught = np.flatnonzero(profile.taught)
        for some in batches([read[number] for number in scored], tags):
            found = compute_features(some, lexicon, profile)
            rows += [found.of(number, taught) for number in range(len(some))]
            right += [np.isin(taught, list(one.tags)).astype(float) for one in some]
            whose += [taught] * len(some)
    whole = compute_statistics(read if rejected else (), tags, len(lexicon.terms))
    for one in rejected:
        refused = np.array(sorted(one.tags), np.int64)
        rows.append(compute_features([one], lexicon, whole).of(0, refused))
        right.append(np.zeros(len(refused)))
        whose.append(refused)
    if not rows:
        return prior, np.zeros(tags)
    x, y, tag = np.concatenate(rows, 1), np.concatenate(right), np.concatenate(whose)
    weights = fit(x, y, prior, _PRIOR_PENALTY)
    missed = y - (p := sigmoid(weights[:-1] @ x + weights[-1]))
    sums = np.bincount(tag, weights=missed, minlength=tags)
    certain = np.bincount(tag, weights=p * (1 - p), minlength=tags)
    return weights, sums / (certain + _SHIFT_PENALTY)


def fit(
    rows: Floats, right: Floats, prior: Floats, stiffness: float, by: Floats | None = None
) -> Floats:
    """Logistic regression drawn to ``prior`` instead of to nothing, by Newton's method.

    ``rows`` are by feature first; ``by`` weighs the pairs.
    """
    x = np.column_stack([*rows, np.ones(len(right))])
    weigh = np.ones(len(right)) if by is None else by
    weights = prior.copy()
    for _ in range(50):
        p = sigmoid(x @ weights)
        slope = x.T @ (weigh * (p - right)) + stiffness * (weights - prior)
        curve = (x * (weigh * p * (1 - p))[:, None]).T @ x + stiffness * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights.round(6)
