import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.parse import sanitize
from aggregator.parse.allowed_html import keep_separators
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


@pytest.mark.parametrize(
    "html",
    [
        "<section>One</section><section>Two</section>",
        "<article>One</article><aside>Two</aside>",
        "<details><summary>One</summary>Two</details>",
        "<header>One</header><main>Two</main><footer></footer>",
        "<NAV>One</NAV><Address>Two</Address>",
        "<center>One</center>Two",
        "<hgroup><h1>One</h1><p>Two</p></hgroup>",
        "<dialog open>One</dialog>Two",
        "<form>One<fieldset><legend>Two</legend></fieldset></form>",
        "<select><option>One<option>Two</select>",
        "<select><optgroup label=x><option>One</option></optgroup></select>Two",
        "<menu><li>One<li>Two</menu>",
        "<dir><li>One<li>Two</dir>",
        "<table><tr><th>One</th><td>Two</td></tr></table>",
        "<table><tr><td>One<tr><td>Two</table>",
        "<dl><dt>One<dd>Two</dl>",
        "<button>One</button><button>Two</button>",
        "<label>One</label><input><label>Two</label>",
        "<figure>One<figcaption>Two</figcaption></figure>",
        "One<img src='https://a.example/i.png'>Two",
        "<search>One</search>Two",
        "One<hr>Two",
        "<section\nid=x>One</section\n>Two",
    ],
)
def test_blocks_separate_words(html):
    """In matching, and in what a reader shows that knows only the elements of 1999."""
    assert text_from_html(html).split() == ["One", "Two"]
    cleaned = clean_html(html, BASE)
    assert text_from_html(cleaned).split() == ["One", "Two"]
    assert clean_html(cleaned, BASE) == cleaned
    known = "div|p|ul|li|h1|table|tbody|tr|th|td|dl|dt|dd|figure|figcaption|img|span|hr"
    assert not re.findall(rf"<(?!/?(?:{known})[ >])[^>]*>", cleaned)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>P<b>air</b></p>", "Pair"),
        ("<p>P<font color=red>air</font></p>", "Pair"),
        ("P<span>a</span><em>i</em><label>r</label>", "Pair"),
        ("super<wbr>cali", "supercali"),
        ("super&shy;cali\u00adfragile", "supercalifragile"),
        ("super&shy;cali", "supercali"),
        ("H<sub>2</sub>O", "H2O"),
        ("a<!-- c -->b", "ab"),
    ],
)
def test_inline_elements_do_not_separate_words(html, text):
    assert text_from_html(html) == text
    assert text_from_html(clean_html(html, BASE)) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>x</p><pre>one\n  two\n\nthree</pre>y\nz", "x\n\none\ntwo\n\nthree\n\ny z"),
        ("<PRE>one\ntwo</PRE>", "one\ntwo"),
        ("<pre>a\n<pre>b\nc</pre>d\ne</pre>f\ng", "a\n\nb\nc\n\nd\ne\n\nf g"),
        ("<pre><code>one\n</code>two</pre>", "one\ntwo"),
    ],
)
def test_lines_of_preformatted_text_stay(html, text):
    assert text_from_html(html) == text


def test_first_line_of_preformatted_text_may_be_empty():
    """Parsers ignore the first line break in ``pre``."""
    once = clean_html("<pre>\n\n  one\n</pre>", BASE)
    assert once == "<pre>\n\n  one\n</pre>"
    assert clean_html(once, BASE) == once


def test_forms_are_taken_apart():
    cleaned = clean_html(
        "<form action=/s><label for=q>Search</label> <input id=q name=q value=secret>"
        "<button onclick=x()>Go to <a href=/all>all</a></button>"
        "<textarea>draft</textarea></form>",
        BASE,
    )
    assert text_from_html(cleaned) == "Search Go to all"
    assert '<a href="https://a.example/all" rel="noopener noreferrer">all</a>' in cleaned
    assert "draft" not in cleaned
    assert "secret" not in cleaned


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "https://a.example/dir/x"),
        ("./x", "https://a.example/dir/x"),
        ("../x", "https://a.example/x"),
        ("../../x", "https://a.example/x"),
        ("/x", "https://a.example/x"),
        ("//h.example/x", "https://h.example/x"),
        ("?x=1&amp;y", "https://a.example/dir/page?x=1&amp;y"),
        ("/x y.png", "https://a.example/x%20y.png"),
        ("  /x\n", "https://a.example/x"),
        ("/long/\n  address", "https://a.example/long/%20%20address"),
        ("..\\x", "https://a.example/x"),
        ("\\\\h.example\\x", "https://h.example/x"),
        ("https:\\\\h.example\\x", "https://h.example/x"),
        ("https:x", "https://a.example/dir/x"),
        ("https:/x", "https://a.example/x"),
        ("http:/h.example/x", "http://h.example/x"),
        ("http:h.example", "http://h.example"),
        ("https:///h.example/x", "https://h.example/x"),
        ("/caf\u00e9", "https://a.example/caf\u00e9"),
        ("/caf%C3%A9", "https://a.example/caf%C3%A9"),
        ("https://h.example/a b", "https://h.example/a%20b"),
        ('/a"b', "https://a.example/a%22b"),
        ("HTTPS://H.example/x", "https://H.example/x"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "<a href='{}'>x</a>",
        "<img src='{}'>",
        "<q cite='{}'>x</q>",
        "<blockquote cite='{}'>x</blockquote>",
        "<del cite='{}'>x</del>",
        "<ins cite='{}'>x</ins>",
    ],
)
def test_addresses_are_resolved_as_in_browsers(form, value, expected):
    """`tests/parse/test_in_browser.py` compares the same in Chromium."""
    cleaned = clean_html(form.format(value), BASE)
    assert re.findall('(?:href|src|cite)="([^"]*)"', cleaned) == [expected]
    assert clean_html(cleaned, "https://other.example/") == cleaned


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "data:text/html,x", "http://[bad", "https://", "//", "file:///etc"],
)
@pytest.mark.parametrize(
    "form", ["<a href='{}'>x</a>", "<q cite='{}'>x</q>", "<img alt=x src='{}'>"]
)
def test_what_is_no_address_is_removed(form, value):
    cleaned = clean_html(form.format(value), BASE)
    assert value not in cleaned
    assert text_from_html(cleaned) == "x"


