"""The names in dates: months, weekdays and the order of numbers from CLDR, and time zones. Pure.

CLDR is loaded by the first name that is not English, which takes 5 ms for a language and 200 ms for
all of them; most runs need none.
"""

import re
from collections.abc import Iterator
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aggregator.text.folding import fold

if TYPE_CHECKING:
    from babel import Locale

CldrNames = tuple[dict[str, set[int]], frozenset[str]]  # of months and weekdays
_WORD = re.compile(r"[^\W\d_]+")
ENGLISH_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_ENGLISH_WEEKDAYS = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
)
# These are tried after the language of the feed, which may be wrong or unknown.
_LANGUAGES = (
    *("en", "fr", "de", "es", "it", "pt", "nl", "ca", "da", "sv", "nb", "fi", "pl", "cs", "sk"),
    *("sl", "hr", "hu", "ro", "el", "ru", "uk", "bg", "tr", "gl", "eu", "de-AT", "ja", "zh", "ko"),
)
_OTHER_MONTHS = {"mrz": 3, "maerz": 3}  # German: of Microsoft, without umlauts
_MIN_MONTH_LETTERS = 3  # "fev", "Sept"
_MIN_WEEKDAY_LETTERS = 2  # "Mo", "Thur"
_FILLERS = {  # words between the parts of a date, folded
    "de": "am den der um uhr", "en": "a at in nd o of on rd st t th the",
    "es, pt, it, ca": "a alle as d de del di e l la las o ore", "fr": "a d e er h l le m min re",
    "nl, da, nb, sv": "d de den kl klo om uur", "pl, ru": "godz o r г года р",
    "ja, ko, zh": "上午 下午 午前 午後 오전 오후",
}  # fmt: skip
_ALL_FILLERS = frozenset(word for words in _FILLERS.values() for word in words.split())
# Hours from UTC. The time zone database is no source: its CET has summer time, and its name for BRT
# is "-03". Of those with several meanings, BST is British (not Bangladeshi), CST American
# (RFC 5322; not Chinese) and IST Indian (not Israeli or Irish).
_ZONE_HOURS = {
    name: hours
    for hours, names in {
        -10: "HST", -9: "AKST", -8: "AKDT PST", -7: "MST PDT", -6: "CST MDT", -5: "CDT COT EST PET",
        -4: "AST BOT CLT EDT", -3.5: "NST", -3: "ADT ART BRT CLST UYT", -2.5: "NDT", -2: "BRST",
        0: "GMT UT UTC WET Z", 1: "BST CET MET MEZ WAT WEST", 2: "CAT CEST EET MEST MESZ SAST",
        3: "EAT EEST IDT MSK", 3.5: "IRST", 4: "GST", 5: "PKT", 5.5: "IST", 5.75: "NPT",
        7: "ICT WIB", 8: "AWST HKT MYT PHT SGT WITA", 9: "JST KST WIT", 9.5: "ACST", 10: "AEST",
        10.5: "ACDT", 11: "AEDT", 12: "NZST", 13: "NZDT",
    }.items()
    for name in names.split()
}  # fmt: skip
# CldrNames without "standard" or "summer": the date decides.
_ZONE_CITIES = {
    "ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver",
    "PT": "America/Los_Angeles", "EST5EDT": "America/New_York", "CST6CDT": "America/Chicago",
    "MST7MDT": "America/Denver", "PST8PDT": "America/Los_Angeles",
}  # fmt: skip


@lru_cache(maxsize=1024)
def month_of(word: str, language: str | None) -> int | None:
    """The number of a month by its name or the beginning of its name; None for any other word.

    English first, as RFC 5322 demands it; then the feed's language; then all others, if they agree.
    """
    word = fold(word)
    if _is_known_filler(word):
        return None
    beginning = word if len(word) >= _MIN_MONTH_LETTERS else "-"
    for number, name in enumerate(ENGLISH_MONTHS, start=1):
        if name.startswith(beginning):
            return number
    for months, _ in _names_by_preference(language):
        numbers = months.get(word) or {
            number
            for name, numbers in months.items()
            if name.startswith(beginning)
            for number in numbers
        }
        if len(numbers) == 1:
            return min(numbers)
    return None


@lru_cache(maxsize=1024)
def is_filler(word: str, language: str | None) -> bool:
    """Whether a word in a date adds nothing to it: a weekday, "of", "à"."""
    word = fold(word)
    return _is_known_filler(word) or is_weekday(word, language)


def is_weekday(word: str, language: str | None) -> bool:
    """Whether a word is a weekday, or the beginning of one, in any language."""
    word = fold(word)
    return len(word) >= _MIN_WEEKDAY_LETTERS and any(
        name.startswith(word) for _, weekdays in _names_by_preference(language) for name in weekdays
    )


def zone_of(name: str) -> tzinfo | None:
    """The time zone with an abbreviation or a name such as "Europe/Paris"; None if unknown."""
    hours = _ZONE_HOURS.get(name.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    city = name if "/" in name else _ZONE_CITIES.get(name, "")  # "pt" is a Friday in Polish
    for spelling in (city, city.title()) if city else ():
        try:
            return ZoneInfo(spelling)
        except (KeyError, OSError, ValueError):  # unknown; a folder; not a name
            continue
    return None


def number_order(language: str | None) -> str:
    """In which order a language writes day, month and year: "dmy", "mdy", "ymd"; empty if unknown."""
    locale = _locale(language) if language else None
    pattern = locale.date_formats["short"].pattern.lower() if locale else ""
    return "".join(sorted("dmy", key=pattern.index)) if pattern else ""


def _is_known_filler(word: str) -> bool:
    return word in _ALL_FILLERS or (
        len(word) >= _MIN_WEEKDAY_LETTERS
        and any(name.startswith(word) for name in _ENGLISH_WEEKDAYS)
    )


def _names_by_preference(language: str | None) -> Iterator[CldrNames]:
    if language:
        yield _names((language,))
    yield _names(_LANGUAGES)


@lru_cache(maxsize=64)
def _names(languages: tuple[str, ...]) -> CldrNames:
    """The words for months, each with the numbers that it may mean, and for weekdays."""
    months = {name: {number} for name, number in _OTHER_MONTHS.items()}
    weekdays: set[str] = set()
    for locale in filter(None, map(_locale, languages)):
        for context, width in product(("format", "stand-alone"), ("wide", "abbreviated")):
            for number, name in locale.months[context][width].items():
                for word in _words(name)[-1:]:  # none in "11"
                    months.setdefault(word, set()).add(number)
            for name in locale.days[context][width].values():
                weekdays.update(_words(name))
    return months, frozenset(weekdays)


def _words(name: str) -> list[str]:
    """Folded: "d" and "abril" for "d’abril", "mar" for "mar."."""
    return _WORD.findall(fold(name))


def _locale(language: str) -> "Locale | None":
    from babel import Locale, UnknownLocaleError

    language = language.replace("_", "-")
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return None
