"""Where two listings differ: rows aligned by what they say, not by where they lie.

Rows that say the same and differ in bytes only by places that moved (an operand that follows
from another address) are one consequence; the same rows in another order are one difference.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from sxdiff.compare.align import Change
from sxdiff.compare.lines import Text, excerpt, unified
from sxdiff.compare.places import PADDING, Aligned, Places
from sxdiff.compare.ranges import addressed, differing, one_by_one
from sxdiff.model import Blob, Difference, Listing, Member, Row, Span, Value, text_of

SPACED = frozenset({"xml"})
"""Formats whose rows differ in white space alone where they differ in bytes: it follows from
nothing, and may say something (a script, a preformatted text)."""
MOST_ENDS = 1000
"""Changed rows up to which one that is only on one side is looked for at the ends of others."""
_PADDING = PADDING.encode() + b"\n"


def differences(
    a: Blob,
    b: Blob,
    left: Member,
    right: Member,
    places: Places,
    shifts: tuple[int, int],
    followed: Callable[[Span, Span], None] | None = None,
    elsewhere: Callable[[Span, Span], None] | None = None,
) -> list[Difference]:
    """The differences of two contents that are listings of one format, in order.

    `shifts` is added to the offsets told. `followed` is told each pair of rows that is counted in
    a consequence, `elsewhere` each that changed and moved past others. Raises `FormatError`
    where a side can't be listed.
    """
    found = places.aligned(left, right, (a, b))
    one, two = _Side(a, left, found, 0, shifts[0]), _Side(b, right, found, 1, shifts[1])
    kind = one.listing.format
    reordered = _are_reordered(one.text.lines, two.text.lines)
    out: list[Difference] = [_order(kind, one, two)] if reordered else []
    padding: list[Difference] = []
    follow = _Following(shifts, followed)
    unordered = one.listing.unordered and two.listing.unordered
    equal = _elsewhere(found) if unordered else []
    gone = [*found.moved, *equal]
    for row_a, row_b in () if reordered else equal:
        follow.add(one.rows[row_a], two.rows[row_b], len(one.bytes_of(row_a)))
    at_a = at_b = 0
    for change in [*found.changes, (len(one.rows),) * 2 + (len(two.rows),) * 2]:
        for place_a, place_b in zip(range(at_a, change[0]), range(at_b, change[2]), strict=True):
            here, there = one.bytes_of(place_a), two.bytes_of(place_b)
            rows = one.rows[place_a], two.rows[place_b]
            if here == there:
                # where nothing got longer, a row that lies elsewhere has moved past another
                if a.size == b.size and rows[0].at != rows[1].at and not reordered:
                    follow.add(*rows, len(here))
                continue
            if _same_places(*rows, found, places):
                follow.add(rows[0], rows[1], differing(here, there))
            else:
                out.append(_moved(kind, one, two, place_a, place_b))
        at_a, at_b = change[1], change[3]
        # the same bytes may be other rows: what is padding depends on the place
        if reordered or one.bytes_from(*change[:2]) == two.bytes_from(*change[2:]):
            continue
        parts = _padding_apart(one, two, _without(change, gone))
        if one.listing.separate and two.listing.separate:
            parts = (each for part in parts for each in one_by_one(part))
        for part in parts:
            if _is_padding(one, two, part):
                padding.append(replace(_changed(kind, one, two, part), derived=True))
            elif unordered and _is_tail(found, part):
                out.append(replace(_changed(kind, one, two, part), derived=True))
            else:
                out.append(_changed(kind, one, two, part))
    for row_a, row_b in () if reordered else found.moved:
        if elsewhere:
            elsewhere(one.span(row_a), two.span(row_b))
        out.append(_changed(kind, one, two, (row_a, row_a + 1, row_b, row_b + 1)))
    out += [replace(each, kind=f"{kind}.padding") for each in padding]
    if follow.count:
        layout = follow.told(f"{kind}.layout")
        out.append(replace(layout, derived=kind not in SPACED))
    return out


def _are_reordered(ours: Sequence[bytes], theirs: Sequence[bytes]) -> bool:
    """Whether both are the same rows in another order, whatever padding lies between them."""
    sides = [[line for line in lines if line != _PADDING] for lines in (ours, theirs)]
    return sides[0] != sides[1] and sorted(sides[0]) == sorted(sides[1])


def _elsewhere(found: Aligned) -> list[tuple[int, int]]:
    """Rows that the other side has, too, at another place: where that means nothing."""
    free: dict[bytes, list[int]] = {}
    for _, _, b0, b1 in found.changes:
        for row in range(b0, b1):
            free.setdefault(found.lines[1][row], []).append(row)
    out = []
    for a0, a1, _, _ in found.changes:
        for row in range(a0, a1):
            line = found.lines[0][row]
            if line != _PADDING and (same := free.get(line)):
                out.append((row, same.pop(0)))
    return out


def _is_tail(found: Aligned, change: Change) -> bool:
    """Whether rows of one side are ends of what changed on the other: there they need none of
    their own."""
    a0, a1, b0, b1 = change
    side, rows = (0, range(a0, a1)) if b0 == b1 else (1, range(b0, b1))
    if (a0 < a1 and b0 < b1) or sum(one[1] - one[0] for one in found.changes) > MOST_ENDS:
        return False
    lines = [
        found.lines[1 - side][row]
        for one in found.changes
        for row in range(one[2 - 2 * side], one[3 - 2 * side])
    ]
    return all(any(line.endswith(found.lines[side][row]) for line in lines) for row in rows)


class _Side:
    """One content as rows without gaps, with their texts as the lines of a text."""

    def __init__(self, blob: Blob, member: Member, found: Aligned, side: int, shift: int) -> None:
        assert isinstance(member.inside, Listing)  # noqa: S101 - the closer's own choice
        self.listing = member.inside
        self.member = member
        self.rows = found.rows[side]
        self.data = blob.read()
        self.shift = shift
        ends = [row.at[0] for row in self.rows] + [blob.size]
        self.text = Text(found.lines[side], ends, 1, blob, shift, numbered=False)

    def value(self, start: int, end: int) -> Value:
        """The rows from `start` to `end` as one side of a difference."""
        return addressed(self.text.value(start, end), self.member, self.text.ends[start])

    def bytes_of(self, place: int) -> bytes:
        at, size = self.rows[place].at
        return self.data[at : at + size]

    def bytes_from(self, start: int, end: int) -> bytes:
        """The bytes of the rows from `start` to `end`."""
        return self.data[self.text.ends[start] : self.text.ends[end]]

    def span(self, place: int) -> Span:
        """Where a row lies in the stream."""
        at, size = self.rows[place].at
        return at + self.shift, size

    def source(self, place: int) -> str | None:
        if self.member.source is None or place >= len(self.rows):
            return None
        return self.member.source(self.rows[place].at[0])


def _same_places(here: Row, there: Row, found: Aligned, places: Places) -> bool:
    """Whether all places that two rows refer to are the same; one without a name is an offset
    of the listing itself."""
    return len(here.refers) == len(there.refers) and all(
        places.alike(one, two)
        if one[0] and two[0]
        else one[0] == two[0] and found.same(one[1], two[1])
        for one, two in zip(here.refers, there.refers, strict=True)
    )


def _without(change: Change, moved: Sequence[tuple[int, int]]) -> Iterator[Change]:
    """A change without the rows that moved elsewhere, which are told on their own."""
    a0, a1, b0, b1 = change
    gone = sorted(row for row, _ in moved if a0 <= row < a1)
    come = sorted(row for _, row in moved if b0 <= row < b1)
    if not gone and not come:
        if a0 < a1 or b0 < b1:
            yield change
        return
    spans_a, spans_b = list(_between(a0, a1, gone)), list(_between(b0, b1, come))
    for one, two in zip_longest(spans_a, spans_b):
        yield *(one or (a1, a1)), *(two or (b1, b1))


def _padding_apart(one: _Side, two: _Side, changes: Iterable[Change]) -> Iterator[Change]:
    """Changes without the padding at their ends, which is one of its own."""
    for a0, a1, b0, b1 in changes:
        start_a, end_a = _unpadded(one.rows, a0, a1)
        start_b, end_b = _unpadded(two.rows, b0, b1)
        pieces = (
            (a0, start_a, b0, start_b),
            (start_a, end_a, start_b, end_b),
            (end_a, a1, end_b, b1),
        )
        yield from (one for one in pieces if one[0] < one[1] or one[2] < one[3])


def _unpadded(rows: Sequence[Row], start: int, end: int) -> tuple[int, int]:
    """Where the rows that are no padding start and end."""
    while start < end and rows[end - 1].text == PADDING:
        end -= 1
    while start < end and rows[start].text == PADDING:
        start += 1
    return start, end


def _is_padding(one: _Side, two: _Side, change: Change) -> bool:
    """Whether nothing but padding comes or goes: what is around it says how much there is."""
    a0, a1, b0, b1 = change
    return all(row.text == PADDING for row in (*one.rows[a0:a1], *two.rows[b0:b1]))


def _between(start: int, end: int, gone: Sequence[int]) -> Iterator[tuple[int, int]]:
    for row in (*gone, end):
        if start < row:
            yield start, row
        start = row + 1


def _order(kind: str, one: _Side, two: _Side) -> Difference:
    """The same rows in another order: those from the first to the last that has moved."""
    ours, theirs = one.text.lines, two.text.lines
    least = min(len(ours), len(theirs))
    first = next(place for place in range(least) if ours[place] != theirs[place])
    rest = least - first
    behind = next((n for n in range(rest) if ours[-1 - n] != theirs[-1 - n]), rest)
    lasts = len(ours) - behind, len(theirs) - behind
    size = differing(
        one.data[one.text.ends[first] : one.text.ends[lasts[0]]],
        two.data[two.text.ends[first] : two.text.ends[lasts[1]]],
    )
    told = [side.value(first, last) for side, last in zip((one, two), lasts, strict=True)]
    return Difference(f"{kind}.order", told[0], told[1], bytes=size, count=1)


def _changed(kind: str, one: _Side, two: _Side, change: Change) -> Difference:
    a0, a1, b0, b1 = change
    size = differing(
        one.data[one.text.ends[a0] : one.text.ends[a1]],
        two.data[two.text.ends[b0] : two.text.ends[b1]],
    )
    return Difference(
        kind,
        one.value(a0, a1),
        two.value(b0, b1),
        bytes=size,
        symbol=_label([*one.rows[a0:a1], *two.rows[b0:b1]]),
        source=one.source(a0) or two.source(b0),
        diff=excerpt(unified(one.text, two.text, change)),
    )


def _moved(kind: str, one: _Side, two: _Side, place_a: int, place_b: int) -> Difference:
    """A row that says the same but refers to something else."""
    rows = one.rows[place_a], two.rows[place_b]
    told = [
        Value(
            f"{row.text} ({', '.join(f'{name}+{at:#x}' for name, at in row.refers)})",
            (row.at[0] + side.shift, row.at[1]),
        )
        for row, side in zip(rows, (one, two), strict=True)
    ]
    return Difference(
        kind,
        told[0],
        told[1],
        bytes=differing(one.bytes_of(place_a), two.bytes_of(place_b)),
        symbol=_label(rows),
        source=one.source(place_a) or two.source(place_b),
    )


def _label(rows: Iterable[Row]) -> str | None:
    return next((row.label for row in rows if row.label), None)


class _Following:
    """Rows that differ only by where things lie, counted."""

    def __init__(
        self, shifts: tuple[int, int], followed: Callable[[Span, Span], None] | None
    ) -> None:
        self._shifts = shifts
        self._followed = followed
        self.count = self.bytes = 0
        self._first: list[Row] = []
        self._ends = [0, 0]

    def add(self, here: Row, there: Row, size: int) -> None:
        self._first = self._first or [here, there]
        for side, row in enumerate((here, there)):  # one side's rows may lie in another order
            self._first[side] = min(self._first[side], row, key=lambda row: row.at)
            self._ends[side] = max(self._ends[side], sum(row.at))
        self.count += 1
        self.bytes += size
        if self._followed:
            self._followed(self._span(here, 0), self._span(there, 1))

    def _span(self, row: Row, side: int) -> Span:
        return row.at[0] + self._shifts[side], row.at[1]

    def told(self, kind: str) -> Difference:
        told = []
        for side in (0, 1):
            start = self._first[side].at[0]
            text = text_of(self._first[side].text.encode("utf-8", "surrogateescape"))
            told.append(Value(text, (start + self._shifts[side], self._ends[side] - start)))
        return Difference(kind, told[0], told[1], bytes=self.bytes, count=self.count, derived=True)
