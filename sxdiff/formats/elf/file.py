"""ELF: header, segments and sections, of every class, byte order and machine.

Source: System V ABI (gABI) 4.1, chapters 4 and 5, and its 2001 update for large counts
(SHN_XINDEX, e_shnum 0, PN_XNUM); its section "Section Compression" for SHF_COMPRESSED;
GNU binutils' documentation for `.note.gnu.build-id` and `.gnu_debuglink`. Rows are read with
the tables of `elf_schema`, through the checked `Blob.part`, not with a parser library: its
exceptions on bad bytes are many, and it does not tell where a field lies.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf import schema
from sxdiff.formats.elf.compressed import read_header
from sxdiff.formats.elf.dwarf_strings import debug_symbols
from sxdiff.formats.elf.layout import ElfFile, Layout, Section, read, read_layout
from sxdiff.formats.elf.module_signature import module_signature
from sxdiff.formats.elf.notes import note_facts
from sxdiff.formats.elf.sections import inside
from sxdiff.formats.elf.soundness import can_be_section, can_be_segment
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Limits, Member, Span

MAGIC = b"\x7fELF"
OVERLAP = 4
"""Bytes of all sections over bytes of the file; real sections do not overlap at all."""
CONSEQUENCES = frozenset(
    {
        ".eh_frame",
        ".eh_frame_hdr",
        ".gcc_except_table",
        ".ARM.exidx",
        ".ARM.extab",
        ".shstrtab",
        ".debug_addr",
        ".debug_aranges",
        ".debug_cu_index",
        ".debug_frame",
        ".debug_gnu_pubnames",
        ".debug_gnu_pubtypes",
        ".debug_loc",
        ".debug_loclists",
        ".debug_names",
        ".debug_pubnames",
        ".debug_pubtypes",
        ".debug_ranges",
        ".debug_rnglists",
        ".debug_tu_index",
        ".gdb_index",
    }
)
"""Sections that follow from others: how to unwind the code, with an index of that; the
sections' names, which are told with the sections; what says of code and of debugging entries
only where they lie and which names they have (DWARF 5, 2.6.2, 2.17.3, 6.1, 6.4, 7.27)."""
CONSEQUENT_TYPES = frozenset({schema.SHT_HASH, schema.SHT_GNU_HASH, schema.SHT_SYMTAB_SHNDX})
"""Types of the same: tables that follow from a symbol table."""
CHECKED = frozenset({"elf.hash", "elf.frames"})
"""Formats of such sections that say themselves whether they are as they must be."""
COUNTED = frozenset(
    {schema.SHT_SYMTAB, schema.SHT_DYNSYM, schema.SHT_GNU_VERDEF, schema.SHT_GNU_VERNEED}
)
"""Types whose sh_info is a number of entries."""
LOOKED_INTO = frozenset({".gnu_debugdata", ".llvmbc"})
"""Sections that hold a file of their own."""


class Elf:
    """Facts for every header field, a member for the content of every section."""

    name = "elf"

    def recognises(self, head: bytes) -> bool:
        """ELF magic, a class and a byte order (gABI, "ELF Identification")."""
        return len(head) >= 6 and head[:4] == MAGIC and head[4] in (1, 2) and head[5] in (1, 2)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Identification, header, segments, then each section's header and content."""
        layout = read_layout(blob)
        yield from _identification(blob)
        yield from _header(layout)
        yield from _segments(layout)
        yield from _sections(blob, layout, limits)
        if not layout.sections:
            yield from _segment_contents(blob, layout)
        yield from module_signature(blob)


def _identification(blob: Blob) -> Iterator[Fact]:
    table = schema.table(schema.IDENTIFICATION, 32, "<")
    row = table.row.unpack(read(blob, 4, table.size))
    for field, value, at in table.placed(row, 4):
        yield Fact(f"elf.header.{field.name}", schema.shown(field, value, 0), at)
    yield Fact("elf.header.EI_MAG", MAGIC.hex(), (0, 4))
    yield Fact("elf.header.EI_PAD", read(blob, 9, 7).hex(), (9, 7))


