"""The probability of a tag by its model and its name."""

from math import log

import pytest

from aggregator.match import build_vocabulary
from aggregator.match.phrases import Mentions, PhraseIndex
from aggregator.match.scores import TagScorer, name_probabilities
from aggregator.match.text_vectors import read_document
from aggregator.match.tokens import read_words
from aggregator.match.training import Trainer
from aggregator.model import Clipping


def scorer_of(*counts):
    """A scorer whose tags t0, t1, ... have so many clippings each."""
    clippings = [
        Clipping(f"honey{tag}n{number}", None, "", (f"t{tag}",))
        for tag, count in enumerate(counts)
        for number in range(count)
    ]
    vocabulary = build_vocabulary(clippings, (), ())
    return TagScorer(vocabulary, Trainer(vocabulary, clippings, ()).train())


def test_model_is_trusted_from_three_clippings_of_a_tag_on():
    assert scorer_of(1, 2, 3, 4).trust.tolist() == [0, 0.5, 1, 1]


def test_model_is_trusted_less_with_fewer_than_ten_clippings():
    assert scorer_of(1, 2, 2).trust.tolist() == pytest.approx([0, 0.25, 0.25])
    assert scorer_of(3, 6).trust.tolist() == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize(
    ("name", "title", "text", "by_place"),
    [
        ("common", "A common", "", {"title": 0.6}),
        ("common good", "A common good", "", {"title": 0.9}),
        ("common", "", "A common, a common", {"lead": 0.4}),
        ("common good", "", "A common good", {"lead": 0.6}),
        ("common", "Commons", "commons", {"title": 0.3, "lead": 0.2}),
        ("common", "", "x " * 50 + "common", {"body": 0.2}),
        ("common", "", "x " * 50 + "common " * 2, {"body": 1 - 0.8**2}),
        ("common", "", "x " * 50 + "common " * 9, {"body": 1 - 0.8**3}),
        ("common good", "", "x " * 50 + "common good " * 2, {"body": 1 - 0.65**2}),
    ],
)
def test_probability_of_a_name_depends_on_its_place(name, title, text, by_place):
    mentions = PhraseIndex({name: "k"}).mentions(read_words(title), read_words(text), "en")["k"]
    probabilities = {place: probability for place, _, probability in name_probabilities(mentions)}
    assert probabilities == pytest.approx(by_place)
    assert not list(name_probabilities(Mentions()))


def test_name_and_model_are_mixed_by_trust():
    """With trust 0 either is enough, with trust 1 only the model counts."""
    title = "t0 t1 and t2"
    scorer = scorer_of(1, 2, 7)
    (scores,) = scorer.score([read_document(title, "", None)])
    log_odds = scores.features.log_odds(scorer._model.weights)[0]
    by_model = 1 / (1 + 2.718281828459045**-log_odds)
    either = 1 - (1 - 0.6) * (1 - by_model)
    assert scores.probabilities[0] == pytest.approx(either[0])
    assert scores.probabilities[1] == pytest.approx((by_model[1] + either[1]) / 2)
    assert scores.probabilities[2] == pytest.approx(by_model[2])


def test_only_named_and_likely_tags_have_a_probability():
    scorer = scorer_of(1, 9)
    unnamed, named = scorer.score([read_document(title, "", None) for title in ("tomatoes", "t0")])
    log_odds = unnamed.features.log_odds(scorer._model.weights)[0]
    assert log_odds[0] < log(0.05 / 0.95) < log_odds[1]
    assert set(unnamed.probabilities) == {1}
    assert 0 in named.probabilities
