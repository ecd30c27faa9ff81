from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice, permutations

import pytest

from aggregator.model import Author, Category, Enclosure, Entry, EntryChange, Source
from aggregator.store.changes import (
    compare,
    content_hash,
    correct,
    find_twin,
    is_significant,
    is_trivial_change,
    revise,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = Entry(
    "k", "urn:x", "Title", "https://a.example/", content="<p>x</p>", published=NOW - 9 * DAY
)


def test_unknown_key_is_new():
    assert compare(None, OLD) is EntryChange.NEW


@pytest.mark.parametrize(
    "change",
    [{"updated": NOW}, {"published": NOW}, {"id": "urn:y"}, {"language": "fr"}, {"text": "y"}],
)
def test_invisible_change_is_no_change(change):
    assert compare(content_hash(OLD), replace(OLD, **change)) is EntryChange.UNCHANGED


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"link": "https://b.example/"},
        {"content": "<p>y</p>"},
        {"summary": "s"},
        {"authors": (Author("A"),)},
        {"categories": (Category("c"),)},
        {"enclosures": (Enclosure("https://a.example/e"),)},
    ],
)
def test_visible_change_is_a_change(change):
    assert compare(content_hash(OLD), replace(OLD, **change)) is EntryChange.MODIFIED


def test_hash_separates_fields():
    assert content_hash(replace(OLD, title="a", content="b")) != content_hash(
        replace(OLD, title="b", content="a")
    )


@pytest.mark.parametrize(
    ("before", "claimed", "after"),
    [
        (NOW - 5 * DAY, NOW - DAY, NOW - DAY),  # the publisher's date
        (NOW - 5 * DAY, NOW - 6 * DAY, NOW),  # the publisher's date goes back: ours never does
        (NOW - 5 * DAY, None, NOW),
        (None, None, NOW),
    ],
)
def test_updated_only_moves_forward(before, claimed, after):
    old = replace(OLD, updated=before)
    assert (
        revise(old, replace(OLD, updated=claimed, title="New"), NOW, significant=True).updated
        == after
    )


def test_id_and_published_are_frozen():
    new = replace(OLD, id="urn:other", published=NOW, title="New")
    revised = revise(OLD, new, NOW, significant=True)
    assert (revised.id, revised.published, revised.title) == (OLD.id, OLD.published, "New")


def test_hash_of_stored_entries_stays():
    """Another hash of an unchanged entry would count all stored entries as changed."""
    complete = Entry(
        "k",
        "urn:x",
        "T",
        "https://a.example/",
        summary="S",
        content="<p>C</p>",
        authors=(Author("A", uri="https://a.example/a"), Author("B")),
        categories=(Category("c", "urn:s"), Category("d")),
        enclosures=(Enclosure("https://a.example/e"),),
        image="https://a.example/i",
        rights="R",
        source=Source(id="urn:f", title="F"),
    )
    parts = [
        "title=T", "link=https://a.example/", "summary=S", "content=<p>C</p>",
        "author=A\x1ehttps://a.example/a", "author=B\x1e", "category=c\x1eurn:s", "category=d\x1e",
        "enclosure=https://a.example/e", "image=https://a.example/i", "rights=R", "source=urn:f\x1eF",
    ]  # fmt: skip
    assert content_hash(complete) == sha256("\x1f".join(parts).encode()).hexdigest()[:16]
    assert content_hash(Entry("k", "urn:x", "T")) == sha256(b"title=T").hexdigest()[:16]


@pytest.mark.parametrize(
    ("before", "after", "is_trivial"),
    [
        ({"title": "Day 3"}, {"title": "Day 4"}, True),
        ({"title": "Day 3"}, {"title": "Night 3"}, False),
        ({"link": "https://a.example/1?s=1"}, {"link": "https://a.example/1?s=2"}, True),
        ({"link": "https://a.example/1"}, {"link": "https://a.example/2"}, False),
        ({"link": None}, {"link": "https://a.example/"}, False),
        ({"summary": "3 views, u?a=1"}, {"summary": "4 views, u?a=2"}, True),
        ({"summary": "three views"}, {"summary": "four views"}, False),
        ({"content": '<img src="i?1">8 views'}, {"content": '<img src="i?b">9 views'}, True),
        ({"content": '<a href="l#b">one</a>'}, {"content": '<a href="l#c">two</a>'}, False),
        ({"authors": (Author("A"),)}, {"authors": (Author("B"),)}, False),
        ({"categories": (Category("a"),)}, {"categories": (Category("b"),)}, False),
        ({"enclosures": (Enclosure("e?1"),)}, {"enclosures": (Enclosure("e?2"),)}, True),
        ({"enclosures": (Enclosure("e"),)}, {"enclosures": (Enclosure("f"),)}, False),
    ],
)
def test_only_numbers_and_parameters_of_addresses_are_trivial(before, after, is_trivial):
    assert is_trivial_change(replace(OLD, **before), replace(OLD, **after)) is is_trivial


