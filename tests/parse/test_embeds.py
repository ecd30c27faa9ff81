"""Pictures, players and formulas, as feed readers show them."""

import re

import pytest

from aggregator.parse.lazy_pictures import _largest_source
from aggregator.parse.sanitize import clean_html, text_from_html

BASE = "https://a.example/dir/page"
REL = ' rel="noopener noreferrer"'


def clean(html):
    cleaned = clean_html(html, BASE)
    assert clean_html(cleaned, BASE) == cleaned
    assert clean_html(cleaned, "https://b.example/", page="https://b.example/p") == cleaned
    return cleaned


def pictures(html):
    return re.findall('<img[^>]* src="([^"]*)"', clean(html))


def links(html):
    """The links with their texts, and the frames."""
    cleaned = clean(html)
    found = re.findall('<a href="([^"]*)"[^>]*>(.*?)</a>', cleaned)
    names = [(url, " ".join(re.sub("<[^>]*>", " ", name).split())) for url, name in found]
    return names, re.findall('<iframe[^>]* src="([^"]*)"', cleaned)


# --- pictures


@pytest.mark.parametrize(
    "html",
    [
        "<img data-src='real.jpg'>",
        "<img src='' data-src='real.jpg'>",
        "<img src='data:image/gif;base64,R0lGOD' data-src='real.jpg'>",
        "<img src='#' data-lazy-src='/dir/real.jpg'>",
        "<img src='/img/blank.gif' data-original='real.jpg' class=lazy>",
        "<img src='/img/loader.svg' data-src='real.jpg'>",
        "<IMG SRC='spacer.gif' data-lazyload='real.jpg'>",
        "<img src='about:blank' data-lazy='real.jpg'>",
        "<img src='data:,' data-lazy='true' data-lazy-src='real.jpg'>",
        "<img src='1x1.png' data-orig-file='real.jpg'>",
        "<img src='data:,' data-large-file='real.jpg'>",
        "<img srcset='small.jpg 320w, real.jpg 1024w'>",
        "<img src='placeholder.png' srcset='real.jpg 2x, small.jpg'>",
        "<img src='data:,' data-srcset='small.jpg 320w,real.jpg 1024w'>",
        "<img src='data:,' srcset='data:image/gif;base64,R0 1x' data-srcset='real.jpg'>",
        "<picture><source srcset='real.jpg 2x'><img></picture>",
        "<picture><source data-srcset='real.jpg'><source srcset='b.png'><img src='data:,'></picture>",
        "<picture><source srcset='b.webp' type=image/webp><img src='real.jpg'></picture>",
        "<img src='real.jpg' srcset='b.jpg 2000w'>",
        "<img src='real.jpg' data-orig-file='b.jpg' data-permalink='x'>",
        "<img src=' real.jpg\n'>",
        "<noscript><img src='real.jpg'></noscript>",
        "<img src='data:,'><noscript><img src='real.jpg'></noscript>",
        "<img data-src='real.jpg'><noscript><img src='real.jpg'></noscript>",
        "<noscript><img src='real.jpg'></noscript><img src='data:,' data-src='real.jpg'>",
        "<NOSCRIPT>Enable scripts. <img src='real.jpg'></NOSCRIPT>",
        "<p><noscript><p><img src='real.jpg'></p></noscript>",
        "<amp-img src='real.jpg' width=1200 height=800 layout=responsive></amp-img>",
        "<amp-img src='real.jpg'><noscript><img src='real.jpg'></noscript></amp-img>",
        "<object data='real.jpg' type='image/jpeg'>A chart</object>",
        "<embed src='real.jpg'>",
        "<figure><img data-src='real.jpg' alt='x'><figcaption>c</figcaption></figure>",
        "<a href='x'><img data-src='real.jpg'></a>",
    ],
)
def test_picture_has_its_address(html):
    assert pictures(html) == ["https://a.example/dir/real.jpg"]


