"""How good the matching is: tags are taken away from what the reader tagged, and sought again. Pure.

Precision, recall and F1 are those of information retrieval, 0 where there is nothing to divide by.
Micro counts every pair of an entry and a tag alike, macro every tag. Intervals are Wilson's, at
95 %: of four entries found, three right, is anything from 0.30 to 0.95.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

from dateutil import parser as dateparser

from aggregator.errors import ConfigError, Diagnostic
from aggregator.match.fitting import FOLDS
from aggregator.match.matcher import HIGH_RECALL, Matcher
from aggregator.match.text_vectors import Embedder
from aggregator.match.training import make_trainer, training_clippings
from aggregator.match.vocabulary import Vocabulary, build_vocabulary
from aggregator.model import Clipping, Decision, Entry, TagSettings

EXCERPT_CHARACTERS = 500  # of a post that stands for a clipping
MIN_CLIPPINGS = 3  # of a tag that counts where posts are evaluated
_ALONE = 200  # clippings of which each is left out by itself; of more, a tenth at a time
_CONFUSIONS = 20  # told
_SEED = 4287
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Post:
    """A text with the tags that its author gave it. ``published`` is aware, or None."""

    title: str
    text: str
    tags: tuple[str, ...]
    language: str | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """``support``: how many pairs of entry and tag there are; ``found``: how many were found."""

    precision: float
    recall: float
    f1: float
    support: int
    found: int
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Average:
    """Means over tags."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What is found from one threshold on. ``tags`` are by name, the best supported first."""

    micro: Scores
    macro: Average
    tags: dict[str, Scores]


