"""A closer look at two streams that should be one: which format, what differs inside, where.

`look` describes both sides, pairs the descriptions and goes into the members whose bytes
differ. What no format knows is compared as text or as bytes. Nothing that differs is untold.
"""

import hashlib
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from sxdiff.compare import lines, listing, ranges, redact
from sxdiff.compare.consequences import MOST_ALIKE, Consequences
from sxdiff.compare.describe import describe
from sxdiff.compare.pair import Pairing, Part, differ, emptied, pair
from sxdiff.compare.places import Places
from sxdiff.compare.renames import Lone, Sketch, matches, sketch
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.formats.catalogue import CONTENT, HEAD, STREAMS, sniff, sniff_text
from sxdiff.formats.signatures import signature
from sxdiff.formats.text import encoding_of
from sxdiff.model import (
    Blob,
    Difference,
    Fact,
    Format,
    FormatError,
    LimitError,
    Limits,
    Listing,
    Member,
    Node,
    Problem,
    Route,
    Scalar,
    Span,
    Value,
    bytes_of,
)

LONGEST = 2000
"""Characters of a fact's value that are told; size and digest stand for the rest."""
MOST_RENAMES = 1024
"""Names on one side only up to which renamed contents are looked for."""
MOST_SKETCHES = 64
"""Names on one side only up to which contents are looked at for what is similar."""
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


class Scratch(Protocol):
    """Where unpacked members are kept while they are compared."""

    def store(self, chunks: Iterable[bytes], limit: int) -> Blob:
        """Write a stream of at most `limit` bytes; raises `LimitError` where it is longer."""


@dataclass(slots=True)
class Tally:
    """How many differences of a file may still be told, and what was not."""

    left: int
    more: int = 0
    more_bytes: int = 0

    def keep(self, found: Iterable[Difference]) -> list[Difference]:
        """As many of `found` as may be told; the others are counted."""
        out = []
        for difference in found:
            if self.left > 0:
                self.left -= 1
                out.append(difference)
            else:
                self.count(1, difference.bytes)
        return out

    @contextmanager
    def half(self) -> Iterator[None]:
        """Half of what is left is for what is told within: one member must not take it all."""
        kept = self.left // 2
        self.left -= kept
        try:
            yield
        finally:
            self.left += kept

    def restore(self, before: "Tally") -> None:
        """Forget what was kept and counted since `before` was copied."""
        self.left, self.more, self.more_bytes = before.left, before.more, before.more_bytes

    def count(self, differences: int, size: int) -> None:
        """Count differences that are not told."""
        self.more += differences
        self.more_bytes += size


def look(a: Blob, b: Blob, name: str, scratch: Scratch, limits: Limits) -> Node | None:
    """How the file `name` differs; None if and only if both sides hold the same bytes.

    Unpacked members are stored in `scratch`. Broken formats and limits reached are problems of
    the node (their `where` is relative to it), never exceptions.
    """
    tally = Tally(limits.file_differences)
    node = _Closer(scratch, limits, tally).look(a, b, name)
    if node is None:
        return None
    node = redact.masked(node)
    if not tally.more:
        return node
    count = Value(tally.more)
    more = Difference("file.more", count, count, bytes=tally.more_bytes)
    problem = Problem(
        (),
        "limit",
        f"more than {limits.file_differences} differences in one file",
        f"{tally.more} more counted, not told",
    )
    return replace(node, differences=(*node.differences, more), problems=(*node.problems, problem))


