"""Faults of documents: odd, truncated, hostile and large ones, served beside well-formed ones."""

import re
from itertools import count
from xml.etree import ElementTree

from aggregator.model import Caching, Fetched, ParsedFeed, Validators
from aggregator.parse.document import parse_document
from tests.atomrules import ATOM
from tests.faults.catalogue import ROUND_FACTOR, fault
from tests.faults.helpers import communicate_and_measure, strace
from tests.faults.test_network import lines_by_source, subscription_toml
from tests.faults.world import FIRST
from tests.harness import NOON, item, rss
from tests.origin import Answer
from tests.shared import shared

GOOD = {f"Good {n}": rss(item(f"Commons {n}", f"https://good{n}.example/a")) for n in range(3)}


def serve(world, documents, before=(), more=""):
    """Run with one subscription for each document, and three well-formed ones.

    ``documents`` are by the name of the subscription. Gives the messages about each subscription.
    Checks that the well-formed documents were stored and that all outputs are valid.
    """
    text = ""
    hosts = (f"127.{high}.{low}.9" for high in count(1) for low in range(250))
    for (name, document), host in zip({**documents, **GOOD}.items(), hosts, strict=False):
        path = "/" + re.sub(r"\W", "-", name)
        world.origin[path] = document
        text += subscription_toml(name, world.origin.url(path, host))
    world.prepare(more)
    head = (world.root / "feeds.toml").read_text("utf-8").partition("[[subscriptions]]")[0]
    world.write("feeds.toml", head + text)
    process = world.start("-v", "run", "--all", before=before)
    _, err, peak_bytes = communicate_and_measure(process)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert peak_bytes < 1_000_000_000
    stored = [title for titles in world.titles().values() for title in titles]
    assert all(f"Commons {n}" in stored for n in range(3))
    world.check_valid()
    return lines_by_source(err)


def stored_titles(stored, name):
    """The titles of the entries of one source of `serve`."""
    path = "/" + re.sub(r"\W", "-", name)
    return next((titles for url, titles in stored.items() if url.endswith(path)), [])


def parse(body, content_type="application/xml", url="https://feed.example/feed"):
    return parse_document(
        Fetched(url, url, body, content_type, Validators(), None, Caching()), NOON
    )


