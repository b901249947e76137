"""How what is left of a pairing is told: facts that differ, names on one side, order, packing."""

import hashlib
import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeAlias

from sxdiff.compare import ranges
from sxdiff.compare.consequences import MOST_ALIKE
from sxdiff.compare.pair import Pairing, Part, differ
from sxdiff.formats.catalogue import CONTENT
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Difference, Fact, Member, Scalar, Span, Value

MOST_RENAMES = 1024
"""Names on one side only up to which renamed contents are looked for."""
LONGEST = 2000
"""Characters of a fact's value that are told; size and digest stand for the rest."""
MOST_NAMES = 64
"""Names of moved members that are told."""
MOST_SAME = 16
"""Facts with one change (the same values on each side) that are told one by one."""
MOST_NEAR = 4096
"""Bytes of a span up to which it is read with what lies behind it."""
NEAR = 64 << 10
"""Bytes that are read at once for small spans."""
Shifts: TypeAlias = tuple[int, int]
"""What to add to the offsets told of a and of b."""
FactPair: TypeAlias = tuple[Fact | None, Fact | None]


def facts(a: Blob, b: Blob, pairs: Sequence[FactPair], shifts: Shifts) -> Iterator[Difference]:
    """Facts that differ: one difference each; many consequences of one kind, or the same change
    in many places, are one together."""
    alike: dict[Hashable, list[FactPair]] = {}
    for one in pairs:
        alike.setdefault(_likeness(one), []).append(one)
    for found in alike.values():
        if len(found) > (MOST_ALIKE if _follows(found[0]) else MOST_SAME):
            yield _alike(a, b, found, shifts)
        else:
            for left, right in found:
                yield _fact(a, b, left, right, shifts)


def _likeness(pair: FactPair) -> Hashable:
    """What two pairs of facts have in common that may be told together."""
    left, right = pair
    some = left or right
    assert some  # noqa: S101 - pair gives at least one
    if _follows(pair):
        return some.kind, True
    # 1 == True in Python, not in a report
    return some.kind, False, repr(left and left.value), repr(right and right.value)


def unpacked_from(left: Member, right: Member, same: set[str]) -> bool:
    """Whether both are unpacked from streams that are equal, so that they are too."""
    if isinstance(left.content, Blob) or isinstance(right.content, Blob):
        return False
    return left.name in same or (left.name == CONTENT and "" in same)


def _is_digest(fact: Fact) -> bool:
    """Whether a fact stands for packed bytes, alone or as one of several streams."""
    told = fact.value
    return fact.derived and isinstance(told, str) and "sha256:" in told[:16]


def resized(left: Fact, right: Fact) -> bool:
    """Whether both stand for packed bytes, which are not as many on both sides."""
    sizes = [fact.at[1] for fact in (left, right) if fact.at and "sha256:" in str(fact.value)]
    return len(sizes) == 2 and sizes[0] != sizes[1]


def repacked(
    a: Blob, b: Blob, paired: Pairing, equal: set[str], format_name: str, shifts: Shifts
) -> Iterator[Difference]:
    """Streams that hold the same, packed otherwise: one difference, proved by their contents."""
    found = [
        both
        for both in paired.facts
        if all(fact is None or (_is_digest(fact) and fact.at) for fact in both)
        if CONTENT in equal or any(fact and fact.name in equal for fact in both)
    ]
    if not found:
        return
    told = []
    sizes = [
        sum(fact.at[1] for both in found if (fact := both[side]) and fact.at) for side in (0, 1)
    ]
    for side, blob in enumerate((a, b)):
        facts = [fact for both in found if (fact := both[side])]
        spans = [fact.at for fact in facts if fact.at] or [(0, 0)]
        start, end = min(at for at, _ in spans), max(map(sum, spans))
        text = f"same content, packed into {sizes[side]} bytes"
        if sizes[0] == sizes[1]:  # two packings must not read as one
            text += f", {digest_of(blob.part(start, end - start))}"
        if CONTENT not in equal:
            text += "".join(f"\n{fact.name}" for fact in facts[:MOST_NAMES])
        told.append(Value(text, (start + shifts[side], end - start)))
    size = sum(
        _differing(a, left.at if left else None, b, right.at if right else None)
        for left, right in found
    )
    yield Difference(f"{format_name}.packing", told[0], told[1], bytes=size, count=len(found))


def _follows(pair: FactPair) -> bool:
    """Whether a fact that differs is derived on each side that has it."""
    return all(fact.derived for fact in pair if fact)


