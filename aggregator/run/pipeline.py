"""A run, from feeds.toml to outputs/: here and in the four it calls, the stages meet.

    due subscriptions | poll | parse | store         collect
    unmatched entries | learn | match | store        matching
    old entries       | prune                        retention
    changed stories   | place | render | write       publishing
    changed feeds     | ping                         the hub, if there is one

Each step ends in a transaction, and each begins from what is stored: so a run that is killed
anywhere is completed by the next.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.clippings import entries_from_clippings
from aggregator.match import Vocabulary, unknown_tags
from aggregator.model import (
    Clipping,
    Config,
    Feed,
    PublishSettings,
    RunReport,
)
from aggregator.run.match import load_vocabulary, match
from aggregator.run.poll import PollResult, Progress, collect, plan
from aggregator.run.prune import prune_some
from aggregator.run.publish import place_stories, publish
from aggregator.run.stale import Writer
from aggregator.run.timing import StageTimer
from aggregator.text.urls import redact

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool
    from aggregator.store import Store


OpenNetwork = Callable[[], AbstractAsyncContextManager[tuple["Fetcher", "ParsingPool"]]]


async def run(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    open_network: OpenNetwork,
    writer: Writer,
    progress: Progress,
    timer: StageTimer,
    now: datetime,
    *,
    everything: bool = False,
) -> RunReport:
    """One pass of the whole line. ``now`` is the time of everything that happens in it.

    ``everything``: poll also what is not due. ``open_network`` opens what is needed only if somebody is
    to be asked. Raises StorageError or PublishError; trouble with publishers is in the report.
    """
    with timer.stage("plan"):
        planned = plan(config, store, now, everything=everything)
    told = PollResult(waiting=planned.waiting)
    if planned.polls:
        with timer.stage("fetch"):
            async with open_network() as (poller, parser):
                told = await collect(planned, store, poller, parser, progress, timer, now)
            timer.add("fetch", entries=len(planned.polls))
            timer.add("parse", wall=parser.wall_seconds, cpu=parser.cpu_seconds)
    done = _rest(config, clippings, store, writer, timer, now, new=told.new)
    warnings = [*told.warnings, *done.warnings]
    if config.publish.hub and store.published.pings():
        with timer.stage("hub"):
            async with open_network() as (poller, _):
                warnings += await ping_hub(config.publish, store, poller)
    return replace(
        told.report(),
        matched=done.matched,
        pruned=done.pruned,
        written=done.written,
        warnings=tuple(sorted(warnings)),
        stages=timer.costs(),
    )


def retag(
    config: Config, clippings: Sequence[Clipping], store: "Store", writer: Writer, now: datetime
) -> RunReport:
    """A run that polls nothing: what is stored is matched with what feeds.toml and the clippings
    say now, and published. What thereby enters a feed is no news: `publish.backfill` bounds it."""
    return _rest(config, clippings, store, writer, StageTimer(), now, new=0)


def _rest(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: Writer,
    timer: StageTimer,
    now: datetime,
    *,
    new: int,
) -> RunReport:
    """The line from what is stored to what is published."""
    vocabulary, clippings, done = match_and_place(config, clippings, store, timer, now, new=new)
    with timer.stage("publish"):
        written = publish(config, vocabulary, clippings, store, writer)
        timer.add("publish", size=writer.written_bytes)
    return replace(done, written=written)


def match_and_place(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    timer: StageTimer,
    now: datetime,
    *,
    new: int | None = None,
) -> tuple[Vocabulary, list[Clipping], RunReport]:
    """Decide in which feeds all stands that is stored: what publishing begins from. Gives the
    knowledge with which that was done, all clippings, and what was done.

    ``new`` entries were stored since the last time, or, where nobody has counted, as many as there
    are new stories.
    """
    with timer.stage("group"):
        store.clippings.save(entries_from_clippings(clippings), _clippings_feed(config), now)
        grouped = store.stories.group_entries(now)
        timer.add("group", entries=grouped)
    with timer.stage("match"):
        vocabulary, clippings = load_vocabulary(config, clippings, store)
        matched = match(config, vocabulary, clippings, store, timer, now)
    with timer.stage("prune"):
        pruned = prune_some(config, store, grouped if new is None else new, now).entries
        timer.add("prune", entries=pruned)
    with timer.stage("place"):
        timer.add("place", entries=place_stories(config, vocabulary, store, now))
    warnings = list(unknown_tags(vocabulary, config.feeds))
    if not any(clipping.tags for clipping in clippings):
        warnings.append(
            "no clippings with tags: only names, rules and categories are matched; "
            "[clippings] files says where to put them"
        )
    return (
        vocabulary,
        clippings,
        RunReport(matched=matched, pruned=pruned, warnings=tuple(warnings)),
    )


async def ping_hub(settings: PublishSettings, store: "Store", poller: "Fetcher") -> list[str]:
    """Tell the hub of what changed; what it does not take is told again by the next run."""
    hub = settings.hub
    if hub is None:
        return []
    for topic in store.published.pings():
        trouble = await poller.ping(hub, topic, settings.allow_private)
        if trouble:
            untold = f"the hub {redact(hub)} was not told of what changed, the next run will"
            return [f"{untold}: {trouble}"]
        store.published.remove_ping(topic)
    return []


def _clippings_feed(config: Config) -> Feed:
    return Feed(config.site.url, config.site.title, config.site.url, None, None)
