"""The tables of ELF: header fields as the gABI prints them, and the names of their values.

Source: System V Application Binary Interface (gABI) 4.1, chapters 4 "Object Files" and 5
"Program Loading", with the large-count rules of its 2001 update; x86-64 psABI 4.1.2 for PN_XNUM.
Names of values (`EM_RISCV`) are those of pyelftools, which is imported when first asked.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

HEX, COUNT, NAMED, FLAGS, SECTION = "hex", "count", "named", "flags", "section"
"""How a field is shown; SECTION is an index told as the name of the section it points at."""

SHT_NULL, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 0, 2, 3, 4, 8, 9
SHT_HASH, SHT_DYNAMIC, SHT_NOTE, SHT_DYNSYM = 5, 6, 7, 11
SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY = 14, 15, 16
SHT_GROUP, SHT_SYMTAB_SHNDX, SHT_RELR = 17, 18, 19
SHT_GNU_ATTRIBUTES, SHT_GNU_HASH = 0x6FFFFFF5, 0x6FFFFFF6
SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM = 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
SHT_ARM_EXIDX, SHT_ARM_ATTRIBUTES, SHT_RISCV_ATTRIBUTES = 0x70000001, 0x70000003, 0x70000003
SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS = 0x2, 0x4, 0x10, 0x20
SHF_INFO_LINK, SHF_TLS, SHF_COMPRESSED = 0x40, 0x400, 0x800
SHN_LORESERVE, SHN_ABS, SHN_COMMON, SHN_XINDEX = 0xFF00, 0xFFF1, 0xFFF2, 0xFFFF
PN_XNUM = 0xFFFF
ET_REL, ET_EXEC = 1, 2
EM_386, EM_MIPS, EM_S390, EM_ARM, EM_X86_64, EM_AARCH64, EM_RISCV = 3, 8, 22, 40, 62, 183, 243
PT_NULL, PT_NOTE = 0, 4
STT_SECTION, STT_FILE, STT_TLS = 3, 4, 6

Row: TypeAlias = tuple[int, ...]


class Field(NamedTuple):
    """One line of a table: its name and gABI type, how to show it, whether layout decides it."""

    name: str
    type: str
    shown: str = HEX
    derived: bool = False


HEADER = (
    Field("e_type", "Half", NAMED),
    Field("e_machine", "Half", NAMED),
    Field("e_version", "Word", COUNT),
    Field("e_entry", "Addr", HEX, derived=True),
    Field("e_phoff", "Off", HEX, derived=True),
    Field("e_shoff", "Off", HEX, derived=True),
    Field("e_flags", "Word", HEX),
    Field("e_ehsize", "Half", COUNT),
    Field("e_phentsize", "Half", COUNT),
    Field("e_phnum", "Half", COUNT, derived=True),
    Field("e_shentsize", "Half", COUNT),
    Field("e_shnum", "Half", COUNT, derived=True),
    Field("e_shstrndx", "Half", SECTION),
)
IDENTIFICATION = (
    Field("EI_CLASS", "Byte", NAMED),
    Field("EI_DATA", "Byte", NAMED),
    Field("EI_VERSION", "Byte", COUNT),
    Field("EI_OSABI", "Byte", NAMED),
    Field("EI_ABIVERSION", "Byte", COUNT),
)
SECTION_HEADER = (
    Field("sh_name", "Word", HEX, derived=True),
    Field("sh_type", "Word", NAMED),
    Field("sh_flags", "Xword", FLAGS),
    Field("sh_addr", "Addr", HEX, derived=True),
    Field("sh_offset", "Off", HEX, derived=True),
    Field("sh_size", "Xword", HEX, derived=True),
    Field("sh_link", "Word", SECTION),
    Field("sh_info", "Word", COUNT),
    # the greatest of all parts: a long text is aligned otherwise
    Field("sh_addralign", "Xword", COUNT, derived=True),
    Field("sh_entsize", "Xword", COUNT),
)
PROGRAM_HEADER_32 = (
    Field("p_type", "Word", NAMED),
    Field("p_offset", "Off", HEX, derived=True),
    Field("p_vaddr", "Addr", HEX, derived=True),
    Field("p_paddr", "Addr", HEX, derived=True),
    Field("p_filesz", "Word", HEX, derived=True),
    Field("p_memsz", "Word", HEX, derived=True),
    Field("p_flags", "Word", FLAGS),
    Field("p_align", "Word", HEX),
)
PROGRAM_HEADER_64 = (
    Field("p_type", "Word", NAMED),
    Field("p_flags", "Word", FLAGS),
    Field("p_offset", "Off", HEX, derived=True),
    Field("p_vaddr", "Addr", HEX, derived=True),
    Field("p_paddr", "Addr", HEX, derived=True),
    Field("p_filesz", "Xword", HEX, derived=True),
    Field("p_memsz", "Xword", HEX, derived=True),
    Field("p_align", "Xword", HEX),
)
SYMBOL_32 = (
    Field("st_name", "Word"),
    Field("st_value", "Addr"),
    Field("st_size", "Word"),
    Field("st_info", "Byte"),
    Field("st_other", "Byte"),
    Field("st_shndx", "Half"),
)
SYMBOL_64 = (
    Field("st_name", "Word"),
    Field("st_info", "Byte"),
    Field("st_other", "Byte"),
    Field("st_shndx", "Half"),
    Field("st_value", "Addr"),
    Field("st_size", "Xword"),
)
DYNAMIC_ENTRY = (Field("d_tag", "Xword"), Field("d_val", "Xword"))
RELOCATION = (Field("r_offset", "Addr"), Field("r_info", "Xword"))
RELOCATION_WITH_ADDEND = (*RELOCATION, Field("r_addend", "Sxword"))
COMPRESSION_HEADER_32 = (
    Field("ch_type", "Word", NAMED),
    Field("ch_size", "Word", COUNT, derived=True),
    Field("ch_addralign", "Word", COUNT),
)
COMPRESSION_HEADER_64 = (
    Field("ch_type", "Word", NAMED),
    Field("ch_reserved", "Word", COUNT),
    Field("ch_size", "Xword", COUNT, derived=True),
    Field("ch_addralign", "Xword", COUNT),
)

# struct codes of the gABI's types (its figure 4-2), 32-bit and 64-bit class
_CODES: Mapping[int, Mapping[str, str]] = {
    32: {
        "Byte": "B",
        "Half": "H",
        "Word": "I",
        "Xword": "I",
        "Sxword": "i",
        "Addr": "I",
        "Off": "I",
    },
    64: {
        "Byte": "B",
        "Half": "H",
        "Word": "I",
        "Xword": "Q",
        "Sxword": "q",
        "Addr": "Q",
        "Off": "Q",
    },
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table for one class and byte order: reads rows, and knows where each field lies."""

    fields: tuple[Field, ...]
    row: struct.Struct
    spans: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Bytes of one row."""
        return self.row.size

    def index(self, name: str) -> int:
        """The place of a field in a row."""
        return next(place for place, field in enumerate(self.fields) if field.name == name)

    def placed(self, row: Row, base: int) -> Iterator[tuple[Field, int, tuple[int, int]]]:
        """Each field with its value and its (offset, size), for a row read at `base`."""
        for field, value, (at, size) in zip(self.fields, row, self.spans, strict=True):
            yield field, value, (base + at, size)


@cache
def table(fields: tuple[Field, ...], width: int, order: str) -> Table:
    """The table of `fields` for class `width` (32, 64) and byte order `order` ("<", ">")."""
    codes = [_CODES[width][field.type] for field in fields]
    sizes = [struct.calcsize("<" + code) for code in codes]
    spans = tuple((sum(sizes[:place]), size) for place, size in enumerate(sizes))
    return Table(fields, struct.Struct(order + "".join(codes)), spans)


@cache
def names(field: str, machine: int) -> Mapping[int, str]:
    """The names of a field's values; some depend on `machine` (an e_machine)."""
    from elftools.elf import enums  # noqa: PLC0415 - start-up time: only differing ELF files need it

    of_machine: Mapping[str, Mapping[int, Mapping[str, int]]] = {
        "sh_type": {
            8: enums.ENUM_SH_TYPE_MIPS,
            40: enums.ENUM_SH_TYPE_ARM,
            62: enums.ENUM_SH_TYPE_AMD64,
            183: enums.ENUM_SH_TYPE_AARCH64,
            243: enums.ENUM_SH_TYPE_RISCV,
        },
        "p_type": {
            8: enums.ENUM_P_TYPE_MIPS,
            40: enums.ENUM_P_TYPE_ARM,
            183: enums.ENUM_P_TYPE_AARCH64,
            243: enums.ENUM_P_TYPE_RISCV,
        },
        "d_tag": {
            8: {**enums.ENUM_D_TAG_COMMON, **enums.ENUM_D_TAG_MIPS},
            183: {**enums.ENUM_D_TAG_COMMON, **enums.ENUM_D_TAG_AARCH64},
        },
        "r_info": {
            3: enums.ENUM_RELOC_TYPE_i386,
            8: enums.ENUM_RELOC_TYPE_MIPS,
            20: enums.ENUM_RELOC_TYPE_PPC,
            21: enums.ENUM_RELOC_TYPE_PPC64,
            22: enums.ENUM_RELOC_TYPE_S390X,
            40: enums.ENUM_RELOC_TYPE_ARM,
            62: enums.ENUM_RELOC_TYPE_x64,
            183: enums.ENUM_RELOC_TYPE_AARCH64,
            258: enums.ENUM_RELOC_TYPE_LOONGARCH,
        },
    }
    of_all = {
        "EI_CLASS": enums.ENUM_EI_CLASS,
        "EI_DATA": enums.ENUM_EI_DATA,
        "EI_OSABI": enums.ENUM_EI_OSABI,
        "e_type": enums.ENUM_E_TYPE,
        "e_machine": enums.ENUM_E_MACHINE,
        "sh_type": enums.ENUM_SH_TYPE_BASE,
        "p_type": enums.ENUM_P_TYPE_BASE,
        "ch_type": enums.ENUM_ELFCOMPRESS_TYPE,
        "d_tag": enums.ENUM_D_TAG_COMMON,
        "r_info": {},
    }
    known = of_machine.get(field, {}).get(machine, of_all[field])
    out: dict[int, str] = {}
    for name, value in known.items():
        # `_default_` is pyelftools' own; LO/HI/NUM name the bounds of ranges, not values
        if isinstance(value, int) and not name.endswith(("_NUM", "_LOOS", "_HIOS", "_LOPROC")):
            out.setdefault(value, name)
    if field == "d_tag":  # bounds of ranges that are tags too
        out |= {32: "DT_PREINIT_ARRAY", 0x7FFFFFFF: "DT_FILTER"}
    return out


