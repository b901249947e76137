"""Sections of addresses: .init_array, .got, .data.rel.ro, what each word points at.

Source: gABI 4.1, chapter 5, "Initialization and Termination Functions" and "Global Offset
Table".
"""

import re
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias, cast

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Layout, Section
from sxdiff.model import Blob, FormatError, Listing, Row

MOST_BYTES = 4 << 20
MOST_RELOCATIONS = 16 << 20
"""Bytes of a table of relocations that is read for what it says of data."""
KEPT, KEPT_PLACES, KEPT_SLICES = "elf.relocated", "elf.relocated.places", "elf.slices"
TEXTS = ".rodata"
MOST_TEXTS = 16 << 20
"""Bytes of .rodata in which texts are looked for."""
SHORTEST, LONGEST = 4, 4096
"""Bytes of a text whose size is kept beside its address."""
_TEXT = re.compile(rb"[\t\n\x20-\x7e]+")

Relocated: TypeAlias = tuple[str, int | None]
Said: TypeAlias = tuple[str, tuple[tuple[str, int], ...]]
ARRAYS = (schema.SHT_INIT_ARRAY, schema.SHT_FINI_ARRAY, schema.SHT_PREINIT_ARRAY)
NAMES = (".ctors", ".dtors", ".got", ".data.rel.ro", ".opd")
"""How the other sections of addresses start: .got.plt, .data.rel.ro.local, .ctors.65535."""


