"""Sections of addresses: .init_array, .got, .data.rel.ro, what each word points at.

Source: gABI 4.1, chapter 5, "Initialization and Termination Functions" and "Global Offset
Table".
"""

import struct
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, Listing, Row

MOST_BYTES = 4 << 20
ARRAYS = (schema.SHT_INIT_ARRAY, schema.SHT_FINI_ARRAY, schema.SHT_PREINIT_ARRAY)
NAMES = (".ctors", ".dtors", ".got", ".data.rel.ro", ".opd")
"""How the other sections of addresses start: .got.plt, .data.rel.ro.local, .ctors.65535."""


def pointers(elf: ElfFile, index: int) -> Listing | None:
    """One row a word: the name of what it points at, or its number."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
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
