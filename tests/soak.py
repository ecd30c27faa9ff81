"""Hours of publishers, disks and processes at their worst: ``python -m tests.soak [HOURS [SEED]]``.

A run each simulated quarter of an hour, by a process of its own. Faults strike at random from the
seed: publishers fail, lie, are cut off, garbled, slow, gone or hostile; runs are killed and
terminated, find the disk full or the network gone, or are two at once. In the end all faults cease, and one more run
asks everybody. What is counted, strictly:

- An entry is *served* from the first request that a readable document with it answers, be it the
  request of a run that is killed the moment after. It is *lost* if the archive of ``all`` does not
  have it in the end. Publishers show their newest 250, so that nobody who asks once in a day or
  two can miss one.
- It is *doubled* if two entries of the archive tell it, or if it ever was told under another id:
  then readers saw it twice. This is looked for after each run, and so is
- what is *invalid*: an output that is not whole, or an Atom document about which `atomrules`
  complains.
- A run *ends amiss* with a traceback, or with an exit code that its own fault does not explain.
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
from html import escape
from pathlib import Path
from re import compile as pattern

from lxml import etree

from tests.atomrules import ATOM, complaints
from tests.faults.world import World
from tests.harness import item, rss
from tests.origin import Answer, Origin, origin

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PUBLISHERS = 8
_PLANET = PUBLISHERS - 1  # it republishes what the others publish
_SHOWN = 250
_MARKER = pattern(r"entry-\d+-\d+")
_VECTORS = (
    "<script>alert(1)</script>",
    '<img src="x" onerror="alert(1)">',
    '<a href="javascript:alert(1)">here</a> <a href="/relative">there</a>',
    '<svg onload="alert(1)"></svg><iframe src="https://evil.example/"></iframe>',
    '<p style="position:fixed">\u202egnp.exe\u202c</p><form><input name="q"></form>',
    "]]>&#0;&#x1b;&undeclared;<p <b>",
)
_NO_NETWORK = "the network is gone"
_RUN_FAULTS = ("killed", "terminated", "the disk is full", "two at once", _NO_NETWORK)
TABLE = (
    Path(__file__).parent / "faults" / "soak_results.md"
)  # of the last whole day that was played


@dataclass
class _Entry:
    """What a publisher publishes: its marker is in its title, wherever it is told."""

    marker: str
    title: str
    text: str
    at: datetime

    def rss(self, guid: str = "") -> str:
        """As an item of a feed."""
        return item(
            escape(self.title),
            f"https://{self.marker}.example/post",
            f"{self.at:%a, %d %b %Y %H:%M:%S} GMT",
            escape(self.text),
            f'<guid isPermaLink="false">{guid or self.marker}</guid>',
        )


@dataclass
class Tally:
    """What a soak has counted."""

    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    served: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    invalid: list[str] = field(default_factory=list)
    amiss: list[str] = field(default_factory=list)

    @property
    def lost(self) -> set[str]:
        """What was served, and is not published."""
        return self.served - self.published

    @property
    def holds(self) -> bool:
        """Whether all went as it must."""
        return not (self.lost or self.doubled or self.invalid or self.amiss)

    def __str__(self) -> str:
        rows = [*sorted(self.faults.items()), ("**all faults**", self.faults.total())]
        counts = [
            ("runs", self.runs),
            ("entries served", len(self.served)),
            ("entries published", len(self.published)),
            ("lost", len(self.lost)),
            ("doubled", len(self.doubled)),
            ("invalid outputs", len(self.invalid)),
            ("runs that ended amiss", len(self.amiss)),
        ]
        lines = ["| fault | injected |", "| --- | ---: |"]
        lines += [f"| {name} | {number} |" for name, number in rows]
        lines += ["", "| | |", "| --- | ---: |"]
        lines += [f"| {name} | {number} |" for name, number in counts]
        told = [*sorted(self.lost), *sorted(self.doubled), *self.invalid, *self.amiss]
        return "\n".join([*lines, *([""] if told else []), *told[:40]])


class Soak(World):
    """An installation, its publishers, and the dice."""

    def __init__(self, root: Path, served_by: Origin, seed: int) -> None:
        super().__init__(root, served_by)
        self.dice = random.Random(seed)
        self.tally = Tally()
        self.now = START
        self._entries: list[list[_Entry]] = [[] for _ in range(PUBLISHERS)]
        self._ids: dict[str, str] = {}  # under which each entry was told, by its marker
        self._valid: dict[str, bytes] = {}
        self._seconds = 1.0  # that a run takes
        letters = "aeioubcdfglmnprstv"
        self._words = ["".join(self.dice.choices(letters, k=6)) for _ in range(3000)]
        self.prepare("[publish]\narchive_all = true\n")

    def subscriptions(self) -> str:
        return "".join(
            f'[[subscriptions]]\ntitle = "Source {number}"\n'
            f'url = "{self.origin.url(f"/{number}", f"127.0.1.{number + 1}")}"\n'
            'allow_private = "127.0.1.0/24"\n'
            for number in range(PUBLISHERS)
        )

    def play(self, hours: int) -> Tally:
        """All of it."""
        for _ in range(hours * 4):
            self._news()
            self._run(self.dice.choice(_RUN_FAULTS) if self.dice.random() < 0.3 else None)
            self.now += QUARTER
        self.now += timedelta(days=1)  # whatever a publisher asked us to wait
        self._run(None, "--all", quiet=True)
        self.check_clean()
        return self.tally

    def _news(self) -> None:
        for number, entries in enumerate(self._entries[:_PLANET]):
            if self.dice.random() < 0.3:
                marker = f"entry-{number}-{len(entries)}"
                about = self.dice.choice(["The commons", "P2P", "Weather & <sport>"])
                text = " ".join(self.dice.choices(self._words, k=120))
                if self.dice.random() < 0.3:
                    text += self.dice.choice(_VECTORS)
                at = self.now - timedelta(minutes=self.dice.randrange(1, 15))
                entries.append(_Entry(marker, f"{about}: {marker}", text, at))
            if entries and self.dice.random() < 0.1:
                self.dice.choice(entries).text += " Corrected: " + " ".join(
                    self.dice.choices(self._words, k=self.dice.choice([2, 60]))
                )
        others = [entry for entries in self._entries[:_PLANET] for entry in entries]
        self._entries[_PLANET] = sorted(others, key=lambda entry: entry.at)

    def _run(self, fault: str | None, *arguments: str, quiet: bool = False) -> None:
        readable = {}
        struck = {}
        for number in range(PUBLISHERS):
            shown = self._entries[number][: -_SHOWN - 1 : -1]
            document = rss(
                *(e.rss(f"p-{e.marker}" if number == _PLANET else "") for e in shown),
                title=f"Source {number}",
            ).encode()
            name = None if quiet or self.dice.random() < 0.6 else self.dice.choice([*FAULTS])
            path = f"/{number}"
            if fault == _NO_NETWORK:
                self.origin[path] = Answer(raw=b"", reset=True)
                continue
            self.origin[path] = FAULTS[name](document, self.dice) if name else document
            if name:
                struck[path] = name
            if name in (None, *_READABLE):
                readable[path] = {entry.marker for entry in shown}
        asked = len(self.origin.asked)
        self._process(fault, *arguments)
        for path in {request.path for request in self.origin.asked[asked:]}:
            self.tally.served |= readable.get(path, set())
            if path in struck:
                self.tally.faults[struck[path]] += 1
        if fault:
            self.tally.faults[f"run: {fault}"] += 1
        self._look()

    def _process(self, fault: str | None, *arguments: str) -> None:
        """A run, and what befalls it."""
        allowed = {None: {0, 4}, "killed": {0, 4, -signal.SIGKILL}, "terminated": {0, 4, 143}}
        allowed["terminated"].add(-signal.SIGTERM)  # before Python itself has begun
        allowed |= {"the disk is full": {0, 3, 4}, "two at once": {0, 4, 75}, _NO_NETWORK: {0, 4}}
        clock = f"{self.now:%Y-%m-%dT%H:%M}"
        most = self.dice.randrange(200_000) if fault == "the disk is full" else None
        began = time.monotonic()
        processes = [
            self.start("run", *arguments, clock=clock, preexec_fn=lambda: _may_write(most))
            for _ in range(2 if fault == "two at once" else 1)
        ]
        if fault in ("killed", "terminated"):
            try:
                processes[0].wait(self.dice.uniform(0.1, 1.1) * self._seconds)
            except subprocess.TimeoutExpired:
                processes[0].send_signal(signal.SIGKILL if fault == "killed" else signal.SIGTERM)
        for process in processes:
            _, said = process.communicate(timeout=300)
            code = process.returncode
            if code not in allowed[fault] or ("Traceback" in said and code != -signal.SIGKILL):
                self.tally.amiss.append(f"{clock} {fault}: {code} {said[-600:]}")
        if fault is None:
            self._seconds = time.monotonic() - began
        self.tally.runs += len(processes)

    def _look(self) -> None:
        """What any reader sees between two runs."""
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
                found = complaints(data, f"https://site.example/{name}")
                self.tally.invalid += [f"{self.now} {name}: {told}" for told in found]
                self._valid[name] = data
            for entry_id, marker in _told(data):
                if self._ids.setdefault(marker, entry_id) != entry_id:
                    self.tally.doubled.add(f"{marker}: {self._ids[marker]}, {entry_id}")
                if name.startswith("all/"):
                    archived[marker] += 1
                    ids[entry_id] += 1
        self.tally.published = set(archived)
        twice = [key for key, times in (archived + ids).items() if times > 1]
        self.tally.doubled.update(twice)


def _told(document: bytes) -> Iterator[tuple[str, str]]:
    """The id and the marker of each entry of a publisher's."""
    for entry in etree.fromstring(document).iter(f"{ATOM}entry"):
        if found := _MARKER.search(entry.findtext(f"{ATOM}title") or ""):
            yield entry.findtext(f"{ATOM}id") or "", found[0]