@dataclass(frozen=True, slots=True)
class Confusion:
    """An entry of the tag ``missed`` was given the tag ``wrong`` instead, so many times."""

    missed: str
    wrong: str
    times: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``micro``, ``macro`` and ``tags`` are what is found with ``recall = "high"``, where F1 is
    best; ``precise`` is what is found by default, and ``thresholds`` are those of that, by name.

    ``unexplained`` are the titles of those of which no tag was found again.
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
    """One JSON object a line: ``title``, ``text``, ``tags``, and ``lang`` and ``published`` where
    they are known. Raises ConfigError with every line that is none.

    Lines end with a newline only: texts hold U+2028 and its kin.
    """
    posts, diagnostics = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            posts.append(_post(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            diagnostics.append(Diagnostic(file, number, f"not a post: {what}"))
    if not posts and not diagnostics:
        diagnostics.append(Diagnostic(file, None, "no posts: expected a JSON object on each line"))
    if diagnostics:
        raise ConfigError(tuple(diagnostics))
    return posts


def _post(value: object) -> Post:
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    for name in ("title", "text"):
        if not isinstance(value[name], str):
            raise ValueError(f'"{name}" is no text')
    tags = value["tags"]
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError('"tags" is no list of texts')
    language = value.get("lang")
    return Post(
        title=value["title"],
        text=value["text"],
        tags=tuple(tags),
        language=language if isinstance(language, str) else None,
        published=_date(value.get("published")),
    )


def _date(value: object) -> datetime | None:
    """A date in any of the ways that exports write them; None where it is none.

    A zone that is a name ("EST") or is missing is taken for UTC: only the order counts.
    """
    if not isinstance(value, str):
        return None
    try:
        at: datetime = dateparser.parse(value, tzinfos=lambda _, offset: offset or 0)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def sort_posts(posts: Sequence[Post]) -> list[Post]:
    """By date, if all have one, else in an order drawn once and for all."""
    dated = [(post.published, post) for post in posts if post.published]
    if len(dated) == len(posts):
        return [post for _, post in sorted(dated, key=lambda pair: pair[0])]
    ordered = list(posts)
    random.Random(_SEED).shuffle(ordered)  # noqa: S311  # an order, no secret
    return ordered


def evaluate_posts(
    posts: Sequence[Post], clippings: int, embedder: Embedder | None = None
) -> Evaluation:
    """The first ``clippings`` posts stand for clippings, the rest for entries without tags.

    Only tags with three clippings count. How common words are is learned from both, as in a run.
    """
    ordered = sort_posts(posts)
    kept = [
        Clipping(post.title, None, post.text[:EXCERPT_CHARACTERS], post.tags)
        for post in ordered[:clippings]
    ]
    vocabulary = build_vocabulary(kept, (), ())
    rest = ordered[clippings:]
    learned = make_trainer(vocabulary, kept, map(_entry, rest), (), embedder).train()
    matcher = Matcher(vocabulary, kept, (), learned, (), embedder)
    counts = _Counts(vocabulary, MIN_CLIPPINGS)
    counts.add(matcher, rest)
    return counts.evaluation(matcher)


def evaluate_clippings(
    clippings: Sequence[Clipping],
    settings: Sequence[TagSettings],
    entries: Sequence[Entry] = (),
    decisions: Sequence[Decision] = (),
    embedder: Embedder | None = None,
) -> Evaluation:
    """Each clipping as if it were an entry that came without its tags.

    It is left out of what is learned, with a tenth of the others where there are more than 200.
    The tags' names are known, as they are in a run; the clipping's own link counts for nothing.
    ``entries`` are those collected, or some: they tell how common words are. Entries that were
    confirmed are as good as clippings.
    """
    kept = training_clippings(clippings, decisions)
    vocabulary = build_vocabulary(kept, settings, ())
    teacher = make_trainer(vocabulary, kept, entries, (), embedder)
    counts = _Counts(vocabulary, 1)
    matcher = Matcher(vocabulary, (), (), teacher.train(), (), embedder)
    for tenth in _parts(len(kept), min(FOLDS, len(kept))):
        weighed = teacher.fit_weights(tenth)
        alone = len(kept) <= _ALONE
        for left_out in _each(tenth) if alone else [tenth]:
            rest = [*kept[: left_out.start], *kept[left_out.stop :]]
            learned = teacher.without(left_out, weighed)
            without = Matcher(vocabulary, rest, (), learned, (), embedder)
            some = kept[left_out.start : left_out.stop]
            counts.add(without, [Post(one.title, one.excerpt, one.tags) for one in some])
    return counts.evaluation(matcher)


def _parts(count: int, parts: int) -> Iterator[range]:
    for part in range(parts):
        yield range(count * part // parts, count * (part + 1) // parts)


def _each(numbers: range) -> list[range]:
    return [range(number, number + 1) for number in numbers]


class _Counts:
    """What was right, found and wanted, by tag, at both operating points."""

    def __init__(self, vocabulary: Vocabulary, fewest: int) -> None:
        self._vocabulary = vocabulary
        self._counted = {tag.key for tag in vocabulary.tags if tag.clippings >= fewest}
        self._support: Counter[str] = Counter()
        self._found: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._right: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._confused: Counter[tuple[str, str]] = Counter()
        self._unexplained: list[str] = []
        self._entries = 0

    def add(self, matcher: Matcher, posts: Sequence[Post]) -> None:
        """Count what ``matcher`` finds for posts that have their tags in truth."""
        chances = matcher.chances(map(_entry, posts))
        for post, found in zip(posts, chances, strict=True):
            self._add(matcher, post, found)

    def _add(self, matcher: Matcher, post: Post, chances: Mapping[str, float]) -> None:
        wanted = {key for key in map(self._vocabulary.key, post.tags) if key in self._counted}
        scored = {key: chance for key, chance in chances.items() if key in self._counted}
        self._entries += 1
        self._support.update(key for key in wanted if key)
        for precise in (True, False):
            given = {
                key
                for key, score in scored.items()
                if score >= matcher.threshold(key, None if precise else HIGH_RECALL)
            }
            self._found[precise].update(given)
            self._right[precise].update(given & wanted)
        self._confused.update(
            (missed, wrong) for missed in wanted - given if missed for wrong in given - wanted
        )
        if wanted and not given & wanted:
            self._unexplained.append(post.title)

    def evaluation(self, matcher: Matcher) -> Evaluation:
        """The figures. ``matcher`` is one that learned from all, for its thresholds."""
        names = {tag.key: tag.name for tag in self._vocabulary.tags}
        ordered = sorted(self._counted, key=lambda key: (-self._support[key], key))
        high, precise = (self._point(ordered, names, precise=p) for p in (False, True))
        return Evaluation(
            entries=self._entries,
            micro=high.micro,
            macro=high.macro,
            tags=high.tags,
            precise=precise,
            thresholds={names[key]: matcher.threshold(key) for key in ordered},
            confusions=tuple(
                Confusion(names[missed], names[wrong], times)
                for (missed, wrong), times in sorted(
                    self._confused.items(), key=lambda item: (-item[1], item[0])
                )[:_CONFUSIONS]
            ),
            unexplained=tuple(self._unexplained),
        )

    def _point(
        self, ordered: Sequence[str], names: Mapping[str, str], *, precise: bool
    ) -> OperatingPoint:
        right, found = self._right[precise], self._found[precise]
        tags = {names[key]: _scores(right[key], found[key], self._support[key]) for key in ordered}
        means = (
            _share(sum(getattr(scores, name) for scores in tags.values()), len(tags))
            for name in ("precision", "recall", "f1")
        )
        micro = _scores(right.total(), found.total(), self._support.total())
        return OperatingPoint(micro, Average(*means), tags)


def _entry(post: Post) -> Entry:
    """A post without link, categories and everything else that tells its tags."""
    return Entry("", "", post.title, text=post.text, language=post.language)


def _scores(right: int, found: int, support: int) -> Scores:
    return Scores(
        precision=_share(right, found),
        recall=_share(right, support),
        f1=_share(2 * right, found + support),
        support=support,
        found=found,
        precision_interval=_interval(right, found),
        recall_interval=_interval(right, support),
    )


def _share(part: float, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _interval(part: int, whole: int) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927), which is right for small numbers too."""
    if not whole:
        return 0.0, 1.0
    share, square = part / whole, _Z * _Z
    middle = share + square / (2 * whole)
    spread = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    scale = 1 + square / whole
    return round(max((middle - spread) / scale, 0), 4), round(min((middle + spread) / scale, 1), 4)