def _header(layout: Layout) -> Iterator[Fact]:
    for field, value, at in layout.table(schema.HEADER).placed(layout.header, 16):
        told: str | int = schema.shown(field, value, layout.machine)
        derived = field.derived
        follows: tuple[Span, ...] = ()
        if field.shown == schema.SECTION:
            told = _section_name(layout, layout.names_at, value)
            follows = _index_of(told, at)
        if field.name == "e_phoff" and not layout.segments:
            derived = not value
        yield Fact(f"elf.header.{field.name}", told, at, derived=derived, follows=follows)


def _index_of(told: str | int, at: Span) -> tuple[Span, ...]:
    """The span of a section's number where its name is told: the number follows from how many
    sections come before it."""
    return (at,) if isinstance(told, str) else ()


def _section_name(layout: Layout, index: int, number: int) -> str | int:
    """The name of section `index`, so that it stays the same where sections before it come or
    go; the bare `number` where there is no such section."""
    return layout.sections[index].name if 0 < index < len(layout.sections) else number


def _segments(layout: Layout) -> Iterator[Fact]:
    for name, at, row in _named_segments(layout):
        for field, value, span in layout.segment_table.placed(row, at):
            told = schema.shown(field, value, layout.machine)
            derived = field.derived and can_be_segment(layout, row, field.name)
            yield Fact(f"elf.segment.{field.name}", told, span, name, derived)


def _named_segments(layout: Layout) -> Iterator[tuple[str, int, schema.Row]]:
    """Segments as (`LOAD #1`, offset of the header, row), numbered by type."""
    met: dict[str, int] = {}
    known = schema.names("p_type", layout.machine)
    for at, row in layout.segments:
        name = (known.get(row[0]) or f"{row[0]:#x}").removeprefix("PT_")
        met[name] = met.get(name, 0) + 1
        yield f"{name} #{met[name]}", at, row


def _sections(blob: Blob, layout: Layout, limits: Limits) -> Iterator[Fact | Member]:
    table = layout.table(schema.SECTION_HEADER)
    placed = [section for section in layout.sections if section.has_content]
    for section in placed:
        blob.part(section.offset, section.size)
    if sum(section.size for section in placed) > OVERLAP * blob.size:
        raise LimitError("sections overlap again and again")
    elf = ElfFile(blob, layout, limits)
    for index, section in enumerate(layout.sections):
        for field, value, at in table.placed(section.row, section.at):
            told: str | int = schema.shown(field, value, layout.machine)
            derived = field.derived
            follows: tuple[Span, ...] = ()
            if derived:
                derived = can_be_section(layout, index, field.name, value)
            if field.name in ("sh_size", "sh_addralign") and not section.has_content:
                # no content to follow from: .bss
                derived = section.name == ".relro_padding"
            if field.name == "sh_link":
                told = _section_name(layout, value, value)
                follows = _index_of(told, at)
            if field.name == "sh_info":
                if section.type in (schema.SHT_REL, schema.SHT_RELA) or (
                    section.flags & schema.SHF_INFO_LINK
                ):
                    told = _section_name(layout, value, value)
                    follows = _index_of(told, at)
                # the number of local symbols (gABI, figure 4-14), of versions
                derived = section.type in COUNTED and _counts(elf, section, value)
            kind = f"elf.section.{field.name}"
            yield Fact(kind, told, at, section.name, derived, follows)
        if not section.has_content:
            continue
        if section.flags & schema.SHF_COMPRESSED or section.name.startswith(".zdebug_"):
            unpacked = _compressed(elf, index)
            if unpacked:
                yield from unpacked
                continue
        within = inside(elf, index)
        checked = within is not None and within.format in CHECKED
        yield Member(
            section.name,
            blob.part(section.offset, section.size),
            at=(section.offset, section.size),
            kind="elf.section.content",
            opaque=section.name not in LOOKED_INTO,
            derived=_follows(section) and not checked,
            inside=within,
            symbols=partial(debug_symbols, elf, index),
            address=address_of(layout, section),
        )


