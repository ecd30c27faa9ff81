"""How good the matching is beside what others would do, and how fast it is.

On every set of tagged posts in the corpus, the first 100 and 300 posts (title and 500 characters)
stand for clippings and the rest for entries, as `aggregator evaluate --posts` does it. Beside it
in the same run: names sought as whole words, which is what other aggregators' rules give; a
logistic regression for each tag over TF-IDF of words and pairs; either of these two; and the ten
nearest clippings. Each takes the threshold that is best under cross-validation over the clippings.

``python -m benchmarks.matching weights`` prints the default weights of `match.learned`: those that
fit the pairs of entry and tag of all sets best, each set counting alike.
"""

import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from aggregator.folding import fold
from aggregator.match.evaluate import (
    EXCERPT_CHARACTERS,
    FEWEST_CLIPPINGS,
    Post,
    evaluate_posts,
    in_order,
    read_posts,
)
from aggregator.match.learned import WEIGHTS, Floats, features
from aggregator.match.learning import document_of, fit, reader_for, teacher_of
from aggregator.match.matcher import Matcher
from aggregator.match.phrases import Phrases
from aggregator.match.vocabulary import build_vocabulary
from aggregator.model import Clipping, Entry, Feed, Role, StoredEntry

Truth = NDArray[np.int64]
SIZES = (100, 300)
_PAIRS = 60_000  # of each set, to fit weights to


def main() -> None:
    """Print both tables, or the weights."""
    tagged = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "tagged"
    paths = sorted(tagged.glob("*.jsonl"))
    sets = {path.stem: read_posts(path.read_text("utf-8"), path.name) for path in paths}
    if not sets:
        print("matching: ../shared/corpus/tagged is not there; nothing to compare on")
    elif sys.argv[1:] == ["weights"]:
        print(tuple(fitted(list(sets.values())).round(2).tolist()))
        return
    else:
        quality(sets)
    speed()


def quality(sets: dict[str, list[Post]]) -> None:
    table = Table("set", "clippings", box=None, pad_edge=False)
    columns = ("names", "logistic", "either", "nearest", "ours", "ours / best", "by default: P / R")
    for name in columns:
        table.add_column(name, justify="right")
    for name, posts in sets.items():
        for size in SIZES:
            found = evaluate_posts(posts, size)
            others = baselines(in_order(posts), size)
            best, precise = max(others), found.precise.micro
            table.add_row(
                name, str(size), *(f"{f1:.3f}" for f1 in others), f"{found.micro.f1:.3f}",
                f"{found.micro.f1 / best:.2f}", f"{precise.precision:.2f} / {precise.recall:.2f}",
            )  # fmt: skip
    print("Micro-F1 over the tags with three clippings or more:")
    Console(width=140).print(table)


def baselines(posts: Sequence[Post], size: int) -> tuple[float, float, float, float]:
    """Micro-F1 of names, logistic regression, either, and nearest clippings."""
    kept, rest = posts[:size], posts[size:]
    tags = sorted({_words(tag) for post in kept for tag in post.tags} - {""})
    truth = _truth(kept, tags)
    tags = [tag for tag, times in zip(tags, truth.sum(0), strict=True) if times >= FEWEST_CLIPPINGS]
    truth, hidden = _truth(kept, tags), _truth(rest, tags)
    clips = [f"{post.title}\n{post.text[:EXCERPT_CHARACTERS]}" for post in kept]
    entries = [f"{post.title}\n{post.text}" for post in rest]
    padded = [f" {_words(entry)} " for entry in entries]
    names = np.array([[f" {tag} " in entry for tag in tags] for entry in padded])
    logistic = _logistic(clips, truth, entries)
    nearest = _nearest(clips, truth, entries)
    return (
        _f1(hidden, names), _f1(hidden, logistic), _f1(hidden, names | logistic),
        _f1(hidden, nearest),
    )  # fmt: skip


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", fold(text)))


def _truth(posts: Sequence[Post], tags: Sequence[str]) -> Truth:
    held = [{_words(tag) for tag in post.tags} for post in posts]
    return np.array([[tag in theirs for tag in tags] for theirs in held], int)


def _f1(truth: Truth, found: NDArray[np.bool_]) -> float:
    return float(2 * (truth * found).sum() / max(truth.sum() + found.sum(), 1))


def _best_threshold(truth: Truth, scores: Floats) -> tuple[float, float]:
    candidates = np.unique(np.quantile(scores, np.linspace(0.5, 0.9995, 300)))
    return max((_f1(truth, scores >= threshold), float(threshold)) for threshold in candidates)


def _vectors() -> Any:
    return TfidfVectorizer(ngram_range=(1, 2), strip_accents="unicode", sublinear_tf=True)


def _logistic(clips: list[str], truth: Truth, entries: list[str]) -> NDArray[np.bool_]:
    def scores(some: list[str], theirs: Truth, others: list[str], strength: float) -> Floats:
        vectors = _vectors()
        known, asked = vectors.fit_transform(some), vectors.transform(others)
        out = np.zeros((len(others), theirs.shape[1]))
        for tag in np.flatnonzero(theirs.any(0) & ~theirs.all(0)):
            model = LogisticRegression(C=strength, class_weight="balanced", solver="liblinear")
            out[:, tag] = model.fit(known, theirs[:, tag]).predict_proba(asked)[:, 1]
        return out

    chosen = []
    for strength in (1.0, 10.0):
        held = np.zeros(truth.shape)
        for learn, ask in KFold(5, shuffle=True, random_state=0).split(clips):
            held[ask] = scores(
                [clips[i] for i in learn], truth[learn], [clips[i] for i in ask], strength
            )
        chosen.append((*_best_threshold(truth, held), strength))
    _, threshold, strength = max(chosen)
    return scores(clips, truth, entries, strength) >= threshold


