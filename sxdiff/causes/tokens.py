"""What one side's text may say of its build: times, numbers, paths, names, random values.

Each function here gives the tokens of one side, and never sees the other. `judge`s look at two
tokens that stand in the same place and differ.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from re import Match, Pattern

from sxdiff.causes.cause import Evidence, Judge, Token, Tokens

EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2080, 1, 1, tzinfo=UTC)
"""What may be the time of a build, whole; 1970 is where SOURCE_DATE_EPOCH=0 or 1 lies."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = "(?P<b>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LONG_MONTH = (
    "(?P<B>January|February|March|April|May|June|July|August|September|October|November|December)"
)
_DAY_NAME = "(?P<a>Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY_NAME = "(?P<A>Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_DATE = r"(?P<Y>(?:19|20)\d\d)-(?P<m>0\d|1[0-2])-(?P<d>[0-2]\d|3[01])"
_CLOCK = r"(?P<H>[01]\d|2[0-3]):(?P<M>[0-5]\d):(?P<S>[0-5]\d|60)"
_ZONE = r"(?P<z>[A-Z]{3,5}|[+-]\d\d:?\d\d)"
_YEAR = r"(?P<Y>(?:19|20)\d\d)"
_SPACED_DAY = r"(?P<e>[ 0-3]?\d)"

_12_HOURS = r"(?P<I>\d\d):(?P<M>\d\d):(?P<S>\d\d) (?P<p>AM|PM)"
_HOUR = r"(?P<H>[01]\d|2[0-3])"
_MM = r"(?P<m>0\d|1[0-2])"
_DD = r"(?P<d>[0-2]\d|3[01])"
_OFFSET = r"(?P<z>Z| ?[+-]\d\d:?\d\d| UTC| GMT)?"
_PDF_OFFSET = r"(?P<z>Z|[+-]\d\d'?\d\d'?)?"
_DIGITS_CLOCK = rf"{_HOUR}(?P<M>[0-5]\d)(?P<S>[0-5]\d)"

_NAMED: tuple[tuple[str, str], ...] = (
    ("date(1)", rf"{_DAY_NAME} {_MONTH} {_SPACED_DAY} {_CLOCK} {_ZONE} {_YEAR}"),
    ("12 hours", rf"{_DAY_NAME} {_MONTH} {_SPACED_DAY} {_12_HOURS} {_ZONE} {_YEAR}"),
    ("asctime", rf"{_DAY_NAME} {_MONTH} {_SPACED_DAY} {_CLOCK} {_YEAR}"),
    ("rfc 2822", rf"{_DAY_NAME}, {_SPACED_DAY} {_MONTH} {_YEAR} {_CLOCK} {_ZONE}"),
    ("locale", rf"{_DAY_NAME} {_SPACED_DAY} {_MONTH} {_YEAR} {_CLOCK}(?: {_ZONE})?"),
    ("locale, 12 hours", rf"{_DAY_NAME} {_SPACED_DAY} {_MONTH} {_YEAR} {_12_HOURS}(?: {_ZONE})?"),
    ("day month year clock", rf"{_SPACED_DAY} {_MONTH} {_YEAR} {_CLOCK}"),
    ("month day year clock", rf"{_MONTH} {_SPACED_DAY},? {_YEAR}(?P<s>,? |\0){_CLOCK}"),
    ("month day clock", rf"{_MONTH} {_SPACED_DAY} {_CLOCK}"),
    ("us long", rf"{_LONG_MONTH} {_SPACED_DAY}, {_YEAR}"),
    ("long", rf"{_SPACED_DAY} {_LONG_MONTH},? {_YEAR}"),
    ("month year", rf"{_LONG_MONTH},? {_YEAR}"),
    ("us short", rf"{_DAY_NAME},? {_MONTH} {_SPACED_DAY},? {_YEAR}"),
    ("month day year", rf"{_MONTH} {_SPACED_DAY},? {_YEAR}"),
    ("day-month-year", rf"{_SPACED_DAY}[- ]{_MONTH}[- ]{_YEAR}"),
    ("short month year", rf"{_MONTH} {_YEAR}"),
)
"""Forms with the names of months; the longest first: of two at one place the first one counts."""
_NUMBERS: tuple[tuple[str, str], ...] = (
    ("iso", rf"{_DATE}(?P<T>[T ]){_CLOCK}(?P<f>[.,]\d{{1,9}})?{_OFFSET}"),
    ("iso minutes", rf"{_DATE}[T ]{_HOUR}:(?P<M>[0-5]\d){_OFFSET}"),
    ("exif", rf"{_YEAR}:{_MM}:{_DD} {_CLOCK}"),
    ("slashes", rf"{_YEAR}/{_MM}/{_DD} {_CLOCK}"),
    ("pdf", rf"D:{_YEAR}{_MM}{_DD}{_DIGITS_CLOCK}{_PDF_OFFSET}"),
    ("date", _DATE),
    ("date/", rf"{_YEAR}/{_MM}/{_DD}"),
    ("date.", rf"{_DD}[./]{_MM}[./]{_YEAR}"),
    ("compact", rf"{_YEAR}{_MM}{_DD}(?P<T>[T-]?){_DIGITS_CLOCK}(?P<z>Z)?"),
    ("compact minutes", rf"{_YEAR}{_MM}{_DD}{_HOUR}(?P<M>[0-5]\d)"),
    ("clock", _CLOCK),
)


def _compiled(forms: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Pattern[str]], ...]:
    return tuple(
        (name, re.compile(rf"(?<![\w.:+-])(?:{form})(?![\w:])", re.ASCII)) for name, form in forms
    )


_WITH_NAMES, _WITH_NUMBERS = _compiled(_NAMED), _compiled(_NUMBERS)
_NAME_OF_MONTH = re.compile(_MONTH)
_WEAK_FORMS = frozenset({"clock", "month year", "short month year", "compact minutes", "date."})
_MAYBE = re.compile(r"(?:19|20)\d\d|\d\d:\d\d:\d\d")


def read_time(found: Match[str]) -> datetime | None:
    """The time that a match of one of the forms says, in its own zone; None for no real date."""
    part = {key: value for key, value in found.groupdict().items() if value is not None}
    month = part.get("m")
    if month is None and "b" in part:
        month = str(_MONTHS.index(part["b"].lower()) + 1)
    if month is None and "B" in part:
        month = str(_MONTHS.index(part["B"][:3].lower()) + 1)
    try:
        return datetime(
            int(part.get("Y", "2000")),
            int(month or "1"),
            int(part.get("d") or part.get("e") or "1"),
            int(part.get("H") or part.get("I") or "0"),
            int(part.get("M", "0")),
            min(59, int(part.get("S", "0"))),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _shape(found: Match[str]) -> str:
    """How a time is written beside its form: which optional parts it has."""
    keys = sorted(key for key, value in found.groupdict().items() if value is not None)
    width = found.end() - found.start() if found.groupdict().get("f") is None else 0
    names = {"A", "B", "e", "z"}.intersection(keys)
    return f"{'/'.join(keys)} {0 if names else width}"


def times(text: str) -> Iterator[Token]:
    """Times in any of the usual forms (RFC 3339, RFC 2822, asctime, date(1), ...)."""
    if not _MAYBE.search(text):
        return
    taken: list[Token] = []
    named = _WITH_NAMES if _NAME_OF_MONTH.search(text) else ()
    for name, pattern in (*named, *_WITH_NUMBERS):
        for found in pattern.finditer(text):
            start, end = found.span()
            if any(token.start < end and start < token.end for token in taken):
                continue
            moment = read_time(found)
            if moment is None:
                continue
            value = moment.strftime("%Y-%m-%dT%H:%M:%S")
            form = f"{name} {_shape(found)}"
            taken.append(Token(start, end, value, form, weak=name in _WEAK_FORMS))
    yield from sorted(taken, key=lambda token: token.start)


def plausible(moment: datetime) -> bool:
    """Whether a build may have taken place then (or its time was set to the epoch)."""
    return EARLIEST <= moment < LATEST or EPOCH <= moment < EPOCH + timedelta(days=2)


def said(moment: datetime) -> str:
    """A time as evidence says it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def two_times(one: Token, two: Token) -> Evidence | None:
    """Both are times that a build may have had; their values are written as ISO 8601."""
    try:
        moments = [datetime.fromisoformat(token.value).replace(tzinfo=UTC) for token in (one, two)]
    except ValueError:
        return None
    if not all(map(plausible, moments)):
        return None
    return Evidence(said(moments[0]), said(moments[1]))


def seconds(value: int) -> str | None:
    """The ISO 8601 time of seconds since 1970, where a build may have had it."""
    if not 0 <= value < 3_471_292_800:  # 2080
        return None
    moment = EPOCH + timedelta(seconds=value)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") if plausible(moment) else None


_DIGITS = re.compile(r"(?<![\w.])(\d{10}|\d{13}|\d{16}|\d{19})(?:(\.\d{1,9})|(?![\w.]))", re.ASCII)
_OF_TIME = re.compile(
    r"(?i)time|date|stamp|epoch|built|created|modif|mtime|generated|since|expires|last", re.ASCII
)


def epoch_numbers(text: str) -> Iterator[Token]:
    """Decimal seconds, milli-, micro- or nanoseconds since 1970: weak where no word of time
    stands in front of them."""
    for found in _DIGITS.finditer(text):
        digits = found[1]
        moment = seconds(int(digits[:10]))
        if moment is None or int(digits[:10]) < 946_684_800:  # 2000: a smaller one is any number
            continue
        before = text[max(0, found.start() - 48) : found.start()].rpartition("\n")[2]
        form = f"epoch {len(digits)}{' fraction' * bool(found[2])}"
        yield Token(*found.span(), moment, form, weak=not _OF_TIME.search(before))


_PATH = re.compile(r"(?<![\w/.-])(?:/[^\s\0/:;,'\"<>()\[\]{}|=]+)+/?")
_BUILD_LIKE = re.compile(
    r"(?i)/(?:[\w.+-]*build[\w.+-]*|tmp|home|root|[\w-]*work[\w.+-]*|src|source|sources|sandbox|"
    r"[\w.+-]*1st[\w.+-]*|[\w.+-]*2nd[\w.+-]*|var/tmp|private|Users|reproducible-path|nix|"
    r"go-build\d*|\.cargo|checkout|dist|proc|runner|jenkins|ci|buildd|pbuilder|nonexistent)(?=/|$)"
)
_SYSTEM = re.compile(r"/(?:usr(?!/src|/local/src)|etc|bin|sbin|lib\d*|dev|sys|run|boot)(?:/|$)")


_NAME_OF_FILE = re.compile(r"\.[a-z]{1,4}\Z")


def paths(text: str) -> Iterator[Token]:
    """Absolute paths."""
    for found in _PATH.finditer(text):
        yield Token(*found.span(), found[0].rstrip("/"), "path")


def common_tail(a: str, b: str) -> tuple[str, str, str]:
    """Two paths as prefixes that differ, and the tail of whole components that they share."""
    ours, theirs = a.split("/"), b.split("/")
    same = 0
    while same < min(len(ours), len(theirs)) - 1 and ours[-1 - same] == theirs[-1 - same]:
        same += 1
    tail = "/".join(ours[len(ours) - same :])
    return "/".join(ours[: len(ours) - same]), "/".join(theirs[: len(theirs) - same]), tail


def two_build_paths(one: Token, two: Token) -> Evidence | None:
    """Two paths whose beginnings differ and may both be places where something is built."""
    a, b, tail = common_tail(one.value, two.value)
    if not a.startswith("/") or not b.startswith("/"):
        return None
    for prefix in (a, b):
        if _SYSTEM.match(prefix) or not _BUILD_LIKE.search(prefix):
            return None
    if not tail and any(map(_NAME_OF_FILE.search, (a, b))):
        return None  # two files without one name are two files
    return Evidence(a, b, f"/{tail}" if tail else "")


_UUID = re.compile(
    r"(?<![0-9A-Za-z-])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    r"[0-9a-fA-F]{12}(?![0-9A-Za-z-])"
)


def uuids(text: str) -> Iterator[Token]:
    """UUIDs (RFC 9562, section 4), with their version as their form."""
    for found in _UUID.finditer(text):
        yield Token(*found.span(), found[0].lower(), f"uuid {found[0][14]}")


def two_random_uuids(one: Token, two: Token) -> Evidence | None:
    """Both are of a version made from time or chance (RFC 9562, sections 5.1, 5.4, 5.7)."""
    if one.form not in ("uuid 1", "uuid 4", "uuid 6", "uuid 7"):
        return None
    return Evidence(one.value, two.value)


def matches(pattern: Pattern[str], form: str, *, weak: bool = False) -> Tokens:
    """Tokens that a pattern finds: its group `v`, or all of a match."""

    def found_in(text: str) -> Iterator[Token]:
        for found in pattern.finditer(text):
            group = "v" if "v" in pattern.groupindex else 0
            yield Token(*found.span(group), found[group], form, weak=weak)

    return found_in


def whole(form: str = "") -> Tokens:
    """The whole of a field's value as one token, whatever it says."""

    def all_of(text: str) -> Iterator[Token]:
        yield Token(0, len(text), text, form)

    return all_of


def any_two(one: Token, two: Token) -> Evidence | None:
    """For fields that can hold nothing but what the cause says."""
    return Evidence(one.value, two.value)


def same_length(judge: Judge = any_two) -> Judge:
    """Two values of one length."""

    def judged(one: Token, two: Token) -> Evidence | None:
        return judge(one, two) if len(one.value) == len(two.value) else None

    return judged


_SECONDS = re.compile(r"(\d{1,12})(?:\.\d+)?")


def time_field(text: str) -> Iterator[Token]:
    """A field that holds a time: seconds since 1970, or a date and time that it is told as."""
    found = _SECONDS.fullmatch(text.strip())
    if found:
        moment = seconds(int(found[1]))
        if moment:
            yield Token(0, len(text), moment, "time")
        return
    for token in times(text):
        if token.start == 0 or not text[: token.start].strip():
            yield Token(0, len(text), token.value, "time")
            return
    if text in ("", "0"):
        yield Token(0, len(text), "1970-01-01T00:00:00", "time")


def day_field(text: str) -> Iterator[Token]:
    """A field that holds days since 1970 (shadow(5))."""
    if text.isdigit() and 0 <= int(text) < 40_000:
        moment = date(1970, 1, 1) + timedelta(days=int(text))
        yield Token(0, len(text), moment.isoformat() + "T00:00:00", "day")


def joined(*some: Tokens) -> Tokens:
    """Tokens of several sorts; of those that overlap, that of the earlier sort."""

    def found_in(text: str) -> Iterator[Token]:
        taken: list[Token] = []
        for tokens in some:
            for token in tokens(text):
                if all(token.end <= one.start or token.start >= one.end for one in taken):
                    taken.append(token)
        yield from sorted(taken, key=lambda token: token.start)

    return found_in


def strong(tokens: Tokens) -> Tokens:
    """The same tokens, none of them weak: where the context says what they are."""

    def found_in(text: str) -> Iterator[Token]:
        for token in tokens(text):
            yield Token(token.start, token.end, token.value, token.form)

    return found_in


Permuted = Callable[[str], list[str]]


def permutation(split: Permuted) -> Tokens:
    """The whole text as one token whose form is the sorted multiset of what it splits into."""

    def all_of(text: str) -> Iterator[Token]:
        parts = split(text)
        yield Token(0, len(text), text, "\0".join(sorted(parts)))

    return all_of


def another_order(one: Token, two: Token) -> Evidence:
    """Two orders of the same parts: their forms are equal already."""
    return Evidence(_first(one.value, two.value), _first(two.value, one.value))


def _first(text: str, other: str) -> str:
    """The first line that the other side has elsewhere."""
    ours, theirs = text.split("\n"), other.split("\n")
    for here, there in zip(ours, theirs, strict=False):
        if here != there:
            return here.strip()[:80]
    return text[:80]
