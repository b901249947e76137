"""ELF symbols by section: the name that covers a byte of a section.

Source: gABI 4.1, chapter 4, "Symbol Table" and "String Table"; ELF for the Arm Architecture,
section "Symbol Values" (bit 0 of a Thumb function) and "Mapping symbols" (`$a`, `$x`, `$d`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sxdiff.formats.elf import schema
from sxdiff.model import Blob, FormatError, LimitError, Symbol, text_of

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import Layout, Section

PAGE = 64 << 10
PAGES = 64
"""Pages of one string table that are held at a time: 4 MiB, however large the table is."""
LONGEST = 64 << 10
"""Longest name; mangled C++ and Rust names reach some 10 KiB."""
MOST_SYMBOLS = 1 << 20
"""Symbols of a table that are named; a larger table names nothing."""
MOST_TEXT = 128 << 20
"""Bytes of all names of a table together; names that share an end could ask for far more."""
STEP = 4096
"""Rows read at a time."""


class Strings:
    """A string table, read page by page as its names are asked for."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._pages: dict[int, bytes] = {}

    def text(self, at: int) -> str:
        """The NUL-terminated name at `at`. Raises `FormatError` where it has no end."""
        if at >= self._blob.size:
            raise FormatError(f"name outside its string table of {self._blob.size} bytes", at)
        number, start = divmod(at, PAGE)
        page = self._page(number)
        end = page.find(b"\0", start)
        if end >= 0:
            return text_of(page[start:end])
        name = page[start:] + self._page(number + 1)[:LONGEST]
        end = name.find(b"\0")
        if end < 0:
            raise FormatError(f"name without an end in {LONGEST} bytes", at)
        return text_of(name[:end])

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            if len(self._pages) >= PAGES:
                self._pages.clear()
            page = self._pages[number] = self._blob.read(number * PAGE, PAGE)
        return page


def symbols_by_section(blob: Blob, layout: Layout) -> Mapping[int, tuple[Symbol, ...]]:
    """Symbols that cover bytes, by section index, sorted by place; from .symtab, else .dynsym.

    A table that is damaged names nothing: names only help to read a difference.
    """
    for wanted in (schema.SHT_SYMTAB, schema.SHT_DYNSYM):
        for index, section in enumerate(layout.sections):
            if section.type == wanted and section.size:
                try:
                    return _read(blob, layout, index, section)
                except FormatError:
                    return {}
    return {}


def _read(
    blob: Blob, layout: Layout, index: int, section: Section
) -> Mapping[int, tuple[Symbol, ...]]:
    table = layout.table(schema.SYMBOL_64 if layout.width == 64 else schema.SYMBOL_32)
    if section.size // table.size > MOST_SYMBOLS or section.link >= len(layout.sections):
        return {}
    linked = layout.sections[section.link]
    strings = Strings(blob.part(linked.offset, linked.size))
    places: dict[int, list[tuple[int, int, int]]] = {}
    content = blob.part(section.offset, section.size)
    for name_at, value, size, info, _, owner in symbol_rows(blob, layout, index, content):
        kind = info & 15
        if not name_at or kind in (schema.STT_SECTION, schema.STT_FILE):
            continue
        if not 0 < owner < len(layout.sections):
            continue
        if layout.machine == schema.EM_ARM and kind == 2:
            value &= ~1  # noqa: PLW2901 - bit 0 says Thumb, it is no part of the address
        if layout.type != schema.ET_REL:
            if kind == schema.STT_TLS:
                continue  # counted from the thread's block, not an address
            value -= layout.sections[owner].address  # noqa: PLW2901
        if 0 <= value < layout.sections[owner].size:
            places.setdefault(owner, []).append((value, size, name_at))
    return {
        owner: tuple(_covering(found, strings, layout.sections[owner].size))
        for owner, found in places.items()
    }


