"""Sections of data: texts, addresses, tables of jumps, and numbers between them.

Source: none says what lies in data; what is an address is known by its size, so it is looked for
only where no small number can be one. Tables of jumps as GCC and LLVM make them: distances
from the table to the code.
"""

import re
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from heapq import merge

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.pointers import (
    TEXTS,
    Said,
    placed,
    relocated,
    relocated_places,
    slices,
    target,
)
from sxdiff.model import Blob, Listing, Row

MOST_BYTES = 2 << 20
"""Size up to which data is looked into; a larger section is compared as bytes."""
SECTIONS = (
    ".data",
    ".sdata",
    ".rodata",
    ".tdata",
    # what the Go linker makes: values without pointers, types, the table of functions
    ".noptrdata",
    ".go.type",
    ".go.itab",
    ".go.func",
    ".gopclntab",
    ".itablink",
    ".go.module",
)
LOWEST = 0x10000
"""No program of fixed addresses lies below it: the pages that Linux never maps."""
NEAREST, FARTHEST = 16, 1 << 20
"""Bytes between a table of distances and what it points at."""
GO_TABLE = ".gopclntab"
NUMBER = 8
"""Bytes of a row that is only a number."""
SOME = 4
"""Entries of such a table that say in which function it jumps."""
FEWEST = 3
"""Distances in a row that make a table of jumps."""
LONGEST = 256
"""Bytes of a text that is one row; a longer one is told word by word: the texts of Rust and Go
follow each other without an end."""
PADDING = 64
"""Zeros up to which their number is alignment, and no part of what a row says."""
_TEXT = re.compile(
    # a short one is a text where it lies between zeros
    rb"(?:[\t\n\x20-\x7e]{4,}|(?<![^\0])[\x20-\x7e]{1,3}(?=\0))\0{0,%d}|\0+" % PADDING
)
_WORD = re.compile(
    # paths and times are words
    rb"(?:/[\w.+@%~-]+)+/?"
    rb"|(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d)?(?:\.\d{1,9})?Z?)?"
    rb"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d (?:19|20)\d\d"
    rb"(?: [0-2]\d:[0-5]\d:[0-5]\d)?"
    rb"|[A-Za-z0-9_]{0,64}[^A-Za-z0-9_/]{0,8}|/"
)
TIME_SIZES = (4, 8)
FIRST_TIME, LAST_TIME = 946_684_800, 3_471_292_800
"""From 2000 to 2080: what has the name of a time, and a value that is one, is a number."""
_TIME = re.compile("(?i)built|build|date|time|epoch|stamp|created")
GCOV_INIT = b"\0__gcov_init\0"
_GCOV = {
    (order, wide): re.compile(
        rb"(?s)%s%s(?P<stamp>.{4})" % (version, b"\0{12}" if wide else b"\0{4}")
    )
    for order, version in (("<", rb"[*epR]\d\d[A-Z]"), (">", rb"[A-Z]\d\d[*epR]"))
    for wide in (False, True)
}
"""The version of GCC (`B22*` is 12.2), the pointer to the next gcov_info, the stamp."""
_GO_MODULES = re.compile(rb"path\t[^\n]*\n(?:(?:mod|dep|=>|build)\t[^\n]*\n)+")
"""What Go says of a build, as a program can read it (`debug.ReadBuildInfo`)."""


def data(elf: ElfFile, index: int) -> Listing | None:
    """One row a text, an address, a distance or a number."""
    section = elf.layout.sections[index]
    name = section.name
    if elf.layout.type == schema.ET_REL:  # -fdata-sections has one of each for each object
        name = name if section.flags & schema.SHF_STRINGS else f".{name[1:].partition('.')[0]}"
    if name not in SECTIONS:
        return None
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    return Listing("elf.section.content", partial(_rows, elf, index), separate=True)


