"""An installation whose program runs as a separate process, and its publishers."""

import json
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from tests import forkserver
from tests.atomrules import complaints
from tests.harness import Installation, item, rss
from tests.origin import Origin

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
    """``call`` runs the program in it; ``publish`` changes what its publishers serve."""

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
        """One subscription for each host, in TOML."""
        return "".join(
            f'[[subscriptions]]\ntitle = "Source {number}"\nurl = "{self.origin.url(f"/{number}", host)}"\n'
            'allow_private = "127.0.0.0/8"\n'
            for number, host in enumerate(HOSTS)
        )

    def publish(self, clock: str) -> None:
        """Serve the first edition at `FIRST`, else the second, with new, edited and removed entries."""
        for number, _ in enumerate(HOSTS):
            self.origin[f"/{number}"] = _edition(number, second=clock != FIRST)

    def start(
        self, *arguments: str, clock: str | None = SECOND, **settings: Any
    ) -> "subprocess.Popen[str]":
        """Start the program (`forkserver.start`); with ``clock`` None it uses the real clock."""
        return forkserver.start(self.root, *arguments, clock=clock, **settings)

    def call(self, *arguments: str, code: int | None = 0, **settings: Any) -> tuple[str, str]:
        """Run the program to its end; gives stdout and stderr. With ``code`` None, any exit code is fine."""
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=120)
        assert code is None or process.returncode == code, (process.returncode, out, err)
        # Children of a killed process may report broken pipes.
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
        """The stored titles of entries, by the ``title`` or ``url`` of their feed."""
        titles: dict[str, list[str]] = {}
        for name, title in self.rows(
            f"SELECT feed.{feed}, entry.title FROM entry JOIN feed ON feed.id = feed_id ORDER BY 2"
        ):
            titles.setdefault(name, []).append(title)
        return titles

    def rows(self, statement: str) -> list[Any]:
        """The rows of a query."""
        with closing(sqlite3.connect(self.state)) as database:
            return database.execute(statement).fetchall()

    def check_intact(self) -> None:
        """No output is truncated, and the database passes SQLite's integrity check."""
        for name, data in self.files().items():
            if name.rpartition("/")[2].startswith("."):
                continue  # of a killed process: web servers hide it, and the next run removes it
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
        """Every feed is valid by the rules of the W3C's validator."""
        self.check_intact()
        for name, data in self.files().items():
            if name.endswith(".atom"):
                errors = complaints(data, f"https://site.example/{quote(name)}")
                assert not errors, (name, errors)

    def check_outputs(self, expected: dict[str, bytes]) -> None:
        """The outputs are these, byte for byte."""
        diff = differences(self.files(), expected)
        assert not diff, diff

    def check_clean(self) -> None:
        """No temporary file is left."""
        assert not list(self.root.rglob(".tmp-*"))

    def copy_from(self, template: Path) -> None:
        """Replace all files with a copy of another installation's."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(template, self.root, symlinks=True)


def _edition(number: int, *, second: bool) -> str:
    def entry(key: str, date: str, more: str = "") -> str:
        body = f"About the commons, and number {number}. " + "Words of the text follow here. " * 30
        return item(
            f"{'The commons' if number % 2 else 'P2P'} {number} {key}",
            f"https://source{number}.example/{key}",
            f"{date} 10:00:00 GMT",
            body + more,
        )

    both = [entry("a", "Mon, 23 Nov 2026"), entry("b", "Thu, 15 Oct 2026")]
    first = [entry("c", "Sun, 22 Nov 2026"), *both]
    edited = entry("c", "Sun, 22 Nov 2026", "And this was added by its author, at length. " * 20)
    later = [entry("d", "Tue, 24 Nov 2026"), item(f"Undated {number}", "", ""), edited, both[0]]
    return rss(*(later if second else first), title=f"Source {number}")


def interrupt(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal and wait for the end; gives the exit code and stderr."""
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err or ""


def differences(actual: dict[str, bytes], expected: dict[str, bytes]) -> str:
    """A short unified diff of two sets of outputs; empty if they are equal."""
    from difflib import unified_diff

    lines: list[str] = []
    for name in sorted(actual.keys() | expected.keys()):
        old, new = (files.get(name, b"").decode(errors="replace") for files in (expected, actual))
        lines += list(
            unified_diff(
                old.splitlines(), new.splitlines(), f"expected/{name}", f"actual/{name}", n=1
            )
        )[:20]
    return "\n".join(line[:300] for line in lines[:80])
