"""What one side's text may say of its build: times, numbers, paths, names, random values.

Each function here gives the tokens of one side, and never sees the other. `judge`s look at two
tokens that stand in the same place and differ.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from re import Pattern

from sxdiff.causes.cause import Evidence, Judge, Token, Tokens
from sxdiff.causes.moments import epoch_numbers, may_say, times
from sxdiff.causes.pattern import late

__all__ = [
    "NOT_WRITTEN_BY_HAND",
    "another_order",
    "any_two",
    "common_tail",
    "day_field",
    "epoch_numbers",
    "joined",
    "matches",
    "paths",
    "permutation",
    "plausible",
    "said",
    "same_length",
    "seconds",
    "strong",
    "time_field",
    "times",
    "times_behind",
    "times_in",
    "two_build_paths",
    "two_compilation_paths",
    "two_random_uuids",
    "two_times",
    "uuids",
    "whole",
]

EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2080, 1, 1, tzinfo=UTC)
"""What may be the time of a build, whole; 1970 is where SOURCE_DATE_EPOCH=0 or 1 lies."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plausible(moment: datetime) -> bool:
    """Whether a build may have taken place then (or its time was set to the epoch)."""
    return EARLIEST <= moment < LATEST or EPOCH <= moment < EPOCH + timedelta(days=2)


def said(moment: datetime) -> str:
    """A time as evidence says it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


NOT_WRITTEN_BY_HAND = late(
    r"\A(?!.*(?:(?:^|/)etc/|(?:^|/)(?:gnu)?makefile|(?:^|/)(?:dockerfile|containerfile|readme\b"
    r"|changelog|news|todo)|\.(?:sh|bash|zsh|fish|py|pyi|pl|pm|rb|lua|tcl|php|sql|css|scss|less|mk"
    r"|cmake|m4|awk|el|lisp|scm|hs|ml|go|rs|java|kt|scala|c|cc|cpp|cxx|h|hh|hpp|f|f90|js|mjs|cjs|ts"
    r"|tsx|jsx|vala|swift|r|jl|service|timer|conf|cfg|cnf|ini|toml|ya?ml|properties|rules|policy"
    r"|env|patch|diff|md|rst|adoc|tex|po|pot)$))",
    re.IGNORECASE,
)
"""Paths but those of programs, settings and prose, where a number is one that somebody chose."""

_NO_YEAR = late(r"(?:--(\d\d-\d\d)T)?(\d\d:\d\d:\d\d)")


def two_times(one: Token, two: Token) -> Evidence | None:
    """Both are times that a build may have had; their values are written as ISO 8601."""
    partly = _NO_YEAR.fullmatch(one.value), _NO_YEAR.fullmatch(two.value)
    if partly[0] and partly[1]:
        a, b = (" ".join(filter(None, found.groups())) for found in partly if found)
        return Evidence(a, b, weak=True)
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


_PATH = late(r"(?<![\w/.-])(?:/[^\s\0/:;,'\"<>()\[\]{}|=]+)+/?")
_BUILD_LIKE = late(
    r"(?i)/(?:[\w.+-]*build[\w.+-]*|tmp|home|root|[\w-]*work[\w.+-]*|src|source|sources|sandbox|"
    r"[\w.+-]*1st[\w.+-]*|[\w.+-]*2nd[\w.+-]*|var/tmp|private|Users|reproducible-path|nix|"
    r"go-build\d*|\.cargo|checkout|dist|proc|runner|jenkins|ci|buildd|pbuilder|nonexistent)(?=/|$)"
)
_SYSTEM = late(r"/(?:usr(?!/src|/local/src)|etc|bin|sbin|lib\d*|dev|sys|run|boot)(?:/|$)")


_VERSION = late(r"(?<!\d)\d+(?:\.\d+)+", re.ASCII)
_NAME_OF_FILE = late(r"\.[a-z]{1,4}\Z")


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
    """Two paths whose beginnings differ and may both be places where something is built. Where
    their names do not say so, they are weak: the same two must be said for sure elsewhere."""
    found = two_compilation_paths(one, two)
    if found is None or all(map(_BUILD_LIKE.search, (found.a, found.b))):
        return found
    return replace(found, weak=True)


def two_compilation_paths(one: Token, two: Token) -> Evidence | None:
    """Two paths whose beginnings differ, said where only what a compiler met is said: whatever
    they are called, there it was built."""
    a, b, tail = common_tail(one.value, two.value)
    if not a.startswith("/") or not b.startswith("/") or any(map(_SYSTEM.match, (a, b))):
        return None
    if not tail and any(map(_NAME_OF_FILE.search, (a, b))):
        return None  # two files without one name are two files
    steps = list(zip(a.split("/"), b.split("/"), strict=False))
    differ = [(ours, theirs) for ours, theirs in steps if ours != theirs]
    if not tail and a.count("/") == b.count("/") and 1 < len(differ) < len(steps) - 1:
        return None  # two places below one folder: what they are is not known
    if any(_VERSION.sub("#", ours) == _VERSION.sub("#", theirs) for ours, theirs in differ):
        return None  # sources of two versions
    return Evidence(a, b, f"/{tail}" if tail else "")


_UUID = late(
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


def times_in(pattern: Pattern[str], tokens: Tokens = times) -> Tokens:
    """Times that fill the group `v` of a pattern's matches, none of them weak: what is around
    says what they are. Where that is no time, there is no token."""

    def found_in(text: str) -> Iterator[Token]:
        for found in pattern.finditer(text) if tokens is not times or may_say(text) else ():
            start, end = found.span("v")
            for token in tokens(found["v"]):
                if token.start == 0 and token.end == end - start:
                    yield Token(start, end, token.value, token.form)

    return found_in


def times_behind(pattern: Pattern[str]) -> Tokens:
    """Times that start right behind a pattern's matches, none of them weak."""

    def found_in(text: str) -> Iterator[Token]:
        ends = {found.end() for found in pattern.finditer(text)} if may_say(text) else ()
        for token in times(text) if ends else ():
            if token.start in ends:
                yield Token(token.start, token.end, token.value, token.form)

    return found_in


