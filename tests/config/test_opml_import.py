import pytest

from aggregator.config.opml_import import read_opml


def read(*outlines, head='<opml version="2.0"><head><title>Feeds</title></head><body>'):
    return read_opml(f"{head}{''.join(outlines)}</body></opml>".encode())


def addresses(*outlines):
    feeds, warnings = read(*outlines)
    assert not warnings
    return [feed.url for feed in feeds]


def test_opml_import():
    feeds, warnings = read_opml(
        b"""<opml version="1.0"><body><outline text="Folder">
        <outline text="A &amp; B" type="rss" xmlUrl="https://a.example/?x=1&amp;y=2"/></outline>
        <outline type="rss" text="" xmlUrl="b.example/feed"/>
        <outline type="rss" text="C" xmlUrl="javascript://c"/></body></opml>"""
    )
    assert [(feed.url, feed.title, feed.folders) for feed in feeds] == [
        ("https://a.example/?x=1&y=2", "A & B", ("Folder",)),
        ("http://b.example/feed", "http://b.example/feed", ()),
    ]
    assert warnings == ['"C" has no web address: left out']


def test_opml_warning_is_one_line():
    text = '<opml><body><outline text="a&#10;[site]&#10;b" xmlUrl="https://[bad"/></body></opml>'
    assert read_opml(text.encode())[1] == ['"a [site] b" has no web address: left out']


@pytest.mark.parametrize(
    "data", [b"", b"junk", b"<rss/>", b'<outline xmlUrl="https://a.example/"/>']
)
def test_invalid_opml(data):
    with pytest.raises(ValueError, match="not an OPML list"):
        read_opml(data)


@pytest.mark.parametrize(
    ("encoding", "declaration"),
    [
        ("iso-8859-1", '<?xml version="1.0" encoding="ISO-8859-1"?>'),
        ("windows-1252", '<?xml version="1.0" encoding="windows-1252"?>'),
        ("windows-1252", "<?xml version='1.0' encoding='iso-8859-1' standalone='yes'?>\n"),
        ("windows-1252", ""),
        ("windows-1252", '<?xml version="1.0" encoding="UTF-8"?>'),  # a wrong declaration
        ("utf-8", '<?xml version="1.0" encoding="UTF-8"?>'),
        ("utf-8-sig", ""),
        ("utf-8", '<?xml version="1.0" encoding="utf-16"?>'),
        ("utf-16", '<?xml version="1.0" encoding="UTF-16"?>'),
        ("utf-16-le", ""),
        ("iso-8859-15", '<?xml version="1.0" encoding="ISO-8859-15"?>'),
    ],
)
def test_encodings(encoding, declaration):
    text = f'{declaration}<opml><body><outline text="Économie" xmlUrl="https://a.example/é"/></body></opml>'
    (feed,), warnings = read_opml(text.encode(encoding))
    assert (feed.title, feed.url) == ("Économie", "https://a.example/é")
    assert not warnings


def test_japanese_list():
    text = '<?xml version="1.0" encoding="Shift_JIS"?><opml><outline text="共有①" xmlUrl="https://a.example/"/></opml>'
    assert read_opml(text.encode("cp932"))[0][0].title == "共有①"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("feed://a.example/x", "http://a.example/x"),
        ("feed:https://a.example/x", "https://a.example/x"),
        ("feed://https://a.example/x", "https://a.example/x"),
        ("FEED://a.example/x", "http://a.example/x"),
        ("itpc://a.example/x", "http://a.example/x"),
        ("a.example/x", "http://a.example/x"),
        ("a.example:8080/x", "http://a.example:8080/x"),
        ("//a.example/x", "http://a.example/x"),
        (" https://a.example/x\n", "https://a.example/x"),
        ("https://a.example/a b", "https://a.example/a%20b"),
        ("https://a.example/?a=1&amp;b=2", "https://a.example/?a=1&b=2"),
        ("https://a.example/?a=1&b=2&copy=3", "https://a.example/?a=1&b=2&copy=3"),
        ("https://a.example/?a=&quot;x&#x20;y&quot;", "https://a.example/?a=%22x%20y%22"),
        ("HTTPS://a.example/x", "HTTPS://a.example/x"),
    ],
)
def test_addresses(address, url):
    assert addresses(f'<outline type="rss" text="A" xmlUrl="{address}"/>') == [url]