WORDS = ["".join(letters) for letters in islice(permutations("abcdefghi"), 6000)]


def text_of(number, start=0):
    """A text of so many different words of nine letters."""
    return " ".join(WORDS[start : start + number])


@pytest.mark.parametrize(
    ("before", "added", "significant"),
    [
        (text_of(400), 199, True),  # 200 characters with the space
        (text_of(400), 198, False),
        (text_of(100), 110, True),  # 111 of 1,110
        (text_of(100), 109, False),  # 110 of 1,109
    ],
)
def test_tenth_or_200_characters_are_significant(before, added, significant):
    after = f"{before} {'x' * added}"
    old, new = replace(OLD, text=before), replace(OLD, text=after)
    assert is_significant(old, new) is significant
    assert is_significant(new, old) is significant


def test_replaced_words_are_significant_and_moved_ones():
    """The longest common runs of words count as unchanged."""
    old = replace(OLD, text=text_of(400))
    last = replace(OLD, text=f"{text_of(380)} {text_of(20, 1000)}")
    assert is_significant(old, last)
    one = replace(OLD, text=f"{text_of(381)} {text_of(19, 1000)}")
    assert not is_significant(old, one)
    moved = replace(OLD, text=f"{text_of(200, 200)} {text_of(200)}")
    assert is_significant(old, moved)


def test_title_is_significant_but_not_its_numbers_and_case():
    assert is_significant(OLD, replace(OLD, title="Another"))
    assert not is_significant(replace(OLD, title="Day 3"), replace(OLD, title="DAY 14"))


def test_numbers_in_a_text_are_not_significant():
    old, new = replace(OLD, text="Read 7 times"), replace(OLD, text="Read 123 times")
    assert not is_significant(old, new)


def test_only_the_first_20000_characters_are_compared():
    old = replace(OLD, text=text_of(2500))
    assert not is_significant(old, replace(OLD, text=f"{text_of(2100)} {text_of(400, 5000)}"))
    assert is_significant(old, replace(OLD, text=f"{text_of(1900)} {text_of(600, 5000)}"))


@pytest.mark.parametrize(
    ("claimed", "after"),
    [
        (NOW - 8 * DAY, NOW - 8 * DAY),  # later than the publication
        (NOW - 9 * DAY, NOW),  # not later
        (None, NOW),
    ],
)
def test_first_update_is_later_than_the_publication(claimed, after):
    revised = revise(OLD, replace(OLD, updated=claimed, title="New"), NOW, significant=True)
    assert revised.updated == after


def test_insignificant_change_keeps_the_date():
    revised = revise(OLD, replace(OLD, updated=NOW, content="y"), NOW, significant=False)
    assert (revised.updated, revised.content) == (None, "y")


def test_entry_without_dates_gets_the_publishers():
    undated = replace(OLD, published=None)
    new = replace(undated, published=NOW - DAY, updated=NOW - DAY)
    revised = revise(undated, new, NOW, significant=True)
    assert (revised.published, revised.updated) == (NOW - DAY, NOW - DAY)


@pytest.mark.parametrize(
    ("old_link", "new_link", "page"),
    [
        ("https://a.example/1", "https://www.a.example/1/", None),  # the same page
        ("https://a.example/1", "https://a.example/2", "a.example/2"),
        (None, "https://a.example/2", "a.example/2"),
        ("https://a.example/1", None, "a.example/2"),
        (None, None, "a.example/2"),
    ],
)
def test_link_that_was_no_page_of_the_entry_becomes_none(old_link, new_link, page):
    old, new = replace(OLD, link=old_link, page=None), replace(OLD, link=new_link)
    assert revise(old, replace(new, page="a.example/2"), NOW, significant=False).page == page


def test_corrected_entry_keeps_its_id_and_the_date_of_its_story():
    old = replace(OLD, updated=NOW - 2 * DAY)
    new = replace(OLD, id="urn:other", title="New", published=NOW - 8 * DAY, updated=NOW)
    corrected = correct(old, new)
    assert (corrected.id, corrected.title) == (OLD.id, "New")
    assert (corrected.published, corrected.updated) == (NOW - 8 * DAY, NOW - 2 * DAY)
    assert correct(OLD, replace(new, published=None)).published == OLD.published
    assert correct(OLD, new).updated == NOW


# -- entries that get another key -----------------------------------------------------------------

LONG = text_of(80)
EDITED = f"{text_of(70)} {text_of(10, 1000)}"  # 68 of 88 runs of three words are in both: 0.77
RELATED = f"{text_of(75)} {text_of(5, 1000)}"  # 73 of 83: 0.88
OTHER = text_of(80, 2000)
TWIN = Entry("k", "urn:x", "Title", page="a.example/1", published=NOW - DAY, text=LONG)


