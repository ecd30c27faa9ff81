"""What ``status``, ``tags`` and ``explain`` tell: the store's knowledge as plain values."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from aggregator.fetch.domains import domain_of
from aggregator.fetch.schedule import asked_until, poll_url
from aggregator.fetch.transitions import BROKEN_AFTER
from aggregator.match import channel_key
from aggregator.model import (
    ChannelKind,
    Clipping,
    Config,
    FeedState,
    JobFailure,
    Match,
)
from aggregator.run.match import load_matcher, load_vocabulary
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.store import Store

_MISSED = 3  # told


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """One row of ``status``.

    ``state``: new, ok, waiting (its publisher asked us to come later), failing, broken (for three
    days), gone, moved, silent (for a year), degraded (what it serves is damaged), parked (workers
    failed at it, which is no publisher's fault). ``why`` is why
    the next poll is then; ``error`` is what is wrong, ``warning`` what was odd in the document.
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


@dataclass(frozen=True, slots=True)
class TagStatus:
    """One row of ``tags``. ``feed`` is empty until a run has made it."""

    tag: str
    feed: str
    clippings: int
    entries: int
    also: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One entry of ``explain``; ``matches`` hold the tag's name, score, threshold, number of
    clippings, evidence, and whether they are only ``near``; ``missed`` are the nearest others.
    ``pruned_at``: when its content was removed, since when it is not matched again."""

    title: str
    id: str
    link: str | None
    feed: str
    first_seen_at: datetime
    matches: tuple[dict[str, object], ...]
    missed: tuple[dict[str, object], ...]
    pruned_at: datetime | None = None


def subscription_status(config: Config, store: "Store", now: datetime) -> list[SubscriptionStatus]:
    """Every subscription in the order of feeds.toml."""
    states, counts, holds = (
        store.feeds.states(),
        store.feeds.entry_counts(),
        store.feeds.host_holds(now),
    )
    job_failures = {work.name: work for work in store.job_failures.all() if work.is_parked(now)}
    rows = []
    for subscription in config.subscriptions:
        state = states.get(subscription.key) or FeedState(subscription.key)
        until = asked_until(subscription, state, holds, now)
        next_poll, why = _next_poll(state, until, now)
        state_name, error = _state(state, until is not None, now), state.last_error
        work = job_failures.get(f"{_POLL}{domain_of(poll_url(subscription, state))}")
        if work is not None:
            state_name, error = "parked", f"given up after {work.attempts} attempts: {work.reason}"
            next_poll, why = work.failed_at + timedelta(days=1), "its jobs failed too often"
        rows.append(
            SubscriptionStatus(
                subscription=subscription.title,
                state=state_name,
                entries=counts.get(subscription.key, 0),
                last_success=state.succeeded_at,
                next_poll=next_poll,
                why=why,
                failures=state.failures,
                error=error,
                warning=state.warning,
                moved_to=state.move.url if state.move and state.move.adopted else None,
                url=urls.redact(subscription.url),
            )
        )
    return rows


_POLL = "poll "  # and the host: what `cluster` calls its jobs


def _next_poll(
    state: FeedState, until: datetime | None, now: datetime
) -> tuple[datetime | None, str]:
    if state.fetched_at is None and until is None:
        return None, "not polled yet"
    at, why = state.next_poll_at or now, state.next_poll_reason
    if until is not None and until > at:
        at, why = until, "asked by the publisher to wait (Retry-After)"
    return (at, why) if at > now else (None, "due")


def _state(state: FeedState, waiting: bool, now: datetime) -> str:
    condition = state.condition
    if condition == "failing" and state.failing_since_at is not None:
        return "broken" if now - state.failing_since_at >= BROKEN_AFTER else condition
    return "waiting" if waiting and condition != "gone" else condition


def failing_work(store: "Store") -> list[JobFailure]:
    """What workers failed at the last time, and no subscription tells of: settling and publishing."""
    return [work for work in store.job_failures.all() if not work.name.startswith(_POLL)]


def tag_status(config: Config, clippings: Sequence[Clipping], store: "Store") -> list[TagStatus]:
    """Every tag, those with most clippings first."""
    channels = {channel.key: channel for channel in store.published.channels()}
    counts = store.published.counts_by_month()
    rows = []
    vocabulary, _ = load_vocabulary(config, clippings, store)
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


def explanations(
    entry: str, config: Config, clippings: Sequence[Clipping], store: "Store"
) -> list[Explanation]:
    """Every stored entry with this link or id, why it belongs to its tags, and to which nearly."""
    vocabulary, kept = load_vocabulary(config, clippings, store)
    tags = {tag.key: tag for tag in vocabulary.tags}
    copies = store.matches.find_entries(entry, urls.link_key(entry))
    if not copies:
        return []
    matcher = load_matcher(config, vocabulary, kept, store, keep=False)

    def told(match: Match) -> dict[str, object]:
        tag = tags[match.tag]
        return {
            "tag": tag.name,
            "score": match.score,
            "near": match.near,
            "threshold": matcher.threshold(match.tag),
            "clippings": tag.clippings,
            "evidence": [asdict(e) | {"kind": e.kind.value} for e in match.evidence],
        }

    found = []
    for live in copies:
        matches = tuple(told(match) for match in live.matches if match.tag in tags)
        belongs = {match.tag for match in live.matches}
        missed = [match for match in matcher.score(live.stored) if match.tag not in belongs]
        stored = live.stored
        found.append(
            Explanation(
                title=stored.entry.title,
                id=stored.entry.id,
                link=stored.entry.link,
                feed=stored.feed.title,
                first_seen_at=stored.first_seen_at,
                matches=matches,
                missed=tuple(map(told, missed[:_MISSED])),
                pruned_at=stored.pruned_at,
            )
        )
    return found
