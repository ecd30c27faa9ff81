"""Polls subscriptions politely: order, pauses between requests, redirects, hosts that are down."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Self

from aggregator.fetch import conditional
from aggregator.fetch.client import (
    Client,
    NoResponse,
    PrivateAddress,
    RequestFailed,
)
from aggregator.fetch.connections import Resolver, resolve
from aggregator.fetch.cookies import ChainCookies
from aggregator.fetch.domains import domain_of
from aggregator.model import Deferred, FetchFailed, FetchOutcome, Network, Poll, Subscription
from aggregator.text import urls

logger = logging.getLogger(__name__)

MAX_REDIRECTS = 5
MAX_CONCURRENT = 16
TOTAL_SECONDS = 30.0  # of a poll; other limits are per read, and a byte a second would never end
GAP_SECONDS = 1.0
MAX_TIMEOUTS = 5  # of one host in a row; then it counts as down
_HUB_SECONDS = 10.0


class HostThrottle:
    """Allows one request at a time to a host, and a pause after each."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._lock = asyncio.Lock()
        self._free_at = 0.0

    async def pause(self) -> None:
        """Wait until the pause after the last request is over."""
        await asyncio.sleep(self._free_at - asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await self.pause()
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._free_at = asyncio.get_running_loop().time() + self._gap_seconds
        self._lock.release()


class Fetcher:
    """Polls subscriptions, an asynchronous context manager.

    It sends one request at a time to each registrable domain, with a pause of ``gap_seconds``
    after each, and at most 16 in all. So a host with a thousand feeds is not overloaded, and does
    not delay the other hosts.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        total_seconds: float = TOTAL_SECONDS,
        gap_seconds: float = GAP_SECONDS,
        resolver: Resolver = resolve,
    ) -> None:
        self._user_agent = user_agent
        self._total_seconds = total_seconds
        self._client = Client(resolver)
        self._throttles: defaultdict[str, HostThrottle] = defaultdict(
            lambda: HostThrottle(gap_seconds)
        )
        self._holds: dict[str, datetime] = {}
        self._timeouts: Counter[str] = Counter()  # of each host, since its last answer

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def poll(
        self, polls: Iterable[Poll], holds: Mapping[str, datetime], now: datetime
    ) -> AsyncGenerator[tuple[Subscription, FetchOutcome], None]:
        """Poll all subscriptions, and yield each outcome when it arrives.

        ``holds`` are the hosts that asked us to wait, and until when. A request keeps its slot until
        its outcome is taken, so that bodies do not pile up in memory. A host's pause needs no slot.
        """
        self._holds.update(holds)
        by_domain: defaultdict[str, list[Poll]] = defaultdict(list)
        for poll in polls:
            by_domain[domain_of(poll.url)].append(poll)
            del self._timeouts[urls.host(poll.url)]
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        outcomes: asyncio.Queue[tuple[Subscription, FetchOutcome] | None] = asyncio.Queue(1)

        async def work(domain: str) -> None:
            for poll in by_domain[domain]:
                if not self._is_down(poll.url):
                    await self._throttles[domain].pause()
                async with slots:
                    await outcomes.put((poll.subscription, await self.fetch(poll, now)))

        async def finish() -> None:
            try:
                await asyncio.gather(*workers)
            except Exception:
                await outcomes.put(None)  # not after a cancellation: nobody might take it
                raise
            await outcomes.put(None)

        longest_first = sorted(by_domain, key=lambda domain: -len(by_domain[domain]))
        workers = [asyncio.create_task(work(domain)) for domain in longest_first]
        finisher = asyncio.create_task(finish())
        try:
            while outcome := await outcomes.get():
                yield outcome
            await finisher  # raises the exception of a worker
        finally:
            for task in (*workers, finisher):
                task.cancel()

    async def fetch(self, poll: Poll, now: datetime) -> FetchOutcome:
        """Poll one subscription, and follow up to 5 redirects. Remote errors are outcomes."""
        key, url = poll.subscription.key, poll.url
        at_origin = conditional.same_origin(url, poll.subscription.url)
        permanent = True
        warnings: tuple[str, ...] = ()
        seconds = self._total_seconds
        cookies = ChainCookies()
        try:
            for _ in range(MAX_REDIRECTS + 1):
                if skipped := self._skip(key, url, now):
                    return skipped
                headers = conditional.request_headers(poll, url, at_origin, self._user_agent, now)
                if cookie := cookies.header(url):
                    headers = conditional.with_cookie(headers, cookie)
                answer, seconds = await self._get(poll.subscription, url, headers, seconds)
                logger.debug(
                    "HTTP %d, %d bytes from %s", answer.status, len(answer.body), url,
                    extra={"subscription": poll.subscription.title},
                )  # fmt: skip
                if not conditional.is_redirect(answer):
                    moved = url if permanent and url != poll.url == poll.subscription.url else None
                    outcome = conditional.classify(poll, url, answer, moved, warnings, now)
                    if isinstance(outcome, FetchFailed) and outcome.host:
                        wait = outcome.caching.retry_after or timedelta(0)
                        self._holds[outcome.host] = now + wait
                    return outcome
                permanent = permanent and answer.status in conditional.PERMANENT
                target = conditional.redirect_target(url, answer)
                if target is None:
                    return FetchFailed(key, f"HTTP {answer.status} redirects to no web address")
                cookies.keep(url, answer.cookies)
                at_origin = at_origin and conditional.same_origin(url, target)
                if url.startswith("https:") and target.startswith("http:"):
                    warnings = (f"redirects from https to {urls.redact(target)}",)
                url = target
        except PrivateAddress as error:
            if url != poll.subscription.url:  # a stranger chose it: do not advise to allow it
                reason = f"redirects to a private address ({error.address}), refused"
                return FetchFailed(key, reason)
            return FetchFailed(key, error.reason, unreached=error.unreached, local=error.local)
        except RequestFailed as error:
            local = error.local and url == poll.url
            return FetchFailed(key, error.reason, unreached=error.unreached, local=local)
        except TimeoutError:
            return FetchFailed(key, _too_slow(self._total_seconds), unreached=True)
        reason = f"too many redirects ({MAX_REDIRECTS}), the last to {urls.redact(url)}"
        return FetchFailed(key, reason)

    def _skip(self, key: str, url: str, now: datetime) -> Deferred | FetchFailed | None:
        """The outcome without a request, if the host asked us to wait or is down."""
        until = self._holds.get(domain_of(url))
        if until and now < until:
            return Deferred(key, until)
        if self._is_down(url):
            reason = f"skipped: {urls.host(url)} did not answer {MAX_TIMEOUTS} times in a row"
            return FetchFailed(key, reason, unreached=True)
        return None

    async def ping(self, hub: str, topic: str, allow_private: tuple[Network, ...]) -> str | None:
        """Tell a WebSub hub that ``topic`` changed. Returns an error message, or None.

        The W3C recommendation does not define how a publisher notifies its hub (section 6). Hubs
        accept PubSubHubbub's form. It has the topic under two names, as hubs differ.
        """
        form = {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}
        headers = {"User-Agent": self._user_agent}
        try:
            answer = await self._client.request(hub, headers, allow_private, _HUB_SECONDS, form)
        except RequestFailed as error:
            return error.reason
        except TimeoutError:
            return _too_slow(_HUB_SECONDS)
        return None if answer.status // 100 == 2 else f"HTTP {answer.status}"

    async def _get(
        self, subscription: Subscription, url: str, headers: dict[str, str], seconds: float
    ) -> tuple[conditional.Answer, float]:
        """The answer, and how many of the seconds remain. Waiting for the host takes none."""
        clock = asyncio.get_running_loop().time
        host = urls.host(url)
        # After a redirect, another worker may be sending a request to this host.
        async with self._throttles[domain_of(url)]:
            deadline = clock() + seconds
            timeouts = self._timeouts.pop(host, 0)
            try:
                answer = await self._client.request(
                    url, headers, subscription.allow_private, seconds
                )
            except (NoResponse, TimeoutError):
                self._timeouts[host] = timeouts + 1
                raise
            return answer, deadline - clock()

    def _is_down(self, url: str) -> bool:
        """Whether the host timed out 5 times in a row.

        Otherwise a hundred feeds of such a host would delay all others for half an hour.
        """
        return self._timeouts[urls.host(url)] >= MAX_TIMEOUTS


def _too_slow(seconds: float) -> str:
    return f"the answer took longer than {seconds:g} s"