@pytest.mark.parametrize(
    ("change", "is_twin"),
    [
        ({}, True),
        # the same page: the title, or most of the text
        ({"published": NOW, "text": OTHER}, True),
        ({"published": NOW, "title": "TITLE", "text": OTHER}, True),
        ({"published": NOW, "title": "Another", "text": EDITED}, True),
        ({"published": NOW, "title": "Another", "text": OTHER}, False),
        ({"published": NOW, "title": "Another", "text": ""}, False),
        # the same title and date, and most of the text
        ({"page": None, "text": EDITED}, True),
        ({"page": "b.example/1", "text": EDITED}, True),
        ({"page": None, "text": OTHER}, False),
        ({"page": None, "text": EDITED, "published": NOW}, False),
        ({"page": None, "text": EDITED, "published": None}, False),
        ({"page": None, "text": EDITED, "published": None, "updated": NOW - DAY}, True),
        ({"page": None, "text": EDITED, "title": "Another"}, False),
        # the same date and text
        ({"page": None, "title": "Another"}, True),
        ({"page": None, "title": "Another", "text": RELATED}, True),
        ({"page": None, "title": "Another", "published": NOW}, False),
        ({"page": None, "title": "Another", "published": None}, False),
    ],
)
def test_stored_entry_that_a_publisher_serves_under_another_key(change, is_twin):
    new = replace(TWIN, key="other", **change)
    assert find_twin(new, [(7, TWIN)], all_keys_new=False) == (7 if is_twin else None)


def test_entry_without_page_and_date_is_found_by_its_text():
    old = replace(TWIN, page=None, published=None)
    new = replace(old, key="other", title="TITLE")
    assert find_twin(new, [(7, old)], all_keys_new=False) == 7
    assert find_twin(replace(new, text=RELATED), [(7, old)], all_keys_new=False) is None
    assert find_twin(replace(new, title="Another"), [(7, old)], all_keys_new=False) is None
    assert (
        find_twin(replace(new, text=""), [(7, replace(old, text=""))], all_keys_new=False) is None
    )
    for dated in (replace(new, published=NOW), replace(new, updated=NOW)):
        assert find_twin(dated, [(7, old)], all_keys_new=False) is None
    for dated in (replace(old, published=NOW), replace(old, updated=NOW)):
        assert find_twin(new, [(7, dated)], all_keys_new=False) is None


def test_archive_that_was_issued_again_has_other_dates():
    new = replace(TWIN, key="other", page=None, published=NOW, text=RELATED)
    assert find_twin(new, [(7, TWIN)], all_keys_new=True) == 7
    assert find_twin(new, [(7, TWIN)], all_keys_new=False) is None
    assert find_twin(replace(new, text=EDITED), [(7, TWIN)], all_keys_new=True) is None
    assert find_twin(replace(new, title="Another"), [(7, TWIN)], all_keys_new=True) is None


@pytest.mark.parametrize(("characters", "twin"), [(60, 7), (59, None)])
def test_short_texts_may_be_equal_by_chance(characters, twin):
    old = replace(TWIN, page=None, text="x" * characters)
    new = replace(old, key="other", title="Another")
    assert find_twin(new, [(7, old)], all_keys_new=False) == twin


def test_number_of_an_edition_in_a_guid():
    """The BBC: the same page, and a guid with another number at its end."""
    old = replace(TWIN, key="https://a.example/1#2")
    new = replace(TWIN, key="https://a.example/1#13", title="Another", text=OTHER, published=NOW)
    assert find_twin(new, [(7, old)], all_keys_new=False) == 7
    assert (
        find_twin(replace(new, key="https://a.example/2#2"), [(7, old)], all_keys_new=False) is None
    )


def test_entry_that_was_read_wrongly_has_the_same_date_and_title_or_link():
    link = "https://a.example/l"
    old = replace(TWIN, page=None, link=link, text="another part")
    new = replace(TWIN, key="other", page=None, link=link, title="Another", text=OTHER)
    other_link = replace(new, title="Title", link="https://a.example/m")
    for entry in (new, other_link):
        assert find_twin(entry, [(7, old)], all_keys_new=False, is_reread=True) == 7
        assert find_twin(entry, [(7, old)], all_keys_new=False) is None
        later = replace(entry, published=NOW)
        assert find_twin(later, [(7, old)], all_keys_new=False, is_reread=True) is None
    neither = replace(new, link="https://a.example/m")
    assert find_twin(neither, [(7, old)], all_keys_new=False, is_reread=True) is None
    without = replace(old, link=None), replace(new, link=None)
    assert find_twin(without[1], [(7, without[0])], all_keys_new=False, is_reread=True) is None
    undated = replace(old, published=None), replace(other_link, published=None)
    assert find_twin(undated[1], [(7, undated[0])], all_keys_new=False, is_reread=True) is None


def test_page_says_more_than_a_text():
    by_page = replace(TWIN, published=NOW, text=OTHER)
    by_text = replace(TWIN, page=None)
    new = replace(TWIN, key="other")
    assert find_twin(new, [(1, by_text), (2, by_page)], all_keys_new=False) == 2
