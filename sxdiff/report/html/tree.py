"""The tree of differences: which of them a page of bounded size holds, and how they nest.

The differences are gone through three times, because a step is opened with the count of what lies
below it: to see what fits, to count, and to tell. So memory holds the steps, never the values.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from markupsafe import escape as quoted

from sxdiff.model import Route
from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.html import leaf
from sxdiff.wire import JsonObject

PLACES: Final = 50
"""How many files of a finding the page names."""

_ORDER: Final = {
    leaf.UNEXPLAINED: "unexplained",
    leaf.EXPLAINED: "explained",
    leaf.DERIVED: "derived",
}
"""What the page keeps first where not all has room, and the summary's names of it."""
_LEAF_CHARACTERS = 330
_STEP_CHARACTERS = 60
_LINE_CHARACTERS = 130
_STREAMS_INSIDE = frozenset(("tar", "zip", "ar", "cpio", "rpm", "archive"))
"""Formats whose members' offsets count from the member's own start."""
MOST_SPANS: Final = 400
_PLAIN = re.compile(r"[ !#-%(-;=?-~]*")
_MARKED = 3 * leaf.VALUE_CHARACTERS + 60
"""A long value is three cut pieces."""


@dataclass(slots=True)
class Survey:
    """What one look over all differences tells: the room that each state takes, and where the
    findings are."""

    room: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ORDER, 0))
    places: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each cause the first files (or routes above files), each with its first difference."""


def survey(report: Report) -> Survey:
    found = Survey()
    before: list[str] = []
    for difference in report.differences():
        where = difference["where"]
        steps = where[words.common(before, where) :]
        before = where
        size = _LEAF_CHARACTERS + _STEP_CHARACTERS * len(steps) + sum(map(_shown, steps))
        text = difference["diff"]
        if text:
            size += sum(
                _LINE_CHARACTERS + 2 * _shown(line) for line in text.split("\n")[: leaf.DIFF_LINES]
            )
        else:
            for name in "ab":
                side = difference[name] or {}
                size += _shown(str(side.get("value") or ""))
                size += 6 * _shown(str(side.get("excerpt") or ""))  # a dump, in the worst case
        found.room[leaf.state(difference)] += size
        if difference["derived"]:
            continue
        for cause in difference["causes"] or [UNEXPLAINED]:
            places = found.places.setdefault(cause, {})
            if len(places) < PLACES:
                place = difference["path"]
                if place is None:
                    place = words.STEP.join(where)
                places.setdefault(place, difference["id"])
    return found


def _shown(text: str) -> int:
    """How many bytes of the page a text takes at most."""
    if _PLAIN.fullmatch(text):
        return min(len(text), _MARKED)
    # cut to its two ends, with what is between told, then made harmless
    return len(quoted(escape(leaf.cut(text))).encode()) + 40


class Selection:
    """The differences that have room: what is unexplained first, then what is explained."""

    def __init__(self, report: Report, room: dict[str, int], budget: int) -> None:
        summary = report.header["summary"]["differences"]
        self._report = report
        self._most: dict[str, int] = {}
        """How many of each state there are."""
        self.left_out: dict[str, int] = {}
        """How many of each state have no room, by the summary's names of them."""
        for state, name in _ORDER.items():
            total = summary[name]
            share = 1.0 if room[state] <= budget else budget / room[state]
            budget = max(0, budget - room[state])
            self._most[state] = int(total * share)
            if total > self._most[state]:
                self.left_out[name] = total - self._most[state]

    def __iter__(self) -> Iterator[JsonObject]:
        """The selected differences in the report's order: of a state that does not fit the first
        ones."""
        counts = dict.fromkeys(_ORDER, 0)
        for difference in self._report.differences():
            state = leaf.state(difference)
            counts[state] += 1
            if counts[state] <= self._most[state]:
                yield difference


@dataclass(slots=True)
class Step:
    """One step of the route, with what lies below it."""

    name: str
    differences: int = 0
    unexplained: int = 0
    leaves: int = 0
    steps: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    is_file: bool = False
    family: str | None = None
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    """Where in the file the differences lie: offset, size, state."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a platform says of a layer: the instruction that made it, and where in the layer the
    members lie that differ, as `chart.layer_strips`."""

    made_by: str
    strips: list[JsonObject]


