"""What one answer changes: a subscription's state, the events, the report. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from aggregator.fetch import transitions
from aggregator.model import (
    Deferred,
    FeedEvent,
    FeedState,
    Fetched,
    FetchFailed,
    Gone,
    NotModified,
    ParsedFeed,
    Subscription,
    Trouble,
    Validators,
)
from aggregator.parse import READER_VERSION
from aggregator.text import urls


class AnswerKind(Enum):
    """How an answer is counted in the run's report."""

    FETCHED = "fetched"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class AnswerEffect:
    """What to store and to report after one answer.

    ``state`` is the new state, None if it stays as it is. ``message`` is for the progress display.
    """

    subscription: Subscription
    kind: AnswerKind
    message: str
    state: FeedState | None = None
    events: tuple[FeedEvent, ...] = ()
    trouble: Trouble | None = None
    parsed: ParsedFeed | None = None
    warnings: tuple[str, ...] = ()


def defer(subscription: Subscription, outcome: Deferred) -> AnswerEffect:
    """The host asked us to wait, so the feed was not requested."""
    message = f"asked to wait until {outcome.until:%Y-%m-%d %H:%M} UTC"
    return AnswerEffect(subscription, AnswerKind.WAITING, message)


def fail(
    subscription: Subscription, state: FeedState, failure: FetchFailed, now: datetime
) -> AnswerEffect:
    """The request failed, or the document is no feed."""
    new_state, events = transitions.on_failed(subscription, state, failure, now)
    return _failure(subscription, new_state, events, failure.reason)


def mark_gone(
    subscription: Subscription, state: FeedState, outcome: Gone, now: datetime
) -> AnswerEffect:
    """The publisher answered 410."""
    new_state, events = transitions.on_gone(subscription, state, now)
    return _failure(subscription, new_state, events, new_state.last_error or "")


def keep(
    subscription: Subscription, state: FeedState, outcome: Fetched | NotModified, now: datetime
) -> AnswerEffect:
    """The document is the one that we have: a 304, or a 200 with the same body."""
    new_state, events = transitions.on_not_modified(subscription, state, outcome, now)
    return AnswerEffect(subscription, AnswerKind.NOT_MODIFIED, "not modified", new_state, events)


def accept(
    subscription: Subscription,
    state: FeedState,
    outcome: Fetched,
    parsed: ParsedFeed,
    body_hash: str,
    now: datetime,
    *,
    same_feed: bool,
) -> AnswerEffect:
    """A document was parsed. ``same_feed``: a permanent redirect led to the feed that we know."""
    if parsed.is_cut:  # the next request is unconditional: the rest is still to come
        outcome = replace(outcome, partial=True, validators=Validators())
    if outcome.partial:
        parsed = replace(parsed, seen=None)
    new_state, events = transitions.on_fetched(
        subscription, state, outcome, parsed, body_hash, now, same_feed=same_feed
    )
    new_state = replace(
        new_state, notes="\n".join(parsed.notes) or None, reader_version=READER_VERSION
    )
    reported = (state.notes or "").splitlines()
    new_notes = [note for note in parsed.notes if note not in reported]
    warnings = [*outcome.warnings, *parsed.warnings, *new_notes]
    if outcome.moved_to:
        redirect = f"redirects for good to {urls.redact(outcome.moved_to)}"
        warnings.append(redirect if same_feed else f"{redirect}, which is another feed")
    return AnswerEffect(
        subscription,
        AnswerKind.FETCHED,
        "",
        new_state,
        events,
        parsed=parsed,
        warnings=tuple(f'"{subscription.title}": {warning}' for warning in warnings),
    )


def trouble_of(subscription: Subscription, state: FeedState, reason: str) -> Trouble:
    """The failure of a subscription as the run reports it."""
    address = urls.redact(subscription.url)
    is_new = state.succeeded_at is None
    return Trouble(subscription.title, address, reason, state.failures, is_new)


def _failure(
    subscription: Subscription, state: FeedState, events: tuple[FeedEvent, ...], reason: str
) -> AnswerEffect:
    trouble = trouble_of(subscription, state, reason)
    return AnswerEffect(subscription, AnswerKind.FAILED, reason, state, events, trouble)