@pytest.mark.parametrize(
    "html",
    [
        "<img src=''>",
        "<img>",
        "<img src='#'>",
        "<img src='#top'>",
        "<img src=' '>",
        "<img src='data:image/png;base64,AAAA'>",
        "<img src='DATA:image/png;base64,AAAA'>",
        "<img src='javascript:alert(1)'>",
        "<img src='x.gif' width=1 height=1>",
        "<img data-src='x.gif' width=1 height=1>",
        "<img data-src='' data-lazy='true'>",
        "<img srcset=''>",
        "<img srcset=', ,'>",
        "<noscript><img src='x.gif' width=1 height=1></noscript>",
        "<img src='http://[bad'>",
        "<img src='mailto:a@b.example'>",
        "<img src='#entry-12345678-x'>",
    ],
)
def test_what_shows_nothing_is_no_picture(html):
    assert clean(html) == ""


def test_picture_that_cannot_be_shown_has_its_text():
    assert clean("<p>Is <img src='data:image/png;base64,AA' alt='a &lt; \"b\"'> so?</p>") == (
        '<p>Is a &lt; "b" so?</p>'
    )


@pytest.mark.parametrize(
    ("lazy", "plain"),
    [
        ("photo-300x200.jpg", "photo.jpg"),
        ("photo.jpg?w=300", "photo.jpg?w=1200"),
        ("https://cdn.example/photo.jpg", "/uploads/photo.jpg"),
    ],
)
def test_sizes_of_one_picture_are_not_shown_twice(lazy, plain):
    html = f"<img data-src='{lazy}'><noscript><img src='{plain}'></noscript>"
    assert len(pictures(html)) == 1


def test_other_pictures_without_scripts_stay():
    html = "<img data-src='a.jpg'><noscript><img src='b.jpg'></noscript>"
    assert len(pictures(html)) == 2
    assert len(pictures("<img data-src='/i?id=1'><noscript><img src='/i?id=2'></noscript>")) == 2


@pytest.mark.parametrize(
    ("source_set", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("a.jpg 1x, b.jpg 2x", "b.jpg"),
        ("a.jpg 1x,b.jpg 1.5x", "b.jpg"),
        ("a.jpg, b.jpg 2x", "b.jpg"),
        ("b.jpg 800w, a.jpg 400w", "b.jpg"),
        ("https://cdn.example/w_424,c_limit/b.jpg 848w, a.jpg 424w", "https://cdn.example/w_424,c_limit/b.jpg"),
        ("a.jpg 100w 50h,\n\t b.jpg 200w 100h", "b.jpg"),
        (",a.jpg", "a.jpg"),
        ("a.jpg,", "a.jpg"),
        ("a.jpg nonsense", "a.jpg"),
        ("a.jpg 99999999999999999999w, b.jpg 2w", "b.jpg"),
        ("data:image/gif;base64,R0 9x, b.jpg", "b.jpg"),
        ("", ""),
    ],
)  # fmt: skip
def test_largest_candidate_is_found(source_set, expected):
    assert _largest_source(source_set) == expected


