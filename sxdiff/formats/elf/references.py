"""What an address or a relocation of an ELF file names: a function, an object, a slot, a place.

Names come from the symbol table, from the relocations of the global offset table and, for the
stubs of the procedure linkage table, from the slots that they jump through.

Source: gABI 4.1, "Symbol Table" and "Relocation"; the psABIs of x86-64, AArch64, Arm, RISC-V
and s390x for the sizes of a PLT's header and entries; OpenPOWER ELFv2 for `st_other`.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.instructions import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_MIPS,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_X86_64,
)
from sxdiff.formats.elf.layout import ElfFile, Section
from sxdiff.formats.elf.symbols import Strings, symbol_rows
from sxdiff.model import FormatError

MOST = 1 << 20
"""Symbols or relocations of one table that are read; of a larger one, none."""
SLOT_BYTES = 1 << 20
"""Size up to which a table of addresses or of stubs is read."""
WINDOW = 256 << 10
"""Bytes of code that are read at once to look for padding."""
SHF_ALLOC, SHF_EXECINSTR = 0x2, 0x4
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_GNU_IFUNC = 0, 1, 2, 10
HASH = re.compile(r"17h[0-9a-f]{16}E$")
"""What rustc puts behind a name: other for each build of a crate with other options."""
CODE = frozenset({STT_FUNC, STT_GNU_IFUNC})

Said: TypeAlias = tuple[str, tuple[tuple[str, int], ...]]
"""A place as a row tells it: its text, and what it refers to."""

# header and entry of .plt by machine, where entries go with .rela.plt in order
_STUBS: Mapping[int, tuple[int, int]] = {
    EM_AARCH64: (32, 16),
    EM_ARM: (20, 12),
    EM_RISCV: (32, 16),
    EM_S390: (32, 32),
}


class RawSymbol(NamedTuple):
    """A row of a symbol table, with the name of the source file that its locals come from."""

    name: str
    value: int
    size: int
    type: int
    bind: int
    other: int
    owner: int
    file: str


class Relocation(NamedTuple):
    """What a relocation at `at` adds to: a symbol's place, by section or only by name."""

    at: int
    symbol: RawSymbol
    addend: int | None


@dataclass(frozen=True, slots=True)
class Extent:
    """A named stretch of a section's code; `known` ones are functions of the symbol table.

    `padding` bytes lie before it.
    """

    at: int
    size: int
    name: str
    known: bool
    padding: int = 0


