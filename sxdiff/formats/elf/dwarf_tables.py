"""The tables that DWARF's units point into: abbreviations, ranges, addresses, strings by index,
macros; and the indexes of names and addresses that are made from the units.

Source: DWARF 5, sections 6.1 to 6.3, 7.5.3, 7.7.3, 7.19 to 7.29; DWARF 4, 2.17.3 and 7.23; GNU
split DWARF for tables without a header. An address or an offset of code is told by the place
that it means, since it follows from the code before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sxdiff.formats.elf import dwarf_schema as schema
from sxdiff.formats.elf.dwarf_data import Debug, debug, string_end, uleb
from sxdiff.formats.elf.dwarf_units import read_abbreviation, units
from sxdiff.model import Blob, FormatError, LimitError, Listing, Row, text_of

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import ElfFile

MOST_PLACES = 256 << 10
"""Size up to which tables of nothing but places are listed; larger ones are told as bytes that
follow from what they point at."""
PLACES_ONLY = frozenset(
    {"elf.dwarf.addresses", "elf.dwarf.address_ranges", "elf.dwarf.ranges", "elf.dwarf.index"}
)
MOST_BYTES = 16 << 20
"""Size of a table that is listed; a larger one is compared as bytes."""
LONGEST = 100
"""Characters of a string that labels the entry that refers to it."""
Table: TypeAlias = Callable[[Debug, str, bytes], Iterator[Row]]

RANGE_ENTRIES = {
    0: ("DW_RLE_end_of_list", ""),
    1: ("DW_RLE_base_addressx", "x"),
    2: ("DW_RLE_startx_endx", "xx"),
    3: ("DW_RLE_startx_length", "xu"),
    4: ("DW_RLE_offset_pair", "uu"),
    5: ("DW_RLE_base_address", "a"),
    6: ("DW_RLE_start_end", "aa"),
    7: ("DW_RLE_start_length", "au"),
}
"""DWARF 5, table 7.30: operands u (LEB128 of code), x (an index of an address), a (an address)."""
MACROS = {
    1: ("#define", "us"),
    2: ("#undef", "us"),
    3: ("start of file", "uu"),
    4: ("end of file", ""),
    5: ("#define", "uo"),
    6: ("#undef", "uo"),
    7: ("import", "i"),
    8: ("#define", "ui"),
    9: ("#undef", "ui"),
    10: ("import", "i"),
    11: ("#define", "ux"),
    12: ("#undef", "ux"),
}
"""DWARF 5, table 7.34: operands u (LEB128), s (a string), o (its offset), x (its index)."""


def inside_tables(elf: ElfFile, index: int) -> Listing | None:
    """A teller: the tables beside .debug_info and .debug_line."""
    section = elf.layout.sections[index]
    base = section.name.partition(" ")[0].removesuffix(".dwo")
    found = TABLES.get(base)
    if found is None or section.size > MOST_BYTES:
        return None
    kind, rows = found
    if kind in PLACES_ONLY and section.size > MOST_PLACES:
        return None
    return Listing(kind, partial(_rows, elf, section.name, rows))


def _rows(elf: ElfFile, name: str, rows: Table, blob: Blob) -> Iterator[Row]:
    if blob.size > MOST_BYTES:
        raise LimitError(f"table of more than {MOST_BYTES} bytes")
    data = blob.read()
    known = debug(elf)
    known.use(name, blob)
    try:
        yield from rows(known, name, data)
    except IndexError as error:
        raise FormatError(f"{name}: an entry has no end") from error


def _abbreviations(_known: Debug, _name: str, data: bytes) -> Iterator[Row]:
    at, end = 0, len(data)
    while at < end:
        found = read_abbreviation(data, at)
        if found is None:
            yield Row((at, 1), "end of abbreviations")
            at += 1
            continue
        code, one, behind = found
        words = [
            f"{schema.attribute_name(name)} {schema.form_name(form)}"
            + (f" {constant}" if form == schema.IMPLICIT_CONST else "")
            for name, form, constant in one.forms
        ]
        tag = schema.tag_name(one.tag) + ("" if one.children else " DW_CHILDREN_no")
        yield Row((at, behind - at), f"{tag}: {', '.join(words)}", (), f"abbreviation {code}")
        at = behind


class _Head:
    """The header that tables of DWARF 5 begin with: length, version and two sizes."""

    def __init__(self, known: Debug, data: bytes, at: int, versions: tuple[int, ...]) -> None:
        length, start, self.word = int.from_bytes(data[at : at + 4], known.order), at + 4, 4
        if length == 0xFFFFFFFF:
            length = int.from_bytes(data[at + 4 : at + 12], known.order)
            start, self.word = at + 12, 8
        self.end = start + length
        self.version = int.from_bytes(data[start : start + 2], known.order)
        self.at = start + 2
        if self.end > len(data) or length < 4 or self.version not in versions:
            raise FormatError(f"table of version {self.version}, {length} bytes", at)
        self.rows = [
            Row((at, start - at), "unit_length"),
            Row((start, 2), f"version {self.version}"),
        ]


def _string_offsets(known: Debug, name: str, data: bytes) -> Iterator[Row]:
    strings = ".debug_str.dwo" if ".dwo" in name else ".debug_str"
    at = 0
    while at < len(data):
        try:
            head = _Head(known, data, at, (5,))
        except FormatError:
            if at:
                raise
            yield from _offsets(known, data, 0, len(data), 4, strings)  # GNU: no header
            return
        yield from head.rows
        padding = int.from_bytes(data[head.at : head.at + 2], known.order)
        yield Row((head.at, 2), f"padding {padding}")
        yield from _offsets(known, data, head.at + 2, head.end, head.word, strings)
        at = head.end


def _offsets(
    known: Debug, data: bytes, at: int, end: int, word: int, section: str
) -> Iterator[Row]:
    for place in range(at, end - word + 1, word):
        offset = int.from_bytes(data[place : place + word], known.order)
        label = known.content(section).string(offset)[:LONGEST]
        yield Row((place, word), "string", ((section, offset),), label)


def _addresses(known: Debug, _name: str, data: bytes) -> Iterator[Row]:
    at = 0
    while at < len(data):
        size = known.elf.layout.width // 8
        try:
            head = _Head(known, data, at, (5,))
            yield from head.rows
            size = data[head.at]
            yield Row(
                (head.at, 2), f"address_size {size}, segment_selector_size {data[head.at + 1]}"
            )
            at, end = head.at + 2, head.end
        except FormatError:
            if at:
                raise
            end = len(data)  # GNU: no header
        if size not in (2, 4, 8):
            raise FormatError(f"addresses of {size} bytes", at)
        for place in range(at, end - size + 1, size):
            yield _address_row(known, data, place, size, "address")
        at = end


def _address_row(known: Debug, data: bytes, at: int, size: int, told: str, more: int = 0) -> Row:
    address = int.from_bytes(data[at : at + size], known.order)
    place = known.place(address)
    if place is None:
        return Row((at, size + more), f"{told} {address:#x}")
    return Row((at, size + more), told, (place,))


def _address_ranges(known: Debug, _name: str, data: bytes) -> Iterator[Row]:
    """.debug_aranges (DWARF 5, 6.1.2)."""
    at = 0
    while at < len(data):
        start = at
        head = _Head(known, data, at, (2,))
        yield from head.rows
        offset = int.from_bytes(data[head.at : head.at + head.word], known.order)
        yield Row((head.at, head.word), "debug_info_offset", ((".debug_info", offset),))
        at = head.at + head.word
        size = data[at]
        yield Row((at, 2), f"address_size {size}, segment_selector_size {data[at + 1]}")
        if size not in (2, 4, 8) or data[at + 1]:
            raise FormatError("segmented addresses", at)
        at += 2
        at += -(at - start) % (2 * size)
        while at + 2 * size <= head.end:
            if not any(data[at : at + 2 * size]):
                yield Row((at, 2 * size), "end of ranges")
            else:
                yield _address_row(known, data, at, size, "range", size)
            at += 2 * size
        at = head.end


def range_sets(known: Debug) -> Iterator[tuple[int, int, int]]:
    """Addresses from, to, and the offset of their unit, as .debug_aranges says."""
    content = known.content(".debug_aranges")
    data = content.some(0, min(content.size, MOST_BYTES))
    at = 0
    try:
        while at < len(data):
            head = _Head(known, data, at, (2,))
            offset = int.from_bytes(data[head.at : head.at + head.word], known.order)
            place = head.at + head.word
            size = data[place]
            if size not in (2, 4, 8):
                return
            place += 2
            place += -(place - at) % (2 * size)
            while place + 2 * size <= head.end:
                start = int.from_bytes(data[place : place + size], known.order)
                length = int.from_bytes(data[place + size : place + 2 * size], known.order)
                if length:
                    yield start, start + length, offset
                place += 2 * size
            at = head.end
    except (FormatError, IndexError):
        return


def line_ranges(known: Debug) -> Iterator[tuple[int, int, int]]:
    """Addresses from, to, and the line program of their unit: by .debug_aranges, else by the
    units' own DW_AT_low_pc and DW_AT_high_pc."""
    by_place = {unit.at: unit for unit in units(known)}
    met = False
    for start, end, at in range_sets(known):
        program = by_place[at].root.get(schema.STMT_LIST) if at in by_place else None
        if isinstance(program, int):
            met = True
            yield start, end, program
    if met:
        return
    for unit in by_place.values():
        low, high, program = (
            unit.root.get(name) for name in (schema.LOW_PC, schema.HIGH_PC, schema.STMT_LIST)
        )
        if isinstance(low, int) and isinstance(high, int) and isinstance(program, int) and low:
            # a constant counts from the start (DWARF 4, 2.17.2)
            yield low, high if high > low else low + high, program


