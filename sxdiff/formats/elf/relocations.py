"""Relocations: REL, RELA and RELR, each by its type and by what it refers to.

Source: gABI 4.1, chapter 4, "Relocation", and its draft for SHT_RELR; MIPS64 ELF Object File
Specification 2.5, 2.9 (r_info has five fields); RISC-V ELF specification, "Relocations".
Names of the other machines' types are those of pyelftools.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Section
from sxdiff.formats.elf.pointers import splitter, target, texts
from sxdiff.formats.elf.symbols import symbol_rows
from sxdiff.model import Blob, LimitError, Listing, Row

MOST = 1_000_000
"""Relocations of one section."""
STEP = 4096
"""Rows read at a time."""
RISCV: Mapping[int, str] = {
    0: "R_RISCV_NONE",
    1: "R_RISCV_32",
    2: "R_RISCV_64",
    3: "R_RISCV_RELATIVE",
    4: "R_RISCV_COPY",
    5: "R_RISCV_JUMP_SLOT",
    6: "R_RISCV_TLS_DTPMOD32",
    7: "R_RISCV_TLS_DTPMOD64",
    8: "R_RISCV_TLS_DTPREL32",
    9: "R_RISCV_TLS_DTPREL64",
    10: "R_RISCV_TLS_TPREL32",
    11: "R_RISCV_TLS_TPREL64",
    16: "R_RISCV_BRANCH",
    17: "R_RISCV_JAL",
    18: "R_RISCV_CALL",
    19: "R_RISCV_CALL_PLT",
    20: "R_RISCV_GOT_HI20",
    21: "R_RISCV_TLS_GOT_HI20",
    22: "R_RISCV_TLS_GD_HI20",
    23: "R_RISCV_PCREL_HI20",
    24: "R_RISCV_PCREL_LO12_I",
    25: "R_RISCV_PCREL_LO12_S",
    26: "R_RISCV_HI20",
    27: "R_RISCV_LO12_I",
    28: "R_RISCV_LO12_S",
    29: "R_RISCV_TPREL_HI20",
    30: "R_RISCV_TPREL_LO12_I",
    31: "R_RISCV_TPREL_LO12_S",
    32: "R_RISCV_TPREL_ADD",
    33: "R_RISCV_ADD8",
    34: "R_RISCV_ADD16",
    35: "R_RISCV_ADD32",
    36: "R_RISCV_ADD64",
    37: "R_RISCV_SUB8",
    38: "R_RISCV_SUB16",
    39: "R_RISCV_SUB32",
    40: "R_RISCV_SUB64",
    41: "R_RISCV_GNU_VTINHERIT",
    42: "R_RISCV_GNU_VTENTRY",
    43: "R_RISCV_ALIGN",
    44: "R_RISCV_RVC_BRANCH",
    45: "R_RISCV_RVC_JUMP",
    46: "R_RISCV_RVC_LUI",
    47: "R_RISCV_GPREL_I",
    48: "R_RISCV_GPREL_S",
    49: "R_RISCV_TPREL_I",
    50: "R_RISCV_TPREL_S",
    51: "R_RISCV_RELAX",
    52: "R_RISCV_SUB6",
    53: "R_RISCV_SET6",
    54: "R_RISCV_SET8",
    55: "R_RISCV_SET16",
    56: "R_RISCV_SET32",
    57: "R_RISCV_32_PCREL",
    58: "R_RISCV_IRELATIVE",
}
R_AARCH64_LDST128 = 299
"""A type that pyelftools has no name for."""
PC_RELATIVE: Mapping[int, Sequence[int]] = {schema.EM_X86_64: (2, 4), schema.EM_386: (2, 4)}
"""Types whose addend is less by the four bytes from the operand to the next instruction."""


def relocations(elf: ElfFile, index: int) -> Listing | None:
    """One row a relocation. Its place is no part of what it says: it follows from what the
    section it is for holds, unless a symbol names it."""
    section = elf.layout.sections[index]
    if section.type in (schema.SHT_REL, schema.SHT_RELA):
        return Listing("elf.relocation", partial(_rows, elf, index))
    if section.type == schema.SHT_RELR:
        return Listing("elf.relocation", partial(_packed_rows, elf))
    return None


def _rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    layout = elf.layout
    section = layout.sections[index]
    with_addend = section.type == schema.SHT_RELA
    table = layout.table(schema.RELOCATION_WITH_ADDEND if with_addend else schema.RELOCATION)
    count = blob.size // table.size
    if count > MOST:
        raise LimitError(f"more than {MOST} relocations")
    known: dict[int, str] = {}
    names = elf.symbol_names(section.link)
    bias = PC_RELATIVE.get(layout.machine, ())
    split = splitter(layout)
    info = section.row[7]
    owner = layout.sections[info] if 0 < info < len(layout.sections) else None
    relocatable = layout.type == schema.ET_REL
    strings = texts(elf)
    counted = _counted(elf, section.link, names) if relocatable else {}
    at = 0
    for start in range(0, count * table.size, STEP * table.size):
        data = blob.read(start, min(STEP * table.size, count * table.size - start))
        for row in table.row.iter_unpack(data):
            symbol, kind = split(row[1])
            addend = row[2] if with_addend else 0
            if kind in bias:
                addend += 4
            text = known.get(kind) or known.setdefault(kind, _type(elf, kind))
            refers: tuple[tuple[str, int], ...] = ()
            place = _place(elf, row[0], owner if relocatable else None, info)
            if place:
                text += f" in {place}"
            if symbol:
                name = names[symbol] if symbol < len(names) else f"symbol {symbol}"
                if symbol in counted:
                    holder, value = counted[symbol]
                    text += " -> text" if holder in strings else f" -> section {holder}"
                    refers = ((holder, max(0, value + addend)),)
                elif name.startswith("section ") and addend >= 0:
                    holder = name.removeprefix("section ")
                    text += " -> text" if holder in strings else f" -> section {holder}"
                    refers = ((holder, addend),)
                else:
                    text += f" -> {name}" + (f"{addend:+#x}" if addend else "")
            elif addend and not relocatable:
                words, refers = target(elf, addend)
                text += f" {words}" if words else f" {addend:#x}"
            elif addend:
                text += f" {addend:#x}"
            yield Row((at, table.size), text, refers)
            at += table.size


def _counted(elf: ElfFile, table: int, names: Sequence[str]) -> dict[int, tuple[str, int]]:
    """Where the symbols lie that the assembler counts (.LC3), by their numbers: with one text
    more all that follow have other names."""
    sections = elf.layout.sections
    if not any(name.startswith(".L") for name in names):
        return {}
    rows = symbol_rows(elf.blob, elf.layout, table, elf.content(sections[table]))
    return {
        number: (sections[row[5]].name, row[1])
        for number, (name, row) in enumerate(zip(names, rows, strict=False))
        if name.startswith(".L") and 0 < row[5] < len(sections)
    }


def _place(elf: ElfFile, offset: int, owner: Section | None, index: int) -> str | None:
    """The symbol that holds the place to relocate, in data; slots of the GOT have none."""
    if owner:
        if not owner.flags & schema.SHF_ALLOC:
            return None
        name = elf.name_in(index, offset)
        if name and owner.flags & schema.SHF_EXECINSTR:
            return name.rpartition("+")[0] or name  # where in it is told with the code
        return name
    held = elf.place_of(offset)
    if held is None or held[0].name.startswith(".got"):
        return None
    return None if held[0].flags & schema.SHF_EXECINSTR else elf.name_at(offset)


def _type(elf: ElfFile, kind: int) -> str:
    """The name of a type; those of MIPS64 are up to three in a row."""
    machine = elf.layout.machine
    if machine == schema.EM_AARCH64 and kind == R_AARCH64_LDST128:
        return "R_AARCH64_LDST128_ABS_LO12_NC"
    names = RISCV if machine == schema.EM_RISCV else schema.names("r_info", machine)
    if machine == schema.EM_MIPS and elf.layout.width == 64 and kind >> 8:
        kinds = [byte for byte in kind.to_bytes(4, "little") if byte]
        return " ".join(names.get(byte) or f"type {byte:#x}" for byte in kinds)
    return names.get(kind) or f"type {kind:#x}"


def _packed_rows(elf: ElfFile, blob: Blob) -> Iterator[Row]:
    """RELR: an even word is an address, an odd one says which words behind it are too."""
    size = elf.layout.width // 8
    code = elf.layout.order + ("Q" if size == 8 else "I")
    if blob.size // size > MOST:
        raise LimitError(f"more than {MOST} words of relocations")
    data = blob.read()
    data = data[: len(data) - len(data) % size]
    for number, (word,) in enumerate(struct.iter_unpack(code, data)):
        at = (number * size, size)
        if word & 1:
            yield Row(at, f"words {word >> 1:#x}")
            continue
        place = elf.place_of(word)
        name = elf.name_at(word) or (place[0].name if place else f"{word:#x}")
        yield Row(at, f"relative in {name}")
