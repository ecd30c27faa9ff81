"""An installation, its publishers, and what runs of it make if nothing disturbs them."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from tests.atomrules import complaints
from tests.faults.means import hear_interrupts
from tests.harness import Installation, item, rss
from tests.origin import Origin

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST, SECOND = "2026-11-24T12:00", "2026-11-24T15:00"
CLIPPINGS = """\
• Kept
    https://kept.example/p

    A passage about the commons.

    #Commons #P2P
"""
HOSTS = [f"127.0.0.{number}" for number in range(2, 6)]
DATABASE = "data/aggregator.sqlite3"


class World(Installation):
    """``call`` the program in it; ``publish`` says what its publishers serve."""

    address = f"sqlite:///{DATABASE}"

    def __init__(self, root: Path, origin: Origin) -> None:
        super().__init__(root)
        self.origin = origin
        self.state = root / DATABASE

    def prepare(self, more: str = "") -> None:
        """Write feeds.toml and the clippings."""
        self.write("clippings.txt", CLIPPINGS)
        self.write(
            "feeds.toml",
            f'[site]\nurl = "https://site.example/"\n[clippings]\nfiles = "clippings.txt"\n'
            f'[store]\nurl = "{self.address}"\n{more}{self.subscriptions()}',
        )

    def subscriptions(self) -> str:
        """One for each host, in TOML."""
        return "".join(
            f'[[subscriptions]]\ntitle = "Source {number}"\nurl = "{self.origin.url(f"/{number}", host)}"\n'
            'allow_private = "127.0.0.0/8"\n'
            for number, host in enumerate(HOSTS)
        )

    def publish(self, clock: str) -> None:
        """Let the publishers serve what they serve at this time: a first edition, or a second in
        which entries are new, edited and gone, and one publisher has no feed any more."""
        for number, _ in enumerate(HOSTS):
            self.origin[f"/{number}"] = _edition(number, second=clock != FIRST)

    def command(self, *arguments: str, clock: str | None = SECOND) -> list[str]:
        """How the program is called; with ``clock`` None it reads the real one."""
        if clock is None:
            return [sys.executable, "-m", "aggregator", *arguments]
        return [sys.executable, "-m", "tests.faults.program", clock, *arguments]

    def start(
        self,
        *arguments: str,
        clock: str | None = SECOND,
        before: Sequence[str] = (),
        env: dict[str, str] | None = None,
        **settings: Any,
    ) -> "subprocess.Popen[str]":
        """Start the program; ``before`` stands in front of its command."""
        import os

        environment = dict(os.environ if env is None else env) | {"PYTHONPATH": str(REPOSITORY)}
        settings.setdefault("stdout", subprocess.PIPE)
        settings.setdefault("stderr", subprocess.PIPE)
        settings.setdefault("preexec_fn", hear_interrupts)
        return subprocess.Popen(
            [*before, *self.command(*arguments, clock=clock)],
            cwd=self.root,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            **settings,
        )

    def call(self, *arguments: str, code: int | None = 0, **settings: Any) -> tuple[str, str]:
        """Run the program to its end; gives its output and what it said."""
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=120)
        assert code is None or process.returncode == code, (process.returncode, out, err)
        # Children of who was killed may say that they lost their pipes.
        assert "Traceback" not in (err or "") or process.returncode == -signal.SIGKILL, err
        return out or "", err or ""

    def files(self) -> dict[str, bytes]:
        """The bytes of every output."""
        return {
            path.relative_to(self.outputs).as_posix(): path.read_bytes()
            for path in sorted(self.outputs.rglob("*"))
            if path.is_file()
        }

    def titles(self, feed: str = "title") -> dict[str, list[str]]:
        """What is stored: the titles of entries, by the title or the ``url`` of their feed."""
        found: dict[str, list[str]] = {}
        for name, title in self.rows(
            f"SELECT feed.{feed}, entry.title FROM entry JOIN feed ON feed.id = feed_id ORDER BY 2"
        ):
            found.setdefault(name, []).append(title)
        return found

    def rows(self, statement: str) -> list[Any]:
        """What the database gives."""
        with closing(sqlite3.connect(self.state)) as database:
            return database.execute(statement).fetchall()

    def check_whole(self) -> None:
        """No reader sees half a file, and the database is one."""
        for name, data in self.files().items():
            if name.rpartition("/")[2].startswith("."):
                continue  # of a process that was killed: no server shows it, the next run takes it
            if name.endswith((".atom", ".opml")):
                ElementTree.fromstring(data)
            elif name.endswith(".json"):
                json.loads(data)
            else:
                assert data.rstrip().endswith(b"</html>"), name
        if self.state.exists():
            with closing(sqlite3.connect(self.state)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def check_valid(self) -> None:
        """Every feed is one that the W3C's validator has nothing to say of."""
        self.check_whole()
        for name, data in self.files().items():
            if name.endswith(".atom"):
                assert complaints(data, f"https://site.example/{quote(name)}") == [], name

    def check_outputs(self, wanted: dict[str, bytes]) -> None:
        """The outputs are these, byte for byte."""
        found = differences(self.files(), wanted)
        assert not found, found

    def check_clean(self) -> None:
        """Nothing is left over."""
        left = list(self.root.rglob(".tmp-*"))
        assert not left

    def become(self, other: Path) -> None:
        """Be a copy of another installation, publishers included."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(other, self.root, symlinks=True)


def _edition(number: int, *, second: bool) -> str:
    def entry(key: str, date: str, more: str = "") -> str:
        body = f"About the commons, and number {number}. " + "Words of the text follow here. " * 30
        return item(
            f"{'The commons' if number % 2 else 'P2P'} {number} {key}",
            f"https://source{number}.example/{key}",
            f"{date} 10:00:00 GMT",
            body + more,
        )

    kept = [entry("a", "Mon, 23 Nov 2026"), entry("b", "Thu, 15 Oct 2026")]
    first = [entry("c", "Sun, 22 Nov 2026"), *kept]
    edited = entry("c", "Sun, 22 Nov 2026", "And this was added by its author, at length. " * 20)
    later = [entry("d", "Tue, 24 Nov 2026"), item(f"Undated {number}", "", ""), edited, kept[0]]
    return rss(*(later if second else first), title=f"Source {number}")


def interrupt(process: "subprocess.Popen[str]", how: signal.Signals) -> tuple[int, str]:
    """Send a signal; gives the exit code and what was said."""
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    return process.returncode, err or ""


def differences(found: dict[str, bytes], wanted: dict[str, bytes]) -> str:
    """What two sets of outputs do not have in common, in a few lines."""
    from difflib import unified_diff

    lines: list[str] = []
    for name in sorted(found.keys() | wanted.keys()):
        old, new = (files.get(name, b"").decode(errors="replace") for files in (wanted, found))
        lines += list(
            unified_diff(old.splitlines(), new.splitlines(), f"wanted/{name}", f"found/{name}", n=1)
        )[:20]
    return "\n".join(line[:300] for line in lines[:80])
