"""URLs as values: compare them, resolve them, remove secrets from them."""

import re
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, url_query_cleaner

# Query parameters that identify a campaign or a visitor, never a page. Extends Miniflux's list
# (internal/reader/urlcleaner/urlcleaner.go).
_TRACKING_PARAMETERS = [
    "fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "igshid",
    "mc_cid", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "oly_enc_id", "oly_anon_id", "vero_id",
    "wickedid", "s_cid", "ml_subscriber", "ml_subscriber_hash", "rb_clickid", "PHPSESSID",
    "jsessionid", "xtor", "at_medium", "at_campaign",
]  # fmt: skip
_TRACKING_PREFIX = re.compile(r"(?:utm|mtm|pk|piwik|hsa|matomo|itm)_\w+", re.IGNORECASE)
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
    return (urlsplit(url).hostname or "").lower()


def link_key(url: str) -> str:
    """A key that is equal for all URLs of one page. For comparing only.

    It ignores the scheme, ``www.``, a default port, a trailing slash, the order of query
    parameters, tracking parameters, and the fragment. A fragment like ``#comment-12`` is kept: it
    identifies a part of the page.
    """
    if (simple := _SIMPLE_URL.fullmatch(url)) and "xn--" not in url.lower():
        return simple[1].lower().removeprefix("www.") + simple[2].rstrip("/")
    try:
        _, _, _, query, fragment = urlsplit(url)
        names = [pair.partition("=")[0] for pair in query.split("&")] if query else []
        tracking = [n for n in names if n in _TRACKING_PARAMETERS or _TRACKING_PREFIX.fullmatch(n)]
        cleaned = url_query_cleaner(url, tracking, remove=True) if tracking else url
        parts = urlsplit(canonicalize_url(cleaned))
        netloc = (parts.hostname or "").removeprefix("www.")
        if parts.port and parts.port not in (80, 443):
            netloc = f"{netloc}:{parts.port}"
    except ValueError:
        return url
    part_id = fragment if _PART_ID.fullmatch(fragment) else ""
    path = parts.path.rstrip("/")
    return urlunsplit(("", netloc, path, parts.query, part_id)).removeprefix("//")


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
