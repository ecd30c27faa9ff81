"""Entries of the previous document are not parsed again, and the result is that of a full parse."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model import Fetched, ParsedFeed
from aggregator.parse import incremental
from aggregator.parse.document import parse_document
from aggregator.parse.encoding import to_utf8
from aggregator.parse.feedparser_reader import read_xmlfeed
from aggregator.parse.pieces import cut_document
from aggregator.parse.references import correct_references
from tests.harness import item, rss
from tests.shared import shared

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://feed.example/dir/feed.xml"
CORPUS = Path(__file__).with_name("corpus")
FOUR = [item(f"Title {n}", f"https://feed.example/{n}") for n in range(4)]
NEW = item("New", "https://feed.example/new")


def fetched(document, content_type="application/xml", url=URL, key=URL):
    body = document if isinstance(document, bytes) else document.encode()
    return Fetched(key, url, body, content_type)


def parse(document, previous=None, language="fr", **answer):
    seen = previous.seen if previous else None
    return parse_document(fetched(document, **answer), NOW, language, seen)


def count_known(now, before, **options):
    """Parse ``now`` after ``before``, compare it with a full parse, and count the known entries."""
    previous = parse(before)
    return compare(parse(now, **options), parse(now, previous, **options), previous)


def compare(full, parsed, previous):
    known = {entry.key: entry for entry in parsed.known}
    stored = {entry.key: entry for entry in previous.entries}
    combined = {key: stored[key] for key in known} | {entry.key: entry for entry in parsed.entries}
    assert combined == {entry.key: entry for entry in full.entries}
    assert [entry for entry in full.entries if entry.key not in known] == list(parsed.entries)
    assert sorted(parsed.keys) == sorted(full.keys)
    assert sorted(parsed.dates) == sorted(full.dates)
    assert (parsed.feed, parsed.hints, parsed.warnings) == (full.feed, full.hints, full.warnings)
    assert parsed.notes == full.notes
    assert parsed.seen == full.seen
    return len(known)


def guid(value):
    return f"<guid isPermaLink='false'>{value}</guid>"


def test_only_new_and_edited_entries_are_parsed():
    now = rss(NEW, FOUR[0], *FOUR[1:3], item("Edited", "/3"))
    parsed = parse(now, parse(rss(*FOUR)))
    assert [entry.title for entry in parsed.entries] == ["New", "Edited"]
    assert count_known(now, rss(*FOUR)) == 3


def test_no_entry_is_parsed_if_only_the_head_changed():
    before, now = rss(*FOUR), rss(*FOUR).replace("<item>", "<pubDate>now</pubDate><item>", 1)
    parsed = parse(now, parse(before))
    assert (parsed.entries, len(parsed.known), parsed.warnings) == ((), 4, ())
    assert count_known(now, before) == 4


def test_removed_entries_are_not_known():
    assert count_known(rss(*FOUR[:2]), rss(*FOUR)) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.replace("<language>en", "<language>de"),
        lambda document: document.replace("<channel>", '<channel xml:base="https://b.example/">'),
        lambda document: document.replace("<channel>", "<channel><webMaster>w</webMaster>").replace(
            "<webMaster>w</webMaster>", "<managingEditor>a@b.example (Ann)</managingEditor>"
        ),
        lambda document: document.replace(
            "https://feed.example/</link>", "https://o.example/</link>"
        ),
        lambda document: document.replace('version="2.0"', 'version="2.0" xml:lang="it"'),
    ],
    ids=["language", "base", "authors", "link", "root"],
)
def test_everything_is_parsed_if_the_context_of_the_entries_changed(change):
    now = change(rss(*FOUR, NEW))
    assert now != rss(*FOUR, NEW)
    assert count_known(now, rss(*FOUR)) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"url": "https://other.example/"},
        {"key": "https://other.example/"},
        {"content_type": "text/xml"},
        {"language": "en"},
        {"language": None},
    ],
    ids=str,
)
def test_everything_is_parsed_if_the_answer_differs_around_the_document(options):
    assert count_known(rss(*FOUR, NEW), rss(*FOUR), **options) == 0


@pytest.mark.parametrize(("name", "value"), [("__version__", "0.0"), ("READER_VERSION", 1000)])
def test_everything_is_parsed_by_another_version_of_the_program(monkeypatch, name, value):
    previous = parse(rss(*FOUR))
    monkeypatch.setattr(incremental, name, value)
    assert parse(rss(*FOUR, NEW), previous).known == ()


def test_document_that_cannot_be_cut_is_parsed_whole():
    odd = item("Odd", "https://feed.example/odd", more="<!-- </item> -->")
    assert count_known(rss(*FOUR, odd), rss(*FOUR)) == 0
    assert parse(rss(*FOUR, odd)).seen is None


def test_document_with_copies_is_not_remembered():
    assert parse(rss(FOUR[0], FOUR[0])).notes
    assert parse(rss(FOUR[0], FOUR[0])).seen is None


def test_warnings_of_the_reader_prevent_incremental_parsing(monkeypatch):
    def read_with_warning(answer, now):
        return replace(read_xmlfeed(answer, now), warnings=["damaged"])

    previous = parse(rss(*FOUR))
    monkeypatch.setattr(incremental, "read_xmlfeed", read_with_warning)
    parsed = parse(rss(*FOUR, NEW), previous)
    assert (parsed.known, parsed.seen, parsed.warnings) == ((), None, ("damaged",))


def test_everything_is_parsed_if_a_new_entry_is_repeated():
    assert count_known(rss(NEW, NEW, *FOUR), rss(*FOUR)) == 0


def test_home_page_of_a_feed_may_have_a_path():
    def blog(*entries):
        return rss(*entries).replace(
            "https://feed.example/</link>", "https://feed.example/b</link>"
        )

    entries = [item(f"At {n}", "https://feed.example/b", more=guid(f"g{n}")) for n in range(3)]
    assert count_known(blog(*entries), blog(*entries[1:2])) == 1


def test_repeated_known_entry_is_parsed():
    assert count_known(rss(FOUR[0], FOUR[0], FOUR[1]), rss(*FOUR)) == 0


def test_latin_1_document_is_parsed_incrementally():
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    before = rss(*FOUR[:2], item("Été", "/e")).replace('<?xml version="1.0"?>', head)
    now = before.replace("</channel>", f"{item('Noël', '/n')}</channel>")
    assert count_known(now.encode("latin-1"), before.encode("latin-1")) == 3
    assert parse(now.encode("latin-1")).entries[-1].title == "Noël"


def test_link_that_becomes_shared_identifies_neither_entry():
    before = [item("One", "https://feed.example/day"), FOUR[1]]
    now = [item("Two", "https://feed.example/day"), *before]
    assert count_known(rss(*now), rss(*before)) == 0
    later = [item("Three", "https://feed.example/3"), *now]
    assert count_known(rss(*later), rss(*now)) == 3  # the link identified none before


DAY = [item(f"At {n}", "https://feed.example/day", more=guid(f"g{n}")) for n in range(3)]


@pytest.mark.parametrize(
    ("before", "now", "known"),
    [
        ([DAY[0], FOUR[0]], [DAY[0], DAY[1], FOUR[0]], 0),
        ([DAY[0], DAY[1], FOUR[0]], [DAY[0], FOUR[0]], 0),
        ([DAY[0], DAY[1]], [DAY[0], DAY[1], DAY[2]], 0),
        ([DAY[0], DAY[1]], [DAY[0], DAY[1], FOUR[0]], 2),
        ([FOUR[0]], [DAY[0], DAY[1], FOUR[0]], 1),
    ],
    ids=["begins", "ceases", "grows", "stays", "new"],
)
def test_everything_is_parsed_if_a_page_begins_or_ceases_to_be_shared(before, now, known):
    assert count_known(rss(*now), rss(*before)) == known


def test_guid_that_becomes_shared_identifies_neither_entry():
    one, two = (item(f"{n}", f"https://feed.example/{n}", more=guid("same")) for n in "ab")
    assert count_known(rss(one, two), rss(one)) == 0
    assert count_known(rss(two, one), rss(one, FOUR[0])) == 0


def test_atom_id_that_becomes_shared_identifies_neither_entry():
    def atom(*entries):
        head = "<feed xmlns='http://www.w3.org/2005/Atom'><id>urn:f</id><title>T</title>"
        return f"{head}{''.join(entries)}</feed>"

    one, two, three = (
        f"<entry><id>urn:{name}</id><title>{title}</title><link href='/{title}'/></entry>"
        for name, title in (("x", "a"), ("x", "b"), ("y", "c"))
    )
    assert count_known(atom(one, two, three), atom(one, three)) == 0
    assert count_known(atom(one, three), atom(one)) == 1


def test_entries_that_differ_only_in_their_text_are_parsed_together():
    one, two = (item("Same", "https://feed.example/", body=text) for text in ("x", "y"))
    assert count_known(rss(one, two, FOUR[0]), rss(one, FOUR[0])) == 0
    assert parse(rss(one, two)).seen is None


def test_entries_with_one_title_and_different_links_are_known():
    photos = [item("Photo", f"https://feed.example/{n}") for n in range(3)]
    assert count_known(rss(*photos), rss(*photos[1:])) == 2


def test_known_entry_keeps_its_date():
    def atom(*days):
        entries = "".join(
            f"<entry><id>urn:{day}</id><title>{day}</title><link href='/{day}'/>"
            f"<updated>2026-11-{day}T00:00:00Z</updated></entry>"
            for day in days
        )
        head = "<feed xmlns='http://www.w3.org/2005/Atom'><id>urn:f</id><title>T</title>"
        return f"{head}{entries}</feed>"

    assert count_known(atom(20, 21, 22), atom(20, 21)) == 2


def test_guid_that_equals_the_page_of_another_entry_is_not_confused_with_it():
    page = item("Page", "https://feed.example/p")
    other = item("Guid", "https://feed.example/q", more=guid("feed.example/p"))
    assert count_known(rss(page, other, FOUR[0]), rss(page, FOUR[0])) == 0
    assert count_known(rss(page, other, FOUR[0]), rss(other, FOUR[0])) == 0


def test_home_page_may_be_linked_by_any_number_of_entries():
    entries = [item(f"Title {n}", "https://feed.example/") for n in range(4)]
    assert count_known(rss(*entries), rss(*entries[1:])) == 3


def test_summary_of_the_feed_does_not_change_its_first_entry():
    """feedparser's own handlers forget them only at the end of an entry."""
    root = '<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    head = "<itunes:summary>Of all</itunes:summary><description>All</description>"
    episodes = [
        item(f"Episode {n}", f"/{n}", more=f"<itunes:summary>S{n}</itunes:summary>")
        .replace("<description></description>", "")
        .replace("</item>", f"<description>D{n}</description></item>")
        for n in range(3)
    ]

    def podcast(*entries):
        document = rss(*entries).replace("<rss", root, 1)
        return document.replace("<language>", f"{head}<language>")

    for now in (episodes, episodes[1:], [episodes[2], episodes[0]]):
        for before in (episodes[:1], episodes[1:2], episodes[1:]):
            count_known(podcast(*now), podcast(*before))
    assert count_known(podcast(*episodes), podcast(*episodes[1:])) == 2


