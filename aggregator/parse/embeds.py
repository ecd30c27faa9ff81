"""What only browsers with scripts show in an entry, in forms that feed readers show."""

from xml.etree.ElementTree import Element

from aggregator.parse.html_tree import DROPPED, become
from aggregator.parse.lazy_pictures import SOURCE_ATTRIBUTES, show_pictures
from aggregator.parse.players import PLAYER_TAGS, show_players

# Elements of AMP and of scripts that are the same as others.
_SAME_ELEMENT = {
    "amp-img": "img", "amp-anim": "img", "amp-video": "video", "amp-audio": "audio",
    "amp-iframe": "iframe",
}  # fmt: skip
_PLAYERS_BY_ID = {
    "amp-youtube": "https://www.youtube.com/embed/",
    "lite-youtube": "https://www.youtube.com/embed/",
    "amp-vimeo": "https://player.vimeo.com/video/",
}
_SCRIPTS = {"msub": ["sub"], "msup": ["sup"], "msubsup": ["sub", "sup"]}
_MATH_TAGS = {"math", "mfrac", "mi", "mn", "mo", "mrow", "mtext", *_SCRIPTS}
# What `show_embeds` needs besides the tags and attributes that stay.
TAGS = {
    "base", "noembed", "noscript", "param", "picture", "source",
    *PLAYER_TAGS, *_MATH_TAGS, *_SAME_ELEMENT, *_PLAYERS_BY_ID,
}  # fmt: skip
ATTRIBUTES = {
    "aria-label", "data", "data-poster", "data-videoid", "id", "name", "poster", "type", "value",
    "videoid", *SOURCE_ATTRIBUTES,
}  # fmt: skip


def show_embeds(root: Element, base: str) -> None:
    """Change the pictures, players and formulas in ``root``, and show its ``noscript`` elements.

    Their addresses are resolved against ``base``.
    """
    for tag, known_tag in _SAME_ELEMENT.items():
        for element in list(root.iter(tag)):
            element.tag = known_tag
    for tag, player in _PLAYERS_BY_ID.items():
        for element in list(root.iter(tag)):
            video = element.get("data-videoid") or element.get("videoid") or ""
            become(element, "iframe", {"src": f"{player}{video}"})
    fallbacks = list(root.iter("noscript"))
    within_fallbacks = {element for fallback in fallbacks for element in fallback.iter()}
    show_pictures(root, base, within_fallbacks)
    show_players(root, base, within_fallbacks)
    for fallback in fallbacks:
        fallback.tag = DROPPED
        # Text alone says that a script is necessary.
        if not any(element.tag in ("a", "iframe", "img", "pre") for element in fallback.iter()):
            become(fallback, DROPPED, {})
    for formula in list(root.iter("math")):
        _spell(formula)


def _spell(formula: Element) -> None:
    """Make text of MathML, which few readers show."""
    for element in formula.iter():
        for script, tag in zip(element[1:], _SCRIPTS.get(element.tag, ()), strict=False):
            script.tag = tag
        if element.tag == "mfrac" and len(element) == 2:
            element[0].tail = "/"
        if element.tag in _MATH_TAGS:
            element.tag = DROPPED