def corpus_paths(folder, number=None):
    paths = sorted(shared("corpus", folder).iterdir())
    return paths[:: max(1, len(paths) // (number * ROUND_FACTOR))] if number else paths


@fault(
    "X01",
    "Odd documents from the wild",
    produced="504 documents from the tests of other programs, and a sample of 850 real feeds",
    must="each is parsed, or one line gives the reason; well-formed documents are parsed; outputs are valid",
    promises="P1 P2 P5",
    cases=["odd", "feeds"],
)
def test_odd_documents(world, case):
    paths = corpus_paths(case, None if case == "odd" else 40)
    lines = serve(world, {path.name.replace('"', ""): path.read_bytes() for path in paths})
    failed = {name for name in lines if any(": not a feed" in line for line in lines[name])}
    assert len(failed) < len(paths) / 2


def entry_texts(entry):
    """The texts of an entry, with whitespace normalized: feedparser's two parsers differ in it."""
    return tuple(
        " ".join(str(text).split())
        for text in (entry.title, entry.link, entry.content, entry.summary)
    )


def small_feeds():
    return [path for path in corpus_paths("feeds") if 3000 < path.stat().st_size < 20_000][::8][:10]


@fault(
    "X02",
    "Truncated documents",
    produced="ten real feeds, in their encoding and in UTF-16, each truncated at random bytes",
    must="truncation is reported; all entries equal those of the complete document: never half an entry",
    promises="P2 P3 P9",
    rounds=20,
)
def test_truncated_documents(rounds, rng):
    bodies = [path.read_bytes() for path in small_feeds()]
    for body in bodies + [body.decode("utf-8", "replace").encode("utf-16") for body in bodies]:
        complete = parse(body)
        assert isinstance(complete, ParsedFeed)
        texts = set(map(entry_texts, complete.entries))
        for _ in rounds:
            end = rng.randrange(len(body))
            cut = parse(body[:end])
            if isinstance(cut, ParsedFeed):
                cut_texts = set(map(entry_texts, cut.entries))
                assert cut_texts <= texts, (body[:200], end)
                assert cut.is_cut or len(cut_texts) == len(texts), (body[:200], end)
            else:
                assert cut.reason


@fault(
    "X03",
    "Changed bytes",
    produced="ten real feeds; in each, one byte is changed, removed or doubled",
    must="each is parsed, or one line gives the reason; well-formed documents are parsed; outputs are valid",
    promises="P1 P2 P5",
    rounds=6,
)
def test_changed_bytes(world, rounds, rng):
    documents = {}
    for path in small_feeds():
        for number in rounds:
            body = bytearray(path.read_bytes())
            at = rng.randrange(len(body))
            kind = number % 3
            body[at : at + 1] = [bytes([rng.randrange(256)]), b"", bytes([body[at]] * 2)][kind]
            documents[f"{path.name} {number}"] = bytes(body)
    serve(world, documents)


CAFE = rss(item("Un café €", "https://cafe.example/"), title="Café")
XML = '<?xml version="1.0" encoding="%s"?>'


def encode_with_declaration(declared_encoding, encoding, text=CAFE):
    return text.replace('<?xml version="1.0"?>', XML % declared_encoding).encode(encoding)


ENCODINGS = {
    "windows-1252, declared correctly": encode_with_declaration("windows-1252", "windows-1252"),
    "windows-1252, declared as UTF-8": encode_with_declaration("utf-8", "windows-1252"),
    "windows-1252, declared as ISO-8859-1": encode_with_declaration("iso-8859-1", "windows-1252"),
    "UTF-8, declared as UTF-16": encode_with_declaration("utf-16", "utf-8"),
    "UTF-8, declared as an unknown encoding": encode_with_declaration("x-unknown", "utf-8"),
    "UTF-8 with a byte order mark": CAFE.encode("utf-8-sig"),
    "UTF-16": encode_with_declaration("utf-16", "utf-16"),
    "UTF-16, big-endian": "\ufeff".encode("utf-16-be")
    + encode_with_declaration("utf-16", "utf-16-be"),
    "UTF-16 without a byte order mark": encode_with_declaration("utf-16le", "utf-16-le"),
    "UTF-32": encode_with_declaration("utf-32", "utf-32"),
    "a byte order mark in the middle": CAFE.replace("<channel>", "\ufeff<channel>").encode(),
    "control characters": CAFE.replace("Un ", "U\x00n\x08 \x1b\x7f").encode(),
    "bytes that are not UTF-8": CAFE.encode().replace(b"<item>", b"<!-- \xff --><item>"),
}


@fault(
    "X04",
    "Odd and wrongly declared encodings",
    produced="; ".join(ENCODINGS),
    must="all are parsed, with the text that the author wrote",
    promises="P1 P3 P5",
)
def test_encodings(world):
    serve(world, ENCODINGS)
    stored = world.titles("url")
    titles_by_name = {name: stored_titles(stored, name) for name in ENCODINGS}
    assert not {name: titles for name, titles in titles_by_name.items() if titles != ["Un café €"]}


def bomb(depth):
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, depth))
    return f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "ha">{entities}]>' + rss(
        item(f"&e{depth - 1};")
    ).removeprefix('<?xml version="1.0"?>')


def attack(declaration, title):
    return f'<?xml version="1.0"?><!DOCTYPE rss {declaration}>' + rss(
        item(f"{title} of entities")
    ).removeprefix('<?xml version="1.0"?>')


