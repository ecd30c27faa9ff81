"""When a subscription is polled next, and why then. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from statistics import median

from aggregator.fetch.domains import domain_of
from aggregator.fetch.freshness import MAX_DELAY
from aggregator.model import Caching, FeedState, PollHints, Subscription

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FLOOR, CEILING = HOUR, DAY
SILENT_AFTER, WHEN_SILENT = 365 * DAY, 7 * DAY
WHEN_GONE = 30 * DAY
REFUSED_WAIT = 4 * HOUR  # 403 and 429 that do not say how long
MAX_HINT = DAY  # ttl and sy: stand in templates for ever; longer ones are slips
MAX_PER_HOST = 300  # in one run: five minutes
_NEVER = datetime.min.replace(tzinfo=UTC)
_RECENT = 11  # entries, so ten gaps
_JITTER, _MOST_JITTER = 0.1, timedelta(minutes=30)
_POLLS_PER_GAP = 4
_SLOWING = 30  # no entry for a month: once a day


def spread(key: str) -> float:
    """A number in 0..1 that is always the same for ``key``: so feeds spread, and each is steady."""
    return int.from_bytes(sha256(key.encode()).digest()[:4]) / 2**32


def entry_rhythm(
    dates: Iterable[datetime], now: datetime
) -> tuple[timedelta | None, datetime | None]:
    """The median gap between recent entries, and the time of the newest; None if unknown."""
    recent = sorted((min(date, now) for date in dates), reverse=True)[:_RECENT]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(recent)]
    return timedelta(seconds=median(gaps)) if gaps else None, recent[0] if recent else None


def is_silent(state: FeedState, now: datetime) -> bool:
    """No entry for a year."""
    return state.newest_at is not None and now - state.newest_at >= SILENT_AFTER


def is_due(
    subscription: Subscription,
    state: FeedState,
    holds: Mapping[str, datetime],
    now: datetime,
    *,
    everything: bool = False,
) -> bool:
    """Whether to poll in this run. ``everything`` overrides our plan, never a Retry-After.

    A clock that was set back makes a feed due, rather than silent until the old time returns.
    """
    if asked_until(subscription, state, holds, now):
        return False
    if everything or state.fetched_at is None or state.fetched_at > now:
        return True
    if now < state.fetched_at + subscription.min_interval:
        return False
    return state.next_poll_at is None or now >= state.next_poll_at


def asked_until(
    subscription: Subscription, state: FeedState, holds: Mapping[str, datetime], now: datetime
) -> datetime | None:
    """Until when its publisher, or its host, asked us to wait; None if not, or no longer.

    What is further ahead than anybody may ask was noted by a clock that was ahead.
    """
    asked = [state.not_before]
    if holds:
        asked.append(holds.get(domain_of(poll_url(subscription, state))))
    return max((at for at in asked if at and now < at <= now + MAX_DELAY), default=None)


def limit_per_host(
    due: Iterable[tuple[Subscription, FeedState]],
) -> list[tuple[Subscription, FeedState]]:
    """At most `MAX_PER_HOST` of each host, those that have waited longest first.

    One request a second: a host of thousands would else keep everybody else's news from being
    published for hours. The rest are due in the next run, and come first then.
    """
    longest = sorted(due, key=lambda pair: pair[1].next_poll_at or pair[1].fetched_at or _NEVER)
    counts: Counter[str] = Counter()
    taken = []
    for subscription, state in longest:
        host = domain_of(poll_url(subscription, state))
        counts[host] += 1
        if counts[host] <= MAX_PER_HOST:
            taken.append((subscription, state))
    return taken


def poll_url(subscription: Subscription, state: FeedState) -> str:
    """The address in feeds.toml, or the one to which it has moved for good."""
    return state.move.url if state.move and state.move.adopted else subscription.url


def after_success(
    subscription: Subscription, state: FeedState, caching: Caching, now: datetime
) -> tuple[datetime, str]:
    """The publisher's own rhythm, and never before any bound that the publisher states."""
    own, reason = _own_rhythm(state, now)
    bounds = [(now + own, reason), *_bounds(subscription, state, caching, now)]
    at, reason = max(bounds, key=lambda bound: bound[0])
    at += spread(state.key) * min(_JITTER * own, _MOST_JITTER)
    return _unskipped(at, reason, state.hints)


