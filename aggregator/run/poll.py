"""The first half of a run: poll what is due, parse it, store it.

With `pipeline` the only file in which stages meet. What is answered is stored a few dozen answers
at a time, each document with its validators in one transaction: a run that is killed has kept all
but the last, and asks for those again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from aggregator.fetch import schedule, transitions
from aggregator.fetch.domains import domain_of
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
    ParsedAnswer,
    ParseFailed,
    Poll,
    Role,
    RunReport,
    Subscription,
    Trouble,
    Validators,
)
from aggregator.run.timing import StageTimer
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool
    from aggregator.store import Store

_STATES_AT_ONCE = 200  # stored in one transaction
_ENTRIES_AT_ONCE = 500  # likewise, and as many of the documents they came in
_DOCUMENTS_AT_ONCE = 50
_TAKEN_AT_ONCE = 64  # answers that wait for a child or to be stored
_BYTES_AT_ONCE = 16 * 1024 * 1024  # of their bodies


class Progress(Protocol):
    """Somebody who watches."""

    def begin(self, total: int) -> None:
        """``total`` subscriptions will be polled."""

    def polled(self, subscription: Subscription, outcome: str) -> None:
        """One of them has answered, or not."""


class NullProgress:
    """A `Progress` where nobody watches."""

    def begin(self, total: int) -> None:
        pass

    def polled(self, subscription: Subscription, outcome: str) -> None:
        pass


Turn = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class PollResult:
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

    def report(self) -> RunReport:
        """The same as what a run reports of it, in an order that no network decides."""
        return RunReport(
            polled=self.fetched + self.not_modified + len(self.troubles),
            fetched=self.fetched,
            not_modified=self.not_modified,
            waiting=self.waiting,
            new=self.new,
            modified=self.modified,
            offline=self.offline,
            troubles=tuple(sorted(self.troubles, key=lambda trouble: trouble.title)),
            events=tuple(sorted(self.events, key=lambda event: (event.title, event.kind.value))),
            warnings=tuple(sorted(self.warnings)),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to ask in this run, and what is known of every subscription, by key; ``holds`` are the
    hosts that asked us to wait."""

    polls: list[Poll]
    states: dict[str, FeedState]
    holds: dict[str, datetime]
    waiting: int


def plan(config: Config, store: "Store", now: datetime, *, everything: bool = False) -> Plan:
    """Choose what is due, or ``everything`` that has not asked us to wait."""
    store.feeds.adopt_moved_addresses(subscription.key for subscription in config.subscriptions)
    return plan_subscriptions(config.subscriptions, store, now, everything=everything)


def plan_subscriptions(
    subscriptions: Collection[Subscription],
    store: "Store",
    now: datetime,
    *,
    everything: bool = False,
    few: bool = False,
) -> Plan:
    """The same of some subscriptions, of which there are so ``few`` that only theirs is read."""
    states = store.feeds.states([s.key for s in subscriptions] if few else None)
    holds = store.feeds.host_holds(now)
    due = []
    for subscription in subscriptions:
        state = states.setdefault(subscription.key, FeedState(subscription.key))
        if schedule.is_due(subscription, state, holds, now, everything=everything):
            due.append((subscription, state))
    polls = [
        Poll(subscription, schedule.poll_url(subscription, state), state.validators)
        for subscription, state in schedule.limit_per_host(due)
    ]
    return Plan(polls, states, holds, len(subscriptions) - len(polls))


