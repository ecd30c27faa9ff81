"""How good the matching is beside what others would do, and how fast it is.

On every set of tagged posts in the corpus, the first 100 and 300 posts (title and 500 characters)
stand for clippings and the rest for entries, as `aggregator evaluate --posts` does it. Beside it
in the same run: names sought as whole words, which is what other aggregators' rules give; a
logistic regression for each tag over TF-IDF of words and pairs; either of these two; and the ten
nearest clippings. Each takes the threshold that is best under cross-validation over the clippings.

``python -m benchmarks.matching weights`` prints the default weights of `match.tag_model`: those that
fit the pairs of entry and tag of all sets best, each set counting alike. ``python -m
benchmarks.matching meaning`` evaluates the first 900 posts of each set with and without the extra
``semantic`` (which takes a quarter of an hour), and prints the weights for that.
"""

import multiprocessing
import re
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from aggregator.match.embedding import E5Embedder
from aggregator.match.evaluate import (
    EXCERPT_CHARACTERS,
    FEWEST_CLIPPINGS,
    Post,
    evaluate_posts,
    in_order,
    read_posts,
)
from aggregator.match.matcher import Matcher
from aggregator.match.phrases import Phrases
from aggregator.match.tag_model import WEIGHTS, Embedder, Floats, Learned, features
from aggregator.match.training import document_of, fit, reader_for, teacher_of
from aggregator.match.vocabulary import build_vocabulary
from aggregator.model import Clipping, Entry, Fetched, ParsedFeed, Role, StoredEntry, TagSettings
from aggregator.parse import parse_document
from aggregator.run.match import MAX_SAMPLE_SIZE as SAMPLE
from aggregator.text.folding import fold

Truth = NDArray[np.int64]
SIZES = (100, 300)
_PAIRS = 60_000  # of each set, to fit weights to
_MEANT = 900  # posts of each set that are read for their meaning
_FEEDS, _IN_A_FEED = 25, 20
_AT_ONCE = _FEEDS * _IN_A_FEED
_NOW = datetime(2026, 11, 24, tzinfo=UTC)


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
    elif sys.argv[1:] == ["meaning"]:
        meaning({name: in_order(posts)[:_MEANT] for name, posts in sets.items()}, _Remembered())
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


def meaning(sets: dict[str, list[Post]], embedder: Embedder) -> None:
    """What knowing what texts mean adds."""
    table = Table("set", "clippings", box=None, pad_edge=False)
    for name in ("without", "with", "with / without", "by default without: P / R", "with: P / R"):
        table.add_column(name, justify="right")
    for name, posts in sets.items():
        for size in SIZES:
            plain, meant = (evaluate_posts(posts, size, e) for e in (None, embedder))
            table.add_row(
                name, str(size), f"{plain.micro.f1:.3f}", f"{meant.micro.f1:.3f}",
                f"{meant.micro.f1 / plain.micro.f1:.2f}",
                *(f"{p.precision:.2f} / {p.recall:.2f}" for p in (plain.precise.micro, meant.precise.micro)),
            )  # fmt: skip
    print("Micro-F1 over the tags with three clippings or more, without and with meaning:")
    Console(width=140).print(table)
    print(tuple(fitted(list(sets.values()), embedder).round(2).tolist()))


class _Remembered:
    """The embedder of the extra ``semantic``, which is asked each text once."""

    def __init__(self) -> None:
        self._embedder, self._known = E5Embedder(), dict[str, Floats]()

    def embed(self, texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, self._embedder.embed(new), strict=True)
        return np.array([self._known[text] for text in texts])


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


def fitted(sets: Sequence[list[Post]], embedder: Embedder | None = None) -> Floats:
    """The weights for all sets together."""
    rows, right, by = [], [], []
    for posts in sets:
        for size in SIZES:
            x, y = _pairs(in_order(posts), size, embedder)
            some = np.random.default_rng(0).permutation(len(y))[:_PAIRS]
            rows.append(x[:, some])
            right.append(y[some])
            by.append(np.full(len(some), 1 / len(some)))
    weighed = np.concatenate(by) * 200_000 / len(by)
    return fit(np.concatenate(rows, 1), np.concatenate(right), np.zeros(len(WEIGHTS)), 1.0, weighed)


def _pairs(posts: Sequence[Post], size: int, embedder: Embedder | None) -> tuple[Floats, Floats]:
    kept = [Clipping(p.title, None, p.text[:EXCERPT_CHARACTERS], p.tags) for p in posts[:size]]
    vocabulary = build_vocabulary(kept, (), ())
    entries = [Entry("", "", p.title, text=p.text, language=p.language) for p in posts[size:]]
    learned = teacher_of(vocabulary, kept, entries, (), embedder).learned()
    reader = reader_for(vocabulary, Phrases(vocabulary.names), learned.lexicon, embedder)
    rest = posts[size:]
    read = reader.read([document_of(post.title, post.text, post.language) for post in rest])
    found = features(read, learned.lexicon, learned.profile)
    held = [set(map(vocabulary.key, post.tags)) for post in rest]
    right = [[float(tag.key in theirs) for tag in vocabulary.tags] for theirs in held]
    every = np.arange(len(vocabulary.tags))
    rows = [found.of(number, every) for number in range(len(rest))]
    return np.concatenate(rows, 1), np.concatenate(right)


