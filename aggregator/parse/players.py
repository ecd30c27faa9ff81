"""Audio, video and frames in an entry: known players stay, others become named links."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree.ElementTree import Element, SubElement

from aggregator.parse.html_tree import DROPPED, become, first_address
from aggregator.parse.lazy_pictures import PICTURE_FILE, lazy_sources
from aggregator.text.urls import absolute, host, is_web

PLAYER_TAGS = {"audio", "embed", "iframe", "object", "video"}
# Audio and video players that publishers embed. Other frames become links.
PLAYER = (
    r"https?://(?:"
    r"(?:www\.)?youtube(?:-nocookie)?\.com/embed/|player\.vimeo\.com/video/"
    r"|(?:www|geo)\.dailymotion\.com/(?:embed|player)|(?:player|clips)\.twitch\.tv/"
    r"|www\.arte\.tv/(?:[a-z]{2}/)?(?:embeds?|player)/|player\.ina\.fr/|embed\.francetv\.fr/"
    r"|archive\.org/embed/|www\.ted\.com/talks/|embed\.ted\.com/|odysee\.com/\$/embed/"
    r"|w\.soundcloud\.com/player/|bandcamp\.com/EmbeddedPlayer/|(?:www|player-widget)\.mixcloud\.com/widget"
    r"|open\.spotify\.com/embed|widget\.deezer\.com/|embed(?:\.podcasts|\.music)?\.apple\.com/"
    r"|(?:player|embed)\.acast\.com/|(?:player|widget)\.ausha\.co/|widget\.spreaker\.com/"
    r"|embeds\.audioboom\.com/|player\.simplecast\.com/|share\.transistor\.fm/e/"
    r"|www\.buzzsprout\.com/|www\.podbean\.com/(?:player|media)|play\.libsyn\.com/embed"
    r"|(?:www|embed)\.radiofrance\.fr/(?:embed|player)|www\.france(?:inter|culture|info|musique)\.fr/embed"
    r"|www\.blogger\.com/video\.g\?"
    r"|[\w.-]+/videos/embed/[\w-]+(?![^?#\"])"  # PeerTube, on any host
    r"|[\w.-]+/@[\w.-]+/episodes/[\w-]+/embed(?![^/?#\"])"  # Castopod, on any host
    r")"
)
# The addresses that publishers embedded before, when players needed Flash.
_FLASH_PLAYERS = (
    (re.compile(r"//(?:www\.)?youtube(?:-nocookie)?\.com/v/([\w-]+)"), "https://www.youtube.com/embed/"),
    (re.compile(r"//(?:www\.)?vimeo\.com/moogaloop\.swf\?(?:[^#]*&)?clip_id=(\d+)"), "https://player.vimeo.com/video/"),
    (re.compile(r"//www\.dailymotion\.com/swf/(?:video/)?(\w+)"), "https://www.dailymotion.com/embed/video/"),
)  # fmt: skip
# Frames without anything to read: buttons, advertisements and counters.
_NOTHING_TO_READ = re.compile(
    r"//(?:www\.facebook\.com/plugins/(?:like|share|follow)|www\.googletagmanager\.com/"
    r"|[\w.-]+\.(?:doubleclick\.net|googlesyndication\.com|amazon-adsystem\.com)/|rcm[\w-]*\.amazon\."
    r"|platform\.twitter\.com/widgets/(?:tweet|follow)_button)"
)
_MOVIE_NAMES = {"movie", "src", "url", "filename", "href"}  # of the parameters of objects
_TINY = re.compile(r"\s*[01](?:px)?\s*")
_BLOCKS = {"div", "blockquote", "dd", "figure", "li", "td", "th"}
_FRAME_ATTRIBUTES = ("width", "height", "title", "allowfullscreen")
_MAX_NAME_CHARACTERS = 200


def show_players(root: Element, base: str, within_fallbacks: set[Element]) -> None:
    """Replace each player; one that is shown is not repeated in a ``noscript``."""
    players = [element for element in root.iter() if element.tag in PLAYER_TAGS]
    inner = {part for player in players for part in player.iter() if part is not player}
    players = [player for player in players if player not in inner]
    players.sort(key=lambda player: player in within_fallbacks)
    parents = {child: parent for parent in root.iter() for child in parent} if players else {}
    shown = set()
    for element in players:
        url = first_address(base, _embed_sources(element))
        url = _played_address(url) if url else None
        if element in within_fallbacks and url in shown:
            become(element, DROPPED, {})
        else:
            shown.add(url)
            _show_player(element, url, base, is_in_block=parents[element].tag in _BLOCKS)


def _embed_sources(element: Element) -> Iterator[str]:
    """What may be the address of the thing embedded, best first."""
    for part in element.iter():
        if part.tag in PLAYER_TAGS or part.tag == "source":
            yield from (*lazy_sources(part), part.get("src", ""), part.get("data", ""))
        elif part.tag == "param" and part.get("name", "").lower() in _MOVIE_NAMES:
            yield part.get("value", "")


def _show_player(element: Element, url: str | None, base: str, *, is_in_block: bool) -> None:
    """Replace ``element`` by a frame, a picture or a link, and its content for old browsers."""
    shown = _replacement(element, url, base)
    old = _for_old_browsers(element, base, url)
    links = {absolute(base, link.get("href", "")) for part in old for link in part.iter("a")}
    href = shown.get("href", "") if shown is not None else ""
    if links and href and (href in links or urlsplit(href).path.endswith(".swf")):
        shown = None  # nobody can open Flash
    parts = old if shown is None else [shown, *old]
    if shown is not None and old:
        shown.tail = " "
    if shown is not None and shown.tag == "iframe":
        become(element, DROPPED, {}, *parts)
    elif is_in_block and parts:
        become(element, "div" if old else "p", {}, *parts)
    else:
        become(element, DROPPED, {}, *parts, text=" ")
        element.tail = f" {element.tail or ''}"


def _replacement(element: Element, url: str | None, base: str) -> Element | None:
    """The element that replaces a player with the address ``url``."""
    poster = first_address(base, [element.get("poster", ""), element.get("data-poster", "")])
    if not url:
        return Element("img", {"src": poster, "alt": ""}) if poster else None
    if player := _player(url):
        sizes = {name: element.get(name) for name in _FRAME_ATTRIBUTES}
        return Element(
            "iframe", {"src": player} | {k: v for k, v in sizes.items() if v is not None}
        )
    if element.tag == "iframe" and (_is_tiny(element) or _NOTHING_TO_READ.search(url)):
        return None
    kind, name = _kind(element, url), _name(element, url)
    if kind == "image":
        return Element("img", {"src": url, "alt": " ".join("".join(element.itertext()).split())})
    link = Element("a", {"href": url})
    link.text = f"{kind.capitalize()}: {name}" if kind else name
    if poster:
        SubElement(link, "img", {"src": poster, "alt": ""})
        SubElement(link, "br").tail, link.text = link.text, ""
    return link


def _played_address(url: str) -> str:
    """The address of what a player of anything plays, which is part of its own address."""
    parts = urlsplit(url)
    if not parts.path.endswith(".swf") and parts.hostname != "cdn.embedly.com":
        return url
    values = dict(parse_qsl(parts.query))
    urls = [value for value in (values.get("url", ""), *values.values()) if is_web(value)]
    return next(filter(_player, urls), urls[0] if urls else url)


def _player(url: str) -> str | None:
    """The address of a known player, also for the address of its Flash version."""
    for pattern, player in _FLASH_PLAYERS:
        if match := pattern.search(url):
            return f"{player}{match[1]}"
    return url if re.match(PLAYER, url) else None


def _is_tiny(frame: Element) -> bool:
    return any(_TINY.fullmatch(frame.get(name, "")) for name in ("width", "height"))


def _kind(element: Element, url: str) -> str:
    """``audio``, ``image``, ``video`` or nothing."""
    if element.tag in ("audio", "video", "iframe"):
        return element.tag.replace("iframe", "")
    kind = element.get("type", "").partition("/")[0].strip().lower()
    if kind in ("audio", "image", "video"):
        return kind
    return "image" if PICTURE_FILE.search(urlsplit(url).path) else ""


def _name(element: Element, url: str) -> str:
    """The title of a player, else the file that it plays, else its host."""
    title = " ".join((element.get("title") or element.get("aria-label") or "").split())
    file = unquote(urlsplit(url).path.rpartition("/")[2])
    if element.tag == "iframe" or "." not in file:
        file = host(url)
    return (title or file)[:_MAX_NAME_CHARACTERS]


def _for_old_browsers(element: Element, base: str, url: str | None) -> list[Element]:
    """What browsers show that cannot play it: of audio and video only links to something else.

    There the text is always that the browser is too old.
    """
    if element.tag == "object" and not (url and _kind(element, url) == "image"):
        content = Element(DROPPED)
        content.text = element.text
        content.extend(element)
        for part in content.iter():
            part.tag = DROPPED if part.tag in PLAYER_TAGS else part.tag
        has_links = any(part.tag in ("a", "img") for part in content.iter())
        return [content] if has_links or "".join(content.itertext()).strip() else []
    for link in list(element.iter("a")):
        for part in list(link.iter("a"))[1:]:
            part.tag = DROPPED
    sources = {absolute(base, source) for source in _embed_sources(element) if source}
    links = [
        link for link in element.iter("a") if absolute(base, link.get("href", "")) not in sources
    ]
    for link in links:
        link.tail = " "
    return links
