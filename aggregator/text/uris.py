"""Makes URIs (RFC 3986) of the addresses that publishers write.

Browsers accept characters in an address that no URI may contain. XML validators and some feed readers
do not.
"""

import re
from functools import lru_cache
from urllib.parse import quote

_UNRESERVED = "-._~"
_DELIMITERS = "!$&'()*+,;=:@/?"
_CHARACTERS = rf"[A-Za-z0-9{re.escape(_UNRESERVED + _DELIMITERS)}]"
_PART = rf"{_CHARACTERS}*(?:%[0-9A-Fa-f]{{2}}{_CHARACTERS}*)*"
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:{_PART}(?:#{_PART})?")
_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\\]*)")
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


@lru_cache(maxsize=1024)  # feeds and categories repeat
def to_uri(address: str) -> str:
    """``address`` with everything percent-encoded that a URI may not contain.

    A browser requests the same resource. RFC 3987 section 3.1 maps the characters outside ASCII, those
    of a host by IDNA. A percent sign that begins no escape becomes ``%25``.
    """
    if _URI.fullmatch(address):
        return address
    match = _AUTHORITY.match(address)
    scheme, host = match.groups() if match else ("", "")
    path, mark, fragment = address[len(scheme) + len(host) :].partition("#")
    return f"{scheme}{_ascii_host(host)}{_encode(path)}{mark}{_encode(fragment)}"


def _encode(text: str) -> str:
    """A second "#" is encoded too: a URI has one fragment."""
    return quote(_BARE_PERCENT.sub("%25", text), f"%{_DELIMITERS}{_UNRESERVED}", errors="replace")


def _ascii_host(host: str) -> str:
    """The host in ASCII, unless IDNA 2003, which Python has, means another one than today's IDNA.

    Both agree if the host can be read back: "straße" would become "strasse". A text that is no name
    of a host is percent-encoded.
    """
    if host.isascii():
        return host
    try:
        encoded = host.encode("idna").decode()
        return encoded if encoded.encode().decode("idna") == host.lower() else host
    except UnicodeError:
        return _encode(host)
