"""Sections of data: texts, addresses, tables of jumps, and numbers between them.

Source: none says what lies in data; what is an address is known by its size, so it is looked for
only where no small number can be one. Tables of jumps as GCC and LLVM make them: distances
from the table to the code.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.pointers import target
from sxdiff.model import Blob, Listing, Row, Symbol

MOST_BYTES = 2 << 20
"""Size up to which data is looked into; a larger section is compared as bytes."""
SECTIONS = (".data", ".sdata", ".rodata", ".tdata")
LOWEST = 0x10000
"""No program of fixed addresses lies below it: the pages that Linux never maps."""
NUMBER = 8
"""Bytes of a row that is only a number."""
FEWEST = 3
"""Distances in a row that make a table of jumps."""
LONGEST = 256
"""Bytes of a text that is one row; a longer one is told word by word: the texts of Rust and Go
follow each other without an end."""
PADDING = 64
"""Zeros up to which their number is alignment, and no part of what a row says."""
_TEXT = re.compile(rb"[\t\n\x20-\x7e]{4,}\0{0,%d}|\0+" % PADDING)
_WORD = re.compile(rb"[A-Za-z0-9_]{0,32}[^A-Za-z0-9_]{0,8}")


def data(elf: ElfFile, index: int) -> Listing | None:
    """One row a text, an address, a distance or a number."""
    section = elf.layout.sections[index]
    if section.name not in SECTIONS or elf.layout.type == schema.ET_REL:
        return None
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    return Listing("elf.section.content", partial(_rows, elf, index))


class _Labels:
    """The symbols that cover a section's bytes."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self._symbols = symbols
        self._starts = [symbol.at for symbol in symbols]

    def at(self, place: int) -> str:
        """The last symbol that starts before `place`, if it reaches so far."""
        number = bisect_right(self._starts, place) - 1
        if number < 0:
            return ""
        symbol = self._symbols[number]
        return symbol.name if place < symbol.at + symbol.size else ""


def _rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    content = blob.read(0, MOST_BYTES)
    labels = _Labels(elf.symbols(index))
    done = 0
    for start, size, targets in _tables(elf, index, content):
        yield from _addresses(elf, labels, content, done, start)
        for number, address in enumerate(targets):
            at = start + size * number
            text = f"jump to {elf.name_at(address) or elf.told_address(address).split('+')[0]}"
            yield Row((at, size), text, label=labels.at(at))
        done = start + size * len(targets)
    yield from _addresses(elf, labels, content, done, len(content))


def _addresses(elf: ElfFile, labels: _Labels, content: bytes, at: int, end: int) -> Iterator[Row]:
    """Addresses, in files that are always loaded at the same ones."""
    if elf.layout.type == schema.ET_EXEC:
        size = elf.layout.width // 8
        start = at + -at % size
        code = elf.layout.order + ("Q" if size == 8 else "I")
        words = content[start : end - (end - start) % size] if end > start else b""
        for number, (value,) in enumerate(struct.iter_unpack(code, words)):
            if value < LOWEST:
                continue
            text, refers = target(elf, value)
            if text:
                place = start + number * size
                yield from _plain(labels, content, at, place)
                yield Row((place, size), text, refers, labels.at(place))
                at = place + size
    yield from _plain(labels, content, at, end)


def _plain(labels: _Labels, content: bytes, at: int, end: int) -> Iterator[Row]:
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
            for word in _WORD.finditer(content, stop, found.end()):
                text = word[0].rstrip(b"\0").decode("ascii")
                yield Row((word.start(), len(word[0])), text, label=labels.at(word.start()))
        at = found.end() if found else end


def _zeros(size: int) -> str:
    return f"{size} zeros" if size > PADDING else "zeros"


def _tables(elf: ElfFile, index: int, content: bytes) -> Iterator[tuple[int, int, Sequence[int]]]:
    """Tables of jumps: where each starts, the size of an entry, the addresses it jumps to.

    Where one table follows another, all are told as distances from the first: that moves
    every address by one and the same distance on both sides.
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
    words = struct.unpack_from(f"{elf.layout.order}{count}{letter}", content, first)
    start = 0
    targets: list[int] = []
    for number, word in enumerate((*words, 0)):
        to = address + first + start * size + word
        if word and lowest <= to < highest:
            targets.append(to)
            continue
        if len(targets) >= FEWEST:
            yield first + start * size, size, targets
        targets = []
        start = number + 1