def _range_lists(known: Debug, _name: str, data: bytes) -> Iterator[Row]:
    """.debug_rnglists (DWARF 5, 7.25 and 7.28)."""
    at = 0
    while at < len(data):
        head = _Head(known, data, at, (5,))
        yield from head.rows
        at = head.at
        size = data[at]
        count = int.from_bytes(data[at + 2 : at + 6], known.order)
        told = f"address_size {size}, segment_selector_size {data[at + 1]}"
        yield Row((at, 6), f"{told}, {count} offsets")
        at += 6
        if size not in (2, 4, 8) or at + count * head.word > head.end:
            raise FormatError("offsets outside of their table", at)
        if count:
            yield Row((at, count * head.word), "offsets")
            at += count * head.word
        while at < head.end:
            start, kind = at, data[at]
            told, operands = RANGE_ENTRIES.get(kind, ("", "?"))
            at += 1
            if operands == "?":
                raise FormatError(f"entry {kind} of a list of ranges", start)
            met: list[tuple[str, int]] = []
            for operand in operands:
                if operand == "a":
                    place = known.place(int.from_bytes(data[at : at + size], known.order))
                    met += [place] if place else []
                    at += size
                else:
                    _, at = uleb(data, at)
            yield Row((start, at - start), told, tuple(met))
        at = head.end