async def collect(
    plan: Plan,
    store: "Store",
    poller: "Fetcher",
    parser: "ParsingPool",
    progress: Progress,
    timer: StageTimer,
    now: datetime,
    *,
    turn: Turn = nullcontext,
    online: bool | None = None,
) -> PollResult:
    """Poll what is planned; store what it says.

    ``turn`` is held whenever something is stored, for who is not the only one who stores.
    ``online``: whether somebody else has answered of late, where that is known otherwise than by
    this plan.
    """
    run = _Collector(plan, store, parser, progress, timer, now, turn, online=online)
    progress.begin(len(plan.polls))
    answers = poller.poll(plan.polls, plan.holds, now)
    taking: dict[asyncio.Task[None], int] = {}  # and the bytes that each holds
    try:
        async for subscription, outcome in answers:
            while len(taking) >= _TAKEN_AT_ONCE or sum(taking.values()) > _BYTES_AT_ONCE:
                done, _ = await asyncio.wait(taking, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del taking[task]
                    task.result()
            size = len(outcome.body) if isinstance(outcome, Fetched) else 0
            taking[asyncio.create_task(run.take(subscription, outcome))] = size
        for task in taking:
            await task
    finally:
        await answers.aclose()
        for task in taking:
            task.cancel()
        await run.keep()
    run.finish(plan.polls)
    await run.keep()
    return run.told


class _Collector:
    """Takes answers one by one."""

    def __init__(
        self,
        plan: Plan,
        store: "Store",
        parser: "ParsingPool",
        progress: Progress,
        timer: StageTimer,
        now: datetime,
        turn: Turn,
        *,
        online: bool | None,
    ) -> None:
        self.told = PollResult(waiting=plan.waiting)
        self.states = plan.states
        self._store = store
        self._parser = parser
        self._progress = progress
        self._meter = timer
        self._now = now
        self._readings: list[ParsedAnswer] = []
        self._unsaved: list[tuple[Subscription, FeedState, Sequence[FeedEvent]]] = []
        # Troubles before any publisher has answered: perhaps it is our own network.
        self._doubtful: list[tuple[Subscription, FetchFailed]] | None = None if online else []
        self._turn = turn
        self._online = online

    async def take(self, subscription: Subscription, outcome: FetchOutcome) -> None:
        """Store one answer, or keep it to be stored with others."""
        if isinstance(outcome, Fetched):
            self._settle()
            told = await self._document(subscription, outcome)
        else:
            told = self._without_document(subscription, outcome)
        if told is not None:
            self._progress.polled(subscription, told)
        entries = sum(len(reading.parsed.entries) for reading in self._readings)
        documents = len(self._readings) >= _DOCUMENTS_AT_ONCE or entries >= _ENTRIES_AT_ONCE
        if documents or len(self._unsaved) >= _STATES_AT_ONCE:
            await self.keep()

    def _without_document(
        self, subscription: Subscription, outcome: NotModified | Gone | FetchFailed | Deferred
    ) -> str:
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
                state, events = transitions.gone(
                    subscription, self.states[subscription.key], self._now
                )
                self._save(subscription, state, events)
                return self._trouble(subscription, state, state.last_error or "")
            case NotModified():
                return self._unchanged(subscription, outcome)

    async def _document(self, subscription: Subscription, outcome: Fetched) -> str | None:
        """What became of it, in words, or None where its storing will tell."""
        state, now = self.states[subscription.key], self._now
        self._meter.add("fetch", size=len(outcome.body))
        body_hash = hashlib.sha256(outcome.body).hexdigest()
        if body_hash == state.body_hash:  # a server that does not answer conditional requests
            return self._unchanged(subscription, outcome)
        # A part of a document (RFC 3229) is read whole: what it leaves out stands all the same. And
        # of clippings, all: what was once pruned as of a subscription comes back.
        first = state.succeeded_at is None
        whole = first or outcome.partial or subscription.role is Role.CLIPPINGS
        with self._meter.stage("store"):
            seen = None if whole else self._store.feeds.last_document(subscription)
        parsed = await self._parser.parse(outcome, now, subscription.language, seen)
        if isinstance(parsed, ParseFailed):
            failure = FetchFailed(parsed.key, parsed.reason, caching=outcome.caching)
            return self._failed(subscription, failure)
        if parsed.is_cut:  # asked for without conditions next time: the rest is still to come
            outcome = replace(outcome, partial=True, validators=Validators())
        if outcome.partial:
            parsed = replace(parsed, seen=None)
        same_feed = outcome.moved_to is not None and self._store.feeds.is_same_feed(
            subscription, parsed
        )
        state, events = transitions.fetched(
            subscription, state, outcome, parsed, body_hash, now, same_feed=same_feed
        )
        self.told.fetched += 1
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
        self._readings.append(ParsedAnswer(subscription, parsed, state, events))
        return None

    def _unchanged(self, subscription: Subscription, outcome: Fetched | NotModified) -> str:
        state = self.states[subscription.key]
        state, events = transitions.not_modified(subscription, state, outcome, self._now)
        self._save(subscription, state, events)
        self.told.not_modified += 1
        return "not modified"

    def _failed(self, subscription: Subscription, failure: FetchFailed) -> str:
        if failure.host and failure.caching.retry_after:
            self._store.feeds.save_host_hold(failure.host, self._now + failure.caching.retry_after)
        state = self.states[subscription.key]
        state, events = transitions.failed(subscription, state, failure, self._now)
        self._save(subscription, state, events)
        return self._trouble(subscription, state, failure.reason)

    def _save(
        self, subscription: Subscription, state: FeedState, events: Sequence[FeedEvent]
    ) -> None:
        self._unsaved.append((subscription, state, events))
        self.told.events += events

    def _keep_readings(self) -> None:
        answers, self._readings = self._readings, []
        with self._meter.stage("store"):
            saved = self._store.feeds.save_answers(answers, self._now)
        for reading, changes in zip(answers, saved, strict=True):
            self._meter.add("parse", entries=len(reading.parsed.entries))
            self._meter.add("store", entries=len(reading.parsed.entries))
            new, modified = changes.count(EntryChange.NEW), changes.count(EntryChange.MODIFIED)
            self.told.new += new
            self.told.modified += modified
            self._progress.polled(reading.subscription, f"{new} new, {modified} modified")

    async def keep(self) -> None:
        """Store what waits to be stored."""
        if not self._readings and not self._unsaved:
            return
        async with self._turn():
            if self._readings:
                self._keep_readings()
            unsaved, self._unsaved = self._unsaved, []
            if unsaved:
                with self._meter.stage("store"):
                    self._store.feeds.save_states(unsaved)

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

        We are offline if at least two hosts were silent, of which one was well before, or if nobody
        else was heard of late; then no subscription is punished. Two hosts that have long been dead
        prove nothing.
        """
        if self._doubtful is None:
            return
        doubtful = self._doubtful
        hosts = {domain_of(poll.url) for poll in polls}
        well = [s for s, _ in doubtful if not self.states[s.key].failures]
        if self._online is None and (len(hosts) < 2 or not well):
            self._settle()
            return
        self.told.offline = True
        for subscription, failure in doubtful:
            self._trouble(subscription, self.states[subscription.key], failure.reason)
