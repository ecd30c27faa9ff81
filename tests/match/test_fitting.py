"""The weights of the features."""

import numpy as np
import pytest

from aggregator.match.features import DEFAULT_WEIGHTS, FEATURES
from aggregator.match.fitting import fit_logistic, held_out_folds, split_range, tag_shifts


def test_fit_finds_the_true_weights_and_stays_near_its_prior():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20_000, 2))
    true = np.array([1.5, -0.5, -1.0])
    right = (rng.random(20_000) < 1 / (1 + np.exp(-(rows @ true[:2] + true[2])))).astype(float)
    assert fit_logistic(rows.T, right, np.zeros(3), 1.0) == pytest.approx(true, abs=0.1)
    assert fit_logistic(rows[:5].T, right[:5], true, 1000.0) == pytest.approx(true, abs=0.01)
    assert len(DEFAULT_WEIGHTS) == len(FEATURES) + 1


@pytest.mark.parametrize("count", [0, 1, 2, 13, 20, 21, 199, 2000])
def test_each_clipping_is_held_out_once(count):
    scored = [number for _, part in held_out_folds(count, 10**6) for number in part]
    assert scored == list(range(count))
    assert all(set(part) <= set(left_out) for left_out, part in held_out_folds(count, 10**6))


def test_only_the_last_of_very_many_clippings_are_held_out():
    ((left_out, scored),) = held_out_folds(20_000, 40)
    assert (left_out, scored) == (range(19_960, 20_000), range(19_960, 20_000))
    assert sum(len(part) for _, part in held_out_folds(1000, 100)) == 100


def test_parts_of_a_range_are_about_equal_and_complete():
    assert split_range(7, 3) == [range(2), range(2, 4), range(4, 7)]
    assert split_range(0, 0) == []


def test_tag_shift_is_a_newton_step_with_the_stiffness_of_eight_pairs():
    # 32 pairs of tag 0 were predicted with 0.5, and all are wrong: the slope is -32 * 0.5, the
    # curvature 32 * 0.25, and with the stiffness the step is -16 / (8 + 8).
    tags = np.array([0] * 32 + [1])
    labels, predicted = np.zeros(33), np.full(33, 0.5)
    labels[32] = 1
    shifts = tag_shifts(tags, labels, predicted, 3)
    assert shifts.tolist() == [-1.0, 0.5 / (0.25 + 8), 0.0]


def test_fit_without_evidence_keeps_the_prior_and_counts_pairs_by_weight():
    features = np.array([[1.0, 0.0, 1.0]])
    labels, prior = np.array([1.0, 0.0, 0.0]), np.array([0.3, -0.2])
    none = fit_logistic(features, labels, prior, 1.0, np.zeros(3))
    assert none.tolist() == prior.tolist()
    twice = fit_logistic(np.array([[1.0, 0.0]]), labels[:2], prior, 1.0, np.array([2.0, 1.0]))
    repeated = fit_logistic(np.array([[1.0, 1.0, 0.0]]), np.array([1.0, 1.0, 0.0]), prior, 1.0)
    assert twice == pytest.approx(repeated)
