"""Whether two places, one on each side, hold the same thing: what a pointer points at.

An address that moved is a consequence where what it points at is still the same: the same place
of the same symbol, the same string, or the bytes that moved along with everything behind a
change. Places are (member's name, offset in its content) of two paired descriptions.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Protocol, runtime_checkable

from sxdiff.compare import ranges
from sxdiff.compare.align import Change, align
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.model import Blob, FormatError, LimitError, Listing, Member, Row, Symbol

MOST_ROWS = 1_000_000
"""Rows of one listing."""
MOST_KEPT = 16_384
"""Rows of aligned listings that are kept, of those that were made last."""
LONG = 16
"""Bytes of equal rows in one stretch that are no coincidence."""
SAMPLE = 64
"""Bytes at a place that are compared where nothing else says what it holds."""
MOST_PIECES = 4 << 20
"""Bytes of a differing middle up to which data is aligned by its pieces."""
PADDING = "padding"
"""What rows of zeros say, or of other bytes that only fill up to a round place."""
LONGEST_TEXT = 1024
"""Bytes of a text that is looked for where a place does not lie at the start of a row."""
LARGE = 256 << 10
"""Size from which contents must have something in common to be aligned."""
MOST_SAMPLED = 8 << 20
"""Bytes of each that are asked for that."""
COMMON = 8
"""Pieces in a hundred that must be in both; `FEWEST` pieces are enough to say."""
FEWEST = 1000
SIMILAR = 50
"""Share in per cent of the shorter of two texts that must be the start or the end of the longer
one, for it to be the same text that has changed and moved."""
SHORTEST = 6
"""Bytes of such a text, and of what is the same."""
MOST_MOVED = 256
"""Rows on one side only up to which changed ones that moved are looked for."""
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+\0")
_PIECES = re.compile(rb"[^\0\xff\xe8]{6,24}")
_PIECE = re.compile(rb"[^\0]*\0*", re.DOTALL)

Stored = Callable[[Member], Blob]


@runtime_checkable
class Partly(Protocol):
    """Rows of a listing that can be asked for in parts: large code of which little differs."""

    def cuts(self) -> Sequence[int]:
        """Offsets, sorted, at which rows may start anew, without the start and the end."""

    def some(self, blob: Blob, start: int, end: int) -> Iterable[Row]:
        """The rows of `blob`, which is the content from `start` to `end`, two of the cuts."""


class Places:
    """The places of two streams, by the names of their members. `stored` gives a content.

    Names that no member has are those of the `outer` stream, where the members are parts of
    one of its own.
    """

    def __init__(
        self,
        members: Sequence[tuple[Member, Member]],
        stored: Stored,
        outer: "Places | None" = None,
    ) -> None:
        # a gap has the name of what lies before it, and is no place that anything refers to
        self._members = {
            pair[0].name: pair for pair in members if UNTOLD not in (pair[0].kind, pair[1].kind)
        }
        self._stored = stored
        self._outer = outer
        self._maps: dict[str, _Map] = {}
        self._aligned: dict[str, Aligned] = {}
        self._kept = 0

    def same(self, name: str, at_a: int, at_b: int) -> bool:
        """Whether offset `at_a` of member `name` of a holds what `at_b` holds in b.

        So does a text that both hold, wherever it lies, and a row that is only in a with one that
        is only in b: that they are is told where they lie.
        """
        pair = self._members.get(name)
        if pair is None:
            return self._outer.same(name, at_a, at_b) if self._outer else at_a == at_b
        if at_a == at_b == 0:
            return True  # the start of a member is that of its partner
        if all(isinstance(member.inside, Listing) for member in pair):
            try:
                found = self.aligned(*pair)
            except FormatError:
                return at_a == at_b
            return (
                found.same(at_a, at_b)
                or self._same_text(pair, at_a, at_b)
                or (found.replaced(at_a, at_b))
            )
        known = self._maps.get(name)
        if known is None:
            known = self._maps[name] = _Map(*pair, self._stored(pair[0]), self._stored(pair[1]))
        return known.same(at_a, at_b)

    def alike(self, here: tuple[str, int], there: tuple[str, int]) -> bool:
        """Whether a place of a holds what a place of b holds, whatever their members' names.

        A place in a member that only one side has is new there: that is told with the member.
        """
        if here[0] == there[0]:
            return self.same(here[0], here[1], there[1])
        if self._outer:
            known = self._members.get(here[0]), self._members.get(there[0])
            if known == (None, None):
                return self._outer.alike(here, there)
        left, right = self._lone(0, here), self._lone(1, there)
        if left is None or right is None:
            return True
        return left == right != b""

    def _lone(self, side: int, place: tuple[str, int]) -> bytes | None:
        """The text at a place; None where the other side has nothing of the kind."""
        pair = self._members.get(place[0])
        if pair is None:
            return None
        if all(isinstance(member.inside, Listing) for member in pair):
            try:
                if self.aligned(*pair).is_alone(side, place[1]):
                    return None
            except FormatError:
                return b""
        return _text_at(self._stored(pair[side]), place[1])

    def _same_text(self, pair: tuple[Member, Member], at_a: int, at_b: int) -> bool:
        one = _text_at(self._stored(pair[0]), at_a)
        return bool(one) and one == _text_at(self._stored(pair[1]), at_b)

    def aligned(
        self, left: Member, right: Member, contents: tuple[Blob, Blob] | None = None
    ) -> "Aligned":
        """The rows of two members that are listings, whose `contents` may be at hand.

        Raises `FormatError` where a side can't be listed.
        """
        known = self._aligned.get(left.name)
        if known is None:
            a, b = contents or (self._stored(left), self._stored(right))
            if _are_strangers(a, b):
                raise LimitError(f"less than {COMMON} in 100 pieces are in both")
            rows = _partly(a, b, left, right) or (rows_of(a, left), rows_of(b, right))
            known = self._aligned[left.name] = Aligned(*rows)
            unordered = isinstance(left.inside, Listing) and left.inside.unordered
            known.bind(partial(_text_of_row, (a, b), known.rows), unordered=unordered)
            self._kept += known.size
            while self._kept > MOST_KEPT and len(self._aligned) > 1:
                self._kept -= self._aligned.pop(next(iter(self._aligned))).size
        return known


def _text_at(blob: Blob, at: int) -> bytes:
    """The printable text that starts at `at` and ends with a zero; empty where none does."""
    found = _TEXT.match(blob.read(at, LONGEST_TEXT))
    return found[0] if found else b""


def _text_of_row(
    contents: tuple[Blob, Blob], rows: tuple[list[Row], list[Row]], side: int, number: int
) -> bytes:
    """What a row says, if that is nothing but its bytes, a text; else nothing."""
    row = rows[side][number]
    if row.refers or not 1 < len(row.text) <= LONGEST_TEXT:
        return b""
    text = row.text.encode("utf-8", "surrogateescape")
    return text if contents[side].read(row.at[0], len(text)) == text else b""


def _same_names(one: bytes, two: bytes) -> int:
    """As `_similar`, of two paths: the more names they end with alike, the more so."""
    ours, theirs = one.split(b"/"), two.split(b"/")
    least = min(len(ours), len(theirs))
    same = next((n for n in range(least) if ours[-1 - n] != theirs[-1 - n]), least)
    return 0 if not same or min(len(ours), len(theirs)) == 1 else min(999, 900 + 10 * same)


def _similar(one: bytes, two: bytes) -> int:
    """How much of two texts is the same at their starts and ends, in per mille of the longer;
    0 where it is less than `SIMILAR` per cent of the shorter."""
    least = min(len(one), len(two))
    head = _same_start(one, two)
    tail = min(_same_start(one[::-1], two[::-1]), least - head)
    if head + tail < SHORTEST or (head + tail) * 100 < SIMILAR * least:
        return 0
    return 1000 * (head + tail) // max(len(one), len(two))


def _same_start(one: bytes, two: bytes) -> int:
    """Bytes at the start of both that are equal."""
    least = min(len(one), len(two))
    bits = int.from_bytes(one[:least], "little") ^ int.from_bytes(two[:least], "little")
    return ((bits & -bits).bit_length() - 1) // 8 if bits else least


def _are_strangers(a: Blob, b: Blob) -> bool:
    """Whether two long contents have hardly anything in common: aligning them costs much and
    says nothing. Code of one program in two builds shares most pieces, of two programs 2 %."""
    if min(a.size, b.size) < LARGE:
        return False
    ours, theirs = (set(_PIECES.findall(blob.read(0, MOST_SAMPLED))) for blob in (a, b))
    fewer = min(len(ours), len(theirs))
    return fewer >= FEWEST and len(ours & theirs) * 100 < COMMON * fewer


def _partly(a: Blob, b: Blob, left: Member, right: Member) -> tuple[list[Row], list[Row]] | None:
    """The rows of large contents of one size, of which some functions differ: those of all
    others are one row between two of these. None where this is no way to look at them."""
    one, two = (
        (each.inside.rows if isinstance(each.inside, Listing) else None) for each in (left, right)
    )
    if not isinstance(one, Partly) or not isinstance(two, Partly):
        return None
    if a.size != b.size or a.size < LARGE:
        return None
    cuts = [0, *one.cuts(), a.size]
    if cuts != [0, *two.cuts(), b.size]:
        return None
    wanted: list[tuple[int, int]] = []
    for found in ranges.ranges(a, b):
        start = cuts[bisect_right(cuts, found.a[0]) - 1]
        end = cuts[bisect_left(cuts, sum(found.a))]
        if wanted and start < wanted[-1][1]:
            wanted[-1] = wanted[-1][0], max(end, wanted[-1][1])
        else:
            wanted.append((start, end))
    if sum(end - start for start, end in wanted) * 2 > a.size:
        return None
    out: tuple[list[Row], list[Row]] = [], []
    for side, known, blob in ((0, one, a), (1, two, b)):
        rows, at = out[side], 0
        for start, end in (*wanted, (a.size, a.size)):
            if start > at:
                rows.append(Row((at, start - at), "equal on both sides"))
            part = blob.part(start, end - start)
            if end > start:
                out[side].extend(_without_gaps(part, known.some(part, start, end), start))
            at = end
    return out


def _without_gaps(part: Blob, rows: Iterable[Row], start: int) -> list[Row]:
    """The rows of a part that starts at `start` of its content, as `rows_of` gives them."""
    moved = (replace(row, at=(row.at[0] - start, row.at[1])) for row in rows)
    listed = rows_of(part, Member("", part, inside=Listing("", lambda _: moved)))
    return [replace(row, at=(row.at[0] + start, row.at[1])) for row in listed]


def rows_of(blob: Blob, member: Member) -> list[Row]:
    """The rows of a member's listing; bytes that none of them tells are rows of their own."""
    assert isinstance(member.inside, Listing)  # noqa: S101 - the caller's own choice
    rows: list[Row] = []
    at = 0
    for row in member.inside.rows(blob):
        start, size = row.at
        if start < at or size < 0 or start + size > blob.size:
            raise FormatError("rows of a listing overlap or lie outside of it", start)
        if start > at:
            rows.append(_gap(blob, at, start))
        if size:
            rows.append(row)
        at = start + size
        if len(rows) > MOST_ROWS:
            raise LimitError(f"more than {MOST_ROWS} rows", at)
    if at < blob.size:
        rows.append(_gap(blob, at, blob.size))
    return rows


