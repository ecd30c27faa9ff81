import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.parse import sanitize
from aggregator.parse.sanitize import clean_html, one_line, remove_illegal, text_from_html
from aggregator.text.characters import XML_ILLEGAL

BASE = "https://a.example/dir/page"


@pytest.mark.parametrize(
    "vector",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java\tscript:alert(1)'>x</a>",
        "<a href=' &#14; javascript:alert(1)'>x</a>",
        "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
        "<iframe src='https://evil.example/'></iframe>",
        "<iframe src='javascript://youtube.com/%0Aalert(1)'></iframe>",
        "<object data='x'></object><embed src='x'>",
        "<form action='https://evil.example/'><input type=password></form>",
        "<style>*{background:url(javascript:alert(1))}</style>",
        "<p style='position:fixed'>x</p>",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<base href='https://evil.example/'>",
        "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
        "<link rel=stylesheet href='https://evil.example/x.css'>",
        "<a href='x' ping='https://evil.example/'>x</a>",
        "<img srcset='https://evil.example/ 1x' src='y'>",
        "<template><img src=x onerror=alert(1)></template>",
        "<video><source onerror=alert(1)></video>",
        "<b onmouseover=alert(1)>x</b>",
    ],
)
def test_active_content_is_removed(vector):
    cleaned = clean_html(f"before {vector} after", BASE).lower()
    for bad in (
        "script",
        "alert",
        "evil",
        "onerror",
        "<iframe",
        "<form",
        "<input",
        "style",
        "ping",
    ):
        assert bad not in cleaned
    assert cleaned.startswith("before")


@pytest.mark.parametrize(
    "pixel",
    [
        "<img src='https://t.example/p.gif' width=1 height=1>",
        "<img width='1px' src='https://t.example/p.gif'>",
        "<img height=0 src='https://t.example/p.gif' alt='a > b'>",
    ],
)
def test_tracking_pixels_are_removed(pixel):
    assert "t.example" not in clean_html(f"<p>x {pixel}</p>", BASE)


def test_images_stay():
    cleaned = clean_html("<img src='/i.png' width=100 height=10>", BASE)
    assert cleaned == '<img src="https://a.example/i.png" width="100" height="10">'


@pytest.mark.parametrize("base", ["", "mailto:x", "http://[bad", "http://a b.example/"])
def test_relative_links_without_a_usable_base_are_removed(base):
    assert "href" not in clean_html("<a href='x'>y</a>", base)


def test_plain_text_is_escaped():
    assert clean_html("1 > 0", BASE) == "1 &gt; 0"


_REFERENCES = [f"&#{n};" for n in (0, 1, 0x1B, 0x7F, 0x85, 0xD800, 0xFFFE, 0x1FFFF, 0x110000)]


@given(
    st.lists(
        st.sampled_from([*"<>&\"'= /abscript:imgp\x00\ud800\x0b", *_REFERENCES]), max_size=60
    ).map("".join)
)
def test_cleaning_is_idempotent_and_never_raises(text):
    once = clean_html(text, BASE)
    assert clean_html(once, BASE) == once
    assert remove_illegal(once) == once
    assert remove_illegal(text_from_html(text)) == text_from_html(text)


@pytest.mark.parametrize("form", ["{}x", "<p>{}x</p>", "<a href='/{}'>x</a>", "<p title='{}'>x"])
def test_references_to_illegal_characters_are_removed(form):
    """nh3 writes the characters themselves; one illegal character makes a feed unwritable."""
    for reference in ("&#27;", "&#x1b;", "&#1;", "&#xfffe;", "&#x7f;", "&#x1fffe;"):
        cleaned = clean_html(form.format(reference), BASE)
        assert "x" in cleaned
        assert remove_illegal(cleaned) == cleaned


