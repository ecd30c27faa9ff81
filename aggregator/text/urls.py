"""Addresses as values: when two are the same page, what may be published, what may be shown."""

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, url_query_cleaner

# Parameters that name a campaign or a visitor, never a page. Grown from Miniflux's list
# (internal/reader/urlcleaner/urlcleaner.go).
_TRACKING = [
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "igshid",
    "mc_cid",
    "mc_eid",
    "_hsenc",
    "_hsmi",
    "mkt_tok",
    "oly_enc_id",
    "oly_anon_id",
    "vero_id",
    "wickedid",
    "s_cid",
    "ml_subscriber",
    "ml_subscriber_hash",
    "rb_clickid",
    "PHPSESSID",
    "jsessionid",
    "xtor",
    "at_medium",
    "at_campaign",
]
_TRACKING_PREFIX = re.compile(r"(?:utm|mtm|pk|piwik|hsa|matomo|itm)_\w+", re.IGNORECASE)
_PART = re.compile(r"[\w-]*\d{2}[\w-]*", re.ASCII)
# Names of parameters that hold a secret; "keyword" and "author" are none.
_TOKEN_LIKE = (
    r"[^=&#?\s]*(?:(?:token|secret|signature|password|passwd|credential)[^=&#\s]*"  # noqa: S105
    r"|(?:key|sig|auth|pwd|pass|jwt))"
)
_SECRET = re.compile(rf"([?&]{_TOKEN_LIKE}=)[^&#\s]*", re.IGNORECASE)
MAX_CHARACTERS = 4096  # of an address that we ask
_WEB = ("http", "https")
# In no address: control characters, spaces, and what no document can hold.
_NEVER = re.compile("[\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Addresses of which splitting, joining and canonical form are known without asking the standard
# library and w3lib: most are so, and each entry's is asked for several times.
_TAME = re.compile(
    r"https?://((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63})((?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?)"
)
_BRACKET = re.compile(r"[][]")  # an address with one may be none
# In no IRI (RFC 3987 section 2.2), and in many a link; and spaces, at which some readers end one.
_NO_IRI = re.compile(r"[<>\"{}|\\^`\s]")


def is_web(url: str) -> bool:
    """Whether this is an absolute http or https address with a host."""
    if _TAME.fullmatch(url):
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port
        return parts.scheme.lower() in _WEB and bool(parts.hostname) and not _NEVER.search(url)
    except ValueError:  # "http://[bad", "http://a:99999"
        return False


def absolute(base: str, link: str) -> str | None:
    """``link`` resolved against ``base`` if that gives a web address, else None."""
    if _TAME.fullmatch(link) and _TAME.match(base) and base.isascii() and not _BRACKET.search(base):
        return link
    try:
        joined = _NEVER.sub("", urljoin(base, link.strip().replace(" ", "%20")))
    except ValueError:
        return None
    joined = _NO_IRI.sub(lambda found: quote(found[0]), joined)
    return joined if is_web(joined) else None


def host(url: str) -> str:
    """The lower-case host of a web address, without its port."""
    return (urlsplit(url).hostname or "").lower()


def link_key(url: str) -> str:
    """What two addresses of one page have in common. For comparing only.

    Scheme, ``www.``, default port, trailing slash, the order of query parameters, those that
    track visitors, and the fragment are left out; but ``#comment-12`` names a thing of its own.
    """
    if (tame := _TAME.fullmatch(url)) and "xn--" not in url.lower():
        return tame[1].lower().removeprefix("www.") + tame[2].rstrip("/")
    try:
        _, _, _, query, fragment = urlsplit(url)
        names = [pair.partition("=")[0] for pair in query.split("&")] if query else []
        drop = [n for n in names if n in _TRACKING or _TRACKING_PREFIX.fullmatch(n)]
        parts = urlsplit(
            canonicalize_url(url_query_cleaner(url, drop, remove=True) if drop else url)
        )
        netloc = (parts.hostname or "").removeprefix("www.")
        if parts.port and parts.port not in (80, 443):
            netloc = f"{netloc}:{parts.port}"
    except ValueError:
        return url
    part = fragment if _PART.fullmatch(fragment) else ""
    return urlunsplit(("", netloc, parts.path.rstrip("/"), parts.query, part)).removeprefix("//")


def without_secrets(url: str) -> str:
    """The address without userinfo and token-like query parameters: what may be published."""
    parts = urlsplit(url)
    kept = [
        pair
        for pair in parts.query.split("&")
        if not re.fullmatch(rf"{_TOKEN_LIKE}(=.*)?", pair, re.IGNORECASE)
    ]
    return without_userinfo(urlunsplit(parts._replace(query="&".join(kept))))


def without_userinfo(url: str) -> str:
    """The address without ``user:password@``."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def redact(text: str) -> str:
    """``text`` with userinfo and token-like query values of any address in it blotted out."""
    return _SECRET.sub(r"\1…", re.sub(r"(?<=://)[^/@\s]+@", "…@", text))
