"""Measures matching quality by hiding known tags and predicting them.

Precision, recall and F1 are those of information retrieval, or 0 where they are undefined. Micro
averages count every pair of entry and tag alike, macro averages every tag. The intervals are
Wilson's at 95 %: three right of four found may mean anything from 0.30 to 0.95.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

from dateutil import parser as dateparser

from aggregator.errors import ConfigError, Diagnostic
from aggregator.match.fitting import FOLDS, split_range
from aggregator.match.matcher import HIGH_RECALL, Matcher
from aggregator.match.text_vectors import Embedder
from aggregator.match.training import Trainer, training_clippings
from aggregator.match.vocabulary import Vocabulary, build_vocabulary
from aggregator.model import Clipping, Decision, Entry, TagSettings

EXCERPT_CHARACTERS = 500  # of a post that serves as a clipping
MIN_CLIPPINGS = 3  # of a tag that counts when posts are evaluated
_MAX_SINGLE_CLIPPINGS = 200  # up to so many clippings, each is left out alone
_MAX_CONFUSIONS = 20
_PRECISE = None  # as a base: the default thresholds
_SHUFFLE_SEED = 4287
_Z = 1.96  # 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Post:
    """A text with the tags of its author. ``published`` has a time zone."""

    title: str
    text: str
    tags: tuple[str, ...]
    language: str | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """``support``: true pairs of entry and tag; ``found``: predicted pairs."""

    precision: float
    recall: float
    f1: float
    support: int
    found: int
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Average:
    """Means over the tags."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The scores with one choice of thresholds. ``tags``, by name, are sorted by support."""

    micro: Scores
    macro: Average
    tags: dict[str, Scores]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often an entry of the tag ``missed`` was given the tag ``wrong`` instead."""

    missed: str
    wrong: str
    times: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The quality of matching. The command `evaluate --json` prints these fields.

    ``micro``, ``macro`` and ``tags`` are with ``recall = "high"``, where F1 is best. ``precise``
    is with the default thresholds, which ``thresholds`` gives by tag name. ``unexplained`` has
    the titles of the entries without any right tag.
    """

    entries: int
    micro: Scores
    macro: Average
    tags: dict[str, Scores]
    precise: OperatingPoint
    thresholds: dict[str, float]
    confusions: tuple[Confusion, ...]
    unexplained: tuple[str, ...]


