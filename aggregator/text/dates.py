"""Read the dates that publishers write, as aware UTC. Pure: neither clock nor locale counts.

RFC 3339 and RFC 5322 dates, which feeds should have, are read at once. Any other text is taken
apart: a time, a time zone, and a date in numbers or with the name of a month, in the languages of
CLDR. A text that has no single meaning is not read: no year, a day that does not exist, a word that
belongs to no date. A missing date does less harm than a wrong one.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from html import unescape

from aggregator.text.date_names import (
    ENGLISH_MONTHS,
    is_filler,
    is_weekday,
    month_of,
    number_order,
    zone_of,
)

_MIN_DATE = datetime(1970, 1, 2, tzinfo=UTC)  # some publishers write 1970-01-01 for a missing date
_TOLERANCE = timedelta(days=1)  # clocks and time zones are often wrong by hours
_MAX_CHARACTERS = 100  # of a date
_MAX_HTML_CHARACTERS = 1000  # of a date with its markup

_RFC5322 = re.compile(
    r"(?:\w{3}, )?(\d\d?) (\w{3}) (\d{4}) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d) "
    r"(?:GMT|UTC|Z|([+-])(\d{4}))",
    re.ASCII,
)
_MONTHS = {name[:3].title(): number for number, name in enumerate(ENGLISH_MONTHS, start=1)}
# fromisoformat takes any character for the T, so the form is tested first.
_ISO = re.compile(r"\d{4}(?:-\d\d-\d\d|\d{4}|-W\d\d-\d|W\d{3})(?:[T ]\d.*)?", re.ASCII)
_ISO_DATE_AND_ZONE = re.compile(r"(\d{4}-\d\d-\d\d)([+-]\d\d:\d\d)", re.ASCII)  # XML Schema
_ISO_DAY_OF_YEAR = re.compile(r"(\d{4})-?(\d{3})((?:[T ]\d.*)?)", re.ASCII)
_ISO_MONTH = re.compile(r"(\d{4})-(\d\d)", re.ASCII)  # W3C-DTF

_NUMBER = re.compile(r"(?:@|/Date\()?(\d{4,19})(?:\.\d*)?(?:(?:[+-]\d{4})?\)/)?", re.ASCII)
_COMPACT_FORMS = {4: "%Y", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}  # by length
_EPOCH_UNITS = (1, 10**3, 10**6, 10**9)  # seconds, milliseconds, microseconds, nanoseconds
_EPOCH_SECONDS = range(10**8, 10**10)  # 1973 to 2286: so a number has one unit

_HTML_DATE = re.compile(r"""\b(?:datetime|content)\s?=\s?["']([^"'<>]+)""", re.IGNORECASE)
_HTML_TAG = re.compile(r"<[^<>]*>")
_CHARACTERS = str.maketrans(
    dict.fromkeys('\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"', "")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_CJK_UNIT = re.compile(r"(?<=\d) ?([年月년월時时点分시분日号號일秒초])")  # not of a weekday
_CJK_UNITS = dict.fromkeys("年月년월", "-") | dict.fromkeys("時时点分시분", ":")

_HALF = r"(?P<half>[ap])\.? ?m\b\.?"  # of the day
_TIMES = (
    # 10:00, 10:00:00.5, 10h30, 1:55 PM
    re.compile(
        r"(?<![\d+])(?P<hour>\d\d?) ?(?::|h(?:eures?)?)(?![^\W\d_]) ?(?P<minute>\d\d?)?"
        rf"(?::(?P<second>\d\d?)?(?:[.,]\d*)?)? ?(?:{_HALF})?",
        re.IGNORECASE,
    ),
    # 10 AM
    re.compile(rf"(?<!\d)(?P<hour>\d\d?) ?{_HALF}", re.IGNORECASE),
    # after a date: 10.30, kl. 10.30, 10.30.00
    re.compile(
        r"(?<=\d\d)[ ,]+(?:[^\W\d_]{1,4}\W+)?"
        rf"(?P<hour>\d\d?)\.(?P<minute>\d\d)(?:\.(?P<second>\d\d)(?:\.\d+)?)?(?![\d.]) ?(?:{_HALF})?",
        re.IGNORECASE,
    ),
    # 20 Nov 2026 1000
    re.compile(r"\d\W+[^\W\d_]+\W+(?:\d{4}|\d\d) (?P<hour>\d\d)(?P<minute>\d\d)(?= |$)"),
)
_AFTERNOON = re.compile("오후|下午|午後")
_OFFSET = re.compile(
    r"[ ,(\[]*[A-Z]{0,4} ?([+-])( ?\d\d:?\d\d|\d\d?:\d\d?|\d{1,3})(?![\d/-])", re.IGNORECASE
)
_OFFSET_WITHOUT_PLUS = re.compile(r" ?()(\d\d:?\d\d)(?![\d/-])")  # "+" is a space in a URL
_ZONE_NAME = re.compile(r"[A-Za-z]+(?:/[\w+-]+)+|[A-Z]{3}\d[A-Z]{3}|[^\W\d_]+")
_UNKNOWN_ZONE = re.compile(r"[ (]*([A-Z]{2,5})\b")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")

_COMMENT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATION = re.compile(r"[^\W\d_]+[.,]")
_DIGITS = re.compile(r"\d+")
_NUMBERS = re.compile(r"(\d{4}|\d\d?)( ?[-/.] ?)(\d\d?)\2(\d{4}|\d\d?)")


def read_date(text: str, now: datetime, *, language: str | None = None) -> datetime | None:
    """The time that ``text`` says, or None if it says none that is `plausible`.

    ``text`` is the value of any date element or attribute. A time without a zone, or in one that
    is unknown, is UTC (RFC 5322 section 4.3). A date without a time is midnight. A zone is taken at
    its word: CET is +01:00, also in summer. ``language``, of the feed, decides what the name of a
    month means, and in which order "03/04/2026" is; without it that is not read.
    """
    try:
        text = text.strip()[:_MAX_HTML_CHARACTERS]
        at = _read_standard(text) or _read_any(text, now, language)
        return plausible(at and at.astimezone(UTC), now)
    except (ValueError, OverflowError):  # no such day, hour or offset
        return None


def plausible(at: datetime | None, now: datetime) -> datetime | None:
    """``at``, at most ``now``; None if it is before 1970-01-02 or more than a day ahead."""
    if at is None or not _MIN_DATE <= at <= now + _TOLERANCE:
        return None
    return min(at, now).replace(microsecond=0)


def _read_standard(text: str) -> datetime | None:
    """RFC 5322 and ISO 8601; None for anything else."""
    if match := _RFC5322.fullmatch(text):
        day, month, year, hour, minute, second, sign, digits = match.groups()
        if month not in _MONTHS:
            return None
        zone = _zone_at(sign, digits) if sign else UTC
        return datetime(
            int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
    if match := _ISO_DATE_AND_ZONE.fullmatch(text):
        text = f"{match[1]}T00:00{match[2]}"
    elif match := _ISO_DAY_OF_YEAR.fullmatch(text):
        day = datetime.strptime(match[1] + match[2], "%Y%j").replace(tzinfo=UTC)
        text = f"{day:%Y-%m-%d}{match[3]}"
    elif match := _ISO_MONTH.fullmatch(text):
        text = f"{match[0]}-01"
    if not _ISO.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:  # such as 24:00, or an offset of one digit
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read_any(text: str, now: datetime, language: str | None) -> datetime | None:
    text = _plain(text)
    if match := _NUMBER.fullmatch(text):
        return _read_number(match[1], now)
    since_midnight, zone, remainder = _split_time(text, language)
    day = _read_day(_COMMENT.sub(" ", remainder), now, language)
    return day and day.replace(tzinfo=zone) + since_midnight


def _plain(text: str) -> str:
    """Without HTML, and with one character for each meaning."""
    if "&" in text:
        text = unescape(unescape(text))  # some escape twice
    if "<" in text:
        match = _HTML_DATE.search(text)
        text = match[1] if match else _HTML_TAG.sub(" ", text)
    text = unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).translate(_CHARACTERS)
    text = _CJK_UNIT.sub(lambda unit: _CJK_UNITS.get(unit[1], " "), text)
    return " ".join(text.split())


def _read_number(digits: str, now: datetime) -> datetime | None:
    """A date without separators (in W3C-DTF also a year), or the time since 1970."""
    if form := _COMPACT_FORMS.get(len(digits)):
        try:
            at = datetime.strptime(digits, form).replace(tzinfo=UTC)
        except ValueError:
            at = None
        if plausible(at, now):
            return at
    for unit in _EPOCH_UNITS:
        if (seconds := int(digits) // unit) in _EPOCH_SECONDS:
            return datetime.fromtimestamp(seconds, UTC)
    return None


def _split_time(text: str, language: str | None) -> tuple[timedelta, tzinfo, str]:
    """The time since midnight, its zone, and the text without both."""
    match = next(filter(None, (form.search(text) for form in _TIMES)), None)
    if match:
        since_midnight = _since_midnight(match, text)
        before, after = text[: match.start("hour")], text[match.end() :]
    else:
        since_midnight = timedelta()
        end = max((digits.end() for digits in _DIGITS.finditer(text)), default=0)
        before, after = text[:end], text[end:]
    zone, remainder = _split_zone(after, language, is_after_year=bool(_YEAR.search(before)))
    return since_midnight, zone, f"{before} {remainder}"


def _since_midnight(match: re.Match[str], text: str) -> timedelta:
    """Raises ValueError for a time that no clock shows."""
    parts = match.groupdict()
    hour, minute, second = (int(parts.get(part) or 0) for part in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower()
    if hour < 12 and (half == "p" or _AFTERNOON.search(text)):
        hour += 12
    elif hour == 12 and half == "a":
        hour = 0
    if (hour, minute, second) > (24, 0, 0) or minute > 59 or second > 60:
        raise ValueError
    return timedelta(hours=hour, minutes=minute, seconds=min(second, 59))


def _split_zone(text: str, language: str | None, *, is_after_year: bool) -> tuple[tzinfo, str]:
    """The zone of the time before ``text``, UTC if there is none, and the text without it."""
    offset = _OFFSET.match(text)
    if offset is None and is_after_year:
        offset = _OFFSET_WITHOUT_PLUS.match(text)
    if offset:
        return _zone_at(offset[1], offset[2].strip()), text[offset.end() :]
    for match in _ZONE_NAME.finditer(text):
        if zone := zone_of(match[0]):
            return zone, f"{text[: match.start()]} {text[match.end() :]}"
    unknown = _UNKNOWN_ZONE.match(text)
    if unknown and month_of(unknown[1], language) is None:
        text = text[unknown.end() :]
    return UTC, text


@lru_cache(maxsize=256)
def _zone_at(sign: str, digits: str) -> timezone:
    """For "0100", "01:00", "1:00", "100", "01" and "1". Raises ValueError if there is no such zone."""
    hours, colon, minutes = digits.partition(":")
    if not colon and len(digits) > 2:
        hours, minutes = digits[:-2], digits[-2:]
    if int(minutes or 0) > 59:
        raise ValueError
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)


def _read_day(text: str, now: datetime, language: str | None) -> datetime | None:
    """The only date in a text without time and zone."""
    words = _WORD.findall(text)
    months = [(word, month) for word in words if (month := month_of(word, language))]
    if len(months) == 2 and is_weekday(months[0][0], language):  # "mar., 07 juil."
        del months[0]
    fillers = words[1:] if _ABBREVIATION.match(text) else words  # the first may be a misspelt day
    if len(months) > 1 or not all(
        month_of(word, language) or is_filler(word, language) or zone_of(word) for word in fillers
    ):
        return None
    numbers = _DIGITS.findall(text)
    if months:
        return _read_named_month(months[0][1], numbers)
    match = _NUMBERS.search(text)
    if match is None or numbers != [match[1], match[3], match[4]]:
        return None
    return _read_numbers(numbers, "dmy" if "." in match[2] else number_order(language), now)


def _read_named_month(month: int, numbers: list[str]) -> datetime | None:
    """The year has four digits, or it is the last number and has two."""
    if len(numbers) == 2 and len(numbers[0]) == 4:
        numbers.reverse()
    if list(map(len, numbers)) not in ([1, 2], [2, 2], [1, 4], [2, 4]):
        return None
    return datetime(_year(numbers[1]), month, int(numbers[0]), tzinfo=UTC)


def _read_numbers(numbers: list[str], order: str, now: datetime) -> datetime | None:
    """In the language's order, or else in the only one that gives a plausible date."""
    first, _, last = map(len, numbers)
    if first == 4:
        return _in_order("ymd", numbers)
    orders = {2: ("dmy", "mdy", "ymd"), 4: ("dmy", "mdy")}.get(last, ())
    if order in orders and (day := _in_order(order, numbers)):
        return day
    days = {day for order in orders if plausible(day := _in_order(order, numbers), now)}
    return days.pop() if len(days) == 1 else None


def _in_order(order: str, numbers: list[str]) -> datetime | None:
    """None if there is no such day."""
    parts = dict(zip(order, numbers, strict=True))
    try:
        return datetime(_year(parts["y"]), int(parts["m"]), int(parts["d"]), tzinfo=UTC)
    except ValueError:
        return None


def _year(digits: str) -> int:
    """Of four digits, or of two (RFC 5322 section 4.3)."""
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)
