"""When a subscription is polled next, and the reason. Pure."""

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
MIN_INTERVAL, MAX_INTERVAL = HOUR, DAY  # of a feed with recent entries
SILENT_AFTER, SILENT_INTERVAL = 365 * DAY, 7 * DAY
GONE_INTERVAL = 30 * DAY
REFUSED_INTERVAL = 4 * HOUR  # after a 403 or 429 without Retry-After
# Freshness, ttl and sy: often come from a template, such as one for files that never change. Longer
# ones are errors: a feed is polled daily.
MAX_HINT = DAY
MAX_PER_HOST = 300  # polls in one run: five minutes
MAX_GAPS = 10  # between recent entries
POLLS_PER_GAP = 4
QUIET_POLLS = 30  # a feed without an entry for 30 days is polled once a day
_JITTER, _MAX_JITTER = 0.1, timedelta(minutes=30)
_NEVER = datetime.min.replace(tzinfo=UTC)


def spread(key: str) -> float:
    """A pseudo-random number from 0 to 1, always the same for ``key``."""
    return int.from_bytes(sha256(key.encode()).digest()[:4]) / 2**32


def entry_rhythm(
    dates: Iterable[datetime], now: datetime
) -> tuple[timedelta | None, datetime | None]:
    """The median gap between recent entries, and the date of the newest; None if unknown.

    Entries of the same second count once: they say nothing about the rhythm.
    """
    recent = sorted({min(date, now) for date in dates}, reverse=True)[: MAX_GAPS + 1]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(recent)]
    return timedelta(seconds=median(gaps)) if gaps else None, recent[0] if recent else None


def is_silent(state: FeedState, now: datetime) -> bool:
    """Whether the feed had no entry for a year."""
    return state.newest_at is not None and now - state.newest_at >= SILENT_AFTER


def is_due(
    subscription: Subscription,
    state: FeedState,
    holds: Mapping[str, datetime],
    now: datetime,
    *,
    everything: bool = False,
) -> bool:
    """Whether to poll in this run. ``everything`` overrides our schedule, never a Retry-After.

    After the clock was set back, a feed is due. Otherwise it would wait for the old time.
    """
    if held_until(subscription, state, holds, now):
        return False
    if everything or state.fetched_at is None or state.fetched_at > now:
        return True
    if now < state.fetched_at + subscription.min_interval:
        return False
    return state.next_poll_at is None or now >= state.next_poll_at


def held_until(
    subscription: Subscription, state: FeedState, holds: Mapping[str, datetime], now: datetime
) -> datetime | None:
    """Until when the publisher or the host asked us to wait, or None.

    A time beyond the maximum delay is ignored: it was stored when our clock was ahead.
    """
    ends = [state.not_before]
    if holds:
        ends.append(holds.get(domain_of(poll_url(subscription, state))))
    return max((at for at in ends if at and now < at <= now + MAX_DELAY), default=None)


def limit_per_host(
    due: Iterable[tuple[Subscription, FeedState]],
) -> list[tuple[Subscription, FeedState]]:
    """At most `MAX_PER_HOST` of each registrable domain, the longest overdue first.

    At one request a second, a host with thousands of feeds would delay the publication of all
    others for hours. The next run polls the remaining ones first.
    """
    overdue = sorted(due, key=lambda pair: pair[1].next_poll_at or pair[1].fetched_at or _NEVER)
    counts: Counter[str] = Counter()
    limited = []
    for subscription, state in overdue:
        domain = domain_of(poll_url(subscription, state))
        counts[domain] += 1
        if counts[domain] <= MAX_PER_HOST:
            limited.append((subscription, state))
    return limited


def poll_url(subscription: Subscription, state: FeedState) -> str:
    """The URL in feeds.toml, or the one to which the feed has permanently moved."""
    return state.move.url if state.move and state.move.adopted else subscription.url


def after_success(
    subscription: Subscription, state: FeedState, caching: Caching, now: datetime
) -> tuple[datetime, str]:
    """Follow the rhythm of the feed's entries, but never poll before a bound of the publisher."""
    interval, reason = _interval(state, now)
    bounds = [(now + interval, reason), *_bounds(subscription, state, caching, now)]
    at, reason = max(bounds, key=lambda bound: bound[0])
    later = at + spread(state.key) * min(_JITTER * interval, _MAX_JITTER)
    at = max(at, min(later, now + DAY))  # what is due after a day is not polled later
    return _after_skipped(at, reason, state.hints)


