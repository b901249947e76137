"""Times as builds write them into texts.

A time is found from its year, its clock or the name of its month, and read from there. Its form
is how it is written, with the letters of strftime(3) for its parts; its value the time in its
own zone, with the offset where that is known.

Strong is a day with a time of day. Weak are a day alone, where no word before it says that
something was made then (versions are days, too), a month of a year, a time of day alone, what is
midnight, and any time behind a word of validity, versions or publication.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from re import Match, Pattern

from sxdiff.causes.cause import Token
from sxdiff.causes.pattern import late

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120,
    "EEST": 180, "MSK": 180, "SAST": 120, "HKT": 480, "SGT": 480, "JST": 540, "KST": 540,
    "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780, "EDT": -240, "EST": -300, "CDT": -300,
    "MDT": -360, "MST": -420, "PDT": -420, "PST": -480, "AKDT": -480, "AKST": -540, "HST": -600,
    "BST": None, "IST": None, "CST": None, "PKT": 300,
}  # fmt: skip
"""Minutes east of Greenwich; None where several zones have the name. An unknown name is text
like any other."""
AROUND = 48
"""Characters in front of a time in which a word says what it is."""

_YEAR = r"(?P<Y>(?:19|20)\d\d)"
_MONTH = (
    r"(?P<b>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)(?![a-z])"
)
_DAY = (
    r"(?P<a>Mon(?:day)?|Tue(?:s(?:day)?)?|Wed(?:nesday)?|Thu(?:rs(?:day)?)?|Fri(?:day)?"
    r"|Sat(?:urday)?|Sun(?:day)?)"
)
_ZONE = (
    r"(?P<z>(?:GMT|UTC)?[+-]\d\d(?::?\d\d)?(?: \([A-Z][A-Za-z ]+\))?"
    rf"|{'|'.join(sorted(ZONES, key=len, reverse=True))})"
)
_REST = rf"(?P<f>[.,]\d{{1,9}})?(?: ?(?P<p>[AaPp]\.?[Mm])\b\.?)?(?: ?{_ZONE}(?![A-Za-z0-9:]))?"
_CLOCK = rf"(?P<H>[0-2]?\d):(?P<M>[0-5]\d)(?::(?P<S>[0-5]\d|60))?{_REST}"
_SECONDS = rf"(?P<H>[0-2]?\d):(?P<M>[0-5]\d):(?P<S>[0-5]\d|60){_REST}"
_D = r"(?P<d>[0-3]?\d)(?:st|nd|rd|th)?"
_BEFORE = r"(?<![A-Za-z0-9.:+])(?<!\d[-_/])"
_BEHIND = r"(?:(?![A-Za-z0-9_])(?![-.:]\d)|(?=[Tt]\d\d:))"
_BEHIND_CLOCK = r"(?![A-Za-z0-9_])(?![.:]\d)"


def _renamed(pattern: str, number: int) -> str:
    """The same pattern with other names of its groups: no two of an expression are the same."""
    return re.sub(r"\(\?P<(\w)>", rf"(?P<\g<1>{number}>", pattern).replace(
        "(?P=s)", f"(?P=s{number})"
    )


_NUMBERS = late(
    rf"{_BEFORE}(?:"
    # 2026-01-10, 2026/01/10, 2026:01:10, 2026.01.10
    + _renamed(rf"{_YEAR}(?P<s>[-/:.])(?P<m>0\d|1[0-2])(?P=s)(?P<d>[0-2]\d|3[01])(?!\d)", 1)
    # 20260110100000, 20260110T100000Z, 20260110.100000, 202601101000, 20260110
    + "|"
    + _renamed(
        rf"{_YEAR}(?P<m>0\d|1[0-2])(?P<d>[0-2]\d|3[01])"
        r"(?:(?P<s>[T._-]?)(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)(?P<S>[0-5]\d)?(?P<z>Z)?)?",
        2,
    )
    # 10.01.2026, 1/10/2026, 10-1-2026
    + "|"
    + _renamed(rf"(?P<d>[0-3]?\d)(?P<s>[-/.])(?P<m>[0-3]?\d)(?P=s){_YEAR}", 3)
    + "|"
    + _renamed(_SECONDS, 4)
    + rf"){_BEHIND}",
    re.ASCII,
)
_PDF = late(
    rf"(?<!\w)D:{_YEAR}(?P<m>0\d|1[0-2])(?P<d>[0-2]\d|3[01])(?P<H>[01]\d|2[0-3])(?P<M>[0-5]\d)"
    r"(?P<S>[0-5]\d)(?P<z>Z(?:00'?00'?)?|[+-]\d\d'?(?:\d\d'?)?)?(?!\w)",
    re.ASCII,
)
_NAMED = late(
    rf"{_BEFORE}(?:{_DAY}\.?,? {{1,2}})?(?:"
    + _renamed(rf"{_D}(?P<s>[ -]){_MONTH}\.?(?:,? |-){_YEAR}", 1)
    + "|"
    # the clock may stand between day and year
    + _renamed(
        rf"{_MONTH}\.?[ -]{{1,2}}{_D}(?:,? {{1,2}}{_SECONDS})?(?:(?:,? {{1,2}}|-){_YEAR})?", 2
    )
    + "|"
    + _renamed(rf"{_MONTH},? {_YEAR}", 3)
    + "|"
    + _renamed(rf"{_YEAR}(?P<s>[ -]){_MONTH}[ -]{_D}", 4)
    + rf"){_BEHIND}",
    re.ASCII,
)
_NAME_OF_MONTH = late(_MONTH.replace("?P<b>", "?:"))
_PREFIX = late(
    rf"{_BEFORE}(?:{_DAY}\.?,? {{1,2}})?(?:[0-3]?\d(?:st|nd|rd|th)?[ -]|(?:19|20)\d\d[ -])?\Z",
    re.ASCII,
)
_LONGEST_PREFIX = 24
_MAYBE = late(r"(?:19|20)\d\d|\d:[0-5]\d:[0-5]\d", re.ASCII)
_NUMBER_AT = late(r"\d{1,2}(?:\d\d|[:./-][0-5]?\d[:./-]\d\d)", re.ASCII)
_NEXT_CLOCK = late(rf"(?P<t>[Tt]|,? {{1,2}}(?:at )?| - |:|\0)(?:{_CLOCK}){_BEHIND_CLOCK}", re.ASCII)
_TO_DATE = late(r",? {1,2}(?:on )?|\0")

_WORDS = (
    "build|built|compiled|generated|generation|created|creation|modified|modification|updated"
    "|printed|produced|rendered|exported|packaged|written|saved|processed|formatted|date|dated"
    "|time|mtime|ctime|btime|timestamp|timestamps|stamp|today|installed|epoch"
)
_MADE = (
    rf"(?:(?<![A-Za-z])(?i:re)?(?i:{_WORDS})(?![a-z])"
    "|(?<=[a-z])(?:Date|Time|TimeStamp|Timestamp|At|Modified|Creat(?:ed|ion)|Built|Updated|Epoch)(?![a-z])"
    "|(?<![a-z])(?i:(?:build|install|compile|creation|mod)(?:date|time))(?![a-z]))"
)
_VALIDITY = r"expir|valid|not.?before|not.?after|birth|\buntil\b|timeout|deadline|deprecat|\bdue\b"
_OTHER_THAN_TIME = (
    rf"{_VALIDITY}|version|\bapi|releas|draft|schema|specification|standard|tzdata|\bsince\b"
    r"|effective|publish|posted|revis|copyright|licen[cs]e|retired|xmlns|https?:"
)
_IS_VALID = late(_VALIDITY, re.IGNORECASE)
_OTHER = late(_OTHER_THAN_TIME, re.IGNORECASE)
_MADE_THEN = late(_MADE)
_IS = late(
    rf"{_MADE}(?:[_-]?(?i:at|on|ms|ns|us|s|secs?|seconds|millis|utc|unix|epoch|stamp))?"
    r"[^A-Za-z0-9\n]{0,8}(?:(?i:at|on|is|was)[^A-Za-z0-9\n]{1,4})?\Z"
)
"""A word of time right before a number, with what may stand between."""
_BUILD_IS = late(r"(?i)(?<![a-z])build[\"']?\s{0,2}[=:]\s{0,2}[\"']?\Z")


NAMED = late(rf"(?s)\A(?!.*(?i:{_OTHER_THAN_TIME})).*{_MADE}")
"""Names of fields whose value is when something was made."""


@dataclass(slots=True)
class _Time:
    """A time that was found: its span, its parts, and how it is written."""

    start: int
    end: int
    parts: dict[str, str]
    form: str
    strong_form: bool = field(default=True)

    @property
    def has_date(self) -> bool:
        """Whether it says a day of a year."""
        return "Y" in self.parts and "m" in self.parts and "d" in self.parts

    @property
    def has_clock(self) -> bool:
        """Whether it says a time of day."""
        return "H" in self.parts

    def moment(self) -> datetime | None:
        """The time it says; None for no real one, or one whose day of the week is another."""
        part = self.parts
        hour = int(part.get("H", "0"))
        if "p" in part:
            if not 1 <= hour <= 12:
                return None
            hour = hour % 12 + 12 * (part["p"][0] in "pP")
        try:
            moment = datetime(
                int(part.get("Y", "2000")),  # a leap year where there is none
                int(part.get("m", "1")),
                int(part.get("d", "1")),
                hour,
                int(part.get("M", "0")),
                min(59, int(part.get("S", "0"))),
                tzinfo=UTC,
            )
        except ValueError:
            return None
        if "a" in part and self.has_date and DAYS[moment.weekday()] != part["a"]:
            return None
        return moment

    def value(self, moment: datetime) -> str:
        """The time as ISO 8601 has it; without a year, what is known of it."""
        if not self.has_date and "Y" not in self.parts:
            day = moment.strftime("--%m-%dT") if "d" in self.parts else ""
            return day + moment.strftime("%H:%M:%S")
        return moment.strftime("%Y-%m-%dT%H:%M:%S") + _offset(self.parts.get("z"))


def _offset(zone: str | None) -> str:
    """The offset of a zone as ISO 8601 has it; empty where it is not known."""
    if zone is None:
        return ""
    minutes = ZONES.get(zone)
    sign = zone.removeprefix("GMT").removeprefix("UTC")[:1]
    if minutes is None and sign in ("+", "-"):
        digits = "".join(filter(str.isdigit, zone)).ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        minutes = -minutes if sign == "-" else minutes
    elif zone.startswith("Z"):
        minutes = 0
    if minutes is None or abs(minutes) >= 24 * 60:
        return ""
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@lru_cache(16)
def _groups(pattern: Pattern[str]) -> tuple[tuple[int, str], ...]:
    """The groups of an expression that are parts of a time, each with its letter."""
    return tuple(
        (number, name[0]) for name, number in pattern.groupindex.items() if name[0] not in "st"
    )


def _read(found: Match[str]) -> _Time:
    """The parts of a match, and its form: its text with a letter for each part."""
    text, spans = found.string, found.regs
    parts: dict[str, str] = {}
    out: list[str] = []
    at = start = spans[0][0]
    for number, letter in _groups(found.re):  # in the order in which they stand
        begin, end = spans[number]
        if begin >= 0:
            parts[letter] = text[begin:end]
            out += (text[at:begin], "%", letter)
            at = end
    out.append(text[at : spans[0][1]])
    if "b" in parts:
        parts["m"] = str(MONTHS.index(parts.pop("b")[:3].lower()) + 1)
    if "a" in parts:
        parts["a"] = parts["a"][:3].lower()
    form = "".join(out).replace("  ", " ")
    if "%dst" in form or "%dnd" in form or "%drd" in form:
        form = re.sub("%d(?:st|nd|rd)", "%dth", form)
    return _Time(start, spans[0][1], parts, form)


def _numbers(text: str) -> Iterator[_Time]:
    """Times of numbers only."""
    end = 0
    for at in _NUMBER_AT.finditer(text):
        if at.start() < end:
            continue
        found = _NUMBERS.match(text, at.start())
        if found:
            one = _read(found)
            if found["Y2"]:
                if found["H2"] and not found["S2"] and found["s2"] != "T":
                    one.strong_form = False  # 12 digits are many things
            elif found["Y3"] and int(one.parts["m"]) > 12:
                one.parts["m"], one.parts["d"] = one.parts["d"], one.parts["m"]  # America
            yield one
            end = found.end()


def _named(text: str) -> Iterator[_Time]:
    """Times with the name of a month."""
    end = 0
    for at in _NAME_OF_MONTH.finditer(text):
        if at.start() < end:
            continue
        before = max(end, at.start() - _LONGEST_PREFIX)
        prefix = _PREFIX.search(text[before : at.start()])
        starts = [before + prefix.start()] if prefix else []
        for start in dict.fromkeys((*starts, at.start())):
            found = _NAMED.match(text, start)
            if not found:
                continue
            one = _read(found)
            if "Y" in one.parts or one.has_clock:
                yield one
                end = found.end()
                break


def _all(text: str) -> list[_Time]:
    found = list(_named(text)) if _NAME_OF_MONTH.search(text) else []
    if "D:" in text:
        found += map(_read, _PDF.finditer(text))
        found.sort(key=lambda one: one.start)
    known = [one.start for one in found]
    numbers = []
    for one in _numbers(text):
        place = bisect_right(known, one.start)
        if place and found[place - 1].end > one.start:
            continue
        if place < len(found) and found[place].start < one.end:
            continue
        numbers.append(one)
    return sorted((*found, *numbers), key=lambda one: one.start) if found else numbers


def _joined(text: str, found: list[_Time]) -> Iterator[_Time]:
    """Days with the time of day that stands behind or before them, as one."""
    number = 0
    while number < len(found):
        one = found[number]
        behind = found[number + 1] if number + 1 < len(found) else None
        if one.has_date and not one.has_clock:
            clock = _NEXT_CLOCK.match(text, one.end)
            if clock and (behind is None or behind.start >= clock.start()):
                rest = _read(clock)
                if behind is not None and behind.start < rest.end:
                    number += 1
                one = _Time(one.start, rest.end, one.parts | rest.parts, one.form + rest.form)
        elif not one.has_date and "Y" not in one.parts and behind is not None:
            gap = _TO_DATE.fullmatch(text, one.end, behind.start)
            if gap and behind.has_date and not behind.has_clock and "d" not in one.parts:
                number += 1
                form = one.form + gap[0] + behind.form
                one = _Time(one.start, behind.end, one.parts | behind.parts, form)
        yield one
        number += 1


def may_say(text: str) -> bool:
    """Whether a text may say a time at all: it has a year or a clock."""
    return _MAYBE.search(text) is not None


def times(text: str) -> Iterator[Token]:
    """Times in any of the usual forms (RFC 3339, RFC 2822, asctime, date(1), ...)."""
    yield from _times(text)


@lru_cache(8)
def _times(text: str) -> tuple[Token, ...]:
    """The same; several causes look at one text."""
    return tuple(_found(text)) if may_say(text) else ()


def _found(text: str) -> Iterator[Token]:
    for one in _joined(text, _all(text)):
        moment = one.moment()
        if moment is not None:
            weak = not _is_strong(text, one, moment)
            yield Token(one.start, one.end, one.value(moment), one.form, weak)


def _is_strong(text: str, one: _Time, moment: datetime) -> bool:
    if not one.has_date:
        return False
    before = text[max(0, one.start - AROUND) : one.start].rpartition("\n")[2]
    midnight = not (moment.hour or moment.minute or moment.second)
    if one.has_clock and not midnight:
        return one.strong_form and not _IS_VALID.search(before)
    if _OTHER.search(before):
        return False
    if "." in one.form and not one.has_clock and one.form.startswith("%Y"):
        return False  # 2026.01.10 is how versions are written
    if one.form == "%Y%m%d":
        return bool(_IS.search(before))
    return bool(_MADE_THEN.search(before))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = late(
    r"(?<![\w.])(\d{10}|\d{13}|\d{16}|\d{19})(?:(\.\d{1,9})|(?!\.?\w))(?![-\w])", re.ASCII
)


def epoch_numbers(text: str) -> Iterator[Token]:
    """Decimal seconds, milli-, micro- or nanoseconds since 1970: weak where no word of time
    stands right in front of them."""
    for found in _DIGITS.finditer(text):
        digits = found[1]
        value = int(digits[:10])
        if not 946_684_800 <= value < 3_471_292_800:  # 2000 to 2080: a smaller one is any number
            continue
        before = text[max(0, found.start() - AROUND) : found.start()].rpartition("\n")[2]
        is_time = (_IS.search(before) or _BUILD_IS.search(before)) and not _OTHER.search(before)
        moment = (_EPOCH + timedelta(seconds=value)).strftime("%Y-%m-%dT%H:%M:%S")
        form = f"epoch {len(digits)}{' fraction' * bool(found[2])}"
        yield Token(*found.span(), moment, form, weak=not is_time)
