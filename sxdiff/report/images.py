"""What each image of a report differs by, where a report is about several: an archive that holds
several images, or several reports merged."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from sxdiff.model import RUNGS, Route
from sxdiff.report import words
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.keys import key_of
from sxdiff.wire import JsonObject

_ALONE: Final = ("image.only_in_a", "image.only_in_b")


class Images:
    """Gathers the `images` of a report. Where an archive holds several, the image's name is the
    first step of every route below it."""

    def __init__(self, platforms: list[JsonObject]) -> None:
        self._rungs: dict[str, str] = {}
        self._sides: dict[str, set[str | None]] = {}
        for one in platforms:
            if one["image"] is not None:
                self._weaken(one["image"], one["equal_at"])
                self._sides.setdefault(one["image"], set()).add(one["only_in"])
        self.several = bool(self._rungs)
        self._causes: dict[str, set[str]] = {}
        self._unexplained: dict[str, int] = {}

    def _weaken(self, image: str, rung: str) -> None:
        known = self._rungs.get(image, RUNGS[0])
        self._rungs[image] = max(known, rung, key=RUNGS.index)

    def add(self, where: Route, kind: str, causes: Iterable[str]) -> None:
        """Counts a difference that follows from no other."""
        if not self.several or not where:
            return
        image = where[0]
        if kind in _ALONE and len(where) == 1:
            self._weaken(image, "nothing")  # it may have no platform at all
            self._sides.setdefault(image, set()).add(kind[-1])
        if image not in self._rungs:
            return
        for cause in causes:
            if cause == UNEXPLAINED:
                self._unexplained[image] = self._unexplained.get(image, 0) + 1
            else:
                self._causes.setdefault(image, set()).add(cause)

    def entries(self, require: str | None, met: bool) -> list[JsonObject]:
        """The `images` of the report, by name. Where no rung was asked for, `met` is for all."""
        return [
            {
                "image": name,
                "equal_at": rung,
                "met": rung != "nothing" and RUNGS.index(rung) <= RUNGS.index(require)
                if require
                else met,
                "only_in": _only(self._sides[name]),
                "causes": sorted(self._causes.get(name, ())),
                "unexplained": self._unexplained.get(name, 0),
            }
            for name, rung in sorted(self._rungs.items(), key=lambda item: key_of(item[:1]))
        ]


def _only(sides: set[str | None]) -> str | None:
    return next(iter(sides)) if len(sides) == 1 else None


def count_images(findings: Iterable[JsonObject], images: list[JsonObject]) -> None:
    """Tells each finding in how many images it is, and how many differ by it alone."""
    for finding in findings:
        unexplained = finding["cause"] == UNEXPLAINED
        found = alone = 0
        for one in images:
            if unexplained:
                found += one["unexplained"] > 0
                alone += one["unexplained"] > 0 and not one["causes"]
            elif finding["cause"] in one["causes"]:
                found += 1
                alone += len(one["causes"]) == 1 and not one["unexplained"]
        finding["images"] = {"differing": found, "alone": alone}


def noun(header: JsonObject) -> str:
    """What the images of a report are called: those of several reports are packages."""
    return "package" if header["inputs"][0]["form"] == "merged" else "image"


def tally(header: JsonObject) -> str:
    """How many images there are, and how many are equal, in a line."""
    images = header["images"]
    told = Counter(one["equal_at"] for one in images if one["met"])
    parts = [f"{told[rung]:,} equal at {rung}" for rung in RUNGS if told[rung]]
    if len(parts) > 2:
        weakest = max(told, key=RUNGS.index)
        parts = [f"{told.total():,} equal at {weakest} or better"]
    others = [one for one in images if not one["met"]]
    failed = sum(one["equal_at"] is None for one in others)
    alone = {side: sum(one["only_in"] == side for one in others) for side in "ab"}
    differ = len(others) - failed - sum(alone.values())
    parts += [f"{differ:,} {'differs' if differ == 1 else 'differ'}"] if differ else []
    parts += [f"{many:,} only in {side}" for side, many in alone.items() if many]
    parts += [f"{failed:,} not compared"] if failed else []
    return f"{words.count(len(images), noun(header))}: {', '.join(parts)}"


class Group(NamedTuple):
    """Images that differ by the same causes and nothing else; no causes: by what is unexplained."""

    causes: tuple[str, ...]
    images: list[JsonObject]


def groups(header: JsonObject) -> list[Group]:
    """The images that are not as equal as asked for, by what they differ by: the unexplained
    first, then the largest group."""
    found: dict[tuple[str, ...], list[JsonObject]] = {}
    for one in header["images"]:
        if not one["met"] and one["equal_at"] is not None and not one["only_in"]:
            causes = () if one["unexplained"] else tuple(one["causes"])
            found.setdefault(causes, []).append(one)
    ranked = sorted(found.items(), key=lambda item: (item[0] != (), -len(item[1]), item[0]))
    return [Group(*item) for item in ranked]


def worst_first(header: JsonObject) -> list[JsonObject]:
    """The images of a report, the least equal ones first."""

    def rank(one: JsonObject) -> tuple[object, ...]:
        rung = one["equal_at"]
        weak = len(RUNGS) if rung is None else RUNGS.index(rung)
        return (
            one["met"],
            -weak,
            one["only_in"] is None,
            -one["unexplained"],
            -len(one["causes"]),
            key_of((one["image"],)),
        )

    return sorted(header["images"], key=rank)


def row(one: JsonObject) -> tuple[str, str, str]:
    """An image in a table: its name, how equal it is, what it differs by."""
    if one["equal_at"] is None:
        return one["image"], "-", "not compared"
    told = [f"only in {one['only_in']}"] if one["only_in"] else []
    if not told and one["unexplained"]:
        told.append(f"{one['unexplained']:,} unexplained")
    return one["image"], one["equal_at"], ", ".join([*told, *one["causes"]])
