"""The dynamic section: what the loader reads, entry by entry.

Source: gABI 4.1, chapter 5, "Dynamic Section"; the tags' names are those of pyelftools.
"""

from collections.abc import Iterator, Mapping
from functools import cache, partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.names import Names
from sxdiff.formats.elf.soundness import STARTS
from sxdiff.formats.elf.symbols import Strings
from sxdiff.formats.elf.whole import whole
from sxdiff.model import Blob, Fact, Inside, LimitError, Member

MOST = 1 << 12
"""Entries of one section."""
STRINGS = {
    "DT_NEEDED",
    "DT_SONAME",
    "DT_RPATH",
    "DT_RUNPATH",
    "DT_AUXILIARY",
    "DT_FILTER",
    "DT_CONFIG",
    "DT_DEPAUDIT",
    "DT_AUDIT",
}
LISTED = {"DT_NEEDED", "DT_AUXILIARY", "DT_FILTER"}
"""Tags of which there may be many: named with the string they hold."""
COUNTS = {
    "DT_PLTRELSZ",
    "DT_RELASZ",
    "DT_RELSZ",
    "DT_RELRSZ",
    "DT_STRSZ",
    "DT_INIT_ARRAYSZ",
    "DT_FINI_ARRAYSZ",
    "DT_PREINIT_ARRAYSZ",
    "DT_RELACOUNT",
    "DT_RELCOUNT",
    "DT_VERNEEDNUM",
    "DT_VERDEFNUM",
    "DT_MIPS_SYMTABNO",
    "DT_MIPS_LOCAL_GOTNO",
    "DT_MIPS_GOTSYM",
    "DT_MIPS_UNREFEXTNO",
    "DT_GNU_CONFLICTSZ",
    "DT_GNU_LIBLISTSZ",
}
"""Sizes and counts of other sections: they follow from them."""
ADDRESSES = {
    "DT_PLTGOT",
    "DT_HASH",
    "DT_GNU_HASH",
    "DT_STRTAB",
    "DT_SYMTAB",
    "DT_RELA",
    "DT_REL",
    "DT_RELR",
    "DT_JMPREL",
    "DT_INIT",
    "DT_FINI",
    "DT_INIT_ARRAY",
    "DT_FINI_ARRAY",
    "DT_PREINIT_ARRAY",
    "DT_VERNEED",
    "DT_VERDEF",
    "DT_VERSYM",
    "DT_TLSDESC_PLT",
    "DT_TLSDESC_GOT",
    "DT_MIPS_RLD_MAP",
    "DT_MIPS_PLTGOT",
    "DT_PPC_GOT",
    "DT_PPC64_GLINK",
}
SIZES = {
    "DT_STRSZ": "DT_STRTAB",
    "DT_RELASZ": "DT_RELA",
    "DT_RELSZ": "DT_REL",
    "DT_RELRSZ": "DT_RELR",
    "DT_PLTRELSZ": "DT_JMPREL",
    "DT_INIT_ARRAYSZ": "DT_INIT_ARRAY",
    "DT_FINI_ARRAYSZ": "DT_FINI_ARRAY",
    "DT_PREINIT_ARRAYSZ": "DT_PREINIT_ARRAY",
}
"""Sizes of sections, and what says where these start."""
LARGEST = 1 << 20
RELATIVE = {"DT_MIPS_RLD_MAP_REL"}
"""Distances from the entry: they follow from layout too."""


@cache
def _flags(tag: str) -> Mapping[int, str]:
    from elftools.elf import enums  # noqa: PLC0415 - start-up time: only differing ELF files need it

    known = {"DT_FLAGS": enums.ENUM_DT_FLAGS, "DT_FLAGS_1": enums.ENUM_DT_FLAGS_1}.get(tag, {})
    return {
        bit: name.removeprefix("DF_").removeprefix("1_")
        for name, bit in known.items()
        if isinstance(bit, int)
    }


def dynamic(elf: ElfFile, index: int) -> Inside | None:
    """Facts of each entry, named by its tag."""
    if elf.layout.sections[index].type != schema.SHT_DYNAMIC:
        return None
    return Inside("elf.dynamic", partial(_facts, elf, index))


def _facts(elf: ElfFile, index: int, blob: Blob) -> Iterator[Fact | Member]:
    layout = elf.layout
    table = layout.table(schema.DYNAMIC_ENTRY)
    linked = elf.linked(layout.sections[index])
    strings = Strings(elf.content(linked)) if linked else None
    known = schema.names("d_tag", layout.machine)
    count = blob.size // table.size
    if count > MOST:
        raise LimitError(f"{count} dynamic entries")
    names = Names()
    values = dict(table.row.iter_unpack(blob.read(0, count * table.size)))
    numbers = {name: number for number, name in known.items()}
    at = 0
    for number, value in table.row.iter_unpack(blob.read(0, count * table.size)):
        tag = known.get(number) or f"tag {number:#x}"
        name = tag.removeprefix("DT_")
        told: str | int = f"{value:#x}"
        derived = False
        if tag in STRINGS and strings:
            told = strings.text(value)
            if tag in LISTED:
                name += f" {told}"
        elif tag in ADDRESSES:
            place = elf.place_of(value)
            told = elf.told_address(value)
            derived = place is not None and (tag not in STARTS or not place[1])
        elif tag in COUNTS:
            told = value
            start = values.get(numbers.get(SIZES.get(tag, ""), -1))
            place = None if start is None else elf.place_of(start)
            # some linkers count the relocations of the PLT in
            more = tag in ("DT_RELASZ", "DT_RELSZ")
            derived = (
                place is None
                or value == place[0].size
                or (more and place[0].size < value < 2 * place[0].size + LARGEST)
            )
        elif tag in RELATIVE:
            derived = True
        elif _flags(tag):
            told = schema.flags_text(value, _flags(tag))
        yield Fact("elf.dynamic", told, (at, table.size), names.unique(name), derived)
        at += table.size
        if not number:
            break  # what follows is room for the linker's users; zeros are no entries
    if at:
        yield whole("elf.dynamic.layout", blob.part(0, at))
