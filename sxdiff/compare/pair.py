"""Two descriptions, paired: which facts differ, which members go together, what has no partner.

Facts pair by kind and name, members by kind and name, each in order where several share both.
Both sides are read in lockstep and equal facts are dropped at once, so that memory follows what
differs, not what is there. Nothing here compares contents.
"""

import re
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TypeAlias

from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.model import Fact, Member

Part: TypeAlias = Fact | Member


@dataclass(slots=True)
class Pairing:
    """What is left of two descriptions when equal facts are gone.

    `facts` are pairs that differ, None where a side has no such fact; `members` are pairs whose
    contents are still to be compared, empty where a side has no such member. `alone_a` and
    `alone_b` are the parts of names that the other side does not have at all. `moved_a` and
    `moved_b` are names in the order of each side, with their bytes, where the orders disagree.
    `same_packed` are names of packed streams that are equal.
    """

    facts: list[tuple[Fact | None, Fact | None]] = field(default_factory=list)
    members: list[tuple[Member, Member]] = field(default_factory=list)
    alone_a: dict[str, list[Part]] = field(default_factory=dict)
    alone_b: dict[str, list[Part]] = field(default_factory=dict)
    moved_a: dict[str, int] = field(default_factory=dict)
    moved_b: dict[str, int] = field(default_factory=dict)
    same_packed: set[str] = field(default_factory=set)


def pair(
    a: Iterable[Part], b: Iterable[Part], same: Callable[[Fact, Fact], None] | None = None
) -> Pairing:
    """Pair two descriptions. Swapping the sides swaps the result.

    `same` gets each two facts that say the same and that something follows from.
    """
    sides = (_Side(), _Side())
    out = Pairing()
    facts: list[tuple[int, int, Fact | None, Fact | None]] = []
    members: list[tuple[int, int, Member, Member]] = []

    def found(place_a: int, place_b: int, left: Part, right: Part) -> None:
        if isinstance(left, Member) and isinstance(right, Member):
            members.append((place_a, place_b, left, right))
        elif isinstance(left, Fact) and isinstance(right, Fact):
            if differ(left, right):
                facts.append((place_a, place_b, checked(left), checked(right)))
            elif wrong := _one_is_wrong(left, right):
                facts.append((place_a, place_b, *wrong))
            elif left.follows or right.follows:
                if same:
                    same(left, right)
            elif is_packed(left):
                out.same_packed.add(left.name)

    for place, (left, right) in enumerate(zip_longest(a, b)):
        if left is not None and right is not None:
            key = _key(left)
            if key == _key(right) and not sides[0].waits(key) and not sides[1].waits(key):
                # the common case: both sides are in step
                sides[0].note(place, left, waits=False)
                sides[1].note(place, right, waits=False)
                found(place, place, left, right)
                continue
        if left is not None:
            other = sides[1].take(left)
            sides[0].note(place, left, waits=other is None)
            if other:
                found(place, other[0], left, other[1])
        if right is not None:
            other = sides[0].take(right)
            sides[1].note(place, right, waits=other is None)
            if other:
                found(other[0], place, other[1], right)

    rests = [side.rest() for side in sides]
    for (place_a, left), (place_b, right) in _same_gaps(rests):
        found(place_a, place_b, left, right)
    for side, alone in ((0, out.alone_a), (1, out.alone_b)):
        for place, part in rests[side]:
            if part.kind != UNTOLD and part.name and part.name not in sides[1 - side].spans:
                alone.setdefault(part.name, []).append(part)
            elif isinstance(part, Fact):
                lone = (checked(part), None) if side == 0 else (None, checked(part))
                facts.append((place, place, *lone))
            else:
                both = (part, emptied(part)) if side == 0 else (emptied(part), part)
                members.append((place, place, *both))
    # the same order whichever side is a
    facts.sort(key=lambda row: (min(row[:2]), max(row[:2])))
    members.sort(key=lambda row: (min(row[:2]), max(row[:2])))
    out.facts = [row[2:] for row in facts]
    out.members = [row[2:] for row in members]
    out.moved_a, out.moved_b = _moved(sides[0].spans, sides[1].spans)
    return out