def _gap(blob: Blob, start: int, end: int) -> Row:
    """Bytes that no row tells; zeros are padding, whose length follows from what is around."""
    data = blob.read(start, end - start)
    return Row((start, end - start), data.hex() if data.strip(b"\0") else PADDING)


class Aligned:
    """Two listings: the `lines` of their `rows` (a, b), and the `changes` between them."""

    def __init__(self, a: list[Row], b: list[Row]) -> None:
        self.rows = a, b
        self.lines = _lines(a), _lines(b)
        self.changes: list[Change] = align(*self.lines)
        self.size = len(a) + len(b)
        self._starts = [row.at[0] for row in a], [row.at[0] for row in b]
        self._counts: tuple[Counter[bytes], Counter[bytes]] | None = None
        self._long: list[tuple[int, int, int]] | None = None
        # a stretch of equal rows ends where the change of that number starts
        self._ends = [change[0] for change in self.changes]
        self._bound: tuple[dict[int, int], dict[int, int]] = {}, {}
        self._alone: tuple[set[int], set[int]] | None = None
        self.moved: list[tuple[int, int]] = []

    def same(self, at_a: int, at_b: int) -> bool:
        """Whether two offsets hold the same row, or lie where the same row was changed.

        A place before which rows were inserted is the same as that of the first of them. A row
        that no other says the same as is the same wherever it has moved to. In a table of which
        all entries differ, a place is the same that moved as far as what lies around it.
        """
        row_a, rest_a = self._row(0, at_a)
        row_b, rest_b = self._row(1, at_b)
        if rest_a == rest_b and (self._together(row_a, row_b) or self._moved(row_a, row_b)):
            return True
        return self._in_step(at_a, at_b)

    def is_alone(self, side: int, at: int) -> bool:
        """Whether an offset lies in a row that the other side has nowhere."""
        if self._alone is None:
            lines = self._changed(0), self._changed(1)
            known = (
                {self.lines[0][row] for row in lines[0]},
                {self.lines[1][row] for row in lines[1]},
            )
            self._alone = (
                {row for row in lines[0] if self.lines[0][row] not in known[1]},
                {row for row in lines[1] if self.lines[1][row] not in known[0]},
            )
        return self._row(side, at)[0] in self._alone[side]

    def _changed(self, side: int) -> list[int]:
        """The numbers of the rows in all changes."""
        first = 2 * side
        return [row for change in self.changes for row in range(change[first], change[first + 1])]

    def replaced(self, at_a: int, at_b: int) -> bool:
        """Whether a row that is only in a has given way to one that is only in b, as far as was
        asked before: one row is replaced by one."""
        if not (self.is_alone(0, at_a) and self.is_alone(1, at_b)):
            return False
        row_a, row_b = self._row(0, at_a)[0], self._row(1, at_b)[0]
        bound_a, bound_b = self._bound
        if bound_a.get(row_a, row_b) != row_b or bound_b.get(row_b, row_a) != row_a:
            return False
        bound_a[row_a], bound_b[row_b] = row_b, row_a
        return True

    def bind(self, texts: Callable[[int, int], bytes], *, unordered: bool = False) -> None:
        """Find the texts that changed and moved at once: taken away at one place, and brought
        similar at another. `texts` gives the text of a row of a side, empty where it is none.
        In an `unordered` listing it is not the place that says which text goes with which."""
        rows: tuple[list[tuple[int, int, bytes]], list[tuple[int, int, bytes]]] = [], []
        for number, change in enumerate(self.changes):
            for side in (0, 1):
                for row in range(change[2 * side], change[2 * side + 1]):
                    if self.is_alone(side, self._starts[side][row]) and (text := texts(side, row)):
                        rows[side].append((row, number, text))
                if len(rows[side]) > MOST_MOVED:
                    return
        only = len(rows[0]) == len(rows[1]) == 1
        found = []
        stay: set[tuple[int, int]] = set()
        for row_a, group_a, one in rows[0]:
            for row_b, group_b, two in rows[1]:
                score = max(_similar(one, two), _same_names(one, two) if unordered else 0)
                if score or (only and group_a != group_b):
                    found.append((-score, sorted((row_a, row_b)), row_a, row_b))
                    here = not unordered and group_a == group_b
                    stay.update([(row_a, row_b)] if here else [])
        kept: tuple[set[int], set[int]] = set(), set()
        for _, _, row_a, row_b in sorted(found):
            if row_a in kept[0] or row_b in kept[1]:
                continue  # what is as similar in its own place has not moved
            if (row_a, row_b) in stay:
                kept[0].add(row_a)
                kept[1].add(row_b)
            elif row_a not in self._bound[0] and row_b not in self._bound[1]:
                self._bound[0][row_a], self._bound[1][row_b] = row_b, row_a
                self.moved.append((row_a, row_b))
        rest = [
            sorted((text, row) for row, _, text in side if row not in bound)
            for side, bound in zip(rows, self._bound, strict=True)
        ]
        if unordered and len(rest[0]) == len(rest[1]):
            for (_, row_a), (_, row_b) in zip(*rest, strict=True):
                self._bound[0][row_a], self._bound[1][row_b] = row_b, row_a
                self.moved.append((row_a, row_b))
        if unordered:
            self.moved.sort()

    def _in_step(self, at_a: int, at_b: int) -> bool:
        """Whether a place between long stretches of equal rows has moved as far as one of them."""
        if self._long is None:
            self._long = list(self._stretches())
        number = bisect_right(self._long, at_a, key=lambda one: one[0]) - 1
        if not 0 <= number < len(self._long) - 1:
            return at_a == at_b
        before, behind = self._long[number], self._long[number + 1]
        between = before[1] <= at_a and before[1] + before[2] <= at_b < behind[0] + behind[2]
        return between and at_b - at_a in (before[2], behind[2])

    def _stretches(self) -> Iterator[tuple[int, int, int]]:
        """Long stretches of equal rows: where they start and end in a, and how far they moved."""
        ends = [sum(rows[-1].at) if rows else 0 for rows in self.rows]
        starts = [[*places, end] for places, end in zip(self._starts, ends, strict=True)]
        yield 0, 0, 0
        row_a = row_b = 0
        last = (len(self.rows[0]),) * 2 + (len(self.rows[1]),) * 2
        for a0, a1, b0, b1 in [*self.changes, last]:
            start, end = starts[0][row_a], starts[0][a0]
            if end - start >= LONG and starts[1][b0] - starts[1][row_b] == end - start:
                yield start, end, starts[1][row_b] - start
            row_a, row_b = a1, b1
        yield ends[0], ends[0], ends[1] - ends[0]

    def _moved(self, row_a: int, row_b: int) -> bool:
        if row_a >= len(self.lines[0]) or row_b >= len(self.lines[1]):
            return False
        line = self.lines[0][row_a]
        if line != self.lines[1][row_b]:
            return False
        if self._counts is None:
            self._counts = Counter(self.lines[0]), Counter(self.lines[1])
        return self._counts[0][line] == self._counts[1][line] == 1

    def _together(self, row_a: int, row_b: int) -> bool:
        number = bisect_right(self._ends, row_a) - 1
        if number < 0:
            return row_a == row_b
        a0, a1, b0, b1 = self.changes[number]
        if row_a > a1 or (row_a == a1 and row_b == b1):
            return row_a - a1 == row_b - b1
        if a0 == a1 or b0 == b1:
            return b0 <= row_b <= b1
        return row_a < a1 and b0 <= row_b < b1

    def _row(self, side: int, at: int) -> tuple[int, int]:
        """The number of the row at an offset, and how far the offset is from its start."""
        starts, rows = self._starts[side], self.rows[side]
        number = bisect_right(starts, at) - 1
        if number < 0:
            return 0, at
        if number == len(rows) - 1 and at >= sum(rows[number].at):
            return len(rows), at - sum(rows[number].at)
        return number, at - starts[number]


