"""Pictures, audio and video of an entry."""

import pytest

from aggregator.model import Enclosure
from aggregator.parse.media import MAX_ENCLOSURES, read_duration
from tests.parse.documents import read_entry, read_item

AUDIO = '<enclosure url="https://a.example/e.mp3" type="audio/mpeg" length="1234"/>'


def media(attributes, inside=""):
    return f"<media:content {attributes}>{inside}</media:content>"


PNG = 'url="https://i.example/p.png" type="image/png" medium="image"'


def test_caption_belongs_to_its_picture():
    """The form of Mastodon: the post in description, alternative texts in media:description."""
    entry = read_item(
        "<description>&lt;p&gt;The post&lt;/p&gt;</description>"
        + media(PNG, '<media:rating scheme="urn:simple">nonadult</media:rating><media:description type="plain">A heron &lt;3</media:description>')
        + media('url="https://i.example/q.jpg" type="image/jpeg" fileSize="99"', "<media:description>A cat</media:description>")
    )  # fmt: skip
    assert entry.title == "The post"
    assert entry.enclosures == (
        Enclosure("https://i.example/p.png", "image/png", title="A heron <3"),
        Enclosure("https://i.example/q.jpg", "image/jpeg", 99, title="A cat"),
    )
    assert entry.image == "https://i.example/p.png"


@pytest.mark.parametrize(
    ("elements", "image"),
    [
        ('<media:thumbnail url="https://i.example/t.jpg"/>', "https://i.example/t.jpg"),
        ('<media:thumbnail url="https://i.example/s.jpg" width="75"/><media:thumbnail url="https://i.example/l.jpg" width="640"/>', "https://i.example/l.jpg"),
        ('<media:thumbnail>https://i.example/t.jpg</media:thumbnail>', "https://i.example/t.jpg"),
        ('<media:group><media:thumbnail url="https://i.example/t.jpg"/></media:group>', "https://i.example/t.jpg"),
        (media('url="https://v.example/v.mp4" type="video/mp4"', '<media:thumbnail url="https://i.example/t.jpg"/>'), "https://i.example/t.jpg"),
        ('<itunes:image href="https://i.example/i.jpg"/>', "https://i.example/i.jpg"),
        ('<itunes:image url="https://i.example/i.jpg"/>', "https://i.example/i.jpg"),
        (media(PNG), "https://i.example/p.png"),
        (media('url="https://i.example/p" medium="image"'), "https://i.example/p"),
        ('<enclosure url="https://i.example/e.jpg" type="image/jpeg" length="0"/>', "https://i.example/e.jpg"),
        ("<image><url>https://i.example/x.jpg</url></image>", "https://i.example/x.jpg"),
        ("<image>https://i.example/x.jpg</image>", "https://i.example/x.jpg"),
        ('<media:thumbnail url="/t.jpg"/>', "https://blog.example/t.jpg"),
        ('<media:thumbnail url="//i.example/t.jpg"/>', "https://i.example/t.jpg"),
        ('<media:thumbnail url=""/>', None),
        (media('url="https://0.gravatar.com/avatar/1" medium="image"'), None),
        ('<media:thumbnail height="30" width="30" url="https://avatars.githubusercontent.com/u/1?s=60&amp;v=4"/>', None),
        ('<media:thumbnail height="16" width="16" url="https://i.example/icon.png"/>', None),
        (media('url="https://i.example/140.jpg" width="140" medium="image"') + media('url="https://i.example/460.jpg" width="460" medium="image"'), "https://i.example/460.jpg"),
        ('<atom:link rel="enclosure" href="https://i.example/i.jpg"/>', "https://i.example/i.jpg"),
        ("<image><title>IMG</title><description>a longer alternative text</description><url>https://i.example/x.jpg</url></image>", "https://i.example/x.jpg"),
    ],
)  # fmt: skip
def test_picture_of_an_entry(elements, image):
    entry = read_item(f"<title>T</title><description>x</description>{elements}")
    assert entry.image == image
    assert (entry.title, entry.content) == ("T", "x")