class _Side:
    """One side's parts that wait for a partner, and the bytes that each name's parts span."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[tuple[int, Part]]] = {}
        self.spans: dict[str, int] = {}

    def waits(self, key: Hashable) -> bool:
        """Whether a part of this kind and name waits."""
        return key in self._waiting

    def take(self, part: Part) -> tuple[int, Part] | None:
        """The first waiting part that pairs with `part`, and its place."""
        key = _key(part)
        waiting = self._waiting.get(key)
        if not waiting:
            return None
        first = waiting.popleft()
        if not waiting:
            del self._waiting[key]
        return first

    def note(self, place: int, part: Part, waits: bool) -> None:
        """Keep the part's name, and the part too where it `waits`."""
        if part.name and part.kind != UNTOLD:
            self.spans[part.name] = self.spans.get(part.name, 0) + (part.at[1] if part.at else 0)
        if waits:
            self._waiting.setdefault(_key(part), deque()).append((place, part))

    def rest(self) -> list[tuple[int, Part]]:
        """What found no partner, in order."""
        rest = [row for waiting in self._waiting.values() for row in waiting]
        return sorted(rest, key=lambda row: row[0])


def _same_gaps(
    rests: list[list[tuple[int, Part]]],
) -> list[tuple[tuple[int, Part], tuple[int, Part]]]:
    """Gaps of one size that lie behind other names on each side, taken out of `rests`."""
    free: dict[int, list[tuple[int, Part]]] = {}
    for row in rests[1]:
        if row[1].kind == UNTOLD and row[1].at:
            free.setdefault(row[1].at[1], []).append(row)
    out = []
    for row in [row for row in rests[0] if row[1].kind == UNTOLD and row[1].at]:
        same = free.get(row[1].at[1] if row[1].at else 0)
        if same:
            out.append((row, same.pop(0)))
    for side in (0, 1):
        gone = {id(both[side]) for both in out}
        rests[side] = [row for row in rests[side] if id(row) not in gone]
    return out


def _key(part: Part) -> Hashable:
    return type(part) is Fact, part.kind, part.name


def is_packed(fact: Fact) -> bool:
    """Whether a fact stands for a packed stream: by convention its digest, and derived."""
    return fact.derived and isinstance(fact.value, str) and fact.value.startswith("sha256:")


def differ(left: Fact, right: Fact) -> bool:
    """Whether two facts say different things."""
    # 1 == True in Python, not in a report
    return left.value != right.value or type(left.value) is not type(right.value)


def checked(fact: Fact) -> Fact:
    """The fact; derived only if it is what it must be."""
    if not fact.derived or fact.check is None or fact.check():
        return fact
    return replace(fact, derived=False)


_CHECKSUM = re.compile(r"crc|checksum|adler|isize")


def _one_is_wrong(left: Fact, right: Fact) -> tuple[Fact, Fact] | None:
    """Two checksums that are the same, though only one of them is right: then the bytes that they
    are of differ, and one side is damaged. That is told of the wrong one."""
    if not _CHECKSUM.search(left.kind) or (left.derived == right.derived and not left.check):
        return None
    sides = [checked(fact) for fact in (left, right)]
    if sides[0].derived == sides[1].derived:
        return None
    said = [one if one.derived else replace(one, value=f"{one.value}, wrong") for one in sides]
    return said[0], said[1]


def emptied(member: Member) -> Member:
    """The partner of a member that has none: the same member without any content."""
    return replace(member, content=_nothing, at=None, symbols=())


def _nothing() -> Iterator[bytes]:
    return iter(())


def _moved(a: dict[str, int], b: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """The names of both sides from the first to the last that has another place, in either
    order, with the bytes of their parts."""
    ours, theirs = [name for name in a if name in b], [name for name in b if name in a]
    if ours == theirs:
        return {}, {}
    unlike = [
        place for place, (one, two) in enumerate(zip(ours, theirs, strict=True)) if one != two
    ]
    window = slice(unlike[0], unlike[-1] + 1)
    return {name: a[name] for name in ours[window]}, {name: b[name] for name in theirs[window]}
