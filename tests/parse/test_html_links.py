"""The links of HTML pages."""

from aggregator.parse.html_links import read_page


def test_feeds_that_a_page_announces():
    page = read_page(
        b"""<head><base href="https://b.example/blog/">
        <meta NAME="Generator" content="WordPress 6.5">
        <link rel="alternate" type="application/rss+xml" title="Posts" href="feed/">
        <link rel='alternate home' type='application/atom+xml; charset=utf-8' href='/atom'>
        <link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/1">
        <link rel="alternate" hreflang="fr" href="/fr/">
        <link rel="stylesheet" type="text/xml" href="/style">
        <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
        <link rel="alternate" type="application/rss+xml" href="feed/">
        <body><a href="rss.xml">RSS</a><p <a <<""",
        "https://a.example/",
    )
    assert [(link.url, link.title) for link in page.feeds()] == [
        ("https://b.example/blog/feed/", "Posts"),
        ("https://b.example/atom", ""),
    ]
    assert page.generator == "WordPress 6.5"
    assert page.anchors[0].url == "https://b.example/blog/rss.xml"
