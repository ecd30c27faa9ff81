"""The last steps of a run: place stories in channels, then render what is out of date.

Cost follows change: a feed that no story entered or left, and whose stories were not corrected, is
not even read. The store keeps an output marked as dirty until its file is written, so the next run
completes a run that was killed.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.match import (
    PlacementRules,
    Vocabulary,
    choose_live,
    expected_channels,
    place,
)
from aggregator.model import Clipping, Config, MembershipChange
from aggregator.run.stale import OutputWriter, RenderPart, RenderPlanner

if TYPE_CHECKING:
    from aggregator.store import Store

WriteLock = Callable[[], AbstractContextManager[None]]

BATCH_SIZE = 500  # stories that stay in their channels, stored in one transaction


def place_stories(config: Config, vocabulary: Vocabulary, store: "Store", now: datetime) -> int:
    """Decide which channels each changed story belongs to; return how many stories those are."""
    store.channels.save(expected_channels(vocabulary, config), config.site.url, now)
    rules = PlacementRules(vocabulary, config)
    moving: list[MembershipChange] = []
    staying: list[MembershipChange] = []
    count = 0
    # Only a query reads the text of a story.
    for story, channels in store.channels.pending_stories(whole=bool(config.feeds)):
        count += 1
        change = place(story, channels, rules)
        (moving if change.enters or change.leaves else staying).append(change)
        if len(staying) == BATCH_SIZE:
            store.channels.save_membership_changes(staying, (), now)
            staying = []
    store.channels.save_membership_changes(staying, (), now)
    live = choose_live(moving, config.publish.backfill)
    store.channels.save_membership_changes(moving, live, now)
    return count


def publish(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: OutputWriter,
    *,
    part: RenderPart | None = None,
    write_lock: WriteLock = nullcontext,
    files: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Render what is out of date, or what of it belongs to ``part``; return the changed files.

    Hold ``write_lock`` while storing, where other processes store too. ``files``: the page of each
    source by its key, if the caller has it already.
    """
    planner = RenderPlanner(config, vocabulary, clippings, store, writer, files)
    plan = planner.plan(part)
    if not plan:
        return ()
    channels, archives, sources = (
        plan.channel_digests,
        plan.archive_addresses,
        plan.source_digests,
    )
    with write_lock():
        store.published.begin_rendering(channels, archives, sources)
    from aggregator.run.render import Renderer  # slow to import, and most runs render nothing

    written = Renderer(planner, store, writer).render(plan)
    with write_lock():
        store.published.save_rendered(channels, archives, sources, plan.site)
    return tuple(written)