@dataclass(slots=True)
class Line:
    """One line of the tree, flat so that no depth of it can exhaust a stack.

    `opens` begins a step (with the names of steps that hold nothing but it before its own), or
    ends one where `closes`; else it is a difference, `label` being the steps that lead to it alone.
    """

    opens: Step | None = None
    label: str = ""
    depth: int = 0
    closes: bool = False
    layer: "Layer | None" = None
    """What is known of the layer that the line opens."""
    leaf: JsonObject | None = None
    begins: bool = False
    """Whether the leaf begins a list of leaves."""
    ends: bool = False
    """Whether a list of leaves ends before this line."""


def lines(selection: Selection, layers: dict[Route, Layer]) -> Iterator[Line]:
    """The tree of the selected differences, line by line, with the layers at their routes."""
    steps = iter(_steps(selection))
    shown: list[str] = []
    # for each open step: it, and whether a line opened it
    stack: list[tuple[Step, bool]] = []
    label: list[str] = []
    in_list = False
    depth = 0
    for difference in selection:
        where = difference["where"]
        same = words.common(shown, where)
        for _ in range(len(shown) - same):
            _, opened = stack.pop()
            if opened:
                depth -= 1
                yield Line(closes=True, ends=in_list)
                in_list = False
        label = [*_unopened(stack)]
        for number, name in enumerate(where[same:], same + 1):
            step = next(steps)
            alone = step.steps == 1 and not step.leaves
            single = step.leaves == 1 and not step.steps and bool(stack)
            layer = layers.get(tuple(where[:number])) if number <= 3 else None
            if (alone or single) and layer is None:
                stack.append((step, False))
                label.append(name)
                continue
            yield Line(
                opens=step,
                label=words.STEP.join([*label, name]),
                depth=depth,
                layer=layer,
                ends=in_list,
            )
            in_list = False
            stack.append((step, True))
            label = []
            depth += 1
        yield Line(leaf=leaf.leaf(difference), label=words.STEP.join(label), begins=not in_list)
        in_list = True
        shown = where
    for _, opened in reversed(stack):
        if opened:
            yield Line(closes=True, ends=in_list)
            in_list = False
    if in_list:
        yield Line(ends=True)


def _unopened(stack: list[tuple[Step, bool]]) -> Iterator[str]:
    """Names of the last steps, down to the one that a line opened."""
    start = len(stack)
    while start and not stack[start - 1][1]:
        start -= 1
    return (step.name for step, _ in stack[start:])


def _steps(selection: Selection) -> list[Step]:
    """The steps in the order in which they open, each with all below it counted."""
    found: list[Step] = []
    stack: list[Step] = []
    shown: list[str] = []
    for difference in selection:
        where = difference["where"]
        same = words.common(shown, where)
        del stack[same:]
        for name in where[same:]:
            step = Step(name, is_file=name == difference["path"])
            if stack:
                stack[-1].steps += 1
            stack.append(step)
            found.append(step)
        state = leaf.state(difference)
        for step in stack:
            step.differences += 1
            step.unexplained += state == leaf.UNEXPLAINED
            for cause in difference["causes"]:
                step.causes[cause] = step.causes.get(cause, 0) + 1
            if step.is_file:
                _note(step, difference, state)
        if stack:
            stack[-1].leaves += 1
        shown = where
    return found


def _note(step: Step, difference: JsonObject, state: str) -> None:
    """Notes where in a file a difference lies, if its offset counts from the file's start."""
    family = difference["format"].partition(".")[0]
    if step.family is None:
        step.family = family
    if family != step.family or family in _STREAMS_INSIDE:
        step.family = ""
        step.spans.clear()
        return
    at = (difference["b"] or {}).get("at") or (difference["a"] or {}).get("at")
    if at and step.family and len(step.spans) < MOST_SPANS:
        step.spans.append((at[0], at[1], state))
