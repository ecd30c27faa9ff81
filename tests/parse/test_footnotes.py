"""Links within an entry."""

import re

import pytest

from aggregator.parse.sanitize import clean_html

BASE = "https://a.example/feed.xml"
PAGE = "https://a.example/post"


def clean(html, page=PAGE, anchors="entry 1"):
    cleaned = clean_html(html, BASE, page=page, anchors=anchors)
    assert clean_html(cleaned, BASE, page=page, anchors=anchors) == cleaned
    return cleaned


def links_and_ids(html):
    return re.findall('href="([^"]*)"', html), re.findall('id="([^"]*)"', html)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("<a href=#fn1>1</a>", "<li id=fn1>n</li>"),
        ("<a href='#fn:1'>1</a>", "<li id='fn:1'>n</li>"),
        ("<a href='#fn1'>1</a>", "<a name=fn1>n</a>"),
        ("<a href='#fn1'>1</a>", "<a name=fn1 id=other></a>n"),
        ("<A HREF='#fn1'>1</A>", "<P ID=fn1>n</P>"),
        ("<a href=' #fn1 '>1</a>", "<p id=fn1>n</p>"),
        ("<a href='&#35;fn1'>1</a>", "<p id=fn1>n</p>"),
        ("<a href='#a%20b'>1</a>", "<p id='a b'>n</p>"),
        ("<a href='#%C3%A9t%C3%A9'>1</a>", "<p id='\u00e9t\u00e9'>n</p>"),
        ("<a href='#\u00e9'>1</a>", "<p id='\u00e9'>n</p>"),
        ("<a href='https://a.example/post#fn1'>1</a>", "<p id=fn1>n</p>"),
        ("<a href=#fn1>1</a>", "<section id=fn1>n</section>"),
        ("<sup id=r><a href=#fn1>1</a></sup>", "<h2 id=fn1>n</h2>"),
        ("<a href=#fn1>1</a><video src=v.mp4></video>", "<p id=fn1>n</p>"),
        ("<a href='#a\"b'>1</a>", "<p id='a\"b'>n</p>"),
        ("<a href='#a&amp;b'>1</a>", "<p id='a&amp;b'>n</p>"),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_link_within_an_entry_leads_to_its_target(link, target, backwards):
    cleaned = clean(target + link if backwards else link + target)
    hrefs, ids = links_and_ids(cleaned)
    assert len(ids) == 1
    assert f"#{ids[0]}" in hrefs
    assert re.fullmatch(r"entry-[0-9a-f]{8}-\S+", ids[0])


def test_footnote_and_the_way_back():
    cleaned = clean(
        "<p>Text<sup><a href=#fn1 id=ref1>1</a></sup></p>"
        "<ol><li id=fn1>A note. <a href=#ref1>\u21a9</a></li></ol>"
    )
    (to_note, back), (reference, note) = links_and_ids(cleaned)
    assert (to_note, back) == (f"#{note}", f"#{reference}")
    assert reference != note


def test_entries_have_different_ids():
    html = "<a href=#fn1>1</a><p id=fn1>n</p>"
    one, two = (clean(html, anchors=anchors) for anchors in ("entry 1", "entry 2"))
    assert not set(links_and_ids(one)[1]) & set(links_and_ids(two)[1])
    # without a name of its own, an entry's page is its name
    one, two = (clean(html, page=page, anchors="") for page in (PAGE, f"{PAGE}2"))
    assert not set(links_and_ids(one)[1]) & set(links_and_ids(two)[1])


def test_another_aggregator_keeps_the_ids():
    once = clean("<a href=#fn1>1</a><p id=fn1>n</p>")
    twice = clean_html(once, "https://b.example/", page="https://b.example/p", anchors="another")
    assert twice == once


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("#gone", f"{PAGE}#gone"),
        ("#", PAGE),
        ("", PAGE),
        ("#entry-12345678-gone", f"{PAGE}#entry-12345678-gone"),
        (f"{PAGE}#gone", f"{PAGE}#gone"),
        ("https://a.example/other#fn1", "https://a.example/other#fn1"),
        ("/post2#fn1", "https://a.example/post2#fn1"),
    ],
)
def test_other_links_lead_to_the_page(link, expected):
    cleaned = clean(f"<a href='{link}'>1</a><p id=fn1>n</p>")
    assert links_and_ids(cleaned) == ([expected], [])


def test_link_without_target_and_page_is_removed():
    assert "href" not in clean_html("<a href=#x>1</a>", "")


def test_first_of_equal_ids_is_the_target():
    cleaned = clean("<a href=#x>1</a><p id=x>a</p><p id=x>b</p>")
    (href,), (target,) = links_and_ids(cleaned)
    assert href == f"#{target}"
    assert f'<p id="{target}">a</p><p>b</p>' in cleaned


@pytest.mark.parametrize(
    "name", ["location", "forms", "cookie", "body", "__proto__", "getElementById"]
)
def test_ids_cannot_replace_properties_of_the_document(name):
    cleaned = clean(f"<a href='#{name}'>1</a><a id={name} name={name}>x</a><img name={name} src=x>")
    assert f'"{name}"' not in cleaned
    assert "name=" not in cleaned


def test_ids_without_a_link_are_removed():
    assert clean("<h2 id=a>x</h2><a name=b></a><p id=c>y</p>") == (
        '<h2>x</h2><a rel="noopener noreferrer"></a><p>y</p>'
    )


def test_text_that_looks_like_a_link_is_text():
    html = (
        '<pre>&lt;a href="#fn1"&gt; id="fn1"</pre>'
        '<p title="&lt;a href=" lang="#fn1" id="fn1">x</p><p title="&lt;p id=" lang="fn1">y</p>'
    )
    assert clean(html) == html.replace(' id="fn1">x', ">x")
