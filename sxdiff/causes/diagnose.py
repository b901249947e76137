"""Which causes explain a place: the fewest whose tokens, taken out, leave both sides equal."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.cause import Cause, Evidence, Site, Token, Tokens
from sxdiff.causes.suspicion import Suspicion
from sxdiff.model import Claim

LONGEST = 256 << 10
"""Characters of one side up to which a place is diagnosed; a longer one stays unexplained."""
LONGEST_PATH = 4096
"""The same of the file's path (PATH_MAX of Linux, which no build meets) and of each inner name."""
MOST_TOGETHER = 4
"""Causes that explain one place together; more would explain anything."""
MARK = "\0"
"""Stands around what was normalised: no text that is compared holds it."""


_NO_UTF_8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What explains a place: the claims, all of which are needed, and what both sides become.

    `normal` is the text that is left on both sides when the causes' values are taken out.
    """

    claims: tuple[Claim, ...]
    normal: str


@dataclass(frozen=True, slots=True)
class _Found:
    cause: Cause
    token: Token


def diagnose(site: Site) -> Diagnosis | None:
    """The claims that make both sides of `site` equal, or None where none do."""
    if site.a == site.b or not _is_short(site):
        return None
    causes = [
        cause for cause, is_narrow in _causes_of(site.kind) if not is_narrow or cause.may_show(site)
    ]
    if not causes:
        return None
    told = _Told(site)
    for cause in causes:
        if not (ours := told.tokens(cause, 0)) or len(ours) != len(told.tokens(cause, 1)):
            continue
        found = _explain(
            site,
            [_Found(cause, token) for token in ours],
            [_Found(cause, token) for token in told.tokens(cause, 1)],
        )
        if found:
            return found
    some = [
        cause
        for cause in causes
        if cause.composes and told.tokens(cause, 0) and told.tokens(cause, 1)
    ]
    return _together(site, told, some) if len(some) > 1 else None


def _is_short(site: Site) -> bool:
    """Whether what the place is told by is short enough to be looked at."""
    names = max(map(len, (site.path, site.symbol, *site.where)))
    return max(len(site.a), len(site.b)) <= LONGEST and names <= LONGEST_PATH


class _Told:
    """The tokens of both sides, found when they are asked for: several causes ask for the same."""

    def __init__(self, site: Site) -> None:
        self._texts = site.a, site.b
        self._known: dict[tuple[Tokens, int], list[Token]] = {}

    def tokens(self, cause: Cause, side: int) -> list[Token]:
        key = cause.tokens, side
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = list(cause.tokens(self._texts[side]))
        return known


def _together(site: Site, told: _Told, some: list[Cause]) -> Diagnosis | None:
    """The explanation by several causes that needs the fewest."""

    def explain(causes: Sequence[Cause]) -> Diagnosis | None:
        return _explain(site, _merged(told, 0, causes), _merged(told, 1, causes))

    found = explain(some)
    if found is None:
        return None
    used = {claim.cause for claim in found.claims}
    some = [cause for cause in some if cause.id in used]
    found = explain(some) or found
    for cause in reversed(some):  # the general ones come last and go first
        fewer = [each for each in some if each is not cause]
        if less := explain(fewer):
            some, found = fewer, less
    return found if len({claim.cause for claim in found.claims}) <= MOST_TOGETHER else None


def _merged(told: _Told, side: int, causes: Sequence[Cause]) -> list[_Found]:
    """Tokens of several causes in order; of those that overlap, that of the earlier cause."""
    starts: list[int] = []
    taken: list[_Found] = []
    for cause in causes:
        for token in told.tokens(cause, side):
            place = bisect_left(starts, token.start)
            if place < len(taken) and taken[place].token.start < token.end:
                continue
            if place and taken[place - 1].token.end > token.start:
                continue
            starts.insert(place, token.start)
            taken.insert(place, _Found(cause, token))
    return taken


def _explain(site: Site, ours: Sequence[_Found], theirs: Sequence[_Found]) -> Diagnosis | None:
    """The proof: literal text and forms are equal, and each pair that differs is evidence."""
    if not ours or len(ours) != len(theirs):
        return None
    at_a = at_b = 0
    claims: dict[Claim, None] = {}
    normal: list[str] = []
    for one, two in zip(ours, theirs, strict=True):
        if one.cause is not two.cause or one.token.form != two.token.form:
            return None
        between = site.a[at_a : one.token.start]
        if between != site.b[at_b : two.token.start]:
            return None
        at_a, at_b = one.token.end, two.token.end
        normal.append(between)
        said = site.a[one.token.start : at_a]
        if said == site.b[two.token.start : at_b]:
            normal.append(said)
            continue
        evidence = one.cause.judge(one.token, two.token)
        if evidence is None:
            return None
        weak = (one.token.weak or two.token.weak) and not one.cause.is_named(site)
        claims[_claim(one.cause, evidence, weak)] = None
        normal += (MARK, one.cause.id, MARK, evidence.rest)
    if not claims or site.a[at_a:] != site.b[at_b:]:
        return None
    normal.append(site.a[at_a:])
    return Diagnosis(tuple(claims), "".join(normal))


def _claim(cause: Cause, evidence: Evidence, weak: bool) -> Claim:
    needs = cause.lookup or ("anchor" * (weak or evidence.weak))
    return Claim(cause.id, _written(evidence.a), _written(evidence.b), needs)


def _written(text: str) -> str:
    """Text as `text_of` writes bytes that are no UTF-8."""
    return _NO_UTF_8.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)


def suspect(site: Site) -> str | None:
    """The id of the cause that a place without an explanation looks like."""
    if not _is_short(site):
        return None
    return next((one.id for one in _suspicions_of(site.kind) if one.looks(site)), None)


@lru_cache(4096)
def _suspicions_of(kind: str) -> tuple[Suspicion, ...]:
    """The same as `_causes_of`, of suspicions."""
    return tuple(one for one in SUSPICIONS if _fits(kind, one.kinds))


@lru_cache(4096)
def _causes_of(kind: str) -> tuple[tuple[Cause, bool], ...]:
    """Causes that may show in a kind of difference, in the order of the catalogue, each with
    whether more than the kind is asked for."""
    return tuple((cause, cause.is_narrow) for cause in CAUSES if _fits(kind, cause.kinds))


def _fits(kind: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(kind, pattern) for pattern in patterns)
