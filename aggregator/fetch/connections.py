"""Guarded connections: names are resolved and checked, then connected to, with TLS where asked for.

The address of a connection is the one that was checked; there is no second look-up.
"""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address

import aiohappyeyeballs

from aggregator.fetch.ssrf import Guard, address_to_allow

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0  # between bytes
_DNS_CACHE_SECONDS = 300
_OTHER_FAMILY_SECONDS = 0.25  # until the next address is tried too (RFC 8305)
_BUFFER_BYTES = 256 * 1024

Resolver = Callable[[str], Awaitable[list[str]]]  # the IP addresses of a name; raises gaierror


class AddressRefused(Exception):
    """The guard does not allow a connection to ``address``, which is that of ``host``."""

    def __init__(self, address: str, host: str) -> None:
        super().__init__(f"{address} is a private address")
        self.address = address_to_allow(address)
        self.host = host


class SlowConnection(Exception):
    """There was no connection in time, or no byte for a while."""


async def resolve(name: str) -> list[str]:
    """The addresses of a name from the system's resolver. Raises socket.gaierror, UnicodeError.

    Each look-up has its own thread. asyncio has only a few: a DNS server that does not answer
    would delay all other look-ups, and asyncio waits for its threads when the program stops.
    """
    future: Future[list[str]] = Future()
    future.set_running_or_notify_cancel()  # so that a cancelled caller cannot cancel it

    def look_up() -> None:
        try:
            results = socket.getaddrinfo(
                name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result([str(address[0]) for *_, address in results])

    threading.Thread(target=look_up, daemon=True).start()
    return await asyncio.wrap_future(future)


class Connector:
    """Opens connections, and remembers the addresses of names for five minutes."""

    def __init__(self, resolver: Resolver, tls: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._tls = tls
        self._addresses: dict[str, tuple[float, list[str]]] = {}  # name: (valid until, addresses)

    @asynccontextmanager
    async def connect(
        self, host: str, port: int, guard: Guard, *, secure: bool
    ) -> AsyncIterator["Connection"]:
        """Connect to an address of ``host`` that ``guard`` allows.

        Raises AddressRefused, SlowConnection, OSError (such as gaierror and SSLError), and
        UnicodeError for an invalid name.
        """
        addresses = await self._resolve(host)
        allowed = [address for address in addresses if guard.allows(address)]
        if not allowed:
            raise AddressRefused(addresses[0], host)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await _open(
                    allowed, port, self._tls if secure else None, host.rstrip(".")
                )
        except TimeoutError:
            raise SlowConnection from None
        try:
            yield connection
        finally:
            connection.transport.abort()

    async def _resolve(self, host: str) -> list[str]:
        if ip_address_or_none(host):
            return [host]
        valid_until, addresses = self._addresses.get(host, (0.0, []))
        if time.monotonic() >= valid_until:
            addresses = await self._resolver(host)
            self._addresses[host] = (time.monotonic() + _DNS_CACHE_SECONDS, addresses)
        return addresses


def ip_address_or_none(host: str) -> IPv4Address | IPv6Address | None:
    """``host`` as an address, or None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


async def _open(
    addresses: list[str], port: int, tls: ssl.SSLContext | None, server_name: str
) -> "Connection":
    sock = await aiohappyeyeballs.start_connection(
        [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                (address, port),
            )
            for address in addresses
        ],
        happy_eyeballs_delay=_OTHER_FAMILY_SECONDS,
    )
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, sock=sock, ssl=tls, server_hostname=server_name if tls else None
    )
    return connection


class Connection(asyncio.Protocol):
    """What a server sends, in pieces. Bytes that arrived before a reset are not lost.

    `asyncio.StreamReader` raises the reset first, though many servers reset a connection right
    after a complete answer.
    """

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False

    @property
    def peer(self) -> str | None:
        """The IP address of the server; None if it closed the connection at once."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if name else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, as the next three are."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Add ``data`` to the buffer; while it is full, do not read more."""
        self._buffer += data
        if len(self._buffer) > _BUFFER_BYTES:
            self.transport.pause_reading()
            self._is_paused = True
        self._wake()

    def eof_received(self) -> None:
        """The server has sent all."""
        self._ended = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed; with ``error``, it was reset."""
        self._ended = True
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> bytes:
        """The next bytes, none at the end. Raises SlowConnection, OSError."""
        if not self._buffer and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._waiter
            except TimeoutError:
                raise SlowConnection from None
        if not self._buffer and self._error:
            raise self._error
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._is_paused:
            self.transport.resume_reading()
            self._is_paused = False
        return data
