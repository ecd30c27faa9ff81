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


HEAD = (
    "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<TITLE>Bookmarks</TITLE>\n<H1>Bookmarks</H1>\n<DL><p>\n"
)


def read(body, head=HEAD):
    return parse_bookmarks(f"{head}{body}</DL><p>\n".encode(), "b.html")


def only(body):
    (clipping,), warnings = read(body)
    assert not warnings
    return clipping


@pytest.mark.parametrize("count", [300, 5000])
@pytest.mark.parametrize("note", ["", "<DD>A note\n"])
@pytest.mark.parametrize("end", ["", "</DT>"])
def test_every_bookmark_of_a_long_file_is_read(count, note, end):
    bookmark = (
        '<DT><A HREF="https://a.example/{0}" ADD_DATE="1509494400" TAGS="t{0}">Page {0}</A>{1}\n{2}'
    )
    clippings, warnings = read("".join(bookmark.format(n, end, note) for n in range(count)))
    assert [clipping.link for clipping in clippings] == [
        f"https://a.example/{n}" for n in range(count)
    ]
    assert {clipping.excerpt for clipping in clippings} == {"A note" if note else ""}
    assert not warnings


def test_deeply_nested_folders():
    folder = '<DT><H3 ADD_DATE="1">Folder</H3>\n<DD>About the folder\n<DL><p>\n'
    link = '<DT><A HREF="https://a.example/" TAGS="x">In it</A>\n'
    clippings, warnings = read((folder + link) * 1000 + "</DL><p>" * 1000)
    assert len(clippings) == 1000
    assert {(c.title, c.tags, c.excerpt) for c in clippings} == {("In it", ("x",), "")}
    assert not warnings


def test_attributes_of_firefox():
    icon = "data:image/png;base64," + "iVBORw0KGgo" * 1000
    clipping = only(
        f'<DT><A HREF="https://a.example/" ADD_DATE="1509494400" LAST_MODIFIED="1600000000" '
        f'ICON_URI="https://a.example/i.png" ICON="{icon}" SHORTCUTURL="key" TAGS="one,two words">T</A>\n'
        "<HR>\n"
    )
    assert (clipping.title, clipping.tags) == ("T", ("one", "two words"))
    assert clipping.clipped_at == datetime(2017, 11, 1, tzinfo=UTC)


def test_shaarli_closes_its_elements():
    clippings, warnings = read(
        '<DT><A HREF="https://a.example/" ADD_DATE="1509494400" PRIVATE="0" TAGS="a">One</A></DT>\n'
        "<DD>First note</DD>\n"
        '<DT><A HREF="https://b.example/" ADD_DATE="1509494400" PRIVATE="1" TAGS="b">Two</A></DT>\n'
    )
    assert [(c.title, c.excerpt, c.private) for c in clippings] == [
        ("One", "First note", False),
        ("Two", "", True),
    ]
    assert not warnings


def test_safari_folders_without_list_and_lower_case():
    text = (
        '\t<DT><H3 FOLDED>Favorites</H3>\n\t<dl><p>\n\t\t<dt><a href="https://a.example/">A</a>\n'
    )
    assert only(text).title == "A"


def test_note_has_paragraphs_references_and_markup():
    clipping = only(
        '<DT><A HREF="https://a.example/">T</A>\n<DD>&quot;One&quot; &amp; <b>two</b>\r\nstill one.'
        '\r\n\r\nTwo&nbsp;&lt;3<br>three <A HREF="https://b.example/">a link</A> end\n'
        "<DT><H3>Folder</H3>\n"
    )
    assert clipping.excerpt == '"One" & two still one.\n\nTwo <3 three a link end'


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&b=2&copy=3&lang=fr", "https://a.example/?a=1&b=2&copy=3&lang=fr"),
        ("https://a.example/&#39;x&#x27;", "https://a.example/'x'"),
        (" https://a.example/ ", "https://a.example/"),
    ],
)
def test_references_in_addresses(address, link):
    assert only(f'<DT><A HREF="{address}">T</A>').link == link


@pytest.mark.parametrize(
    "anchor",
    [
        "<A HREF='https://a.example/' TAGS='x'>T</A>",
        "<A HREF=https://a.example/ TAGS=x>T</A>",
        '<A TAGS="x"HREF="https://a.example/">T</A>',
        '<A\n  HREF = "https://a.example/"\n  TAGS="x"\n>T</A>',
        '<A TITLE="a > b" HREF="https://a.example/" TAGS="x">T</A>',
        '<A HREF="https://a.example/" TAGS="x">T\n',
        '<A TAGS="x" HREF="https://a.example/ >T</A>',
        '<A HREF="https://a.example/" HREF="https://b.example/" TAGS="x,x, ">T</A>',
    ],
)
def test_spellings_of_a_tag(anchor):
    clippings, _ = read(f"<DT>{anchor}")
    assert [(c.link, c.title, c.tags) for c in clippings] == [("https://a.example/", "T", ("x",))]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("1509494400", datetime(2017, 11, 1, tzinfo=UTC)),
        ("1509494400000", datetime(2017, 11, 1, tzinfo=UTC)),
        ("1509494400000000", datetime(2017, 11, 1, tzinfo=UTC)),
        (" 1509494400.0 ", datetime(2017, 11, 1, tzinfo=UTC)),
        ("2017-11-01T01:00:00+01:00", datetime(2017, 11, 1, tzinfo=UTC)),
        ("2017-11-01", datetime(2017, 11, 1, tzinfo=UTC)),
        *(
            (value, None)
            for value in ("", "0", "-1", "1", "soon", "9" * 30, "13284000000000000", "²")
        ),
    ],
)
def test_dates(date, expected):
    assert only(f'<DT><A HREF="https://a.example/" ADD_DATE="{date}">T</A>').clipped_at == expected