def read_posts(text: str, file: str) -> list[Post]:
    """Parse one JSON object a line: ``title``, ``text``, ``tags``, optional ``lang``, ``published``.

    Raises ConfigError with every invalid line. Only a newline ends a line: texts contain U+2028
    and other separators.
    """
    posts, diagnostics = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            posts.append(_parse_post(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            diagnostics.append(Diagnostic(file, number, f"not a post: {reason}"))
    if not posts and not diagnostics:
        diagnostics.append(Diagnostic(file, None, "no posts: expected a JSON object on each line"))
    if diagnostics:
        raise ConfigError(tuple(diagnostics))
    return posts


def _parse_post(value: object) -> Post:
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    for name in ("title", "text"):
        if not isinstance(value[name], str):
            raise ValueError(f'"{name}" is not a string')
    tags = value["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError('"tags" is not a list of strings')
    language = value.get("lang")
    return Post(
        title=value["title"],
        text=value["text"],
        tags=tuple(tags),
        language=language if isinstance(language, str) else None,
        published=_parse_date(value.get("published")),
    )


def _parse_date(value: object) -> datetime | None:
    """A date in any format that exports use, or None.

    A named time zone ("EST") or none counts as UTC: only the order matters.
    """
    if not isinstance(value, str):
        return None
    try:
        date: datetime = dateparser.parse(value, tzinfos=lambda _, offset: offset or 0)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def sort_posts(posts: Sequence[Post]) -> list[Post]:
    """Sort by date if all posts have one; else shuffle, always in the same way."""
    dated = [(post.published, post) for post in posts if post.published]
    if len(dated) == len(posts):
        return [post for _, post in sorted(dated, key=lambda pair: pair[0])]
    shuffled = list(posts)
    random.Random(_SHUFFLE_SEED).shuffle(shuffled)  # noqa: S311  # an order, no secret
    return shuffled


def evaluate_posts(
    posts: Sequence[Post], clipping_count: int, embedder: Embedder | None = None
) -> Evaluation:
    """Use the first posts as clippings and the others as entries with hidden tags.

    Only tags with three clippings count. The commonness of words is learned from both, as in a run.
    """
    posts = sort_posts(posts)
    clippings = [
        Clipping(post.title, None, post.text[:EXCERPT_CHARACTERS], post.tags)
        for post in posts[:clipping_count]
    ]
    hidden = posts[clipping_count:]
    vocabulary = build_vocabulary(clippings, (), ())
    model = Trainer(vocabulary, clippings, map(_to_entry, hidden), (), embedder).train()
    matcher = Matcher(vocabulary, clippings, (), model, (), embedder)
    counts = _Counts(vocabulary, MIN_CLIPPINGS)
    counts.add(matcher, hidden)
    return counts.evaluation(matcher)


def evaluate_clippings(
    clippings: Sequence[Clipping],
    settings: Sequence[TagSettings],
    entries: Sequence[Entry] = (),
    decisions: Sequence[Decision] = (),
    embedder: Embedder | None = None,
) -> Evaluation:
    """Match each clipping as an entry with hidden tags, by a model that was trained without it.

    Of more than 200 clippings, a tenth is left out at a time. The names of the tags are known, as
    in a run; links do not count. ``entries`` is a sample of those collected, for the commonness of
    words. Confirmed entries count as clippings.
    """
    clippings = training_clippings(clippings, decisions)
    vocabulary = build_vocabulary(clippings, settings, ())
    trainer = Trainer(vocabulary, clippings, entries, (), embedder)
    counts = _Counts(vocabulary, 1)
    is_single = len(clippings) <= _MAX_SINGLE_CLIPPINGS
    for tenth in split_range(len(clippings), min(FOLDS, len(clippings))):
        fitted = trainer.fit_weights(tenth)
        for left_out in [range(n, n + 1) for n in tenth] if is_single else [tenth]:
            model = trainer.train(left_out, fitted)
            hidden = clippings[left_out.start : left_out.stop]
            posts = [Post(clipping.title, clipping.excerpt, clipping.tags) for clipping in hidden]
            counts.add(Matcher(vocabulary, (), (), model, (), embedder), posts)
    return counts.evaluation(Matcher(vocabulary, (), (), trainer.train(), (), embedder))


class _Counts:
    """Counts predictions for tags with at least ``min_clippings``.

    An operating point is the ``base`` that `Matcher.threshold` gets.
    """

    def __init__(self, vocabulary: Vocabulary, min_clippings: int) -> None:
        self._vocabulary = vocabulary
        self._keys = {tag.key for tag in vocabulary.tags if tag.clippings >= min_clippings}
        self._entries = 0
        self._support: Counter[str] = Counter()
        self._predicted: defaultdict[float | None, Counter[str]] = defaultdict(Counter)
        self._right: defaultdict[float | None, Counter[str]] = defaultdict(Counter)
        self._confusions: Counter[tuple[str, str]] = Counter()
        self._unexplained: list[str] = []

    def add(self, matcher: Matcher, posts: Sequence[Post]) -> None:
        """Predict the tags of ``posts`` and compare them with the true ones."""
        probabilities = matcher.probabilities(map(_to_entry, posts))
        for post, by_tag in zip(posts, probabilities, strict=True):
            self._add(matcher, post, by_tag)

    def _add(self, matcher: Matcher, post: Post, probabilities: Mapping[str, float]) -> None:
        true = {key for key in map(self._vocabulary.key, post.tags) if key in self._keys}
        self._entries += 1
        self._support.update(key for key in true if key)
        for base in (_PRECISE, HIGH_RECALL):
            predicted = {
                key
                for key, probability in probabilities.items()
                if key in self._keys and probability >= matcher.threshold(key, base)
            }
            self._predicted[base].update(predicted)
            self._right[base].update(predicted & true)
        # From here on with high recall.
        self._confusions.update(
            (missed, wrong) for missed in true - predicted if missed for wrong in predicted - true
        )
        if true and not predicted & true:
            self._unexplained.append(post.title)

    def evaluation(self, matcher: Matcher) -> Evaluation:
        """The figures. ``matcher`` was trained on all clippings and gives the thresholds."""
        names = {tag.key: tag.name for tag in self._vocabulary.tags}
        keys = sorted(self._keys, key=lambda key: (-self._support[key], key))
        high_recall = self._operating_point(HIGH_RECALL, keys, names)
        confusions = sorted(self._confusions.items(), key=lambda item: (-item[1], item[0]))
        return Evaluation(
            entries=self._entries,
            micro=high_recall.micro,
            macro=high_recall.macro,
            tags=high_recall.tags,
            precise=self._operating_point(_PRECISE, keys, names),
            thresholds={names[key]: matcher.threshold(key) for key in keys},
            confusions=tuple(
                Confusion(names[missed], names[wrong], times)
                for (missed, wrong), times in confusions[:_MAX_CONFUSIONS]
            ),
            unexplained=tuple(self._unexplained),
        )

    def _operating_point(
        self, base: float | None, keys: Sequence[str], names: Mapping[str, str]
    ) -> OperatingPoint:
        right, predicted = self._right[base], self._predicted[base]
        tags = {names[key]: _scores(right[key], predicted[key], self._support[key]) for key in keys}
        means = (
            _ratio(sum(getattr(scores, name) for scores in tags.values()), len(tags))
            for name in ("precision", "recall", "f1")
        )
        micro = _scores(right.total(), predicted.total(), self._support.total())
        return OperatingPoint(micro, Average(*means), tags)


def _to_entry(post: Post) -> Entry:
    """An entry without link, categories or anything else that reveals the tags."""
    return Entry("", "", post.title, text=post.text, language=post.language)


def _scores(right: int, predicted: int, support: int) -> Scores:
    return Scores(
        precision=_ratio(right, predicted),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, predicted + support),
        support=support,
        found=predicted,
        precision_interval=_interval(right, predicted),
        recall_interval=_interval(right, support),
    )


def _ratio(part: float, total: int) -> float:
    return round(part / total, 4) if total else 0.0


def _interval(part: int, total: int) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927), which holds for small numbers too."""
    if not total:
        return 0.0, 1.0
    ratio, square = part / total, _Z * _Z
    centre = ratio + square / (2 * total)
    spread = _Z * sqrt(ratio * (1 - ratio) / total + square / (4 * total * total))
    scale = 1 + square / total
    return round(max((centre - spread) / scale, 0), 4), round(min((centre + spread) / scale, 1), 4)
