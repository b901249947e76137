"""Where two lists differ, lines of text or strings of a table: the groups to replace.

Items that occur once on each side are anchors (patience diff, B. Cohen; `git diff --patience`);
what has no anchor is left to `difflib` where it is small, within a bound on the work of all
such places, and is one replacement where it is not. Time follows the lists' length.
"""

from bisect import bisect_left
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TypeAlias

SMALL = 40_000
"""Items of a times items of b up to which a place without an anchor is left to `difflib`."""
WORK = 2_000_000
"""The same, summed over all such places of a text."""
DEPTH = 32
"""Nesting of anchors between anchors."""

Change: TypeAlias = tuple[int, int, int, int]
"""Items of a from, to; items of b from, to."""


def align(a: list[bytes], b: list[bytes]) -> list[Change]:
    """The groups of items that differ, in order; the same, swapped, for swapped sides."""
    # which of several shortest ways is found depends on which side comes first
    if a > b:
        return [(a0, a1, b0, b1) for b0, b1, a0, a1 in _changes(b, a)]
    return _changes(a, b)


def _changes(a: Sequence[bytes], b: Sequence[bytes]) -> list[Change]:
    """The groups in which two lists differ, in order."""
    numbers: dict[bytes, int] = {}
    ours = [numbers.setdefault(line, len(numbers)) for line in a]
    theirs = [numbers.setdefault(line, len(numbers)) for line in b]
    out: list[Change] = []
    work = WORK
    todo = [(0, len(ours), 0, len(theirs), 0)]
    while todo:
        a0, a1, b0, b1, depth = todo.pop()
        while a0 < a1 and b0 < b1 and ours[a0] == theirs[b0]:
            a0, b0 = a0 + 1, b0 + 1
        while a0 < a1 and b0 < b1 and ours[a1 - 1] == theirs[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
        if a0 == a1 and b0 == b1:
            continue
        if a0 == a1 or b0 == b1 or depth == DEPTH:
            out.append((a0, a1, b0, b1))
            continue
        anchors = _anchors(ours, theirs, (a0, a1, b0, b1))
        if anchors:
            for place_a, place_b in anchors:
                if place_a > a0 or place_b > b0:
                    todo.append((a0, place_a, b0, place_b, depth + 1))
                a0, b0 = place_a + 1, place_b + 1
            todo.append((a0, a1, b0, b1, depth + 1))
            continue
        size = (a1 - a0) * (b1 - b0)
        if size > SMALL or size > work:
            out.append((a0, a1, b0, b1))
            continue
        work -= size
        matcher = SequenceMatcher(None, ours[a0:a1], theirs[b0:b1], autojunk=False)
        for tag, i0, i1, j0, j1 in matcher.get_opcodes():
            if tag != "equal":
                out.append((a0 + i0, a0 + i1, b0 + j0, b0 + j1))
    out.sort()
    return out


def _anchors(ours: Sequence[int], theirs: Sequence[int], span: Change) -> list[tuple[int, int]]:
    """Items that occur once on each side, as many as stand in one order on both."""
    a0, a1, b0, b1 = span
    in_a, in_b = _once(ours, a0, a1), _once(theirs, b0, b1)
    both = [(place, in_b[number]) for number, place in in_a.items() if number in in_b]
    both.sort()
    return [both[place] for place in _longest_rising([place_b for _, place_b in both])]


def _once(numbers: Sequence[int], start: int, end: int) -> dict[int, int]:
    """Numbers that occur once, with their places."""
    places: dict[int, int] = {}
    for place in range(start, end):
        number = numbers[place]
        places[number] = -1 if number in places else place
    return {number: place for number, place in places.items() if place >= 0}


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """Places of a longest rising subsequence (patience sorting)."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for place, number in enumerate(numbers):
        at = bisect_left(tails, number)
        before.append(ends[at - 1] if at else -1)
        if at == len(tails):
            tails.append(number)
            ends.append(place)
        else:
            tails[at], ends[at] = number, place
    out: list[int] = []
    last = ends[-1] if ends else -1
    while last >= 0:
        out.append(last)
        last = before[last]
    return out[::-1]
