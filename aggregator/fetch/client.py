"""HTTP requests: httpx over aiohttp's transport.

Every request goes through `Client.request`: feeds, redirects, discovery, WebSub. For thousands of
conditional requests, aiohttp's transport needs less than half the CPU time of httpx's own
(`benchmarks/transport.py`). It also lets us check the address of each connection.
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
from ipaddress import ip_address
from typing import Any, Self

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from aggregator.errors import ConfigError, Diagnostic
from aggregator.fetch.conditional import WITH_BODY, Answer
from aggregator.fetch.content_coding import ACCEPTED, TooLarge, Undecodable, decode
from aggregator.fetch.ssrf import Guard, address_to_allow, is_public
from aggregator.model import Network
from aggregator.text import urls

MAX_BODY_BYTES = 10 * 1024 * 1024  # both as sent and decoded
_EXTENSIONS = {"timeout": httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=None).as_dict()}
_DNS_CACHE_SECONDS = 300
_TOO_LARGE = f"larger than {MAX_BODY_BYTES // 1024 // 1024} MiB"
Resolver = AbstractResolver


class RequestFailed(Exception):
    """There was no usable answer, for a ``reason`` in words; ``unreached``: no HTTP answer at all."""

    def __init__(self, reason: str, *, unreached: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreached = unreached


class NoResponse(RequestFailed):
    """The server did not answer in time."""


class MalformedResponse(RequestFailed):
    """The answer is not HTTP, or has bytes after its end."""


class _AddressRefused(OSError):
    """The guard does not allow a connection to this address."""

    def __init__(self, address: str) -> None:
        address = address_to_allow(address)
        prefix = 128 if ":" in address else 32
        super().__init__(
            f"refused: {address} is a private address; if this subscription is meant to be fetched "
            f'from there, set allow_private = ["{address}/{prefix}"]'
        )


class _ResolverLoop:
    """The two methods of an event loop that `aiohttp.ThreadedResolver` calls.

    Each look-up has its own thread. asyncio has only a few: a DNS server that does not answer
    would delay all other look-ups, and asyncio waits for its threads when the program stops.
    """

    async def getaddrinfo(self, *arguments: Any, **options: Any) -> Any:
        return await self._in_thread(lambda: socket.getaddrinfo(*arguments, **options))

    async def getnameinfo(self, *arguments: Any) -> Any:
        return await self._in_thread(lambda: socket.getnameinfo(*arguments))

    async def _in_thread(self, look_up: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # so that a cancelled caller cannot cancel it

        def run() -> None:
            try:
                addresses = look_up()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(addresses)

        threading.Thread(target=run, daemon=True).start()
        return await asyncio.wrap_future(future)


class _GuardedResolver(AbstractResolver):
    """Resolves a name to the addresses that the guard allows."""

    def __init__(self, inner: AbstractResolver, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard
        self.private_hosts: set[str] = set()  # with an address that is not public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        allowed = [result for result in results if self._guard.allows(result["host"])]
        if results and not allowed:
            raise _AddressRefused(results[0]["host"])
        if any(not is_public(result["host"]) for result in allowed):
            self.private_hosts.add(host)
        return allowed

    async def close(self) -> None:
        await self._inner.close()


class GuardedPool:
    """Connections behind one guard.

    Each value of ``allow_private`` has its own pool. A connection that one subscription may make
    is therefore never used for another.
    """

    def __init__(
        self, allow_private: tuple[Network, ...], tls: ssl.SSLContext, resolver: AbstractResolver
    ) -> None:
        self._guard = Guard(allow_private)
        self._resolver = _GuardedResolver(resolver, self._guard)
        connector = aiohttp.TCPConnector(
            limit=0,
            # Open connections to thousands of hosts would exceed a process's limit of descriptors
            # (often 1,024), and requests to one host are a second apart.
            force_close=True,
            ttl_dns_cache=_DNS_CACHE_SECONDS,
            ssl=tls,
            resolver=self._resolver,
            socket_factory=self._make_socket,
        )
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # Only the transport: a client would add cookies, redirects, credentials, and proxies from
        # the environment. The connector verifies certificates.
        self.transport = AiohttpTransport(client=session, verify=False)

    def _make_socket(self, info: "aiohttp.AddrInfoType") -> socket.socket:
        """Check the address again right before the connection, however it was resolved."""
        family, kind, protocol, _, address = info
        if not self._guard.allows(address[0]):
            raise _AddressRefused(address[0])
        return socket.socket(family, kind, protocol)

    def is_public(self, host: str) -> bool:
        """Whether ``host``, which must have answered, is on the public Internet."""
        try:
            return is_public(str(ip_address(host)))
        except ValueError:
            return host not in self._resolver.private_hosts


class Client:
    """Sends requests, an asynchronous context manager. ``resolver`` replaces the system's."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self._pools: dict[tuple[Network, ...], GuardedPool] = {}
        self._tls = _make_tls_context()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _pool(self, allow_private: tuple[Network, ...]) -> GuardedPool:
        if allow_private not in self._pools:
            loop: Any = _ResolverLoop()
            resolver = self._resolver or aiohttp.ThreadedResolver(loop)
            pool = self._pools[allow_private] = GuardedPool(allow_private, self._tls, resolver)
            await self._stack.enter_async_context(pool.transport)
        return self._pools[allow_private]

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
        if len(url) > urls.MAX_CHARACTERS:
            raise RequestFailed(f"an address of more than {urls.MAX_CHARACTERS} characters")
        pool = await self._pool(allow_private)
        headers = {**headers, "Accept-Encoding": ACCEPTED}
        method = "GET" if form is None else "POST"
        try:
            async with asyncio.timeout(seconds):
                request = httpx.Request(
                    method, url, headers=headers, data=form, extensions=_EXTENSIONS
                )
                response = await pool.transport.handle_async_request(request)
                try:
                    raw = await _read(response) if response.status_code in WITH_BODY else b""
                finally:
                    await response.aclose()
        except TimeoutError:
            raise
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _explain(error) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise _invalid_url(error) from error
        try:
            body = decode(raw, response.headers.get("Content-Encoding", ""), MAX_BODY_BYTES)
        except TooLarge:
            raise RequestFailed(_TOO_LARGE) from None
        except Undecodable as error:
            raise RequestFailed(str(error)) from error
        public = pool.is_public(urls.host(url))
        return Answer(response.status_code, response.headers, body, public)


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


