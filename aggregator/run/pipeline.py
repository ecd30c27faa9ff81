"""One run: the stages in their order. `aggregator/__init__.py` draws the data flow.

Each step starts from the database, and ends in a transaction. So the next run completes a run that
was killed at any point.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.clippings import entries_from_clippings, private_warning
from aggregator.match import Vocabulary, unknown_tags
from aggregator.model import Clipping, Config, Feed, PublishSettings, Role, RunReport
from aggregator.parse import READER_VERSION
from aggregator.run.match import load_vocabulary, match
from aggregator.run.poll import PollResult, Progress, plan_polls, poll_feeds
from aggregator.run.prune import prune_batch
from aggregator.run.publish import place_stories, publish
from aggregator.run.stale import OutputWriter
from aggregator.run.timing import StageTimer
from aggregator.text.languages import detect_language
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
    writer: OutputWriter,
    progress: Progress,
    timer: StageTimer,
    now: datetime,
    *,
    include_not_due: bool = False,
) -> RunReport:
    """Poll, match, publish. ``now`` is the time of everything that happens in the run.

    ``open_network`` opens the HTTP client and the parsers, and is called only if something is due.
    ``include_not_due``: also poll subscriptions that are not due. Raises StorageError and
    PublishError; failures of feeds are in the report.
    """
    with timer.stage("plan"):
        plan = plan_polls(config, store, now, include_not_due=include_not_due)
    polled = PollResult(waiting=plan.waiting)
    if plan.polls:
        with timer.stage("fetch"):
            async with open_network() as (fetcher, parser):
                polled = await poll_feeds(plan, store, fetcher, parser, progress, timer, now)
            timer.add("fetch", entries=len(plan.polls))
            timer.add("parse", wall=parser.wall_seconds, cpu=parser.cpu_seconds)
    published = _match_and_publish(config, clippings, store, writer, timer, now, new=polled.new)
    warnings = [*polled.warnings, *published.warnings]
    if config.publish.hub and store.published.pings():
        with timer.stage("hub"):
            async with open_network() as (fetcher, _):
                warnings += await ping_hub(config.publish, store, fetcher)
    return replace(
        polled.report(),
        matched=published.matched,
        pruned=published.pruned,
        written=published.written,
        warnings=tuple(sorted(warnings)),
        stages=timer.costs(),
    )


def retag(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: OutputWriter,
    now: datetime,
) -> RunReport:
    """A run without polling: match all stored entries with the present settings, and publish.

    Entries that enter a feed this way are not news, so ``publish.backfill`` limits them.
    """
    return _match_and_publish(config, clippings, store, writer, StageTimer(), now, new=0)


def _match_and_publish(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: OutputWriter,
    timer: StageTimer,
    now: datetime,
    *,
    new: int,
) -> RunReport:
    vocabulary, clippings, report = match_and_place(config, clippings, store, timer, now, new=new)
    with timer.stage("publish"):
        written = publish(config, vocabulary, clippings, store, writer)
        timer.add("publish", size=writer.written_bytes)
    return replace(report, written=written)


def match_and_place(
    config: Config,
    clippings: Sequence[Clipping],
    store: "Store",
    timer: StageTimer,
    now: datetime,
    *,
    new: int | None = None,
) -> tuple[Vocabulary, list[Clipping], RunReport]:
    """Group entries into stories, match them, prune old entries, and place stories in channels.

    ``new`` entries were stored since the last call; None: as many as there are new stories.
    Return the vocabulary, all clippings, and the report of these steps.
    """
    with timer.stage("group"):
        site = Feed(config.site.url, config.site.title, config.site.url, None, None)
        store.clippings.save(
            entries_from_clippings(clippings),
            site,
            now,
            detect_language=detect_language,
            version=READER_VERSION,
        )
        roles = (Role.CLIPPINGS, Role.PRIVATE_CLIPPINGS)
        store.clippings.save_roles({role: config.keys(role) for role in roles})
        new_stories = store.stories.group_entries(now)
        timer.add("group", entries=new_stories)
    with timer.stage("match"):
        vocabulary, clippings = load_vocabulary(config, clippings, store)
        matched = match(config, vocabulary, clippings, store, timer, now)
    with timer.stage("prune"):
        pruned = prune_batch(config, store, new_stories if new is None else new, now).entries
        timer.add("prune", entries=pruned)
    with timer.stage("place"):
        timer.add("place", entries=place_stories(config, vocabulary, store, now))
    warnings = [*unknown_tags(vocabulary, config.feeds), *private_warning(clippings)]
    if not any(clipping.tags for clipping in clippings):
        warnings.append(
            "no clippings with tags: only names, rules and categories are matched; "
            "[clippings] files says where to put them"
        )
    report = RunReport(matched=matched, pruned=pruned, warnings=tuple(warnings))
    return vocabulary, clippings, report


async def ping_hub(settings: PublishSettings, store: "Store", fetcher: "Fetcher") -> list[str]:
    """Tell the WebSub hub which feeds changed; return warnings. The next run retries failures."""
    hub = settings.hub
    if hub is None:
        return []
    for topic in store.published.pings():
        failure = await fetcher.ping(hub, topic, settings.allow_private)
        if failure:
            return [f"could not ping the hub {redact(hub)}; the next run retries: {failure}"]
        store.published.remove_ping(topic)
    return []