def _lines(rows: Sequence[Row]) -> list[bytes]:
    return [row.text.encode("utf-8", "surrogateescape") + b"\n" for row in rows]


class _Map:
    """How the offsets of one member's content on side a go with those on side b."""

    def __init__(self, left: Member, right: Member, a: Blob, b: Blob) -> None:
        self._a, self._b = a, b
        self._symbols = ranges.symbols_of(left), ranges.symbols_of(right)
        self._equal = ranges.equal(a, b)
        self._head = self._tail = 0
        self._strings: Mapping[int, int] | None = None
        self._starts: Sequence[int] = ()
        self._pieces: _Pieces | None = None
        if not self._equal:
            self._head = ranges.common_start(a, b)
            self._tail = ranges.common_end(a, b, self._head)
            self._strings = ranges.string_places(a, b)
            self._starts = sorted(self._strings or ())

    def same(self, at_a: int, at_b: int) -> bool:
        if self._equal:
            return at_a == at_b
        if at_a == at_b and (at_a < self._head or self._a.size == self._b.size):
            return True
        if at_a > self._a.size - self._tail and at_b - at_a == self._b.size - self._a.size:
            return True
        if self._strings is not None:
            place = bisect_right(self._starts, at_a) - 1
            if place >= 0:
                start = self._starts[place]
                moved = self._strings[start] + (at_a - start) == at_b
                return moved or self._same_content(at_a, at_b)
        here, there = _within(self._symbols[0], at_a), _within(self._symbols[1], at_b)
        if here and there:
            # in a function of another size its places have moved
            return here[:2] == there[:2] or (here[0] == there[0] and here[2] != there[2])
        return self._same_content(at_a, at_b)

    def _same_content(self, at_a: int, at_b: int) -> bool:
        one, two = self._a.read(at_a, SAMPLE), self._b.read(at_b, SAMPLE)
        ends = one.find(b"\0"), two.find(b"\0")
        if ends[0] == ends[1] > 0:  # a string, whatever lies behind it
            return one[: ends[0]] == two[: ends[1]]
        if one == two:
            return bool(one) or (at_a == self._a.size and at_b == self._b.size)
        if self._pieces is None:
            self._pieces = _Pieces(self._a, self._b, self._head, self._tail)
        return self._pieces.same(at_a, at_b)