class _Closer:
    def __init__(self, scratch: Scratch, limits: Limits, tally: Tally) -> None:
        self._scratch = scratch
        self._limits = limits
        self._tally = tally

    def look(
        self, a: Blob, b: Blob, name: str, kind: str = "file.content", depth: int = 0
    ) -> Node | None:
        if ranges.equal(a, b):
            return None
        if not self._tally.left:  # only counted: not worth a closer look
            self._tally.count(1, ranges.count_differing(a, b))
            return Node(name, "bytes")
        one, two = sniff(a.read(0, HEAD), a.size), sniff(b.read(0, HEAD), b.size)
        if one is not two and (told := self._formats(a, b, name, one, two, depth)):
            return told
        if not one or not two:
            return self._leaf(a, b, name, kind, depth)
        if depth >= self._limits.member_depth:
            problem = _problem("limit", f"members nested {depth} deep")
            return self._leaf(a, b, name, kind, depth, problem)
        before = replace(self._tally)
        try:
            return self._stream(a, b, name, one, depth)
        except FormatError as error:
            self._tally.restore(before)
            what = "limit" if isinstance(error, LimitError) else "format"
            return self._leaf(a, b, name, kind, depth, _problem(what, f"{one.name}: {error}"))

    def _formats(
        self, a: Blob, b: Blob, name: str, one: Format | None, two: Format | None, depth: int
    ) -> Node | None:
        """Another format on each side: one difference, with both described. Of two compressions
        the contents are compared too. None where one side is just bytes."""
        if one and two and one in STREAMS and two in STREAMS and depth < self._limits.member_depth:
            try:
                contents = [
                    self._stored(_content(known, blob, self._limits))
                    for known, blob in ((one, a), (two, b))
                ]
            except FormatError:
                pass  # one of them is damaged: then they are two formats, no more
            else:
                found = replace(_formats(a, b, one.name, two.name), kind="file.compression")
                node = self.look(contents[0], contents[1], CONTENT, depth=depth + 1)
                nodes = () if node is None else (node,)
                return Node(name, "compression", tuple(self._tally.keep([found])), nodes)
        names = [
            known.name if known else "text" if encoding_of(blob) else None
            for known, blob in ((one, a), (two, b))
        ]
        if names[0] is None or names[1] is None:
            return None
        told = _formats(a, b, names[0], names[1])
        return Node(name, "bytes", tuple(self._tally.keep([told])))

    def _leaf(self, a: Blob, b: Blob, name: str, kind: str, depth: int, *problems: Problem) -> Node:
        """Both sides as texts if they are, else as bytes."""
        encodings = encoding_of(a), encoding_of(b)
        if encodings[0] and encodings[1]:
            try:
                return self._text(a, b, name, (encodings[0], encodings[1]), depth, problems)
            except LimitError as error:
                problems += (_problem("limit", str(error)),)
        member = Member(name, a, kind=kind)
        found = self._tally.keep(_ranges(a, b, member, member))
        names = {signature(blob.read(0, HEAD)) or "bytes" for blob in (a, b)}
        return Node(name, names.pop() if len(names) == 1 else "bytes", tuple(found), (), problems)

    def _text(
        self,
        a: Blob,
        b: Blob,
        name: str,
        encodings: tuple[str, str],
        depth: int,
        problems: tuple[Problem, ...],
    ) -> Node:
        """By its own format, unless it differs as a whole in one plain way; else by lines."""
        most = self._limits.text_bytes
        told, more, size = lines.differences(a, b, encodings, self._tally.left, most)
        if more and (redact.secrets(a) or redact.secrets(b)):
            told, more, size = [redact.whole(a, b)], 0, 0
        else:
            told = redact.redacted(a, b, told, margin=0) or told
        if redact.holds(told):
            pass  # a format would show it
        elif max(a.size, b.size) <= most and (not told or told[0].kind not in lines.WHOLE):
            known = sniff_text(a.read(0, HEAD))
            if known and known is sniff_text(b.read(0, HEAD)) and depth < self._limits.member_depth:
                before = replace(self._tally)
                try:
                    node = self._stream(a, b, name, known, depth)
                    return replace(node, problems=(*problems, *node.problems))
                except FormatError:  # it only looked like one: it is still a text
                    self._tally.restore(before)
        self._tally.count(more, size)
        return Node(name, "text", tuple(self._tally.keep(told)), problems=problems)

    def _stream(self, a: Blob, b: Blob, name: str, known: Format, depth: int) -> Node:
        """Both sides as one format. Raises `FormatError` where one side breaks its promise."""
        parts = known.dissect(a, self._limits), known.dissect(b, self._limits)
        node, rooted = self._described(a, b, name, known.name, parts, depth)
        # what follows from a content is a consequence only where a content differs
        return node if rooted else _as_roots(node)

    def _described(
        self,
        a: Blob,
        b: Blob,
        name: str,
        format_name: str,
        parts: tuple[Iterable[Part], Iterable[Part]],
        depth: int,
        shifts: Shifts = (0, 0),
        outer: Places | None = None,
    ) -> tuple[Node, bool]:
        """What differs between two descriptions, and whether a content is among it.

        Where the description is of a part of a stream, `shifts` is added to the offsets told, and
        `outer` knows the places of the stream.
        """
        paired = pair(describe(a, parts[0]), describe(b, parts[1]))
        keep, dropped = self._tally.keep, self._tally.more
        contents = keep(_renamed(a, b, paired, format_name))
        contents += keep(self._alike(a, b, paired, format_name))
        contents += keep(_alone(a, b, paired, format_name, shifts))
        contents += keep(_order(paired, format_name))
        nodes: list[Node] = []
        problems: list[Problem] = []
        rooted = False
        places = Places(paired.members, self._stored, outer)
        follow = Consequences()
        equal: set[str] = set()
        near = _Near()
        for left, right in paired.members:
            if left.name == right.name and _unpacked_from(left, right, paired.same_packed):
                continue
            one, two = self._stored(left), self._stored(right)
            if near.equal(one, two):
                if callable(left.content) and callable(right.content):
                    equal.add(left.name)
                continue
            if not self._tally.left:  # only counted: not worth a closer look
                self._tally.count(1, ranges.count_differing(one, two))
                continue
            if not _is_part(left) and not _is_part(right):
                with self._tally.half():
                    found = self.look(one, two, left.name, left.kind, depth + 1)
                nodes += [found] if found else []
                rooted = True
                continue
            inner = _shifted(left, shifts[0]), _shifted(right, shifts[1])
            where = (min(left.name, right.name),)  # a gap may have two names
            within = self._within(one, two, left, right, places, depth, inner)
            if isinstance(within, Problem):
                problem = replace(within, where=where)
                within = self._as_lines(one, two, inner)
                if within is not None:
                    problem = replace(problem, resolution="compared as text")
                problems.append(problem)
            if within is None:
                found_here = _ranges(one, two, left, right, where, inner)
                contents += keep(each for each in found_here if not follow.take(each))
            elif isinstance(within, list):
                placed = (replace(each, where=(*where, *each.where)) for each in within)
                contents += keep(each for each in placed if not follow.take(each))
            else:
                node, inner_rooted = within
                rooted = rooted or (inner_rooted and not left.derived)
                nodes.append(_as_derived(node) if left.derived and right.derived else node)
        contents += keep(follow.told())
        contents += keep(_repacked(a, b, paired, equal, format_name, shifts))
        # contents first: where there are too many differences, headers are left out
        told = keep(_facts(a, b, paired.facts, shifts))
        more = self._tally.more > dropped
        if not told and not contents and not nodes and not more:
            whole = Member("", a, kind=UNTOLD)
            contents = keep(_ranges(a, b, whole, whole, (), shifts))
        rooted = rooted or more or any(not difference.derived for difference in contents)
        if outer:  # a part's facts are content of the whole
            rooted = rooted or any(not difference.derived for difference in told)
        return Node(name, format_name, (*told, *contents), tuple(nodes), tuple(problems)), rooted

    def _alike(self, a: Blob, b: Blob, paired: Pairing, format_name: str) -> Iterator[Difference]:
        """Names on one side only that go together by their rest or by similar content: one
        difference each; their contents join the pairs of `paired`."""
        sides = paired.alone_a, paired.alone_b
        if not all(sides) or max(map(len, sides)) > MOST_RENAMES:
            return
        lone = [self._lone(parts) for parts in sides]
        names = [list(parts) for parts in sides]
        for one, two, alike in matches(lone[0], lone[1]):
            old, new = names[0][one], names[1][two]
            left, right = paired.alone_a.pop(old), paired.alone_b.pop(new)
            size = _join_facts(a, b, paired, left, right)
            name = min(old, new)  # the same for swapped sides
            ours = {part.kind: part for part in left if isinstance(part, Member)}
            theirs = {part.kind: part for part in right if isinstance(part, Member)}
            for kind in {**ours, **theirs}:
                some = ours.get(kind) or theirs[kind]
                paired.members.append(
                    (
                        replace(ours.get(kind) or emptied(some), name=name),
                        replace(theirs.get(kind) or emptied(some), name=name),
                    )
                )
            told = Value(old), Value(new)
            yield Difference(f"{format_name}.renamed", *told, (name,), size, similarity=alike)

    def _lone(self, sides: dict[str, list[Part]]) -> list[Lone]:
        """Names with what they must have in common, and sketches of streams where they are few."""
        out = []
        for name, parts in sides.items():
            streams = [part for part in parts if isinstance(part, Member)]
            drawn: Sketch = ()
            if len(sides) <= MOST_SKETCHES and len(streams) == 1:
                drawn = sketch(self._stored(streams[0]))
            # facts may be missing (padding); a member's kind says what it is
            group = frozenset(part.kind for part in streams or parts)
            out.append(Lone(bytes_of(name), group, drawn))
        return out

    def _within(
        self,
        a: Blob,
        b: Blob,
        left: Member,
        right: Member,
        places: Places,
        depth: int,
        shifts: Shifts,
    ) -> "tuple[Node, bool] | list[Difference] | Problem | None":
        """Into a part that its container knows; None where only its bytes can be told."""
        known, other = left.inside, right.inside
        if known is None or other is None or known.format != other.format:
            return None
        if type(known) is not type(other):
            return None
        if not a.size or not b.size or not self._tally.left:
            return None
        if depth >= self._limits.member_depth:
            return _problem("limit", f"parts nested {depth} deep")
        before = replace(self._tally)
        try:
            if isinstance(known, Listing) or isinstance(other, Listing):  # both are
                rows = listing.differences(a, b, left, right, places, shifts)
                rows = redact.redacted(a, b, rows, shifts=shifts) or rows
                derived = left.derived and right.derived
                return [replace(row, derived=row.derived or derived) for row in rows]
            parts = known.parts(a), other.parts(b)
            return self._described(a, b, left.name, known.format, parts, depth + 1, shifts, places)
        except FormatError as error:
            self._tally.restore(before)
            what = "limit" if isinstance(error, LimitError) else "format"
            return _problem(what, f"{known.format}: {error}")

    def _as_lines(self, a: Blob, b: Blob, shifts: Shifts) -> list[Difference] | None:
        """A part of a text that its format could not look into; None where it is no text."""
        encodings = encoding_of(a), encoding_of(b)
        if not encodings[0] or not encodings[1] or not self._tally.left:
            return None
        known = encodings[0], encodings[1]
        try:
            told, more, size = lines.differences(
                a, b, known, self._tally.left, self._limits.text_bytes
            )
        except LimitError:
            return None
        told = redact.redacted(a, b, told, margin=0) or told
        self._tally.count(more, size)
        return [_shifted_by(one, shifts) for one in told]

    def _stored(self, member: Member) -> Blob:
        if isinstance(member.content, Blob):
            return member.content
        return self._scratch.store(member.content(), self._limits.member_bytes)


