"""The first step of a run: poll the subscriptions that are due, parse the answers, store them.

Answers are stored a few dozen at a time. A document and its validators are in one transaction, so a
run that is killed loses only the last batch, which the next run requests again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from aggregator.fetch import schedule
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
from aggregator.parse import READER_VERSION
from aggregator.run import answers
from aggregator.run.answers import AnswerEffect, AnswerKind
from aggregator.run.offline import OfflineDetector
from aggregator.run.timing import StageTimer

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool
    from aggregator.store import Store

logger = logging.getLogger(__name__)

# One transaction stores at most so many states, documents, and entries of documents.
MAX_STATES = 200
MAX_DOCUMENTS = 50
MAX_ENTRIES = 500
# At most so many answers, and bytes of their bodies, wait to be parsed or stored.
MAX_PENDING_ANSWERS = 64
MAX_PENDING_BYTES = 16 * 1024 * 1024

WriteLock = Callable[[], AbstractAsyncContextManager[None]]


class Progress(Protocol):
    """A display of the polling."""

    def begin(self, total: int) -> None:
        """``total`` subscriptions will be polled."""

    def polled(self, subscription: Subscription, outcome: str) -> None:
        """A subscription was polled, with this outcome."""


class NullProgress:
    """A `Progress` that shows nothing."""

    def begin(self, total: int) -> None:
        pass

    def polled(self, subscription: Subscription, outcome: str) -> None:
        pass


@dataclass(slots=True)
class PollResult:
    """What polling has done so far. ``answered``: at least one feed has, so our network works."""

    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    answered: bool = False
    offline: bool = False
    troubles: list[Trouble] = field(default_factory=list)
    events: list[FeedEvent] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, effect: AnswerEffect) -> None:
        """Count one answer."""
        match effect.kind:
            case AnswerKind.FETCHED:
                self.fetched += 1
            case AnswerKind.NOT_MODIFIED:
                self.not_modified += 1
            case AnswerKind.WAITING:
                self.waiting += 1
        if effect.trouble:
            self.troubles.append(effect.trouble)
        self.events += effect.events
        self.warnings += effect.warnings

    def report(self) -> RunReport:
        """The same as a run's report, in an order that does not depend on the network."""
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
class PollPlan:
    """The subscriptions to poll in this run, and the state of each subscription by key.

    ``holds``: the hosts that asked us to wait, and until when. ``waiting`` counts the rest.
    """

    polls: list[Poll]
    states: dict[str, FeedState]
    holds: dict[str, datetime]
    waiting: int


def plan_polls(
    config: Config, store: "Store", now: datetime, *, include_not_due: bool = False
) -> PollPlan:
    """Choose the subscriptions that are due, or all that have not asked us to wait."""
    store.feeds.adopt_moved_addresses(subscription.key for subscription in config.subscriptions)
    return plan_subscriptions(config.subscriptions, store, now, include_not_due=include_not_due)


def plan_subscriptions(
    subscriptions: Collection[Subscription],
    store: "Store",
    now: datetime,
    *,
    include_not_due: bool = False,
    only_these: bool = False,
) -> PollPlan:
    """Choose from these subscriptions. ``only_these``: they are few, so read only their states."""
    states = store.feeds.states([s.key for s in subscriptions] if only_these else None)
    holds = store.feeds.host_holds(now)
    due = []
    for subscription in subscriptions:
        state = states.setdefault(subscription.key, FeedState(subscription.key))
        if schedule.is_due(subscription, state, holds, now, everything=include_not_due):
            due.append((subscription, state))
        else:
            _log(subscription, "not due; the next poll is at %s", state.next_poll_at)
    polls = [
        Poll(subscription, schedule.poll_url(subscription, state), _validators(state))
        for subscription, state in schedule.limit_per_host(due)
    ]
    logger.debug("%d of %d subscriptions are due", len(polls), len(subscriptions))
    return PollPlan(polls, states, holds, len(subscriptions) - len(polls))


def _validators(state: FeedState) -> Validators:
    """None for a document that another version has read: an unchanged one must be read again."""
    return state.validators if state.reader_version == READER_VERSION else Validators()


def _log(subscription: Subscription, message: str, *arguments: object) -> None:
    logger.debug(message, *arguments, extra={"subscription": subscription.title})