def _counts(elf: ElfFile, section: Section, count: int) -> bool:
    """Whether the first symbol that is not local has that number (gABI, figure 4-14)."""
    if section.type not in (schema.SHT_SYMTAB, schema.SHT_DYNSYM):
        return True
    wide = elf.layout.width == 64
    table = elf.layout.table(schema.SYMBOL_64 if wide else schema.SYMBOL_32)
    at = table.spans[table.index("st_info")][0]
    content = elf.content(section)
    bindings = [
        content.read(number * table.size + at, 1)[0] >> 4
        for number in (count - 1, count)
        if number >= 0 and (number + 1) * table.size <= content.size
    ]
    last = count * table.size == content.size
    if not count or len(bindings) != (1 if last else 2):
        return not content.size
    return not bindings[0] and (last or bool(bindings[1]))


def address_of(layout: Layout, section: Section) -> int | None:
    """Where a section is loaded; None where it is not, or where that is left to the linker."""
    loaded = section.flags & schema.SHF_ALLOC and layout.type != schema.ET_REL
    return section.address if loaded else None


def _follows(section: Section) -> bool:
    # -ffunction-sections has one of each for each function
    named = any(f"{section.name}.".startswith(f"{one}.") for one in CONSEQUENCES)
    return named or section.type in CONSEQUENT_TYPES


def _compressed(elf: ElfFile, index: int) -> list[Fact | Member] | None:
    """A compressed section's header, unpacked content and stream; None where it is not sound."""
    section = elf.layout.sections[index]
    content = elf.content(section)
    try:
        found = read_header(elf.layout, section, content)
        for _ in found.unpacked(elf.limits):
            pass
    except FormatError:
        return None
    start = section.offset + found.size
    return [
        *(
            Fact(fact.kind, fact.value, (section.offset + at, size), section.name, fact.derived)
            for fact, (at, size) in found.facts
        ),
        Member(
            section.name,
            partial(found.unpacked, elf.limits),
            kind="elf.section.content",
            opaque=True,
            inside=inside(elf, index),
            symbols=partial(debug_symbols, elf, index),
        ),
        Fact(
            "elf.compression.stream",
            digest_of(found.packed),
            (start, found.packed.size),
            section.name,
            derived=True,
        ),
    ]


def _segment_contents(blob: Blob, layout: Layout) -> Iterator[Member]:
    """Contents of segments where no section names them (core files, section headers removed).

    What the headers' facts or an earlier segment tell is left out, so no byte is told twice.
    """
    table = layout.segment_table
    offset_at, size_at = table.index("p_offset"), table.index("p_filesz")
    told: list[Span] = [(0, 16 + layout.table(schema.HEADER).size)]
    if layout.segments:
        first, last = layout.segments[0][0], layout.segments[-1][0]
        told.append((first, last - first + table.size))
    order = sorted(_named_segments(layout), key=lambda named: -named[2][size_at])
    for name, _at, row in order:
        if row[0] == schema.PT_NULL or not row[size_at]:
            continue
        whole = (row[offset_at], row[size_at])
        blob.part(*whole)
        for at, size in _without(whole, told):
            yield Member(
                name,
                blob.part(at, size),
                (at, size),
                "elf.segment.content",
                opaque=True,
                inside=_notes(layout, row) if (at, size) == whole else None,
            )
        told.append(whole)
        if len(told) > 4096:
            raise LimitError("more than 4,096 segments without a section")


def _notes(layout: Layout, row: schema.Row) -> Inside | None:
    """A segment of notes, as they are told in a section: core files have no other."""
    if row[0] != schema.PT_NOTE:
        return None
    align = row[layout.segment_table.index("p_align")]
    return Inside("elf.note", partial(note_facts, layout, align))


def _without(span: Span, told: Sequence[Span]) -> Iterator[Span]:
    """The pieces of `span` that no span of `told` covers, in order."""
    at, end = span[0], span[0] + span[1]
    for start, size in sorted(told):
        if start >= end:
            break
        if start > at:
            yield at, start - at
        at = max(at, start + size)
    if at < end:
        yield at, end - at
