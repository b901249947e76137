"""What only the whole of both images can say of a claim: one binding of paths and names, times
that agree with others, digests of files that differ."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from sxdiff.causes.catalogue import SUSPICIONS
from sxdiff.causes.catalogue import cause as cause_of
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose, suspect
from sxdiff.causes.path import LOOKUP as PATH
from sxdiff.causes.path import follows
from sxdiff.causes.tokens import said, seconds, time_field, times
from sxdiff.compare.digests import IDENTITY, LISTED, LOOKUP, Known
from sxdiff.compare.redact import shown
from sxdiff.model import Claim, Difference, Route, Value
from sxdiff.report.findings import Binding
from sxdiff.wire import JsonObject

LONGEST_TOLD = 1000
"""Characters of a value that are told, whatever its length."""
NEAR = timedelta(hours=36)
"""How far a time that is weak evidence may lie from one of its side that is strong: a build's
length, and any two time zones."""
NEAR_CLOCK = 10
"""Minutes that a time of day alone may lie from one that is strong."""
_CLOCK = re.compile(r"(\d\d):(\d\d):\d\d")
_NO_YEAR = re.compile(r"\d\d-\d\d ")


def explained(found: Difference, route: Route, format_name: str, path: str | None) -> Difference:
    """A difference that was told without looking into a file, with the causes that explain it, and
    without secrets."""
    return shown(_explained(found, route, format_name, path))


def _explained(found: Difference, route: Route, format_name: str, path: str | None) -> Difference:
    if found.claims or found.derived:
        return found
    if found.kind == "tar.mtime" and path is not None and (claim := _two_mtimes(found, path)):
        return replace(found, claims=(claim,))
    a, b = _said(found.a), _said(found.b)
    if a is None or b is None:
        return found
    symbol = ""
    if path is None:
        where: Route = (*route, *found.where)
    else:
        where = found.where
        symbol = f"header {where[0]}" if where else ""
    site = Site(found.kind, a, b, path or "", where, format_name, symbol=symbol)
    diagnosis = diagnose(site)
    if diagnosis is None:
        return replace(found, suspect=suspect(site))
    return replace(found, claims=diagnosis.claims)


def _two_mtimes(found: Difference, path: str) -> Claim | None:
    """What `diagnose` says of two times in whole seconds of one file: of some images, of each."""
    a, b = found.a and found.a.value, found.b and found.b.value
    if type(a) is not int or type(b) is not int or a == b or ".wh." in path:
        return None
    one, other = _second(a), _second(b)
    return Claim("tar-mtime", one, other) if one and other else None


@lru_cache(1 << 16)
def _second(value: int) -> str | None:
    """A time as evidence says it, where a build may have had it."""
    moment = seconds(value)
    return moment.replace("T", " ") if moment else None


def _said(value: Value | None) -> str | None:
    """What one side says, whole; None where that is not known."""
    if value is None:
        return ""
    if value.value is None:
        return None if value.digest is not None else ""
    said = str(value.value)
    # a long value has a digest, and only its beginning is told
    return None if value.digest is not None and len(said) >= LONGEST_TOLD else said


_BUILDERS = re.compile(rb"(?i)buildkit|buildah|podman|kaniko|umoci|apko|bazel|nix2container")


MOST_TIED = 64
"""Pairs of values that are looked for in what the images say of themselves."""


def builders_of(config: bytes) -> set[str]:
    """What an image config says of the tools that built the image, in its labels and history."""
    return {found.decode().lower() for found in _BUILDERS.findall(config)}


class Diagnosis:
    """Which claims stand in the light of all others.

    `known` has the digests of files that differ; `builders` names what built the images; `said`
    has values that the images of each side say of themselves, and what they call them.
    """

    def __init__(
        self,
        known: Known,
        builders: str,
        said: "tuple[Mapping[str, str], Mapping[str, str]]" = ({}, {}),
    ) -> None:
        self._known = known
        self._builders = builders
        self._said = said

    def judged(self, bindings: list[Binding]) -> Iterator[tuple[Binding, Route | None]]:
        """Bindings that do not stand (None), or that follow from another file (its route)."""
        anchors = _Anchors(one for one in bindings if not one.needs)
        # what is weak has no say in what is one to one before it stands itself
        one_to_one = _conflicts(
            [one for one in bindings if one.needs != "anchor" or anchors.hold(one)]
        )
        derived = _Derived(one for one in bindings if one not in one_to_one)
        for binding in bindings:
            stands = binding not in one_to_one
            if binding.needs == "anchor":
                stands = stands and anchors.hold(binding)
            elif binding.needs == PATH:
                stands = stands and derived.hold(binding)
            claim = Claim(binding.cause, binding.a, binding.b)
            if not stands or binding.needs == LISTED:  # what is listed is settled in its layer
                yield binding, None
            elif binding.needs == LOOKUP:
                yield binding, self._known.find(claim)
            elif binding.needs == IDENTITY:
                yield binding, self._known.named(claim)
            elif (route := self._known.separated(claim)) is not None:
                yield binding, route

    def words(self, cause: str, producers: str) -> JsonObject:
        """What the catalogue says of a cause."""
        known = cause_of(cause)
        if known is None:
            return {}
        return {
            "title": known.title,
            "family": known.family,
            "why": known.why,
            "fix": known.fix_for(f"{producers}\n{self._builders}"),
            "references": [*known.references],
        }

    def ties(self, bindings: list[Binding]) -> str:
        """Which of the values that varied the images say of themselves, and as what."""
        found: dict[str, None] = {}
        for binding in bindings[:MOST_TIED]:
            for side, value in enumerate((binding.a, binding.b)):
                if name := self._said[side].get(value):
                    found[f"{'ab'[side]} is {name}"] = None
        return ", ".join(found)

    def proof(self, suspect: str) -> str:
        """What would prove that a difference is what it looks like."""
        for suspicion in SUSPICIONS:
            if suspicion.id == suspect:
                return suspicion.proof
        known = cause_of(suspect)
        if known is None:
            return ""
        if known.lookup == IDENTITY:
            return "a program in the images that has these build-ids"
        if known.bound:
            return "the same change in other files, or the build in another place once more"
        return "the same values elsewhere in the images, or the build at another time once more"


def said_by(config: bytes) -> dict[str, str]:
    """Values that an image config says of its build: times as evidence writes them, paths."""
    try:
        document = json.loads(config)
        inner = document.get("config") or {}
        labels: Mapping[str, object] = inner.get("Labels") or {}
        variables = [str(one).partition("=") for one in inner.get("Env") or ()]
    except (ValueError, AttributeError, TypeError):
        return {}  # no config of an image: told elsewhere
    out: dict[str, str] = {}
    for name, value in [
        *((f"label {key}", value) for key, value in sorted(labels.items())),
        *((f"the variable {key}", value) for key, _, value in variables),
        ("the image's time of creation", document.get("created")),
    ]:
        for token in (*times(str(value)), *time_field(str(value))):
            moment = _moment(token.value)
            if moment:
                out[said(moment)] = name
    directory = inner.get("WorkingDir")
    if isinstance(directory, str) and len(directory) > 1:
        out[directory.rstrip("/")] = "the image's WorkingDir"
    return out


class _Derived:
    """What may be written instead of the paths that the build left elsewhere."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._pairs: set[tuple[str, str]] = set()
        for one in bindings:
            known = cause_of(one.cause)
            if known is not None and known.family == "path" and not one.needs:
                self._pairs.update(zip(follows(one.a), follows(one.b), strict=True))

    def hold(self, binding: Binding) -> bool:
        """Whether both values follow from one pair of paths in one way."""
        return (binding.a, binding.b) in self._pairs


