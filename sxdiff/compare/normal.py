"""What is left of two streams when all that is claimed is taken out: is it the same?

The tree of differences says what each place differs by. This is the check that does not believe
it: outside of the spans that were claimed, or that follow from what was claimed, both streams
must be equal byte by byte.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sxdiff.model import Blob, Fact, Route, Span

CHUNK = 1 << 20
MOST_MOVES = 256
"""Ways in which places moved up to which the places that facts say are checked against them."""

Shifts: TypeAlias = tuple[int, int]
"""What was added to the offsets told of a and of b."""

_NO_PLACE = re.compile(
    r"crc|check|sum|adler|counter|cookie|serial|flags|digest|hash|md5|sha\d|id\Z"
    r"|note|link|stream|time|date|version|strings"
)
"""Kinds of facts that follow from bytes, not from places and sizes."""
_HEX = re.compile(r"0x[0-9a-f]{1,16}")
_MEASURED = re.compile(
    r"elf\.(?:section\.sh_(?:addr|offset)\Z|segment\.p_(?!align)|header\.e_entry\Z|symbol\.st_)"
)
"""Kinds of which each value is a place or a size, and moved by what lies before it."""


@dataclass(slots=True)
class Ledger:
    """The spans of one pair of streams that normalising replaces, and by what on both sides.

    Spans are (offset, size) in the stream less `shifts`. What overlaps is one.
    """

    shifts: tuple[int, int] = (0, 0)
    _edits: "tuple[list[tuple[int, int, bytes]], list[tuple[int, int, bytes]]]" = field(
        default_factory=lambda: ([], [])
    )
    _behind: list[bytes] = field(default_factory=lambda: [b"", b""])
    broken: bool = False
    """Whether something in the streams could not be normalised."""
    moves: set[int] = field(default_factory=lambda: {0})
    """How far places moved from a to b, and by how much sizes changed."""
    frames: set[Route] = field(default_factory=set)
    """Where something was told that follows from code."""
    _still: bool = True
    _elsewhere: set[tuple[Span | None, Span | None]] = field(default_factory=set)
    layouts: set[Route] = field(default_factory=set)
    """Where something was told that follows from where other things lie."""
    follows: "list[tuple[Fact, Fact, Shifts]]" = field(default_factory=list)
    """Facts that are places or sizes and follow from what moved."""

    @property
    def still(self) -> bool:
        """Whether no root moved anything: then no place and no size can differ in consequence."""
        return self._still

    def impossible(self) -> "list[tuple[Fact, Fact, Shifts]]":
        """The facts that do not follow from what moved: nothing did, or nothing that far."""
        if len(self.moves) > MOST_MOVES:
            return []
        far = {one - other for one in self.moves for other in self.moves}
        far |= {place for one in far if one for place in _aligned(one)}
        return [
            (left, right, shifts)
            for left, right, shifts in self.follows
            if self.still or (_MEASURED.match(left.kind) and _far(left, right) not in far)
        ]

    def moved(self, a: Span | None, b: Span | None, *, derived: bool = False) -> None:
        """Note how far something moved and by how much its size changed. What is `derived` moved
        since something else did."""
        if a is None or b is None:
            far = {(b or (0, 0))[1] - (a or (0, 0))[1]}
        else:
            far = {b[0] - a[0], sum(b) - sum(a), b[1] - a[1]}
        self.moves |= far
        self._still = self._still and (derived or far == {0})

    def repacked(self) -> None:
        """Note that packed bytes stand for a content that differs: their size may be any."""
        self._still = False

    def follow_facts(self, left: Fact, right: Fact, shifts: Shifts) -> None:
        """Note two facts of which each follows from its own side."""
        if follows_places(left.kind) and _far(left, right) is not None:
            self.follows.append((left, right, shifts))

    def replace(
        self,
        a: Span | None,
        b: Span | None,
        normal: bytes = b"",
        *,
        derived: bool = False,
        normals: tuple[bytes, bytes] | None = None,
    ) -> None:
        """Both spans become `normal`, or each its own of `normals`; they differ in consequence of
        others if `derived`."""
        self.moved(a, b, derived=derived)
        if normal and (a, b) in self._elsewhere:
            self.follow(0, normal)
            self.follow(1, normal)
            normal = b""
        for side, span in enumerate((a, b)):
            if span is not None:
                own = normals[side] if normals else normal
                self._edits[side].append((span[0] - self.shifts[side], span[1], own))

    def elsewhere(self, a: Span, b: Span) -> None:
        """What these spans become follows the stream: they lie at different places in it."""
        self._elsewhere.add((a, b))

    def follow_from(self, side: int, span: Span) -> None:
        """A span of one side follows from what else that side says."""
        self._edits[side].append((span[0] - self.shifts[side], span[1], b""))

    def sort(self, side: int, blob: Blob, at: int, spans: Iterable[Span]) -> None:
        """Of a part of the stream that starts at `at` and holds these spans, all that is known
        is what is in them, not in which order; what was replaced there stays replaced."""
        start = at - self.shifts[side]
        inside = sorted(edit for edit in self._edits[side] if start <= edit[0] < start + blob.size)
        starts = [edit[0] for edit in inside]
        data = blob.read()
        texts: list[bytes] = []
        for place, size in spans:
            number = bisect_right(starts, start + place) - 1
            edit = inside[number] if number >= 0 else None
            if edit is None or edit[0] + edit[1] <= start + place:
                texts.append(data[place : place + size])
            elif edit[0] == start + place and edit[2]:
                texts.append(edit[2])
        self._edits[side].append((start, blob.size, b"\n".join(sorted(texts))))

    def clear(self) -> None:
        """Forget all: the streams are looked at anew, in another way."""
        self._edits = ([], [])
        self._behind = [b"", b""]
        self.broken = False
        self.moves = {0}
        self._still = True
        self._elsewhere = set()
        self.frames = set()
        self.layouts = set()
        self.follows = []

    def follow(self, side: int, normal: bytes) -> None:
        """What follows the stream of one side when it is normalised."""
        self._behind[side] += normal

    def equal(self, a: Blob, b: Blob) -> bool:
        """Whether both streams are the same once normalised."""
        if self.broken:
            return False
        left, right = _Reader(self.chunks(0, a)), _Reader(self.chunks(1, b))
        while True:
            one, two = left.some(), right.some()
            if not one or not two:
                return not one and not two
            size = min(len(one), len(two))
            if one[:size] != two[:size]:
                return False
            left.skip(size)
            right.skip(size)

    def chunks(self, side: int, blob: Blob) -> Iterator[bytes]:
        """One side, normalised."""
        yield from normalised(blob, self._edits[side])
        yield self._behind[side]


def follows_places(kind: str) -> bool:
    """Whether a consequence of this kind follows from where things lie, not from what they are."""
    return not _NO_PLACE.search(kind)


def _number(fact: Fact) -> tuple[str, int] | None:
    """A fact's value as a number, where it is one, or is written in hexadecimal, with the name of
    what it is counted from."""
    if isinstance(fact.value, str):
        name, plus, digits = fact.value.rpartition("+")
        return (name + plus, int(digits, 16)) if _HEX.fullmatch(digits) else None
    return None if fact.value is None or isinstance(fact.value, bool) else ("", fact.value)


def _aligned(far: int) -> Iterator[int]:
    """How far something may move that is aligned, behind something that moved so far."""
    for size in (4, 8, 16, 32, 64):
        yield from (far // size * size, far // size * size + size)


def _far(left: Fact, right: Fact) -> int | None:
    """How far two places of one sort are from each other."""
    one, two = _number(left), _number(right)
    return None if one is None or two is None or one[0] != two[0] else two[1] - one[1]


def normalised(blob: Blob, edits: Iterable[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """A stream with each (offset, size) replaced; of spans that overlap, the first one counts
    and the others only add to what is taken out."""
    at = 0
    for start, size, normal in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < at:
            at = max(at, start + size)
            continue
        yield from _raw(blob, at, start)
        if normal:
            yield normal
        at = start + size
    yield from _raw(blob, at, blob.size)


def _raw(blob: Blob, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, min(end, blob.size), CHUNK):
        yield blob.read(at, min(CHUNK, end - at))


class _Reader:
    """Chunks of any sizes, read by parts."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def some(self) -> memoryview:
        """What comes next; empty at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest = memoryview(chunk)
        return self._rest

    def skip(self, size: int) -> None:
        self._rest = self._rest[size:]
