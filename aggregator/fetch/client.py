"""The one place that talks HTTP: httpx over aiohttp's transport.

aiohttp's transport costs less than half the CPU of httpx's own on thousands of conditional
requests: `benchmarks/transport.py` measures it.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from aggregator import urls
from aggregator.fetch import conditional
from aggregator.model import FetchFailed, FetchOutcome, Subscription, Validators

MAX_BODY_BYTES = 10 * 1024 * 1024  # decoded
MAX_REDIRECTS = 5
MAX_HOSTS_AT_ONCE = 16
TOTAL_SECONDS = 30.0  # httpx's own timeouts are per read: a byte a second would never end
_TIMEOUT = httpx.Timeout(connect=5.0, read=15.0, write=15.0, pool=None)


class _TooLarge(Exception):
    pass


class Fetcher:
    """Polls subscriptions: one request at a time per host, many hosts at once.

    Use it as an asynchronous context manager. Proxy variables of the environment are not
    read, so that a run is the same under cron as in a terminal.
    """

    def __init__(self, user_agent: str, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self._user_agent = user_agent
        self._total_seconds = total_seconds
        self._hosts: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=300, ssl=httpx.create_ssl_context(trust_env=True)
        )
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        transport = AiohttpTransport(client=session, verify=False)  # the connector verifies
        self._client = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def poll(
        self, due: Iterable[tuple[Subscription, Validators]], now: datetime
    ) -> AsyncGenerator[tuple[Subscription, FetchOutcome], None]:
        """Poll all of them; gives each as it is answered.

        A worker takes a whole host and polls its feeds in turn, the hosts with most feeds
        first. A full queue makes the workers wait, so that bodies never pile up in memory.
        """
        by_host: defaultdict[str, list[tuple[Subscription, Validators]]] = defaultdict(list)
        for subscription, validators in due:
            by_host[urls.host(subscription.url)].append((subscription, validators))
        hosts = sorted(by_host.values(), key=len)
        answers: asyncio.Queue[tuple[Subscription, FetchOutcome] | None] = asyncio.Queue(
            MAX_HOSTS_AT_ONCE
        )

        async def work() -> None:
            try:
                while hosts:
                    for subscription, validators in hosts.pop():
                        outcome = await self.fetch(subscription, validators, now)
                        await answers.put((subscription, outcome))
            finally:
                await answers.put(None)

        workers = [asyncio.create_task(work()) for _ in range(min(MAX_HOSTS_AT_ONCE, len(hosts)))]
        try:
            working = len(workers)
            while working:
                answer = await answers.get()
                if answer is None:
                    working -= 1
                else:
                    yield answer
            for worker in workers:
                worker.result()  # a bug in a worker is raised here, not lost
        finally:
            for worker in workers:
                worker.cancel()

    async def fetch(
        self, subscription: Subscription, validators: Validators, now: datetime
    ) -> FetchOutcome:
        """Poll one subscription, following up to 5 redirects. Never raises for remote trouble."""
        url = subscription.url
        headers = conditional.request_headers(subscription, validators, self._user_agent)
        permanent = True
        try:
            for _ in range(MAX_REDIRECTS + 1):
                status, answer, body = await self._request(url, headers)
                if status not in conditional.REDIRECTS:
                    moved = url if permanent and url != subscription.url else None
                    return conditional.classify(subscription, url, status, answer, body, moved, now)
                permanent = permanent and status in conditional.PERMANENT
                target = urls.absolute(url, answer.get("Location", ""))
                if target is None:
                    reason = f"HTTP {status} redirects to no web address"
                    return FetchFailed(subscription.url, reason)
                if httpx.URL(target).netloc != httpx.URL(url).netloc or target[:5] != url[:5]:
                    headers = conditional.without_secrets(headers)
                url = target
            reason = f"too many redirects ({MAX_REDIRECTS}), the last to {urls.redact(url)}"
            return FetchFailed(subscription.url, reason)
        except _TooLarge:
            reason = f"larger than {MAX_BODY_BYTES // 1024 // 1024} MiB"
            return FetchFailed(subscription.url, reason)
        except TimeoutError:
            reason = f"the answer took longer than {self._total_seconds:g} s"
            return FetchFailed(subscription.url, reason)
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            aiohttp.ClientError,
            OSError,
            ValueError,
        ) as error:
            return FetchFailed(subscription.url, _in_words(error))

    async def _request(self, url: str, headers: dict[str, str]) -> tuple[int, httpx.Headers, bytes]:
        # A redirect may lead to a host that another worker is asking: then it waits its turn.
        async with (
            self._hosts[urls.host(url)],
            asyncio.timeout(self._total_seconds),
            self._client.stream("GET", url, headers=headers) as response,
        ):
            body = bytearray()
            if response.status_code == httpx.codes.OK:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise _TooLarge
            return response.status_code, response.headers, bytes(body)


def _in_words(error: BaseException) -> str:
    """The cause, for a person.

    aiohttp's exceptions stand behind httpx's as ``__cause__``, and only they can be trusted:
    the transport calls a refused connection or a failed TLS handshake a ConnectTimeout.
    """
    cause = error if isinstance(error, aiohttp.ClientError) else error.__cause__ or error
    match cause:
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ClientConnectorDNSError():
            return "name not found: check the address, or the network"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as tls):
            return f"TLS: {getattr(tls, 'verify_message', '') or tls.reason}"
        case aiohttp.ClientSSLError(os_error=tls):
            return f"TLS: {getattr(tls, 'reason', None) or tls}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "connection refused"
        case aiohttp.ClientConnectorError(os_error=os_error):
            return f"cannot connect: {os_error.strerror or os_error}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer was cut short"
        case aiohttp.ClientResponseError():
            return "not an HTTP answer"
        case ConnectionResetError():
            return "the connection was reset"
    if isinstance(error, httpx.DecodingError):
        return "the answer's compression is broken"
    return urls.redact(str(error)) or type(error).__name__
