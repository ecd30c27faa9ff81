"""Hostile and ambiguous names of tags, subscriptions and feeds."""

import json
import os
import unicodedata

from tests.faults.catalogue import fault
from tests.faults.world import FIRST

HOSTILE = {
    "a path upwards": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "a Windows path": "..\\..\\boot.ini",
    "dots": "..",
    "a device": "CON",
    "a device with an extension": "nul.txt",
    "300 letters": "x" * 300,
    "300 letters of two bytes": "é" * 300,
    "an emoji": "🎉",
    "right to left": "العربية",
    "a direction override": "\u202egpj.exe",
    "no letters": "+++",
    "zero width": "\u200b\u200d",
    "hidden": ".htaccess",
    "an option": "-rf",
    "a pattern": "*[a-z]?",
    "markup": "<script>alert(1)</script>",
    "a quotation mark": '"><b>',
    "one of our page names": "index",
    "one of our folders": "_source",
    "a control character": "a\x1b[2Jb",
    "a line break": "a\nb",
    "a NUL character": "a\x00b",
    "blank": " ",
}


def toml(text):
    """A string, in TOML."""
    return (
        '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08X}" for c in text) + '"'
    )


def check_names(world):
    """All outputs have names that any file system accepts, and no file is outside the folders."""
    files = sorted(world.files())
    for name in files:
        for part in name.split("/"):
            assert len(os.fsencode(part)) <= 255
            assert not part.startswith((".", "-")), name
            assert not set(part) & set('\\:*?"<>|\n\r\x00\x1b'), name
            assert not any(unicodedata.category(c) == "Cf" for c in part), name
            assert part.partition(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL"}
    folded = {
        unicodedata.normalize("NFD", unicodedata.normalize("NFKC", n).casefold()) for n in files
    }
    assert len(folded) == len(files), "two names differ only in case or Unicode composition"
    allowed = {"feeds.toml", "clippings.txt", "metrics.prom", "data", "outputs"}
    assert {path.name for path in world.root.iterdir()} == allowed
    assert list(world.root.parent.iterdir()) == [world.root]
    world.check_intact()


def run_or_refuse(world, name, repeat=False):
    """The run succeeds, or feeds.toml is refused before anything is written."""
    _, err = world.call("run", "--all", code=None)
    if not world.outputs.exists():
        assert "feeds.toml:" in err
        return
    assert err == "", name
    check_names(world)
    if repeat:
        written = world.files()
        world.call("run", "--all")
        world.check_outputs(written)


@fault(
    "N01",
    "A tag, subscription and feed with a hostile name",
    produced=", ".join(HOSTILE),
    must="files with safe names, none outside outputs/, none that differ only in case; or exit code 2, with the "
    "line",
    promises="P4 P5 P9 P12",
    cases=list(HOSTILE),
)
def test_hostile_name(world, case):
    name = toml(HOSTILE[case])
    world.write(
        "feeds.toml",
        '[site]\nurl = "https://site.example/"\n[clippings]\nfiles = "clippings.txt"\n'
        f'[store]\nurl = "sqlite:///data/aggregator.sqlite3"\n[tags.{name}]\nmatch = "commons"\n'
        f'[[feeds]]\nname = {name}\nquery = "commons"\n'
        f'[[subscriptions]]\ntitle = {name}\ntags = [{name}]\nurl = "{world.origin.url("/0", "127.0.0.2")}"\n'
        'allow_private = "127.0.0.0/8"\n',
    )
    run_or_refuse(world, case)


@fault(
    "N02",
    "All hostile names together",
    produced="tags with these names, in one feeds.toml",
    must="as N01; each tag has its own files; a second run changes nothing",
    promises="P4 P5 P9 P12",
)
def test_all_hostile_names_together(world):
    tags = [name for name in HOSTILE.values() if name.strip() and name not in ("\u200b\u200d",)]
    world.prepare("".join(f'[tags.{toml(name)}]\nmatch = "commons"\n' for name in tags))
    run_or_refuse(world, "all", repeat=True)


SIMILAR = {
    "differ in case": ("Alpha", "ALPHA"),
    "differ in accents": ("Été", "ete"),
    "have the same slug": ("C++", "C#"),
    "are empty when folded": ("+", "-"),
    "differ in separators": ("pair à pair", "Pair_a-Pair"),
    "composed and decomposed": ("caf\u00e9", "cafe\u0301"),
    "Turkish i": ("Istanbul", "İstanbul"),
    "sharp s": ("straße", "STRASSE"),
    "are equal": ("Alpha", "Alpha"),
}


@fault(
    "N03",
    "Two subscriptions with similar names",
    produced=f"their names: {', '.join(SIMILAR)}",
    must="each has its own page with its own entries, under a stable name; or exit code 2",
    promises="P9 P12",
    cases=list(SIMILAR),
)
def test_two_subscriptions_with_similar_names(world, case):
    urls = [world.origin.url(f"/{number}", f"127.0.0.{number + 2}") for number in (0, 1)]
    world.prepare()
    text = (world.root / "feeds.toml").read_text("utf-8").partition("[[subscriptions]]")[0]
    world.write(
        "feeds.toml",
        text
        + "".join(
            f'[[subscriptions]]\ntitle = {toml(name)}\nurl = "{url}"\nallow_private = "127.0.0.0/8"\n'
            for name, url in zip(SIMILAR[case], urls, strict=True)
        ),
    )
    run_or_refuse(world, case, repeat=True)
    if world.outputs.exists():
        pages = [n for n in world.files() if n.startswith("_source/")]
        assert len(pages) == 2
        bodies = sorted(world.files()[page] for page in pages)
        assert b"P2P 0 a" in bodies[0] + bodies[1]
        assert all((b"P2P 0 a" in body) != (b"The commons 1 a" in body) for body in bodies)


@fault(
    "N04",
    "Two tags with similar names",
    produced=f"their names: {', '.join(SIMILAR)}",
    must="one tag if only the spelling differs, else two, each with its own files; or exit code 2",
    promises="P9 P12",
    cases=[case for case in SIMILAR if case != "are equal"],
)
def test_two_tags_with_similar_names(world, case):
    first, second = SIMILAR[case]
    world.prepare()
    text = (world.root / "feeds.toml").read_text("utf-8")
    text = text.replace('title = "Source 0"', f'tags = [{toml(first)}]\ntitle = "Source 0"')
    text = text.replace('title = "Source 1"', f'tags = [{toml(second)}]\ntitle = "Source 1"')
    world.write("feeds.toml", text)
    run_or_refuse(world, case)
    if world.outputs.exists():
        tags = json.loads(world.call("tags", "--json")[0])
        files = {row["feed"] for row in tags}
        assert len(files) == len(tags)


@fault(
    "N05",
    "Characters that XML forbids",
    produced="U+0000, U+0008, U+000B, U+001B and U+FFFE in titles, passages and tags of clippings, in plain "
    "text and in bookmarks",
    must="they are removed, and the clipping is published",
    promises="P1 P5",
    cases=["text", "bookmarks"],
)
def test_characters_that_xml_forbids(world, case):
    text = "• Ke\x0bpt\n    https://kept.example/p\n\n    A pas\x00sage \x1b[2J.\n\n    #Com\x08mons #P2P\n"
    bookmarks = (
        "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p><DT>"
        '<A HREF="https://kept.example/p" TAGS="com&#8;mons,p2p">Ke&#11;pt&#xFFFE;</A>\n<DD>A pas&#8;sage\n</DL>'
    )
    world.write("clippings.txt", text if case == "text" else bookmarks)
    world.publish(FIRST)
    assert world.call("run") == ("", "")
    world.check_intact()
    assert b"kept.example/p" in world.files()["commons.atom"]
