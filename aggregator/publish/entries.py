"""Stories -> the entries of output documents. Pure.

A story is one entry, the same in every feed that it stands in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from html import escape

from aggregator import __version__
from aggregator.model import (
    Author,
    Category,
    Channel,
    ChannelKind,
    Evidence,
    EvidenceKind,
    Match,
    OutputFeed,
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
from aggregator.publish.translations import words
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import digest
from aggregator.text.urls import host, link_key, without_secrets

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when an empty feed was updated
_SUMMARY_CHARACTERS = 300
_FORMAT = 2  # one more whenever a document or a page is rendered otherwise than before


class FeedBuilder:
    """Makes documents of stories.

    ``names`` says how each tag key is shown; ``titles`` has the title and the description that
    feeds.toml gives to channels, by their keys. ``settings_digest`` is of all that every entry and
    page depends on.
    """

    def __init__(
        self,
        site: Site,
        settings: PublishSettings,
        names: Mapping[str, str],
        titles: Mapping[str, tuple[str | None, str | None]],
    ) -> None:
        self._site = site
        self._settings = settings
        self._names = names
        self._titles = titles
        self._words = words(site.language)
        self.settings_digest = self._settings_digest()

    def entry(self, story: Story) -> PublishedEntry:
        """One entry from the copies of a story: its publisher's own words before those of others,
        a clipping's last, unless they are all that was kept."""
        lead = _lead(story)
        entry, clipped = lead.entry, lead.role is Role.CLIPPINGS
        matches = _strongest(match for copy in story.copies for match in copy.matches)
        reasons = tuple(self._reason(match) for match in matches if match.tag in self._names)
        places = _other_places(lead, story.copies)
        published = [c.stored.entry.published for c in story.copies if c.stored.entry.published]
        closing = self._places_line(places)
        if self._settings.explain:
            closing += self._closing_line(reasons)
        summary, content = entry.summary, (entry.content or entry.summary) + closing
        if lead.feed_url in self._settings.summary_only:
            summary, content = (entry.summary or _beginning(entry.text)) + closing, ""
        return PublishedEntry(
            id=story.id,
            title=entry.title,
            updated=story.updated,
            link=entry.link,
            published=min(published, default=None),
            summary=summary,
            content=content,
            authors=entry.authors or (Author(self._site.author if clipped else lead.feed.title),),
            categories=self._categories(() if clipped else entry.categories, matches),
            enclosures=entry.enclosures,
            language=entry.language,
            rights=entry.rights,
            source=None if clipped else _source(lead),
            related=tuple(places),
            reasons=reasons,
            lead=_shortened(entry.text),
        )

    def has_archive(self, channel: Channel) -> bool:
        """Whether ``channel`` has documents beside the live ones."""
        return channel.is_archived(archive_all=self._settings.archive_all)

    def window(self, stories: Iterable[Story]) -> list[Story]:
        """Of the stories that entered a live feed last, those that it holds: not more of one
        source than its share, so that one loud blog does not fill it."""
        taken: dict[str, int] = {}
        chosen: list[Story] = []
        for story in stories:
            lead = _lead(story)
            if lead.role is not Role.CLIPPINGS:
                if taken.get(lead.feed_url, 0) == self._settings.per_source:
                    continue
                taken[lead.feed_url] = taken.get(lead.feed_url, 0) + 1
            chosen.append(story)
            if len(chosen) == self._settings.live:
                break
        return chosen

    def live_feed(
        self, channel: Channel, stories: Iterable[Story], months: Sequence[str], total: int
    ) -> OutputFeed:
        """The document that people subscribe to, of the `window` of its stories; ``months`` are
        those of its archive, in order."""
        entries = self._ordered(self.window(stories))
        if channel.ended_at:
            entries.insert(0, self._last_word(channel))
        feed = self._document(channel, channel.slug, entries, total)
        return replace(
            feed,
            previous=_page(channel, months[-1]) if months and self.has_archive(channel) else None,
            hub=self._settings.hub,
        )

    def archive(
        self, channel: Channel, stories: Sequence[Story], months: Sequence[str], month: str
    ) -> OutputFeed:
        """A month of the archive (RFC 5005 section 4), with all of its stories."""
        place = months.index(month)
        feed = self._document(channel, _page(channel, month), self._ordered(stories), len(stories))
        return replace(
            feed,
            archive=True,
            current=channel.slug,
            previous=_page(channel, months[place - 1]) if place else None,
            next=_page(channel, months[place + 1]) if place + 1 < len(months) else None,
        )

    def head(self, channel: Channel) -> OutputFeed:
        """A feed as a name and an address, for lists."""
        return self._document(channel, channel.slug, (), 0)

    def _titled(self, channel: Channel) -> Channel:
        title, description = self._titles.get(channel.key, (None, None))
        if channel.kind is ChannelKind.OWN:
            title = f"{self._site.title}: {self._words.own_titles[channel.name]}"
            description = self._words.own_descriptions[channel.name]
        return replace(channel, title=title, description=description)

    def fingerprint(self, channel: Channel) -> str:
        """A digest of all that the documents of ``channel`` depend on beside its stories."""
        return digest(self.settings_digest, repr(self._titled(channel)))

    def _settings_digest(self) -> str:
        """A digest of all that every entry and page depends on."""
        settings = replace(self._settings, summary_only=frozenset(), metrics=None)
        summary_only = sorted(self._settings.summary_only)
        parts = (self._site, settings, summary_only, self._names, __version__, _FORMAT)
        return digest(*map(repr, parts))

    def _document(
        self, channel: Channel, path: str, entries: Sequence[PublishedEntry], total: int
    ) -> OutputFeed:
        return OutputFeed(
            channel=self._titled(channel),
            path=path,
            site=self._site,
            updated=max((entry.updated for entry in entries), default=NEVER),
            entries=tuple(entries),
            total=total,
        )

    def _ordered(self, stories: Iterable[Story]) -> list[PublishedEntry]:
        entries = sorted(map(self.entry, stories), key=lambda entry: entry.id)
        return sorted(entries, key=lambda entry: entry.updated, reverse=True)

    def _last_word(self, channel: Channel) -> PublishedEntry:
        """What a feed says when its tag or query is no more."""
        assert channel.ended_at is not None
        text = self._words.ended.format(name=channel.name)
        return PublishedEntry(
            id=mint_id(channel.id, None, f"ended {channel.ended_at.isoformat()}"),
            title=text,
            updated=channel.ended_at,
            link=self._site.url,
            published=channel.ended_at,
            content=f"<p>{escape(text, quote=False)}</p>",
            authors=(Author(self._site.author),),
            language=self._words.code,
        )

    def _categories(self, own: tuple[Category, ...], matches: list[Match]) -> tuple[Category, ...]:
        """The publisher's categories, then the reader's tags under a scheme of this site."""
        url = self._site.url
        ours = [
            Category(self._names[m.tag], f"{url}#tags", f"#{self._names[m.tag]}")
            for m in matches
            if m.tag in self._names and not m.near
        ]
        if any(e.kind is EvidenceKind.CLIPPED for m in matches for e in m.evidence):
            ours.append(Category("clipped", f"{url}#marks", self._words.clipped))
        return tuple(dict.fromkeys((*own, *ours)))

    def _reason(self, match: Match) -> Reason:
        text = self._words.reason(_best(match))
        return Reason(self._names[match.tag], match.score, text, match.near)

    def _closing_line(self, reasons: Sequence[Reason]) -> str:
        """Each reason once, with the tags that it speaks for."""
        tags: dict[str, list[str]] = {}
        for reason in reasons:
            tags.setdefault(reason.words, []).append(f"#{reason.tag}")
        line = "; ".join(f"{text} ({', '.join(found)})" for text, found in tags.items())
        why = self._words.nearly if any(r.near for r in reasons) else self._words.why
        return f"<p><small>{why} {escape(line, quote=False)}.</small></p>" if line else ""

    def _places_line(self, places: Mapping[str, str]) -> str:
        links = ", ".join(
            f'<a href="{escape(url)}">{escape(title, quote=False)}</a>'
            for url, title in places.items()
        )
        return f"<p><small>{self._words.also_at} {links}.</small></p>" if links else ""


