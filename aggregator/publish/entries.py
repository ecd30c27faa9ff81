"""Builds output entries from stories. Pure.

A story becomes one entry, which is the same in every feed that contains it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape

from aggregator.model import (
    Author,
    Category,
    EvidenceKind,
    Match,
    PublishedEntry,
    PublishSettings,
    Reason,
    Role,
    Site,
    Source,
    StoredEntry,
    Story,
    StoryEntry,
)
from aggregator.publish.addresses import (
    valid_author,
    valid_category,
    valid_enclosure,
    valid_source,
)
from aggregator.publish.translations import N_, load_translator
from aggregator.text.additions import CLIPPED, MARKS, TAGS, footer_line, is_addition
from aggregator.text.uris import to_uri
from aggregator.text.urls import host, link_key, without_secrets

_LEAD_CHARACTERS = 300


class EntryBuilder:
    """Builds the entries of a site; ``names`` maps tag keys to the names shown."""

    def __init__(self, site: Site, settings: PublishSettings, names: Mapping[str, str]) -> None:
        self._site = site
        self._settings = settings
        self._names = names
        self._translator = load_translator(site.language)

    def build(self, story: Story) -> PublishedEntry:
        """The entry of a story, with the content of its primary copy (`primary_copy`)."""
        primary = primary_copy(story)
        entry, clipped = primary.entry, primary.role is Role.CLIPPINGS
        matches = _best_matches(match for copy in story.copies for match in copy.matches)
        reasons = tuple(self._reason(match) for match in matches if match.tag in self._names)
        places = self._other_places(primary, story.copies)
        source, via = self._sources(primary)
        published = [c.stored.entry.published for c in story.copies if c.stored.entry.published]
        footer = self._places_line(places)
        if self._settings.explain:
            footer += self._reasons_line(reasons)
        summary, content = entry.summary, (entry.content or entry.summary) + footer
        if primary.feed_url in self._settings.summary_only:
            summary, content = (entry.summary or _lead_html(entry.text)) + footer, ""
        return PublishedEntry(
            id=story.id,
            title=entry.title,
            updated=story.updated,
            link=to_uri(entry.link) if entry.link else None,
            published=min(published, default=None),
            summary=summary,
            content=content,
            authors=tuple(map(valid_author, entry.authors))
            or (Author(source.title if source else self._site.author),),
            categories=self._categories(() if clipped else entry.categories, matches),
            enclosures=tuple(map(valid_enclosure, entry.enclosures)),
            language=entry.language,
            rights=entry.rights,
            source=source,
            related=tuple(places),
            reasons=reasons,
            lead=_lead(entry.text),
            image=to_uri(entry.image) if entry.image else None,
            via=via,
        )

    def _sources(self, stored: StoredEntry) -> tuple[Source | None, Source | None]:
        """The feed from which an entry comes, and the one that republished it to us.

        A polled feed's ``updated`` is the entry's: the latest time at which it is known to have
        changed.
        """
        if stored.role is Role.CLIPPINGS:
            return None, None
        feed, original = stored.feed, stored.entry.source
        self_url = _public_address(stored.feed_url)
        source = Source(
            feed.id, self._feed_title(stored), feed.link, self_url, stored.date, feed.rights
        )
        if original is None or original.id == feed.id:
            return valid_source(source), None
        via = replace(source, updated=None, rights=None)
        title = original.title or original.link or original.id
        original = replace(original, title=title, updated=original.updated or stored.date)
        return valid_source(original), valid_source(via)

    def _feed_title(self, stored: StoredEntry) -> str:
        """The name of a feed: the operator's, else the publisher's."""
        return self._settings.source_titles.get(stored.feed_url, stored.feed.title)

    def _place_title(self, stored: StoredEntry) -> str:
        """The name of a page that has the story: that of the feed from which it comes."""
        entry = stored.entry
        if stored.role is Role.CLIPPINGS:
            return entry.title
        return (entry.source.title if entry.source else "") or self._feed_title(stored)

    def _other_places(self, primary: StoredEntry, copies: Sequence[StoryEntry]) -> dict[str, str]:
        """Addresses and titles of the other pages that have the story, sorted by address."""
        if all(copy.stored.entry.link == primary.entry.link for copy in copies):
            return {}  # most stories: `link_key` is slow
        link_keys = {link_key(primary.entry.link or "")}
        places = {}
        stored_entries = (copy.stored for copy in copies)
        for stored in sorted(stored_entries, key=lambda s: (s.entry.link or "", s.feed_url)):
            link = stored.entry.link
            if link and link_key(link) not in link_keys:
                link_keys.add(link_key(link))
                places[to_uri(link)] = self._place_title(stored)
        return places

    def _categories(
        self, categories: tuple[Category, ...], matches: list[Match]
    ) -> tuple[Category, ...]:
        """The publisher's categories, then the reader's tags under a scheme of this site."""
        url = self._site.url
        theirs = (valid_category(category) for category in categories if not is_addition(category))
        tags = [
            Category(self._names[match.tag], f"{url}{TAGS}", f"#{self._names[match.tag]}")
            for match in matches
            if match.tag in self._names and not match.near
        ]
        if any(e.kind is EvidenceKind.CLIPPED for match in matches for e in match.evidence):
            label = self._translator.gettext("Clipped by the reader")
            tags.append(Category(CLIPPED, f"{url}{MARKS}", label))
        return tuple(dict.fromkeys((*theirs, *tags)))

    def _reason(self, match: Match) -> Reason:
        strongest = max(match.evidence, key=lambda evidence: evidence.weight)
        text = self._translator.reason(strongest)
        return Reason(self._names[match.tag], match.score, text, match.near)

    def _reasons_line(self, reasons: Sequence[Reason]) -> str:
        """Why the entry is here, as HTML. Tags with the same reason are joined."""
        if not reasons:
            return ""
        tags: dict[str, list[str]] = {}
        for reason in reasons:
            tags.setdefault(reason.words, []).append(f"#{reason.tag}")
        separator = self._translator.gettext("; ")
        line = separator.join(f"{text} ({', '.join(names)})" for text, names in tags.items())
        near = any(reason.near for reason in reasons)
        message = N_("Near miss: %(reasons)s.") if near else N_("Here because: %(reasons)s.")
        return self._footer_line(message, reasons=escape(line, quote=False))

    def _places_line(self, places: Mapping[str, str]) -> str:
        """Links to the other places of a story, as HTML."""
        if not places:
            return ""
        links = ", ".join(
            f'<a href="{escape(url)}">{escape(title, quote=False)}</a>'
            for url, title in places.items()
        )
        return self._footer_line(N_("Also at: %(links)s."), links=links)

    def _footer_line(self, message: str, **values: str) -> str:
        return footer_line(self._translator.gettext(message, **values), self._translator.code)


def primary_copy(story: Story) -> StoredEntry:
    """The copy of a story from which its entry is made.

    The best copy has its content, is not a clipping, has a text, is on its publisher's own site, is no
    excerpt of another one, was seen first.
    """
    copies = story.copies
    if len(copies) == 1:  # most stories
        return copies[0].stored
    longest = max(len(copy.stored.entry.text) for copy in copies)

    def precedence(copy: StoryEntry) -> tuple[object, ...]:
        stored = copy.stored
        home = host(stored.feed.link or stored.feed_url).removeprefix("www.")
        link, size = stored.entry.link, len(stored.entry.text)
        elsewhere = not link or host(link).removeprefix("www.") != home
        clipped = stored.role is Role.CLIPPINGS
        pruned, is_excerpt = stored.pruned_at is not None, size * 2 < longest
        qualities = (pruned, clipped, size == 0, elsewhere, is_excerpt)
        return *qualities, stored.first_seen_at, stored.feed_url, stored.entry.key

    return min(copies, key=precedence).stored


def _lead(text: str) -> str:
    """The first words of a text."""
    if len(text) <= _LEAD_CHARACTERS:
        return text
    start = text[:_LEAD_CHARACTERS]
    return f"{start.rpartition(' ')[0] or start}…"


def _lead_html(text: str) -> str:
    return f"<p>{escape(_lead(text), quote=False)}</p>" if text else ""


@lru_cache(maxsize=1024)  # the entries of a feed come together
def _public_address(url: str) -> str:
    return without_secrets(url)


def _best_matches(matches: Iterable[Match]) -> list[Match]:
    """The best match of each tag, highest score first. Near misses only if nothing matches."""
    best: dict[str, Match] = {}
    for match in matches:
        if match.tag not in best or match.score > best[match.tag].score:
            best[match.tag] = match
    ranked = sorted(best.values(), key=lambda match: (-match.score, match.tag))
    return [match for match in ranked if not match.near] or ranked
