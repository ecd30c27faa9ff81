"""The one place that talks HTTP: httpx over aiohttp's transport.

Every request goes through `Client.get`: feeds, redirects, discovery, clippings. aiohttp's transport
costs less than half the CPU of httpx's own on thousands of conditional requests
(`benchmarks/transport.py` measures it), and lets us check addresses where they are connected to.
"""

import asyncio
import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from aggregator.errors import ConfigError, Diagnostic
from aggregator.fetch.conditional import WITH_BODY
from aggregator.fetch.content_coding import ACCEPTED, TooLarge, Undecodable, decode
from aggregator.fetch.ssrf import Guard, address_to_allow, is_public
from aggregator.model import Network
from aggregator.text import urls

MAX_BODY_BYTES = 10 * 1024 * 1024  # as it came, and decoded
_TIMEOUT = httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=None)
_EXTENSIONS = {"timeout": _TIMEOUT.as_dict()}
_DNS_SECONDS = 300
Resolver = AbstractResolver


class Trouble(Exception):
    """No answer that can be used, in words; ``unreached``: there was no HTTP answer at all."""

    def __init__(self, reason: str, *, unreached: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreached = unreached


class NoResponse(Trouble):
    """Nothing came, for as long as we wait."""


class MalformedResponse(Trouble):
    """What came is not HTTP, or more than HTTP."""


class _Refused(OSError):
    """A connection that the guard forbids."""

    def __init__(self, address: str) -> None:
        address = address_to_allow(address)
        prefix = 128 if ":" in address else 32
        super().__init__(
            f"refused: {address} is a private address; if this subscription is meant to be fetched "
            f'from there, set allow_private = ["{address}/{prefix}"]'
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. ``body`` is decoded; ``public``: it came from the public Internet.

    ``headers`` ignore the case of names.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    public: bool


class _SystemResolver(aiohttp.ThreadedResolver):
    """The system's, with a thread for each question.

    In the few threads that asyncio has for everything, names whose servers do not answer would keep
    others waiting; and it waits for these threads at the end, whoever wants us to stop.
    """

    def __init__(self) -> None:
        super().__init__(_Asking())  # type: ignore[arg-type]  # all that it needs of a loop


class _Asking:
    """What a resolver asks of an event loop."""

    async def getaddrinfo(self, *arguments: Any, **settings: Any) -> Any:
        return await self._in_thread(lambda: socket.getaddrinfo(*arguments, **settings))

    async def getnameinfo(self, *arguments: Any) -> Any:
        return await self._in_thread(lambda: socket.getnameinfo(*arguments))

    async def _in_thread(self, ask: Callable[[], Any]) -> Any:
        answered: Future[Any] = Future()
        answered.set_running_or_notify_cancel()  # who asks may be gone before it is answered

        def answer() -> None:
            try:
                found = ask()
            except BaseException as error:
                answered.set_exception(error)
            else:
                answered.set_result(found)

        threading.Thread(target=answer, daemon=True).start()
        return await asyncio.wrap_future(answered)


class _GuardedResolver(AbstractResolver):
    """Gives only the addresses that the guard allows."""

    def __init__(self, inner: AbstractResolver, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard
        self.private: set[str] = set()  # names with an address that is not public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if self._guard.allows(result["host"])]
        if found and not allowed:
            raise _Refused(found[0]["host"])
        if any(not is_public(result["host"]) for result in allowed):
            self.private.add(host)
        return allowed

    async def close(self) -> None:
        await self._inner.close()


class _Door:
    """Connections behind one guard.

    Subscriptions with other ``allow_private`` have another: a connection that one of them was
    allowed to make is never used for the rest.
    """

    def __init__(
        self, allow_private: tuple[Network, ...], tls: ssl.SSLContext, resolver: AbstractResolver
    ) -> None:
        self._guard = Guard(allow_private)
        self._resolver = _GuardedResolver(resolver, self._guard)
        connector = aiohttp.TCPConnector(
            limit=0,
            # Kept open, those of thousands of hosts would be more than a process may have (1,024
            # mostly); and between two requests of one host there is a second.
            force_close=True,
            ttl_dns_cache=_DNS_SECONDS,
            ssl=tls,
            resolver=self._resolver,
            socket_factory=self._socket,
        )
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # The transport by itself: of what a client adds (cookies, redirects, credentials, proxies of
        # the environment) we want nothing. The connector verifies certificates.
        self.http = AiohttpTransport(client=session, verify=False)

    def _socket(self, info: "aiohttp.AddrInfoType") -> socket.socket:
        """The last word: the very address that will be connected to, however it was found."""
        family, kind, protocol, _, where = info
        if not self._guard.allows(where[0]):
            raise _Refused(where[0])
        return socket.socket(family, kind, protocol)

    def is_public(self, host: str) -> bool:
        """Whether ``host``, to which we have connected, is on the public Internet."""
        try:
            return is_public(str(ip_address(host)))
        except ValueError:
            return host not in self._resolver.private


class Client:
    """An asynchronous context manager; ``resolver`` stands in for the system's."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._doors: dict[tuple[Network, ...], _Door] = {}
        self._tls = _certificates()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _door(self, allow_private: tuple[Network, ...]) -> _Door:
        if allow_private not in self._doors:
            resolver = self._resolver or _SystemResolver()
            door = self._doors[allow_private] = _Door(allow_private, self._tls, resolver)
            await self._stack.enter_async_context(door.http)
        return self._doors[allow_private]

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        allow_private: tuple[Network, ...],
        seconds: float,
    ) -> Answer:
        """One GET, redirects not followed, in ``seconds`` at most. Raises Trouble, TimeoutError."""
        return await self._ask("GET", url, headers, allow_private, seconds)

    async def post(
        self,
        url: str,
        form: Mapping[str, str],
        headers: Mapping[str, str],
        allow_private: tuple[Network, ...],
        seconds: float,
    ) -> Answer:
        """One POST of a form, like `get`."""
        return await self._ask("POST", url, headers, allow_private, seconds, form)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        allow_private: tuple[Network, ...],
        seconds: float,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        if len(url) > urls.MAX_CHARACTERS:
            raise Trouble(f"an address of more than {urls.MAX_CHARACTERS} characters")
        door = await self._door(allow_private)
        headers = {**headers, "Accept-Encoding": ACCEPTED}
        try:
            async with asyncio.timeout(seconds):
                request = httpx.Request(
                    method, url, headers=headers, data=form, extensions=_EXTENSIONS
                )
                response = await door.http.handle_async_request(request)
                try:
                    raw = await _read(response) if response.status_code in WITH_BODY else b""
                finally:
                    await response.aclose()
        except TimeoutError:
            raise
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _in_words(error) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise _not_asked(error) from error
        codings = response.headers.get("Content-Encoding", "")
        try:
            body = decode(raw, codings, MAX_BODY_BYTES)
        except TooLarge:
            raise Trouble(_TOO_LARGE) from None
        except Undecodable as error:
            raise Trouble(str(error)) from error
        public = door.is_public(urls.host(url))
        return Answer(response.status_code, response.headers, body, public)


def _certificates() -> ssl.SSLContext:
    """Those of the authorities that we believe. Raises ConfigError."""
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


_TOO_LARGE = f"larger than {MAX_BODY_BYTES // 1024 // 1024} MiB"


async def _read(response: httpx.Response) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > MAX_BODY_BYTES):
        raise Trouble(_TOO_LARGE)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Trouble(_TOO_LARGE)
    return bytes(body)


def _not_asked(error: BaseException) -> Trouble:
    return Trouble(f"not an address that can be asked: {urls.redact(str(error))}")


def _in_words(error: BaseException) -> Trouble:
    """The cause, for a person.

    aiohttp's exceptions stand behind httpx's as ``__cause__``, and only they can be trusted:
    the transport calls a refused connection or a failed TLS handshake a ConnectTimeout.
    """
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__ or error
    match cause:
        case aiohttp.ClientConnectorError(os_error=_Refused() as refused):
            return Trouble(str(refused))
        case aiohttp.InvalidURL():
            return _not_asked(cause)  # such as a host called 2130706433
        case TimeoutError():
            return NoResponse("no answer in time", unreached=True)
        case aiohttp.ClientConnectorDNSError():
            reason = "name not found: check the address, or the network"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as tls):
            reason = f"TLS: {getattr(tls, 'verify_message', '') or tls.reason}"
        case aiohttp.ClientSSLError(os_error=tls):
            reason = f"TLS: {_tls_in_words(str(getattr(tls, 'reason', None) or tls))}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            reason = "connection refused"
        case aiohttp.ClientConnectorError(os_error=os_error):
            reason = f"cannot connect: {os_error.strerror or os_error}"
        case aiohttp.ServerDisconnectedError():
            reason = "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            return Trouble("the answer was cut short")
        case aiohttp.ClientResponseError():
            return MalformedResponse("not an HTTP answer")
        case ConnectionResetError() | aiohttp.ClientOSError(errno=errno.ECONNRESET):
            reason = "the connection was reset"
        case _:
            reason = urls.redact(str(error)) or type(error).__name__
    return Trouble(reason, unreached=True)


def _tls_in_words(reason: str) -> str:
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):  # OpenSSL's words for an answer in HTTP
        return "the server does not speak it there: does the address begin with http://?"
    return reason.replace("_", " ").lower()
