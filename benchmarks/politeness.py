"""Simulates a month of polling 500 feeds: requests that publishers see, and delays of entries.

Each feed replays the gaps between the entries of a real document, with its hints (ttl, sy:*,
skipHours); without ../shared both are generated. Documents do not contain HTTP headers, so these are
assigned by hash: a third of the servers send no caching headers, the others max-age of 5 minutes to
2 days, on 304 as on 200, or Expires; a fifth do not support conditional requests; a tenth are down
for a day or two, half of those with Retry-After; a twentieth answer 429 to requests within 2 hours.

Our functions are compared with the rules in the source code of other programs: polling each hour;
reader (60 minutes, max-age and Expires, Retry-After of 429 and 503); Miniflux (60 minutes; ttl,
max-age and Expires only on a changed 200, at most 24 hours; Retry-After of 429; no polls after 3
errors in a row).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median

import httpx

from aggregator.fetch import schedule, transitions
from aggregator.fetch.freshness import caching
from aggregator.model import (
    Entry,
    Feed,
    FeedState,
    Fetched,
    FetchFailed,
    NotModified,
    ParsedFeed,
    PollHints,
    Subscription,
    Validators,
)
from aggregator.parse.document import parse_document

FEEDS = 500
START = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
CRON = timedelta(minutes=15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class PublisherProfile:
    """A publisher: when it publishes, and how its server behaves. ``outage``: (start, end)."""

    key: str
    dates: tuple[datetime, ...]
    hints: PollHints
    headers: Mapping[str, str]
    conditional: bool
    outage: tuple[datetime, datetime] | None
    busy: bool
    limited: bool


@dataclass(slots=True)
class PollStatistics:
    """The requests of a poller at publishers. ``early``: before the time that a server asked for."""

    requests: int = 0
    unmodified: int = 0
    bodies: int = 0
    early: int = 0
    delays: list[timedelta] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: 200, 304, 429, 503; 0 if there was none."""

    status: int
    headers: httpx.Headers


def _hash(*parts: object) -> float:
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:6]) / 2**48


def _real_rhythms() -> Iterator[tuple[list[float], PollHints]]:
    """(gaps in seconds, hints) of real documents."""
    for path in sorted((_REPOSITORY.parent / "shared" / "corpus" / "feeds").glob("*")):
        parsed = parse_document(Fetched(path.name, "http://a.example/", path.read_bytes()), START)
        if isinstance(parsed, ParsedFeed):
            dates = sorted(d for e in parsed.entries if (d := e.published or e.updated))
            gaps = [(b - a).total_seconds() for a, b in pairwise(dates) if a != b]
            if len(gaps) >= 4:
                yield gaps, parsed.hints


def _generated_rhythms() -> Iterator[tuple[list[float], PollHints]]:
    for number in range(FEEDS):
        typical_gap = 1800 * 2 ** (_hash("usual", number) * 12)  # 30 minutes to 85 days
        gaps = [typical_gap * 4 ** (_hash("gap", number, n) * 2 - 1) for n in range(20)]
        yield gaps, PollHints(ttl=HOUR if _hash("ttl", number) < 0.1 else None)


def publisher_profiles() -> list[PublisherProfile]:
    """The 500 publishers, the same each time."""
    rhythms = list(_real_rhythms()) or list(_generated_rhythms())
    profiles = []
    for number in range(FEEDS):
        gaps, hints = rhythms[number % len(rhythms)]
        # Enough history for a rhythm, then the month; each feed starts at another place of its cycle.
        at = START - timedelta(seconds=sum(gaps)) - timedelta(seconds=gaps[0] * _hash(number))
        at = max(at, START - 3650 * DAY)
        dates: list[datetime] = []
        place = 0
        while at < START + MONTH and len(dates) < 20_000:
            dates.append(at.replace(microsecond=0))
            at += timedelta(seconds=max(gaps[place % len(gaps)], 60))
            place += 1
        profiles.append(_make_profile(f"https://{number}.example/feed", tuple(dates), hints))
    return profiles


def _make_profile(key: str, dates: tuple[datetime, ...], hints: PollHints) -> PublisherProfile:
    kind = _hash("cache", key)
    seconds = int(300 * 2 ** (_hash("age", key) * 9.2))  # 5 minutes to 2 days
    headers = {} if kind < 0.33 else {"Cache-Control": f"max-age={seconds}"}
    if kind > 0.9:
        headers = {"Expires": str(seconds)}  # becomes a date in each answer
    outage = None
    if _hash("outage", key) < 0.1:
        began = START + MONTH * 0.8 * _hash("began", key)
        outage = (began, began + DAY * (1 + _hash("length", key)))
    return PublisherProfile(
        key=key,
        dates=dates,
        hints=hints,
        headers=headers,
        conditional=_hash("conditional", key) > 0.2,
        outage=outage,
        busy=_hash("busy", key) < 0.5,
        limited=_hash("limited", key) < 0.05,
    )


