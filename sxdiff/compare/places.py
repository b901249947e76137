"""Whether two places, one on each side, hold the same thing: what a pointer points at.

An address that moved is a consequence where what it points at is still the same: the same place
of the same symbol, the same string, or the bytes that moved along with everything behind a
change. Places are (member's name, offset in its content) of two paired descriptions.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from sxdiff.compare import ranges
from sxdiff.model import Blob, Member, Symbol

SAMPLE = 64
"""Bytes at a place that are compared where nothing else says what it holds."""

Stored = Callable[[Member], Blob]


class Places:
    """The places of two streams, by the names of their members. `stored` gives a content."""

    def __init__(self, members: Sequence[tuple[Member, Member]], stored: Stored) -> None:
        self._members = {left.name: (left, right) for left, right in members}
        self._stored = stored
        self._maps: dict[str, _Map] = {}

    def same(self, name: str, at_a: int, at_b: int) -> bool:
        """Whether offset `at_a` of member `name` of a holds what `at_b` holds in b."""
        pair = self._members.get(name)
        if pair is None:
            return at_a == at_b
        known = self._maps.get(name)
        if known is None:
            known = self._maps[name] = _Map(*pair, self._stored(pair[0]), self._stored(pair[1]))
        return known.same(at_a, at_b)


class _Map:
    """How the offsets of one member's content on side a go with those on side b."""

    def __init__(self, left: Member, right: Member, a: Blob, b: Blob) -> None:
        self._a, self._b = a, b
        self._symbols = ranges.symbols_of(left), ranges.symbols_of(right)
        self._equal = ranges.equal(a, b)
        self._head = self._tail = 0
        self._strings: Mapping[int, int] | None = None
        self._starts: Sequence[int] = ()
        if not self._equal:
            self._head = ranges.common_start(a, b)
            self._tail = ranges.common_end(a, b, self._head)
            self._strings = ranges.string_places(a, b)
            self._starts = sorted(self._strings or ())

    def same(self, at_a: int, at_b: int) -> bool:
        if self._equal:
            return at_a == at_b
        if at_a < self._head and at_a == at_b:
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
            return here == there
        return self._same_content(at_a, at_b)

    def _same_content(self, at_a: int, at_b: int) -> bool:
        one, two = self._a.read(at_a, SAMPLE), self._b.read(at_b, SAMPLE)
        ends = one.find(b"\0"), two.find(b"\0")
        if ends[0] == ends[1] > 0:  # a string, whatever lies behind it
            return one[: ends[0]] == two[: ends[1]]
        return one == two and (bool(one) or (at_a == self._a.size and at_b == self._b.size))


def _within(symbols: Sequence[Symbol], at: int) -> tuple[str, int] | None:
    """The symbol that covers `at`, and the offset in it."""
    found = ranges.covering_symbol(symbols, at)
    return (found.name, at - found.at) if found else None
