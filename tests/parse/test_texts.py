"""Which element is the text of an entry. The expected values are what the author's page shows."""

import itertools

import pytest

from tests.parse.documents import read, read_entry, read_item, rss

ARTICLE = "<description>&lt;p&gt;The article.&lt;/p&gt;</description>"
FULL = "<content:encoded><![CDATA[<p>The whole article.</p>]]></content:encoded>"
FLAT = "<itunes:summary>The article.</itunes:summary>"
PICTURE = (
    '<media:content url="https://i.example/{0}.jpg" medium="image">'
    "<media:description>Caption {0}</media:description></media:content>"
)
GROUP = f"<media:group>{PICTURE.format(1)}{PICTURE.format(2)}</media:group>"


@pytest.mark.parametrize("more", [PICTURE.format(1), PICTURE.format(1) + PICTURE.format(2), GROUP])
def test_caption_is_not_the_text(more):
    for elements in (ARTICLE + more, more + ARTICLE):
        entry = read_item(elements)
        assert (entry.content, entry.summary) == ("<p>The article.</p>", "")
        assert entry.title == "The article."


@pytest.mark.parametrize("order", list(itertools.permutations([ARTICLE, FULL, FLAT, GROUP])))
def test_order_of_the_elements_makes_no_difference(order):
    entry = read_item("".join(order))
    assert entry.content == "<p>The whole article.</p>"
    assert entry.summary == "<p>The article.</p>"


@pytest.mark.parametrize("order", [(ARTICLE, FLAT), (FLAT, ARTICLE)])
def test_flat_summary_for_podcasts_is_not_the_text(order):
    entry = read_item("".join(order))
    assert (entry.content, entry.summary) == ("<p>The article.</p>", "")


def test_markup_is_shown_as_markup_after_a_flat_summary():
    entry = read_item(f"{FLAT}<description>One&lt;br&gt;two</description>")
    assert entry.content == "One<br>two"


@pytest.mark.parametrize(
    ("elements", "content"),
    [
        ("<itunes:summary>Notes</itunes:summary>", "Notes"),
        ("<itunes:subtitle>Short</itunes:subtitle>", "Short"),
        ("<itunes:subtitle>Short</itunes:subtitle><itunes:summary>Notes</itunes:summary>", "Notes"),
        ("<googleplay:description>Notes</googleplay:description>", "Notes"),
        ("<media:description>I &lt;3 &lt;b&gt;</media:description>", "I &lt;3 &lt;b&gt;"),
        ("<media:description>One\ntwo</media:description>", "One<br>\ntwo"),
        ('<media:description type="html">&lt;b&gt;x&lt;/b&gt;</media:description>', "<b>x</b>"),
        ("<media:group><media:description>In it</media:description></media:group>", "In it"),
        ("<dc:description>Words</dc:description>", "Words"),
        ("<description/><itunes:summary>Notes</itunes:summary>", "Notes"),
        ("<description> </description><content:encoded>x</content:encoded>", "x"),
        ("<content:encoded/><description>x</description>", "x"),
    ],
)
def test_other_elements_are_the_text_if_nothing_else_exists(elements, content):
    assert read_item(f"<title>T</title>{elements}").content == content


def test_longer_notes_for_podcasts_are_not_lost():
    entry = read_item(
        "<description>A teaser.</description>"
        "<itunes:summary>A teaser. Then come all the notes of the episode, with many words.</itunes:summary>"
    )
    assert entry.content == "A teaser."
    assert entry.summary == "A teaser. Then come all the notes of the episode, with many words."


def test_each_text_is_kept_apart():
    entry = read_item(
        ARTICLE + "<dc:description>Another view of it, with more words in it.</dc:description>"
    )
    assert {entry.content, entry.summary} == {
        "<p>The article.</p>",
        "Another view of it, with more words in it.",
    }
    assert "The article." in entry.text
    assert "Another view of it" in entry.text


def test_matching_reads_content_and_summary():
    entry = read_item(FULL + "<description>The editor's chapeau.</description>")
    assert entry.text == "The whole article.\n\nThe editor's chapeau."


def test_excerpt_is_not_repeated_in_the_text():
    entry = read_item(FULL + "<description>The whole article.</description>")
    assert entry.text == "The whole article."