def after_failure(
    subscription: Subscription,
    state: FeedState,
    status: int | None,
    caching: Caching,
    now: datetime,
) -> tuple[datetime, str]:
    """Back off exponentially: 1 h x 2^(n-1), plus up to a fifth of jitter, at most 7 days."""
    failures = state.failures
    delay = HOUR * 2 ** min(failures - 1, 10) * (1 + spread(f"{state.key} {failures}") / 5)
    if status in (403, 429) and caching.retry_after is None:
        delay = max(delay, REFUSED_INTERVAL)
    reason = "failed once" if failures == 1 else f"failed {failures} times in a row"
    bounds = _bounds(subscription, state, caching, now)
    return _after_skipped(*max([(now + min(delay, MAX_DELAY), reason), *bounds]), state.hints)


def after_gone(state: FeedState, now: datetime) -> tuple[datetime, str]:
    """Ask again a day after the first 410. Once it is confirmed, ask once a month."""
    if state.gone_confirmed:
        return now + GONE_INTERVAL, "gone (HTTP 410); polled once a month"
    return (state.gone_at or now) + DAY, "HTTP 410; polled again after a day"


def _interval(state: FeedState, now: datetime) -> tuple[timedelta, str]:
    """The time between polls that fits the feed's entries, with the reason."""
    if state.newest_at is None:
        return MIN_INTERVAL, "no entry has a date yet"
    if is_silent(state, now):
        return SILENT_INTERVAL, f"silent since {state.newest_at:%Y-%m-%d}"
    gap, quiet = state.gap or timedelta(0), max(now - state.newest_at, timedelta(0))
    if not gap and quiet / QUIET_POLLS < MIN_INTERVAL:
        return MIN_INTERVAL, "too few entries have dates to tell how often new ones appear"
    if gap / POLLS_PER_GAP >= quiet / QUIET_POLLS:
        interval, reason = gap / POLLS_PER_GAP, f"an entry about every {format_duration(gap)}"
    else:
        interval, reason = quiet / QUIET_POLLS, f"no entry for {format_duration(quiet)}"
    return min(max(interval, MIN_INTERVAL), MAX_INTERVAL), reason


def _bounds(
    subscription: Subscription, state: FeedState, caching: Caching, now: datetime
) -> list[tuple[datetime, str]]:
    """The times before which the publisher or the operator asked us not to poll, with reasons."""
    hints = state.hints
    fresh = caching.fresh if caching.fresh is not None else state.lifetime
    delays = [
        (subscription.min_interval, "min_interval in feeds.toml"),
        (caching.retry_after, "the publisher's Retry-After"),
        (min(fresh, MAX_HINT) if fresh else None, "fresh until then (Cache-Control or Expires)"),
        (min(hints.ttl, MAX_HINT) if hints.ttl else None, "the feed's ttl"),
    ]
    bounds = [(now + delay, reason) for delay, reason in delays if delay]
    if hints.period:
        bounds.append((_next_update(hints.period, hints.base, now), "the feed's sy:updatePeriod"))
    return bounds


def _next_update(period: timedelta, base: datetime | None, now: datetime) -> datetime:
    """The next time of the update schedule from ``base`` (RSS 1.0 module Syndication)."""
    delay = period - (now - base) % period if base else period
    return now + min(delay, MAX_HINT)


def _after_skipped(at: datetime, reason: str, hints: PollHints) -> tuple[datetime, str]:
    """Move ``at`` out of skipHours and skipDays (RSS 2.0), which are hours and days in GMT."""
    if len(hints.skip_hours) > 23 or len(hints.skip_days) > 6:
        return at, reason  # a feed that may never be polled is an error
    later = at.astimezone(UTC)
    while later.hour in hints.skip_hours or later.weekday() in hints.skip_days:
        later = later.replace(minute=0, second=0, microsecond=0) + HOUR
    if later == at:
        return at, reason
    later += at - at.replace(minute=0, second=0, microsecond=0)  # keep the jitter
    return later, "the feed's skipHours or skipDays"


def format_duration(delay: timedelta) -> str:
    """A duration in its largest unit: ``3 h``."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (timedelta(minutes=1), "min")):
        if delay >= unit:
            return f"{delay / unit:.0f} {name}"
    return f"{delay.total_seconds():.0f} s"