# --- players


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<video src='clip.mp4'></video>", "Video: clip.mp4"),
        ("<video src='clip.mp4' title=' My  film '></video>", "Video: My film"),
        ("<video aria-label='My film'><source src='clip.mp4'></video>", "Video: My film"),
        ("<video><source src='clip.mp4'><source src='clip.webm'>Too old</video>", "Video: clip.mp4"),
        ("<video src='blob:x'><source src='clip.mp4'></video>", "Video: clip.mp4"),
        ("<video data-src='clip.mp4' src=''></video>", "Video: clip.mp4"),
        ("<video autoplay onplay=x()><source src='clip.mp4'><a href=clip.mp4>Get it</a></video>", "Video: clip.mp4"),
        ("<amp-video src='clip.mp4'></amp-video>", "Video: clip.mp4"),
        ("<audio controls src='clip.mp4'></audio>", "Audio: clip.mp4"),
        ("<audio><source src='clip.mp4' type='audio/mpeg'>Too old</audio>", "Audio: clip.mp4"),
        ("<embed src='clip.mp4' type='video/mp4'>", "Video: clip.mp4"),
        ("<object data='clip.mp4'></object>", "clip.mp4"),
        ("<object type='video/mp4'><param name='SRC' value='clip.mp4'></object>", "Video: clip.mp4"),
        ("<object><embed src='clip.mp4'></object>", "clip.mp4"),
        ("<iframe src='clip.mp4'></iframe>", "a.example"),
        ("<iframe src='clip.mp4' title='A map'></iframe>", "A map"),
        ("<iframe data-src='clip.mp4' src='about:blank'></iframe>", "a.example"),
        ("<amp-iframe src='clip.mp4'></amp-iframe>", "a.example"),
    ],
)  # fmt: skip
def test_what_is_played_has_a_named_link(html, expected):
    assert links(html) == ([("https://a.example/dir/clip.mp4", expected)], [])


def test_player_in_a_text():
    html = "One<video src='v.mp4'></video>two <p>Three<audio src='a.mp3'></audio>four</p>"
    assert text_from_html(clean(html)) == "One\n\nVideo: v.mp4\n\ntwo\n\nThree Audio: a.mp3 four"


def test_poster_is_the_picture_of_a_video():
    html = "<video src='v.mp4' poster='/p.jpg'></video>"
    assert pictures(html) == ["https://a.example/p.jpg"]
    assert links(html) == ([("https://a.example/dir/v.mp4", "Video: v.mp4")], [])
    assert pictures("<video poster='/p.jpg'></video>") == ["https://a.example/p.jpg"]


def test_other_links_in_a_player_stay():
    html = "<video src='v.mp4'>Too old. <a href='/subtitles.vtt'>Subtitles</a></video>"
    assert links(html)[0] == [
        ("https://a.example/dir/v.mp4", "Video: v.mp4"),
        ("https://a.example/subtitles.vtt", "Subtitles"),
    ]
    assert "old" not in clean(html)


@pytest.mark.parametrize(
    "player",
    [
        "https://www.youtube.com/embed/abc?rel=0",
        "https://youtube.com/embed/abc",
        "https://www.youtube-nocookie.com/embed/abc",
        "https://player.vimeo.com/video/1",
        "https://www.dailymotion.com/embed/video/x1",
        "https://geo.dailymotion.com/player.html?video=x1",
        "https://framatube.org/videos/embed/9c9de5e8-0a1e-484a-b099-e80766180a6d",
        "https://tube.example/videos/embed/abc?title=0",
        "https://www.arte.tv/embeds/fr/100-000-A",
        "https://archive.org/embed/x",
        "https://open.spotify.com/embed/episode/1",
        "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1",
        "https://www.mixcloud.com/widget/iframe/?feed=%2Fx%2F",
        "https://player.ausha.co/index.html?podcastId=1",
        "https://embed.acast.com/x/y",
        "https://www.radiofrance.fr/embed/franceculture/x",
        "https://embed.podcasts.apple.com/fr/podcast/1",
        "https://bandcamp.com/EmbeddedPlayer/album=1",
        "https://castopod.example/@show/episodes/one/embed",
    ],
)
def test_known_players_stay(player):
    frame = f'<iframe src="{player}" width="560" height="315"></iframe>'
    assert clean(f"<p>x</p>{frame}") == f"<p>x</p>{frame}"
    lazy = f'<iframe data-src="{player}" src="about:blank" width="560" height="315"></iframe>'
    assert clean(f"<p>x</p>{lazy}") == f"<p>x</p>{frame}"


