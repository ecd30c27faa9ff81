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


def test_a_feed_is_found_where_it_is(publisher):
    publisher["/feed"] = rss(item(), title="Posts", language="fr")
    result = search(publisher.url("/feed"))
    (found,) = result.found
    assert (found.url, found.title, found.language) == (publisher.url("/feed"), "Posts", "fr")
    assert (found.entries, found.newest.day) == (1, 23)
    assert result.asked == 1


def test_announced_feeds_comments_last(publisher):
    publisher["/"] = (
        '<link rel="alternate" type="application/rss+xml" href="/comments/feed/">'
        '<link rel="alternate" type="application/rss+xml" href="/feed/">'
        '<link rel="alternate" type="application/rss+xml" href="/broken/">'
    )
    publisher["/feed/"] = rss(item(), title="Posts")
    publisher["/comments/feed/"] = rss(item(), title="Comments")
    publisher["/broken/"] = Answer(status=500)
    assert [found.title for found in search(publisher.url("/")).found] == ["Posts", "Comments"]


def test_links_in_the_text(publisher):
    publisher["/"] = '<a href="/news.rss">News</a>'
    publisher["/news.rss"] = rss(item())
    assert [found.url for found in search(publisher.url("/")).found] == [publisher.url("/news.rss")]


def test_a_system_that_is_recognised(publisher):
    publisher["/@ann"] = "<html></html>"
    publisher["/@ann.rss"] = rss(item())
    assert search(publisher.url("/@ann")).found[0].url == publisher.url("/@ann.rss")


def test_usual_places_even_where_the_page_is_gone(publisher):
    publisher["/atom.xml"] = rss(item())
    assert search(publisher.url("/old/page")).found[0].url == publisher.url("/atom.xml")


def test_an_address_that_moved_for_good_is_given_as_it_is_now(publisher):
    publisher["/old"] = Answer(status=301, headers={"Location": "/new"})
    publisher["/new"] = rss(item())
    assert search(publisher.url("/old")).found[0].url == publisher.url("/new")


def test_nothing_found(publisher):
    publisher["/"] = "<html></html>"
    result = search(publisher.url("/"))
    assert (result.found, result.trouble) == ((), "no feed was found there")
    publisher["/"] = Answer(status=410)
    assert "410" in search(publisher.url("/")).trouble
    assert "HTTP 404" in search(publisher.url("/nowhere")).trouble


def test_private_addresses_are_refused_here_too(publisher):
    publisher["/"] = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    publisher["/feed"] = rss(item())
    result = search(publisher.url("/"), allowed=False)
    assert result.found == ()
    assert "private address" in result.trouble
    assert publisher.asked == []


def test_no_address():
    assert "no web address" in search("ftp://a.example/").trouble
    assert "name not found" in search("no-such-host.invalid").trouble