def numbered(number, link, guid_value=""):
    date = (NOW - timedelta(days=number)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    more = guid(guid_value) if guid_value else ""
    return item(f"Title {number}", link, date, f"<p>{number}</p>", more)


SPACES = st.lists(st.sampled_from(["", " ", "\n"]), min_size=12, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(12)), st.integers(1, 6), st.integers(0, 3), SPACES, st.randoms())
def test_incremental_parse_equals_full_parse(numbers, stay, go, spaces, random):
    """Entries stay, go, come and move; every example takes the incremental path."""

    def entry(number):
        link = "" if number == 11 else f"https://feed.example/{number}"
        return numbered(number, link, str(number) if number % 3 else "") + spaces[number]

    before, now = numbers[: stay + go], numbers[:stay] + numbers[stay + go :]
    random.shuffle(now)
    assert count_known(rss(*map(entry, now)), rss(*map(entry, before))) == stay


def test_incremental_parse_equals_full_parse_where_entries_share_names():
    paths: Counter[str] = Counter()

    @settings(max_examples=120, deadline=None)
    @given(
        st.lists(st.integers(0, 11), unique=True, max_size=8),
        st.lists(st.integers(0, 11), unique=True, max_size=8),
    )
    def check(before, now):
        def entry(number):
            value = str(number % 9) if number % 3 else ""  # 10 shares its guid with 1, 11 with 2
            return numbered(number, f"https://feed.example/{number % 10}", value)

        known = count_known(rss(*map(entry, now)), rss(*map(entry, before)))
        paths["incremental" if known else "full"] += 1

    check()
    assert paths["incremental"] > 20
    assert paths["full"] > 20