async def poll_feeds(
    plan: PollPlan,
    store: "Store",
    fetcher: "Fetcher",
    parser: "ParsingPool",
    progress: Progress,
    timer: StageTimer,
    now: datetime,
    *,
    write_lock: WriteLock = nullcontext,
    online: bool | None = None,
) -> PollResult:
    """Poll the planned subscriptions, and store the answers.

    Hold ``write_lock`` while storing, where other processes store too. ``online``: whether a feed
    outside this plan has answered recently; None if unknown.
    """
    detector = OfflineDetector(online=online)
    poller = _Poller(plan, store, parser, progress, timer, now, write_lock, detector)
    progress.begin(len(plan.polls))
    outcomes = fetcher.poll(plan.polls, plan.holds, now)
    pending: dict[asyncio.Task[None], int] = {}  # task: size of its body in bytes
    try:
        async for subscription, outcome in outcomes:
            while len(pending) >= MAX_PENDING_ANSWERS or sum(pending.values()) > MAX_PENDING_BYTES:
                done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del pending[task]
                    task.result()
            size = len(outcome.body) if isinstance(outcome, Fetched) else 0
            pending[asyncio.create_task(poller.take(subscription, outcome))] = size
        for task in pending:
            await task
    finally:
        await outcomes.aclose()
        for task in pending:
            task.cancel()
        await poller.save()
    poller.conclude()
    await poller.save()
    return poller.result


