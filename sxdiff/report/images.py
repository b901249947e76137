"""What each image of a report differs by, where a report is about several: an archive that holds
several images, or several reports merged."""

from collections.abc import Iterable
from typing import Final

from sxdiff.model import RUNGS, Route
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.keys import key_of
from sxdiff.wire import JsonObject

_ALONE: Final = ("image.only_in_a", "image.only_in_b")


class Images:
    """Gathers the `images` of a report. Where an archive holds several, the image's name is the
    first step of every route below it."""

    def __init__(self, platforms: list[JsonObject]) -> None:
        self._rungs: dict[str, str] = {}
        for one in platforms:
            if one["image"] is not None:
                self._weaken(one["image"], one["equal_at"])
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
                "causes": sorted(self._causes.get(name, ())),
                "unexplained": self._unexplained.get(name, 0),
            }
            for name, rung in sorted(self._rungs.items(), key=lambda item: key_of(item[:1]))
        ]


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
