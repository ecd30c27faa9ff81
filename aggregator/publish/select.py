"""Stored entries -> the entries of one tag's feed: one for each story, newest first. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from urllib.parse import quote

from aggregator.model import (
    Author,
    Category,
    Copy,
    Evidence,
    EvidenceKind,
    LiveEntry,
    Match,
    PublishedEntry,
    PublishSettings,
    Role,
    Site,
    Source,
    StoredEntry,
    Tag,
    TagFeed,
)
from aggregator.publish.words import words
from aggregator.urls import without_secrets

_SUMMARY_CHARACTERS = 300


def tag_feed(
    tag: Tag,
    feed_id: str,
    site: Site,
    settings: PublishSettings,
    names: Mapping[str, str],
    live: Sequence[LiveEntry],
    copies: Iterable[Copy],
    total: int,
    first_seen_at: datetime,
) -> TagFeed:
    """The feed of ``tag``. ``names`` says how each tag key is shown; ``total`` counts its stories.

    A feed without entries was last updated when its tag appeared.
    """
    stories = _stories(live, _ids(copies))
    entries = sorted(
        (_publish(id, story, site, settings, names) for id, story in stories.items()),
        key=lambda entry: entry.id,
    )
    entries.sort(key=lambda entry: entry.updated, reverse=True)
    chosen = tuple(entries[: settings.live])
    return TagFeed(
        tag=tag,
        id=feed_id,
        self_url=feed_address(site, tag),
        site=site,
        updated=max((entry.updated for entry in chosen), default=first_seen_at),
        entries=chosen,
        total=total,
    )


def feed_address(site: Site, tag: Tag) -> str:
    """Where a tag's feed is served; a slug may hold letters of any script."""
    return f"{site.url}{quote(tag.slug)}.atom"


def _ids(copies: Iterable[Copy]) -> dict[str, str]:
    """The id of each page's story: that of the copy stored first, the reader's own before all."""
    first = sorted(
        copies,
        key=lambda c: (c.first_seen_at, c.role is not Role.CLIPPINGS, c.feed_url, c.id),
        reverse=True,
    )
    return {copy.page: copy.id for copy in first}


def _stories(live: Sequence[LiveEntry], ids: Mapping[str, str]) -> dict[str, list[LiveEntry]]:
    stories: dict[str, list[LiveEntry]] = {}
    for entry in live:
        id = ids.get(entry.stored.entry.page or "", entry.stored.entry.id)
        stories.setdefault(id, []).append(entry)
    return stories


def _publish(
    id: str,
    story: list[LiveEntry],
    site: Site,
    settings: PublishSettings,
    names: Mapping[str, str],
) -> PublishedEntry:
    """One entry from the copies of a story: a publisher's own words before a clipping's."""
    best = min(
        story,
        key=lambda e: (
            e.stored.role is Role.CLIPPINGS,
            e.stored.first_seen_at,
            e.stored.feed_url,
            e.stored.entry.key,
        ),
    ).stored
    entry, clipped = best.entry, best.role is Role.CLIPPINGS
    matches = _strongest(match for copy in story for match in copy.matches)
    published = [c.stored.entry.published for c in story if c.stored.entry.published]
    closing = _closing_line(matches, names, site.language) if settings.explain else ""
    summary, content = entry.summary, (entry.content or entry.summary) + closing
    if best.feed_url in settings.summary_only:
        summary, content = (entry.summary or _beginning(entry.text)) + closing, ""
    return PublishedEntry(
        id=id,
        title=entry.title,
        updated=max(copy.stored.date for copy in story),
        link=entry.link,
        published=min(published, default=None),
        summary=summary,
        content=content,
        authors=entry.authors or (Author(site.author if clipped else best.feed.title),),
        categories=_categories(() if clipped else entry.categories, matches, names, site),
        enclosures=entry.enclosures,
        language=entry.language,
        rights=entry.rights,
        source=None if clipped else _source(best),
    )


def _beginning(text: str) -> str:
    """The first words of a text, as HTML."""
    if len(text) <= _SUMMARY_CHARACTERS:
        return f"<p>{escape(text, quote=False)}</p>" if text else ""
    start = text[:_SUMMARY_CHARACTERS].rpartition(" ")[0] or text[:_SUMMARY_CHARACTERS]
    return f"<p>{escape(start, quote=False)}…</p>"


def _source(stored: StoredEntry) -> Source:
    """Whom we republish. ``updated`` is the entry's, the latest that we know their feed had then."""
    feed = stored.feed
    self_url = without_secrets(stored.feed_url)
    return Source(feed.id, feed.title, feed.link, self_url, stored.date, feed.rights)


def _strongest(matches: Iterable[Match]) -> list[Match]:
    """One match for each tag, the surest first."""
    best: dict[str, Match] = {}
    for match in matches:
        if match.tag not in best or match.score > best[match.tag].score:
            best[match.tag] = match
    return sorted(best.values(), key=lambda match: (-match.score, match.tag))


def _categories(
    own: tuple[Category, ...], matches: list[Match], names: Mapping[str, str], site: Site
) -> tuple[Category, ...]:
    """The publisher's categories, then the reader's tags under a scheme of this site."""
    ours = [Category(names[m.tag], f"{site.url}#tags") for m in matches if m.tag in names]
    if any(e.kind is EvidenceKind.CLIPPED for m in matches for e in m.evidence):
        ours.append(Category("clipped", f"{site.url}#marks", words(site.language).clipped))
    return tuple(dict.fromkeys((*own, *ours)))


def _closing_line(matches: list[Match], names: Mapping[str, str], language: str) -> str:
    """Each reason once, with the tags that it speaks for."""
    own = words(language)
    reasons: dict[str, list[str]] = {}
    for match in matches:
        if match.tag in names:
            reasons.setdefault(own.reason(_best(match)), []).append(f"#{names[match.tag]}")
    line = "; ".join(f"{reason} ({', '.join(tags)})" for reason, tags in reasons.items())
    return f"<p><small>{own.why} {escape(line, quote=False)}.</small></p>" if line else ""


def _best(match: Match) -> Evidence:
    return max(match.evidence, key=lambda evidence: evidence.weight)
