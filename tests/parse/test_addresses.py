"""What relative addresses mean, and which address is the page of an entry."""

import pytest

from tests.parse.documents import ADDRESS, CHANNEL, FEED, atom, read, read_entry, read_item, rss

HTML = "&lt;a href='k'&gt;k&lt;/a&gt;"
LINK = "<link>https://blog.example/2026/post/</link>"


@pytest.mark.parametrize(
    "url", [ADDRESS, "https://feeds.feedburner.example/x", "http://127.0.0.1/x"]
)
@pytest.mark.parametrize(
    ("elements", "link", "target"),
    [
        (f"{LINK}<description>{HTML}</description>", "https://blog.example/2026/post/", "https://blog.example/2026/post/k"),
        (f"<description>{HTML}</description>", None, "https://blog.example/k"),
        (f"<link>/a/b</link><description>{HTML}</description>", "https://blog.example/a/b", "https://blog.example/a/k"),
        (f"<link>a</link><description>{HTML}</description>", "https://blog.example/a", "https://blog.example/k"),
        (f"<link>?p=12</link><description>{HTML}</description>", "https://blog.example/?p=12", "https://blog.example/k"),
        (f"<link>//blog.example/a/</link><description>{HTML}</description>", "https://blog.example/a/", "https://blog.example/a/k"),
        (f"<link>https://other.example/a/b</link><description>{HTML}</description>", "https://other.example/a/b", "https://other.example/a/k"),
        (f"<link>https://other.example/a/b</link><guid>https://blog.example/n/1</guid><description>{HTML}</description>", "https://other.example/a/b", "https://blog.example/n/k"),
        (f"<guid>/a/1</guid><description>{HTML}</description>", "https://blog.example/a/1", "https://blog.example/a/k"),
        (f"<guid isPermaLink='false'>/a/1</guid><description>{HTML}</description>", None, "https://blog.example/k"),
        (f"<link xml:base='https://x.example/d/'>e</link><description xml:base='https://x.example/d/'>{HTML}</description>", "https://blog.example/e", "https://x.example/d/k"),
    ],
)  # fmt: skip
def test_relative_addresses_of_rss(elements, link, target, url):
    (entry,) = read(rss(f"<item><title>T</title>{elements}</item>"), url=url).entries
    if "xml:base" not in elements:
        assert entry.link == link
    assert f'href="{target}"' in entry.content


@pytest.mark.parametrize("order", [1, -1])
def test_relative_link_after_the_guid(order):
    elements = ["<id>tag:x,2026:1</id>", '<link href="/a"/>', "<title>T</title>"][::order]
    (entry,) = read(atom(f"<entry>{''.join(elements)}</entry>")).entries
    assert (entry.key, entry.link) == ("tag:x,2026:1", "https://blog.example/a")
    (entry,) = read(rss(f"<item>{'<guid>g1</guid><link>/a</link>'}</item>")).entries
    assert (entry.key, entry.link) == ("g1", "https://blog.example/a")


def test_base_of_atom():
    feed = FEED.replace("<title>", '<link rel="self" href="https://x.example/feed"/><title>')
    document = atom(
        f'<entry xml:base="https://b.example/d/"><id>urn:1</id><title>T</title><link href="p"/>'
        f'<content type="html">{HTML}</content></entry>',
        feed,
    )
    (entry,) = read(document).entries
    assert entry.link == "https://b.example/d/p"
    assert 'href="https://b.example/d/k"' in entry.content


def test_feed_without_a_link_uses_its_address():
    (entry,) = read(
        rss(f"<item><link>p</link><description>{HTML}</description></item>", "")
    ).entries
    assert entry.link == "https://cdn.example/feeds/p"
    assert 'href="https://cdn.example/feeds/k"' in entry.content


def test_feed_without_a_link_has_the_site_of_its_entries():
    (entry,) = read(rss(f"<item>{LINK}<description>{HTML}</description></item>", "")).entries
    assert 'href="https://blog.example/2026/post/k"' in entry.content


def test_relative_link_of_the_feed():
    document = rss(
        "<item><link>p</link></item>", CHANNEL.replace("https://blog.example/", "/blog/")
    )
    parsed = read(document)
    assert parsed.feed.link == "https://cdn.example/blog/"
    assert parsed.entries[0].link == "https://cdn.example/blog/p"


@pytest.mark.parametrize(
    ("elements", "link"),
    [
        ('<link href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<link rel="alternate" type="text/html; charset=utf-8" href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<link rel="self" href="https://blog.example/1.atom"/><link href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<link rel="alternate" type="application/json" href="https://blog.example/1.json"/><link href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<link rel="alternate" type="application/pdf" href="https://blog.example/1.pdf"/>', "https://blog.example/1.pdf"),
        ('<link rel="enclosure" href="https://blog.example/1.mp3"/>', None),
        ('<link href="https://blog.example/en" hreflang="en"/><link href="https://blog.example/fr" hreflang="fr"/>', "https://blog.example/en"),
        ('<link href="https://m.blog.example/1" media="only screen and (max-width:640px)"/><link href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<link rel="http://www.iana.org/assignments/relation/alternate" href="https://blog.example/1"/>', "https://blog.example/1"),
        ('<content type="text/html" src="https://blog.example/1.html"/>', "https://blog.example/1.html"),
        ('<link rel="replies" href="https://blog.example/1#c"/>', None),
    ],
)  # fmt: skip
def test_link_of_atom(elements, link):
    assert read_entry(f"<title>T</title>{elements}").link == link


@pytest.mark.parametrize(
    ("elements", "link"),
    [
        ("<link>https://feedproxy.example/~r/x</link><feedburner:origLink>https://blog.example/1</feedburner:origLink>", "https://blog.example/1"),
        ("<feedburner:origLink>nonsense</feedburner:origLink><link>https://blog.example/1</link>", "https://blog.example/1"),
        ("<link><![CDATA[https://blog.example/?x=1&y=2]]></link>", "https://blog.example/?x=1&y=2"),
        ("<link>\n https://blog.example/1 \n</link>", "https://blog.example/1"),
        ("<guid>https://blog.example/1</guid>", "https://blog.example/1"),
        ("<guid isPermaLink='true'>https://blog.example/1</guid>", "https://blog.example/1"),
        ("<guid>12</guid>", None),
        ("<atom:link href='https://blog.example/1'/>", "https://blog.example/1"),
        ("<link/><guid>https://blog.example/1</guid>", "https://blog.example/1"),
        ("<link>javascript:alert(1)</link>", None),
    ],
)  # fmt: skip
def test_link_of_rss(elements, link):
    assert read_item(f"<title>T</title>{elements}").link == link


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ("https://wp.example/?p=12", "wp.example?p=12"),
        ("https://wp.example/?p=12&amp;utm_source=rss", "wp.example?p=12"),
        ("https://spip.example/?article12", "spip.example?article12="),
        ("https://spip.example/spip.php?article12", "spip.example/spip.php?article12="),
        ("https://medium.example/@jane/post-1?source=rss-9f------2", "medium.example/@jane/post-1"),
        ("https://app.example/#!/post/12", "app.example#!/post/12"),
        ("https://www.google.com/url?q=https://a.example/x&amp;sa=U", "a.example/x"),
        ("https://blog.example/", None),
        ("https://blog.example/?utm_source=rss", None),
        ("https://blog.example/#", None),
        ("https://other.example", None),
    ],
)
def test_page_of_an_entry(link, page):
    assert read_item(f"<title>T</title><link>{link}</link>").page == page
