"""Hours of runs with random faults: ``python -m tests.soak [HOURS [SEED]]``.

Each simulated quarter of an hour has one run in a separate process. Faults are random, from the
seed: publishers fail, send truncated, malformed, slow or hostile answers, or are gone; runs are
killed or terminated, have a full disk or no network, or are two at the same time. At the end there
is one run without faults. The results:

- An entry is *served* when a request is answered with a readable document that contains it, even if
  the run is killed a moment later. It is *lost* if it is not in the archive of ``all`` at the end.
  Publishers serve their newest 250 entries, so polling every day or two misses none.
- An entry is *duplicated* if it is in the archive twice, or was ever published under two ids: then
  readers saw it twice. This is checked after each run, and also:
- An output is *invalid* if it is truncated, or an Atom document with `atomrules` complaints.
- A run *failed* if it printed a traceback, or its exit code does not fit its fault.
"""

import gzip
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from pathlib import Path
from re import compile as pattern
from typing import Any

from lxml import etree

from tests.atomrules import ATOM, complaints
from tests.faults.world import World
from tests.forkserver import reset_sigint
from tests.harness import item, rss
from tests.origin import Answer, Origin, origin

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PUBLISHERS = 8
_PLANET = PUBLISHERS - 1  # republishes the entries of the others
_SERVED_ENTRIES = 250
_MARKER = pattern(r"entry-\d+-\d+")
_VECTORS = (
    "<script>alert(1)</script>",
    '<img src="x" onerror="alert(1)">',
    '<a href="javascript:alert(1)">here</a> <a href="/relative">there</a>',
    '<svg onload="alert(1)"></svg><iframe src="https://evil.example/"></iframe>',
    '<p style="position:fixed">\u202egnp.exe\u202c</p><form><input name="q"></form>',
    "]]>&#0;&#x1b;&undeclared;<p <b>",
)
_NO_NETWORK = "no network"
_RUN_FAULTS = ("killed", "terminated", "full disk", "two at the same time", _NO_NETWORK)
TABLE = Path(__file__).parent / "faults" / "soak_results.md"  # of the last soak of a day or more


@dataclass
class _Entry:
    """An entry of a publisher. Its title contains its marker, also when it is republished."""

    marker: str
    title: str
    text: str
    at: datetime

    def rss(self, guid: str = "") -> str:
        """The entry as an RSS item."""
        return item(
            escape(self.title),
            f"https://{self.marker}.example/post",
            f"{self.at:%a, %d %b %Y %H:%M:%S} GMT",
            escape(self.text),
            f'<guid isPermaLink="false">{guid or self.marker}</guid>',
        )


