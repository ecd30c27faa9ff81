"""When a subscription may be polled again. Pure."""

from datetime import datetime, timedelta

from aggregator.model import FeedState, Subscription


def is_due(state: FeedState, subscription: Subscription, now: datetime) -> bool:
    """Neither the publisher's Retry-After nor the operator's ``min_interval`` forbids it.

    A clock that was set back makes a feed due, rather than silent until the old time returns.
    """
    if state.not_before is not None and now < state.not_before:
        return False
    if state.fetched_at is None or state.fetched_at > now:
        return True
    return now - state.fetched_at >= subscription.min_interval


def not_before(now: datetime, retry_after: timedelta | None) -> datetime | None:
    """The instant before which the publisher asked not to be asked."""
    return now + retry_after if retry_after else None