class _Pieces:
    """The middles of two contents, cut behind zeros and aligned: tables of numbers in which all
    entries differ keep their place between what does not."""

    def __init__(self, a: Blob, b: Blob, head: int, tail: int) -> None:
        self._groups: list[Change] = []
        sizes = a.size - head - tail, b.size - head - tail
        if max(sizes) > MOST_PIECES:
            return
        ours, theirs = (
            _PIECE.findall(blob.read(head, size))[:-1]
            for blob, size in zip((a, b), sizes, strict=True)
        )
        ends_a, ends_b = ([*accumulate(map(len, side), initial=head)] for side in (ours, theirs))
        at_a = at_b = 0
        for a0, a1, b0, b1 in [*align(ours, theirs), (len(ours),) * 2 + (len(theirs),) * 2]:
            for one, end, two, last in ((at_a, a0, at_b, b0), (a0, a1, b0, b1)):
                if end > one or last > two:
                    group = ends_a[one], ends_a[end], ends_b[two], ends_b[last]
                    self._groups.append(group)
            at_a, at_b = a1, b1

    def same(self, at_a: int, at_b: int) -> bool:
        """Whether two offsets are as far from the start, or from the end, of one group."""
        number = bisect_right(self._groups, at_a, key=lambda group: group[0]) - 1
        if number < 0:
            return False
        a0, a1, b0, b1 = self._groups[number]
        if not (a0 <= at_a < a1 and b0 <= at_b < b1):
            return False
        return at_a - a0 == at_b - b0 or a1 - at_a == b1 - at_b


def _within(symbols: Sequence[Symbol], at: int) -> tuple[str, int, int] | None:
    """The symbol that covers `at`, the offset in it, and its size."""
    found = ranges.covering_symbol(symbols, at)
    return (found.name, at - found.at, found.size) if found else None
