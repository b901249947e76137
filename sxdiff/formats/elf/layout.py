"""The three tables of an ELF file, read: what lies where, and what each section is called.

Source: System V ABI (gABI) 4.1, chapters 4 and 5, and its 2001 update for large counts
(SHN_XINDEX, e_shnum 0, PN_XNUM).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.functions import function_starts
from sxdiff.formats.elf.symbols import Strings, named_symbols, symbols_by_section
from sxdiff.model import Blob, FormatError, LimitError, Limits, Symbol

MOST_SECTIONS = 1 << 20
"""Sections or segments of one file (gcc -ffunction-sections on huge sources reaches 10^5)."""
MOST_NAMES = 64 << 20
"""Bytes of all section names together; overlapping names could ask for far more."""
NEAR = 32
"""Symbols before a place that are asked whether they cover it; outer ones may start earlier."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section header at `at`, as a row of the table, with its unique name."""

    name: str
    at: int
    row: schema.Row
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int

    @property
    def info(self) -> int:
        """sh_info."""
        return self.row[7]

    @property
    def entry_size(self) -> int:
        """sh_entsize."""
        return self.row[9]

    @property
    def has_content(self) -> bool:
        """Whether the section occupies bytes of the file."""
        return self.type not in (schema.SHT_NULL, schema.SHT_NOBITS) and self.size > 0

    @property
    def is_loaded(self) -> bool:
        """Whether the section has addresses of its own; .tbss lies in each thread's block."""
        in_thread = self.flags & schema.SHF_TLS and self.type == schema.SHT_NOBITS
        return bool(self.flags & schema.SHF_ALLOC and self.size and not in_thread)


@dataclass(frozen=True, slots=True)
class Layout:
    """The three tables of one file."""

    width: int
    order: str
    machine: int
    type: int
    header: schema.Row
    segments: tuple[tuple[int, schema.Row], ...]
    sections: tuple[Section, ...]
    names_at: int

    def table(self, fields: tuple[schema.Field, ...]) -> schema.Table:
        """`fields` in this file's class and byte order."""
        return schema.table(fields, self.width, self.order)

    @property
    def byteorder(self) -> Literal["little", "big"]:
        """The byte order as `int.from_bytes` wants it."""
        return "little" if self.order == "<" else "big"

    @property
    def segment_table(self) -> schema.Table:
        """The program header's fields, whose order depends on the class."""
        wide = self.width == 64
        return self.table(schema.PROGRAM_HEADER_64 if wide else schema.PROGRAM_HEADER_32)


def read_layout(blob: Blob) -> Layout:
    """The header and both tables. Raises `FormatError` where one lies outside the file."""
    identification = read(blob, 0, 16)
    width = 64 if identification[4] == 2 else 32
    order = "<" if identification[5] == 1 else ">"
    header_table = schema.table(schema.HEADER, width, order)
    header = header_table.row.unpack(read(blob, 16, header_table.size))
    value = dict(zip((field.name for field in schema.HEADER), header, strict=True))

    section_table = schema.table(schema.SECTION_HEADER, width, order)
    first: schema.Row = (0,) * len(schema.SECTION_HEADER)
    if value["e_shoff"]:
        first = section_table.row.unpack(read(blob, value["e_shoff"], section_table.size))
    in_first = dict(zip((field.name for field in schema.SECTION_HEADER), first, strict=True))
    # gABI, "Section Header": counts that do not fit lie in the header of section 0
    section_count = value["e_shnum"] or in_first["sh_size"]
    names_at = (
        in_first["sh_link"] if value["e_shstrndx"] == schema.SHN_XINDEX else value["e_shstrndx"]
    )
    segment_count = in_first["sh_info"] if value["e_phnum"] == schema.PN_XNUM else value["e_phnum"]
    if not value["e_shoff"]:
        section_count = 0
    if not value["e_phoff"]:
        segment_count = 0

    segment_fields = schema.PROGRAM_HEADER_64 if width == 64 else schema.PROGRAM_HEADER_32
    segments = _rows(
        blob,
        schema.table(segment_fields, width, order),
        value["e_phoff"],
        value["e_phentsize"],
        segment_count,
    )
    rows = _rows(blob, section_table, value["e_shoff"], value["e_shentsize"], section_count)
    return Layout(
        width,
        order,
        value["e_machine"],
        value["e_type"],
        header,
        tuple(segments),
        tuple(_named(blob, rows, names_at)),
        names_at,
    )