async def _read(response: httpx.Response) -> bytes:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > MAX_BODY_BYTES):
        raise RequestFailed(_TOO_LARGE)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestFailed(_TOO_LARGE)
    return bytes(body)


def _invalid_url(error: BaseException) -> RequestFailed:
    return RequestFailed(f"not a valid address: {urls.redact(str(error))}")


def _explain(error: BaseException) -> RequestFailed:
    """The cause in words.

    It comes from aiohttp's exception, the ``__cause__`` of httpx's: the transport maps a refused
    connection or a failed TLS handshake to ConnectTimeout.
    """
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__ or error
    match cause:
        case aiohttp.ClientConnectorError(os_error=_AddressRefused() as refused):
            return RequestFailed(str(refused))
        case aiohttp.InvalidURL():
            return _invalid_url(cause)  # such as a host called 2130706433
        case TimeoutError():
            return NoResponse("no answer in time", unreached=True)
        case aiohttp.ClientConnectorDNSError():
            reason = "name not found: check the address, or the network"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as tls):
            reason = f"TLS: {getattr(tls, 'verify_message', '') or tls.reason}"
        case aiohttp.ClientSSLError(os_error=tls):
            reason = f"TLS: {_explain_tls(str(getattr(tls, 'reason', None) or tls))}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            reason = "connection refused"
        case aiohttp.ClientConnectorError(os_error=os_error):
            reason = f"cannot connect: {os_error.strerror or os_error}"
        case aiohttp.ServerDisconnectedError():
            reason = "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            return RequestFailed("the answer was cut short")
        case aiohttp.ClientResponseError():
            return MalformedResponse("not an HTTP answer")
        case ConnectionResetError() | aiohttp.ClientOSError(errno=errno.ECONNRESET):
            reason = "the connection was reset"
        case _:
            reason = urls.redact(str(error)) or type(error).__name__
    return RequestFailed(reason, unreached=True)


def _explain_tls(reason: str) -> str:
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):  # the answer is plain HTTP
        return "the server does not use it there: does the address begin with http://?"
    return reason.replace("_", " ").lower()
