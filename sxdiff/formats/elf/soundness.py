"""Whether places and sizes in the tables of a file can be what they say: one that can't follows
from nothing.

Source: System V ABI (gABI) 4.1, chapters 4 ("Sections", "Symbol Table") and 5 ("Program Header").
"""

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import Layout, Section

LARGEST_ALIGNMENT = 1 << 26
BEHIND = 0x10000
"""How far behind its section a symbol may lie: `_end`, and the middle of what a register reaches
(`__global_pointer$`)."""
KERNEL = 0xC0000000, 1 << 47
"""Addresses from which on a program is none of a user: its physical addresses are others."""
STARTS = frozenset(
    {
        "DT_STRTAB",
        "DT_SYMTAB",
        "DT_HASH",
        "DT_GNU_HASH",
        "DT_VERSYM",
        "DT_VERNEED",
        "DT_VERDEF",
        "DT_RELA",
        "DT_REL",
        "DT_RELR",
        "DT_JMPREL",
        "DT_INIT_ARRAY",
        "DT_FINI_ARRAY",
        "DT_PREINIT_ARRAY",
    }
)
"""Tags of addresses at which a section starts."""


def can_be_section(layout: Layout, index: int, name: str, value: int) -> bool:
    """Whether a derived field of the header of section `index` may have that value."""
    section = layout.sections[index]
    loaded = section.flags & schema.SHF_ALLOC and layout.type != schema.ET_REL
    if index == 0:
        return name in ("sh_size", "sh_info") or not value
    if name == "sh_addr":
        return bool(loaded) or not value
    if name == "sh_addralign":
        place = section.address if loaded else section.offset
        sound = not value & (value - 1) and value <= LARGEST_ALIGNMENT
        return sound and (value < 2 or not section.has_content or place % value == 0)
    return True


def can_be_segment(layout: Layout, row: schema.Row, name: str) -> bool:
    """Whether a derived field of a program header may be what it is."""
    table = layout.segment_table
    kind, offset, virtual, physical, size, memory, align = (
        row[table.index(f"p_{field}")]
        for field in ("type", "offset", "vaddr", "paddr", "filesz", "memsz", "align")
    )
    if name == "p_paddr":
        return physical == virtual or virtual >= KERNEL[layout.width == 64]
    if name in ("p_filesz", "p_memsz"):
        return size <= memory
    if name in ("p_vaddr", "p_offset"):
        if not size and not memory:
            return not virtual
        whole = align if kind == PT_LOAD else 1
        return whole < 2 or (virtual - offset) % whole == 0
    return True


PT_LOAD = 1


def can_be_symbol(section: Section, at: int, size: int) -> bool:
    """Whether a symbol of `size` bytes may lie `at` bytes behind the start of a section."""
    if not 0 <= at <= section.size + BEHIND:
        return False
    return not size or at + size <= section.size