@pytest.mark.parametrize(
    ("elements", "enclosures"),
    [
        (AUDIO, [("https://a.example/e.mp3", "audio/mpeg", 1234, None)]),
        (AUDIO + "<itunes:duration>1:02:03</itunes:duration>", [("https://a.example/e.mp3", "audio/mpeg", 1234, 3723)]),
        ("<itunes:duration>90</itunes:duration>" + AUDIO, [("https://a.example/e.mp3", "audio/mpeg", 1234, 90)]),
        (media('url="https://v.example/v.mp4" type="video/mp4" duration="61" fileSize="5"'), [("https://v.example/v.mp4", "video/mp4", 5, 61)]),
        (media('url="https://v.example/v.webm"'), [("https://v.example/v.webm", "video/webm", None, None)]),
        (media('url="https://v.example/v" medium="video"'), [("https://v.example/v", "video/mp4", None, None)]),
        (AUDIO + media('url="https://a.example/e.mp3" duration="7"'), [("https://a.example/e.mp3", "audio/mpeg", 1234, 7)]),
        ('<enclosure url="e.mp3"/>', [("https://blog.example/e.mp3", "audio/mpeg", None, None)]),
        ('<enclosure url="https://a.example/e" length="0" type="audio/ogg"/>', [("https://a.example/e", "audio/ogg", None, None)]),
        (media('url="https://v.example/f" type="application/x-shockwave-flash"'), []),
        ("<enclosure/>", []),
        ('<enclosure url="https://a.example/a.m4a?x=1" type="mp3"/><itunes:duration>61</itunes:duration>', [("https://a.example/a.m4a?x=1", "audio/mp4", None, 61)]),
        ('<enclosure url="https://a.example/a.mp3" type="application/octet-stream"/><itunes:duration>61</itunes:duration>', [("https://a.example/a.mp3", "audio/mpeg", None, 61)]),
        ('<enclosure url="https://a.example/a.mp3"/><enclosure url="https://a.example/a.ogg"/><itunes:duration>61</itunes:duration>', [("https://a.example/a.mp3", "audio/mpeg", None, 61), ("https://a.example/a.ogg", "audio/ogg", None, 61)]),
        ('<media:player url="https://b.example/player?v=1"/>', [("https://b.example/player?v=1", "text/html", None, None)]),
        (AUDIO * 2, [("https://a.example/e.mp3", "audio/mpeg", 1234, None)]),
    ],
)  # fmt: skip
def test_audio_and_video_are_enclosures(elements, enclosures):
    entry = read_item(f"<title>T</title>{elements}")
    assert [
        (e.url, e.type, e.length_bytes, e.duration_seconds) for e in entry.enclosures
    ] == enclosures


def test_group_is_one_thing_in_several_renditions():
    entry = read_item(
        "<title>T</title><media:group>"
        + media('url="https://v.example/low.mp4" type="video/mp4" width="320"')
        + media('url="https://v.example/high.mp4" type="video/mp4" width="1280" isDefault="true"')
        + media('url="https://i.example/1.jpg" type="image/jpeg" width="320"')
        + media('url="https://i.example/2.jpg" type="image/jpeg" width="640"')
        + "<media:title>A film</media:title></media:group>"
    )
    assert [(e.url, e.title) for e in entry.enclosures] == [
        ("https://v.example/high.mp4", "A film"),
        ("https://i.example/2.jpg", "A film"),
    ]


def test_one_picture_in_many_sizes_is_one_enclosure():
    sizes = (
        media(f'url="https://i.example/p.jpg?width={n}" width="{n}" medium="image"')
        for n in (140, 700, 460)
    )
    entry = read_item("<title>T</title>" + "".join(sizes))
    assert [e.url for e in entry.enclosures] == ["https://i.example/p.jpg?width=700"]
    assert entry.image == "https://i.example/p.jpg?width=700"


def test_enclosures_of_atom():
    entry = read_entry(
        '<title>T</title><link href="https://blog.example/p/"/>'
        '<link rel="enclosure" href="a.mp3" type="audio/mpeg" length="5" title="Episode"/>'
        '<content src="b.ogg" type="audio/ogg"/>'
    )
    assert entry.enclosures == (
        Enclosure("https://blog.example/p/a.mp3", "audio/mpeg", 5, title="Episode"),
        Enclosure("https://blog.example/p/b.ogg", "audio/ogg"),
    )


def test_video_channel():
    """The form of YouTube and PeerTube: everything in one media:group."""
    entry = read_entry(
        '<title>A film</title><link href="https://v.example/watch?v=1"/><media:group>'
        '<media:title>A film</media:title><media:content url="https://v.example/v/1" type="application/x-shockwave-flash"/>'
        '<media:thumbnail url="https://i.example/hq.jpg" width="480" height="360"/>'
        "<media:description>Line one\n\nI &lt;3 &lt;b&gt;</media:description></media:group>"
    )
    assert entry.content == "Line one<br>\n<br>\nI &lt;3 &lt;b&gt;"
    assert entry.image == "https://i.example/hq.jpg"
    assert entry.enclosures == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600", 3600), ("62:03", 3723), ("1:02:03", 3723), ("00:00:45", 45), (" 12 ", 12),
        ("12.5", 12), ("0", None), ("", None), ("an hour", None), ("1:2:3:4", None), ("-5", None),
        ("٣", None),
    ],
)  # fmt: skip
def test_duration(text, seconds):
    assert read_duration(text) == seconds


def test_number_of_enclosures_is_limited():
    many = "".join(f'<enclosure url="https://a.example/{n}.mp3"/>' for n in range(1000))
    assert len(read_item(many).enclosures) == MAX_ENCLOSURES