def _ranges(
    a: Blob,
    b: Blob,
    left: Member,
    right: Member,
    where: Route = (),
    shifts: Shifts = (0, 0),
) -> list[Difference]:
    """The ranges of two leaves, without what is secret."""
    found = list(ranges.differences(a, b, left, right, where, shifts))
    return redact.redacted(a, b, found, where, shifts=shifts) or found


def _problem(kind: str, message: str) -> Problem:
    return Problem((), kind, message, "compared as bytes")


def _content(known: Format, blob: Blob, limits: Limits) -> Member:
    """What a compressed stream holds."""
    for part in known.dissect(blob, limits):
        if isinstance(part, Member) and part.name == CONTENT:
            return part
    raise FormatError(f"{known.name} without a content")


def _formats(a: Blob, b: Blob, one: str, two: str) -> Difference:
    told = [
        Value(known, (0, blob.size), size=blob.size, digest=ranges.digest(blob))
        for known, blob in ((one, a), (two, b))
    ]
    return Difference("file.format", told[0], told[1], bytes=ranges.count_differing(a, b))


def _shifted_by(found: Difference, shifts: Shifts) -> Difference:
    """A difference of a part, told by its places in the stream."""
    told = [
        value and replace(value, at=_moved(value.at, shift), line=None)
        for value, shift in zip((found.a, found.b), shifts, strict=True)
    ]
    return replace(found, a=told[0], b=told[1])


