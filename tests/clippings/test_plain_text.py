from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.clippings.bookmarks import parse_bookmarks
from aggregator.clippings.plain_text import parse_plain_text
from aggregator.text.folding import fold
from tests.shared import shared

REPOSITORY = Path(__file__).resolve().parents[2]


def read(text):
    return parse_plain_text(text.encode(), "c.txt")


def only(text):
    (clipping,), warnings = read(text)
    return clipping, [str(warning) for warning in warnings]


def test_sample_export_is_parsed_completely():
    text = next(shared("seeds").glob("*.txt")).read_text("utf-8")
    clippings, warnings = read(text)
    tags = [tag for clipping in clippings for tag in clipping.tags]
    assert len(clippings) == 13
    assert sum(1 for clipping in clippings if clipping.link) == 12
    assert len(tags) == 85 + 1  # 85 well-formed, and "_emploi"
    assert len({fold(tag) for tag in tags} - {"emploi"}) == 45
    assert [str(warning) for warning in warnings] == [
        'c.txt:8: "_emploi" is not a hashtag: read as #emploi'
    ]
    assert Counter(fold(tag) for tag in tags)["michel bauwens"] == 13
    # Every word of the file is in a clipping, in the same order.
    words = text.replace("•", "").split()
    for clipping in clippings:
        parts = (clipping.title, clipping.link or "", clipping.excerpt)
        expected = " ".join(parts).split()
        assert words[: len(expected)] == expected
        words = words[len(expected) + len(clipping.tags) :]
    assert not words


def test_bundled_clippings_match_sample_export():
    (original,) = shared("seeds").glob("*.txt")
    ours = (REPOSITORY / "clippings" / "michel-bauwens.txt").read_text("utf-8")
    expected = [(c.title, c.link, c.tags) for c in read(original.read_text("utf-8"))[0]]
    assert [(c.title, c.link, c.tags) for c in read(ours)[0]] == expected
    assert all(10 < len(c.excerpt) < 700 for c in read(ours)[0])


def test_complete_clipping():
    clipping, warnings = only(
        "• A title\n    https://a.example/p\n\n    One.\n    Still one.\n\n    Two.\n\n    #A #b_c\n"
    )
    assert clipping.title == "A title"
    assert clipping.link == "https://a.example/p"
    assert clipping.excerpt == "One.\nStill one.\n\nTwo."
    assert clipping.tags == ("A", "b_c")
    assert not warnings


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("indent", ["    ", "\t\t"])
def test_line_endings_byte_order_mark_and_tabs(newline, indent):
    bullet = "\t" if indent == "\t\t" else "  "
    text = f"\ufeff• One\n{indent}https://a.example/\n\n{indent}#x\n\n{bullet}• Two\n{indent}#y\n"
    clippings, warnings = read(text.replace("\n", newline))
    assert [(c.title, c.tags) for c in clippings] == [("One", ("x",)), ("Two", ("y",))]
    assert not warnings


def test_no_break_spaces_are_kept_in_titles_and_separate_hashtags():
    clipping, _ = only("• «\u00a0Titre\u00a0»\n\u00a0\u00a0https://a.example/\u00a0\n\n#a\u00a0#b")
    assert clipping.title == "«\u00a0Titre\u00a0»"
    assert clipping.link == "https://a.example/"
    assert clipping.tags == ("a", "b")


def test_line_separator_does_not_split_excerpt():
    clipping, _ = only("• T\n    one\u2028two\n    #x")
    assert clipping.excerpt == "one\u2028two"


def test_clipping_without_tags_and_link():
    clipping, warnings = only(
        "• Title\n\n    Text about #commons, which is not a line of hashtags."
    )
    assert clipping.link is None
    assert clipping.tags == ()
    assert clipping.excerpt.endswith("hashtags.")
    assert not warnings


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("•\n    https://a.example/\n\n    First words of it.\n\n    #x", "First words of it."),
        ("• https://a.example/\n\n    #x", "https://a.example/"),
    ],
)
def test_missing_title_is_made_from_text_and_reported(text, title):
    clipping, warnings = only(text)
    assert clipping.title == title
    assert clipping.link == "https://a.example/"
    assert warnings == [f'c.txt:1: no title: shown as "{title}"']