def test_texts_of_the_feed_do_not_belong_to_its_first_entry():
    channel = "<title>F</title><description>All</description><itunes:summary>All</itunes:summary>"
    document = rss(f"<item>{FLAT}{ARTICLE}</item><item>{ARTICLE}{FLAT}</item>", channel)
    assert {entry.content for entry in read(document).entries} == {"<p>The article.</p>"}


@pytest.mark.parametrize(
    ("elements", "content", "summary"),
    [
        ("<summary>A &lt;b&gt;</summary>", "A &lt;b&gt;", ""),
        ('<summary type="html">A &lt;b&gt;b&lt;/b&gt;</summary>', "A <b>b</b>", ""),
        ('<content type="html">&lt;i&gt;c&lt;/i&gt;</content><summary>s</summary>', "<i>c</i>", "s"),
        ('<summary>s</summary><content type="text">1 &lt; 2</content>', "1 &lt; 2", "s"),
        ('<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>x</p></div></content>', "<p>x</p>", ""),
        ('<content type="text">t</content><content type="html">&lt;b&gt;h&lt;/b&gt;</content>', "<b>h</b>", ""),
        ('<summary>s</summary><content type="image/png">aGVsbG8=</content>', "s", ""),
        ('<summary>s</summary><content type="audio/mpeg" src="https://a.example/a.mp3"/>', "s", ""),
    ],
)  # fmt: skip
def test_texts_of_atom(elements, content, summary):
    entry = read_entry(f"<title>T</title>{elements}")
    assert (entry.content, entry.summary) == (content, summary)


def test_details_element_in_xhtml_does_not_end_the_text():
    entry = read_entry(
        '<title>T</title><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">'
        "<details><summary>More</summary>inside</details><p>after</p></div></content>"
        "<summary>The summary</summary>"
    )
    assert entry.summary == "The summary"
    assert all(word in entry.text for word in ("More", "inside", "after"))


@pytest.mark.parametrize(
    ("elements", "title"),
    [
        ("<itunes:title>Episode 1</itunes:title><description>Notes</description>", "Episode 1"),
        ("<title>T</title><itunes:title>Episode 1</itunes:title>", "T"),
        ("<itunes:title>Episode 1</itunes:title><title>T</title>", "T"),
        ("<dc:title>D</dc:title><description>x</description>", "D"),
        ('<media:content url="https://v.example/v"><media:title>A film</media:title></media:content>', "A film"),
        ("<media:title>A film</media:title><title>T</title>", "T"),
        ("<media:group><media:title>A film</media:title></media:group>", "A film"),
        (f"{ARTICLE}<media:content url='https://v.example/v'><media:title>alt</media:title></media:content>", "The article."),
        ("<description>Words without a title</description>", "Words without a title"),
        ("<link>https://blog.example/a</link>", "https://blog.example/a"),
    ],
)  # fmt: skip
def test_title(elements, title):
    assert read_item(elements).title == title


@pytest.mark.parametrize("order", [1, -1])
def test_elements_in_a_picture_are_about_the_picture(order):
    picture = "<image><url>https://i.example/i.jpg</url><title>IMG</title><description>A long caption</description></image>"
    elements = ["<title>Real</title><description>d</description>", picture][::order]
    entry = read_item("".join(elements))
    assert (entry.title, entry.content, entry.summary) == ("Real", "d", "")


def test_unprefixed_elements_in_media_are_about_the_media():
    entry = read_item(
        '<media:content url="https://i.example/i.jpg"><title>inner</title><description>A long caption</description>'
        "</media:content><description>d</description><title>T</title>"
    )
    assert (entry.title, entry.content) == ("T", "d")


def test_text_in_two_parts_is_whole():
    parts = "<content:encoded>&lt;p&gt;One&lt;/p&gt;</content:encoded><content:encoded>&lt;p&gt;Two&lt;/p&gt;</content:encoded>"
    assert read_item(parts).content == "<p>One</p>\n<p>Two</p>"


@pytest.mark.parametrize(
    ("element", "language"),
    [
        ("<dc:language>fr</dc:language>", "fr"),
        ("<dc:language>fra</dc:language>", "fr"),
        ("<dc:language>fr_FR</dc:language>", "fr-FR"),
        ("<dc:language>utf-8</dc:language>", None),
        ("<dc:language>iw</dc:language>", "he"),
        ('<description xml:lang="fr">Oui</description>', "fr"),
    ],
)
def test_stated_language_of_a_short_entry(element, language):
    assert read_item(f"<title>Oui</title>{element}").language == language