@pytest.mark.parametrize(
    "html",
    [
        "<object><param name='movie' value='http://www.youtube.com/v/abc&hl=en'><embed src='http://www.youtube.com/v/abc&hl=en'></object>",
        "<embed src='//www.youtube.com/v/abc' type='application/x-shockwave-flash'>",
        "<object data='https://www.youtube.com/embed/abc'></object>",
        "<amp-youtube data-videoid='abc' layout=responsive width=480 height=270></amp-youtube>",
        "<lite-youtube videoid='abc'></lite-youtube>",
        "<noscript><iframe src='https://www.youtube.com/embed/abc'></iframe></noscript>",
        "<iframe data-src='https://www.youtube.com/embed/abc'></iframe><noscript><iframe src='https://www.youtube.com/embed/abc'></iframe></noscript>",
        "<iframe src='https://cdn.embedly.com/widgets/media.html?src=https%3A%2F%2Fwww.youtube.com%2Fembed%2Fabc&amp;url=https%3A%2F%2Fyoutu.be%2Fabc'></iframe>",
    ],
)  # fmt: skip
def test_other_forms_of_a_known_player_give_it(html):
    names, frames = links(html)
    assert names == []
    assert [re.sub("^http:", "https:", frame) for frame in frames] == [
        "https://www.youtube.com/embed/abc"
    ]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<object data='m.swf'><a href='/page'>Watch it</a></object>", [("/page", "Watch it")]),
        ("<object><embed src='m.swf'><p>See <a href='/page'>Watch it</a></p></object>", [("/page", "Watch it")]),
        ("<object data='m.swf'>You need Flash.</object>", [("/dir/m.swf", "m.swf")]),
        ("<object data='d.pdf'><a href='d.pdf'>The report</a></object>", [("/dir/d.pdf", "The report")]),
        ("<object data='d.pdf'><a href='/get'>Reader</a></object>", [("/dir/d.pdf", "d.pdf"), ("/get", "Reader")]),
        ("<embed src='p.swf?mp3=https://a.example/x.mp3'>", [("/x.mp3", "x.mp3")]),
        ("<embed src='m.swf'><noembed><a href='/page'>Watch it</a></noembed>", [("/dir/m.swf", "m.swf"), ("/page", "Watch it")]),
        ("<noscript><a href='/poll'>Take our poll</a></noscript>", [("/poll", "Take our poll")]),
    ],
)  # fmt: skip
def test_content_for_old_browsers_stays(html, expected):
    assert links(html)[0] == [(f"https://a.example{path}", name) for path, name in expected]


@pytest.mark.parametrize(
    "html",
    [
        "<iframe></iframe>",
        "<iframe src=''></iframe>",
        "<iframe src='https://c.example/count' width=1 height=1></iframe>",
        "<iframe src='https://c.example/count' height='0'></iframe>",
        "<iframe src='https://www.facebook.com/plugins/like.php?href=x'></iframe>",
        "<noscript><iframe src='https://www.googletagmanager.com/ns.html?id=x' height=0 width=0></iframe></noscript>",
        "<noscript>Please enable JavaScript.</noscript>",
        "<video></video>",
        "<audio>Too old</audio>",
        "<object></object>",
        "<embed>",
        "<svg><text>x</text></svg>",
        "<video src='javascript:alert(1)'></video>",
        "<object data='data:text/html,x'></object>",
    ],
)  # fmt: skip
def test_what_has_nothing_to_read_is_removed(html):
    assert clean(html) == ""


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("<math><mi>a</mi><mo>+</mo><mn>1</mn></math>", "a+1"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup></math>", "x<sup>2</sup>"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup></math>", "x<sub>i</sub><sup>2</sup>"),
        ("<math><mfrac><mn>1</mn><mrow><mi>n</mi></mrow></mfrac></math>", "1/n"),
        ("<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x</annotation></semantics></math>", "x"),
    ],
)  # fmt: skip
def test_formulas_are_text(formula, expected):
    assert clean(f"<p>So {formula} holds.</p>") == f"<p>So {expected} holds.</p>"


# --- hostile input