def _covering(found: list[tuple[int, int, int]], strings: Strings, end: int) -> Iterator[Symbol]:
    """Symbols in order; one without a size (hand-written assembly) reaches to the next one."""
    found.sort()
    following = end
    reach: list[int] = []
    for place in range(len(found) - 1, -1, -1):
        at, size, _ = found[place]
        if place + 1 < len(found) and found[place + 1][0] > at:
            following = found[place + 1][0]
        reach.append(size or following - at)
    total = 0
    for (at, _, name_at), size in zip(found, reversed(reach), strict=True):
        name = strings.text(name_at)
        total += len(name)
        if total > MOST_TEXT:
            raise LimitError(f"names of symbols of more than {MOST_TEXT} bytes")
        if not name.startswith("$"):
            yield Symbol(at, size, name)


SymbolRow: TypeAlias = tuple[int, int, int, int, int, int]
"""st_name, st_value, st_size, st_info, st_other, and the section's index: SHN_XINDEX resolved,
other reserved ones (absolute, common) negative."""


def symbol_rows(blob: Blob, layout: Layout, index: int, content: Blob) -> Iterator[SymbolRow]:
    """Each symbol of the table `index`, whose bytes are `content`."""
    wide = layout.width == 64
    table = layout.table(schema.SYMBOL_64 if wide else schema.SYMBOL_32)
    indexes = _wide_indexes(blob, layout, index)
    end = content.size - content.size % table.size
    step = table.size * STEP
    number = 0
    for start in range(0, end, step):
        for row in table.row.iter_unpack(content.read(start, min(step, end - start))):
            if wide:
                name_at, info, other, owner, value, size = row
            else:
                name_at, value, size, info, other, owner = row
            if owner == schema.SHN_XINDEX and number < len(indexes):
                owner = indexes[number]
            elif owner >= schema.SHN_LORESERVE:
                owner = -owner
            yield name_at, value, size, info, other, owner
            number += 1


def named_symbols(
    blob: Blob, layout: Layout, index: int, content: Blob | None = None
) -> Iterator[tuple[str, SymbolRow]]:
    """Each symbol of the table `index` with its name.

    A section's symbol has the section's name; the null symbol is `null`. Raises `FormatError`
    where a name lies outside of the string table, `LimitError` where there are too many.
    """
    section = layout.sections[index]
    content = content or blob.part(section.offset, section.size)
    if content.size > MOST_SYMBOLS * 24:
        raise LimitError(f"symbol table of {content.size} bytes")
    strings = None
    if 0 < section.link < len(layout.sections):
        linked = layout.sections[section.link]
        strings = Strings(blob.part(linked.offset, linked.size if linked.has_content else 0))
    total = 0
    for row in symbol_rows(blob, layout, index, content):
        name_at, _, _, info, _, owner = row
        kind = info & 15
        if name_at and strings:
            name = strings.text(name_at) or "unnamed"
        elif kind == schema.STT_SECTION and 0 < owner < len(layout.sections):
            name = layout.sections[owner].name
        else:
            name = f"name {name_at}" if name_at else "null"
        total += len(name)
        if total > MOST_TEXT:
            raise LimitError(f"names of symbols of more than {MOST_TEXT} bytes")
        if kind == schema.STT_FILE:
            name = f"file {name}"
        elif kind == schema.STT_SECTION:
            name = f"section {name}"
        yield name, row


def _wide_indexes(blob: Blob, layout: Layout, index: int) -> Sequence[int]:
    """Section indexes of symbols for which 16 bits are too few: the SHT_SYMTAB_SHNDX section
    that belongs to the symbol table `index`."""
    for section in layout.sections:
        if section.type == schema.SHT_SYMTAB_SHNDX and section.link == index:
            data = blob.part(section.offset, section.size).read(0, 4 * MOST_SYMBOLS)
            count = len(data) // 4
            return struct.unpack(f"{layout.order}{count}I", data[: count * 4])
    return ()