class Server:
    """The server of one publisher; counts in ``statistics``."""

    def __init__(self, profile: PublisherProfile, statistics: PollStatistics) -> None:
        self.profile = profile
        self.statistics = statistics
        self._wait = self._last = START - DAY
        self._delivered = -1  # entries that the poller has
        self.published = [d for d in profile.dates if d >= START]

    def request(self, now: datetime) -> Reply:
        profile, statistics = self.profile, self.statistics
        statistics.requests += 1
        statistics.early += now < self._wait
        last, self._last = self._last, now
        if profile.outage and profile.outage[0] <= now < profile.outage[1]:
            if not profile.busy:
                return Reply(0, httpx.Headers())
            return self._retry_after(503, now, 6 * HOUR)
        if profile.limited and now - last < 2 * HOUR:
            return self._retry_after(429, now, 2 * HOUR)
        headers = httpx.Headers(profile.headers)
        if "Expires" in headers:
            at = now + timedelta(seconds=int(headers["Expires"]))
            headers["Expires"] = f"{at:%a, %d %b %Y %H:%M:%S GMT}"
        fresh = caching(headers, now).fresh
        self._wait = now + fresh if fresh else now
        count = bisect_right(profile.dates, now)
        status = 304 if profile.conditional and count == self._delivered else 200
        self._delivered = count
        statistics.unmodified += status == 304
        statistics.bodies += status == 200
        while self.published and self.published[0] <= now:
            statistics.delays.append(now - self.published.pop(0))
        return Reply(status, headers)

    def _retry_after(self, status: int, now: datetime, delay: timedelta) -> Reply:
        self._wait = now + delay
        seconds = str(int(delay.total_seconds()))
        return Reply(status, httpx.Headers({"Retry-After": seconds}))


def poll_as_we_do(server: Server) -> None:
    """Our functions, as a run calls them every 15 minutes."""
    profile = server.profile
    subscription = Subscription(profile.key, profile.key, profile.key)
    state, now = FeedState(profile.key), START
    while now < START + MONTH:
        if schedule.is_due(subscription, state, {}, now):
            state = _next_state(subscription, state, server.request(now), profile, now)
        now += CRON


def _next_state(
    subscription: Subscription,
    state: FeedState,
    reply: Reply,
    profile: PublisherProfile,
    now: datetime,
) -> FeedState:
    key, cache_headers = profile.key, caching(reply.headers, now)
    if reply.status not in (200, 304):
        status = reply.status or None
        failure = FetchFailed(key, "down", status, cache_headers, unreached=not status)
        return transitions.on_failed(subscription, state, failure, now)[0]
    if reply.status == 304:
        return transitions.on_not_modified(
            subscription, state, NotModified(key, caching=cache_headers), now
        )[0]
    dates = profile.dates[: bisect_right(profile.dates, now)][-15:]
    entries = tuple(Entry(str(d), str(d), "", published=d) for d in reversed(dates))
    parsed = ParsedFeed(key, Feed(key, key), entries, hints=profile.hints)
    outcome = Fetched(key, key, b"", validators=Validators("e", None, key), caching=cache_headers)
    return transitions.on_fetched(subscription, state, outcome, parsed, "h", now, same_feed=True)[0]


def hourly(server: Server) -> None:
    """Each hour, whatever the server answers."""
    now = START
    while now < START + MONTH:
        server.request(now)
        now += HOUR


def reader(server: Server) -> None:
    """reader 3.27: ``HTTPInfo.get_update_after``, in steps of its interval."""
    now = START
    while now < START + MONTH:
        reply = server.request(now)
        cache_headers = caching(reply.headers, now)
        wait = cache_headers.fresh or timedelta(0)
        if reply.status in (429, 503):
            wait = cache_headers.retry_after or timedelta(0)
        steps = max(-(-wait // HOUR), 1)
        now += steps * HOUR


def miniflux(server: Server) -> None:
    """Miniflux 2.2: ``RefreshFeed``; its batches of 15 minutes are approximated by an hour."""
    now, errors = START, 0
    while now < START + MONTH and errors < 3:
        reply = server.request(now)
        cache_headers = caching(reply.headers, now)
        delay = HOUR
        if reply.status == 200:
            delay = max(HOUR, cache_headers.fresh or HOUR, server.profile.hints.ttl or HOUR)
        if reply.status == 429:
            delay = max(HOUR, cache_headers.retry_after or HOUR)
        errors = errors + 1 if reply.status in (0, 429, 503) else 0
        now += min(delay, DAY)


RULES = {
    "aggregator": poll_as_we_do,
    "each hour": hourly,
    "reader's rules": reader,
    "Miniflux's": miniflux,
}


def measure() -> dict[str, PollStatistics]:
    """The statistics of each poller over all publishers."""
    statistics = {}
    publishers = publisher_profiles()
    for name, rule in RULES.items():
        total = PollStatistics()
        for profile in publishers:
            server = Server(profile, total)
            rule(server)
            # Entries that were never fetched count with the rest of the month as delay.
            total.delays += [START + MONTH - date for date in server.published]
        statistics[name] = total
    return statistics


def main() -> None:
    """Print the table."""
    print(f"\n{FEEDS} feeds, a month; delays are from publication to fetching\n")
    print(
        f"  {'':16} requests  a feed a day   304    bodies   too early   median delay     9 in 10"
    )
    for name, statistics in measure().items():
        delays = sorted(delay.total_seconds() / 60 for delay in statistics.delays)
        print(
            f"  {name:16} {statistics.requests:8}  {statistics.requests / FEEDS / 30:12.1f}  "
            f"{statistics.unmodified / statistics.requests:4.0%}  {statistics.bodies:8}  {statistics.early:9}  "
            f"{_format_minutes(median(delays)):>12}  {_format_minutes(delays[len(delays) * 9 // 10]):>10}"
        )


def _format_minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


if __name__ == "__main__":
    main()