def check_documents(paths):
    """Parse each document after some of its entries; returns how many were cut, had several
    entries, and were parsed incrementally."""
    count = several = incremental_parses = 0
    for path in paths:
        answer = to_utf8(fetched(path.read_bytes()))[0]
        answer = replace(answer, body=correct_references(answer.body)[0])
        pieces = cut_document(answer.body)
        full = parse_document(answer, NOW, "fr")
        if not pieces or not isinstance(full, ParsedFeed):
            continue
        count += 1
        size = len(pieces.entries)
        several += size > 1
        known = 0
        for missing in ({0}, {size - 1}, set(range(0, size, 2))):
            entries = [entry for place, entry in enumerate(pieces.entries) if place not in missing]
            previous = parse_document(replace(answer, body=pieces.select(entries)), NOW, "fr")
            if isinstance(previous, ParsedFeed):
                parsed = parse_document(answer, NOW, "fr", previous.seen)
                known += compare(full, parsed, previous)
        incremental_parses += known > 0
    return count, several, incremental_parses


def test_incremental_parse_of_corpus():
    assert check_documents(sorted(CORPUS.iterdir())) == (15, 15, 15)


def test_incremental_parse_of_real_feeds():
    folders = (shared("corpus", "feeds"), shared("corpus", "odd"))
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    count, several, incremental_parses = check_documents(paths)
    assert count > 1000
    assert incremental_parses > 0.9 * several