@pytest.mark.parametrize(
    "outline",
    [
        '<outline text="A" xmlUrl="https://a.example/"/>',
        '<outline TYPE="RSS" TEXT="A" XMLURL="https://a.example/"/>',
        "<outline text='A' xmlurl='https://a.example/'></outline>",
        '<outline type="link" text="A" xmlUrl="https://a.example/"/>',
        '<outline type="include" text="A" xmlUrl="https://a.example/"/>',
        '<outline type="atom" title="A" xmlUrl = "https://a.example/" />',
        '<outline type="rss" text="A" url="https://a.example/"/>',
        '<outline text=" " title="A"\nxmlUrl="https://a.example/" htmlUrl="https://a.example/"/>',
        '<Outline text="A" xmlUrl="https://a.example/"/>',
        '<outline text="A" description="5 > 3 &" xmlUrl="https://a.example/"/>',
    ],
)
def test_outlines(outline):
    (feed,), warnings = read(outline)
    assert (feed.title, feed.url) == ("A", "https://a.example/")
    assert not warnings


def test_folders_a_hundred_deep():
    deep = '<outline text="F{}">'
    opened = "".join(deep.format(n) for n in range(100))
    feeds, warnings = read(
        opened,
        '<outline text="A" xmlUrl="https://a.example/"/>',
        "</outline>" * 100,
        '<outline text="B" xmlUrl="https://b.example/"/>',
    )
    assert [feed.url for feed in feeds] == ["https://a.example/", "https://b.example/"]
    assert feeds[0].folders[-1] == "F99"
    assert feeds[1].folders == ()
    assert not warnings


def test_feed_in_two_folders_is_one():
    feeds, warnings = read(
        '<outline text="One"><outline text="A" xmlUrl="https://a.example/"/></outline>',
        '<outline text="Two"><outline text="Again" xmlUrl="https://a.example/"/></outline>',
    )
    assert [(feed.title, feed.folders) for feed in feeds] == [("A", ("One", "Two"))]
    assert not warnings


def test_outlines_without_feed_are_reported():
    feeds, warnings = read(
        '<outline text="L" type="link" url="https://a.example/page"/>',
        '<outline text="I" type="include" url="https://a.example/more.opml?token=SECRET"/>',
        '<outline text="H" type="rss" htmlUrl="https://h.example/"/>',
        '<outline text="Folder"/><outline/>',
    )
    assert not feeds
    assert warnings == [
        '"L" is a link to https://a.example/page, not a feed: left out',
        '"I" is a link to https://a.example/more.opml?token=…, not a feed: left out',
        '"H" has no feed: left out; "aggregator discover https://h.example/" may find one',
    ]


def test_feeds_that_are_not_read_are_reported():
    feeds, warnings = read(
        '<outline text="A" xmlUrl="https://a.example/"/>',
        '<!-- <outline text="B" xmlUrl="https://b.example/"/> -->',
    )
    assert len(feeds) == 1
    assert warnings == ["of 2 feeds in the list, 1 were read"]


def test_thousands_of_feeds_in_linear_time():
    outline = '<outline text="A" xmlUrl="https://a.example/{}">'
    feeds, _ = read("".join(outline.format(n) for n in range(10_000)))  # none is closed
    assert len(feeds) == 10_000


def test_entities_are_not_expanded():
    head = '<!DOCTYPE opml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><opml><body>'
    (feed,), _ = read('<outline text="&b; &eacute;" xmlUrl="https://a.example/"/>', head=head)
    assert feed.title == "&b; é"