def pointers(elf: ElfFile, index: int) -> Listing | None:
    """One row a word: the name of what it points at, or its number."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    if elf.layout.type == schema.ET_REL and section.flags & schema.SHF_ALLOC:
        for one in elf.layout.sections:
            if one.type == schema.SHT_REL and one.info == index:
                return Listing("elf.pointers", partial(_addends, elf, one))
    if section.type not in ARRAYS and not section.name.startswith(NAMES):
        return None
    return Listing("elf.pointers", partial(_rows, elf, index))


def _rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    size = elf.layout.width // 8
    code = elf.layout.order + ("Q" if size == 8 else "I")
    data = blob.read(0, MOST_BYTES)
    data = data[: len(data) - len(data) % size]
    relocatable = elf.layout.type == schema.ET_REL
    known = relocated(elf)
    start = elf.layout.sections[index].address
    # where all addresses are relocated, what is not is a number
    all_known = (
        bool(known)
        and elf.layout.type != schema.ET_EXEC
        and elf.layout.sections[index].name.startswith(".data.rel.ro")
    )
    # s390x has tables of jumps as distances from the global offset table
    table = elf.named(".got") if elf.layout.machine == schema.EM_S390 else None
    half = 1 << (size * 8 - 1)
    kept = slices(elf)
    for number, (value,) in enumerate(struct.iter_unpack(code, data)):
        at = (number * size, size)
        if relocatable:  # addends, if anything
            yield Row(at, f"{value:#x}")
            continue
        found = known.get(start + at[0])
        if found or all_known:
            if found:
                yield Row(at, *placed(elf, found, value))
            elif text_of_size := kept.of_size(start + at[0]):
                yield Row(at, "size", text_of_size)
            else:
                yield Row(at, f"{value:#x}")
            continue
        text, refers = target(elf, value)
        if not text and value >= half and table:
            text, refers = target(elf, table.address + value - 2 * half)
            text = text and f"from {table.name} {text}"
        yield Row(at, text or f"{value:#x}", refers)


def _addends(elf: ElfFile, relocations: Section, blob: Blob) -> Iterator[Row]:
    """Words of a file that is not linked, whose relocations add to what is stored there."""
    layout = elf.layout
    table = layout.table(schema.RELOCATION)
    size = layout.width // 8
    names, split = elf.symbol_names(relocations.link), splitter(layout)
    strings = texts(elf)
    if relocations.size > MOST_RELOCATIONS:
        return
    content = elf.content(relocations)
    data = content.read(0, content.size - content.size % table.size)
    places = sorted((row[0], split(row[1])[0]) for row in table.row.iter_unpack(data))
    end = 0
    for at, symbol in places:
        if at < end or at + size > blob.size:
            continue
        end = at + size
        name = names[symbol] if 0 < symbol < len(names) else f"symbol {symbol}"
        value = int.from_bytes(blob.read(at, size), layout.byteorder)
        if name.startswith("section "):
            section = name.removeprefix("section ")
            yield Row(
                (at, size), "-> text" if section in strings else f"-> {name}", ((section, value),)
            )
        else:
            yield Row((at, size), f"-> {name}" + (f"+{value:#x}" if value else ""))


def texts(elf: ElfFile) -> frozenset[str]:
    """The names of sections of texts, which a relocation tells only as some: one that gets
    longer is aligned otherwise, and so lies in another section."""
    return frozenset(
        one.name
        for one in elf.layout.sections
        if one.has_content and one.flags & schema.SHF_STRINGS
    )


def relocated(elf: ElfFile) -> Mapping[int, Relocated]:
    """What the loader writes where, by address: the name of a symbol that it looks up, and an
    address or what is added to the symbol's; None where that is stored at the place itself.

    None of a table that is damaged or too large.
    """
    known = elf.kept.get(KEPT)
    if known is None:
        out: dict[int, Relocated] = {}
        if elf.layout.type != schema.ET_REL:
            for section in elf.layout.sections:
                try:
                    out.update(_relocated(elf, section))
                except FormatError:
                    continue
        known = elf.kept[KEPT] = out
    return cast("Mapping[int, Relocated]", known)


def slices(elf: ElfFile) -> "Slices":
    """Texts that are kept as an address and a size, as those of Rust are."""
    known = elf.kept.get(KEPT_SLICES)
    if known is None:
        known = elf.kept[KEPT_SLICES] = Slices(_slices(elf) if elf.layout.width == 64 else ())
    return cast("Slices", known)


class Slices:
    """The bounds of such texts in .rodata, and which text each size is of."""

    def __init__(self, found: Iterable[tuple[int, int, int]]) -> None:
        self._of = {address: (start, end) for address, start, end in found}
        self.cuts = sorted({at for bounds in self._of.values() for at in bounds})

    def of_size(self, address: int) -> tuple[tuple[str, int], ...] | None:
        """The places of the first and the last piece of the text of which the size is kept at
        `address`. Texts are told in pieces between all cuts, so they say how long they are."""
        found = self._of.get(address)
        if found is None:
            return None
        last = self.cuts[bisect_left(self.cuts, found[1]) - 1]
        return (TEXTS, found[0]), (TEXTS, last)


def _slices(elf: ElfFile) -> Iterator[tuple[int, int, int]]:
    """Where a size is kept, and where its text starts and ends in .rodata."""
    texts = elf.named(TEXTS)
    places = relocated(elf)
    if texts is None or texts.size > MOST_TEXTS or not texts.has_content or not places:
        return
    data = elf.content(texts).read()
    for section in elf.layout.sections:
        if not section.name.startswith(".data.rel.ro") or section.size > MOST_BYTES:
            continue
        content = elf.content(section).read()
        for at in range(0, len(content) - 15, 8):
            found = places.get(section.address + at)
            size = int.from_bytes(content[at + 8 : at + 16], elf.layout.byteorder)
            if found is None or found[0] or not SHORTEST <= size <= LONGEST:
                continue
            if section.address + at + 8 in places:
                continue
            start = found[1]
            if start is None:
                start = int.from_bytes(content[at : at + 8], elf.layout.byteorder)
            place = start - texts.address
            if 0 <= place <= len(data) - size and _TEXT.fullmatch(data, place, place + size):
                yield section.address + at + 8, place, place + size


def relocated_places(elf: ElfFile) -> Sequence[int]:
    """The addresses that `relocated` knows, sorted."""
    known = elf.kept.get(KEPT_PLACES)
    if known is None:
        known = elf.kept[KEPT_PLACES] = sorted(relocated(elf))
    return cast("Sequence[int]", known)


def _relocated(elf: ElfFile, section: Section) -> Iterator[tuple[int, Relocated]]:
    layout = elf.layout
    if not section.flags & schema.SHF_ALLOC or section.size > MOST_RELOCATIONS:
        return
    size = layout.width // 8
    content = elf.content(section)
    if section.type == schema.SHT_RELR:
        code = layout.order + ("Q" if size == 8 else "I")
        data = content.read(0, content.size - content.size % size)
        at = 0
        for (word,) in struct.iter_unpack(code, data):
            if not word & 1:
                yield word, ("", None)
                at = word + size
                continue
            for bit in range(1, size * 8):
                if word >> bit & 1:
                    yield at + (bit - 1) * size, ("", None)
            at += (size * 8 - 1) * size
    elif section.type in (schema.SHT_REL, schema.SHT_RELA):
        with_addend = section.type == schema.SHT_RELA
        table = layout.table(schema.RELOCATION_WITH_ADDEND if with_addend else schema.RELOCATION)
        names = elf.symbol_names(section.link)
        split = splitter(layout)
        data = content.read(0, content.size - content.size % table.size)
        for row in table.row.iter_unpack(data):
            symbol, _ = split(row[1])
            name = ""
            if symbol:
                name = names[symbol] if symbol < len(names) else f"symbol {symbol}"
            yield row[0], (name, row[2] if with_addend else None)


def splitter(layout: Layout) -> Callable[[int], tuple[int, int]]:
    """Gives a symbol's number and a type of an r_info."""
    if layout.width == 32:
        return lambda info: (info >> 8, info & 0xFF)
    if layout.machine == schema.EM_MIPS and layout.order == "<":
        # r_sym is a word of its own, and three types and a second symbol are bytes behind it
        return lambda info: (
            info & 0xFFFFFFFF,
            int.from_bytes((info >> 32).to_bytes(4, "little"), "big"),
        )
    return lambda info: (info >> 32, info & 0xFFFFFFFF)


def placed(elf: ElfFile, found: Relocated, stored: int) -> Said:
    """What a word says that the loader changes, and where it points at.

    The stored number is said too where the addend lies elsewhere and it is another one.
    """
    name, addend = found
    value = stored if addend is None else addend
    rest = ""
    if addend is not None and stored not in (0, addend):
        # a slot jumps back to its stub until the symbol is looked up
        place = elf.place_of(stored)
        rest = f" over {place[0].name if place else hex(stored)}"
    if name:
        return f"-> {name}" + (f"{value:+#x}" if value else "") + rest, ()
    text, refers = target(elf, value)
    return (text or f"{value:#x}") + rest, refers


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
    inner = bool(name) and "+" in str(name) and not section.flags & schema.SHF_EXECINSTR
    if name and inner and section.has_content:
        # what lies before it in the same object may have grown
        return f"-> in {name.rpartition('+')[0]}", ((section.name, at),)
    if name:
        return f"-> {name}", ()
    if section.flags & schema.SHF_EXECINSTR:
        return f"-> {section.name}", ()
    return f"-> {section.name}", ((section.name, at),)
