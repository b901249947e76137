"""Symbol tables (.symtab, .dynsym): each symbol by its name, with the version it is bound to.

Source: gABI 4.1, chapter 4, "Symbol Table"; LSB Core 5.0, 10.7 "Symbol Versioning".
"""

import re
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Section
from sxdiff.formats.elf.names import Names
from sxdiff.formats.elf.soundness import can_be_symbol
from sxdiff.formats.elf.symbols import MOST_TEXT, SymbolRow, named_symbols
from sxdiff.formats.elf.versions import symbol_versions
from sxdiff.formats.elf.whole import whole
from sxdiff.model import Blob, Fact, Inside, LimitError, Member

BINDS = {0: "LOCAL", 1: "GLOBAL", 2: "WEAK", 10: "GNU_UNIQUE"}
TYPES = {
    0: "NOTYPE",
    1: "OBJECT",
    2: "FUNC",
    3: "SECTION",
    4: "FILE",
    5: "COMMON",
    6: "TLS",
    10: "GNU_IFUNC",
}
VISIBILITIES = ("DEFAULT", "INTERNAL", "HIDDEN", "PROTECTED")
MADE_BY_LINKER = frozenset({"_DYNAMIC", "_GLOBAL_OFFSET_TABLE_", "_PROCEDURE_LINKAGE_TABLE_"})
"""Addresses that some linkers write as absolute numbers."""
LONGEST_SECTION = 128
"""Characters of a section's name in front of an offset; the section is told in full beside it."""
_COUNTED = re.compile(r"\.L[A-Z]*\d+")
UNDEFINED, ABSOLUTE, COMMON = "undefined", "absolute", "common"


def symbol_table(elf: ElfFile, index: int) -> Inside | None:
    """Facts of each symbol, named by the symbol."""
    section = elf.layout.sections[index]
    if section.type not in (schema.SHT_SYMTAB, schema.SHT_DYNSYM):
        return None
    return Inside("elf.symbol", partial(_facts, elf, index))


def _facts(elf: ElfFile, index: int, blob: Blob) -> Iterator[Fact | Member]:
    layout = elf.layout
    table = layout.table(schema.SYMBOL_64 if layout.width == 64 else schema.SYMBOL_32)
    span = {field.name: at for field, at in zip(table.fields, table.spans, strict=True)}
    info, other, owner, value, size = (
        span[name] for name in ("st_info", "st_other", "st_shndx", "st_value", "st_size")
    )
    infos = [_info(number) for number in range(256)]
    others = [_other(number) for number in range(256)]
    sections = layout.sections
    relocatable = layout.type == schema.ET_REL
    names = Names()
    at = total = 0
    dynamic = sections[index].type == schema.SHT_DYNSYM
    versions = symbol_versions(elf) if dynamic else []
    for place, (name, row) in enumerate(named_symbols(elf.blob, layout, index, blob)):
        _, st_value, st_size, st_info, st_other, number = row
        inside = sections[number] if 0 < number < len(sections) else None
        where = inside.name if inside else _special(number)
        if place < len(versions) and versions[place] != f"@@{name}":
            name += versions[place]  # noqa: PLW2901 - what the symbol is called from here on
        elif name.startswith("$"):
            name = f"{name} in {where}"  # noqa: PLW2901 - a mapping symbol: there are many
        if name == f"section {where}" and _is_plain_section(row, inside, relocatable):
            at += table.size
            continue  # all that it says is told with the section
        told = names.unique(name)
        total += len(told)
        if total > MOST_TEXT:
            raise LimitError(f"names of symbols of more than {MOST_TEXT} bytes")
        yield Fact("elf.symbol.st_info", infos[st_info], (at + info[0], 1), told)
        if st_other:
            yield Fact("elf.symbol.st_other", others[st_other], (at + other[0], 1), told)
        # a name that the assembler counts (.LC3): whatever it goes with lies where it is now
        counted = bool(_COUNTED.fullmatch(name)) and inside is not None
        yield Fact("elf.symbol.st_shndx", where, (at + owner[0], 2), told, counted)
        if st_value or inside:
            # an offset in its section stays the same where only sections move
            base = 0 if relocatable or inside is None else inside.address
            if st_info & 15 == schema.STT_TLS and not relocatable:
                shown = f"{st_value:#x} in the thread's block"
            elif inside and st_value >= base:
                shown = f"{where[:LONGEST_SECTION]}+{st_value - base:#x}"
            else:
                shown = f"{st_value:#x}"
            # an absolute value and a common symbol's alignment are the symbol's own
            derived = name in MADE_BY_LINKER
            if inside is not None:
                in_thread = st_info & 15 == schema.STT_TLS
                derived = in_thread or can_be_symbol(inside, st_value - base, 0)
            yield Fact("elf.symbol.st_value", shown, (at + value[0], value[1]), told, derived)
        if st_size:
            derived = inside is not None and can_be_symbol(inside, 0, st_size)
            yield Fact("elf.symbol.st_size", st_size, (at + size[0], size[1]), told, derived)
        at += table.size
    if at:
        yield whole("elf.symbol.layout", blob.part(0, at))


def _is_plain_section(row: SymbolRow, section: Section | None, relocatable: bool) -> bool:
    """Whether a section's symbol is as every assembler and linker writes it."""
    _, value, size, info, other, _ = row
    base = 0 if relocatable or section is None else section.address
    return info == schema.STT_SECTION and not size and not other and value == base


def _info(number: int) -> str:
    bind, kind = number >> 4, number & 15
    return f"{BINDS.get(bind, f'bind {bind}')} {TYPES.get(kind, f'type {kind}')}"


def _other(number: int) -> str:
    rest = number & ~3
    return VISIBILITIES[number & 3] + (f"|{rest:#x}" if rest else "")


def _special(number: int) -> str:
    known = {0: UNDEFINED, -schema.SHN_ABS: ABSOLUTE, -schema.SHN_COMMON: COMMON}
    return known.get(number) or f"section {abs(number):#x}"
