"""Subscriptions -> outcomes: whom to ask when, and where an answer leads. No HTTP of its own."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self

from aggregator.fetch import conditional
from aggregator.fetch.client import Answer, Client, MalformedResponse, NoResponse, Resolver, Trouble
from aggregator.fetch.domains import domain_of
from aggregator.model import (
    Caching,
    Deferred,
    Fetched,
    FetchFailed,
    FetchOutcome,
    Network,
    Poll,
    Subscription,
)
from aggregator.text import urls

logger = logging.getLogger(__name__)

MAX_REDIRECTS = 5
MAX_CONCURRENT = 16
TOTAL_SECONDS = 30.0  # httpx's own timeouts are per read: a byte a second would never end
GAP_SECONDS = 1.0
MAX_TIMEOUTS = 5  # one after another, of one host: then it is down
_HUB_SECONDS = 10.0


class _Turn:
    """One host's: a request at a time, and a rest after each."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap_seconds = gap_seconds
        self._lock = asyncio.Lock()
        self._free_at = 0.0

    async def rested(self) -> None:
        await asyncio.sleep(self._free_at - asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await self.rested()
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._free_at = asyncio.get_running_loop().time() + self._gap_seconds
        self._lock.release()


class Fetcher:
    """Polls subscriptions, an asynchronous context manager.

    One request at a time per registrable domain, with ``gap_seconds`` after each, and 16 in all:
    a host with a thousand feeds is not hammered, and keeps nobody waiting.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        total_seconds: float = TOTAL_SECONDS,
        gap_seconds: float = GAP_SECONDS,
        resolver: Resolver | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._total_seconds = total_seconds
        self._client = Client(resolver)
        self._turns: defaultdict[str, _Turn] = defaultdict(lambda: _Turn(gap_seconds))
        self._holds: dict[str, datetime] = {}
        self._silences: dict[str, int] = {}  # of hosts, since they last spoke

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__()

    async def poll(
        self, polls: Iterable[Poll], holds: Mapping[str, datetime], now: datetime
    ) -> AsyncGenerator[tuple[Subscription, FetchOutcome], None]:
        """Poll all of them; gives each as it is answered.

        ``holds`` are hosts that asked us to wait, and until when. A slot is held until its answer
        is taken, so that bodies never pile up in memory, but not while a host rests.
        """
        self._holds.update(holds)
        by_host: defaultdict[str, list[Poll]] = defaultdict(list)
        for poll in polls:
            by_host[domain_of(poll.url)].append(poll)
            self._silences.pop(urls.host(poll.url), None)
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        answers: asyncio.Queue[tuple[Subscription, FetchOutcome] | None] = asyncio.Queue(1)

        async def work(host: str) -> None:
            for poll in by_host[host]:
                if not self._is_down(poll.url):
                    await self._turns[host].rested()
                async with slots:
                    await answers.put((poll.subscription, await self.fetch(poll, now)))

        async def finish() -> None:
            try:
                await asyncio.gather(*workers)
            except Exception:
                await answers.put(None)  # not where it is cancelled: nobody may be there to take it
                raise
            await answers.put(None)

        longest_first = sorted(by_host, key=lambda host: -len(by_host[host]))
        workers = [asyncio.create_task(work(host)) for host in longest_first]
        finisher = asyncio.create_task(finish())
        try:
            while answer := await answers.get():
                yield answer
            await finisher  # a bug in a worker is raised here, not lost
        finally:
            for task in (*workers, finisher):
                task.cancel()

    async def fetch(self, poll: Poll, now: datetime) -> FetchOutcome:
        """Poll one subscription, following up to 5 redirects. Never raises for remote trouble."""
        key, url = poll.subscription.key, poll.url
        own = conditional.same_origin(url, poll.subscription.url)
        permanent = True
        warnings: tuple[str, ...] = ()
        left = self._total_seconds
        try:
            for _ in range(MAX_REDIRECTS + 1):
                until = self._holds.get(domain_of(url))
                if until and now < until:
                    return Deferred(key, until)
                if self._is_down(url):
                    reason = (
                        f"not asked: {urls.host(url)} did not answer {MAX_TIMEOUTS} times in a row"
                    )
                    return FetchFailed(key, reason, unreached=True)
                headers = conditional.request_headers(poll, url, own, self._user_agent, now)
                answer, left = await self._get(poll.subscription, url, headers, left)
                if answer.status not in conditional.REDIRECTS:
                    moved = url if permanent and url != poll.url == poll.subscription.url else None
                    return self._outcome(poll, url, answer, moved, warnings, now)
                permanent = permanent and answer.status in conditional.PERMANENT
                location = answer.headers.get("Location", "").strip()
                target = urls.absolute(url, location) if location else None
                if target is None:
                    return FetchFailed(key, f"HTTP {answer.status} redirects to no web address")
                target = urls.without_userinfo(target)
                own = own and conditional.same_origin(url, target)
                if url.startswith("https:") and target.startswith("http:"):
                    warnings = (f"redirects from https to {urls.redact(target)}",)
                url = target
        except Trouble as trouble:
            return FetchFailed(key, trouble.reason, unreached=trouble.unreached)
        except TimeoutError:
            reason = f"the answer took longer than {self._total_seconds:g} s"
            return FetchFailed(key, reason, unreached=True)
        reason = f"too many redirects ({MAX_REDIRECTS}), the last to {urls.redact(url)}"
        return FetchFailed(key, reason)

    async def ping(self, hub: str, topic: str, allow_private: tuple[Network, ...]) -> str | None:
        """Tell a WebSub hub that ``topic`` changed; gives what went wrong, in words.

        What a publisher sends its hub is left open by the recommendation of W3C (section 6):
        hubs take PubSubHubbub's form, which names the topic twice to be understood by all.
        """
        form = {"hub.mode": "publish", "hub.url": topic, "hub.topic": topic}
        headers = {"User-Agent": self._user_agent}
        try:
            answer = await self._client.post(hub, form, headers, allow_private, _HUB_SECONDS)
        except Trouble as trouble:
            return trouble.reason
        except TimeoutError:
            return f"the answer took longer than {_HUB_SECONDS:g} s"
        return None if answer.status // 100 == 2 else f"HTTP {answer.status}"

    async def _get(
        self, subscription: Subscription, url: str, headers: dict[str, str], seconds: float
    ) -> tuple[Answer, float]:
        """The answer, and how many of the seconds are left. Waiting for a turn costs none."""
        clock = asyncio.get_running_loop().time
        # A redirect may lead to a host that another worker is asking: then it waits its turn.
        while True:
            async with self._turns[domain_of(url)]:
                ends = clock() + seconds
                silences = self._silences.pop(urls.host(url), 0)
                try:
                    answer = await self._client.get(
                        url, headers, subscription.allow_private, seconds
                    )
                except (NoResponse, TimeoutError):
                    self._silences[urls.host(url)] = silences + 1
                    raise
                except MalformedResponse:
                    # Some scripts send a body behind their 304, which aiohttp takes for the next
                    # answer: they are asked for the whole document, once.
                    whole = conditional.unconditional(headers)
                    if whole == headers:
                        raise
                    headers, seconds = whole, ends - clock()
                else:
                    logger.debug(
                        "HTTP %d, %d bytes from %s", answer.status, len(answer.body), url,
                        extra={"subscription": subscription.title},
                    )  # fmt: skip
                    return answer, ends - clock()

    def _is_down(self, url: str) -> bool:
        """Whether nobody answers there, as these polls have learned: a hundred feeds of such a host
        would else hold up all others for half an hour."""
        return self._silences.get(urls.host(url), 0) >= MAX_TIMEOUTS

    def _outcome(
        self,
        poll: Poll,
        url: str,
        answer: Answer,
        moved_to: str | None,
        warnings: tuple[str, ...],
        now: datetime,
    ) -> FetchOutcome:
        host = domain_of(url) if answer.public else None
        outcome = conditional.classify(
            poll, url, answer.status, answer.headers, answer.body, moved_to, host, now
        )
        match outcome:
            case Fetched():
                return replace(outcome, warnings=warnings)
            case FetchFailed(host=str(held), caching=Caching(retry_after=timedelta() as wait)):
                self._holds[held] = now + wait
        return outcome
