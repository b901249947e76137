"""Where two streams of bytes differ: ranges, found chunk by chunk, told as differences.

No loop of Python's runs over bytes: chunks are compared whole, and in a chunk that differs the
exclusive or of both (as one large integer) has non-zero bytes exactly where they differ.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeAlias

from sxdiff.compare.align import Change, align
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Difference, Member, Route, Symbol, Value, text_of

CHUNK = 1 << 20
APART = 8
"""Ranges with fewer equal bytes between them are one."""
MOST_RANGES = 64
"""Ranges told one by one in a leaf; what follows is one range more."""
CONTEXT = 8
"""Bytes of context on each side of an excerpt."""
LONGEST = 64
"""Bytes of a range that its excerpt shows."""
LONGEST_TEXT = 1024
"""Bytes up to which a range of strings is told as their text."""
WIDEN = 256
"""Bytes on each side by which a range grows to the printable string that it lies in."""

STRINGS = 16 << 20
"""Size of a differing middle up to which a table of strings is compared string by string."""

SHORTEST = 3
"""Bytes of a string that is told as text although a NUL stands beside it."""

_TABLE = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]{2}[\0\t\n\x20-\x7e\x80-\xff]*\0")
_STRING = re.compile(rb"[^\0]*\0")

_ZEROS = bytes(APART)
_SOME = re.compile(rb"[^\0]")
_PRINTABLE = re.compile(rb"[\t\n\x20-\x7e]+")
_NOT_PRINTABLE = re.compile(rb"[^\t\x20-\x7e]")


@dataclass(frozen=True, slots=True)
class Range:
    """One place where a and b differ, as a span in each, and how many bytes there differ."""

    a: tuple[int, int]
    b: tuple[int, int]
    bytes: int


def equal(a: Blob, b: Blob) -> bool:
    """Whether both streams hold the same bytes."""
    if a.size != b.size:
        return False
    if a == b:
        return True
    return all(left == right for _, left, right in _chunks(a, b, a.size))


def _chunks(a: Blob, b: Blob, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The first `size` bytes of both in steps, with their offset."""
    for at in range(0, size, CHUNK):
        want = min(CHUNK, size - at)
        yield at, a.read(at, want), b.read(at, want)


def _xor(left: bytes, right: bytes) -> bytes:
    """Bytes that are not zero exactly where `left` and `right`, of one length, differ."""
    number = int.from_bytes(left, "little") ^ int.from_bytes(right, "little")
    return number.to_bytes(len(left), "little")


def ranges(a: Blob, b: Blob, most: int = MOST_RANGES) -> list[Range]:
    """Where `a` and `b` differ, in order; empty where they do not.

    Streams of one size are compared position by position; of others, the common start and end
    are left out and what lies between is one range. After `most` ranges, the rest is one range
    from the next to the last differing byte, its bytes counted exactly.
    """
    if a.size != b.size:
        return _middle(a, b)
    out: list[Range] = []
    start = end = differing = 0
    for at, left, right in _chunks(a, b, a.size):
        if left == right:
            continue
        bits = _xor(left, right)
        if len(out) >= most and differing:
            differing += len(bits) - bits.count(0)
            end = at + len(bits.rstrip(b"\0"))
            continue
        for first, last in _runs(bits):
            if differing and at + first - end >= APART and len(out) < most:
                out.append(Range((start, end - start), (start, end - start), differing))
                differing = 0
            if not differing:
                start = at + first
            if len(out) >= most:
                differing += len(bits) - first - bits.count(0, first)
                end = at + len(bits.rstrip(b"\0"))
                break
            differing += last - first - bits.count(0, first, last)
            end = at + last
    if differing:
        out.append(Range((start, end - start), (start, end - start), differing))
    return out


