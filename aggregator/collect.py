"""The first half of a run: poll what is due, parse it, store it.

With `pipeline` the only file in which stages meet. Each document is stored by itself, in one
transaction, so that a run that is killed has kept every document before. Answers without one are
stored together: whoever gave them may be asked again.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from aggregator import urls
from aggregator.fetch import health, schedule
from aggregator.fetch.hosts import host_of
from aggregator.model import (
    Config,
    Deferred,
    EntryChange,
    FeedEvent,
    FeedState,
    Fetched,
    FetchFailed,
    FetchOutcome,
    Gone,
    NotModified,
    ParsedFeed,
    ParseFailed,
    Poll,
    Subscription,
    Trouble,
)

_STATES_AT_ONCE = 200  # stored in one transaction
_DOCUMENTS_AT_ONCE = 4  # parsed side by side; what is stored is stored one after another


class Poller(Protocol):
    """What a run needs of `fetch`."""

    def poll(
        self, polls: Iterable[Poll], holds: Mapping[str, datetime], now: datetime
    ) -> AsyncGenerator[tuple[Subscription, FetchOutcome], None]:
        """Ask every publisher; give each answer as it comes."""


class Parser(Protocol):
    """What a run needs of `parsing`."""

    async def parse(
        self, fetched: Fetched, now: datetime, language: str | None
    ) -> ParsedFeed | ParseFailed:
        """Read a document, in bounded time and memory."""


class FeedKeeper(Protocol):
    """What collecting needs of `store`; each method is one transaction."""

    def adopt_addresses(self, keys: Iterable[str]) -> None: ...
    def states(self) -> dict[str, FeedState]: ...
    def holds(self, now: datetime) -> dict[str, datetime]: ...
    def save_hold(self, host: str, not_before: datetime) -> None: ...
    def is_same_feed(self, subscription: Subscription, parsed: ParsedFeed) -> bool: ...
    def save_answer(
        self, subscription: Subscription, parsed: ParsedFeed, state: FeedState,
        events: Sequence[FeedEvent], now: datetime,
    ) -> list[EntryChange]: ...  # fmt: skip
    def save_states(
        self, saved: Sequence[tuple[Subscription, FeedState, Sequence[FeedEvent]]]
    ) -> None: ...


class Progress(Protocol):
    """Somebody who watches."""

    def begin(self, total: int) -> None:
        """``total`` subscriptions will be polled."""

    def polled(self, subscription: Subscription, outcome: str) -> None:
        """One of them has answered, or not."""


@dataclass(slots=True)
class Collected:
    """What collecting did, while it grows."""

    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    offline: bool = False
    troubles: list[Trouble] = field(default_factory=list)
    events: list[FeedEvent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def collect(
    config: Config,
    store: FeedKeeper,
    poller: Poller,
    parser: Parser,
    progress: Progress,
    now: datetime,
    *,
    everything: bool = False,
) -> Collected:
    """Poll what is due, or ``everything`` that has not asked us to wait; store what it says."""
    run = _Collector(store, parser, now)
    store.adopt_addresses(subscription.key for subscription in config.subscriptions)
    run.states = store.states()
    holds = store.holds(now)
    due = []
    for subscription in config.subscriptions:
        state = run.states.setdefault(subscription.key, FeedState(subscription.key))
        if schedule.is_due(subscription, state, holds, now, everything=everything):
            due.append((subscription, state))
    polls = [
        Poll(subscription, schedule.poll_url(subscription, state), state.validators)
        for subscription, state in schedule.shares(due)
    ]
    run.told.waiting = len(config.subscriptions) - len(polls)
    progress.begin(len(polls))

    async def take(subscription: Subscription, outcome: FetchOutcome) -> None:
        progress.polled(subscription, await run.take(subscription, outcome))

    answers = poller.poll(polls, holds, now)
    taking: set[asyncio.Task[None]] = set()
    try:
        async for subscription, outcome in answers:
            if len(taking) == _DOCUMENTS_AT_ONCE:
                done, taking = await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            taking.add(asyncio.create_task(take(subscription, outcome)))
        for task in taking:
            await task
    finally:
        await answers.aclose()
        for task in taking:
            task.cancel()
        run.keep()
    run.finish(polls)
    run.keep()
    return run.told


class _Collector:
    """Takes answers one by one."""

    def __init__(self, store: FeedKeeper, parser: Parser, now: datetime) -> None:
        self.told = Collected()
        self.states: dict[str, FeedState] = {}
        self._store = store
        self._parser = parser
        self._now = now
        self._unsaved: list[tuple[Subscription, FeedState, Sequence[FeedEvent]]] = []
        # Troubles before any publisher has answered: perhaps it is our own network.
        self._doubtful: list[tuple[Subscription, FetchFailed]] | None = []

    async def take(self, subscription: Subscription, outcome: FetchOutcome) -> str:
        """Store one answer; gives what became of it, in words."""
        match outcome:
            case Deferred():
                self.told.waiting += 1
                return f"asked to wait until {outcome.until:%Y-%m-%d %H:%M} UTC"
            case FetchFailed(unreached=True) if self._doubtful is not None:
                self._doubtful.append((subscription, outcome))
                return outcome.reason
        self._settle()
        match outcome:
            case FetchFailed():
                return self._failed(subscription, outcome)
            case Gone():
                state, events = health.gone(subscription, self.states[subscription.key], self._now)
                self._save(subscription, state, events)
                return self._trouble(subscription, state, state.last_error or "")
            case NotModified():
                return self._unchanged(subscription, outcome)
            case Fetched():
                return await self._document(subscription, outcome)

    async def _document(self, subscription: Subscription, outcome: Fetched) -> str:
        state, now = self.states[subscription.key], self._now
        body_hash = hashlib.sha256(outcome.body).hexdigest()
        if body_hash == state.body_hash:  # a server that does not answer conditional requests
            return self._unchanged(subscription, outcome)
        parsed = await self._parser.parse(outcome, now, subscription.language)
        if isinstance(parsed, ParseFailed):
            failure = FetchFailed(parsed.key, parsed.reason, caching=outcome.caching)
            return self._failed(subscription, failure)
        same_feed = outcome.moved_to is not None and self._store.is_same_feed(subscription, parsed)
        state, events = health.fetched(
            subscription, state, outcome, parsed, body_hash, now, same_feed=same_feed
        )
        changes = self._store.save_answer(subscription, parsed, state, events, now)
        new, modified = changes.count(EntryChange.NEW), changes.count(EntryChange.MODIFIED)
        self.told.fetched += 1
        self.told.new += new
        self.told.modified += modified
        self.told.events += events
        self.told.warnings += [
            f'"{subscription.title}": {warning}'
            for warning in (*outcome.warnings, *parsed.warnings)
        ]
        if outcome.moved_to:
            moved = f"redirects for good to {urls.redact(outcome.moved_to)}"
            if not same_feed:
                moved += ", which is another feed"
            self.told.warnings.append(f'"{subscription.title}": {moved}')
        return f"{new} new, {modified} modified"

    def _unchanged(self, subscription: Subscription, outcome: Fetched | NotModified) -> str:
        state = self.states[subscription.key]
        state, events = health.not_modified(subscription, state, outcome, self._now)
        self._save(subscription, state, events)
        self.told.not_modified += 1
        return "not modified"

    def _failed(self, subscription: Subscription, failure: FetchFailed) -> str:
        if failure.host and failure.caching.retry_after:
            self._store.save_hold(failure.host, self._now + failure.caching.retry_after)
        state = self.states[subscription.key]
        state, events = health.failed(subscription, state, failure, self._now)
        self._save(subscription, state, events)
        return self._trouble(subscription, state, failure.reason)

    def _save(
        self, subscription: Subscription, state: FeedState, events: Sequence[FeedEvent]
    ) -> None:
        self._unsaved.append((subscription, state, events))
        self.told.events += events
        if len(self._unsaved) >= _STATES_AT_ONCE:
            self.keep()

    def keep(self) -> None:
        """Store what waits to be stored."""
        unsaved, self._unsaved = self._unsaved, []
        if unsaved:
            self._store.save_states(unsaved)

    def _trouble(self, subscription: Subscription, state: FeedState, reason: str) -> str:
        shown = urls.redact(subscription.url)
        new = state.succeeded_at is None
        self.told.troubles.append(Trouble(subscription.title, shown, reason, state.failures, new))
        return reason

    def _settle(self) -> None:
        """Somebody has answered: the troubles before were those of their publishers."""
        doubtful, self._doubtful = self._doubtful, None
        for subscription, failure in doubtful or ():
            self._failed(subscription, failure)

    def finish(self, polls: Sequence[Poll]) -> None:
        """Decide about the troubles of a run in which no publisher answered.

        We are offline if at least two hosts were silent, of which one was well before; then no
        subscription is punished. Two hosts that have long been dead prove nothing.
        """
        if self._doubtful is None:
            return
        doubtful = self._doubtful
        hosts = {host_of(poll.url) for poll in polls}
        well = [s for s, _ in doubtful if not self.states[s.key].failures]
        if len(hosts) < 2 or not well:
            self._settle()
            return
        self.told.offline = True
        for subscription, failure in doubtful:
            self._trouble(subscription, self.states[subscription.key], failure.reason)
