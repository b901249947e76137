"""What a finding has in each file: what forms that list files are made of, and what fails a gate.

Differences are sorted by their route, so all of one file in a layer are neighbours: places stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sxdiff.report.build import Report
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.wire import JsonObject

Level = Literal["error", "warning", "note"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")


@dataclass(slots=True)
class Place:
    """The differences of one cause in one file of one layer, or in one document above files.

    `where` is the way to the file. `first` is one of the differences: the first one, but rather
    one that the gate does not accept. `platform` is null for what belongs to none.
    """

    cause: str
    platform: JsonObject | None
    where: list[str]
    path: str | None
    first: JsonObject
    differences: int = 0
    accepted: int = 0

    def level(self, header: JsonObject) -> Level:
        """How much it matters: an error is unexplained, a warning is explained, and both keep the
        verdict from what was asked for. A note does not."""
        if header["met"] or self.accepted == self.differences:
            return "note"
        return "error" if self.cause == UNEXPLAINED else "warning"


def places(report: Report) -> Iterator[Place]:
    """All places, by route. What follows from others is in none."""
    platforms = {_route(one): one for one in report.header["platforms"]}
    of: tuple[list[str], str | None] = ([], None)
    group: dict[str, Place] = {}
    for difference in report.differences():
        if difference["derived"]:
            continue
        where, path = difference["where"], difference["path"]
        top = next((tuple(where[:n]) for n in (1, 2) if tuple(where[:n]) in platforms), ())
        place = where[: _depth(where, path, len(top))]
        if of != (place, path):
            yield from group.values()
            of, group = (place, path), {}
        for cause in difference["causes"] or [UNEXPLAINED]:
            if cause not in group:
                group[cause] = Place(cause, platforms.get(top), place, path, difference)
            one = group[cause]
            if one.differences == one.accepted and not difference.get("accepted"):
                one.first = difference
            one.differences += 1
            one.accepted += bool(difference.get("accepted"))
    yield from group.values()


def _route(platform: JsonObject) -> tuple[str, ...]:
    image = platform["image"]
    return (platform["platform"],) if image is None else (image, platform["platform"])


def _depth(where: list[str], path: str | None, top: int) -> int:
    """How many steps of a route lead to the file at `path`, or to the document above files."""
    if path is not None:
        again = f"{path} (entry "  # the mark of a name that a layer has twice
        for depth, step in enumerate(where, 1):
            if depth > top and (step == path or step.startswith(again)):
                return depth
    return top + 1
