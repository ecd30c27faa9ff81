"""Decides whether a run without any answer has found our own network down."""

from collections.abc import Collection, Iterable, Mapping

from aggregator.fetch.domains import domain_of
from aggregator.model import FeedState, FetchFailed, Poll, Subscription

MIN_SILENT_HOSTS = 2

FailedPoll = tuple[Subscription, FetchFailed]


class OfflineDetector:
    """Defers failures without an HTTP answer until some feed has answered.

    Before the first answer, such a failure may be the fault of our own network. The first answer
    proves that the network works: the deferred failures then count as failures of their feeds.
    """

    def __init__(self, *, online: bool | None = None) -> None:
        """``online``: whether a feed outside this run has answered recently; None if unknown."""
        self._online = online
        self._is_deferring = not online
        self._deferred: list[FailedPoll] = []

    def defer(self, subscription: Subscription, failure: FetchFailed) -> bool:
        """Defer a failure without an HTTP answer; return False if it counts at once."""
        if self._is_deferring:
            self._deferred.append((subscription, failure))
        return self._is_deferring

    def note_answer(self) -> list[FailedPoll]:
        """A feed has answered: stop deferring, and return the failures that now count."""
        failures, self._deferred = self._deferred, []
        self._is_deferring = False
        return failures

    def is_offline(self, polls: Iterable[Poll], states: Mapping[str, FeedState]) -> bool:
        """Whether the run ended without an answer because our network is down.

        It is down if at least two hosts were silent and one of them worked before, or if nothing
        outside this run has answered recently either. Two hosts that died long ago prove nothing.
        """
        if not self._is_deferring:
            return False
        if self._online is not None:
            return True
        silent = {subscription.key for subscription, _ in self._deferred}
        hosts = {domain_of(poll.url) for poll in polls if poll.subscription.key in silent}
        worked_before = any(not states[s.key].failures for s, _ in self._deferred)
        return len(hosts) >= MIN_SILENT_HOSTS and worked_before

    @property
    def deferred(self) -> Collection[FailedPoll]:
        """The failures that do not count yet."""
        return self._deferred