def _nearest(
    clips: list[str], truth: Truth, entries: list[str], count: int = 10
) -> NDArray[np.bool_]:
    def scores(nearness: Floats) -> Floats:
        order = np.argsort(-nearness, axis=1)[:, :count]
        weights = np.take_along_axis(nearness, order, 1).clip(0)
        total = np.maximum(weights.sum(1), 1e-9)
        return (weights[:, :, None] * truth[order]).sum(1) / total[:, None]  # type: ignore[no-any-return]

    vectors = _vectors()
    known = vectors.fit_transform(clips)
    among = (known @ known.T).toarray()
    np.fill_diagonal(among, -1)
    _, threshold = _best_threshold(truth, scores(among))
    return scores((vectors.transform(entries) @ known.T).toarray()) >= threshold


def fitted(sets: Sequence[list[Post]]) -> Floats:
    """The weights for all sets together."""
    rows, right, by = [], [], []
    for posts in sets:
        for size in SIZES:
            x, y = _pairs(in_order(posts), size)
            some = np.random.default_rng(0).permutation(len(y))[:_PAIRS]
            rows.append(x[some])
            right.append(y[some])
            by.append(np.full(len(some), 1 / len(some)))
    weighed = np.concatenate(by) * 200_000 / len(by)
    return fit(np.concatenate(rows), np.concatenate(right), np.zeros(len(WEIGHTS)), 1.0, weighed)


def _pairs(posts: Sequence[Post], size: int) -> tuple[Floats, Floats]:
    kept = [Clipping(p.title, None, p.text[:EXCERPT_CHARACTERS], p.tags) for p in posts[:size]]
    vocabulary = build_vocabulary(kept, (), ())
    entries = [Entry("", "", p.title, text=p.text, language=p.language) for p in posts[size:]]
    learned = teacher_of(vocabulary, kept, entries).learned()
    reader = reader_for(vocabulary, Phrases(vocabulary.names), learned.lexicon)
    rows, right = [], []
    for post in posts[size:]:
        read = reader.read(document_of(post.title, post.text, post.language))
        rows.append(
            features(read.vector, read.mentions, read.cover, learned.lexicon, learned.profile)
        )
        held = set(map(vocabulary.key, post.tags))
        right.append([float(tag.key in held) for tag in vocabulary.tags])
    return np.concatenate(rows), np.concatenate(right)


def speed(entries: int = 30_000, characters: int = 2000) -> None:
    """Entries of 2 KB made of the words of a made-up language, seeded."""
    table = Table("tags", "clippings", box=None, pad_edge=False)
    for name in ("learn s", "start s", "entries/s", "ms/entry", "model MB"):
        table.add_column(name, justify="right")
    rng = np.random.default_rng(4287)
    words = np.array([_word(rng) for _ in range(60_000)])
    odds = 1 / np.arange(1, len(words) + 1)
    odds /= odds.sum()

    def text(length: int) -> str:
        return " ".join(rng.choice(words, size=length // 8, p=odds))

    sample = [_stored(text(60), text(characters)) for _ in range(2048)]
    for tags, clippings in ((45, 13), (1000, 2000), (10_000, 20_000)):
        names = [f"{rng.choice(words[200:])} {rng.choice(words[200:])} {n}" for n in range(tags)]
        kept = [
            Clipping(text(60), None, text(500), tuple(rng.choice(names, size=3, replace=False)))
            for _ in range(clippings)
        ]
        vocabulary = build_vocabulary(kept, (), ())
        began = time.perf_counter()
        learned = teacher_of(vocabulary, kept, [stored.entry for stored in sample]).learned()
        taught = time.perf_counter()
        size = len(learned.to_bytes()) / 1e6
        from_store = time.perf_counter()
        matcher = Matcher(vocabulary, kept, (), learned)
        ready = time.perf_counter()
        tried = min(entries, 2000 if tags > 1000 else 10_000)
        for number in range(tried):
            matcher.match(sample[number % len(sample)])
        each = (time.perf_counter() - ready) / tried
        table.add_row(
            str(len(vocabulary.tags)), str(clippings), f"{taught - began:.1f}",
            f"{ready - from_store:.2f}", f"{1 / each:,.0f}", f"{each * 1000:.2f}", f"{size:.1f}",
        )  # fmt: skip
    print(f"Matching entries of {characters} characters:")
    Console(width=140).print(table)


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("aeioubcdfglmnprstv"), size=int(rng.integers(3, 12))))


def _stored(title: str, text: str) -> StoredEntry:
    then = datetime(2026, 11, 24, tzinfo=UTC)
    return StoredEntry(
        1, "", Feed("", ""), Role.SUBSCRIPTION, Entry("", "", title, text=text), then, then
    )


if __name__ == "__main__":
    main()
