"""How an outcome changes the state of a subscription. Pure: returns the new state, and events."""

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
    Validators,
)
from aggregator.text import urls

BROKEN_AFTER = timedelta(days=3)
CONFIRM_GONE_AFTER = timedelta(days=1)
ADOPT_COUNT, ADOPT_AFTER = 5, timedelta(hours=48)
MAX_MOVE_FAILURES = 3  # in a row at an adopted URL; then the one in feeds.toml is polled again
_GONE = "gone for good (HTTP 410): remove it, or find its new address"

Change = tuple[FeedState, tuple[FeedEvent, ...]]


def on_fetched(
    subscription: Subscription,
    state: FeedState,
    outcome: Fetched,
    parsed: ParsedFeed,
    body_hash: str,
    now: datetime,
    *,
    same_feed: bool,
) -> Change:
    """A document was parsed. ``same_feed``: the target of a permanent redirect is the same feed."""
    gap, newest_at = schedule.entry_rhythm(parsed.dates, now)
    if outcome.partial:  # RFC 3229: only the new entries
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


def on_not_modified(
    subscription: Subscription, state: FeedState, outcome: Fetched | NotModified, now: datetime
) -> Change:
    """A 304, or a 200 with the same body. It may update validators and freshness.

    RFC 9111 section 4.3.4: fields in the answer replace stored ones; the others stay.
    """
    new = outcome.validators
    old = state.validators if state.validators.url == new.url else Validators()
    lifetime = outcome.caching.lifetime
    state = replace(
        state,
        validators=replace(
            new,
            etag=new.etag or old.etag,
            last_modified=new.last_modified or old.last_modified,
        ),
        lifetime=state.lifetime if lifetime is None else lifetime,
        fetched_at=now,
    )
    same_feed = state.move is not None and state.move.url == outcome.moved_to
    return _succeeded(subscription, state, outcome, now, same_feed=same_feed)


def on_failed(
    subscription: Subscription, state: FeedState, failure: FetchFailed, now: datetime
) -> Change:
    """Back off. After three days of failures there is an event, once.

    For a subscription that never succeeded the event comes at once: its URL is new, and wrong.
    """
    state = replace(
        _count_failure(state, failure.reason, now),
        not_before=_later(now, None if failure.host else failure.caching.retry_after),
        gone_at=state.gone_at if failure.unreached else None,
        gone_confirmed=state.gone_confirmed and failure.unreached,
    )
    if state.move and state.move.adopted and state.failures >= MAX_MOVE_FAILURES:
        state = replace(state, move=None)
    at, reason = schedule.after_failure(subscription, state, failure.status, failure.caching, now)
    state = replace(state, next_poll_at=at, next_poll_reason=reason)
    return _notify_if_broken(subscription, state, now)


def on_gone(subscription: Subscription, state: FeedState, now: datetime) -> Change:
    """A 410. It is confirmed by a second one at least a day later; then there is an event, once."""
    gone_at = state.gone_at or now
    newly_confirmed = not state.gone_confirmed and now - gone_at >= CONFIRM_GONE_AFTER
    state = replace(
        _count_failure(state, _GONE, now),
        not_before=None,
        gone_at=gone_at,
        gone_confirmed=state.gone_confirmed or newly_confirmed,
    )
    at, reason = schedule.after_gone(state, now)
    state = replace(state, next_poll_at=at, next_poll_reason=reason)
    if not newly_confirmed:
        return _notify_if_broken(subscription, state, now)
    event = _event(subscription, FeedEventKind.GONE, _GONE, now)
    return replace(state, operator_notified=True), (event,)


def _count_failure(state: FeedState, reason: str, now: datetime) -> FeedState:
    return replace(
        state,
        failures=state.failures + 1,
        failing_since_at=state.failing_since_at or now,
        last_error=reason,
        fetched_at=now,
    )


def _notify_if_broken(subscription: Subscription, state: FeedState, now: datetime) -> Change:
    since = state.failing_since_at or now
    ever_succeeded = state.succeeded_at is not None
    if state.operator_notified or (ever_succeeded and now - since < BROKEN_AFTER):
        return state, ()
    message = state.last_error or ""
    if ever_succeeded:
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
    move = _count_redirect(state, outcome.moved_to if same_feed else None, now)
    if move and move.adopted and not (state.move and state.move.adopted):
        message = f"moved for good: in feeds.toml, change its address to {move.url}"
        events.append(_event(subscription, FeedEventKind.MOVED, message, now))
    silent = schedule.is_silent(state, now)
    if silent and not state.is_silent:
        message = f"no entry since {state.newest_at:%Y-%m-%d}; it is now polled once a week"
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


def _count_redirect(state: FeedState, moved_to: str | None, now: datetime) -> Move | None:
    """Count a permanent redirect. It is adopted after 5 answers in a row over 48 hours.

    It may be an error, a login page or an attack; Feedbin waits for hundreds of answers. A URL with
    a secret is never adopted, because it would be stored in the database.
    """
    move = state.move
    if move and move.adopted:
        return move
    if moved_to is None or urls.without_secrets(moved_to) != moved_to:
        return None
    if move is None or move.url != moved_to:
        return Move(moved_to, now, 1)
    count = move.count + 1
    adopted = count >= ADOPT_COUNT and now - move.since_at >= ADOPT_AFTER
    return replace(move, count=count, adopted=adopted)


def _later(now: datetime, delay: timedelta | None) -> datetime | None:
    return now + delay if delay else None


def _event(
    subscription: Subscription, kind: FeedEventKind, message: str, now: datetime
) -> FeedEvent:
    return FeedEvent(subscription.key, subscription.title, kind, message, now)