def test_title_from_long_paragraph_is_shortened():
    clipping, _ = only("•\n    " + "word " * 40 + "\n    #x")
    assert len(clipping.title) <= 81
    assert clipping.title.endswith("word…")


def test_empty_clipping_is_reported():
    assert only("•\n")[1] == ["c.txt:1: an empty clipping"]


def test_link_in_excerpt_is_not_the_clipping_link():
    clipping, _ = only("• Title\n    https://a.example/\n\n    https://b.example/video\n\n    #x")
    assert clipping.link == "https://a.example/"
    assert clipping.excerpt == "https://b.example/video"


def test_bullets_in_excerpt_are_not_clippings():
    clipping, _ = only("• Title\n    Three points:\n    • one\n    • two\n\n    #x")
    assert clipping.excerpt == "Three points:\n• one\n• two"


def test_indented_clipping_is_reported():
    clipping, warnings = only(
        "• One\n    https://a.example/\n\n        • Two\n        https://b.example/\n\n    #x"
    )
    assert clipping.excerpt == "• Two\nhttps://b.example/"
    assert warnings == [
        "c.txt:4: part of the clipping above: at most 3 columns may precede the bullet of a clipping"
    ]


@pytest.mark.parametrize(
    ("line", "tags"),
    [
        ("#Équateur_(pays) #economy/commons #Peer-to-peer", "Équateur_(pays) economy/commons Peer-to-peer"),
        ("#共有 #Общее #C# #3D #🌱", "共有 Общее C# 3D 🌱"),
        ("#Communs #communs #MIchel_Bauwens", "Communs MIchel_Bauwens"),
        ("##twice #a, #b;", "twice a b"),
    ],
)  # fmt: skip
def test_hashtags_with_special_characters(line, tags):
    clipping, warnings = only(f"• T\n    {line}")
    assert list(clipping.tags) == tags.split()
    assert not warnings


@pytest.mark.parametrize(
    ("line", "tags", "warning"),
    [
        (
            "#Coopératives _emploi #mutuelles",
            ("Coopératives", "emploi", "mutuelles"),
            'c.txt:2: "_emploi" is not a hashtag: read as #emploi',
        ),
        ("#a#b", ("a", "b"), 'c.txt:2: "#a#b" is not a hashtag: read as #a and #b'),
        ("#a _ #b", ("a", "b"), 'c.txt:2: "_" is not a hashtag: left out'),
    ],
)
def test_malformed_hashtag_is_corrected_and_reported(line, tags, warning):
    clipping, warnings = only(f"• T\n    {line}")
    assert clipping.tags == tags
    assert warnings == [warning]


def test_hashtags_on_two_lines():
    assert only("• T\n\n    #a #b\n    #c")[0].tags == ("a", "b", "c")


def test_text_before_first_bullet_is_reported():
    assert [str(w) for w in read("Export of 2026\n\n• T\n    #x")[1]] == [
        "c.txt:1: left out: text before the first bullet"
    ]
    assert [str(w) for w in read("nothing\n")[1]][-1] == (
        'c.txt: no clipping found: expected lines that start with "•"'
    )


@given(st.text(alphabet="•#_- \t\n\r\u00a0ahttps:/.()é🌱", max_size=120))
def test_any_text_is_parsed_without_error(text):
    clippings, _ = read(text)
    for clipping in clippings:
        assert clipping.title or not (clipping.link or clipping.excerpt)
        assert all(fold(tag) and not tag.startswith("#") for tag in clipping.tags)
        assert len({fold(tag) for tag in clipping.tags}) == len(clipping.tags)


@given(st.binary(max_size=200))
def test_any_bookmark_file_is_parsed_without_error(data):
    parse_bookmarks(b"<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><A HREF='https://a/' " + data, "b")
