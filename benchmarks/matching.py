"""Compares the quality of matching with simpler methods, and measures its speed.

In every set of tagged posts of the corpus, the first 100 and 300 posts (title and 500 characters)
are the clippings and the others the entries, as with `aggregator evaluate --posts`. The methods
are: tag names as whole words, which is what the rules of other aggregators do; a logistic
regression for each tag over TF-IDF of words and pairs; either of these two; and the ten nearest
clippings. Each uses the threshold that is best in cross-validation over the clippings.

``python -m benchmarks.matching weights`` prints the default weights of `match.features`, which fit
the pairs of entry and tag of all sets, with each set counting alike. ``python -m
benchmarks.matching meaning`` evaluates the first 900 posts of each set with and without the extra
``semantic``, and prints the weights for it. This takes a quarter of an hour.
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

from aggregator.match.analysis import Analyzer
from aggregator.match.embedding import E5Embedder
from aggregator.match.evaluate import (
    EXCERPT_CHARACTERS,
    MIN_CLIPPINGS,
    Post,
    evaluate_posts,
    read_posts,
    sort_posts,
)
from aggregator.match.features import DEFAULT_WEIGHTS, compute_features
from aggregator.match.fitting import fit_logistic
from aggregator.match.matcher import Matcher
from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import Floats
from aggregator.match.tag_model import TagModel
from aggregator.match.text_vectors import Embedder, read_entry
from aggregator.match.training import Trainer
from aggregator.match.vocabulary import build_vocabulary
from aggregator.model import Clipping, Entry, Fetched, ParsedFeed, Role, StoredEntry, TagSettings
from aggregator.parse.document import parse_document
from aggregator.run.match import MAX_SAMPLE_SIZE
from aggregator.text.folding import fold

Truth = NDArray[np.int64]
SIZES = (100, 300)
_PAIRS = 60_000  # of each set, to fit weights to
_MEANING_POSTS = 900  # posts of each set whose meaning is compared
_FEEDS, _ENTRIES_PER_FEED = 25, 20
_BATCH_SIZE = _FEEDS * _ENTRIES_PER_FEED
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
        meaning(
            {name: sort_posts(posts)[:_MEANING_POSTS] for name, posts in sets.items()},
            _CachedEmbedder(),
        )
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
            evaluation = evaluate_posts(posts, size)
            others = baselines(sort_posts(posts), size)
            best, precise = max(others), evaluation.precise.micro
            table.add_row(
                name, str(size), *(f"{f1:.3f}" for f1 in others), f"{evaluation.micro.f1:.3f}",
                f"{evaluation.micro.f1 / best:.2f}", f"{precise.precision:.2f} / {precise.recall:.2f}",
            )  # fmt: skip
    print("Micro-F1 over the tags with three clippings or more:")
    Console(width=140).print(table)


def meaning(sets: dict[str, list[Post]], embedder: Embedder) -> None:
    """Print the quality with and without meaning."""
    table = Table("set", "clippings", box=None, pad_edge=False)
    for name in ("without", "with", "with / without", "by default without: P / R", "with: P / R"):
        table.add_column(name, justify="right")
    for name, posts in sets.items():
        for size in SIZES:
            plain, semantic = (evaluate_posts(posts, size, e) for e in (None, embedder))
            table.add_row(
                name, str(size), f"{plain.micro.f1:.3f}", f"{semantic.micro.f1:.3f}",
                f"{semantic.micro.f1 / plain.micro.f1:.2f}",
                *(f"{p.precision:.2f} / {p.recall:.2f}" for p in (plain.precise.micro, semantic.precise.micro)),
            )  # fmt: skip
    print("Micro-F1 over the tags with three clippings or more, without and with meaning:")
    Console(width=140).print(table)
    print(tuple(fitted(list(sets.values()), embedder).round(2).tolist()))


class _CachedEmbedder:
    """The embedder of the extra ``semantic``. It embeds each text once."""

    def __init__(self) -> None:
        self._embedder, self._vectors = E5Embedder(), dict[str, Floats]()

    def embed(self, texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors |= zip(new, self._embedder.embed(new), strict=True)
        return np.array([self._vectors[text] for text in texts])


def baselines(posts: Sequence[Post], size: int) -> tuple[float, float, float, float]:
    """Micro-F1 of names, logistic regression, either, and nearest clippings."""
    clippings, hidden_posts = posts[:size], posts[size:]
    tags = sorted({_words(tag) for post in clippings for tag in post.tags} - {""})
    truth = _truth(clippings, tags)
    tags = [tag for tag, times in zip(tags, truth.sum(0), strict=True) if times >= MIN_CLIPPINGS]
    truth, hidden = _truth(clippings, tags), _truth(hidden_posts, tags)
    clips = [f"{post.title}\n{post.text[:EXCERPT_CHARACTERS]}" for post in clippings]
    entries = [f"{post.title}\n{post.text}" for post in hidden_posts]
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
    tags_of_posts = [{_words(tag) for tag in post.tags} for post in posts]
    return np.array([[tag in post_tags for tag in tags] for post_tags in tags_of_posts], int)


def _f1(truth: Truth, predicted: NDArray[np.bool_]) -> float:
    return float(2 * (truth * predicted).sum() / max(truth.sum() + predicted.sum(), 1))


def _best_threshold(truth: Truth, scores: Floats) -> tuple[float, float]:
    candidates = np.unique(np.quantile(scores, np.linspace(0.5, 0.9995, 300)))
    return max((_f1(truth, scores >= threshold), float(threshold)) for threshold in candidates)


def _vectors() -> Any:
    return TfidfVectorizer(ngram_range=(1, 2), strip_accents="unicode", sublinear_tf=True)


def _logistic(clips: list[str], truth: Truth, entries: list[str]) -> NDArray[np.bool_]:
    def scores(known: list[str], labels: Truth, unknown: list[str], strength: float) -> Floats:
        vectors = _vectors()
        x, x_unknown = vectors.fit_transform(known), vectors.transform(unknown)
        out = np.zeros((len(unknown), labels.shape[1]))
        for tag in np.flatnonzero(labels.any(0) & ~labels.all(0)):
            model = LogisticRegression(C=strength, class_weight="balanced", solver="liblinear")
            out[:, tag] = model.fit(x, labels[:, tag]).predict_proba(x_unknown)[:, 1]
        return out

    candidates = []
    for strength in (1.0, 10.0):
        held_out = np.zeros(truth.shape)
        for train, test in KFold(5, shuffle=True, random_state=0).split(clips):
            held_out[test] = scores(
                [clips[i] for i in train], truth[train], [clips[i] for i in test], strength
            )
        candidates.append((*_best_threshold(truth, held_out), strength))
    _, threshold, strength = max(candidates)
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
    x = vectors.fit_transform(clips)
    nearness = (x @ x.T).toarray()
    np.fill_diagonal(nearness, -1)
    _, threshold = _best_threshold(truth, scores(nearness))
    return scores((vectors.transform(entries) @ x.T).toarray()) >= threshold


def fitted(sets: Sequence[list[Post]], embedder: Embedder | None = None) -> Floats:
    """The weights (feature + 1,) that fit all sets together."""
    all_features, all_labels, all_weights = [], [], []
    for posts in sets:
        for size in SIZES:
            features, labels = _pairs(sort_posts(posts), size, embedder)
            sample = np.random.default_rng(0).permutation(len(labels))[:_PAIRS]
            all_features.append(features[:, sample])
            all_labels.append(labels[sample])
            all_weights.append(np.full(len(sample), 1 / len(sample)))
    pair_weights = np.concatenate(all_weights) * 200_000 / len(all_weights)
    features, labels = np.concatenate(all_features, 1), np.concatenate(all_labels)
    return fit_logistic(features, labels, np.zeros(len(DEFAULT_WEIGHTS)), 1.0, pair_weights)


def _pairs(posts: Sequence[Post], size: int, embedder: Embedder | None) -> tuple[Floats, Floats]:
    """The features (feature, pair) and labels (pair,) of the hidden posts and all tags."""
    clippings = [Clipping(p.title, None, p.text[:EXCERPT_CHARACTERS], p.tags) for p in posts[:size]]
    vocabulary = build_vocabulary(clippings, (), ())
    hidden = posts[size:]
    entries = [Entry("", "", post.title, text=post.text, language=post.language) for post in hidden]
    model = Trainer(vocabulary, clippings, entries, (), embedder).train()
    analyzer = Analyzer(vocabulary, PhraseIndex(vocabulary.names), model.lexicon, embedder)
    analyzed = analyzer.analyze(list(map(read_entry, entries)))
    table = compute_features(analyzed, model.lexicon, model.statistics)
    true_tags = [set(map(vocabulary.key, post.tags)) for post in hidden]
    labels = [[float(tag.key in tags) for tag in vocabulary.tags] for tags in true_tags]
    all_tags = np.arange(len(vocabulary.tags))
    features = [table.of_document(number, all_tags) for number in range(len(hidden))]
    return np.concatenate(features, 1), np.concatenate(labels)


def speed(entries: int = 30_000, characters: int = 2000) -> None:
    """Print the speed with random entries of 2 KB. Each size runs in a process of its own."""
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
    clipping_list = [
        Clipping(title, None, text, tuple(texts.rng.choice(names, size=3, replace=False)))
        for title, text in texts.sample(clippings, 500)
    ]
    vocabulary = build_vocabulary(clipping_list, [TagSettings(name) for name in names], ())
    entry_list = [
        Entry("", "", title, text=text, language="en")
        for title, text in texts.sample(MAX_SAMPLE_SIZE, characters)
    ]
    began = time.perf_counter()
    model = Trainer(vocabulary, clipping_list, entry_list).train()
    trained = time.perf_counter()
    data = model.to_bytes()
    loading = time.perf_counter()
    matcher = Matcher(vocabulary, clipping_list, (), TagModel.from_bytes(data))
    started = time.perf_counter() - loading
    parsing = matching = 0.0
    for _ in range(entries // _BATCH_SIZE):
        documents = [_document(texts.sample(_ENTRIES_PER_FEED, characters)) for _ in range(_FEEDS)]
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
    count = entries // _BATCH_SIZE * _BATCH_SIZE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        str(len(vocabulary.tags)), str(clippings), f"{trained - began:.1f}", f"{started:.2f}",
        f"{parsing / count * 1000:.2f}", f"{matching / count * 1000:.2f}",
        f"{count / matching:,.0f}", f"{len(data) / 1e6:.1f}", f"{peak:.0f}",
    ]  # fmt: skip


class _Texts:
    """Random texts. The n-th word of their language is n times rarer than the first (Zipf 1935)."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4287)
        letters = list("aeioubcdfglmnprstv")
        lengths = self.rng.integers(3, 12, 60_000)
        self._words = np.array(["".join(self.rng.choice(letters, size=n)) for n in lengths])
        self._cumulative = np.cumsum(1 / np.arange(1, len(self._words) + 1))

    def rare(self) -> str:
        return str(self.rng.choice(self._words[200:]))

    def sample(self, count: int, characters: int) -> list[tuple[str, str]]:
        """Titles and texts."""
        size = characters // 8 + 8
        positions = self.rng.random((count, size)) * self._cumulative[-1]
        words_of_texts = self._words[np.searchsorted(self._cumulative, positions)]
        return [(" ".join(words[:8]), " ".join(words[8:])) for words in words_of_texts.tolist()]


def _document(entries: Sequence[tuple[str, str]]) -> Fetched:
    """An RSS feed with paragraphs that have a link and an emphasis, as in blogs."""
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