def _alike(a: Blob, b: Blob, pairs: Sequence[FactPair], shifts: Shifts) -> Difference:
    some = pairs[0][0] or pairs[0][1]
    assert some  # noqa: S101 - pair gives at least one
    derived = _follows(pairs[0])
    told: list[Value] = []
    for side in (0, 1):
        facts = [fact for pair in pairs if (fact := pair[side])]
        text: Scalar = "\n".join(f"{fact.name} {fact.value}" for fact in facts[:MOST_ALIKE])
        if facts and not derived:  # all say the same
            text = facts[0].value
        if isinstance(text, str):
            text = text[:LONGEST]
        spans = [fact.at for fact in facts if fact.at]
        start = min((at for at, _ in spans), default=0)
        end = max((at + size for at, size in spans), default=0)
        told.append(Value(text, (start + shifts[side], end - start) if spans else None))
    near = Near()
    size = sum(
        _differing(a, left.at if left else None, b, right.at if right else None, near)
        for left, right in pairs
    )
    names = list(
        dict.fromkeys(name for left, right in pairs for name in [_name(left, right)] if name)
    )
    symbol = ", ".join(names[:MOST_ALIKE])
    if len(names) > MOST_ALIKE:
        symbol += f" and {len(names) - MOST_ALIKE} more"
    return Difference(
        some.kind,
        told[0],
        told[1],
        bytes=size,
        count=len(pairs),
        symbol=symbol if names and not derived else None,
        derived=derived,
    )


def _name(left: Fact | None, right: Fact | None) -> str:
    """The name of a pair of facts, the same for swapped sides."""
    names = [fact.name for fact in (left, right) if fact]
    return min(names)


def _fact(a: Blob, b: Blob, left: Fact | None, right: Fact | None, shifts: Shifts) -> Difference:
    some = left or right
    assert some  # noqa: S101 - pair gives at least one
    name = _name(left, right)
    return Difference(
        some.kind,
        _value(left, shifts[0]),
        _value(right, shifts[1]),
        (name,) if name else (),
        _differing(a, left.at if left else None, b, right.at if right else None),
        derived=_follows((left, right)),
    )


def _differing(
    a: Blob, in_a: Span | None, b: Blob, in_b: Span | None, near: "Near | None" = None
) -> int:
    """Bytes that differ between two spans; all of the one that has no partner."""
    if in_a and in_b:
        one, two = a.part(*in_a), b.part(*in_b)
        return near.count_differing(one, two) if near else ranges.count_differing(one, two)
    return (in_a or in_b or (0, 0))[1]


class Near:
    """Small spans that lie near the ones before are compared without opening their files anew."""

    def __init__(self) -> None:
        self._windows = (Blob("", 0, 0), b""), (Blob("", 0, 0), b"")

    def equal(self, one: Blob, two: Blob) -> bool:
        """As `ranges.equal`."""
        if one.size != two.size:
            return False
        if one.size > MOST_NEAR:
            return ranges.equal(one, two)
        left, right = self._read(one, two)
        return left == right

    def count_differing(self, one: Blob, two: Blob) -> int:
        """As `ranges.count_differing`."""
        if max(one.size, two.size) > MOST_NEAR:
            return ranges.count_differing(one, two)
        left, right = self._read(one, two)
        if b"\0" in left or b"\0" in right:  # may be a table of strings
            return ranges.count_differing(one, two)
        return ranges.differing(left, right)

    def _read(self, one: Blob, two: Blob) -> tuple[bytes, bytes]:
        self._windows = _window(self._windows[0], one), _window(self._windows[1], two)
        (left, data), (right, other) = self._windows
        start, begin = one.offset - left.offset, two.offset - right.offset
        return data[start : start + one.size], other[begin : begin + two.size]


def _window(last: tuple[Blob, bytes], part: Blob) -> tuple[Blob, bytes]:
    """Bytes of a file that `part` lies in: those at hand where they do."""
    blob, data = last
    end = blob.offset + len(data)
    if blob.path == part.path and blob.offset <= part.offset <= end - part.size:
        return last
    with open(part.path, "rb", buffering=0) as file:
        data = os.pread(file.fileno(), max(part.size, NEAR), part.offset)
    return part, data if len(data) >= part.size else part.read()


def _value(fact: Fact | None, shift: int) -> Value | None:
    if fact is None:
        return None
    told, at = fact.value, moved(fact.at, shift)
    if not isinstance(told, str) or len(told) <= LONGEST:
        return Value(told, at)
    raw = told.encode()
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return Value(told[:LONGEST], at, size=len(raw), digest=digest)