def attacks(world, secret):
    url = world.origin.url("/outside", "127.0.0.99")
    return {
        "a billion laughs": (bomb(10), "refused"),
        "quadratic": (attack(f'[<!ENTITY a "{"a" * 50_000}">]', "&a;" * 50_000), "refused"),
        "many short entities": (attack(f'[<!ENTITY a "{"a" * 99}">]', "&a;" * 99_000), "refused"),
        "a parameter entity": (attack("[<!ENTITY % a \"<!ENTITY b 'c'>\"> %a;]", "&b;"), "refused"),
        "a file": (attack(f'[<!ENTITY a SYSTEM "file://{secret}">]', "&a;"), ""),
        "a file by its path": (attack(f'[<!ENTITY a SYSTEM "{secret}">]', "&a;"), ""),
        "a URL": (attack(f'[<!ENTITY a SYSTEM "{url}">]', "&a;"), ""),
        "a DTD at a URL": (attack(f'SYSTEM "{url}"', "&a;"), ""),
        "a DTD in a file": (attack(f'SYSTEM "{secret}"', "&a;"), ""),
        "an inclusion": (
            rss(item(f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{secret}"/>')),
            "",
        ),
        "a stylesheet": (f'<?xml-stylesheet href="{url}"?>' + rss(item("Styled"))[21:], ""),
    }


@fault(
    "X05",
    "Entities and other external references",
    produced="billion laughs; quadratic growth; parameter entities; external entities, DTDs, inclusions and "
    "stylesheets that refer to a file or a URL (watched with strace)",
    must="expanding entities are refused with a clear reason; the file is never opened, the URL never requested",
    promises="P1 P2 P5 P7 P12",
)
def test_entities(world, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("c4n4ry")
    world.origin["/outside"] = b"<!ENTITY a 'outside'>"
    documents = attacks(world, secret)
    log = tmp_path / "strace"
    before = strace("open,openat,openat2,connect,stat,access", log=log)
    lines = serve(world, {name: document for name, (document, _) in documents.items()}, before)
    for name, (_, words) in documents.items():
        assert not words or any(words in line for line in lines[name]), (name, lines.get(name))
    assert str(secret) not in log.read_text("utf-8", "replace")
    assert world.origin.requests("/outside") == []
    assert not any(b"c4n4ry" in data for data in world.files().values())


MANY = "".join(
    f"<item><title>Number {n}</title><link>http://m.example/{n}</link></item>"
    for n in range(100_000)
)
ATTRIBUTES = " ".join(f'a{n}="x"' for n in range(50_000))
DEEP = 100_000


def large_documents():
    yield (
        "a hundred thousand entries",
        rss(MANY),
        "99000 entries in the middle of the document were left out",
    )
    yield "an entry of 50 MB", rss(item("Large", body="Large. " * 7_500_000)), "larger than 10 MiB"
    yield "an entry of 9 MB", rss(item("Large", body="Large. " * 1_300_000)), ""
    yield "deep elements", rss(item("Deep", more="<a>" * DEEP + "</a>" * DEEP)), ""
    yield "deep HTML", rss(item("Deep", body="&lt;b&gt;" * DEEP + "deep")), ""
    yield "deep JSON", '{"version":"https://jsonfeed.org/version/1.1","items":' + "[" * DEEP, "JSON"
    yield "open brackets", "<rss><channel>" + "<" * 200_000, ""
    yield "open comments", rss(item("Open")) + "<!--" * 200_000, ""
    yield "ampersands", rss(item("Open", body="&" * 200_000)), ""
    yield "a title of 5 MB", rss(item("Title " * 800_000)), ""
    yield "many categories", rss(item("Many", more="<category>c</category>" * 200_000)), ""
    yield (
        "many attributes",
        rss(item("a", more=f"<b {ATTRIBUTES}/>")),
        "",
    )


@fault(
    "X06",
    "Large documents",
    produced=", ".join(name for name, *_ in large_documents()),
    must="each takes at most 2 s of CPU time and 300 MiB, in a separate process; a document above a limit is "
    "reported; the others are parsed",
    promises="P1 P2 P5 P7",
)
def test_large_documents(world):
    documents = {name: (document, words) for name, document, words in large_documents()}
    lines = serve(world, {name: document.encode() for name, (document, _) in documents.items()})
    for name, (_, words) in documents.items():
        assert not words or any(words in line for line in lines[name]), (name, lines.get(name))


SCRIPTS = [
    "English", "Ελληνικά", "Русский", "العربية", "עברית", "हिन्दी", "ไทย", "日本語", "한국어", "አማርኛ",
    "ქართული", "Հայերեն", "தமிழ்", "ᓄᓇᕗᑦ", "𐌰𐌱𐌲", "👩‍👩‍👧‍👦", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "\u202egnp.exe", "\u2066isolated", "a\u200bb\u200dc\ufeffd", "\u2028line\u2029", "\ufffd", "\U000e0041tag",
]  # fmt: skip
LINKS = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)",
    "vbscript:x", "data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;", "file:///etc/passwd",
    "http://a b.example/c d", "http://a.example/\n\tb", "//a.example/x", "/relative", "http://[bad",
    "http://a.example:99999/", "http://", "https://x.example/&quot;onclick=alert(1)", "ftp://a.example/",
    "http://user:pw@a.example/", "http://é.example/é", "mailto:a@b.example", "blob:x", "",
]  # fmt: skip
DATES = [
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "32 Jan 2026 10:00:00 GMT",
    "now", "Mon, 23 Nov 2099 10:00:00 GMT", "-1", "1e308", "Mon, 99 Nov 2026 99:99:99 +9999", "١٢/١١/٢٠٢٦",
    "2026-02-30", "1" * 400,
]  # fmt: skip


@fault(
    "X07",
    "Entries with odd fields",
    produced=f"titles in {len(SCRIPTS)} scripts, some with direction overrides or zero-width characters; "
    f"{len(LINKS)} links with other schemes, spaces and line breaks; {len(DATES)} impossible dates; the same id in "
    "several entries; no id",
    must="all are stored, each with its own id; links are web addresses or omitted; no date is later than now; a "
    "second run changes nothing",
    promises="P3 P5 P6 P9",
)
def test_odd_entries(world):
    documents = {
        "scripts": rss(*(item(t, f"https://s.example/{n}") for n, t in enumerate(SCRIPTS))),
        "links": rss(*(item(f"Link {n}", link) for n, link in enumerate(LINKS))),
        "dates": rss(*(item(f"Date {n}", "", date) for n, date in enumerate(DATES))),
        "one id": rss(*(item(f"Id {n}", "", more="<guid>one</guid>") for n in range(5))),
        "no id": rss(*(item(f"None {n}", "", "") for n in range(5))),
    }
    serve(world, documents)
    stored = world.titles("url")
    numbers = [len(SCRIPTS), len(LINKS), len(DATES), 5, 5]
    assert [len(stored_titles(stored, name)) for name in documents] == numbers
    written = world.files()
    for name, data in written.items():
        if name.endswith(".atom"):
            check_links(data)
            assert (
                max(re.findall(rb"<(?:updated|published)>([^<]*)", data)) <= b"2026-11-24T15:00:00Z"
            )
    world.call("run", "--all")
    world.check_outputs(written)


def check_links(data):
    """Every address in a feed is a web address."""
    for element in ElementTree.fromstring(data).iter():
        for name in ("href", "src", "uri"):
            assert re.match("https?://[^/]", element.get(name, "http://x")), element.attrib


@fault(
    "X08",
    "A subscription to our own output",
    produced="a subscription to our own feed of all entries",
    must="no entry is published again under another id; after two runs nothing changes",
    promises="P3 P5 P9",
)
def test_subscription_to_own_output(world):
    world.prepare(subscription_toml("Ourselves", world.origin.url("/all.atom", "127.0.0.99")))
    world.origin["/all.atom"] = Answer(status=404)
    world.call("run", "--all")
    ids = []
    for _ in range(4):
        feed = (world.outputs / "all.atom").read_bytes()
        entries = ElementTree.fromstring(feed).findall(f"{ATOM}entry")
        ids.append(sorted(str(entry.findtext(f"{ATOM}id")) for entry in entries))
        world.origin["/all.atom"] = feed
        world.call("run", "--all")
    assert len(set(ids[-1])) == len(ids[-1])
    assert ids[-1] == ids[-2], (len(ids[-1]), len(ids[-2]))
    assert [len(each) for each in ids] == [len(ids[0])] * 4
    world.check_valid()


def make_atom(*entries: tuple[str, str, str]) -> str:
    """An Atom feed with these ids, titles and links; each entry has a different text."""
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:feed</id><title>A feed</title>'
        + "".join(
            f"<entry><id>{id}</id><title>{title}</title><link href='{link}'/>"
            f"<updated>2026-11-20T00:00:00Z</updated><content>{f'{title}. ' * 30}</content></entry>"
            for id, title, link in entries
        )
        + "</feed>"
    )