def _is_part(member: Member) -> bool:
    """Whether the member is part of its container's format, not a stream of its own."""
    return member.opaque or member.inside is not None


def _shifted(member: Member, shift: int) -> int:
    """What to add to offsets in the member's content, so that they count in the stream."""
    return shift + member.at[0] if member.at else 0


def _as_roots(node: Node) -> Node:
    """The same differences, none of them a consequence: nothing is there to follow from."""
    return _each(node, lambda difference: replace(difference, derived=False))


def _as_derived(node: Node) -> Node:
    return _each(node, lambda difference: replace(difference, derived=True))


def _each(node: Node, change: Callable[[Difference], Difference]) -> Node:
    return replace(
        node,
        differences=tuple(map(change, node.differences)),
        nodes=tuple(_each(child, change) for child in node.nodes),
    )


def _facts(a: Blob, b: Blob, pairs: Sequence[FactPair], shifts: Shifts) -> Iterator[Difference]:
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


def _unpacked_from(left: Member, right: Member, same: set[str]) -> bool:
    """Whether both are unpacked from streams that are equal, so that they are too."""
    if isinstance(left.content, Blob) or isinstance(right.content, Blob):
        return False
    return left.name in same or (left.name == CONTENT and "" in same)


def _is_digest(fact: Fact) -> bool:
    """Whether a fact stands for packed bytes, alone or as one of several streams."""
    told = fact.value
    return fact.derived and isinstance(told, str) and "sha256:" in told[:16]


