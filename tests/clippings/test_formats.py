import pytest

from aggregator.clippings import parse_clippings
from aggregator.model import Clipping

FEED = Clipping("From a feed", None, "", ())
BOOKMARKS = (
    b"<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><DT><A HREF='https://b.example/'>From bookmarks</A>"
)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ("• From text".encode(), "From text"),
        (b"\xef\xbb\xbf" + "• From text".encode(), "From text"),
        (BOOKMARKS, "From bookmarks"),
        (b"<?xml version='1.0'?><rss/>", "From a feed"),
        (b' {"items": []}', "From a feed"),
        ("<?xml version='1.0' encoding='utf-16'?><rss/>".encode("utf-16"), "From a feed"),
        ('{"items": []}'.encode("utf-16"), "From a feed"),
        (BOOKMARKS.decode().encode("utf-16"), "From bookmarks"),
        (b'[{"href": "https://a.example/", "description": "From a list"}]', "From a list"),
    ],
)
def test_format_is_detected_by_content(data, title):
    (clipping,), warnings = parse_clippings(data, "c", lambda data, file: ((FEED,), ()))
    assert clipping.title == title
    assert not warnings


def test_clippings_of_all_formats_are_cleaned():
    hostile = Clipping("\x01 ", "https://a.example/", "", ("\x02",))
    (clipping,), _ = parse_clippings(b"<rss/>", "c", lambda data, file: ((hostile,), ()))
    assert (clipping.title, clipping.tags) == ("https://a.example/", ())