def _old_ranges(known: Debug, _name: str, data: bytes) -> Iterator[Row]:
    """.debug_ranges (DWARF 4, 2.17.3)."""
    size = known.elf.layout.width // 8
    top = (1 << (8 * size)) - 1
    for at in range(0, len(data) - 2 * size + 1, 2 * size):
        start = int.from_bytes(data[at : at + size], known.order)
        end = int.from_bytes(data[at + size : at + 2 * size], known.order)
        if not start and not end:
            yield Row((at, 2 * size), "end of list")
        elif start == top:
            place = known.place(end)
            yield Row((at, 2 * size), "base address", (place,) if place else ())
        else:
            places = known.place(start), known.place(end)
            refers = (places[0], places[1]) if places[0] and places[1] else ()
            yield Row((at, 2 * size), "range", refers)


def _macros(known: Debug, name: str, data: bytes) -> Iterator[Row]:
    """.debug_macro (DWARF 5, 6.3)."""
    dwo = ".dwo" if ".dwo" in name else ""
    at = 0
    while at < len(data):
        flags = data[at + 2]
        version = int.from_bytes(data[at : at + 2], known.order)
        if version not in (4, 5) or flags & ~3:
            raise FormatError(f"macros of version {version}, flags {flags:#x}", at)
        yield Row((at, 3), f"version {version}, flags {flags:#x}")
        at += 3
        word = 8 if flags & 1 else 4
        if flags & 2:
            offset = int.from_bytes(data[at : at + word], known.order)
            yield Row((at, word), "line table", ((f".debug_line{dwo}", offset),))
            at += word
        while data[at]:
            start = at
            told, operands = MACROS.get(data[at], ("", "?"))
            at += 1
            words = [told]
            refers: tuple[tuple[str, int], ...] = ()
            label = ""
            for operand in operands:
                if operand == "?":
                    raise FormatError(f"macro entry {data[start]}", start)
                if operand == "u":
                    value, at = uleb(data, at)
                    words.append(str(value))
                elif operand == "s":
                    end = string_end(data, at)
                    words.append(text_of(data[at:end]))
                    at = end + 1
                elif operand == "x":
                    _, at = uleb(data, at)
                else:
                    value = int.from_bytes(data[at : at + word], known.order)
                    at += word
                    if operand == "o":
                        section = f".debug_str{dwo}"
                        refers = ((section, value),)
                        label = known.content(section).string(value)[:LONGEST]
            yield Row((start, at - start), " ".join(words), refers, label)
        yield Row((at, 1), "end of macros")
        at += 1


def _made(_known: Debug, name: str, data: bytes) -> Iterator[Row]:
    """An index that is made from the units as a whole."""
    yield Row((0, len(data)), f"index {name}")


TABLES: dict[str, tuple[str, Table]] = {
    ".debug_abbrev": ("elf.dwarf.abbreviations", _abbreviations),
    ".debug_str_offsets": ("elf.dwarf.strings", _string_offsets),
    ".debug_addr": ("elf.dwarf.addresses", _addresses),
    ".debug_aranges": ("elf.dwarf.address_ranges", _address_ranges),
    ".debug_rnglists": ("elf.dwarf.ranges", _range_lists),
    ".debug_ranges": ("elf.dwarf.ranges", _old_ranges),
    ".debug_macro": ("elf.dwarf.macros", _macros),
    ".gdb_index": ("elf.dwarf.index", _made),
    ".debug_names": ("elf.dwarf.index", _made),
    ".debug_pubnames": ("elf.dwarf.index", _made),
    ".debug_pubtypes": ("elf.dwarf.index", _made),
    ".debug_gnu_pubnames": ("elf.dwarf.index", _made),
    ".debug_gnu_pubtypes": ("elf.dwarf.index", _made),
    ".debug_cu_index": ("elf.dwarf.index", _made),
    ".debug_tu_index": ("elf.dwarf.index", _made),
}