class _Poller:
    """Turns each answer into an `AnswerEffect`, and stores the effects in batches."""

    def __init__(
        self,
        plan: PollPlan,
        store: "Store",
        parser: "ParsingPool",
        progress: Progress,
        timer: StageTimer,
        now: datetime,
        write_lock: WriteLock,
        detector: OfflineDetector,
    ) -> None:
        self.result = PollResult(waiting=plan.waiting)
        self._plan = plan
        self._store = store
        self._parser = parser
        self._progress = progress
        self._timer = timer
        self._now = now
        self._write_lock = write_lock
        self._detector = detector
        self._unsaved_answers: list[ParsedAnswer] = []
        self._unsaved_states: list[AnswerEffect] = []

    async def take(self, subscription: Subscription, outcome: FetchOutcome) -> None:
        """Process one answer, and store the batch if it is full."""
        if isinstance(outcome, Fetched):
            self._note_answer()
            effect = await self._process_document(subscription, outcome)
        elif (
            isinstance(outcome, FetchFailed)
            and self._may_be_our_network(subscription, outcome)
            and self._detector.defer(subscription, outcome)
        ):
            self._progress.polled(subscription, outcome.reason)
            _log(subscription, "failed before any feed answered: %s", outcome.reason)
            return
        else:
            effect = self._process_status(subscription, outcome)
        self._record(effect)
        if self._is_batch_full():
            await self.save()

    def _process_status(
        self, subscription: Subscription, outcome: NotModified | Gone | FetchFailed | Deferred
    ) -> AnswerEffect:
        """An answer without a document, or none. An answer proves that the network works."""
        if isinstance(outcome, Deferred):
            return answers.defer(subscription, outcome)
        if not (isinstance(outcome, FetchFailed) and (outcome.unreached or outcome.local)):
            self._note_answer()
        state = self._plan.states[subscription.key]
        match outcome:
            case FetchFailed():
                return self._fail(subscription, outcome)
            case Gone():
                return answers.mark_gone(subscription, state, outcome, self._now)
            case NotModified():
                return answers.keep(subscription, state, outcome, self._now)

    async def _process_document(self, subscription: Subscription, outcome: Fetched) -> AnswerEffect:
        state = self._plan.states[subscription.key]
        self._timer.add("fetch", size=len(outcome.body))
        body_hash = hashlib.sha256(outcome.body).hexdigest()
        is_same = body_hash == state.body_hash and state.reader_version == READER_VERSION
        if is_same:  # the server ignores conditional requests
            return answers.keep(subscription, state, outcome, self._now)
        # Incremental parsing does not suit a partial document (RFC 3229), which leaves out entries
        # that still exist; nor clippings, since an entry pruned as a subscription's must come back.
        is_first = state.succeeded_at is None
        parse_all = is_first or outcome.partial or subscription.role is not Role.SUBSCRIPTION
        with self._timer.stage("store"):
            previous = None if parse_all else self._store.feeds.last_document(subscription)
        parsed = await self._parser.parse(outcome, self._now, subscription.language, previous)
        if isinstance(parsed, ParseFailed):
            failure = FetchFailed(parsed.key, parsed.reason, caching=outcome.caching)
            return self._fail(subscription, failure)
        _log(subscription, "parsed %d entries", len(parsed.entries))
        same_feed = outcome.moved_to is not None and self._store.feeds.is_same_feed(
            subscription, parsed
        )
        return answers.accept(
            subscription, state, outcome, parsed, body_hash, self._now, same_feed=same_feed
        )

    def _fail(self, subscription: Subscription, failure: FetchFailed) -> AnswerEffect:
        if failure.host and failure.caching.retry_after:
            until = self._now + failure.caching.retry_after
            self._store.feeds.save_host_hold(failure.host, until)
        state = self._plan.states[subscription.key]
        return answers.fail(subscription, state, failure, self._now)

    def _record(self, effect: AnswerEffect) -> None:
        """Count an effect, and put it into the batch that is stored next."""
        self.result.add(effect)
        if effect.parsed and effect.state:
            self._unsaved_answers.append(
                ParsedAnswer(effect.subscription, effect.parsed, effect.state, effect.events)
            )
            return  # its progress is shown once it is stored
        if effect.state:
            self._unsaved_states.append(effect)
        self._progress.polled(effect.subscription, effect.message)
        _log(effect.subscription, "%s", effect.message)

    def _is_batch_full(self) -> bool:
        entries = sum(len(answer.parsed.entries) for answer in self._unsaved_answers)
        return (
            len(self._unsaved_answers) >= MAX_DOCUMENTS
            or entries >= MAX_ENTRIES
            or len(self._unsaved_states) >= MAX_STATES
        )

    async def save(self) -> None:
        """Store the batch."""
        if not self._unsaved_answers and not self._unsaved_states:
            return
        async with self._write_lock():
            self._save_answers()
            effects, self._unsaved_states = self._unsaved_states, []
            if effects:
                with self._timer.stage("store"):
                    self._store.feeds.save_states(
                        [(e.subscription, e.state, e.events) for e in effects if e.state]
                    )

    def _save_answers(self) -> None:
        batch, self._unsaved_answers = self._unsaved_answers, []
        if not batch:
            return
        with self._timer.stage("store"):
            changes_by_answer = self._store.feeds.save_answers(batch, self._now)
        for answer, changes in zip(batch, changes_by_answer, strict=True):
            self._timer.add("parse", entries=len(answer.parsed.entries))
            self._timer.add("store", entries=len(answer.parsed.entries))
            new, modified = changes.count(EntryChange.NEW), changes.count(EntryChange.MODIFIED)
            self.result.new += new
            self.result.modified += modified
            self._progress.polled(answer.subscription, f"{new} new, {modified} modified")
            _log(answer.subscription, "stored: %d new, %d modified", new, modified)

    def _may_be_our_network(self, subscription: Subscription, failure: FetchFailed) -> bool:
        """Whether our network may be to blame.

        A portal may let all names lead to its own private address; then the guard refuses feeds
        that worked before. A new feed at a private address is an error in feeds.toml.
        """
        ever_succeeded = self._plan.states[subscription.key].succeeded_at is not None
        return failure.unreached and (ever_succeeded or not failure.local)

    def _note_answer(self) -> None:
        """A feed has answered, so our network works."""
        self.result.answered = True
        self._count_deferred_failures()

    def _count_deferred_failures(self) -> None:
        """The failures deferred so far count as those of their feeds."""
        for subscription, failure in self._detector.note_answer():
            effect = self._fail(subscription, failure)
            self.result.add(effect)
            self._unsaved_states.append(effect)

    def conclude(self) -> None:
        """Decide about the failures that are still deferred when no feed has answered."""
        if not self._detector.is_offline(self._plan.polls, self._plan.states):
            self._count_deferred_failures()
            return
        self.result.offline = True
        for subscription, failure in self._detector.deferred:
            state = self._plan.states[subscription.key]
            trouble = answers.trouble_of(subscription, state, failure.reason)
            self.result.troubles.append(trouble)
