"""URLs as values: compare them, resolve them, remove secrets from them."""

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urljoin, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, url_query_cleaner

# Query parameters that identify a campaign or a visitor, never a page. Extends Miniflux's list
# (internal/reader/urlcleaner/urlcleaner.go).
_TRACKING_PARAMETERS = [
    "fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "igshid",
    "mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "oly_enc_id", "oly_anon_id", "vero_id",
    "wickedid", "s_cid", "ml_subscriber", "ml_subscriber_hash", "rb_clickid", "PHPSESSID",
    "jsessionid", "xtor", "srsltid", "ttclid", "li_fat_id", "epik", "igsh", "mibextid", "sfnsn",
    "smid", "ncid", "ocid", "cmpid", "emc", "wt.mc_id", "WT.mc_id", "mc_tc", "trk", "trkCampaign",
    "spm", "si", "ref_src", "ref_url", "guccounter", "guce_referrer", "guce_referrer_sig",
    "soc_src", "soc_trk", "ck_subscriber_id", "_bhlid", "__s", "dm_i", "hss_channel",
    "hsCtaTracking", "_ga", "_gl", "__twitter_impression", "amp_js_v", "usqp",
]  # fmt: skip
_TRACKING_PREFIX = re.compile(
    r"(?:utm|mtm|pk|piwik|hsa|matomo|itm|at|ns|stm|vero|pf_rd|fb|ga)_\w+", re.IGNORECASE
)
# Parameters that name a campaign only if their value says that the reader came from the feed.
_TRACKING_PAIR = re.compile(
    r"(?:source|src|ref|from|via|partner|cmp|origin|campaign|channel)=(?:rss|atom|feed)\b[\w-]*"
    r"|feature=youtu\.be",
    re.IGNORECASE,
)
# Services that count clicks: the host and path of their addresses, and the parameter with the page.
_REDIRECTORS = (
    (re.compile(r"(?:www\.)?google\.[a-z.]{2,6}/url"), ("q", "url")),
    (re.compile(r"(?:l|lm)\.facebook\.com/l\.php"), ("u",)),
    (re.compile(r"l\.instagram\.com/?"), ("u",)),
    (re.compile(r"out\.reddit\.com/.*"), ("url",)),
    (re.compile(r"(?:www\.)?youtube\.com/redirect"), ("q",)),
    (re.compile(r"t\.umblr\.com/redirect"), ("z",)),
    (re.compile(r"(?:www\.)?getpocket\.com/redirect"), ("url",)),
    (re.compile(r"slack-redir\.net/link"), ("url",)),
    (re.compile(r"(?:www\.)?linkedin\.com/(?:safety/go|redir/redirect)"), ("url",)),
    (re.compile(r"steamcommunity\.com/linkfilter/?"), ("url", "u")),
    (re.compile(r"[\w-]+\.safelinks\.protection\.outlook\.com/.*"), ("url",)),
    (re.compile(r"(?:www\.)?bing\.com/news/apiclick\.aspx"), ("url",)),
    (re.compile(r"(?:www\.)?scoop\.it/r"), ("u",)),
    (re.compile(r"feedproxy\.feedly\.com/.*"), ("url",)),
)
# Copies that have the whole address of the page in their path or query.
_COPY = re.compile(
    r"https?://(?:web\.archive\.org/web/\d{1,14}(?:[a-z]{2}_)?/|via\.hypothes\.is/|href\.li/\?"
    r"|(?:www\.)?anonym\.(?:to|es)/\?|outline\.com/|12ft\.io/)(https?:/{1,2}.+)",
    re.IGNORECASE,
)
_MAX_REDIRECTS = 3
_PART_ID = re.compile(r"[\w-]*\d{2}[\w-]*", re.ASCII)  # such as "comment-12"
# Names of query parameters with a secret value. "keyword" and "author" must not match.
_SECRET_NAME = (
    r"[^=&#?\s]*(?:(?:token|secret|signature|password|passwd|credential)[^=&#\s]*"  # noqa: S105
    r"|(?:key|sig|auth|pwd|pass|jwt))"
)
_SECRET_PAIR = re.compile(rf"{_SECRET_NAME}(=.*)?", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(rf"([?&]{_SECRET_NAME}=)[^&#\s]*", re.IGNORECASE)
MAX_CHARACTERS = 4096  # of a URL that we request
# Control characters, spaces, and characters that no document may contain.
_NOT_IN_URL = re.compile("[\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# For these URLs, splitting, joining and the canonical form need no call of the standard library or
# w3lib. Most URLs match, and each entry's is examined several times.
_SIMPLE_URL = re.compile(
    r"https?://((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63})((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?)"
)
# An absolute URL that joining returns as it is.
_PLAIN_URL = re.compile(
    r"https?://(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}(?:/[\w.~%/-]*)?(?:\?[\w.~%/&=+-]+)?(?:#[\w.~-]+)?",
    re.ASCII,
)
# Not allowed in an IRI (RFC 3987 section 2.2), but common in links. Some readers end a link at a space.
_NOT_IN_IRI = re.compile(r"[<>\"{}|\\^`\s]")
_LINE_BREAKS = str.maketrans("", "", "\t\r\n")
_AROUND_URL = "".join(map(chr, range(0x21)))  # control characters and the space
_URL_PARTS = re.compile(r"(https?:)?([^?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def is_web(url: str) -> bool:
    """Whether this is an absolute http or https URL with a host and a valid port."""
    if _SIMPLE_URL.fullmatch(url):
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is invalid
        return (
            parts.scheme.lower() in ("http", "https")
            and bool(parts.hostname)
            and not _NOT_IN_URL.search(url)
        )
    except ValueError:  # "http://[bad", "http://a:99999"
        return False


def absolute(base: str, link: str) -> str | None:
    """``link`` resolved against ``base``, or None if the result is no http or https URL.

    As browsers do it (https://url.spec.whatwg.org/#url-parsing): spaces and control characters
    around the link and line breaks within it do not count, and a backslash is a slash.
    """
    if _PLAIN_URL.fullmatch(link):
        return link
    base = base if is_web(base) else ""
    try:
        joined = urljoin(base, _reference(base, link).replace(" ", "%20"))
    except ValueError:
        return None
    joined = _NOT_IN_IRI.sub(lambda match: quote(match[0]), _NOT_IN_URL.sub("", joined))
    return joined if is_web(joined) else None


def join(base: str, link: str) -> str:
    """``link`` resolved against ``base``, which may itself be relative or empty."""
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _reference(base: str, link: str) -> str:
    """``link`` in the form of RFC 3986, if it is a relative reference or an http or https URL.

    Raises ValueError if it needs a host and has none that is valid.
    """
    parts = _URL_PARTS.fullmatch(link.strip(_AROUND_URL).translate(_LINE_BREAKS))
    assert parts  # the pattern matches everything
    scheme, path, end = parts[1] or "", parts[2].replace("\\", "/"), parts[3]
    # "http:b" and "http:/b" are relative to a base with the same scheme.
    if path.startswith("//") or (scheme and not base.lower().startswith(scheme.lower())):
        path = path.lstrip("/")
        name = path.partition("/")[0]
        if not name or _NOT_IN_IRI.search(name):
            raise ValueError(f"invalid host: {name!r}")
        return f"{scheme}//{path}{end}"
    return f"{path}{end}" or base.partition("#")[0]


def host(url: str) -> str:
    """The host of a URL in lower case, without its port."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def is_same_site(url: str, other: str) -> bool:
    """Whether two hosts are equal but for ``www.``, or one is a subdomain of the other."""
    first, second = (host(one).removeprefix("www.") for one in (url, other))
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


@lru_cache(maxsize=4096)  # of each entry it is asked for several times
def link_key(url: str) -> str:
    """A key that is equal for all URLs of one page. For comparing only.

    It ignores the scheme, ``www.``, a default port, a trailing slash, the order of query
    parameters, tracking parameters, and the fragment. A fragment like ``#comment-12`` is kept: it
    identifies a part of the page, and one like ``#/post/12`` the page of a site that is one script.
    Of a redirector's or an archive's address the page counts.
    """
    if (simple := _SIMPLE_URL.fullmatch(url)) and "xn--" not in url.lower():
        return simple[1].lower().removeprefix("www.") + simple[2].rstrip("/")
    url = _behind_redirectors(url)
    try:
        _, _, _, query, fragment = urlsplit(url)
        pairs = [pair for pair in query.split("&") if pair]
        tracking = [pair.partition("=")[0] for pair in pairs if _is_tracking(pair)]
        cleaned = url_query_cleaner(url, tracking, remove=True) if tracking else url
        parts = urlsplit(canonicalize_url(cleaned))
        netloc = (parts.hostname or "").removeprefix("www.")
        if parts.port and parts.port not in (80, 443):
            netloc = f"{netloc}:{parts.port}"
    except ValueError:
        return url
    is_route = fragment.startswith(("/", "!")) and len(fragment) > 1
    part_id = fragment if is_route or _PART_ID.fullmatch(fragment) else ""
    path = parts.path.rstrip("/")
    return urlunsplit(("", netloc, path, parts.query, part_id)).removeprefix("//")


def _is_tracking(pair: str) -> bool:
    name = pair.partition("=")[0]
    return bool(
        name in _TRACKING_PARAMETERS
        or _TRACKING_PREFIX.fullmatch(name)
        or _TRACKING_PAIR.fullmatch(pair)
    )


def _behind_redirectors(url: str) -> str:
    """The page to which a redirector's address leads, as far as the address says it."""
    for _ in range(_MAX_REDIRECTS):
        if not ("?" in url or url.count("//") > 1 or ":/" in url[8:]):
            break
        if not (target := _target(url)):
            break
        url = target
    return url


def _target(url: str) -> str | None:
    if copy := _COPY.fullmatch(url):
        return re.sub(r"^(https?):/+", r"\1://", copy[1], flags=re.IGNORECASE)
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    place = f"{(parts.hostname or '').lower()}{parts.path}"
    for pattern, names in _REDIRECTORS:
        if pattern.fullmatch(place):
            values = dict(parse_qsl(parts.query))
            return next((values[n] for n in names if is_web(values.get(n, ""))), None)
    return None


def without_secrets(url: str) -> str:
    """The URL without userinfo and secret query parameters, so that it may be published."""
    parts = urlsplit(url)
    public = [pair for pair in parts.query.split("&") if not _SECRET_PAIR.fullmatch(pair)]
    return without_userinfo(urlunsplit(parts._replace(query="&".join(public))))


def without_userinfo(url: str) -> str:
    """The URL without ``user:password@``."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def redact(text: str) -> str:
    """``text`` with ``…`` for the userinfo and the secret query values of every URL in it."""
    return _SECRET_PARAMETER.sub(r"\1…", re.sub(r"(?<=://)[^/@\s]+@", "…@", text))