@fault(
    "X10",
    "An entry with the id of another source",
    produced="a source uses the atom:id of another source's entry, its link, and an id that we generated",
    must="the other source's entries stay unchanged in every output; the source's own entries become new entries, "
    "or copies in the story of the same page",
    promises="P1 P3 P5 P9",
)
def test_entry_with_id_of_another_source(world):
    def entries() -> dict[str, str]:
        feed = ElementTree.fromstring(world.files()["all.atom"])
        return {
            str(entry.findtext(f"{ATOM}id")): str(entry.findtext(f"{ATOM}title"))
            for entry in feed.findall(f"{ATOM}entry")
        }

    original = ("urn:theirs", "The commons, as they are", "https://theirs.example/1")
    world.origin["/0"] = make_atom(original)
    world.call("run", "--all", clock=FIRST)
    before = entries()
    minted = next(id for id in before if id.startswith("urn:uuid:"))
    world.origin["/1"] = make_atom(
        (original[0], "Taken by its id", "https://taker.example/1"),
        ("urn:taker", "Taken by its link", original[2]),
        (minted, "Taken from us", "https://taker.example/2"),
    )
    world.call("run", "--all")
    after = entries()
    assert {id: title for id, title in after.items() if id in before} == before
    assert {"Taken by its id", "Taken from us"} <= set(after.values())
    world.check_valid()
