"""How good the matching is: tags are taken away from what the reader tagged, and sought again. Pure.

Precision, recall and F1 are those of information retrieval, 0 where there is nothing to divide by.
Micro counts every pair of an entry and a tag alike, macro every tag. Intervals are Wilson's, at
95 %: of four entries found, three right, is anything from 0.30 to 0.95.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

from dateutil import parser as dateparser

from aggregator.errors import ConfigError, Mistake
from aggregator.match.matcher import Matcher
from aggregator.match.vocabulary import Vocabulary, build_vocabulary
from aggregator.model import Clipping, Entry, Feed, Role, StoredEntry, TagSettings

EXCERPT_CHARACTERS = 500  # of a post that stands for a clipping
FEWEST_CLIPPINGS = 3  # of a tag that counts where posts are evaluated
_SEED = 4287
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # matching does not ask when
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
class Evaluation:
    """``tags`` are by name, the best supported first. ``unexplained`` are the titles of those of
    which no tag was found again."""

    entries: int
    micro: Scores
    macro: Average
    tags: dict[str, Scores]
    unexplained: tuple[str, ...]


def read_posts(text: str, file: str) -> list[Post]:
    """One JSON object a line: ``title``, ``text``, ``tags``, and ``lang`` and ``published`` where
    they are known. Raises ConfigError with every line that is none.

    Lines end with a newline only: texts hold U+2028 and its kin.
    """
    posts, mistakes = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            posts.append(_post(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            mistakes.append(Mistake(file, number, f"not a post: {what}"))
    if not posts and not mistakes:
        mistakes.append(Mistake(file, None, "no posts: expected a JSON object on each line"))
    if mistakes:
        raise ConfigError(tuple(mistakes))
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


def evaluate_posts(posts: Sequence[Post], clippings: int) -> Evaluation:
    """The first ``clippings`` posts stand for clippings, the rest for entries without tags.

    The first by date, if all have one, else of a shuffle that is always the same. Only tags with
    three clippings count.
    """
    dated = [(post.published, post) for post in posts if post.published]
    if len(dated) == len(posts):
        ordered = [post for _, post in sorted(dated, key=lambda pair: pair[0])]
    else:
        ordered = list(posts)
        random.Random(_SEED).shuffle(ordered)  # noqa: S311  # an order, no secret
    learned = [
        Clipping(post.title, None, post.text[:EXCERPT_CHARACTERS], post.tags)
        for post in ordered[:clippings]
    ]
    vocabulary = build_vocabulary(learned, (), ())
    counted = {tag.key for tag in vocabulary.tags if tag.clippings >= FEWEST_CLIPPINGS}
    return _evaluate(Matcher(vocabulary, learned, ()), vocabulary, ordered[clippings:], counted)


def evaluate_clippings(
    clippings: Sequence[Clipping], settings: Sequence[TagSettings]
) -> Evaluation:
    """Each clipping as if it were an entry that came without its tags.

    The tags' names are known, as they are in a run; the clipping's own link counts for nothing.
    """
    vocabulary = build_vocabulary(clippings, settings, ())
    posts = [Post(c.title, c.excerpt, c.tags) for c in clippings if c.tags]
    counted = {tag.key for tag in vocabulary.tags if tag.clippings}
    return _evaluate(Matcher(vocabulary, (), ()), vocabulary, posts, counted)


def _evaluate(
    matcher: Matcher, vocabulary: Vocabulary, posts: Iterable[Post], counted: set[str]
) -> Evaluation:
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    support: Counter[str] = Counter()
    unexplained, entries = [], 0
    for number, post in enumerate(posts):
        wanted = {vocabulary.key(tag) for tag in post.tags} & counted
        matches = matcher.match(_entry(number, post))
        given = {match.tag for match in matches if not match.near} & counted
        entries += 1
        support.update(key for key in wanted if key)
        found.update(given)
        right.update(given & wanted)
        if wanted and not given & wanted:
            unexplained.append(post.title)
    tags = {
        tag.name: _scores(right[tag.key], found[tag.key], support[tag.key])
        for tag in sorted(vocabulary.tags, key=lambda tag: (-support[tag.key], tag.key))
        if tag.key in counted
    }
    return Evaluation(
        entries=entries,
        micro=_scores(right.total(), found.total(), support.total()),
        macro=Average(
            *(
                _share(sum(getattr(scores, name) for scores in tags.values()), len(tags))
                for name in ("precision", "recall", "f1")
            )
        ),
        tags=tags,
        unexplained=tuple(unexplained),
    )


def _entry(number: int, post: Post) -> StoredEntry:
    """A post as the store would give it, without link, categories and everything else that tells."""
    key = str(number)
    return StoredEntry(
        row=number,
        feed_url="",
        feed=Feed("", ""),
        role=Role.SUBSCRIPTION,
        entry=Entry(key, key, post.title, text=post.text, language=post.language),
        first_seen_at=_EPOCH,
        changed_at=_EPOCH,
    )


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