@dataclass
class Tally:
    """The counts of a soak."""

    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    served: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    duplicated: set[str] = field(default_factory=set)
    invalid: list[str] = field(default_factory=list)
    failed_runs: list[str] = field(default_factory=list)

    @property
    def lost(self) -> set[str]:
        """The entries that were served, but not published."""
        return self.served - self.published

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, duplicated or invalid, and no run failed."""
        return not (self.lost or self.duplicated or self.invalid or self.failed_runs)

    def __str__(self) -> str:
        rows = [*sorted(self.faults.items()), ("**all faults**", self.faults.total())]
        counts = [
            ("runs", self.runs),
            ("entries served", len(self.served)),
            ("entries published", len(self.published)),
            ("lost", len(self.lost)),
            ("duplicated", len(self.duplicated)),
            ("invalid outputs", len(self.invalid)),
            ("failed runs", len(self.failed_runs)),
        ]
        lines = ["| fault | injected |", "| --- | ---: |"]
        lines += [f"| {name} | {number} |" for name, number in rows]
        lines += ["", "| | |", "| --- | ---: |"]
        lines += [f"| {name} | {number} |" for name, number in counts]
        problems = [*sorted(self.lost), *sorted(self.duplicated), *self.invalid, *self.failed_runs]
        return "\n".join([*lines, *([""] if problems else []), *problems[:40]])


class Soak(World):
    """An installation, its publishers, and the random faults."""

    def __init__(self, root: Path, publishers: Origin, seed: int) -> None:
        super().__init__(root, publishers)
        self.rng = random.Random(seed)
        self.tally = Tally()
        self.now = START
        self._entries: list[list[_Entry]] = [[] for _ in range(PUBLISHERS)]
        self._ids: dict[str, str] = {}  # the id of each published entry by its marker
        self._valid: dict[str, bytes] = {}  # the outputs that were checked last
        self._run_seconds = 1.0
        letters = "aeioubcdfglmnprstv"
        self._words = ["".join(self.rng.choices(letters, k=6)) for _ in range(3000)]
        self.prepare("[publish]\narchive_all = true\n")

    def subscriptions(self) -> str:
        return "".join(
            f'[[subscriptions]]\ntitle = "Source {number}"\n'
            f'url = "{self.origin.url(f"/{number}", f"127.0.1.{number + 1}")}"\n'
            'allow_private = "127.0.1.0/24"\n'
            for number in range(PUBLISHERS)
        )

    def play(self, hours: int) -> Tally:
        """Simulate these hours, then one run without faults."""
        for _ in range(hours * 4):
            self._publish_news()
            self._run(self.rng.choice(_RUN_FAULTS) if self.rng.random() < 0.3 else None)
            self.now += QUARTER
        self.now += timedelta(days=1)  # after any Retry-After
        self._run(None, "--all", quiet=True)
        self.check_clean()
        return self.tally

    def _publish_news(self) -> None:
        for number, entries in enumerate(self._entries[:_PLANET]):
            if self.rng.random() < 0.3:
                marker = f"entry-{number}-{len(entries)}"
                about = self.rng.choice(["The commons", "P2P", "Weather & <sport>"])
                text = " ".join(self.rng.choices(self._words, k=120))
                if self.rng.random() < 0.3:
                    text += self.rng.choice(_VECTORS)
                at = self.now - timedelta(minutes=self.rng.randrange(1, 15))
                entries.append(_Entry(marker, f"{about}: {marker}", text, at))
            if entries and self.rng.random() < 0.1:
                self.rng.choice(entries).text += " Corrected: " + " ".join(
                    self.rng.choices(self._words, k=self.rng.choice([2, 60]))
                )
        others = [entry for entries in self._entries[:_PLANET] for entry in entries]
        self._entries[_PLANET] = sorted(others, key=lambda entry: entry.at)

    def _run(self, fault: str | None, *arguments: str, quiet: bool = False) -> None:
        readable_markers = {}
        fault_names = {}
        for number in range(PUBLISHERS):
            served = self._entries[number][: -_SERVED_ENTRIES - 1 : -1]
            document = rss(
                *(e.rss(f"p-{e.marker}" if number == _PLANET else "") for e in served),
                title=f"Source {number}",
            ).encode()
            name = None if quiet or self.rng.random() < 0.6 else self.rng.choice([*FAULTS])
            path = f"/{number}"
            if fault == _NO_NETWORK:
                self.origin[path] = Answer(raw=b"", reset=True)
                continue
            self.origin[path] = FAULTS[name](document, self.rng) if name else document
            if name:
                fault_names[path] = name
            if name in (None, *_READABLE):
                readable_markers[path] = {entry.marker for entry in served}
        earlier = len(self.origin.all_requests)
        self._run_processes(fault, *arguments)
        for path in {request.path for request in self.origin.all_requests[earlier:]}:
            self.tally.served |= readable_markers.get(path, set())
            if path in fault_names:
                self.tally.faults[fault_names[path]] += 1
        if fault:
            self.tally.faults[f"run: {fault}"] += 1
        self._check_outputs()

    def _run_processes(self, fault: str | None, *arguments: str) -> None:
        """One run with its fault."""
        allowed = {None: {0, 4}, "killed": {0, 4, -signal.SIGKILL}, "terminated": {0, 4, 143}}
        allowed["terminated"].add(-signal.SIGTERM)  # before Python has started
        allowed |= {"full disk": {0, 3, 4}, "two at the same time": {0, 4, 75}, _NO_NETWORK: {0, 4}}
        clock = f"{self.now:%Y-%m-%dT%H:%M}"
        max_bytes = self.rng.randrange(200_000) if fault == "full disk" else None
        began = time.monotonic()
        settings: dict[str, Any] = {"may_fork": fault is None}
        if max_bytes is not None:
            settings["preexec_fn"] = partial(_limit_file_size, max_bytes)
        processes = [
            self.start("run", *arguments, clock=clock, **settings)
            for _ in range(2 if fault == "two at the same time" else 1)
        ]
        if fault in ("killed", "terminated"):
            try:
                processes[0].wait(self.rng.uniform(0.1, 1.1) * self._run_seconds)
            except subprocess.TimeoutExpired:
                processes[0].send_signal(signal.SIGKILL if fault == "killed" else signal.SIGTERM)
        for process in processes:
            _, err = process.communicate(timeout=300)
            code = process.returncode
            if code not in allowed[fault] or ("Traceback" in err and code != -signal.SIGKILL):
                self.tally.failed_runs.append(f"{clock} {fault}: {code} {err[-600:]}")
        if fault is None:
            self._run_seconds = time.monotonic() - began
        self.tally.runs += len(processes)

    def _check_outputs(self) -> None:
        """Check the outputs as readers see them between two runs."""
        try:
            self.check_intact()
        except Exception as error:
            self.tally.invalid.append(f"{self.now}: {error!r}")
            return
        archived: Counter[str] = Counter()
        ids: Counter[str] = Counter()
        for name, data in self.files().items():
            if not name.endswith(".atom") or name.rpartition("/")[2].startswith("."):
                continue
            if self._valid.get(name) != data:
                problems = complaints(data, f"https://site.example/{name}")
                self.tally.invalid += [f"{self.now} {name}: {problem}" for problem in problems]
                self._valid[name] = data
            for entry_id, marker in _markers(data):
                if self._ids.setdefault(marker, entry_id) != entry_id:
                    self.tally.duplicated.add(f"{marker}: {self._ids[marker]}, {entry_id}")
                if name.startswith("all/"):
                    archived[marker] += 1
                    ids[entry_id] += 1
        self.tally.published = set(archived)
        twice = [key for key, times in (archived + ids).items() if times > 1]
        self.tally.duplicated.update(twice)


def _markers(document: bytes) -> Iterator[tuple[str, str]]:
    """The id and the marker of each publisher's entry in a document."""
    for entry in etree.fromstring(document).iter(f"{ATOM}entry"):
        if match := _MARKER.search(entry.findtext(f"{ATOM}title") or ""):
            yield entry.findtext(f"{ATOM}id") or "", match[0]


