"""Sections of addresses: .init_array, .got, .data.rel.ro, what each word points at.

Source: gABI 4.1, chapter 5, "Initialization and Termination Functions" and "Global Offset
Table".
"""

import re
import struct
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, Listing, Row, text_of

MOST_BYTES = 4 << 20
ARRAYS = (schema.SHT_INIT_ARRAY, schema.SHT_FINI_ARRAY, schema.SHT_PREINIT_ARRAY)
NAMES = (".ctors", ".dtors", ".got", ".data.rel.ro", ".opd")
"""How the other sections of addresses start: .got.plt, .data.rel.ro.local, .ctors.65535."""
MIXED = (".data", ".sdata", ".tdata")
"""Sections that hold numbers and texts as well. Their addresses are known by their size alone,
so they are looked for only where no small number can be one: in a file of fixed addresses."""
LOWEST = 0x10000
"""No program lies below it: the page that Linux never maps."""
_TEXT = re.compile(rb"[\t\n\x20-\x7e]{4,}\0+|\0+")


def pointers(elf: ElfFile, index: int) -> Listing | None:
    """One row a word: the name of what it points at, or its number."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    if section.name in MIXED and elf.layout.type == schema.ET_EXEC:
        return Listing("elf.data", partial(_mixed_rows, elf, index))
    if section.type not in ARRAYS and not section.name.startswith(NAMES):
        return None
    return Listing("elf.pointers", partial(_rows, elf))


def _rows(elf: ElfFile, blob: Blob) -> Iterator[Row]:
    size = elf.layout.width // 8
    code = elf.layout.order + ("Q" if size == 8 else "I")
    data = blob.read(0, MOST_BYTES)
    data = data[: len(data) - len(data) % size]
    relocatable = elf.layout.type == schema.ET_REL
    # s390x has tables of jumps as distances from the global offset table
    table = elf.named(".got") if elf.layout.machine == schema.EM_S390 else None
    half = 1 << (size * 8 - 1)
    for number, (value,) in enumerate(struct.iter_unpack(code, data)):
        at = (number * size, size)
        if relocatable:  # addends, if anything
            yield Row(at, f"{value:#x}")
            continue
        text, refers = target(elf, value)
        if not text and value >= half and table:
            text, refers = target(elf, table.address + value - 2 * half)
            text = text and f"from {table.name} {text}"
        yield Row(at, text or f"{value:#x}", refers)


def _mixed_rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    """Addresses, and between them texts and words in hex."""
    size = elf.layout.width // 8
    code = elf.layout.order + ("Q" if size == 8 else "I")
    data = blob.read(0, MOST_BYTES)
    end = len(data) - len(data) % size
    done = 0
    for number, (value,) in enumerate(struct.iter_unpack(code, data[:end])):
        if value < LOWEST:
            continue
        text, refers = target(elf, value)
        if not text:
            continue
        at = number * size
        yield from _plain_rows(elf, index, data, done, at)
        yield Row((at, size), text, refers, _label(elf, index, at))
        done = at + size
    yield from _plain_rows(elf, index, data, done, len(data))


def _plain_rows(elf: ElfFile, index: int, data: bytes, at: int, end: int) -> Iterator[Row]:
    while at < end:
        found = _TEXT.search(data, at, end)
        stop = found.start() if found else end
        for start in range(at, stop, 8):
            size = min(8, stop - start)
            text = data[start : start + size].hex()
            yield Row((start, size), text, label=_label(elf, index, start))
        if found:
            text = text_of(found[0].rstrip(b"\0")) or "zeros"
            yield Row((stop, len(found[0])), text, label=_label(elf, index, stop))
        at = found.end() if found else end


def _label(elf: ElfFile, index: int, at: int) -> str:
    name = elf.name_in(index, at)
    return name.partition("+")[0] if name else ""


def target(elf: ElfFile, address: int) -> tuple[str, tuple[tuple[str, int], ...]]:
    """What `address` points at, in words that stay the same where it only moved; the words are
    empty where it points at nothing.

    A place without a name is told by its section, and is to be compared by what it holds. In
    code without names and bounds of functions no place can be told from another by that:
    operands differ in every line where something moved.
    """
    place = elf.place_of(address) if address else None
    if place is None:
        return "", ()
    section, at = place
    name = elf.name_at(address)
    if name:
        return f"-> {name}", ()
    if section.flags & schema.SHF_EXECINSTR:
        return f"-> {section.name}", ()
    return f"-> {section.name}", ((section.name, at),)
