"""A month of polling 500 feeds, simulated: what publishers see of us, and how late readers are.

Each feed publishes by the gaps between the entries of a real document, replayed, and asks for what
that document asks (ttl, sy:*, skipHours); without such documents beside the checkout both are
generated. What servers say of caching is not in documents, and is dealt out by hash: a third say
nothing, the others send max-age of 5 minutes to 2 days, on 304 as on 200, or Expires; a fifth
know no conditional requests; one in ten is down for a day or two, half of those with Retry-After;
one in twenty answers 429 to whoever comes within 2 hours.

Beside our own functions stand the rules of others, as their sources have them: polling each hour;
reader's (60 minutes, max-age and Expires, Retry-After of 429 and 503); Miniflux's (60 minutes;
ttl, max-age and Expires only on a changed 200, 24 hours at most; Retry-After of 429; no more after
3 errors in a row).
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
class Habit:
    """A publisher: when it publishes, what its server says. ``outage`` is (from, to)."""

    key: str
    dates: tuple[datetime, ...]
    hints: PollHints
    headers: Mapping[str, str]
    conditional: bool
    outage: tuple[datetime, datetime] | None
    busy: bool
    limited: bool


@dataclass(slots=True)
class Seen:
    """What a publisher saw of a poller."""

    requests: int = 0
    unmodified: int = 0
    bodies: int = 0
    early: int = 0
    delays: list[timedelta] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: 200, 304, 429, 503, or 0 for none."""

    status: int
    headers: httpx.Headers


def _hash(*parts: object) -> float:
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:6]) / 2**48


def _real() -> Iterator[tuple[list[float], PollHints]]:
    """(gaps in seconds, hints) of real documents."""
    for path in sorted((_REPOSITORY.parent / "shared" / "corpus" / "feeds").glob("*")):
        parsed = parse_document(Fetched(path.name, "http://a.example/", path.read_bytes()), START)
        if isinstance(parsed, ParsedFeed):
            dates = sorted(d for e in parsed.entries if (d := e.published or e.updated))
            gaps = [(b - a).total_seconds() for a, b in pairwise(dates) if a != b]
            if len(gaps) >= 4:
                yield gaps, parsed.hints


def _generated() -> Iterator[tuple[list[float], PollHints]]:
    for number in range(FEEDS):
        usual = 1800 * 2 ** (_hash("usual", number) * 12)  # half an hour to three months
        gaps = [usual * 4 ** (_hash("gap", number, n) * 2 - 1) for n in range(20)]
        yield gaps, PollHints(ttl=HOUR if _hash("ttl", number) < 0.1 else None)


def habits() -> list[Habit]:
    """The 500 publishers, the same each time."""
    known = list(_real()) or list(_generated())
    made = []
    for number in range(FEEDS):
        gaps, hints = known[number % len(known)]
        # History enough for a rhythm, then the month; each feed starts somewhere in its cycle.
        at = START - timedelta(seconds=sum(gaps)) - timedelta(seconds=gaps[0] * _hash(number))
        at = max(at, START - 3650 * DAY)
        dates: list[datetime] = []
        place = 0
        while at < START + MONTH and len(dates) < 20_000:
            dates.append(at.replace(microsecond=0))
            at += timedelta(seconds=max(gaps[place % len(gaps)], 60))
            place += 1
        made.append(_habit(f"https://{number}.example/feed", tuple(dates), hints))
    return made


