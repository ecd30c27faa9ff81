"""A year, day by day, of ten publishers who do what publishers do; and two strict subscribers.

newsboat and `reader` are subscribed to the served outputs. Each must see each story once.
"""

import os
import random
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import escape

import pytest
from reader import make_reader

from tests.harness import LOOPBACK
from tests.serve.test_app import serving
from tests.store.test_stories import Subscriber

DAY = timedelta(days=1)
START = datetime(2025, 11, 24, 12, tzinfo=UTC)
DAYS = 365
_WORDS = [
    "jardin",
    "friche",
    "clé",
    "table",
    "règle",
    "atelier",
    "vélo",
    "pluie",
    "semis",
    "carnet",
    "rue",
    "fête",
    "colle",
    "bois",
    "outil",
    "voisin",
    "marché",
    "pain",
    "mairie",
    "vote",
    "carte",
    "chemin",
    "ruche",
    "toit",
    "eau",
    "sol",
    "arbre",
    "école",
    "fil",
    "nappe",
    "four",
]
_MARKER = re.compile(r"histoire-\w+-\d+")


class Story:
    """A text that is unlike any other, with its marker in it."""

    def __init__(self, publisher: str, day: int) -> None:
        self.marker = f"histoire-{publisher}-{day}"
        self.title = f"{publisher} raconte {self.marker}"
        self.at = START + day * DAY - timedelta(hours=3)
        self.day = day
        dice = random.Random(self.marker)
        self.text = f"{self.marker} " + " ".join(dice.choice(_WORDS) for _ in range(120))


def rfc822(at: datetime) -> str:
    return f"{at:%a, %d %b %Y %H:%M:%S} GMT"


def item(story: Story, link: str, guid: str = "", date: str = "", text: str = "") -> str:
    parts = [
        ("title", escape(story.title)),
        ("link", escape(link)),
        ("guid", guid),
        ("pubDate", date),
        ("description", escape(text or story.text)),
    ]
    return "<item>" + "".join(f"<{n}>{v}</{n}>" for n, v in parts if v) + "</item>"


def channel(name: str, items: list[str]) -> str:
    return (
        f'<rss version="2.0"><channel><title>{name}</title><link>https://{name}.example/</link>'
        f"<description>d</description><language>fr</language>{''.join(items)}</channel></rss>"
    )


def renames(stories: list[Story], day: int) -> list[str]:
    """Every guid changes every week."""
    return [
        item(s, f"https://a.example/{s.day}", f"g-{day // 7}-{s.day}", rfc822(s.at))
        for s in stories
    ]


def moves(stories: list[Story], day: int) -> list[str]:
    """To https, then to another host, then to other paths; the addresses are the guids."""
    base = (
        "http://b.example/"
        if day < 100
        else "https://b.example/"
        if day < 200
        else "https://n.example/"
    )
    link = "{}{}" if day < 300 else "{}posts/{}/"
    return [
        item(s, link.format(base, s.day), link.format(base, s.day), rfc822(s.at)) for s in stories
    ]


def reissues(stories: list[Story], day: int) -> list[str]:
    """The whole archive comes again on two days of the year, as if it were new."""
    edition = (day >= 120) + (day >= 240)
    return [
        item(
            s,
            f"https://c{edition}.example/{edition}/{s.day}",
            f"{edition}-{s.day}",
            rfc822(max(s.at, START + edition * 120 * DAY)) if edition else rfc822(s.at),
        )
        for s in stories
    ]


def bumps(stories: list[Story], day: int) -> list[str]:
    """Every entry is stamped with the time of the poll."""
    now = rfc822(START + day * DAY)
    return [item(s, f"https://d.example/{s.day}", f"d{s.day}", now) for s in stories]


def counts(stories: list[Story], day: int) -> list[str]:
    """A counter and a tracking pixel change in every text."""
    noise = f'<p>Lu {day * 7} fois</p><img src="https://s.example/p?{day}" width="1" height="1">'
    return [
        item(s, f"https://e.example/{s.day}", f"e{s.day}", rfc822(s.at), f"<p>{s.text}</p>{noise}")
        for s in stories
    ]


def sessions(stories: list[Story], day: int) -> list[str]:
    """No guids, and a session in every link."""
    return [item(s, f"https://f.example/{s.day}?sid={day}x", "", rfc822(s.at)) for s in stories]


def one_guid(stories: list[Story], day: int) -> list[str]:
    """One guid for everything."""
    return [item(s, f"https://h.example/{s.day}", "same", rfc822(s.at)) for s in stories]