def _may_write(most_bytes: int | None) -> None:
    """Past this size no file grows: what a full disk is to a program, and needs no disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))


def _failing(_: bytes, dice: random.Random) -> Answer:
    status = dice.choice([403, 429, 500, 502, 503, 504])
    return Answer(b"Sorry", status, {"Retry-After": "1800"} if dice.random() < 0.5 else {})


def _gone(_: bytes, dice: random.Random) -> Answer:
    return Answer(b"Nothing here", dice.choice([404, 404, 410]))


def _hung_up(document: bytes, dice: random.Random) -> Answer:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n".encode()
    return Answer(raw=(head + document)[: dice.randrange(len(head + document))])


def _cut_off(document: bytes, dice: random.Random) -> Answer:
    """By the publisher: to us it is a whole answer."""
    return Answer(document[: dice.randrange(len(document))])


def _garbled(document: bytes, dice: random.Random) -> Answer:
    """Bytes that are no XML, or not what is declared, within the texts."""
    broken = bytearray(document)
    places = [found.end() for found in pattern(rb"<description>.").finditer(document)]
    for place in places:
        broken[place : place + 2] = dice.choice([b"<&", b"\xff\xfe", b"\0\x01", b"]>"])
    return Answer(bytes(broken))


def _misdeclared(document: bytes, dice: random.Random) -> Answer:
    charset = dice.choice(["utf-16", "utf-7", "cp500", "no-such-charset", "utf-32"])
    return Answer(document, headers={"Content-Type": f"application/xml; charset={charset}"})


def _no_feed(_: bytes, dice: random.Random) -> Answer:
    login = b"<!DOCTYPE html><html><title>Sign in</title><form><input></form></html>"
    return Answer(dice.choice([login, b"", b"{}", b"null", dice.randbytes(2000), b"<opml/>"]))


def _slow(document: bytes, _: random.Random) -> Answer:
    def pieces() -> Iterable[bytes]:
        yield f"HTTP/1.1 200 OK\r\nContent-Length: {len(document)}\r\n\r\n".encode()
        for start in range(0, len(document), len(document) // 5 + 1):
            time.sleep(0.1)
            yield document[start : start + len(document) // 5 + 1]

    return Answer(raw=pieces)


def _hostile(_: bytes, dice: random.Random) -> Answer:
    bomb = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + rss(item("&b;"))
    return dice.choice(
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
    "hung up": _hung_up,
    "cut off": _cut_off,
    "garbled": _garbled,
    "misdeclared": _misdeclared,
    "no feed": _no_feed,
    "slow": _slow,
    "hostile": _hostile,
}
_READABLE = ("slow",)


def soak(root: Path, hours: int, seed: int) -> Tally:
    """Play so many hours in a folder."""
    with origin("0.0.0.0") as served_by:
        return Soak(root, served_by, seed).play(hours)


def main() -> None:
    """Print the table; exit with 1 if anything was lost, doubled, invalid or amiss."""
    given = [int(argument) for argument in sys.argv[1:]]
    hours, seed = [*given, *(24, 0)[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(Path(folder), hours, seed)
    told = f"{hours} simulated hours, seed {seed}:\n\n{tally}\n"
    print(told)
    if tally.holds and hours >= 24:
        TABLE.write_text(told, "utf-8")
    sys.exit(not tally.holds)


if __name__ == "__main__":
    main()