def _repacked(
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
    for side in (0, 1):
        facts = [fact for both in found if (fact := both[side])]
        spans = [fact.at for fact in facts if fact.at] or [(0, 0)]
        start, end = min(at for at, _ in spans), max(map(sum, spans))
        text = f"same content, packed into {sum(size for _, size in spans)} bytes"
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
    near = _Near()
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
    a: Blob, in_a: Span | None, b: Blob, in_b: Span | None, near: "_Near | None" = None
) -> int:
    """Bytes that differ between two spans; all of the one that has no partner."""
    if in_a and in_b:
        one, two = a.part(*in_a), b.part(*in_b)
        return near.count_differing(one, two) if near else ranges.count_differing(one, two)
    return (in_a or in_b or (0, 0))[1]


class _Near:
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
    told, at = fact.value, _moved(fact.at, shift)
    if not isinstance(told, str) or len(told) <= LONGEST:
        return Value(told, at)
    raw = told.encode()
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return Value(told[:LONGEST], at, size=len(raw), digest=digest)


def _renamed(a: Blob, b: Blob, paired: Pairing, format_name: str) -> Iterable[Difference]:
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
        size = _join_facts(a, b, paired, left, right)
        where = (min(old, new),)  # the same for swapped sides
        told = Value(old), Value(new)
        yield Difference(f"{format_name}.renamed", *told, where, size, similarity=100)


def _join_facts(a: Blob, b: Blob, paired: Pairing, left: list[Part], right: list[Part]) -> int:
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
        (part.kind, ranges.digest(blob.part(*part.at)))
        for part in parts
        if isinstance(part, Member) and part.at
    )
    facts = tuple((part.kind, part.value) for part in parts if isinstance(part, Fact))
    return contents or facts


def _moved(at: Span | None, shift: int) -> Span | None:
    return (at[0] + shift, at[1]) if at else None


def _alone(
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
        return size, Value(told, _moved(parts[0].at, shift))
    digest = ranges.digest(blob.part(*member.at))
    return size, Value(name, _moved(member.at, shift), size=member.at[1], digest=digest)


def _order(paired: Pairing, format_name: str) -> Iterable[Difference]:
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