def _jump(elf: ElfFile, address: int) -> Said:
    """An entry of a table of jumps. Where in a function it jumps to is to be compared by that,
    if the function has a name; else it follows from the code, which has no place by name."""
    place, name = elf.place_of(address), elf.name_at(address)
    refers: tuple[tuple[str, int], ...] = ()
    if place and name and not name.startswith("function "):
        refers = ((place[0].name, place[1]),)
    return f"jump in {_function(elf, address)}", refers


def _function(elf: ElfFile, address: int) -> str:
    """The function that holds an address, with its cold part as one; the section where nothing
    says where functions are."""
    name = elf.name_at(address)
    if name is None:
        return elf.told_address(address).partition("+")[0]
    return (name.rpartition("+")[0] or name).removesuffix(".cold")


class _Labels:
    """The symbols that cover a section's bytes.

    `numbers` are what is known to be one number, however its bytes look, in order: (place, size,
    what it says).
    """

    def __init__(self, elf: ElfFile, index: int, content: bytes) -> None:
        self._symbols = elf.symbols(index)
        self._starts = [symbol.at for symbol in self._symbols]
        order = "little" if elf.layout.order == "<" else "big"
        numbers = [
            (symbol.at, symbol.size, f"number {value}")
            for symbol in self._symbols
            if symbol.size in TIME_SIZES and _TIME.search(symbol.name)
            for value in [
                int.from_bytes(content[symbol.at : symbol.at + symbol.size], order)  # type: ignore[arg-type]  # one of its two literals
            ]
            if FIRST_TIME <= value < LAST_TIME
        ]
        if elf.layout.type == schema.ET_REL:
            numbers += _gcov_stamps(elf, content)
        self.numbers: list[tuple[int, int, str]] = []
        for number in sorted(numbers):
            if not self.numbers or number[0] >= sum(self.numbers[-1][:2]):
                self.numbers.append(number)

    def at(self, place: int) -> str:
        """The last symbol that starts before `place`, if it reaches so far."""
        number = bisect_right(self._starts, place) - 1
        if number < 0:
            return ""
        symbol = self._symbols[number]
        return symbol.name if place < symbol.at + symbol.size else ""


def _rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    content = blob.read(0, MOST_BYTES)
    labels = _Labels(elf, index, content)
    if elf.layout.type == schema.ET_REL:  # relocations say where addresses are, and which
        yield from _plain(labels, content, 0, len(content))
        return
    done = 0
    for start, size, targets in _tables(elf, index, content):
        yield from _addresses(elf, index, content, labels, done, start)
        for number, address in enumerate(targets):
            at = start + size * number
            yield Row((at, size), *_jump(elf, address), labels.at(at))
        done = start + size * len(targets)
    yield from _addresses(elf, index, content, labels, done, len(content))


def _addresses(
    elf: ElfFile, index: int, content: bytes, labels: _Labels, at: int, end: int
) -> Iterator[Row]:
    name = elf.layout.sections[index].name
    cuts = slices(elf).cuts if name == TEXTS else []

    def plain(start: int, end: int) -> Iterator[Row]:
        for cut in cuts[bisect_right(cuts, start) : bisect_left(cuts, end)]:
            yield from _plain(labels, content, start, cut)
            start = cut
        yield from _plain(labels, content, start, end)

    known = _known(elf, index, content, at, end)
    if name == TEXTS:
        known = merge(known, _distances(name, elf.layout.order, content, at, end))
    for place, size, (text, refers) in known:
        if place >= at:
            yield from plain(at, place)
            yield Row((place, size), text, refers, labels.at(place))
            at = place + size
    yield from plain(at, end)