def whole(form: str = "") -> Tokens:
    """The whole of a field's value as one token, whatever it says."""

    def all_of(text: str) -> Iterator[Token]:
        yield Token(0, len(text), text, form)

    return all_of


def any_two(one: Token, two: Token) -> Evidence | None:
    """For fields that can hold nothing but what the cause says."""
    return Evidence(one.value, two.value)


def any_or_none(one: Token, two: Token) -> Evidence:
    """For tokens that say what they are, or nothing."""
    return Evidence(one.value or "(none)", two.value or "(none)")


def same_length(judge: Judge = any_two) -> Judge:
    """Two values of one length."""

    def judged(one: Token, two: Token) -> Evidence | None:
        return judge(one, two) if len(one.value) == len(two.value) else None

    return judged


_SECONDS = late(r"(\d{1,12})(?:\.\d+)?")


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
            rest = text[token.end :].strip()
            yield Token(0, len(text), token.value, f"time {rest}".rstrip())
            return
    if text in ("", "0"):
        yield Token(0, len(text), "1970-01-01T00:00:00", "time")


def day_field(text: str) -> Iterator[Token]:
    """A field that holds days since 1970 (shadow(5))."""
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < 40_000:
        moment = date(1970, 1, 1) + timedelta(days=int(text))
        yield Token(0, len(text), moment.isoformat() + "T00:00:00", "day")


def joined(*some: Tokens) -> Tokens:
    """Tokens of several sorts; of those that overlap, that of the earlier sort."""

    def found_in(text: str) -> Iterator[Token]:
        places: list[tuple[int, int]] = []
        taken: list[Token] = []
        for tokens in some:
            for token in tokens(text):
                place = bisect_right(places, (token.start, token.end))
                if place and places[place - 1][1] > token.start:
                    continue
                if place < len(places) and places[place][0] < token.end:
                    continue
                places.insert(place, (token.start, token.end))
                taken.insert(place, token)
        yield from taken

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
