"""HTTP requests, each on a connection of its own.

Every request goes through `Client.request`: feeds, redirects, discovery, WebSub. httpx gives the
form of requests; we read the answers (`http_answer`), because it refuses many that every other
client reads.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Self

import httpx

from aggregator.errors import ConfigError, Diagnostic
from aggregator.fetch.conditional import Answer, has_document
from aggregator.fetch.connections import (
    AddressRefused,
    Connector,
    Resolver,
    SlowConnection,
    ip_address_or_none,
    resolve,
)
from aggregator.fetch.content_coding import ACCEPTED, TooLarge, Undecodable, decode
from aggregator.fetch.http_answer import CutShort, NoAnswer, RawAnswer, Unreadable, read_answer
from aggregator.fetch.ssrf import Guard, is_public
from aggregator.model import Network
from aggregator.text import urls
from aggregator.text.characters import HEADER_VALUE

MAX_BODY_BYTES = 10 * 1024 * 1024  # both as sent and decoded


class RequestFailed(Exception):
    """There was no usable answer, for a ``reason`` in words.

    ``unreached``: there was no answer at all. ``local``: no request was sent.
    """

    def __init__(self, reason: str, *, unreached: bool = False, local: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreached = unreached
        self.local = local


class NoResponse(RequestFailed):
    """The server did not answer in time."""


class PrivateAddress(RequestFailed):
    """The guard refused ``address``. The reason advises to allow it, for who wrote it in feeds.toml.

    There is no advice if the owner of the name ``host`` chose a link-local address: a cloud's
    metadata are there (169.254.169.254).
    """

    def __init__(self, address: str, host: str) -> None:
        is_written = ip_address_or_none(host) is not None
        reason = f"refused: {address} is a private address"
        if is_written or not ip_address(address).is_link_local:
            prefix = 128 if ":" in address else 32
            reason += (
                "; if this subscription is meant to be fetched from there, "
                f'set allow_private = ["{address}/{prefix}"]'
            )
        super().__init__(reason, unreached=not is_written, local=True)
        self.address = address


class Client:
    """Sends requests, an asynchronous context manager. ``resolver`` replaces the system's."""

    def __init__(self, resolver: Resolver = resolve) -> None:
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        self._connector = Connector(self._resolver, _make_tls_context())
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def request(
        self,
        url: str,
        headers: Mapping[str, str],
        allow_private: tuple[Network, ...],
        seconds: float,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """GET ``url``, or POST ``form`` to it, within ``seconds``. Redirects are not followed.

        Raises RequestFailed, TimeoutError.
        """
        request = _make_request(url, headers, form)
        try:
            async with asyncio.timeout(seconds):
                raw, peer = await self._exchange(request, Guard(allow_private))
            body = decode(raw.body, raw.codings, MAX_BODY_BYTES)
        except TimeoutError:
            raise
        except (
            AddressRefused, SlowConnection, OSError, UnicodeError, NoAnswer, CutShort, Unreadable,
            TooLarge, Undecodable,
        ) as error:  # fmt: skip
            raise _explain(error) from error
        answer_headers = httpx.Headers(raw.headers, encoding="utf-8")
        public = peer is not None and is_public(peer)
        cookies = tuple(value for name, value in raw.headers if name == "set-cookie")
        return Answer(raw.status, answer_headers, body, public, cookies)

    async def _exchange(self, request: httpx.Request, guard: Guard) -> tuple[RawAnswer, str | None]:
        """The answer, and the address that it came from."""
        url = request.url
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        host = url.raw_host.decode("ascii")
        async with self._connector.connect(host, port, guard, secure=secure) as connection:
            connection.transport.write(_request_bytes(request))
            answer = await read_answer(connection.receive, has_document, MAX_BODY_BYTES)
            return answer, connection.peer


def _make_request(
    url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
) -> httpx.Request:
    """Raises RequestFailed."""
    if len(url) > urls.MAX_CHARACTERS:
        reason = f"an address of more than {urls.MAX_CHARACTERS} characters"
        raise RequestFailed(reason, local=True)
    if not all(map(HEADER_VALUE.fullmatch, headers.values())):
        raise RequestFailed("a request header with a character that is not ASCII", local=True)
    try:
        request = httpx.Request("GET" if form is None else "POST", url, headers=headers, data=form)
    except (httpx.InvalidURL, ValueError) as error:
        raise _invalid_url(error) from error
    request.headers.update({"Accept-Encoding": ACCEPTED, "Connection": "close"})
    return request


def _request_bytes(request: httpx.Request) -> bytes:
    """RFC 9112 section 3."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", request.content])


def _make_tls_context() -> ssl.SSLContext:
    """Trusts the authorities of SSL_CERT_FILE, or else those of certifi. Raises ConfigError."""
    try:
        return httpx.create_ssl_context(trust_env=True)
    except OSError as error:
        file = os.environ.get("SSL_CERT_FILE")
        if not file:
            raise
        message = (
            f"no certificates can be read there ({error.strerror}): let the environment variable "
            "SSL_CERT_FILE name a file that has them in PEM, or unset it"
        )
        raise ConfigError((Diagnostic(file, None, message),)) from error


def _invalid_url(error: BaseException) -> RequestFailed:
    return RequestFailed(f"not a valid address: {urls.redact(str(error))}", local=True)


def _explain(error: Exception) -> RequestFailed:
    """The cause in words."""
    match error:
        case AddressRefused():
            return PrivateAddress(error.address, error.host)
        case UnicodeError():
            return _invalid_url(error)  # a name that no DNS can have
        case TooLarge():
            return RequestFailed(f"larger than {MAX_BODY_BYTES // 1024 // 1024} MiB")
        case Unreadable() | Undecodable():
            return RequestFailed(str(error))
        case CutShort():
            return RequestFailed("the answer was cut short")
        case SlowConnection():
            return NoResponse("no answer in time", unreached=True)
        case NoAnswer():
            reason = "the connection was closed without an answer"
        case socket.gaierror():
            reason = "name not found: check the address, or the network"
        case ssl.SSLCertVerificationError():
            reason = f"TLS: {error.verify_message}"
        case ssl.SSLError():
            reason = f"TLS: {_explain_tls(error.reason or str(error))}"
        case ConnectionRefusedError():
            reason = "connection refused"
        case ConnectionResetError():
            reason = "the connection was reset"
        case OSError():
            reason = f"cannot connect: {error.strerror or error}"
        case _:
            reason = urls.redact(str(error)) or type(error).__name__
    return RequestFailed(reason, unreached=True)


def _explain_tls(reason: str) -> str:
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):  # the answer is plain HTTP
        return "the server does not use it there: does the address begin with http://?"
    return reason.replace("_", " ").lower()