@dataclass(slots=True)
class ElfFile:
    """One file while it is looked into: its bytes, its tables, and what was read of them."""

    blob: Blob
    layout: Layout
    limits: Limits
    kept: dict[str, object] = field(default_factory=dict)
    """What modules keep between their sections, each under its own name."""
    _symbols: Mapping[int, tuple[Symbol, ...]] | None = None
    _places: tuple[Sequence[int], Sequence[int]] | None = None
    _functions: Sequence[int] | None = None
    _names: dict[int, list[str]] = field(default_factory=dict)

    def content(self, section: Section) -> Blob:
        """The bytes of a section as they are stored."""
        return self.blob.part(section.offset, section.size if section.has_content else 0)

    def named(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((one for one in self.layout.sections if one.name == name), None)

    def linked(self, section: Section) -> Section | None:
        """The section that sh_link points at: a symbol table's strings, a relocation's symbols."""
        sections = self.layout.sections
        return sections[section.link] if 0 < section.link < len(sections) else None

    def symbols(self, index: int) -> Sequence[Symbol]:
        """Symbols that cover bytes of section `index`, sorted by place; read when first asked."""
        if self._symbols is None:
            self._symbols = symbols_by_section(self.blob, self.layout)
        return self._symbols.get(index, ())

    def symbol_names(self, index: int) -> Sequence[str]:
        """The names of the symbol table `index`, by the symbols' numbers; empty where it is
        none. Raises `FormatError` where it is damaged."""
        if index not in self._names:
            sections = self.layout.sections
            kinds = (schema.SHT_SYMTAB, schema.SHT_DYNSYM)
            if not 0 < index < len(sections) or sections[index].type not in kinds:
                return ()
            found = named_symbols(self.blob, self.layout, index)
            self._names[index] = [name for name, _ in found]
        return self._names[index]

    def place_of(self, address: int) -> tuple[Section, int] | None:
        """The section that holds `address` when the file is loaded, and the offset in it."""
        index = self._holder(address)
        if index is None:
            return None
        section = self.layout.sections[index]
        return section, address - section.address

    def _holder(self, address: int) -> int | None:
        if self._places is None:
            held = sorted(
                (section.address, index)
                for index, section in enumerate(self.layout.sections)
                if section.is_loaded
            )
            self._places = [at for at, _ in held], [index for _, index in held]
        starts, indexes = self._places
        found = bisect_right(starts, address) - 1
        if found < 0:
            return None
        section = self.layout.sections[indexes[found]]
        return indexes[found] if address < section.address + section.size else None

    def name_at(self, address: int) -> str | None:
        """What lies at `address`, as `symbol+0x8`, or `function 12` in code without symbols;
        None where it has no name."""
        index = self._holder(address)
        if index is None:
            return None
        section = self.layout.sections[index]
        named = self.name_in(index, address - section.address)
        if named or not section.flags & schema.SHF_EXECINSTR:
            return named
        if self._functions is None:
            self._functions = function_starts(self.blob, self.layout)
        found = bisect_right(self._functions, address) - 1
        if found < 0:
            return None
        rest = address - self._functions[found]
        return f"function {found}" + (f"+{rest:#x}" if rest else "")

    def name_in(self, index: int, at: int) -> str | None:
        """The symbol that covers offset `at` of section `index`, with the offset in it."""
        symbols = self.symbols(index)
        last = bisect_right(symbols, at, key=lambda symbol: symbol.at)
        for symbol in reversed(symbols[max(0, last - NEAR) : last]):
            if at < symbol.at + symbol.size:
                rest = at - symbol.at
                return symbol.name + (f"+{rest:#x}" if rest else "")
        return None

    def told_address(self, address: int) -> str:
        """An address as `.text+0x10`; the bare number where no section holds it."""
        place = self.place_of(address)
        return f"{place[0].name}+{place[1]:#x}" if place else f"{address:#x}"


def read(blob: Blob, at: int, size: int) -> bytes:
    """Exactly `size` bytes. Raises `FormatError` where they lie outside the file."""
    return blob.part(at, size).read()


def _rows(
    blob: Blob, table: schema.Table, at: int, step: int, count: int
) -> list[tuple[int, schema.Row]]:
    """`count` rows of `step` bytes each from `at`, with their offsets."""
    if not count:
        return []
    if step < table.size:
        raise FormatError(f"entries of {step} bytes, at least {table.size} expected", at)
    if count > MOST_SECTIONS:
        raise LimitError(f"{count} headers", at)
    data = read(blob, at, (count - 1) * step + table.size)
    return [
        (at + place, table.row.unpack_from(data, place)) for place in range(0, count * step, step)
    ]


def _named(blob: Blob, rows: Sequence[tuple[int, schema.Row]], names_at: int) -> Iterator[Section]:
    """Sections with unique names: a name met again gets ` #2`, an empty one is `section N`."""
    strings = None
    if 0 < names_at < len(rows):
        _, _type, _, _, offset, size = rows[names_at][1][:6]
        if _type != schema.SHT_NOBITS:
            strings = Strings(blob.part(offset, size))
    met: dict[str, int] = {}
    total = 0
    for place, (at, row) in enumerate(rows):
        name_at, type_, flags, address, offset, size, link = row[:7]
        name = strings.text(name_at) if strings and place else ""
        total += len(name)
        if total > MOST_NAMES:
            raise LimitError(f"section names of more than {MOST_NAMES} bytes", at)
        name = name or f"section {place}"
        met[name] = met.get(name, 0) + 1
        # a name may itself end in " #2": count on until it is free
        unique = name
        while met[name] > 1 and (unique := f"{name} #{met[name]}") in met:
            met[name] += 1
        if unique != name:
            met[unique] = 1
        yield Section(unique, at, row, type_, flags, address, offset, size, link)