def _runs(bits: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each run of bytes that holds no `APART` zeros in a row."""
    at = 0
    while found := _SOME.search(bits, at):
        end = bits.find(_ZEROS, found.start())
        if end < 0:
            yield found.start(), len(bits.rstrip(b"\0"))
            return
        yield found.start(), end
        at = end


def _middle(a: Blob, b: Blob) -> list[Range]:
    head = common_start(a, b)
    tail = common_end(a, b, head)
    one, two = a.size - head - tail, b.size - head - tail
    if max(one, two) <= STRINGS:
        found = _strings(a, b, head, tail)
        if found:
            return found
    return [Range((head, one), (head, two), max(one, two))]


def _strings(a: Blob, b: Blob, head: int, tail: int) -> list[Range]:
    """The differing groups of NUL-terminated strings, in a table that holds nothing else."""
    tables = _tables(a, b, head, tail)
    if tables is None:
        return []
    (ours, places_a), (theirs, places_b) = tables
    out = []
    for group in align(ours, theirs):
        for a0, a1, b0, b1 in one_by_one(group):
            left, right = b"".join(ours[a0:a1]), b"".join(theirs[b0:b1])
            end = 1 if left and right else 0  # the NUL that both end with
            in_a = (places_a[a0], len(left) - end)
            in_b = (places_b[b0], len(right) - end)
            out.append(Range(in_a, in_b, differing(left, right)))
    return out if len(out) <= MOST_RANGES else []


Table: TypeAlias = tuple[list[bytes], list[int]]
"""Strings, each with its NUL, and their offsets in the stream."""


def _tables(a: Blob, b: Blob, head: int, tail: int) -> tuple[Table, Table] | None:
    """The strings between the common ends, where there is nothing else."""
    before = len(a.read(max(0, head - WIDEN), min(WIDEN, head)).rpartition(b"\0")[2])
    behind = a.read(a.size - tail, WIDEN).find(b"\0") + 1
    if tail and not behind:
        return None
    start = head - before
    sides = [blob.read(start, blob.size - tail + behind - start) for blob in (a, b)]
    if not all(_TABLE.fullmatch(side) for side in sides):
        return None
    pieces = [_STRING.findall(side) for side in sides]
    ours, theirs = ((side, [*accumulate(map(len, side), initial=start)]) for side in pieces)
    return ours, theirs


def string_places(a: Blob, b: Blob) -> dict[int, int] | None:
    """Where the strings of table a that lie between the common ends of both have gone to in b:
    offset to offset; a replaced string goes with the one that replaces it. None where the
    streams are no tables of strings."""
    head = common_start(a, b)
    tail = common_end(a, b, head)
    if max(a.size, b.size) - head - tail > STRINGS:
        return None
    tables = _tables(a, b, head, tail)
    if tables is None:
        return None
    (ours, places_a), (theirs, places_b) = tables
    out: dict[int, int] = {}
    at_a = at_b = 0
    end = (len(ours), len(ours), len(theirs), len(theirs))
    for a0, a1, b0, b1 in [*align(ours, theirs), end]:
        out.update(zip(places_a[at_a:a0], places_b[at_b:b0], strict=True))
        out.update(zip(places_a[a0:a1], places_b[b0:b1], strict=False))
        at_a, at_b = a1, b1
    return out


def one_by_one(group: Change) -> Iterator[Change]:
    """As many rows or strings replaced as there were: each by its own."""
    a0, a1, b0, b1 = group
    if a1 - a0 != b1 - b0 or a1 - a0 > MOST_RANGES:
        yield group
        return
    for step in range(a1 - a0):
        yield a0 + step, a0 + step + 1, b0 + step, b0 + step + 1


def common_start(a: Blob, b: Blob) -> int:
    """Bytes at the start of both that are equal."""
    size = min(a.size, b.size)
    return _common(_chunks(a, b, size), size)


def common_end(a: Blob, b: Blob, head: int) -> int:
    """Bytes at the end of both that are equal, beside the `head` bytes at their start."""
    size = min(a.size, b.size) - head
    return _common(_chunks_back(a, b, size), size)


def differing(left: bytes, right: bytes) -> int:
    """How many bytes differ, counted as in `ranges`, of bytes in memory."""
    if len(left) == len(right):
        return len(left) - _xor(left, right).count(0)
    size = min(len(left), len(right))
    bits = _xor(left[:size], right[:size])
    found = _SOME.search(bits)
    head = found.start() if found else size
    rest = size - head
    bits = _xor(left[len(left) - rest :], right[len(right) - rest :])
    tail = rest - len(bits.rstrip(b"\0"))
    return max(len(left), len(right)) - head - tail


def _common(chunks: Iterator[tuple[int, bytes, bytes]], size: int) -> int:
    """Bytes at the start that are equal, of at most `size`."""
    for at, left, right in chunks:
        if left != right:
            found = _SOME.search(_xor(left, right))
            return at + (found.start() if found else 0)
    return size


def _chunks_back(a: Blob, b: Blob, size: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The last `size` bytes of both from the end, each chunk reversed."""
    for at in range(0, size, CHUNK):
        want = min(CHUNK, size - at)
        left = a.read(a.size - at - want, want)
        right = b.read(b.size - at - want, want)
        # reversed only where needed: `_common` asks no more of equal chunks
        yield (at, left, right) if left == right else (at, left[::-1], right[::-1])


def count_differing(a: Blob, b: Blob) -> int:
    """How many bytes differ, counted as in `ranges`."""
    return sum(found.bytes for found in ranges(a, b, most=0))


def differences(
    a: Blob,
    b: Blob,
    left: Member,
    right: Member,
    where: Route = (),
    shifts: tuple[int, int] = (0, 0),
) -> Iterator[Difference]:
    """The ranges of two leaves, under the kind, the offsets and the symbols of their members.

    A range inside printable text is told as the whole string that it lies in (at most `WIDEN`
    bytes more on each side), since a date or a path can only be known as a whole. `shifts` is
    added to the offsets told.
    """
    symbols: tuple[Sequence[Symbol], Sequence[Symbol]] | None = None
    for found in _widened(a, b, ranges(a, b)):
        as_text = _are_text(a, b, found)
        symbols = symbols or (symbols_of(left), symbols_of(right))
        yield Difference(
            left.kind,
            addressed(value(a, found.a, shifts[0], as_text), left, found.a[0]),
            addressed(value(b, found.b, shifts[1], as_text), right, found.b[0]),
            where,
            found.bytes,
            symbol=_symbol(*symbols, found),
            source=_source(left, found.a[0]) or _source(right, found.b[0]),
            derived=left.derived and right.derived,
        )


def addressed(told: Value, member: Member, at: int) -> Value:
    """The same value with the virtual address of offset `at` of its member, if it has one."""
    return told if member.address is None else replace(told, address=member.address + at)


def symbols_of(member: Member) -> Sequence[Symbol]:
    """The member's symbols, asked for where they were left for later."""
    return member.symbols() if callable(member.symbols) else member.symbols


def _source(member: Member, at: int) -> str | None:
    return member.source(at) if member.source else None


def _symbol(left: Sequence[Symbol], right: Sequence[Symbol], found: Range) -> str | None:
    """The symbol that covers a range: both names where the sides do not agree."""
    names = {covering(left, found.a[0]), covering(right, found.b[0])} - {None}
    return ", ".join(sorted(name for name in names if name)) or None


def _are_text(a: Blob, b: Blob, found: Range) -> bool:
    """Whether both sides of a range are strings, one of them long enough to mean it."""
    if not SHORTEST <= max(found.a[1], found.b[1]) <= LONGEST_TEXT:
        return False
    sides = (a.read(*found.a), b.read(*found.b))
    return all(not side or _PRINTABLE.fullmatch(side) or _are_words(side) for side in sides)


def _widened(a: Blob, b: Blob, found: Sequence[Range]) -> Iterator[Range]:
    last: Range | None = None
    for one in found:
        wide = _widen(a, b, one)
        if last and wide.a[0] < sum(last.a):
            # two changes in one string are one difference
            size_a = max(sum(wide.a), sum(last.a)) - last.a[0]
            size_b = max(sum(wide.b), sum(last.b)) - last.b[0]
            last = Range((last.a[0], size_a), (last.b[0], size_b), last.bytes + wide.bytes)
            continue
        if last:
            yield last
        last = wide
    if last:
        yield last


def _widen(a: Blob, b: Blob, found: Range) -> Range:
    if max(found.a[1], found.b[1]) > WIDEN:
        return found
    before = min(_printable_before(a, found.a[0]), _printable_before(b, found.b[0]))
    behind = min(_printable_from(a, sum(found.a)), _printable_from(b, sum(found.b)))
    grown = before + behind
    wide = Range(
        (found.a[0] - before, found.a[1] + grown),
        (found.b[0] - before, found.b[1] + grown),
        found.bytes,
    )
    return wide if _are_text(a, b, wide) else found


def _are_words(data: bytes) -> bool:
    """Whether these are printable strings with one NUL between them, none too short to mean it."""
    words = data.removesuffix(b"\0").split(b"\0")
    return all(len(word) >= SHORTEST and not _NOT_PRINTABLE.search(word) for word in words)


def _printable_before(blob: Blob, at: int) -> int:
    data = blob.read(max(0, at - WIDEN), min(WIDEN, at))
    stops = list(_NOT_PRINTABLE.finditer(data))
    return len(data) - (stops[-1].end() if stops else 0)


def _printable_from(blob: Blob, at: int) -> int:
    data = blob.read(at, WIDEN)
    stop = _NOT_PRINTABLE.search(data)
    return stop.start() if stop else len(data)


def value(blob: Blob, span: tuple[int, int], told_at: int = 0, as_text: bool = False) -> Value:
    """A span as one side of a difference: its text or hex, and an excerpt with context.

    Where it is longer than the excerpt, size and digest (SHA-256) stand for the rest.
    """
    at, size = span
    whole = size <= LONGEST
    shown = blob.read(at, min(size, LONGEST))
    told = text_of(blob.read(at, size)) if as_text else shown.hex()
    start = max(0, at - CONTEXT)
    excerpt = blob.read(start, at - start + len(shown) + (CONTEXT if whole else 0)).hex()
    if whole:
        return Value(told, (told_at + at, size), excerpt)
    return Value(told, (told_at + at, size), excerpt, size, digest_of(blob.part(at, size)))


def covering(symbols: Sequence[Symbol], at: int) -> str | None:
    """The name that covers the byte at `at`: of several, the one that starts last."""
    found = covering_symbol(symbols, at)
    return found.name if found else None


def covering_symbol(symbols: Sequence[Symbol], at: int) -> Symbol | None:
    """The symbol that covers the byte at `at`: of several, the one that starts last."""
    low, high = 0, len(symbols)
    while low < high:
        middle = (low + high) // 2
        if symbols[middle].at <= at:
            low = middle + 1
        else:
            high = middle
    # an outer symbol may start some symbols before: .L labels, aliases, nested functions
    for symbol in reversed(symbols[max(0, low - 32) : low]):
        if symbol.at <= at < symbol.at + symbol.size:
            return symbol
    return None
