from datetime import UTC, datetime

import pytest

from aggregator.clippings.bookmarks import is_bookmarks, parse_bookmarks

PINBOARD = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=UTF-8">
<TITLE>Pinboard Bookmarks</TITLE><H1>Bookmarks</H1>
<DL><p><DT><A HREF="https://a.example/x?a=1&amp;b=2" ADD_DATE="1509494400" PRIVATE="0" TOREAD="0" TAGS="Communs,Pair_à_pair">Économie &amp; communs</A>
<DD>An excerpt,
on two lines
<DT><A HREF="https://b.example/" ADD_DATE="soon" TAGS="">Without tags</A>
</DL></p>"""

BROWSER = """<!DOCTYPE NETSCAPE-Bookmark-file-1>
<DL><p>
  <DT><H3>A folder</H3>
  <DL><p>
    <DT><A HREF="https://c.example/" TAGS="p2p">In a folder</A>
    <DT><A HREF="place:sort=8">Recent tags</A>
    <DT><A HREF="file:///home/me/x.html">A file</A>
    <DT><A HREF="https://d.example/"></A>
  </DL><p>
</DL><p>"""


def test_pinboard():
    clippings, warnings = parse_bookmarks(PINBOARD.encode(), "b.html")
    first, second = clippings
    assert first.title == "Économie & communs"
    assert first.link == "https://a.example/x?a=1&b=2"
    assert first.tags == ("Communs", "Pair_à_pair")
    assert first.excerpt == "An excerpt, on two lines"
    assert first.clipped_at == datetime(2017, 11, 1, tzinfo=UTC)
    assert (second.tags, second.excerpt, second.clipped_at) == ((), "", None)
    assert not warnings


def test_browser_folders_and_links_that_are_not_pages():
    clippings, warnings = parse_bookmarks(BROWSER.encode(), "b.html")
    assert [(c.title, c.link) for c in clippings] == [
        ("In a folder", "https://c.example/"),
        ("https://d.example/", "https://d.example/"),
    ]
    (warning,) = warnings
    assert 'left out "A file": "file:///home/me/x.html" is not a web address' in str(warning)


def test_file_without_bookmarks_gives_warning():
    clippings, warnings = parse_bookmarks(b"<!DOCTYPE NETSCAPE-Bookmark-file-1>", "b.html")
    assert not clippings
    assert "b.html" in str(warnings[0])


@pytest.mark.parametrize(
    "data", [PINBOARD.encode(), b"\xef\xbb\xbf\r\n" + BROWSER.lower().encode()]
)
def test_bookmark_file_is_detected_by_first_line(data):
    assert is_bookmarks(data)


def test_other_files_are_not_bookmarks():
    assert not is_bookmarks("• a clipping".encode())
    assert not is_bookmarks(b"<?xml version='1.0'?><rss/>")


def test_comment_in_description_is_ignored():
    data = b'<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><DT><A HREF="https://a.example/">T</A><DD>one <!-- x --> two'
    (clipping,), _ = parse_bookmarks(data, "b.html")
    assert clipping.excerpt == "one two"
