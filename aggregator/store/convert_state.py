"""`model.FeedState` and `model.FeedEvent`: the way to their rows and back."""

from datetime import datetime, timedelta
from typing import Any

from aggregator.model import FeedEvent, FeedEventKind, FeedState, Move, PollHints, Validators


def feed_state(row: Any) -> FeedState:
    """What the fetching stage needs to know of a feed."""
    move = None
    if row.moved_to and row.moved_since_at:
        move = Move(row.moved_to, row.moved_since_at, row.moved_count, row.move_adopted)
    return FeedState(
        key=row.url,
        validators=Validators(row.etag, row.last_modified, row.validated_url),
        body_hash=row.body_hash,
        fetched_at=row.fetched_at,
        succeeded_at=row.succeeded_at,
        not_before=row.not_before,
        next_poll_at=row.next_poll_at,
        next_poll_reason=row.next_poll_reason,
        lifetime=_delta(row.lifetime_seconds),
        hints=_hints(row.hints),
        gap=_delta(row.gap_seconds),
        newest_at=row.newest_at,
        failures=row.failures,
        failing_since_at=row.failing_since_at,
        operator_notified=row.operator_notified,
        gone_at=row.gone_at,
        gone_confirmed=row.gone_confirmed,
        move=move,
        warning=row.warning,
        is_silent=row.is_silent,
        last_error=row.last_error,
    )


def state_columns(state: FeedState) -> dict[str, Any]:
    """The columns that hold a state."""
    move = state.move
    return {
        "etag": state.validators.etag,
        "last_modified": state.validators.last_modified,
        "validated_url": state.validators.url,
        "body_hash": state.body_hash,
        "fetched_at": state.fetched_at,
        "succeeded_at": state.succeeded_at,
        "not_before": state.not_before,
        "next_poll_at": state.next_poll_at,
        "next_poll_reason": state.next_poll_reason,
        "lifetime_seconds": _seconds(state.lifetime),
        "hints": _plain(state.hints),
        "gap_seconds": _seconds(state.gap),
        "newest_at": state.newest_at,
        "failures": state.failures,
        "failing_since_at": state.failing_since_at,
        "operator_notified": state.operator_notified,
        "gone_at": state.gone_at,
        "gone_confirmed": state.gone_confirmed,
        "moved_to": move.url if move else None,
        "moved_since_at": move.since_at if move else None,
        "moved_count": move.count if move else 0,
        "move_adopted": move.adopted if move else False,
        "warning": state.warning,
        "is_silent": state.is_silent,
        "last_error": state.last_error,
    }


def event_columns(event: FeedEvent) -> dict[str, Any]:
    """The columns that hold an event."""
    return {
        "key": event.key,
        "title": event.title,
        "kind": event.kind.value,
        "message": event.message,
        "at": event.at,
    }


def feed_event(row: Any) -> FeedEvent:
    """The event that a row holds."""
    return FeedEvent(row.key, row.title, FeedEventKind(row.kind), row.message, row.at)


def _plain(hints: PollHints) -> dict[str, Any]:
    return {
        "ttl": _seconds(hints.ttl),
        "period": _seconds(hints.period),
        "base": hints.base.isoformat() if hints.base else None,
        "skip_hours": sorted(hints.skip_hours),
        "skip_days": sorted(hints.skip_days),
    }


def _hints(value: dict[str, Any]) -> PollHints:
    base = value.get("base")
    return PollHints(
        ttl=_delta(value.get("ttl")),
        period=_delta(value.get("period")),
        base=datetime.fromisoformat(base) if base else None,
        skip_hours=frozenset(value.get("skip_hours", ())),
        skip_days=frozenset(value.get("skip_days", ())),
    )


def _seconds(delta: timedelta | None) -> float | None:
    return delta.total_seconds() if delta is not None else None


def _delta(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None
