"""What a browser makes of cleaned HTML, and of the same addresses before."""

import base64
import re
from urllib.parse import unquote

import pytest

from aggregator.parse.sanitize import clean_html, text_from_html
from aggregator.text.urls import absolute
from tests.system.test_browser import browser  # noqa: F401 (a fixture)

BASE = "https://a.example/dir/page?q#f"
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
LINKS = [
    "", "b", "./b", "../../../b", "/b", "//o.example/c", "///o.example/c", "?x=1", "b?x#y", " b ", "\tb\n", "b\nc",
    "b c", "/b c?d e#f g", "\\b", "\\\\o.example\\c", "/\\o.example/c", "..\\b", "http:/path", "http:path", "https:b",
    "https:/p", "http:\\\\o.example\\x", "https:\\o.example/", "HTTP://O.example/x", "http:///o.example/x",
    "https:////o.example", "http://o.example/\u00e9 \u00fc", "\u00e9", "/caf%C3%A9", "mailto:a@b", "javascript:alert(1)",
    "java\nscript:alert(1)", "localhost:80/x", "http://[bad", "http://a:99999/", "http://", "https:?x", "http:#x", "b;c=1",
    "/a/./b/../c", "x:y", "./b:c", "/", "//", "\x01b\x02", "http://u:p@o.example/x", "https://o.example?x", "<b>", "b%",
    "//o.example:443/x", "b\u2003c",
]  # fmt: skip
ENTRIES = [
    "<p>Text<sup><a href='#fn1' id='r1'>1</a></sup></p><p style='height:99em'>{0}</p><ol><li id='fn1'>Note {0} <a href='#r1'>back</a></ol>",
    "<p>Text<sup><a href='https://a.example/{0}#fn:1' name='r'>1</a></sup></p><div>{0}</div><section id='fn:1'>Note {0} <a href='#r'>back</a></section>",
    "<p><a href='#%C3%A9t%C3%A9'>1</a> <a id=b></a></p><h2 id='\u00e9t\u00e9'>Note {0} <a href='#b'>back</a></h2>",
]  # fmt: skip
BLOCKS = [
    "<section>One</section><section>Two</section>", "<nav>One</nav>Two", "<details open><summary>One</summary>Two</details>",
    "<select><option>One<option>Two</select>", "<button>One</button><button>Two</button>", "<label>One</label><input><label>Two</label>",
    "<fieldset><legend>One</legend>Two</fieldset>", "<table><tr><td>One<td>Two</table>", "<dl><dt>One<dd>Two</dl>",
    "<center>One</center>Two", "<menu><li>One<li>Two</menu>", "<p>One <video src=v.mp4 title=x></video>Two",
    "<p>P<b>air</b> o<wbr>f w&shy;ords",
]  # fmt: skip
PICTURES = [
    "<img src='../p.gif'>", "<img src='data:,' data-src='/p.gif'>", "<img data-srcset='s.gif 1x, /p.gif 2x'>",
    "<picture><source srcset='/p.gif'><img></picture>", "<noscript><img src='/p.gif'></noscript>", "<video poster='/p.gif'></video>",
    "<amp-img src='/p.gif'></amp-img>", "<object data='/p.gif' type='image/gif'></object>", "<base href='/x/'><img src='../p.gif'>",
    "<img src='\\p.gif'>", "<img src=' /p.gif '>", "<img src='https:/p.gif'>",
]  # fmt: skip


@pytest.fixture
def page(browser):  # noqa: F811 (the fixture)
    page = browser.new_page()
    yield page
    page.close()


def test_addresses_are_those_of_the_browser(page):
    script = """([links, base]) => links.map((link) => {
        try { return new URL(link, base).href } catch (error) { return null }
    })"""
    theirs = page.evaluate(script, [LINKS, BASE])
    ours = [absolute(BASE, link) for link in LINKS]
    canonical = page.evaluate(script, [[url or "x:" for url in ours], BASE])
    for link, url, our_url in zip(LINKS, theirs, canonical, strict=True):
        expected = url if url and url.startswith("http") else "x:"
        assert unquote(our_url) == unquote(expected), link


def test_footnotes_stay_within_their_entries(page):
    entries = [
        clean_html(
            html.format(number), BASE, page=f"https://a.example/{number}", anchors=str(number)
        )
        for number, html in enumerate([*ENTRIES, *ENTRIES])
    ]
    articles = "".join(f"<article style='height:200vh'>{entry}</article>" for entry in entries)
    page.set_content(articles)
    for number in range(len(entries)):
        article = page.locator("article").nth(number)
        for link in (0, 1):  # to the note, and back
            article.locator("a[href]").nth(link).click()
            target = page.evaluate(
                "[...document.querySelectorAll('article')].indexOf(document.querySelector(':target').closest('article'))"
            )
            assert target == number
            text = page.evaluate("document.querySelector(':target').textContent")
            assert (f"Note {number}" in text) == (link == 0)


def test_words_are_separate_in_the_browser_too(page):
    for html in BLOCKS:
        cleaned = clean_html(html, BASE)
        page.set_content(cleaned)
        shown = page.evaluate("document.body.innerText").replace("\xad", "").split()
        assert shown == text_from_html(cleaned).split()


def test_pictures_are_loaded(page):
    page.route(
        "https://a.example/**", lambda route: route.fulfill(body=PIXEL, content_type="image/gif")
    )
    for html in PICTURES:
        cleaned = clean_html(html, "https://a.example/dir/page")
        assert re.findall('src="([^"]*)"', cleaned) == ["https://a.example/p.gif"], html
        page.set_content(cleaned, wait_until="load")
        assert page.evaluate("document.querySelector('img').naturalWidth") == 1, html


def test_cleaned_html_is_what_the_browser_reads(page):
    """Another parser makes the same of it, so it hides nothing."""
    for html in (*(e.format(1) for e in ENTRIES), *BLOCKS, *PICTURES):
        cleaned = clean_html(html, BASE, page=BASE)
        page.set_content("")
        again = page.evaluate(
            "(html) => { document.body.innerHTML = html; return document.body.innerHTML }", cleaned
        )
        assert again == cleaned
