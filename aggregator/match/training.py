"""Trains a `TagModel` on the reader's clippings and decisions.

Training uses no random numbers: the same input gives the same model.
"""

from collections.abc import Iterable, Sequence

from aggregator.match.analysis import Analyzer
from aggregator.match.fitting import fit_weights
from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import Floats
from aggregator.match.tag_model import TagModel, TrainingExample
from aggregator.match.tag_statistics import compute_statistics
from aggregator.match.term_statistics import build_lexicon
from aggregator.match.text_vectors import Embedder, read_document, read_entry
from aggregator.match.vocabulary import Vocabulary
from aggregator.model import Clipping, Decision, Entry

_NO_CLIPPINGS = range(0)


class Trainer:
    """Trains models on all clippings, or on all but a few.

    ``clippings`` are in a lasting order, best by time: neighbours are held out together when the
    weights are fitted. ``entries`` is a sample of those collected; it shows how common words and
    names are. Confirmed entries count as clippings, rejected ones adjust the weights.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        entries: Iterable[Entry],
        decisions: Sequence[Decision] = (),
        embedder: Embedder | None = None,
    ) -> None:
        tags = vocabulary.tag_indices
        valid_decisions = [decision for decision in decisions if vocabulary.key(decision.tag)]
        training = training_clippings(clippings, valid_decisions)
        self._is_private = [clipping.private for clipping in training]
        labelled = [
            read_document(
                clipping.title,
                clipping.excerpt,
                None,
                frozenset(tags[key] for key in map(vocabulary.key, clipping.tags) if key),
            )
            for clipping in training
        ]
        sample = list(map(read_entry, entries))
        rejections = [
            read_entry(decision.entry, frozenset({tags[key]}))
            for decision in valid_decisions
            if not decision.confirmed and (key := vocabulary.key(decision.tag))
        ]
        self._tag_count = len(vocabulary.tags)
        phrases = PhraseIndex(vocabulary.names, vocabulary.excluded_phrases)
        self._lexicon = build_lexicon(vocabulary, phrases, labelled, sample, embedder)
        analyzer = Analyzer(vocabulary, phrases, self._lexicon, embedder)
        self._clippings = analyzer.analyze(labelled)
        self._rejections = analyzer.analyze(rejections)

    def fit_weights(self, left_out: range = _NO_CLIPPINGS) -> tuple[Floats, Floats]:
        """The weights of the features (feature + 1,) and the shifts of the tags (tag,)."""
        clippings = [*self._clippings[: left_out.start], *self._clippings[left_out.stop :]]
        return fit_weights(clippings, self._rejections, self._lexicon, self._tag_count)

    def train(
        self, left_out: range = _NO_CLIPPINGS, fitted: tuple[Floats, Floats] | None = None
    ) -> TagModel:
        """Train on all clippings but those ``left_out``.

        ``fitted`` is a result of `fit_weights`, to fit once for several models.
        """
        clippings = [*self._clippings[: left_out.start], *self._clippings[left_out.stop :]]
        private = [*self._is_private[: left_out.start], *self._is_private[left_out.stop :]]
        statistics = compute_statistics(clippings, self._tag_count, len(self._lexicon.terms))
        weights, shifts = fitted or self.fit_weights(left_out)
        examples = tuple(
            TrainingExample(
                "" if is_private else clipping.document.title.text,
                tuple(sorted(clipping.document.tags)),
                clipping.vector,
                clipping.meaning,
            )
            for clipping, is_private in zip(clippings, private, strict=True)
        )
        return TagModel(self._lexicon, statistics, weights, shifts, examples)


def training_clippings(
    clippings: Iterable[Clipping], decisions: Iterable[Decision] = ()
) -> list[Clipping]:
    """The clippings that have tags, and the confirmed entries as clippings.

    A clipping without tags is no example, not even a negative one.
    """
    confirmed: dict[int, Clipping] = {}
    for decision in decisions:
        if decision.confirmed:
            entry = decision.entry
            tags = (*getattr(confirmed.get(decision.row), "tags", ()), decision.tag)
            confirmed[decision.row] = Clipping(entry.title, None, entry.text, tags)
    return [*(clipping for clipping in clippings if clipping.tags), *confirmed.values()]