def undated(stories: list[Story], day: int) -> list[str]:
    """No dates, no guids."""
    return [item(s, f"https://i.example/{s.day}") for s in stories]


def forgets(stories: list[Story], day: int) -> list[str]:
    """Half of the entries are missing every other day, in another order."""
    shown = stories if day % 2 else stories[::-2]
    return [item(s, f"https://j.example/{s.day}", f"j{s.day}", rfc822(s.at)) for s in shown]


def edits(stories: list[Story], day: int) -> list[str]:
    """Every text is corrected a little, and then a little more."""
    return [
        item(s, f"https://k.example/{s.day}", f"k{s.day}", rfc822(s.at),
             s.text + " ainsi" * min(day - s.day, 5))
        for s in stories
    ]  # fmt: skip


PUBLISHERS: dict[str, Callable[[list[Story], int], list[str]]] = {
    function.__name__.replace("_", ""): function
    for function in (
        renames, moves, reissues, bumps, counts, sessions, one_guid, undated, forgets, edits,
    )
}  # fmt: skip


def planet(stories: list[Story]) -> list[str]:
    """Others' stories under its own addresses, a day later."""
    return [
        item(s, f"https://planet.example/{s.marker}", s.marker, rfc822(s.at + DAY)) for s in stories
    ]


def marker(text: str) -> str:
    found = _MARKER.search(text)
    assert found, text
    return found[0]


class Newsboat:
    """The reader that people install from their distribution."""

    def __init__(self, folder, url: str) -> None:
        folder.mkdir()
        (folder / "urls").write_text(url + "\n")
        (folder / "config").write_text("max-items 0\n")
        self._folder = folder

    def reload(self) -> None:
        files = {"-u": "urls", "-c": "cache.db", "-C": "config"}
        options = [part for key, name in files.items() for part in (key, str(self._folder / name))]
        environment = os.environ | {"HOME": str(self._folder)}
        subprocess.run(
            ["newsboat", *options, "-x", "reload"], check=True, env=environment, timeout=60
        )

    def seen(self) -> Counter[str]:
        with closing(sqlite3.connect(self._folder / "cache.db")) as cache:
            rows = cache.execute("SELECT content FROM rss_item WHERE deleted = 0").fetchall()
        return Counter(marker(text) for (text,) in rows)


def test_a_year_of_everything(tmp_path, publisher, installation):
    if shutil.which("newsboat") is None:
        if os.environ.get("CI"):
            pytest.fail("CI has newsboat: .ci/run installs it")
        pytest.skip("needs newsboat")
    names = [*PUBLISHERS, "planet"]
    installation.write(
        "feeds.toml",
        '[site]\nurl = "https://site.example/"\n[publish]\nlive = 60\nbackfill = 20\n'
        + "".join(
            f'[[subscriptions]]\nurl = "{publisher.url(f"/{name}")}"\ntitle = "{name}"\n{LOOPBACK}'
            for name in names
        ),
    )
    told: dict[str, list[Story]] = {name: [] for name in PUBLISHERS}
    ours = Subscriber(installation)
    with serving(installation) as (_, port):
        url = f"http://127.0.0.1:{port}/all.atom"
        newsboat = Newsboat(tmp_path / "newsboat", url)
        with closing(make_reader(str(tmp_path / "reader.sqlite"))) as reader:
            reader.add_feed(url)
            for day in range(DAYS):
                for place, (name, serve) in enumerate(PUBLISHERS.items()):
                    if day == 0 or day % 10 == place:
                        told[name].append(Story(name, day))
                    document = channel(name, serve(told[name][:-13:-1], day))
                    publisher[f"/{name}"] = document
                copied = [
                    s for name in ("renames", "counts") for s in told[name][-6:] if s.day < day
                ]
                publisher["/planet"] = channel("planet", planet(copied))
                report = installation.run(START + day * DAY)
                assert not report.troubles
                ours.read()
                reader.update_feed(url)
                if day % 10 == 0 or day == DAYS - 1:
                    newsboat.reload()
            read = Counter(marker(e.content[0].value) for e in reader.get_entries())
    markers = [story.marker for stories in told.values() for story in stories]
    once = Counter(markers)
    assert len(markers) > 365
    assert read == once
    assert newsboat.seen() == once
    # Nothing was shown as changed but what its publisher had changed for a reader to see.
    assert len(ours.seen) == len(markers)
    assert {len(times) for times in ours.seen.values()} == {1}
