import pytest

from aggregator.text.pictures import first_picture

PHOTO = '<img src="https://a.example/photo.jpg?a=1&amp;b=2" alt="x">'


@pytest.mark.parametrize(
    "before",
    [
        "",
        "<p>text</p>",
        '<img src="https://s.w.org/images/core/emoji/15.0.3/72x72/1f600.png" alt="x">',
        '<img src="https://a.example/wp-includes/images/smilies/icon_smile.gif">',
        '<img src="https://secure.gravatar.com/avatar/abc?s=96">',
        '<img src="https://a.example/icons/rss.png">',
        '<img src="https://a.example/spacer.gif">',
        '<img src="https://a.example/big.png" width="16" height="16">',
        '<img src="https://a.example/line.png" width="600" height="3px">',
        '<img width="48" src="https://a.example/author.jpg">',
        '<img src="https://feeds.feedburner.com/~r/x/~4/abc" width="100" height="100">',
        '<img src="https://pixel.wp.com/b.gif?x">',
        '<img src="https://img.shields.io/npm/v/x">',
        '<img src="/relative.png">',
        '<img alt="&lt;img src=">',
    ],
)
def test_first_picture_of_the_text_is_found(before):
    assert first_picture(before + PHOTO) == "https://a.example/photo.jpg?a=1&b=2"
    assert first_picture(before) is None


@pytest.mark.parametrize(
    "sizes",
    ['width="64" height="64"', 'width="100%"', 'width="640px"', 'height=""', 'width="1200.5"'],
)
def test_large_pictures_and_odd_sizes_count(sizes):
    assert (
        first_picture(f'<img src="https://a.example/p.png" {sizes}>') == "https://a.example/p.png"
    )


def test_picture_within_a_link_counts():
    html = '<p><a href="https://a.example/"><img alt="a > b" src="https://a.example/p.png"></a></p>'
    assert first_picture(html) == "https://a.example/p.png"