@pytest.mark.parametrize(
    ("mark", "private"),
    [
        ("", False),
        *((f'PRIVATE="{value}"', False) for value in ("0", "false", "False", "no")),
        *(
            (f'PRIVATE="{value}"', True)
            for value in ("1", "true", "TRUE", "yes", "", "2", "friends")
        ),
        ("private", True),
        ('PUBLIC="1" private=1', True),
        ('TOREAD="1"', False),
    ],
)
def test_private(mark, private):
    clipping = only(f'<DT><A HREF="https://a.example/" {mark} TAGS="a,.b,.c">T</A>')
    assert clipping.private is private
    assert clipping.tags == ("a",)  # Pinboard and Shaarli hide tags that start with a dot


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("latin-1"),
        lambda text: text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        lambda text: text.replace("UTF-8", "windows-1252").encode("cp1252"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\n\r").encode(),
    ],
)
def test_encodings_and_line_ends(encode):
    text = (
        '<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<META HTTP-EQUIV="Content-Type" CONTENT="text/html; '
        'charset=UTF-8">\n<DL><p>\n<DT><A HREF="https://a.example/é" TAGS="Économie">L\'été à 5</A>\n'
        "<DD>déjà vu\n</DL><p>\n"
    )
    data = encode(text)
    assert is_bookmarks(data)
    (clipping,), warnings = parse_bookmarks(data, "b.html")
    assert (clipping.title, clipping.tags) == ("L'été à 5", ("Économie",))
    assert (clipping.link, clipping.excerpt) == ("https://a.example/é", "déjà vu")
    assert not warnings


def test_euro_and_quotation_marks_of_windows_1252():
    data = f'{HEAD}<DT><A HREF="https://a.example/">«'.encode("cp1252") + b" \x93100 \x80\x94 "
    assert parse_bookmarks(data, "b")[0][0].title == "« “100 €”"


def test_one_wrong_byte_does_not_spoil_the_others():
    data = f"{HEAD}<DT><A HREF='https://a.example/'>été ".encode() + b"\xe9"
    assert parse_bookmarks(data, "b")[0][0].title == "été é"


@pytest.mark.parametrize(
    ("body", "read_count", "links"),
    [
        (
            '<DT><A HREF="https://a.example/">A</A><!-- <DT><A HREF="https://b.example/">B</A> -->',
            1,
            2,
        ),
        (
            '<DT><A HREF="https://a.example/">A</A><DT><A TITLE="x HREF="https://b.example/">B</A>',
            1,
            2,
        ),
        ('<!-- <DT><A HREF="https://a.example/">A</A>', 0, 1),
    ],
)
def test_links_that_are_not_read_are_reported(body, read_count, links):
    _, warnings = read(body)
    assert [str(warning) for warning in warnings if "links" in str(warning)] == [
        f"b.html: of {links} links in the file, {read_count} were read"
    ]


@pytest.mark.parametrize(
    "data",
    [
        b'<DL><p><DT><A HREF="https://a.example/">A</A></DL>',
        b'<META CONTENT="text/html"><TITLE>B</TITLE><H1>B</H1><DL><DT><A HREF="https://a.example/">A</A>',
        b'<!-- generated -->\n<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><DT><A HREF="https://a.example/">A',
        b'<!DOCTYPE html><html><body><dl><dt><a href="https://a.example/">A</a></dl></body></html>',
        b'<!DOCTYPE html><html><!--So long--><body><h1>Unread</h1><ul><li><a href="https://a.example/" '
        b'time_added="1509494400" tags="a,b">A</a></li></ul></body></html>',
    ],
)
def test_bookmark_structure_without_document_type(data):
    assert is_bookmarks(data)
    (clipping,), warnings = parse_bookmarks(data, "b.html")
    assert (clipping.title, clipping.link) == ("A", "https://a.example/")
    assert not warnings


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body><p><a href='https://a.example/'>A page</a></body></html>",
        b"<?xml version='1.0'?><feed><entry><content><dl><dt><a href='x'>A</a></dl></content></entry></feed>",
        b"<feed><entry><content><dl><dt><a href='x'>A</a></dl></content></entry></feed>",
        b"\x00", b"", b"<", b"{", "• <dl><dt><a href='x'>".encode(),
    ],
)  # fmt: skip
def test_pages_and_feeds_are_not_bookmarks(data):
    assert not is_bookmarks(data)


@pytest.mark.parametrize(
    "piece", ["<!--", '<a x="', "<a x='", "<a ", "<![CDATA[", "</", "&", "<a href="]
)
def test_time_is_linear(piece):
    parse_bookmarks((HEAD + piece * 200_000).encode(), "b.html")