def test_tracking_pixel_with_a_control_character_in_its_width_is_removed():
    assert "t.example" not in clean_html("<img src='https://t.example/p' width='&#1;1'>", BASE)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>two <b>three</b></p>", "One\n\ntwo three"),
        ("a<br>b", "a\nb"),
        ("<ul><li>x</li><li>y</li></ul>", "x\n\ny"),
        ("AT&amp;T &eacute;", "AT&T é"),
        ("<script>no</script>yes<style>no</style>", "yes"),
        ("<p title='a > b'>t</p>", "t"),
        ("one\n  two", "one\ntwo"),
    ],
)
def test_text_of_html(html, text):
    assert text_from_html(html) == text


def test_illegal_characters_are_removed():
    assert remove_illegal("a\x00b\x0bc\ud800d\ufffee\tf") == "abcde\tf"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            '<iframe src="https://www.youtube.com/embed/a?b=1" width="5" onload="x()" style="a"></iframe>',
            '<iframe src="https://www.youtube.com/embed/a?b=1" width="5"></iframe>',
        ),
        (
            "<IFRAME SRC=//www.youtube-nocookie.com/embed/a allowfullscreen>fallback</IFRAME>",
            '<iframe src="https://www.youtube-nocookie.com/embed/a" allowfullscreen=""></iframe>',
        ),
        (
            '<iframe src="https://framatube.org/videos/embed/a-1"><b>x</b></iframe>',
            '<iframe src="https://framatube.org/videos/embed/a-1"></iframe>',
        ),
        ('<iframe src="https://evil.example/youtube.com/embed/"></iframe>', ""),
        ('<iframe src="https://www.youtube.com.evil.example/embed/"></iframe>', ""),
        ('<iframe src="javascript:alert(1)"></iframe>', ""),
        ('<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"></iframe>', ""),
        ('<iframe title=" src=x"></iframe>', ""),
        ("<iframe>never closed <script>alert(1)</script>", ""),
    ],
)
def test_only_frames_of_known_players_stay(frame, expected):
    cleaned = clean_html(f"<p>a</p>{frame}", "https://a.example/")
    assert cleaned == f"<p>a</p>{expected}"
    assert clean_html(cleaned, "https://a.example/") == cleaned


def test_every_character_is_classified_correctly():
    for number in range(0x110000):
        character = chr(number)
        expected = XML_ILLEGAL.sub("", character)
        assert remove_illegal(character) == expected, number
        assert remove_illegal(f"\n{character}") == f"\n{expected}", number


def slow_text_from_html(text):
    """`text_from_html` without its fast paths."""
    text = XML_ILLEGAL.sub("", text)
    spaces = re.compile(r"[ \t\r\n\f\u200b\ufeff]+")
    if "<" in text:
        text = sanitize._block_cleaner.clean(spaces.sub(" ", text))
        text = sanitize._TAG.sub("\n", sanitize._PARAGRAPH.sub("\n\n", text))
    lines = [spaces.sub(" ", line).strip() for line in html.unescape(text).split("\n")]
    return XML_ILLEGAL.sub("", re.sub(r"\n{3,}", "\n\n", "\n".join(lines))).strip()


WORDS = st.sampled_from([
    "a", "é", " ", "  ", "\n", "\r\n", "\t", "\u200b", "\ufeff", "\xa0", "\u2028", "\x0b", "\x1f", "\x85", "\ud800", "\ufffe",
    "&", "&amp;", "&amp;amp;", "&lt;", "&nbsp;", "&#160;", "&#11;", "&eacute;", "&quot", "<", ">", "<p>", "</p>", "<br>", "<b>",
    "<b title='&lt;'>", "</b>", "<!-- c -->", "<pre>\n", "<table>", "<td>", "<script>", "</script>", "<xmp>", "<plaintext>",
])  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(WORDS, max_size=12).map("".join))
def test_fast_paths_give_the_same_text(text):
    assert text_from_html(text) == slow_text_from_html(text)
    breaks = re.compile("[ \t\r\n\f\u2028\u2029]+")
    assert one_line(text) == breaks.sub(" ", XML_ILLEGAL.sub("", text)).strip()