def _page(channel: Channel, month: str) -> str:
    return f"{channel.slug}/{month}"


def _lead(story: Story) -> StoredEntry:
    """The copy in whose words a story is told: of most there is one."""
    copies = story.copies
    return (copies[0] if len(copies) == 1 else min(copies, key=_precedence)).stored


def _precedence(copy: StoryEntry) -> tuple[object, ...]:
    """Smaller is better: what has its content, the publisher on whose site the page is, who had it
    first, an address."""
    stored = copy.stored
    home = host(stored.feed.link or stored.feed_url).removeprefix("www.")
    elsewhere = not stored.entry.link or host(stored.entry.link).removeprefix("www.") != home
    clipped = stored.role is Role.CLIPPINGS
    pruned = stored.pruned_at is not None
    return pruned, clipped, elsewhere, stored.first_seen_at, stored.feed_url, stored.entry.key


def _other_places(lead: StoredEntry, copies: Sequence[StoryEntry]) -> dict[str, str]:
    """Address and title of the other places where the story stands, in the order of addresses."""
    if all(copy.stored.entry.link == lead.entry.link for copy in copies):
        return {}  # most stories stand in one place
    seen = {link_key(lead.entry.link or "")}
    places = {}
    for copy in sorted(
        copies, key=lambda copy: (copy.stored.entry.link or "", copy.stored.feed_url)
    ):
        link = copy.stored.entry.link
        if link and link_key(link) not in seen:
            seen.add(link_key(link))
            clipped = copy.stored.role is Role.CLIPPINGS
            places[link] = copy.stored.entry.title if clipped else copy.stored.feed.title
    return places


def _beginning(text: str) -> str:
    """The first words of a text, as HTML."""
    return f"<p>{escape(_shortened(text), quote=False)}</p>" if text else ""


def _shortened(text: str) -> str:
    if len(text) <= _SUMMARY_CHARACTERS:
        return text
    start = text[:_SUMMARY_CHARACTERS].rpartition(" ")[0] or text[:_SUMMARY_CHARACTERS]
    return f"{start}…"


@lru_cache(maxsize=1024)  # a feed's entries come together
def _public_address(url: str) -> str:
    return without_secrets(url)


def _source(stored: StoredEntry) -> Source:
    """Whom we republish. ``updated`` is the entry's, the latest that we know their feed had then."""
    feed = stored.feed
    self_url = _public_address(stored.feed_url)
    return Source(feed.id, feed.title, feed.link, self_url, stored.date, feed.rights)


def _strongest(matches: Iterable[Match]) -> list[Match]:
    """One match for each tag, the surest first; what only nearly matched, where nothing did."""
    best: dict[str, Match] = {}
    for match in matches:
        if match.tag not in best or match.score > best[match.tag].score:
            best[match.tag] = match
    found = sorted(best.values(), key=lambda match: (-match.score, match.tag))
    return [match for match in found if not match.near] or found


def _best(match: Match) -> Evidence:
    return max(match.evidence, key=lambda evidence: evidence.weight)