def after_failure(
    subscription: Subscription,
    state: FeedState,
    status: int | None,
    caching: Caching,
    now: datetime,
) -> tuple[datetime, str]:
    """min(7 d, 1 h x 2^(n-1)), up to a fifth more by jitter; never a full stop."""
    streak = state.failures
    delay = HOUR * 2 ** min(streak - 1, 10) * (1 + spread(f"{state.key} {streak}") / 5)
    if status in (403, 429) and caching.retry_after is None:
        delay = max(delay, REFUSED_WAIT)
    times = "failed once" if streak == 1 else f"failed {streak} times in a row"
    bounds = _bounds(subscription, state, caching, now)
    return _unskipped(*max([(now + min(delay, MAX_DELAY), times), *bounds]), state.hints)


def after_gone(state: FeedState, now: datetime) -> tuple[datetime, str]:
    """A second answer a day after the first decides; then a look once a month."""
    if state.gone_confirmed:
        return now + WHEN_GONE, "gone (HTTP 410); a look once a month"
    return (state.gone_at or now) + DAY, "HTTP 410; asked once more after a day"


def _own_rhythm(state: FeedState, now: datetime) -> tuple[timedelta, str]:
    if state.newest_at is None:
        return FLOOR, "no entry has a date yet"
    quiet = max(now - state.newest_at, timedelta(0))
    if is_silent(state, now):
        return WHEN_SILENT, f"silent since {state.newest_at:%Y-%m-%d}"
    own = (state.gap or timedelta(0)) / _POLLS_PER_GAP
    if own >= quiet / _SLOWING:
        reason = f"an entry about every {words(state.gap or own)}"
    else:
        own, reason = quiet / _SLOWING, f"no entry for {words(quiet)}"
    return min(max(own, FLOOR), CEILING), reason


def _bounds(
    subscription: Subscription, state: FeedState, caching: Caching, now: datetime
) -> list[tuple[datetime, str]]:
    """Every instant before which somebody asked us not to come."""
    hints = state.hints
    fresh = caching.fresh if caching.fresh is not None else state.lifetime
    bounds = [
        (subscription.min_interval, "min_interval in feeds.toml"),
        (caching.retry_after, "the publisher's Retry-After"),
        (fresh, "fresh until then, says the publisher (Cache-Control or Expires)"),
        (min(hints.ttl, MAX_HINT) if hints.ttl else None, "the feed's ttl"),
    ]
    found = [(now + delay, reason) for delay, reason in bounds if delay]
    if hints.period:
        found.append((_next_update(hints.period, hints.base, now), "the feed's sy:updatePeriod"))
    return found


def _next_update(period: timedelta, base: datetime | None, now: datetime) -> datetime:
    """The next instant of the schedule that starts at ``base`` (RSS 1.0 module Syndication)."""
    ahead = period - (now - base) % period if base else period
    return now + min(ahead, MAX_HINT)


def _unskipped(at: datetime, reason: str, hints: PollHints) -> tuple[datetime, str]:
    """Past skipHours and skipDays (RSS 2.0), which are hours and days of GMT."""
    if len(hints.skip_hours) > 23 or len(hints.skip_days) > 6:
        return at, reason  # never to come at all cannot be meant
    skipped = at.astimezone(UTC)
    while skipped.hour in hints.skip_hours or skipped.weekday() in hints.skip_days:
        skipped = skipped.replace(minute=0, second=0, microsecond=0) + HOUR
    if skipped == at:
        return at, reason
    skipped += at - at.replace(minute=0, second=0, microsecond=0)  # keep the spread
    return skipped, "the feed's skipHours or skipDays"


def words(delay: timedelta) -> str:
    """A duration in its largest unit: ``3 h``."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (timedelta(minutes=1), "min")):
        if delay >= unit:
            return f"{delay / unit:.0f} {name}"
    return f"{delay.total_seconds():.0f} s"