VECTORS = [
    "<video src=x onerror=alert(1) poster='javascript:alert(1)'></video>",
    "<video poster='x\" onerror=alert(1) y=\"'></video>",
    "<audio src='https://x.example/\"><script>alert(1)</script>'></audio>",
    "<iframe src='https://x.example/' title='\"><script>alert(1)</script>'></iframe>",
    "<iframe src='https://www.youtube.com/embed/x'><script>alert(1)</script></iframe>",
    "<iframe src='https://www.youtube.com/embed/\"onload=alert(1)'></iframe>",
    "<noscript><script>alert(1)</script><img src=x onerror=alert(1)></noscript>",
    "<noscript><style></noscript><img src=x onerror=alert(1)></style></noscript>",
    "<noscript><iframe><noscript></iframe><img src=x onerror=alert(1)></noscript>",
    "<noembed><script>alert(1)</script><img src=x onerror=alert(1)></noembed>",
    "<noembed><noscript><p title='</noembed><img src=x onerror=alert(1)>'>",
    "<object data='javascript:alert(1)'><param name=movie value='javascript:alert(1)'><a href='javascript:alert(1)'>x</a></object>",
    "<img data-src='javascript:alert(1)' src=x>",
    "<img data-src='/x\" onerror=alert(1) z=\"'>",
    "<img srcset='javascript:alert(1) 9x'>",
    "<img src='data:,' alt='<script>alert(1)</script><img src=x onerror=alert(1)>'>",
    "<picture><source srcset='javascript:alert(1)' onerror=alert(1)><img></picture>",
    "<amp-img src='javascript:alert(1)' on='tap:x'></amp-img>",
    "<amp-youtube data-videoid='\"><script>alert(1)</script>'></amp-youtube>",
    "<amp-youtube data-videoid='../../evil'></amp-youtube>",
    "<base href='javascript:alert(1)//'><a href=x>y</a><video src=x></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></mtext></math>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></math>",
    "<math href='javascript:alert(1)'><mi>x</mi></math>",
    "<a id=x><video><a href='#x' onclick=alert(1)>y</a></video>",
    "<section onclick=alert(1) style='position:fixed'>x</section>",
    "<button formaction='javascript:alert(1)'>x</button><input type=image src='javascript:alert(1)' onerror=alert(1)>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<select autofocus onfocus=alert(1)><option>x</select>",
    "<x><video><x></video></x>" * 3,
    "<object>" * 300 + "<img src=x onerror=alert(1)>",
    "<div>" * 300 + "<noscript><img src=x onerror=alert(1)></noscript><iframe src='https://x.example'><b></iframe>",
]  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_active_stays(vector):
    cleaned = clean_html(f"before {vector} after", BASE, page=BASE, anchors="x")
    outside = re.sub('"[^"]*"', '""', cleaned)  # attributes without their values
    tags = re.findall("<(/?[a-z][a-z0-9]*)([^>]*)>", outside)
    names = {name.strip("/") for name, _ in tags}
    assert names <= {
        "a",
        "p",
        "img",
        "iframe",
        "div",
        "span",
        "br",
        "sup",
        "ul",
        "table",
        "tbody",
        "b",
    }
    attributes = {a for _, pairs in tags for a in re.findall(r"([\w-]+)=", pairs)}
    assert attributes <= {"href", "rel", "src", "alt", "title", "id", "width", "height", "lang"}
    addresses = re.findall('(?:href|src)="([^"]*)"', cleaned)
    assert all(re.match("https?://|#entry-", address) for address in addresses)
    for frame in re.findall("<iframe[^>]*>", cleaned):
        assert ' src="https://www.youtube.com/embed/' in frame
    assert clean_html(cleaned, BASE, page=BASE, anchors="x") == cleaned


def test_elements_that_are_nested_too_deeply_are_only_cleaned():
    html = "<div>" * 300 + "<video src=v.mp4></video><p>text</p>"
    assert text_from_html(clean_html(html, BASE)) == "text"