SECTION_FLAGS: Mapping[int, str] = {
    0x1: "WRITE",
    0x2: "ALLOC",
    0x4: "EXECINSTR",
    0x10: "MERGE",
    0x20: "STRINGS",
    0x40: "INFO_LINK",
    0x80: "LINK_ORDER",
    0x100: "OS_NONCONFORMING",
    0x200: "GROUP",
    0x400: "TLS",
    0x800: "COMPRESSED",
    0x200000: "GNU_RETAIN",
    0x80000000: "EXCLUDE",
}
SEGMENT_FLAGS: Mapping[int, str] = {0x4: "R", 0x2: "W", 0x1: "X"}


def flags_text(value: int, known: Mapping[int, str]) -> str:
    """Set bits by name, the unnamed rest in hex, joined by `|`; `0` where none is set."""
    words = [name for bit, name in known.items() if value & bit]
    rest = value & ~sum(known)
    if rest or not value:
        words.append(f"{rest:#x}" if rest else "0")
    return "|".join(words)


def shown(field: Field, value: int, machine: int) -> str | int:
    """A field's value as a fact tells it; different numbers are told differently."""
    if field.shown == NAMED:
        return names(field.name, machine).get(value) or f"{value:#x}"
    if field.shown == FLAGS:
        known = SECTION_FLAGS if field.name == "sh_flags" else SEGMENT_FLAGS
        return flags_text(value, known)
    if field.shown == HEX:
        return f"{value:#x}"
    return value
