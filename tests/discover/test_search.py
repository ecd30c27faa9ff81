import asyncio

from aggregator.discover import discover
from aggregator.fetch.poller import Fetcher
from tests.harness import NOON, InThisProcess, item, rss, subscription
from tests.origin import Answer


def search(address, allowed=True):
    async def go():
        async with Fetcher("aggregator/test", gap_seconds=0) as fetcher:
            networks = subscription("").allow_private if allowed else ()
            return await discover(address, fetcher, InThisProcess(), NOON, networks)

    return asyncio.run(go())


def test_url_of_a_feed_is_the_result(publisher):
    publisher["/feed"] = rss(item(), title="Posts", language="fr")
    result = search(publisher.url("/feed"))
    (feed,) = result.feeds
    assert (feed.url, feed.title, feed.language) == (publisher.url("/feed"), "Posts", "fr")
    assert (feed.entries, feed.newest.day) == (1, 23)
    assert result.requests == 1


def test_announced_feeds_with_comments_last(publisher):
    publisher["/"] = (
        '<link rel="alternate" type="application/rss+xml" href="/comments/feed/">'
        '<link rel="alternate" type="application/rss+xml" href="/feed/">'
        '<link rel="alternate" type="application/rss+xml" href="/broken/">'
    )
    publisher["/feed/"] = rss(item(), title="Posts")
    publisher["/comments/feed/"] = rss(item(), title="Comments")
    publisher["/broken/"] = Answer(status=500)
    assert [feed.title for feed in search(publisher.url("/")).feeds] == ["Posts", "Comments"]


def test_links_in_the_text_are_tried(publisher):
    publisher["/"] = '<a href="/news.rss">News</a>'
    publisher["/news.rss"] = rss(item())
    assert [feed.url for feed in search(publisher.url("/")).feeds] == [publisher.url("/news.rss")]


def test_recognised_publishing_system(publisher):
    publisher["/@ann"] = "<html></html>"
    publisher["/@ann.rss"] = rss(item())
    assert search(publisher.url("/@ann")).feeds[0].url == publisher.url("/@ann.rss")


def test_usual_urls_are_tried_if_the_page_is_gone(publisher):
    publisher["/atom.xml"] = rss(item())
    assert search(publisher.url("/old/page")).feeds[0].url == publisher.url("/atom.xml")


def test_permanently_moved_feed_has_its_new_url(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item())
    assert search(publisher.url("/old")).feeds[0].url == publisher.url("/new")


def test_no_feed_is_found(publisher):
    publisher["/"] = "<html></html>"
    result = search(publisher.url("/"))
    assert (result.feeds, result.error) == ((), "no feed found")
    publisher["/"] = Answer(status=410)
    assert "410" in search(publisher.url("/")).error
    assert "HTTP 404" in search(publisher.url("/nowhere")).error


def test_private_addresses_are_refused(publisher):
    publisher["/"] = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    publisher["/feed"] = rss(item())
    result = search(publisher.url("/"), allowed=False)
    assert result.feeds == ()
    assert "private address" in result.error
    assert publisher.all_requests == []


def test_invalid_addresses():
    assert "no web address" in search("ftp://a.example/").error
    assert "name not found" in search("no-such-host.invalid").error
