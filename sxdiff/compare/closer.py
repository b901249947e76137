"""A closer look at two streams that should be one: which format, what differs inside, where.

`look` describes both sides, pairs the descriptions and goes into the members whose bytes
differ. What no format knows is compared as text or as bytes. Nothing that differs is untold.
"""

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from sxdiff.compare import lines, ranges
from sxdiff.compare.describe import describe
from sxdiff.compare.pair import Pairing, Part, differ, pair
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.formats import HEAD, Format, sniff
from sxdiff.formats.text import encoding_of
from sxdiff.model import (
    Blob,
    Difference,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Member,
    Node,
    Problem,
    Span,
    Value,
)

LONGEST = 2000
"""Characters of a fact's value that are told; size and digest stand for the rest."""
MOST_RENAMES = 1024
"""Names on one side only up to which renamed contents are looked for."""
MOST_NAMES = 64
"""Names of moved members that are told."""


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
    if node is None or not tally.more:
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
        one, two = sniff(a.read(0, HEAD), a.size), sniff(b.read(0, HEAD), b.size)
        if one and two and one is not two:
            return Node(name, "bytes", tuple(self._tally.keep([_formats(a, b, one, two)])))
        if not one or not two:
            return self._leaf(a, b, name, kind)
        if depth >= self._limits.member_depth:
            problem = _problem("limit", f"members nested {depth} deep")
            return self._leaf(a, b, name, kind, problem)
        before = replace(self._tally)
        try:
            return self._inside(a, b, name, one, depth)
        except FormatError as error:
            tally = self._tally
            tally.left, tally.more, tally.more_bytes = before.left, before.more, before.more_bytes
            what = "limit" if isinstance(error, LimitError) else "format"
            return self._leaf(a, b, name, kind, _problem(what, f"{one.name}: {error}"))

    def _leaf(self, a: Blob, b: Blob, name: str, kind: str, *problems: Problem) -> Node:
        """Both sides as texts if they are, else as bytes."""
        encodings = encoding_of(a), encoding_of(b)
        if encodings[0] and encodings[1]:
            if max(a.size, b.size) <= self._limits.text_bytes:
                told, more, size = lines.differences(
                    a, b, (encodings[0], encodings[1]), self._tally.left
                )
                self._tally.count(more, size)
                return Node(name, "text", tuple(self._tally.keep(told)), problems=problems)
            problems += (_problem("limit", f"text of more than {self._limits.text_bytes} bytes"),)
        member = Member(name, a, kind=kind)
        found = self._tally.keep(ranges.differences(a, b, member, member))
        return Node(name, "bytes", tuple(found), problems=problems)

    def _inside(self, a: Blob, b: Blob, name: str, known: Format, depth: int) -> Node:
        """Both sides as one format. Raises `FormatError` where one side breaks its promise."""
        limits = self._limits
        paired = pair(describe(a, known, limits), describe(b, known, limits))
        keep = self._tally.keep
        contents = keep(_renamed(a, b, paired, known.name))
        told = keep(_fact(a, b, left, right) for left, right in paired.facts)
        contents += keep(_alone(a, b, paired, known.name))
        contents += keep(_order(paired, known.name))
        nodes: list[Node] = []
        for left, right in paired.members:
            one, two = self._stored(left), self._stored(right)
            if left.opaque or right.opaque:
                if not ranges.equal(one, two):
                    where = (min(left.name, right.name),)  # a gap may have two names
                    contents += keep(ranges.differences(one, two, left, right, where))
            elif node := self.look(one, two, left.name, left.kind, depth + 1):
                nodes.append(node)
        if not told and not contents and not nodes:
            whole = Member("", a, kind=UNTOLD)
            contents = keep(ranges.differences(a, b, whole, whole))
        # what follows from a content is a consequence only where a content differs
        rooted = nodes or any(not difference.derived for difference in contents)
        told += contents
        if not rooted:
            told = [replace(difference, derived=False) for difference in told]
        return Node(name, known.name, tuple(told), tuple(nodes))

    def _stored(self, member: Member) -> Blob:
        if isinstance(member.content, Blob):
            return member.content
        return self._scratch.store(member.content(), self._limits.member_bytes)


def _problem(kind: str, message: str) -> Problem:
    return Problem((), kind, message, "compared as bytes")


def _formats(a: Blob, b: Blob, one: Format, two: Format) -> Difference:
    told = [
        Value(known.name, (0, blob.size), size=blob.size, digest=ranges.digest(blob))
        for known, blob in ((one, a), (two, b))
    ]
    return Difference("file.format", told[0], told[1], bytes=ranges.count_differing(a, b))


def _fact(a: Blob, b: Blob, left: Fact | None, right: Fact | None) -> Difference:
    some = left or right
    assert some  # noqa: S101 - pair gives at least one
    name = min((left or some).name, (right or some).name)
    return Difference(
        some.kind,
        _value(left),
        _value(right),
        (name,) if name else (),
        _differing(a, left.at if left else None, b, right.at if right else None),
        derived=(left or some).derived and (right or some).derived,
    )


def _differing(a: Blob, in_a: Span | None, b: Blob, in_b: Span | None) -> int:
    """Bytes that differ between two spans; all of the one that has no partner."""
    if in_a and in_b:
        return ranges.count_differing(a.part(*in_a), b.part(*in_b))
    return (in_a or in_b or (0, 0))[1]


def _value(fact: Fact | None) -> Value | None:
    if fact is None:
        return None
    told, at = fact.value, fact.at
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
        one = {part.kind: part for part in left if isinstance(part, Fact)}
        two = {part.kind: part for part in right if isinstance(part, Fact)}
        for kind in {**one, **two}:
            if kind not in one or kind not in two or differ(one[kind], two[kind]):
                paired.facts.append((one.get(kind), two.get(kind)))
        where = (min(old, new),)  # the same for swapped sides
        yield Difference(f"{format_name}.renamed", Value(old), Value(new), where)


def _signature(blob: Blob, parts: Iterable[Part]) -> Hashable:
    """What stays the same where only a name changes: contents, or what facts say without any."""
    contents = tuple(
        (part.kind, ranges.digest(blob.part(*part.at)))
        for part in parts
        if isinstance(part, Member) and part.at
    )
    facts = tuple((part.kind, part.value) for part in parts if isinstance(part, Fact))
    return contents or facts


def _alone(a: Blob, b: Blob, paired: Pairing, format_name: str) -> Iterable[Difference]:
    """Names that one side does not have: one difference each, with all their parts."""
    for name, parts in paired.alone_a.items():
        size, value = _whole(a, name, parts)
        yield Difference(f"{format_name}.only_in_a", value, None, (name,), size)
    for name, parts in paired.alone_b.items():
        size, value = _whole(b, name, parts)
        yield Difference(f"{format_name}.only_in_b", None, value, (name,), size)


def _whole(blob: Blob, name: str, parts: Iterable[Part]) -> tuple[int, Value]:
    parts = list(parts)
    size = sum(part.at[1] for part in parts if part.at)
    member = next((part for part in parts if isinstance(part, Member) and part.at), None)
    if member is None or member.at is None:
        return size, Value(name, parts[0].at)
    digest = ranges.digest(blob.part(*member.at))
    return size, Value(name, member.at, size=member.at[1], digest=digest)


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