def speed(entries: int = 30_000, characters: int = 2000) -> None:
    """Entries of 2 KB made of the words of a made-up language, seeded; each size in a process."""
    table = Table("tags", "clippings", box=None, pad_edge=False)
    for name in ("learn s", "start s", "parse ms", "match ms", "entries/s", "model MB", "peak MB"):
        table.add_column(name, justify="right")
    for tags, clippings in ((45, 13), (1000, 2000), (10_000, 20_000)):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            table.add_row(*pool.submit(_measured, tags, clippings, entries, characters).result())
    print(f"Reading a feed of entries of {characters} characters, and matching each with all tags:")
    Console(width=140).print(table)


def _measured(tags: int, clippings: int, entries: int, characters: int) -> list[str]:
    """One row of the table."""
    texts = _Texts()
    names = [f"{texts.rare()} {texts.rare()} {number}" for number in range(tags)]
    kept = [
        Clipping(title, None, text, tuple(texts.rng.choice(names, size=3, replace=False)))
        for title, text in texts.some(clippings, 500)
    ]
    vocabulary = build_vocabulary(kept, [TagSettings(name) for name in names], ())
    sample = [
        Entry("", "", title, text=text, language="en")
        for title, text in texts.some(SAMPLE, characters)
    ]
    began = time.perf_counter()
    learned = teacher_of(vocabulary, kept, sample).learned()
    taught = time.perf_counter()
    data = learned.to_bytes()
    from_store = time.perf_counter()
    matcher = Matcher(vocabulary, kept, (), Learned.from_bytes(data))
    started = time.perf_counter() - from_store
    parsing = matching = 0.0
    for _ in range(entries // _AT_ONCE):
        documents = [_document(texts.some(_IN_A_FEED, characters)) for _ in range(_FEEDS)]
        before = time.perf_counter()
        parsed = [parse_document(document, _NOW) for document in documents]
        between = time.perf_counter()
        stored = [
            StoredEntry(1, "", feed.feed, Role.SUBSCRIPTION, entry, _NOW, _NOW)
            for feed in parsed
            if isinstance(feed, ParsedFeed)
            for entry in feed.entries
        ]
        list(matcher.match_all(stored))
        matching += time.perf_counter() - between
        parsing += between - before
    tried = entries // _AT_ONCE * _AT_ONCE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        str(len(vocabulary.tags)), str(clippings), f"{taught - began:.1f}", f"{started:.2f}",
        f"{parsing / tried * 1000:.2f}", f"{matching / tried * 1000:.2f}",
        f"{tried / matching:,.0f}", f"{len(data) / 1e6:.1f}", f"{peak:.0f}",
    ]  # fmt: skip


class _Texts:
    """Texts in a language of which the n-th word is n times rarer than the first (Zipf 1935)."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4287)
        letters = list("aeioubcdfglmnprstv")
        lengths = self.rng.integers(3, 12, 60_000)
        self._words = np.array(["".join(self.rng.choice(letters, size=n)) for n in lengths])
        self._odds = np.cumsum(1 / np.arange(1, len(self._words) + 1))

    def rare(self) -> str:
        return str(self.rng.choice(self._words[200:]))

    def some(self, count: int, characters: int) -> list[tuple[str, str]]:
        """Titles and texts."""
        size = characters // 8 + 8
        drawn = self.rng.random((count, size)) * self._odds[-1]
        chosen = self._words[np.searchsorted(self._odds, drawn)]
        return [(" ".join(words[:8]), " ".join(words[8:])) for words in chosen.tolist()]


def _document(entries: Sequence[tuple[str, str]]) -> Fetched:
    """A feed in RSS whose entries are of paragraphs with a link and an emphasis, as blogs' are."""
    items = []
    for number, (title, text) in enumerate(entries):
        words = text.split()
        paragraphs = "".join(
            f'<p>{" ".join(words[at : at + 20])} <a href="https://b.example/{number}">'
            f"{' '.join(words[at + 20 : at + 22])}</a> <em>{' '.join(words[at + 22 : at + 24])}</em> "
            f"{' '.join(words[at + 24 : at + 50])}</p>"
            for at in range(0, len(words), 50)
        )
        items.append(
            f"<item><title>{title}</title><link>https://a.example/{number}</link>"
            f"<guid>https://a.example/{number}</guid><author>a@a.example (Ann)</author>"
            f"<category>{words[0]}</category><pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate>"
            f"<description>{escape(paragraphs)}</description></item>"
        )
    head = '<rss version="2.0"><channel><title>A</title><language>en</language>'
    body = f"{head}{''.join(items)}</channel></rss>".encode()
    return Fetched("https://a.example/feed", "https://a.example/feed", body, "application/rss+xml")


if __name__ == "__main__":
    main()