def test_base_within_the_html_counts():
    html = "<base href='../files/'><a href='x'>x</a><img src='i.png'><a href='/y'>y</a>"
    cleaned = clean_html(html, BASE)
    assert re.findall('(?:href|src)="([^"]*)"', cleaned) == [
        "https://a.example/files/x",
        "https://a.example/files/i.png",
        "https://a.example/y",
    ]


@pytest.mark.parametrize(
    "link",
    [
        "tel:+33612345678",
        "magnet:?xt=urn:btih:abc&amp;dn=x",
        "gemini://g.example/",
        "mailto:a@b.example?subject=Hello%20you",
        "xmpp:room@c.example?join",
        "sms:+331",
        "geo:48.2,16.4",
        "ftp://f.example/x",
        "irc://i.example/room",
        "matrix:r/room:m.example",
        "bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
        "sip:a@b.example",
        "webcal://c.example/x.ics",
        "gopher://g.example/",
        "TEL:1",
    ],
)
def test_links_that_other_programs_open_stay(link):
    expected = f'<a href="{link}" rel="noopener noreferrer">x</a>'
    assert clean_html(f"<a href=' {link} '>x</a>", BASE) == expected
    assert clean_html(expected, BASE) == expected
    assert clean_html(f"<img src='{link}'>", BASE) == ""


@pytest.mark.parametrize(
    "scheme", ["javascript", "vbscript", "data", "file", "blob", "view-source", "ms-msdt", "about"]
)
def test_dangerous_schemes_are_removed(scheme):
    for form in (
        scheme,
        scheme.upper(),
        f"\x01{scheme}",
        f"{scheme[:2]}\n{scheme[2:]}",
        f" {scheme}",
    ):
        assert "href" not in clean_html(f"<a href='{form}:x'>x</a>", BASE)


@pytest.mark.parametrize(
    "html",
    [
        "<ol type=a start=3 reversed><li value=7>x</li></ol>",
        "<p>He did <strike>not</strike> agree.</p>",
        "<acronym title='World Wide Web'>WWW</acronym>",
    ],
)
def test_what_changes_the_meaning_stays(html):
    for word in re.findall("[a-z]+=|<[a-z]+", html):
        assert word in clean_html(html, BASE)


def test_references_between_elements_are_removed():
    html = "<table><tr><th id=h>a<td headers=h aria-describedby=h>b</table><label for=h>c</label>"
    assert not re.search("id=|headers|aria|for=", clean_html(html, BASE))


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
        (
            '<iframe src="https://evil.example/www.youtube.com/embed/"></iframe>',
            '<p><a href="https://evil.example/www.youtube.com/embed/" rel="noopener noreferrer">evil.example</a></p>',
        ),
        (
            '<iframe src="https://www.youtube.com.evil.example/embed/" title=" A  map "></iframe>',
            '<p><a href="https://www.youtube.com.evil.example/embed/" rel="noopener noreferrer">A map</a></p>',
        ),
        ('<iframe src="javascript:alert(1)"></iframe>', ""),
        ('<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"></iframe>', ""),
        ('<iframe title=" src=x"></iframe>', ""),
        ("<iframe>never closed <script>alert(1)</script>", ""),
    ],
)
def test_only_frames_of_known_players_stay_and_others_become_links(frame, expected):
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
        if "<pre" not in text:
            text = text.replace("\n", " ")
        text = keep_separators(re.sub(r"[ \t\r\f\u200b\ufeff]+", " ", text))
        outside = re.split(r"(<pre>.*</pre>)", text, flags=re.DOTALL)  # at most one in the samples
        outside[::2] = [piece.replace("\n", " ") for piece in outside[::2]]
        text = sanitize._IN_LINE.sub(" ", "".join(outside))
        text = sanitize._TAG.sub("\n", sanitize._PARAGRAPH.sub("\n\n", text))
    lines = [
        spaces.sub(" ", line).strip()
        for line in html.unescape(text).replace("\xad", "").split("\n")
    ]
    return XML_ILLEGAL.sub("", re.sub(r"\n{3,}", "\n\n", "\n".join(lines))).strip()


WORDS = st.sampled_from([
    "a", "é", " ", "  ", "\n", "\r\n", "\t", "\u200b", "\ufeff", "\xad", "\xa0", "\u2028", "\x0b", "\x1f", "\x85", "\ud800", "\ufffe",
    "&", "&amp;", "&amp;amp;", "&lt;", "&nbsp;", "&#160;", "&#11;", "&eacute;", "&quot", "<", ">", "<p>", "</p>", "<br>", "<b>",
    "<b title='&lt;'>", "</b>", "<!-- c -->", "<pre>\n", "<table>", "<td>", "<script>", "</script>", "<xmp>", "<plaintext>",
])  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(st.lists(WORDS, max_size=12).map("".join))
def test_fast_paths_give_the_same_text(text):
    assert text_from_html(text) == slow_text_from_html(text)
    breaks = re.compile("[ \t\r\n\f\u2028\u2029]+")
    assert one_line(text) == breaks.sub(" ", XML_ILLEGAL.sub("", text)).strip()