def renamed(a: Blob, b: Blob, paired: Pairing, format_name: str) -> Iterable[Difference]:
    """Names on one side only whose contents are equal: one difference for each two names.

    Their facts join those of `paired`, and their names are alone no longer.
    """
    if max(len(paired.alone_a), len(paired.alone_b)) > MOST_RENAMES:
        return
    free: dict[Hashable, list[str]] = {}
    for name, parts in paired.alone_b.items():
        free.setdefault(_signature(b, parts), []).append(name)
    for old in list(paired.alone_a):
        same = free.get(_signature(a, paired.alone_a[old]))
        if not same:
            continue
        new = same.pop(0)
        left, right = paired.alone_a.pop(old), paired.alone_b.pop(new)
        size = join_facts(a, b, paired, left, right)
        where = (min(old, new),)  # the same for swapped sides
        told = Value(old), Value(new)
        yield Difference(f"{format_name}.renamed", *told, where, size, similarity=100)


def join_facts(a: Blob, b: Blob, paired: Pairing, left: list[Part], right: list[Part]) -> int:
    """The facts of two names that are one count as pairs of `paired` where they differ, but for
    those that say the name. Gives the bytes that differ by the name alone."""
    names: list[tuple[Span, Span]] = []
    one = {part.kind: part for part in left if isinstance(part, Fact)}
    two = {part.kind: part for part in right if isinstance(part, Fact)}
    for kind in {**one, **two}:
        ours, theirs = one.get(kind), two.get(kind)
        if not ours or not theirs:
            paired.facts.append((ours, theirs))
        elif not differ(ours, theirs) or (ours.value, theirs.value) == (ours.name, theirs.name):
            names += [(ours.at, theirs.at)] if ours.at and theirs.at else []
        else:
            paired.facts.append((ours, theirs))
    size = end = 0
    for in_a, in_b in sorted(names, key=lambda both: (both[0][0], -both[0][1])):
        if sum(in_a) > end:  # no part of the one before
            size += _differing(a, in_a, b, in_b)
            end = sum(in_a)
    return size


def _signature(blob: Blob, parts: Iterable[Part]) -> Hashable:
    """What stays the same where only a name changes: contents, or what facts say without any."""
    contents = tuple(
        (part.kind, digest_of(blob.part(*part.at)))
        for part in parts
        if isinstance(part, Member) and part.at
    )
    facts = tuple((part.kind, part.value) for part in parts if isinstance(part, Fact))
    return contents or facts


def moved(at: Span | None, shift: int) -> Span | None:
    """A span as it counts in the stream, `shift` bytes further on."""
    return (at[0] + shift, at[1]) if at else None


def alone(
    a: Blob, b: Blob, paired: Pairing, format_name: str, shifts: Shifts
) -> Iterable[Difference]:
    """Names that one side does not have: one difference each, with all their parts."""
    for name, parts in paired.alone_a.items():
        size, value = _whole(a, name, parts, shifts[0])
        yield Difference(f"{format_name}.only_in_a", value, None, (name,), size)
    for name, parts in paired.alone_b.items():
        size, value = _whole(b, name, parts, shifts[1])
        yield Difference(f"{format_name}.only_in_b", None, value, (name,), size)


def _whole(blob: Blob, name: str, parts: Iterable[Part], shift: int) -> tuple[int, Value]:
    parts = list(parts)
    size = sum(part.at[1] for part in parts if part.at)
    member = next((part for part in parts if isinstance(part, Member) and part.at), None)
    if member is None or member.at is None:
        facts = [part for part in parts if isinstance(part, Fact) and not part.derived]
        told = name
        if len(facts) == 1 and str(facts[0].value) not in name:
            told = f"{name}: {facts[0].value}"[:LONGEST]
        return size, Value(told, moved(parts[0].at, shift))
    digest = digest_of(blob.part(*member.at))
    return size, Value(name, moved(member.at, shift), size=member.at[1], digest=digest)


def order(paired: Pairing, format_name: str) -> Iterable[Difference]:
    """The order of names, where the sides disagree on it: one difference."""
    if paired.moved_a:
        told = [_names(moved) for moved in (paired.moved_a, paired.moved_b)]
        size = max(sum(paired.moved_a.values()), sum(paired.moved_b.values()))
        yield Difference(f"{format_name}.order", told[0], told[1], bytes=size)


def _names(moved: dict[str, int]) -> Value:
    text = "\n".join(moved)
    if len(moved) <= MOST_NAMES:
        return Value(text)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return Value("\n".join(list(moved)[:MOST_NAMES]), size=len(moved), digest=digest)