def _known(
    elf: ElfFile, index: int, content: bytes, at: int, end: int
) -> Iterator[tuple[int, int, Said]]:
    """What is an address, with its size: what the loader relocates, and, in files that are
    always loaded at the same addresses, what is one of these."""
    size = elf.layout.width // 8
    code = elf.layout.order + ("Q" if size == 8 else "I")
    if elf.layout.type == schema.ET_EXEC:
        start = at + -at % size
        words = content[start : end - (end - start) % size] if end > start else b""
        for number, (value,) in enumerate(struct.iter_unpack(code, words)):
            if value >= LOWEST:
                said = target(elf, value)
                if said[0] and said[1] and said[1][0][0] == GO_TABLE:
                    more = words[(number + 1) * size : (number + 3) * size]
                    if len(more) == 2 * size and (slice_ := _go_slice(elf, said, more, code)):
                        yield start + number * size, 3 * size, slice_
                        continue
                if said[0]:
                    yield start + number * size, size, said
        return
    base = elf.layout.sections[index].address
    known, places = relocated(elf), relocated_places(elf)
    first = bisect_left(places, base + at)
    for address in places[first : bisect_right(places, base + end - size)]:
        (value,) = struct.unpack_from(code, content, address - base)
        yield address - base, size, placed(elf, known[address], value)


def _distances(
    name: str, order: str, content: bytes, at: int, end: int
) -> Iterator[tuple[int, int, Said]]:
    """Tables of distances to texts, as LLVM makes them of switches: from the table's start back
    to what lies before it."""
    first = at + -at % 4
    count = max(0, end - first) // 4
    words = struct.unpack(f"{order}{count}i", content[first : first + 4 * count])
    number = 0
    while number < len(words):
        base = first + 4 * number
        last = number
        while last < len(words) and -min(base, FARTHEST) <= words[last] < -NEAREST:
            last += 1
        for entry in range(number, last if last - number > 1 else number):
            said = "distance", ((name, base + words[entry]),)
            yield first + 4 * entry, 4, said
        number = max(last, number + 1)


def _go_slice(elf: ElfFile, said: Said, sizes: bytes, code: str) -> Said | None:
    """A slice of Go's table of functions: an address, a length and the same as capacity. Where it
    ends is a place, too."""
    (length,), (capacity,) = struct.iter_unpack(code, sizes)
    section = elf.named(GO_TABLE)
    name, at = said[1][0]
    if length != capacity or not length or section is None or at + length > section.size:
        return None
    return f"slice {said[0]}", ((name, at), (name, at + length))


def _gcov_stamps(elf: ElfFile, content: bytes) -> Iterator[tuple[int, int, str]]:
    """The stamps of GCC's gcov_info (gcc/gcov-io.h): version, a pointer that is relocated, stamp;
    in an object that calls what counts."""
    order, wide = elf.layout.order, elf.layout.width == 64
    pattern = _GCOV[order, wide]
    names = elf.named(".strtab")
    if names is None or GCOV_INIT not in elf.content(names).read(0, MOST_BYTES):
        return
    for found in pattern.finditer(content):
        yield found.start("stamp"), 4, f"gcov stamp {found['stamp'].hex()}"


def _plain(labels: _Labels, content: bytes, at: int, end: int) -> Iterator[Row]:
    """Numbers that are known, and what is between them."""
    numbers = labels.numbers
    for start, size, text in numbers[bisect_left(numbers, (at,)) :]:
        if start + size > end:
            break
        yield from _unknown(labels, content, at, start)
        yield Row((start, size), text, label=labels.at(start))
        at = start + size
    yield from _unknown(labels, content, at, end)


def _unknown(labels: _Labels, content: bytes, at: int, end: int) -> Iterator[Row]:
    """Texts, zeros, and numbers in hex between them."""
    while at < end:
        found = _TEXT.search(content, at, end)
        stop = found.start() if found else end
        for start in range(at, stop, NUMBER):
            size = min(NUMBER, stop - start)
            text = content[start : start + size].hex()
            yield Row((start, size), text, label=labels.at(start))
        if found and len(found[0].rstrip(b"\0")) <= LONGEST:
            text = found[0].rstrip(b"\0").decode("ascii") or _zeros(len(found[0]))
            yield Row((stop, len(found[0])), text, label=labels.at(stop))
        elif found:
            for start, word in _words(content, stop, found.end()):
                text = word.rstrip(b"\0").decode("ascii")
                yield Row((start, len(word)), text, label=labels.at(start))
        at = found.end() if found else end


