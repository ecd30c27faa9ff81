"""Texts and dates in the language of the site: gettext catalogues and CLDR date formats.

A language is one file, ``locale/LANGUAGE/LC_MESSAGES/aggregator.po``; `make translations` compiles
it. Messages are English, and so is a site in a language that has no catalogue.
"""

import gettext
import re
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from aggregator.model import (
    Enclosure,
    Evidence,
    EvidenceKind,
    FeedEvent,
    FeedEventKind,
    PublishedEntry,
)

if TYPE_CHECKING:
    from babel import Locale

_LOCALES = str(files("aggregator.publish") / "locale")


def N_(message: str) -> str:
    """Mark a message for translation where it is not looked up yet."""
    return message


_REASONS = {
    EvidenceKind.DECISION: N_("confirmed by the reader"),
    EvidenceKind.CLIPPED: N_("clipped by the reader"),
    EvidenceKind.CATEGORY: N_("category “%(detail)s”"),
    EvidenceKind.SUBSCRIPTION: N_("everything from “%(detail)s”"),
    EvidenceKind.RULE: N_("a rule matches “%(detail)s”"),
    EvidenceKind.NARROWER: N_("belongs to the narrower tag “%(detail)s”"),
    EvidenceKind.SIMILAR: N_("similar to “%(where)s”: %(detail)s"),
    EvidenceKind.MEANING: N_("similar in meaning to “%(where)s”"),
}
_PRIVATE_REASONS = {  # of evidence that names no clipping
    EvidenceKind.SIMILAR: N_("similar to the clippings of this tag: %(detail)s"),
    EvidenceKind.MEANING: N_("similar in meaning to the clippings of this tag"),
}
_PHRASES = {
    "title": N_("“%(detail)s” in the title"),
    "lead": N_("“%(detail)s” in the lead"),
    "body": N_("“%(detail)s” in the text"),
}
_CONDITIONS = {
    "new": N_("not polled yet"),
    "ok": N_("OK"),
    "failing": N_("failing"),
    "gone": N_("gone"),
    "moved": N_("moved"),
    "silent": N_("silent"),
    "degraded": N_("with warnings"),
}
_OWN_CHANNELS = {
    "all": (N_("Everything"), N_("All entries of all sources, and all clippings.")),
    "unmatched": (N_("Untagged"), N_("Entries that match no tag.")),
    "near-miss": (
        N_("Near misses"),
        N_("Entries that almost match a tag: read them to find what your tags miss."),
    ),
}
_DOWNLOAD = N_("Download")
_ACTIONS = {"audio": N_("Listen"), "video": N_("Watch"), "image": N_("Picture")}
_MIN_BYTES = 1000  # of a size to show: many publishers write 0 or 1 instead of the true one
_SIZE_UNITS = ("kilobyte", "megabyte", "gigabyte")  # names of CLDR
_SINCE = re.compile(r"[A-Za-z ]+ (\d{4}-\d{2}-\d{2})(?:: (.*))?")
_URL = re.compile(r"https?://\S+")


