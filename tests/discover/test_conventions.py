import pytest

from aggregator.discover.conventions import conventional_feeds, linked_feeds, well_known_feeds
from aggregator.parse.html_links import read_page


def feeds(url, html=""):
    return list(conventional_feeds(url, read_page(html.encode(), url)))


CHANNEL = "UC" + "x" * 22


@pytest.mark.parametrize(
    ("url", "html", "expected"),
    [
        (
            f"https://www.youtube.com/channel/{CHANNEL}/videos",
            "",
            [f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"],
        ),
        (
            "https://www.youtube.com/@handle",
            f'<link rel="canonical" href="https://www.youtube.com/channel/{CHANNEL}">',
            [f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"],
        ),
        (
            "https://m.youtube.com/playlist?list=PL1",
            "",
            ["https://www.youtube.com/feeds/videos.xml?playlist_id=PL1"],
        ),
        ("https://mastodon.example/@ann", "", ["https://mastodon.example/@ann.rss"]),
        (
            "https://mastodon.example/tags/commons/",
            "",
            ["https://mastodon.example/tags/commons.rss"],
        ),
        (
            "https://github.com/o/r/issues",
            "",
            ["https://github.com/o/r/releases.atom", "https://github.com/o/r/commits.atom"],
        ),
        ("https://old.reddit.com/r/commons/new", "", ["https://www.reddit.com/r/commons/.rss"]),
        ("https://medium.com/@ann", "", ["https://medium.com/feed/@ann"]),
        (
            "https://wiki.example/wiki/Main",
            '<meta name="generator" content="MediaWiki 1.40">'
            '<link rel="EditURI" href="//wiki.example/w/api.php?action=rsd">',
            [
                "https://wiki.example/w/index.php?title=Special:NewPages&feed=atom",
                "https://wiki.example/w/index.php?title=Special:RecentChanges&feed=atom",
            ],
        ),
        (
            "https://wiki.example/w/index.php?title=Main",
            "",
            [
                "https://wiki.example/w/index.php?title=Special:NewPages&feed=atom",
                "https://wiki.example/w/index.php?title=Special:RecentChanges&feed=atom",
            ],
        ),
        (
            "https://blog.example/category/commons/?x=1",
            '<meta name="generator" content="WordPress 6.5">',
            ["https://blog.example/category/commons/feed/", "https://blog.example/feed/"],
        ),
        ("https://plain.example/", "", []),
    ],
)
def test_conventions(url, html, expected):
    assert feeds(url, html) == expected


def test_links_in_the_text_that_look_like_feeds():
    html = b'<a href="/about">A</a><a href="/news.rss">N</a><a href="/feed/">F</a><a href="/feed/">F</a>'
    page = read_page(html, "https://a.example/")
    assert list(linked_feeds(page)) == ["https://a.example/news.rss", "https://a.example/feed/"]


def test_usual_urls_are_in_the_folder_then_at_the_root():
    urls = list(well_known_feeds("https://a.example/blog/post"))
    assert urls[0] == "https://a.example/blog/feed/"
    assert "https://a.example/atom.xml" in urls
    assert len(urls) == len(set(urls)) == 20
    assert len(list(well_known_feeds("https://a.example/"))) == 10
