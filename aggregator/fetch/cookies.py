"""The cookies of one chain of redirects (RFC 6265). They are forgotten afterwards.

Some sites set a cookie and redirect to the same address until they get it back.
"""

from collections.abc import Sequence
from email.message import Message
from http.cookiejar import CookieJar
from urllib.request import Request

from aggregator.fetch.domains import registrable_domain
from aggregator.text import urls
from aggregator.text.characters import HEADER_VALUE

# RFC 6265 section 6.1: what browsers keep at least
_MAX_COOKIES = 50
_MAX_BYTES = 4096


class ChainCookies:
    """Cookies go back only to the site that set them, by its own rules of host, path and TLS."""

    def __init__(self) -> None:
        self._jars: dict[str, CookieJar] = {}  # by site: http.cookiejar knows no public suffixes

    def keep(self, url: str, cookies: Sequence[str]) -> None:
        """Keep the values of Set-Cookie in an answer from ``url``."""
        answer = _Answer()
        for cookie in cookies[:_MAX_COOKIES]:
            if len(cookie) <= _MAX_BYTES and HEADER_VALUE.fullmatch(cookie):
                answer.headers["Set-Cookie"] = cookie
        if not answer.headers:
            return
        jar = self._jars.setdefault(_site(url), CookieJar())
        request = Request(url)  # noqa: S310  # a value that http.cookiejar takes; it is not sent
        jar.extract_cookies(answer, request)  # type: ignore[arg-type]  # it only calls info()

    def header(self, url: str) -> str | None:
        """The Cookie header of a request to ``url``."""
        jar = self._jars.get(_site(url)) if self._jars else None
        if jar is None:
            return None
        request = Request(url)  # noqa: S310
        jar.add_cookie_header(request)
        return request.get_header("Cookie")


def _site(url: str) -> str:
    return registrable_domain(urls.host(url), only_icann=False)


class _Answer:
    """An answer as `http.cookiejar` takes it."""

    def __init__(self) -> None:
        self.headers = Message()

    def info(self) -> Message:
        return self.headers