class Translator:
    """Looks up messages and formats dates in one language."""

    def __init__(self, language: str) -> None:
        self._language = language
        # gettext tries fr_be, then fr.
        languages = [language.lower().replace("-", "_")]
        self.catalogue = gettext.translation("aggregator", _LOCALES, languages, fallback=True)
        self.code = self.catalogue.info().get("language", "en")

    def gettext(self, message: str, **values: Any) -> str:
        """The message in this language, with ``values`` in the place of each ``%(name)s``."""
        return self.catalogue.gettext(message) % values

    def reason(self, evidence: Evidence) -> str:
        """Explain why a tag matches."""
        phrase = _PHRASES.get(evidence.where, _PHRASES["body"])
        message = _REASONS.get(evidence.kind, phrase)
        if not evidence.where:  # all similar clippings are private
            message = _PRIVATE_REASONS.get(evidence.kind, message)
        return self.gettext(message, detail=evidence.detail, where=evidence.where)

    def condition(self, condition: str) -> str:
        """Name a `FeedState.condition`."""
        return self.gettext(_CONDITIONS[condition])

    def own_channel(self, name: str) -> tuple[str, str]:
        """Title and description of one of our own channels, such as "near-miss"."""
        title, description = _OWN_CHANNELS[name]
        return self.gettext(title), self.gettext(description)

    def news(self, event: FeedEvent) -> tuple[str, str]:
        """What happened to a source, and the reason of a failure, which is English.

        The store keeps an English message. Its date and address are used again here.
        """
        since, url = _SINCE.match(event.message), _URL.search(event.message)
        day = self.day(date.fromisoformat(since[1])) if since else ""
        match event.kind:
            case FeedEventKind.RECOVERED:
                return self.gettext("answers again"), ""
            case FeedEventKind.GONE:
                return self.gettext("gone for good; unsubscribe, or find its new address"), ""
            case FeedEventKind.MOVED if url:
                message = N_("moved permanently; in feeds.toml, change its address to %(url)s")
                return self.gettext(message, url=url[0]), ""
            case FeedEventKind.SILENT if since:
                message = N_("no new entries since %(date)s; now polled once a week")
                return self.gettext(message, date=day), ""
            case FeedEventKind.BROKEN if since:
                return self.gettext("failing since %(date)s:", date=day), since[2] or ""
            case FeedEventKind.BROKEN:
                return self.gettext("failing:"), event.message
        return "", event.message

    def enclosure(self, enclosure: Enclosure) -> str:
        """What to do with an enclosure, such as "Listen (12:34)" or "Download (3 MB)"."""
        kind = (enclosure.type or "").partition("/")[0]
        action = self.gettext(_ACTIONS.get(kind, _DOWNLOAD))
        if enclosure.duration_seconds:
            detail = _duration(enclosure.duration_seconds)
        elif (enclosure.length_bytes or 0) >= _MIN_BYTES:
            detail = self._size(enclosure.length_bytes or 0)
        else:
            return action
        return f"{action} ({detail})"

    def origin(self, entry: PublishedEntry) -> str:
        """Where an entry comes from: "from A blog", "from A blog, via A planet"."""
        if entry.source is None:
            return self.gettext("Clipped by the reader")
        source = entry.source.title
        if entry.via is None:
            return self.gettext("from %(source)s", source=source)
        return self.gettext("from %(source)s, via %(via)s", source=source, via=entry.via.title)

    def _size(self, size_bytes: int) -> str:
        """A size in decimal units, such as "2.4 MB" or "24 MB"."""
        from babel.units import format_unit

        value, exponent = size_bytes / 1000, 0
        while value >= 1000 and exponent < len(_SIZE_UNITS) - 1:
            value, exponent = value / 1000, exponent + 1
        pattern = "0.#" if value < 10 else "#,##0"
        unit = f"digital-{_SIZE_UNITS[exponent]}"
        return format_unit(value, unit, "short", pattern, self._locale)

    def day(self, day: date) -> str:
        """A date, such as "December 1, 2026"."""
        from babel.dates import format_date  # 60 ms that only a run that renders should pay

        pattern = "long"
        if day.day == 1:  # CLDR has no "1er", which French needs
            pattern = self.catalogue.pgettext("CLDR date pattern, first of a month", "long")
        return format_date(day, pattern, self._locale)

    def month(self, name: str) -> str:
        """The month of an archive document, such as "December 2026 (2)" for "2026-12.002"."""
        from babel.dates import format_skeleton

        month, _, part = name.partition(".")
        first = date.fromisoformat(f"{month}-01")
        text = format_skeleton("yMMMM", first, locale=self._locale)
        return f"{text} ({int(part)})" if part else text

    @cached_property
    def _locale(self) -> "Locale":
        from babel import Locale, UnknownLocaleError

        try:
            locale = Locale.parse(self._language, sep="-")
        except (ValueError, UnknownLocaleError):
            return Locale(self.code)
        return locale if locale.language == self.code else Locale(self.code)


def _duration(seconds: int) -> str:
    """A duration, such as "12:34" or "1:02:03"."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@cache
def load_translator(language: str) -> Translator:
    """The translator of a site in ``language`` (BCP 47)."""
    return Translator(language)
