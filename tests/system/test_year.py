"""Simulated months with ten publishers, each with a typical oddity, and two feed readers.

newsboat and `reader` subscribe to the served outputs. Each must show each story exactly once. It is
a whole year in `make soak`, which sets FULL_TESTS.
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
# A feed gets an entry every ten days. A third of the time is longer than texts are compared (30 days).
DAYS, SERVED_ENTRIES = (365, 12) if os.environ.get("FULL_TESTS") else (120, 5)
THIRD, QUARTER = DAYS // 3, DAYS // 4
_WORDS = [
    "jardin", "friche", "clé", "table", "règle", "atelier", "vélo", "pluie", "semis", "carnet",
    "rue", "fête", "colle", "bois", "outil", "voisin", "marché", "pain", "mairie", "vote",
    "carte", "chemin", "ruche", "toit", "eau", "sol", "arbre", "école", "fil", "nappe", "four",
]  # fmt: skip
_MARKER = re.compile(r"histoire-\w+-\d+")


class Story:
    """A unique text that contains its marker."""

    def __init__(self, publisher: str, day: int) -> None:
        self.marker = f"histoire-{publisher}-{day}"
        self.title = f"{publisher} raconte {self.marker}"
        self.at = START + day * DAY - timedelta(hours=3)
        self.day = day
        rng = random.Random(self.marker)
        self.text = f"{self.marker} " + " ".join(rng.choice(_WORDS) for _ in range(120))


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


def new_guids(stories: list[Story], day: int) -> list[str]:
    """Every guid changes every week."""
    return [
        item(s, f"https://a.example/{s.day}", f"g-{day // 7}-{s.day}", rfc822(s.at))
        for s in stories
    ]


def moved_site(stories: list[Story], day: int) -> list[str]:
    """The site moves to https, then to another host, then to other paths; guids are the links."""
    base = (
        "http://b.example/"
        if day < QUARTER
        else "https://b.example/"
        if day < 2 * QUARTER
        else "https://n.example/"
    )
    link = "{}{}" if day < 3 * QUARTER else "{}posts/{}/"
    return [
        item(s, link.format(base, s.day), link.format(base, s.day), rfc822(s.at)) for s in stories
    ]


def republished(stories: list[Story], day: int) -> list[str]:
    """On two days the whole archive is republished as new entries."""
    edition = (day >= THIRD) + (day >= 2 * THIRD)
    return [
        item(
            s,
            f"https://c{edition}.example/{edition}/{s.day}",
            f"{edition}-{s.day}",
            rfc822(max(s.at, START + edition * THIRD * DAY)) if edition else rfc822(s.at),
        )
        for s in stories
    ]


def touched_dates(stories: list[Story], day: int) -> list[str]:
    """The date of every entry is the time of the poll."""
    now = rfc822(START + day * DAY)
    return [item(s, f"https://d.example/{s.day}", f"d{s.day}", now) for s in stories]


def counters(stories: list[Story], day: int) -> list[str]:
    """A counter and a tracking pixel in every text change daily."""
    counter = f'<p>Lu {day * 7} fois</p><img src="https://s.example/p?{day}" width="1" height="1">'
    return [
        item(
            s, f"https://e.example/{s.day}", f"e{s.day}", rfc822(s.at), f"<p>{s.text}</p>{counter}"
        )
        for s in stories
    ]


def session_links(stories: list[Story], day: int) -> list[str]:
    """No guids, and a session id in every link."""
    return [item(s, f"https://f.example/{s.day}?sid={day}x", "", rfc822(s.at)) for s in stories]


def same_guid(stories: list[Story], day: int) -> list[str]:
    """All entries have the same guid."""
    return [item(s, f"https://h.example/{s.day}", "same", rfc822(s.at)) for s in stories]


def undated(stories: list[Story], day: int) -> list[str]:
    """No dates, no guids."""
    return [item(s, f"https://i.example/{s.day}") for s in stories]


def missing_entries(stories: list[Story], day: int) -> list[str]:
    """Every other day half of the entries are missing, and the order is reversed."""
    shown = stories if day % 2 else stories[::-2]
    return [item(s, f"https://j.example/{s.day}", f"j{s.day}", rfc822(s.at)) for s in shown]


def small_edits(stories: list[Story], day: int) -> list[str]:
    """Every text is edited a little on each of five days."""
    return [
        item(s, f"https://k.example/{s.day}", f"k{s.day}", rfc822(s.at),
             s.text + " ainsi" * min(day - s.day, 5))
        for s in stories
    ]  # fmt: skip


PUBLISHERS: dict[str, Callable[[list[Story], int], list[str]]] = {
    function.__name__.replace("_", ""): function
    for function in (
        new_guids, moved_site, republished, touched_dates, counters, session_links, same_guid, undated,
        missing_entries, small_edits,
    )
}  # fmt: skip


def planet(stories: list[Story]) -> list[str]:
    """Copies of other publishers' stories, at the planet's own links, a day later."""
    return [
        item(s, f"https://planet.example/{s.marker}", s.marker, rfc822(s.at + DAY)) for s in stories
    ]


def marker(text: str) -> str:
    match = _MARKER.search(text)
    assert match, text
    return match[0]


class Newsboat:
    """A feed reader in a process of its own, from the distribution's package."""

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


def test_each_story_is_shown_once(tmp_path, publisher, installation):
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
    stories: dict[str, list[Story]] = {name: [] for name in PUBLISHERS}
    subscriber = Subscriber(installation)
    with serving(installation) as (_, port):
        url = f"http://127.0.0.1:{port}/all.atom"
        newsboat = Newsboat(tmp_path / "newsboat", url)
        with closing(make_reader(str(tmp_path / "reader.sqlite"))) as reader:
            reader.add_feed(url)
            for day in range(DAYS):
                for place, (name, serve) in enumerate(PUBLISHERS.items()):
                    if day == 0 or day % 10 == place:
                        stories[name].append(Story(name, day))
                    document = channel(name, serve(stories[name][: -SERVED_ENTRIES - 1 : -1], day))
                    publisher[f"/{name}"] = document
                copied = [
                    s
                    for name in ("newguids", "counters")
                    for s in stories[name][-6:]
                    if s.day < day
                ]
                publisher["/planet"] = channel("planet", planet(copied))
                report = installation.run(START + day * DAY)
                assert not report.troubles
                subscriber.read()
                reader.update_feed(url)
                if day % 10 == 0 or day == DAYS - 1:
                    newsboat.reload()
            shown = Counter(marker(e.content[0].value) for e in reader.get_entries())
    markers = [story.marker for published in stories.values() for story in published]
    each_once = Counter(markers)
    assert len(markers) > DAYS
    assert shown == each_once
    assert newsboat.seen() == each_once
    # No story was shown as changed.
    assert len(subscriber.seen) == len(markers)
    assert {len(times) for times in subscriber.seen.values()} == {1}