def _words(content: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """A long text word by word, and what Go says of a build line by line."""
    modules = _GO_MODULES.search(content, at, end)
    if modules:
        yield from _words(content, at, modules.start())
        start = modules.start()
        for line in modules[0].splitlines(keepends=True):
            yield start, line
            start += len(line)
        at = modules.end()
    for word in _WORD.finditer(content, at, end):
        if word[0]:
            yield word.start(), word[0]


def _zeros(size: int) -> str:
    return f"{size} zeros" if size > PADDING else "padding"


def _tables(elf: ElfFile, index: int, content: bytes) -> Iterator[tuple[int, int, Sequence[int]]]:
    """Tables of jumps: where each starts, the size of an entry, the addresses it jumps to.

    One table follows another: all entries of one jump within one function.
    """
    code = [
        (one.address, one.address + one.size)
        for one in elf.layout.sections
        if one.is_loaded and one.flags & schema.SHF_EXECINSTR
    ]
    if not code:
        return
    lowest, highest = min(start for start, _ in code), max(end for _, end in code)
    size = 8 if elf.layout.machine == schema.EM_S390 and elf.layout.width == 64 else 4
    address = elf.layout.sections[index].address
    first = -address % size
    count = max(0, len(content) - first) // size
    letter = "q" if size == 8 else "i"
    words = struct.unpack(
        f"{elf.layout.order}{count}{letter}", content[first : first + count * size]
    )
    found = _Tables(elf, words, size, address + first, (lowest, highest))
    for start, targets in found.tables():
        yield first + start * size, size, targets


class _Tables:
    """Tables of jumps among the words of a section that lies at `address`."""

    def __init__(
        self, elf: ElfFile, words: Sequence[int], size: int, address: int, code: tuple[int, int]
    ) -> None:
        self._elf = elf
        self._words = words
        self._size = size
        self._address = address
        self._code = code

    def tables(self) -> Iterator[tuple[int, list[int]]]:
        """The number of each table's first word, and where its entries jump to."""
        lowest, highest = self._code
        start = 0
        while start <= len(self._words) - FEWEST:
            base = self._address + start * self._size
            jumps = [
                word != 0 and lowest <= base + word < highest
                for word in self._words[start : start + FEWEST]
            ]
            at = self._end(start) if all(jumps) else start
            if at - start < FEWEST:
                start += 1
                continue
            yield start, [self._target(start, number) for number in range(start, at)]
            start = at

    def _end(self, start: int) -> int:
        """Where the table ends that starts here; at its start where none does."""
        function = self._function(start)
        at = start
        while at < len(self._words) and self._is_jump(start, at):
            if self._owner(start, at) != function and at > start:
                # an entry of another function: a cold part, or the next table has started
                other = self._function(at)
                if self._score(at, at, other) > self._score(start, at, function):
                    break
            at += 1
        return at

    def _function(self, start: int) -> str:
        """The function that most of a table's first entries jump to."""
        owners = [self._owner(start, at) for at in self._next(start, start)]
        return max(owners, key=owners.count, default="")

    def _score(self, start: int, at: int, function: str) -> int:
        return sum(self._owner(start, number) == function for number in self._next(start, at))

    def _next(self, start: int, at: int) -> Iterator[int]:
        """Some entries from `at` on of the table that starts at `start`."""
        for number in range(at, min(at + SOME, len(self._words))):
            if not self._is_jump(start, number):
                return
            yield number

    def _is_jump(self, start: int, number: int) -> bool:
        lowest, highest = self._code
        return bool(self._words[number]) and lowest <= self._target(start, number) < highest

    def _target(self, start: int, number: int) -> int:
        return self._address + start * self._size + self._words[number]

    def _owner(self, start: int, number: int) -> str:
        return _function(self._elf, self._target(start, number))
