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
from typing import Protocol

from aggregator.clippings import entries_from_clippings
from aggregator.match import Vocabulary, unknown_tags
from aggregator.model import (
    Clipping,
    Config,
    Entry,
    Feed,
    Network,
    PublishSettings,
    RunReport,
)
from aggregator.run.match import MatchKeeper, knowledge_of, match
from aggregator.run.poll import Collected, FeedKeeper, Parser, Poller, Progress, collect, plan
from aggregator.run.prune import PruneKeeper, prune_some
from aggregator.run.publish import ListKeeper, place_stories, publish
from aggregator.run.stale import Writer
from aggregator.run.timing import Meter
from aggregator.text.urls import redact


class Keeper(FeedKeeper, MatchKeeper, PruneKeeper, ListKeeper, Protocol):
    """What a run needs of `store`; each method is one transaction."""

    def save_clippings(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None: ...
    def pings(self) -> list[str]: ...
    def pinged(self, url: str) -> None: ...


class Asker(Poller, Protocol):
    """What a run needs of `fetch`."""

    async def ping(self, hub: str, topic: str, allow_private: tuple[Network, ...]) -> str | None:
        """Tell a WebSub hub that ``topic`` changed; gives what went wrong."""


Outside = Callable[[], AbstractAsyncContextManager[tuple[Asker, Parser]]]


async def run(
    config: Config,
    clippings: Sequence[Clipping],
    store: Keeper,
    outside: Outside,
    writer: Writer,
    progress: Progress,
    meter: Meter,
    now: datetime,
    *,
    everything: bool = False,
) -> RunReport:
    """One pass of the whole line. ``now`` is the time of everything that happens in it.

    ``everything``: poll also what is not due. ``outside`` opens what is needed only if somebody is
    to be asked. Raises StorageError or PublishError; trouble with publishers is in the report.
    """
    with meter.stage("plan"):
        planned = plan(config, store, now, everything=everything)
    told = Collected(waiting=planned.waiting)
    if planned.polls:
        with meter.stage("fetch"):
            async with outside() as (poller, parser):
                told = await collect(planned, store, poller, parser, progress, meter, now)
            meter.add("fetch", entries=len(planned.polls))
            meter.add("parse", wall=parser.wall_seconds, cpu=parser.cpu_seconds)
    done = _rest(config, clippings, store, writer, meter, now, new=told.new)
    warnings = [*told.warnings, *done.warnings]
    if config.publish.hub and store.pings():
        with meter.stage("hub"):
            async with outside() as (poller, _):
                warnings += await tell_hub(config.publish, store, poller)
    return replace(
        told.report(),
        matched=done.matched,
        pruned=done.pruned,
        written=done.written,
        warnings=tuple(sorted(warnings)),
        stages=meter.costs(),
    )


def retag(
    config: Config, clippings: Sequence[Clipping], store: Keeper, writer: Writer, now: datetime
) -> RunReport:
    """A run that polls nothing: what is stored is matched with what feeds.toml and the clippings
    say now, and published. What thereby enters a feed is no news: `publish.backfill` bounds it."""
    return _rest(config, clippings, store, writer, Meter(), now, new=0)


def _rest(
    config: Config,
    clippings: Sequence[Clipping],
    store: Keeper,
    writer: Writer,
    meter: Meter,
    now: datetime,
    *,
    new: int,
) -> RunReport:
    """The line from what is stored to what is published."""
    vocabulary, clippings, done = settle(config, clippings, store, meter, now, new=new)
    with meter.stage("publish"):
        written = publish(config, vocabulary, clippings, store, writer)
        meter.add("publish", size=writer.written_bytes)
    return replace(done, written=written)


def settle(
    config: Config,
    clippings: Sequence[Clipping],
    store: Keeper,
    meter: Meter,
    now: datetime,
    *,
    new: int | None = None,
) -> tuple[Vocabulary, list[Clipping], RunReport]:
    """Decide in which feeds all stands that is stored: what publishing begins from. Gives the
    knowledge with which that was done, all clippings, and what was done.

    ``new`` entries were stored since the last time, or, where nobody has counted, as many as there
    are new stories.
    """
    with meter.stage("group"):
        store.save_clippings(entries_from_clippings(clippings), _clippings_feed(config), now)
        grouped = store.group(now)
        meter.add("group", entries=grouped)
    with meter.stage("match"):
        vocabulary, clippings = knowledge_of(config, clippings, store)
        matched = match(config, vocabulary, clippings, store, meter, now)
    with meter.stage("prune"):
        pruned = prune_some(config, store, grouped if new is None else new, now).entries
        meter.add("prune", entries=pruned)
    with meter.stage("place"):
        meter.add("place", entries=place_stories(config, vocabulary, store, now))
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


async def tell_hub(settings: PublishSettings, store: Keeper, poller: Asker) -> list[str]:
    """Tell the hub of what changed; what it does not take is told again by the next run."""
    hub = settings.hub
    if hub is None:
        return []
    for topic in store.pings():
        trouble = await poller.ping(hub, topic, settings.allow_private)
        if trouble:
            untold = f"the hub {redact(hub)} was not told of what changed, the next run will"
            return [f"{untold}: {trouble}"]
        store.pinged(topic)
    return []


def _clippings_feed(config: Config) -> Feed:
    return Feed(config.site.url, config.site.title, config.site.url, None, None)
