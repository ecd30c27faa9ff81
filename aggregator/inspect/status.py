"""The values that ``status``, ``tags`` and ``explain`` print."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from aggregator.clippings import private_warning
from aggregator.fetch.domains import domain_of
from aggregator.fetch.schedule import held_until, poll_url
from aggregator.fetch.transitions import BROKEN_AFTER
from aggregator.match import channel_key
from aggregator.model import (
    ChannelKind,
    Clipping,
    Config,
    FeedCondition,
    FeedState,
    JobFailure,
    Match,
)
from aggregator.run.match import load_matcher, load_vocabulary
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.store import Store

NEAREST_TAGS = 3  # that an entry does not belong to, shown by ``explain``
POLL_JOB = "poll "  # and the host: the name of a worker's job


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """One row of ``status``.

    ``state`` is the feed's condition, or one of: waiting (the publisher asked us to come later),
    broken (failing for three days), parked (workers failed at it, not the publisher). ``why`` is
    the reason for the time of the next poll, ``error`` the last failure, ``warning`` what was damaged
    in the document, ``notes`` what was guessed or left out.
    """

    subscription: str
    state: str
    entries: int
    last_success: datetime | None
    next_poll: datetime | None
    why: str
    failures: int
    error: str | None
    warning: str | None
    moved_to: str | None
    url: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TagStatus:
    """One row of ``tags``. ``feed`` is empty until the first run, ``also`` are the aliases."""

    tag: str
    feed: str
    clippings: int
    entries: int
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One stored entry of ``explain``.

    Each of ``matches`` has the tag's name, score, threshold, number of clippings, evidence, and
    whether it is only ``near``. ``missed`` are the nearest other tags. ``pruned_at``: when the
    content was removed; such an entry is not matched again.
    """

    title: str
    id: str
    link: str | None
    feed: str
    first_seen_at: datetime
    matches: tuple[dict[str, object], ...]
    missed: tuple[dict[str, object], ...]
    pruned_at: datetime | None = None


def subscription_status(config: Config, store: "Store", now: datetime) -> list[SubscriptionStatus]:
    """The status of each subscription, in the order of feeds.toml."""
    states, counts = store.feeds.states(), store.feeds.entry_counts()
    holds = store.feeds.host_holds(now)
    parked_jobs = {job.name: job for job in store.job_failures.all() if job.is_parked(now)}
    rows = []
    for subscription in config.subscriptions:
        state = states.get(subscription.key) or FeedState(subscription.key)
        hold = held_until(subscription, state, holds, now)
        condition, error = _condition(state, hold is not None, now), state.last_error
        next_poll, why = _next_poll(state, hold, now)
        job = parked_jobs.get(f"{POLL_JOB}{domain_of(poll_url(subscription, state))}")
        if job is not None:
            condition, error = "parked", f"given up after {job.attempts} attempts: {job.reason}"
            next_poll, why = job.failed_at + timedelta(days=1), "its jobs failed too often"
        rows.append(
            SubscriptionStatus(
                subscription=subscription.title,
                state=condition,
                entries=counts.get(subscription.key, 0),
                last_success=state.succeeded_at,
                next_poll=next_poll,
                why=why,
                failures=state.failures,
                error=error,
                warning=state.warning,
                moved_to=state.move.url if state.move and state.move.adopted else None,
                url=urls.redact(subscription.url),
                notes=tuple((state.notes or "").splitlines()),
            )
        )
    return rows


def _next_poll(
    state: FeedState, hold: datetime | None, now: datetime
) -> tuple[datetime | None, str]:
    """The time of the next poll and the reason; no time if it is due."""
    if state.fetched_at is None and hold is None:
        return None, "not polled yet"
    at, why = state.next_poll_at or now, state.next_poll_reason
    if hold is not None and hold > at:
        at, why = hold, "asked by the publisher to wait (Retry-After)"
    return (at, why) if at > now else (None, "due")


def _condition(state: FeedState, is_on_hold: bool, now: datetime) -> str:
    condition = state.condition
    if condition is FeedCondition.FAILING and state.failing_since_at is not None:
        return "broken" if now - state.failing_since_at >= BROKEN_AFTER else condition
    return "waiting" if is_on_hold and condition is not FeedCondition.GONE else condition


def failed_jobs(store: "Store") -> list[JobFailure]:
    """The failed jobs of workers that belong to no subscription: matching and publishing."""
    return [job for job in store.job_failures.all() if not job.name.startswith(POLL_JOB)]


def tag_status(config: Config, clippings: Sequence[Clipping], store: "Store") -> list[TagStatus]:
    """The status of each tag, most clippings first."""
    channels = {channel.key: channel for channel in store.published.channels()}
    counts = store.published.counts_by_month()
    vocabulary, _ = load_vocabulary(config, clippings, store)
    rows = []
    for tag in vocabulary.tags:
        key = channel_key(ChannelKind.TAG, tag.key)
        channel = channels.get(key)
        rows.append(
            TagStatus(
                tag=tag.name,
                feed=f"{config.site.url}{quote(channel.slug)}.atom" if channel else "",
                clippings=tag.clippings,
                entries=sum(counts.get(key, {}).values()),
                also=tag.aliases,
            )
        )
    return sorted(rows, key=lambda row: (-row.clippings, -row.entries, row.tag))


def private_bookmarks(config: Config, clippings: Sequence[Clipping], store: "Store") -> list[str]:
    """A warning, if bookmarks are held back."""
    _, all_clippings = load_vocabulary(config, clippings, store)
    return private_warning(all_clippings)


def explain_entries(
    entry: str, config: Config, clippings: Sequence[Clipping], store: "Store"
) -> list[Explanation]:
    """Why each stored entry with this link or id belongs to its tags, and which tags are near."""
    vocabulary, all_clippings = load_vocabulary(config, clippings, store)
    tags = {tag.key: tag for tag in vocabulary.tags}
    story_entries = store.matches.find_entries(entry, urls.link_key(entry))
    if not story_entries:
        return []
    matcher = load_matcher(config, vocabulary, all_clippings, store, keep=False)

    def describe(match: Match) -> dict[str, object]:
        tag = tags[match.tag]
        return {
            "tag": tag.name,
            "score": match.score,
            "near": match.near,
            "threshold": matcher.threshold(match.tag),
            "clippings": tag.clippings,
            "evidence": [asdict(e) | {"kind": e.kind.value} for e in match.evidence],
        }

    explanations = []
    for story_entry in story_entries:
        stored = story_entry.stored
        matched_tags = {match.tag for match in story_entry.matches}
        missed = [m for m in matcher.score(stored) if m.tag not in matched_tags]
        explanations.append(
            Explanation(
                title=stored.entry.title,
                id=stored.entry.id,
                link=stored.entry.link,
                feed=stored.feed.title,
                first_seen_at=stored.first_seen_at,
                matches=tuple(describe(m) for m in story_entry.matches if m.tag in tags),
                missed=tuple(map(describe, missed[:NEAREST_TAGS])),
                pruned_at=stored.pruned_at,
            )
        )
    return explanations