def _limit_file_size(max_bytes: int) -> None:
    """Let writes beyond this size fail, as on a full disk."""
    reset_sigint()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))


def _failing(_: bytes, rng: random.Random) -> Answer:
    status = rng.choice([403, 429, 500, 502, 503, 504])
    return Answer(b"Sorry", status, {"Retry-After": "1800"} if rng.random() < 0.5 else {})


def _gone(_: bytes, rng: random.Random) -> Answer:
    return Answer(b"Nothing here", rng.choice([404, 404, 410]))


def _disconnected(document: bytes, rng: random.Random) -> Answer:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n".encode()
    return Answer(raw=(head + document)[: rng.randrange(len(head + document))])


def _truncated(document: bytes, rng: random.Random) -> Answer:
    """A truncated document in a complete answer."""
    return Answer(document[: rng.randrange(len(document))])


def _malformed(document: bytes, rng: random.Random) -> Answer:
    """Invalid XML or wrongly encoded bytes within the texts."""
    broken = bytearray(document)
    places = [match.end() for match in pattern(rb"<description>.").finditer(document)]
    for place in places:
        broken[place : place + 2] = rng.choice([b"<&", b"\xff\xfe", b"\0\x01", b"]>"])
    return Answer(bytes(broken))


def _wrong_charset(document: bytes, rng: random.Random) -> Answer:
    charset = rng.choice(["utf-16", "utf-7", "cp500", "no-such-charset", "utf-32"])
    return Answer(document, headers={"Content-Type": f"application/xml; charset={charset}"})


def _no_feed(_: bytes, rng: random.Random) -> Answer:
    login = b"<!DOCTYPE html><html><title>Sign in</title><form><input></form></html>"
    return Answer(rng.choice([login, b"", b"{}", b"null", rng.randbytes(2000), b"<opml/>"]))


def _slow(document: bytes, _: random.Random) -> Answer:
    def pieces() -> Iterable[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n".encode()
        for start in range(0, len(document), len(document) // 5 + 1):
            time.sleep(0.1)
            yield document[start : start + len(document) // 5 + 1]

    return Answer(raw=pieces)


def _hostile(_: bytes, rng: random.Random) -> Answer:
    bomb = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + rss(item("&b;"))
    return rng.choice(
        [
            Answer(b"", 302, {"Location": "http://169.254.169.254/latest/meta-data/"}),
            Answer(b"", 301, {"Location": "file:///etc/passwd"}),
            Answer(b"", 302, {"Location": "?again"}),
            Answer(bomb.encode()),
            Answer(gzip.compress(bytes(30_000_000)), headers={"Content-Encoding": "gzip"}),
            Answer(b"<rss version='2.0'><channel>" + b"<item>" * 50_000),
            Answer(rss(item(body="&lt;div>" * 30_000, link="")).encode()[:-30]),
            Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
        ]
    )


FAULTS: dict[str, Callable[[bytes, random.Random], Answer]] = {
    "failing": _failing,
    "gone": _gone,
    "disconnected": _disconnected,
    "truncated": _truncated,
    "malformed": _malformed,
    "wrong charset": _wrong_charset,
    "no feed": _no_feed,
    "slow": _slow,
    "hostile": _hostile,
}
_READABLE = ("slow",)


def soak(root: Path, hours: int, seed: int) -> Tally:
    """Simulate these hours in a folder."""
    with origin("0.0.0.0") as publishers:
        return Soak(root, publishers, seed).play(hours)


def main() -> None:
    """Print the results; exit with 1 if anything was lost, duplicated or invalid, or a run failed."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    hours, seed = [*arguments, *(24, 0)[len(arguments) :]]
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(Path(folder), hours, seed)
    text = f"{hours} simulated hours, seed {seed}:\n\n{tally}\n"
    print(text)
    if tally.is_good and hours >= 24:
        TABLE.write_text(text, "utf-8")
    sys.exit(not tally.is_good)


if __name__ == "__main__":
    main()
