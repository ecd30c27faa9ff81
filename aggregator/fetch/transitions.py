"""What an answer does to a subscription's state. Pure: a state in, a state out, and the news."""

from dataclasses import replace
from datetime import datetime, timedelta

from aggregator.fetch import schedule
from aggregator.model import (
    FeedEvent,
    FeedEventKind,
    FeedState,
    Fetched,
    FetchFailed,
    Move,
    NotModified,
    ParsedFeed,
    Subscription,
)
from aggregator.text import urls

BROKEN_AFTER = timedelta(days=3)
ADOPT_COUNT, ADOPT_AFTER = 5, timedelta(hours=48)
_GONE = "gone for good, says the publisher (HTTP 410): take it out, or find its new address"
_GIVE_UP_MOVE = 3  # failures at the new address; then the one in feeds.toml is asked again

Change = tuple[FeedState, tuple[FeedEvent, ...]]


def fetched(
    subscription: Subscription,
    state: FeedState,
    outcome: Fetched,
    parsed: ParsedFeed,
    body_hash: str,
    now: datetime,
    *,
    same_feed: bool,
) -> Change:
    """A document was read. ``same_feed``: what a permanent redirect led to is the feed we know."""
    gap, newest_at = schedule.entry_rhythm(parsed.dates, now)
    if outcome.partial:  # RFC 3229: what is not in it has not gone
        gap, newest_at = state.gap or gap, newest_at or state.newest_at
        body_hash = ""
    state = replace(
        state,
        validators=outcome.validators,
        body_hash=body_hash or None,
        lifetime=outcome.caching.lifetime,
        hints=parsed.hints,
        gap=gap,
        newest_at=newest_at or (now if parsed.keys else state.newest_at or now),
        warning="; ".join((*outcome.warnings, *parsed.warnings)) or None,
        fetched_at=now,
    )
    return _succeeded(subscription, state, outcome, now, same_feed=same_feed)


def not_modified(
    subscription: Subscription, state: FeedState, outcome: Fetched | NotModified, now: datetime
) -> Change:
    """A 304, or a 200 whose body we know. It may renew validators and freshness.

    RFC 9111 section 4.3.4: what it states replaces what is stored, what it does not state stays.
    """
    held, given = state.validators, outcome.validators
    lifetime = outcome.caching.lifetime
    state = replace(
        state,
        validators=replace(
            given,
            etag=given.etag or (held.etag if held.url == given.url else None),
            last_modified=given.last_modified
            or (held.last_modified if held.url == given.url else None),
        ),
        lifetime=state.lifetime if lifetime is None else lifetime,
        fetched_at=now,
    )
    known = state.move is not None and state.move.url == outcome.moved_to
    return _succeeded(subscription, state, outcome, now, same_feed=known)


def failed(
    subscription: Subscription, state: FeedState, failure: FetchFailed, now: datetime
) -> Change:
    """Trouble: asked again ever later. After three days it is news, once.

    At once where the subscription has never answered: then it was written a moment ago, wrongly.
    """
    state = replace(
        state,
        failures=state.failures + 1,
        failing_since_at=state.failing_since_at or now,
        last_error=failure.reason,
        fetched_at=now,
        not_before=_later(now, None if failure.host else failure.caching.retry_after),
        gone_at=state.gone_at if failure.unreached else None,
        gone_confirmed=state.gone_confirmed and failure.unreached,
    )
    if state.move and state.move.adopted and state.failures >= _GIVE_UP_MOVE:
        state = replace(state, move=None)
    at, reason = schedule.after_failure(subscription, state, failure.status, failure.caching, now)
    state = replace(state, next_poll_at=at, next_poll_reason=reason)
    return _broken(subscription, state, now)


def gone(subscription: Subscription, state: FeedState, now: datetime) -> Change:
    """410: believed when it is said twice, a day apart; then it is news, once."""
    gone_at = state.gone_at or now
    ends = not state.gone_confirmed and now - gone_at >= timedelta(days=1)
    state = replace(
        state,
        failures=state.failures + 1,
        failing_since_at=state.failing_since_at or now,
        last_error=_GONE,
        fetched_at=now,
        not_before=None,
        gone_at=gone_at,
        gone_confirmed=state.gone_confirmed or ends,
    )
    at, reason = schedule.after_gone(state, now)
    state = replace(state, next_poll_at=at, next_poll_reason=reason)
    if not ends:
        return _broken(subscription, state, now)
    return replace(state, operator_notified=True), (
        _event(subscription, FeedEventKind.GONE, _GONE, now),
    )


def _broken(subscription: Subscription, state: FeedState, now: datetime) -> Change:
    since = state.failing_since_at or now
    known = state.succeeded_at is not None
    if state.operator_notified or (known and now - since < BROKEN_AFTER):
        return state, ()
    message = state.last_error or ""
    if known:
        message = f"failing since {since:%Y-%m-%d}: {message}"
    event = _event(subscription, FeedEventKind.BROKEN, message, now)
    return replace(state, operator_notified=True), (event,)


def _succeeded(
    subscription: Subscription,
    state: FeedState,
    outcome: Fetched | NotModified,
    now: datetime,
    *,
    same_feed: bool,
) -> Change:
    events = []
    if state.operator_notified:
        events.append(_event(subscription, FeedEventKind.RECOVERED, "answers again", now))
    move = _moved(state, outcome.moved_to if same_feed else None, now)
    if move and move.adopted and not (state.move and state.move.adopted):
        message = f"moved for good: in feeds.toml, change its address to {move.url}"
        events.append(_event(subscription, FeedEventKind.MOVED, message, now))
    silent = schedule.is_silent(state, now)
    if silent and not state.is_silent:
        message = f"no entry since {state.newest_at:%Y-%m-%d}; it is now asked once a week"
        events.append(_event(subscription, FeedEventKind.SILENT, message, now))
    state = replace(
        state,
        succeeded_at=now,
        not_before=_later(now, outcome.caching.retry_after),
        failures=0,
        failing_since_at=None,
        last_error=None,
        operator_notified=False,
        gone_at=None,
        gone_confirmed=False,
        move=move,
        is_silent=silent,
    )
    at, reason = schedule.after_success(subscription, state, outcome.caching, now)
    return replace(state, next_poll_at=at, next_poll_reason=reason), tuple(events)


def _moved(state: FeedState, moved_to: str | None, now: datetime) -> Move | None:
    """Count a permanent redirect; it is adopted after 5 answers in a row over 48 hours.

    A publisher's redirect can be a mistake, a login page or a thief's: Feedbin waits for hundreds.
    An address with a secret in it is never adopted, since it would stand in the database.
    """
    move = state.move
    if move and move.adopted:
        return move
    if moved_to is None or urls.without_secrets(moved_to) != moved_to:
        return None
    if move is None or move.url != moved_to:
        return Move(moved_to, now, 1)
    count = move.count + 1
    return replace(
        move, count=count, adopted=count >= ADOPT_COUNT and now - move.since_at >= ADOPT_AFTER
    )


def _later(now: datetime, delay: timedelta | None) -> datetime | None:
    return now + delay if delay else None


def _event(
    subscription: Subscription, kind: FeedEventKind, message: str, now: datetime
) -> FeedEvent:
    return FeedEvent(subscription.key, subscription.title, kind, message, now)
