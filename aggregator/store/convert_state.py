"""Converts between rows and `model.FeedState`, `model.FeedEvent`."""

from datetime import datetime, timedelta
from typing import Any, TypeAlias

from aggregator.model import FeedEvent, FeedEventKind, FeedState, Move, PollHints, Validators

AnyRow: TypeAlias = Any  # a row of SQLAlchemy, which cannot type its columns
# Columns with the names and the values of fields of `FeedState`.
_PLAIN_COLUMNS = [
    "body_hash",
    "fetched_at",
    "succeeded_at",
    "not_before",
    "next_poll_at",
    "next_poll_reason",
    "newest_at",
    "failures",
    "failing_since_at",
    "operator_notified",
    "gone_at",
    "gone_confirmed",
    "warning",
    "is_silent",
    "last_error",
    "notes",
    "reader_version",
]


def feed_state(row: AnyRow) -> FeedState:
    """The polling state of a feed row."""
    move = None
    if row.moved_to and row.moved_since_at:
        move = Move(row.moved_to, row.moved_since_at, row.moved_count, row.move_adopted)
    return FeedState(
        key=row.url,
        validators=Validators(row.etag, row.last_modified, row.validated_url),
        lifetime=_delta(row.lifetime_seconds),
        hints=_hints_from_json(row.hints),
        gap=_delta(row.gap_seconds),
        move=move,
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )


def state_columns(state: FeedState) -> dict[str, Any]:
    """The columns with a polling state."""
    move = state.move
    return {
        "etag": state.validators.etag,
        "last_modified": state.validators.last_modified,
        "validated_url": state.validators.url,
        "lifetime_seconds": _seconds(state.lifetime),
        "hints": _hints_to_json(state.hints),
        "gap_seconds": _seconds(state.gap),
        "moved_to": move.url if move else None,
        "moved_since_at": move.since_at if move else None,
        "moved_count": move.count if move else 0,
        "move_adopted": move.adopted if move else False,
    } | {name: getattr(state, name) for name in _PLAIN_COLUMNS}


def event_columns(event: FeedEvent) -> dict[str, Any]:
    """The columns with an event."""
    return {
        "key": event.key,
        "title": event.title,
        "kind": event.kind.value,
        "message": event.message,
        "at": event.at,
    }


def feed_event(row: AnyRow) -> FeedEvent:
    """The event of a row."""
    return FeedEvent(row.key, row.title, FeedEventKind(row.kind), row.message, row.at)


def _hints_to_json(hints: PollHints) -> dict[str, Any]:
    return {
        "ttl": _seconds(hints.ttl),
        "period": _seconds(hints.period),
        "base": hints.base.isoformat() if hints.base else None,
        "skip_hours": sorted(hints.skip_hours),
        "skip_days": sorted(hints.skip_days),
    }


def _hints_from_json(value: dict[str, Any]) -> PollHints:
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
