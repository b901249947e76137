"""What only the whole of both images can say of a claim: one binding of paths and names, times
that agree with others, digests of files that differ."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sxdiff.causes.catalogue import cause as cause_of
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose, suspect
from sxdiff.compare.digests import LOOKUP, Known
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
    """A difference that was told without looking into a file, with the causes that explain it."""
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


def builders_of(config: bytes) -> set[str]:
    """What an image config says of the tools that built the image, in its labels and history."""
    return {found.decode().lower() for found in _BUILDERS.findall(config)}


class Diagnosis:
    """Which claims stand in the light of all others.

    `known` has the digests of files that differ; `builders` names what built the images.
    """

    def __init__(self, known: Known, builders: str) -> None:
        self._known = known
        self._builders = builders

    def judged(self, bindings: list[Binding]) -> Iterator[tuple[Binding, Route | None]]:
        """Bindings that do not stand (None), or that follow from another file (its route)."""
        anchors = _Anchors(one for one in bindings if not one.needs)
        one_to_one = _conflicts(bindings)
        for binding in bindings:
            if binding in one_to_one or (binding.needs == "anchor" and not anchors.hold(binding)):
                yield binding, None
            elif binding.needs == LOOKUP:
                yield binding, self._known.find(Claim(binding.cause, binding.a, binding.b))

    def words(self, cause: str, producers: str) -> JsonObject:
        """What the catalogue says of a cause."""
        known = cause_of(cause)
        if known is None:
            return {}
        return {
            "title": known.title,
            "family": known.family,
            "fix": known.fix_for(f"{producers}\n{self._builders}"),
            "references": [*known.references],
        }


class _Anchors:
    """Times that strong evidence gives, by side."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._times: tuple[set[datetime], set[datetime]] = (set(), set())
        self._minutes: tuple[set[int], set[int]] = (set(), set())
        for one in bindings:
            known = cause_of(one.cause)
            if known is None or known.family != "time":
                continue
            for side, text in enumerate((one.a, one.b)):
                moment = _moment(text)
                if moment:
                    self._times[side].add(moment.replace(minute=0, second=0))
                    self._minutes[side].add(moment.hour * 60 + moment.minute)

    def hold(self, binding: Binding) -> bool:
        """Whether both times of a weak binding lie near a strong one of their side."""
        return all(self._holds(side, text) for side, text in enumerate((binding.a, binding.b)))

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
    """Bindings of causes that must map one to one over the whole image, and do not: all but the
    one that has most places by far."""
    fallen: set[Binding] = set()
    for side in ("a", "b"):
        groups: dict[tuple[str, str], list[Binding]] = {}
        for one in bindings:
            known = cause_of(one.cause)
            if known is not None and known.bound:
                groups.setdefault((known.family, getattr(one, side)), []).append(one)
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