class _Anchors:
    """What strong evidence says: times by side, and pairs of paths."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._times: tuple[set[datetime], set[datetime]] = (set(), set())
        self._minutes: tuple[set[int], set[int]] = (set(), set())
        self._paths: set[tuple[str, str]] = set()
        for one in bindings:
            known = cause_of(one.cause)
            if known is not None and known.bound:
                self._paths.add((one.a, one.b))
            if known is None or known.family != "time":
                continue
            for side, text in enumerate((one.a, one.b)):
                moment = _moment(text)
                if moment:
                    self._times[side].add(moment.replace(minute=0, second=0))
                    self._minutes[side].add(moment.hour * 60 + moment.minute)

    def hold(self, binding: Binding) -> bool:
        """Whether a strong binding is of the same two paths, or both times of a weak binding lie
        near a strong one of their side."""
        return (binding.a, binding.b) in self._paths or all(
            self._holds(side, text) for side, text in enumerate((binding.a, binding.b))
        )

    def _holds(self, side: int, text: str) -> bool:
        clock = _CLOCK.fullmatch(text)
        if clock:
            minute = int(clock[1]) * 60 + int(clock[2])
            return any(
                (minute + near) % 1440 in self._minutes[side]
                for near in range(-NEAR_CLOCK, NEAR_CLOCK + 1)
            )
        for one in self._times[side]:
            moment = _moment(f"{one.year}-{text}" if _NO_YEAR.match(text) else text)
            if moment is not None and abs(moment - one) <= NEAR:
                return True
        return False


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _conflicts(bindings: list[Binding]) -> set[Binding]:
    """Bindings of causes that must map one to one over the whole image, and in one direction,
    and do not: all but the one that has most places by far."""
    fallen: set[Binding] = set()
    for side in ("a", "b", "both"):
        groups: dict[tuple[str, object], list[Binding]] = {}
        for one in bindings:
            known = cause_of(one.cause)
            if known is not None and known.bound:
                value = {"a": one.a, "b": one.b}.get(side, frozenset((one.a, one.b)))
                groups.setdefault((known.family, value), []).append(one)
        for group in groups.values():
            counts: Counter[tuple[str, str]] = Counter()
            for one in group:
                counts[one.a, one.b] += one.places
            if len(counts) < 2:
                continue
            (best, most), (_, second) = counts.most_common(2)
            keep = best if most >= 3 * second else None
            fallen.update(one for one in group if (one.a, one.b) != keep)
    return fallen