def _habit(key: str, dates: tuple[datetime, ...], hints: PollHints) -> Habit:
    kind = _hash("cache", key)
    seconds = int(300 * 2 ** (_hash("age", key) * 9.2))  # 5 minutes to 2 days
    headers = {} if kind < 0.33 else {"Cache-Control": f"max-age={seconds}"}
    if kind > 0.9:
        headers = {"Expires": str(seconds)}  # turned into a date at each answer
    outage = None
    if _hash("outage", key) < 0.1:
        began = START + MONTH * 0.8 * _hash("began", key)
        outage = (began, began + DAY * (1 + _hash("length", key)))
    return Habit(
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
    """One publisher's, which keeps the score in ``seen``."""

    def __init__(self, habit: Habit, seen: Seen) -> None:
        self.habit = habit
        self.seen = seen
        self._wait = self._last = START - DAY
        self._known = -1  # entries the poller has
        self.published = [d for d in habit.dates if d >= START]

    def ask(self, now: datetime) -> Reply:
        habit, seen = self.habit, self.seen
        seen.requests += 1
        seen.early += now < self._wait
        last, self._last = self._last, now
        if habit.outage and habit.outage[0] <= now < habit.outage[1]:
            if not habit.busy:
                return Reply(0, httpx.Headers())
            return self._asked_to_wait(503, now, 6 * HOUR)
        if habit.limited and now - last < 2 * HOUR:
            return self._asked_to_wait(429, now, 2 * HOUR)
        headers = httpx.Headers(habit.headers)
        if "Expires" in headers:
            at = now + timedelta(seconds=int(headers["Expires"]))
            headers["Expires"] = f"{at:%a, %d %b %Y %H:%M:%S GMT}"
        fresh = caching(headers, now).fresh
        self._wait = now + fresh if fresh else now
        count = bisect_right(habit.dates, now)
        status = 304 if habit.conditional and count == self._known else 200
        self._known = count
        seen.unmodified += status == 304
        seen.bodies += status == 200
        while self.published and self.published[0] <= now:
            seen.delays.append(now - self.published.pop(0))
        return Reply(status, headers)

    def _asked_to_wait(self, status: int, now: datetime, delay: timedelta) -> Reply:
        self._wait = now + delay
        seconds = str(int(delay.total_seconds()))
        return Reply(status, httpx.Headers({"Retry-After": seconds}))


def ours(server: Server) -> None:
    """The functions that a run calls, each quarter of an hour."""
    habit = server.habit
    subscription = Subscription(habit.key, habit.key, habit.key)
    state, now = FeedState(habit.key), START
    while now < START + MONTH:
        if schedule.is_due(subscription, state, {}, now):
            state = _told(subscription, state, server.ask(now), habit, now)
        now += CRON


def _told(
    subscription: Subscription, state: FeedState, reply: Reply, habit: Habit, now: datetime
) -> FeedState:
    key, said = habit.key, caching(reply.headers, now)
    if reply.status not in (200, 304):
        status = reply.status or None
        failure = FetchFailed(key, "down", status, said, unreached=not status)
        return transitions.on_failed(subscription, state, failure, now)[0]
    if reply.status == 304:
        return transitions.on_not_modified(
            subscription, state, NotModified(key, caching=said), now
        )[0]
    dates = habit.dates[: bisect_right(habit.dates, now)][-15:]
    entries = tuple(Entry(str(d), str(d), "", published=d) for d in reversed(dates))
    parsed = ParsedFeed(key, Feed(key, key), entries, hints=habit.hints)
    outcome = Fetched(key, key, b"", validators=Validators("e", None, key), caching=said)
    return transitions.on_fetched(subscription, state, outcome, parsed, "h", now, same_feed=True)[0]


def hourly(server: Server) -> None:
    """Each hour, come what may."""
    now = START
    while now < START + MONTH:
        server.ask(now)
        now += HOUR


def reader(server: Server) -> None:
    """reader 3.27: ``HTTPInfo.get_update_after``, in steps of its interval."""
    now = START
    while now < START + MONTH:
        reply = server.ask(now)
        said = caching(reply.headers, now)
        wait = said.fresh or timedelta(0)
        if reply.status in (429, 503):
            wait = said.retry_after or timedelta(0)
        steps = max(-(-wait // HOUR), 1)
        now += steps * HOUR


def miniflux(server: Server) -> None:
    """Miniflux 2.2: ``RefreshFeed``; its batch comes each 15 minutes, so near enough an hour."""
    now, errors = START, 0
    while now < START + MONTH and errors < 3:
        reply = server.ask(now)
        said = caching(reply.headers, now)
        delay = HOUR
        if reply.status == 200:
            delay = max(HOUR, said.fresh or HOUR, server.habit.hints.ttl or HOUR)
        if reply.status == 429:
            delay = max(HOUR, said.retry_after or HOUR)
        errors = errors + 1 if reply.status in (0, 429, 503) else 0
        now += min(delay, DAY)


RULES = {"aggregator": ours, "each hour": hourly, "reader's rules": reader, "Miniflux's": miniflux}


def measure() -> dict[str, Seen]:
    """What all publishers saw of each poller, together."""
    found = {}
    publishers = habits()
    for name, rule in RULES.items():
        total = Seen()
        for habit in publishers:
            server = Server(habit, total)
            rule(server)
            # What was never fetched came late by what is left of the month.
            total.delays += [START + MONTH - date for date in server.published]
        found[name] = total
    return found


def main() -> None:
    """Print the table."""
    print(f"\n{FEEDS} feeds, a month; a delay is from publication to our having it\n")
    print(
        f"  {'':16} requests  a feed a day   304    bodies   too early   median delay     9 in 10"
    )
    for name, seen in measure().items():
        delays = sorted(delay.total_seconds() / 60 for delay in seen.delays)
        print(
            f"  {name:16} {seen.requests:8}  {seen.requests / FEEDS / 30:12.1f}  "
            f"{seen.unmodified / seen.requests:4.0%}  {seen.bodies:8}  {seen.early:9}  "
            f"{_words(median(delays)):>12}  {_words(delays[len(delays) * 9 // 10]):>10}"
        )


def _words(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


if __name__ == "__main__":
    main()
