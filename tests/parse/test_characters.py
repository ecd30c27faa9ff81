"""Every way to write a character, in every place, and every wrong declaration of the encoding."""

import pytest

from tests.parse.documents import CHANNEL, read, rss

NETSCAPE = (
    '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
    '"http://my.netscape.com/publish/formats/rss-0.91.dtd">'
)
WAYS = [
    ("l&#146;&#156;uvre", "l’œuvre"),  # numbers of windows-1252, as browsers read them
    ("&#128;&#x80;", "€€"),
    ("&Eacute;t&eacute;", "Été"),
    ("&oelig;&hellip;&euro;", "œ…€"),
    ("&#233;&#xe9;&#XE9;", "ééé"),
    ("&#55357;&#56832;", "😀"),  # the halves of a character in UTF-16
    ("&#xD83D;&#xDE00;", "😀"),
    ("&#128512;", "😀"),
    ("é 😀", "é 😀"),
    ("a&#11;b&#0;c", "abc"),
    ("AT&T", "AT&T"),
    ("a&b=c", "a&b=c"),
    ("R&amp;D", "R&D"),
    ("&nosuch;", "&nosuch;"),
    ("Caf&eacute latte", "Café latte"),
    ("Caf&#233 latte", "Café latte"),
    ("x&#8217s", "x’s"),
    ("Q&amp A", "Q& A"),
]
PLACES = {
    "title": ("<title>{}</title>", lambda entry: entry.title),
    "text": ("<description>{}</description>", lambda entry: entry.text),
    "category": ("<category>{}</category>", lambda entry: entry.categories[0].term),
    "author": ("<author>{}</author>", lambda entry: entry.authors[0].name),
    "attribute": (
        '<media:content url="https://i.example/p.png"><media:title>{}</media:title></media:content>'
        '<category domain="https://a.example/">x</category>',
        lambda entry: entry.enclosures[0].title,
    ),
}


@pytest.mark.parametrize("doctype", ["", NETSCAPE, '<!DOCTYPE rss [<!ENTITY x "y">]>'])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("written", "character"), WAYS)
def test_every_way_to_write_a_character(written, character, place, doctype):
    element, value = PLACES[place]
    document = doctype + rss(f"<item>{element.format(written)}<guid>g</guid></item>")
    (entry,) = read(document).entries
    assert value(entry) == character
    assert entry.key == "g"


@pytest.mark.parametrize("doctype", ["", NETSCAPE])
def test_characters_in_an_attribute(doctype):
    document = doctype + rss(
        '<item><enclosure url="https://a.example/?x=1&y=&eacute;&#146;"/></item>'
    )
    (entry,) = read(document).entries
    assert entry.enclosures[0].url == "https://a.example/?x=1&y=é’"


def test_section_of_characters_is_html():
    (entry,) = read(
        rss("<item><description><![CDATA[&eacute; &#146; & <b>x</b>]]></description></item>")
    ).entries
    assert entry.text == "é ’ & x"


TEXT = "L’été à l’œuvre, 5 €"


@pytest.mark.parametrize(
    ("encoding", "declaration", "content_type", "text"),
    [
        ("utf-8", "windows-1252", "text/xml; charset=windows-1252", TEXT),
        ("utf-8", "", "text/xml; charset=iso-8859-1", TEXT),
        ("utf-8", "iso-8859-1", "", TEXT),
        ("utf-8", "utf-8", "text/xml; charset=us-ascii", TEXT),
        ("windows-1252", "windows-1252", "text/xml; charset=utf-8", TEXT),
        ("windows-1252", "iso-8859-1", "", TEXT),
        ("windows-1252", "utf-8", "text/xml; charset=utf-8", TEXT),
        ("windows-1252", "", "", TEXT),
        ("iso-8859-15", "iso-8859-15", "", "L'été à l'œuvre, 5 €"),
        ("mac-roman", "macintosh", "", TEXT),
        ("utf-16", "utf-16", "", TEXT),
        ("utf-16-le", "utf-8", "text/xml; charset=utf-8", TEXT),
        ("utf-8-sig", "iso-8859-1", "", TEXT),
        ("cp932", "Shift_JIS", "text/xml", "①髙﨑のコモンズ"),
        ("cp932", "shift_jis", "text/xml; charset=iso-8859-1", "①髙﨑のコモンズ"),
        ("euc_jp", "EUC-JP", "", "コモンズ"),
        ("iso2022_jp", "ISO-2022-JP", "", "コモンズ"),
        ("gbk", "gb2312", "", "镕基与公地"),
        ("big5", "Big5", "", "公共資源"),
        ("cp949", "euc-kr", "", "똠방각하 공유"),
        ("koi8-r", "koi8-r", "text/xml; charset=ISO-8859-1", "Общее достояние"),
        ("windows-1251", "windows-1251", "", "Общее достояние"),
        ("iso-8859-9", "iso-8859-9", "", "Müşterekler ığ"),
        ("iso-8859-2", "iso-8859-2", "", "Wspólne dobro ąęł"),
        ("iso-8859-7", "iso-8859-7", "", "Κοινά αγαθά"),
    ],
)
def test_encodings(encoding, declaration, content_type, text):
    head = f'<?xml version="1.0" encoding="{declaration}"?>' if declaration else ""
    document = (head + rss(f"<item><title>{text}</title></item>")).encode(encoding)
    (entry,) = read(document, content_type).entries
    assert entry.title == text


def test_latin_letters_in_a_utf8_document():
    document = rss("<item><title>l’été à l’œuvre</title><author>Ren@</author></item>").encode()
    parsed = read(document.replace(b"@", "é".encode("latin-1")))
    assert (parsed.entries[0].title, parsed.entries[0].authors[0].name) == (
        "l’été à l’œuvre",
        "René",
    )
    assert parsed.notes == ("some bytes are not valid UTF-8",)


@pytest.mark.parametrize("start", ["\n", "\r\n\r\n", "  ", "\ufeff\n"])
def test_blank_line_before_the_declaration_is_no_damage(start):
    parsed = read(start + '<?xml version="1.0"?>' + rss("<item><title>T</title></item>", CHANNEL))
    assert (parsed.entries[0].title, parsed.warnings, parsed.notes) == ("T", (), ())
    assert parsed.seen is not None


@pytest.mark.parametrize("text", ["L’été à l’œuvre, 5 €", "Общее достояние", "コモンズ", "Été"])
def test_text_that_was_encoded_twice(text):
    document = rss(f"<item><title>{text}</title></item>").encode()
    twice = "".join(
        bytes([byte]).decode("cp1252") if byte not in b"\x81\x8d\x8f\x90\x9d" else chr(byte)
        for byte in document
    ).encode()
    parsed = read(twice)
    assert parsed.entries[0].title == text
    assert parsed.notes == ("its text was encoded twice",)