class References:
    """The places of one file; everything is read when first asked for."""

    def __init__(self, elf: ElfFile, padding: "re.Pattern[bytes]") -> None:
        self._elf = elf
        self._padding = padding
        self.layout = elf.layout
        self._extents: dict[int, Sequence[Extent]] = {}
        self._objects: dict[int, tuple[Sequence[int], Sequence[RawSymbol]]] = {}
        self._words: dict[int, bytes] = {}
        self._window = 0, b""
        self._marks: dict[int, Sequence[tuple[int, str]]] = {}
        spans = [
            (section.address, section.address + section.size, index)
            for index, section in enumerate(self.layout.sections)
            if section.is_loaded
        ]
        self._spans = sorted(spans) if self.layout.type != schema.ET_REL else []
        self._starts = [start for start, _, _ in self._spans]

    def address(self, value: int) -> tuple[int, int] | None:
        """The section that an address lies in (or just behind), and the offset in it."""
        place = bisect_right(self._starts, value) - 1
        if place < 0:
            return None
        start, end, index = self._spans[place]
        return (index, value - start) if value <= end else None

    def holds(self, value: int) -> bool:
        """Whether an address lies in a section."""
        return self.address(value) is not None

    @cached_property
    def symbols(self) -> Sequence[RawSymbol]:
        """All rows of .symtab, or of .dynsym where there is none; none of a damaged table."""
        for wanted in (schema.SHT_SYMTAB, schema.SHT_DYNSYM):
            for index, section in enumerate(self.layout.sections):
                if section.type == wanted and section.size:
                    return self.table(index)
        return ()

    def table(self, index: int) -> Sequence[RawSymbol]:
        """The rows of the symbol table in section `index`."""
        try:
            return self._table(index)
        except FormatError:
            return ()

    def _table(self, index: int) -> list[RawSymbol]:
        layout = self.layout
        section = layout.sections[index]
        linked = self._elf.linked(section)
        if linked is None or section.size > MOST * 24:
            return []
        strings = Strings(self._elf.content(linked))
        out: list[RawSymbol] = []
        file = ""
        content = self._elf.content(section)
        for name_at, stored, size, info, other, place in symbol_rows(
            self._elf.blob, layout, index, content
        ):
            name = strings.text(name_at) if name_at else ""
            kind, bind = info & 15, info >> 4
            owner = place if 0 < place < len(layout.sections) else 0
            if kind == schema.STT_SECTION and owner:
                name = layout.sections[owner].name
            if kind == schema.STT_FILE:
                file = name
            value = stored
            if layout.machine == EM_ARM and kind in CODE:
                value &= ~1  # bit 0 says Thumb, it is no part of the address
            out.append(RawSymbol(name, value, size, kind, bind, other, owner, "" if bind else file))
        return out

    @cached_property
    def _by_section(self) -> Mapping[int, Sequence[tuple[int, RawSymbol]]]:
        """Symbols with a name and a section, as (offset in it, symbol), by section."""
        out: dict[int, list[tuple[int, RawSymbol]]] = {}
        relative = self.layout.type == schema.ET_REL
        sections = self.layout.sections
        for symbol in self.symbols:
            if not symbol.owner or not symbol.name:
                continue
            if symbol.type in (schema.STT_SECTION, schema.STT_FILE, schema.STT_TLS):
                continue
            at = symbol.value - (0 if relative else sections[symbol.owner].address)
            if 0 <= at <= sections[symbol.owner].size:
                out.setdefault(symbol.owner, []).append((at, symbol))
        return out

    def marks(self, index: int) -> Sequence[tuple[int, str]]:
        """Mapping symbols of a section in order: where code (`$a`, `$t`, `$x`) or data (`$d`)
        starts, with the letter."""
        known = self._marks.get(index)
        if known is None:
            known = self._marks[index] = sorted(
                (at, symbol.name[1])
                for at, symbol in self._by_section.get(index, ())
                if symbol.name.startswith(("$a", "$t", "$x", "$d"))
            )
        return known

    def extents(self, index: int) -> Sequence[Extent]:
        """A section's functions and what lies between them, in order and without a gap."""
        known = self._extents.get(index)
        if known is None:
            known = self._extents[index] = list(self._cut(index))
        return known

    def _cut(self, index: int) -> Iterable[Extent]:
        section = self.layout.sections[index]
        found = sorted(
            (
                (at, symbol)
                for at, symbol in self._by_section.get(index, ())
                if symbol.type in CODE and at < section.size
            ),
            key=lambda one: (one[0], -one[1].size, not one[1].bind, one[1].name),
        )
        names = _unique([symbol for _, symbol in found])
        starts = sorted({at for at, _ in found})
        end, before = 0, "start"
        for (at, symbol), name in zip(found, names, strict=True):
            place = bisect_right(starts, at)
            following = starts[place] if place < len(starts) else section.size
            # hand-written assembly gives no size: it reaches to the next function
            reach = min(at + symbol.size if symbol.size else following, section.size)
            if reach <= end:
                continue  # an alias, or an entry inside of another function
            start = max(at, end)
            if start > end:
                yield self._between(section, end, start, before)
            yield Extent(start, reach - start, name, True)
            end, before = reach, name
        if not found:
            yield Extent(0, section.size, section.name, False)
        elif end < section.size:
            yield self._between(section, end, section.size, before)

    def _between(self, section: Section, start: int, end: int, before: str) -> Extent:
        """What lies between two functions: padding, then perhaps code without a name."""
        data = self._near(section, start, end)
        found = self._padding.match(data)
        padding = found.end() if found else 0
        return Extent(start + padding, len(data) - padding, f"after {before}", False, padding)

    def _near(self, section: Section, start: int, end: int) -> bytes:
        """Bytes of a section; those of a short span are read with what lies behind it."""
        first, data = self._window
        at = section.offset + start
        if not first <= at <= section.offset + end <= first + len(data):
            span = min(max(end - start, WINDOW), section.size - start)
            first, data = at, self._elf.content(section).read(start, span)
            self._window = first, data
        return data[at - first : at - first + end - start]

    def relocations(self, index: int) -> Sequence[Relocation]:
        """The relocations of a relocatable file's section `index`, in order of their places."""
        out: list[Relocation] = []
        for section in self.layout.sections:
            if section.type in (schema.SHT_REL, schema.SHT_RELA) and section.info == index:
                out += self._relocations(section)
        return sorted(out, key=lambda one: one.at)

    def _relocations(
        self, section: Section, only: Sequence[tuple[int, int]] = ()
    ) -> Iterable[Relocation]:
        """The rows of a table; those without a symbol, where asked, `only` in some places."""
        linked = section.link
        rela = section.type == schema.SHT_RELA
        wide = self.layout.width == 64
        order = self.layout.order
        row = struct.Struct(order + {True: "QQq", False: "IIi"}[wide][: 2 + rela])
        if section.size // row.size > MOST or not 0 < linked < len(self.layout.sections):
            return
        symbols = self.symbols
        if self.layout.sections[linked].type == schema.SHT_DYNSYM:
            symbols = self._dynamic(linked)
        none = RawSymbol("", 0, 0, 0, 0, 0, 0, "")
        try:
            data = self._elf.content(section).read()
        except FormatError:
            return
        little_mips = wide and self.layout.machine == EM_MIPS and order == "<"
        for at, info, *rest in row.iter_unpack(data[: len(data) - len(data) % row.size]):
            # MIPS has its own order of the parts of r_info
            number = info & 0xFFFFFFFF if little_mips else info >> (32 if wide else 8)
            if only and not number and not any(start <= at < end for start, end in only):
                continue
            symbol = symbols[number] if 0 < number < len(symbols) else none
            yield Relocation(at, symbol, rest[0] if rest else None)

    def _dynamic(self, index: int) -> Sequence[RawSymbol]:
        if self._dynamic_table is None:
            self._dynamic_table = self.table(index)
        return self._dynamic_table

    _dynamic_table: Sequence[RawSymbol] | None = None

    @cached_property
    def _slots(self) -> Mapping[int, Relocation]:
        """The relocations of an executable's data, by address: those of a symbol, and of slots
        of the global offset table."""
        tables = [
            (section.address, section.address + section.size)
            for section in self.layout.sections
            if section.name.startswith(".got")
        ]
        return {
            one.at: one
            for section in self.layout.sections
            if section.type in (schema.SHT_REL, schema.SHT_RELA) and section.flags & SHF_ALLOC
            for one in self._relocations(section, tables)
        }

    @cached_property
    def got(self) -> frozenset[int]:
        """Addresses that code counts the global offset table from."""
        return frozenset(
            section.address
            for section in self.layout.sections
            if section.name in (".got", ".got.plt")
        )

    @cached_property
    def bases(self) -> Mapping[str, int]:
        """Registers that hold one value in all functions."""
        machine = self.layout.machine
        if machine == EM_RISCV:
            for symbol in self.symbols:
                if symbol.name == "__global_pointer$":
                    return {"gp": symbol.value}
        if machine == EM_PPC64:
            for symbol in self.symbols:
                if symbol.name == ".TOC.":
                    return {"r2": symbol.value}
            named = self._elf.named(".got")
            if named:
                return {"r2": named.address + 0x8000}
        return {}

    def word(self, value: int) -> int | None:
        """The word stored at an address, in the file's width; None where none is."""
        found = self.address(value)
        return self.stored(*found, self.layout.width // 8) if found else None

    def stored(self, index: int, at: int, size: int) -> int | None:
        """The number of `size` bytes at an offset of a section."""
        section = self.layout.sections[index]
        data = self._words.get(index)
        if data is None:
            try:
                data = self._elf.content(section).read() if section.has_content else b""
            except FormatError:
                data = b""
            self._words[index] = data
        raw = data[at : at + size]
        return int.from_bytes(raw, self.layout.byteorder) if len(raw) == size else None

    @cached_property
    def _stubs(self) -> Mapping[int, str]:
        """The stubs of the procedure linkage table: the name each jumps to, by address."""
        out: dict[int, str] = {}
        for section in self.layout.sections:
            if not section.name.startswith(".plt") or not section.has_content:
                continue
            if section.size > SLOT_BYTES:
                continue
            if self.layout.machine in (EM_X86_64, EM_386):
                out |= self._x86_stubs(section)
            elif section.name == ".plt" and self.layout.machine in _STUBS:
                header, size = _STUBS[self.layout.machine]
                for number, one in enumerate(self._jumps()):
                    at = header + number * size
                    if at < section.size and one.symbol.name:
                        out[section.address + at] = one.symbol.name
        return out

    def _jumps(self) -> Sequence[Relocation]:
        for name in (".rela.plt", ".rel.plt"):
            section = self._elf.named(name)
            if section:
                return list(self._relocations(section))
        return ()

    def _x86_stubs(self, section: Section) -> dict[int, str]:
        """`jmp *slot` in each stub (ff 25; ff a3 from %ebx), by the relocation of its slot."""
        out: dict[int, str] = {}
        data = self._elf.content(section).read()
        step = 8 if section.name == ".plt.got" and section.size % 16 else 16
        base = max(self.got, default=0)
        for at in range(0, len(data), step):
            stub = data[at : at + step]
            place = stub.find(b"\xff\x25")
            whole = place >= 0
            place = place if whole else stub.find(b"\xff\xa3")
            if place < 0 or place + 6 > len(stub):
                continue
            value = int.from_bytes(stub[place + 2 : place + 6], "little", signed=True)
            if not whole:
                slot = base + value
            elif self.layout.machine == EM_X86_64:
                slot = section.address + at + place + 6 + value
            else:
                slot = value
            found = self._slots.get(slot)
            if found and found.symbol.name:
                out[section.address + at] = found.symbol.name
        return out

    def said(self, value: int, here: tuple[int, str]) -> Said | None:
        """An address as it is told in the function `here` (section, name); None where it lies
        in no section."""
        stub = self._stubs.get(value)
        if stub:
            return f"{stub}@plt", ()
        found = self.address(value)
        return self.place(*found, here) if found else None

    def place(self, index: int, at: int, here: tuple[int, str]) -> Said:
        """An offset of a section as it is told in the function `here`."""
        section = self.layout.sections[index]
        if section.flags & SHF_EXECINSTR:
            extents = self.extents(index)
            number = bisect_right(extents, at, key=lambda extent: extent.at) - 1
            extent = extents[max(number, 0)]
            offset = at - extent.at
            if self.layout.machine == EM_PPC64 and offset == 8 and extent.known:
                offset = 0  # the local entry: behind two instructions that set r2
            if (index, extent.name) == here and (offset or not extent.known):
                return "here", (("", offset),)
            name = HASH.sub("", extent.name)
            if offset == 0 and extent.known:
                return name, ()
            return f"in {name}", ((extent.name, offset),)
        if section.name.startswith(".got"):
            slot = self._slot(section.address + at, here)
            if slot:
                return slot
        named = self._named(index, at)
        if named:
            return named
        return section.name, ((section.name, at),) if section.has_content else ()

    def _slot(self, value: int, here: tuple[int, str]) -> Said | None:
        found = self._slots.get(value)
        if found and found.symbol.name:
            return f"got {found.symbol.name}", ()
        target = found.addend if found and found.addend else self.word(value) or 0
        place = self.address(target) if target else None
        if place is None or self.layout.sections[place[0]].name.startswith(".got"):
            return None
        text, refers = self.place(*place, here)
        return f"got {text}", refers

    def _named(self, index: int, at: int) -> Said | None:
        """An offset by the symbol of an object that covers it."""
        known = self._objects.get(index)
        if known is None:
            found = sorted(
                (
                    one
                    for one in self._by_section.get(index, ())
                    if not one[1].name.startswith((".L", "$"))
                    and (one[1].size or one[1].type in (STT_NOTYPE, STT_OBJECT))
                ),
                # of several at one place the last is taken: the largest, the global one
                key=lambda one: (one[0], one[1].size, one[1].bind > 0, one[1].name),
            )
            known = self._objects[index] = [place for place, _ in found], [one for _, one in found]
        starts, symbols = known
        number = bisect_right(starts, at) - 1
        if number < 0:
            return None
        offset, symbol = at - starts[number], symbols[number]
        if offset and offset >= symbol.size:
            return None
        return (f"{symbol.name}+{offset:#x}" if offset else symbol.name), ()


def _unique(symbols: Sequence[RawSymbol]) -> list[str]:
    """A name for each function: one that several share says its file, then counts."""
    counts: dict[str, int] = {}
    for symbol in symbols:
        counts[symbol.name] = counts.get(symbol.name, 0) + 1
    met: dict[str, int] = {}
    out = []
    for symbol in symbols:
        name = symbol.name
        if counts[name] > 1 and symbol.file:
            name = f"{name} ({symbol.file})"
        met[name] = met.get(name, 0) + 1
        unique = name
        while met[name] > 1 and (unique := f"{name} #{met[name]}") in met:
            met[name] += 1
        met.setdefault(unique, 1)
        out.append(unique)
    return out
