"""Mach-O objects, executables and libraries, thin or fat: load commands, sections, tables.

Source: Apple's open headers mach-o/loader.h, mach-o/fat.h and mach-o/nlist.h (cctools, xnu).
A fat file's numbers are big-endian, a thin one's are its machine's.
"""

import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    Span,
    text_of,
)

Part: TypeAlias = Fact | Member

FAT, FAT_64 = b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"
THIN = {
    # magic number as it lies: byte order, whether 64 bits
    b"\xfe\xed\xfa\xce": (">", False),
    b"\xfe\xed\xfa\xcf": (">", True),
    b"\xce\xfa\xed\xfe": ("<", False),
    b"\xcf\xfa\xed\xfe": ("<", True),
}
MOST_ARCHITECTURES = 32
MOST_COMMANDS = 100_000
CPUS = {7: "i386", 0x01000007: "x86_64", 12: "arm", 0x0100000C: "arm64", 18: "ppc"}
COMMANDS = {
    # loader.h: LC_...
    0x1: "segment",
    0x2: "symtab",
    0xB: "dysymtab",
    0xC: "load dylib",
    0xD: "id dylib",
    0xE: "load dylinker",
    0xF: "id dylinker",
    0x19: "segment 64",
    0x1B: "uuid",
    0x1C: "rpath",
    0x1D: "code signature",
    0x1E: "segment split info",
    0x1F: "reexport dylib",
    0x22: "dyld info",
    0x24: "version min macosx",
    0x25: "version min iphoneos",
    0x26: "function starts",
    0x28: "main",
    0x29: "data in code",
    0x2A: "source version",
    0x2B: "dylib code sign drs",
    0x2D: "linker option",
    0x2E: "linker optimization hint",
    0x32: "build version",
    0x33: "dyld exports trie",
    0x34: "dyld chained fixups",
}
REQUIRED = 0x80000000
"""LC_REQ_DYLD: set in the numbers of some commands."""
SEGMENT, SEGMENT_64, SYMTAB, UUID, SIGNATURE = 0x1, 0x19, 0x2, 0x1B, 0x1D
DYLIBS = frozenset({0xC, 0xD, 0x18, 0x1F})
LINKED = frozenset({SIGNATURE, 0x1E, 0x26, 0x29, 0x2B, 0x2E, 0x33, 0x34})
"""Commands that are an offset and a size of data (linkedit_data_command)."""
FOLLOWING = frozenset({0xB, 0x22, *LINKED})
"""Commands that say nothing but where things lie."""
ZEROFILL = frozenset({0x1, 0xC, 0x12})
"""Types of sections that have no content in the file."""


def _header(order: str, wide: bool) -> Record:
    return Record(
        "macho",
        order,
        (
            Field("magic", "I", hexadecimal),
            Field("cputype", "I", hexadecimal),
            Field("cpusubtype", "I", hexadecimal),
            Field("filetype", "I"),
            Field("ncmds", "I", derived=True),
            Field("sizeofcmds", "I", derived=True),
            Field("flags", "I", hexadecimal),
            *((Field("reserved", "I"),) if wide else ()),
        ),
    )


def _segment(order: str, wide: bool) -> Record:
    word = "Q" if wide else "I"
    return Record(
        "macho.segment",
        order,
        (
            Field("name", "16s"),
            Field("vmaddr", word, hexadecimal, derived=True),
            Field("vmsize", word, derived=True),
            Field("fileoff", word, derived=True),
            Field("filesize", word, derived=True),
            Field("maxprot", "I"),
            Field("initprot", "I"),
            Field("nsects", "I", derived=True),
            Field("flags", "I", hexadecimal),
        ),
    )


def _section(order: str, wide: bool) -> Record:
    word = "Q" if wide else "I"
    return Record(
        "macho.section",
        order,
        (
            Field("sectname", "16s"),
            Field("segname", "16s"),
            Field("addr", word, hexadecimal, derived=True),
            Field("size", word, derived=True),
            Field("offset", "I", derived=True),
            Field("align", "I"),
            Field("reloff", "I", derived=True),
            Field("nreloc", "I", derived=True),
            Field("flags", "I", hexadecimal),
            Field("reserved1", "I", derived=True),
            Field("reserved2", "I"),
            *((Field("reserved3", "I"),) if wide else ()),
        ),
    )


SYMTABS = (
    Field("symoff", "I", derived=True),
    Field("nsyms", "I", derived=True),
    Field("stroff", "I", derived=True),
    Field("strsize", "I", derived=True),
)
DYLIB = (
    Field("name_offset", "I", derived=True),
    Field("timestamp", "I"),
    Field("current_version", "I", hexadecimal),
    Field("compatibility_version", "I", hexadecimal),
)
FAT_HEADER = Record("macho.fat", ">", (Field("magic", "4s", hexadecimal), Field("nfat_arch", "I")))


def _architecture(wide: bool) -> Record:
    word = "Q" if wide else "I"
    return Record(
        "macho.fat",
        ">",
        (
            Field("cputype", "I", hexadecimal),
            Field("cpusubtype", "I", hexadecimal),
            Field("offset", word, derived=True),
            Field("size", word, derived=True),
            Field("align", "I"),
            *((Field("reserved", "I"),) if wide else ()),
        ),
    )


class Command(NamedTuple):
    """One load command: its number, name, and span."""

    number: int
    name: str
    at: int
    size: int


class Macho:
    """Thin: a part for the headers, members for contents. Fat: a member for each architecture."""

    name = "macho"

    def recognises(self, head: bytes) -> bool:
        """A thin magic number, or a fat one with a small count: a Java class has the same, and
        there its version of 45 and more."""
        if len(head) < 28:
            return False
        count = int.from_bytes(head[4:8], "big")
        return head[:4] in THIN or (head[:4] in (FAT, FAT_64) and 0 < count <= MOST_ARCHITECTURES)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Part]:  # noqa: ARG002 - reads spans only
        """In the order of the commands, or of the architectures."""
        magic = blob.part(0, 4).read()
        if magic in (FAT, FAT_64):
            yield from _fat(blob, magic == FAT_64)
            return
        if magic not in THIN:
            raise FormatError("no magic number", 0)
        yield from _Thin(blob, *THIN[magic]).parts()


def _fat(blob: Blob, wide: bool) -> Iterator[Part]:
    yield from FAT_HEADER.facts(blob, 0)
    table = _architecture(wide)
    count = FAT_HEADER.number(blob, 0, "nfat_arch")
    if count > MOST_ARCHITECTURES:
        raise LimitError(f"more than {MOST_ARCHITECTURES} architectures", 4)
    met: dict[str, int] = {}
    for number in range(count):
        at = FAT_HEADER.size + table.size * number
        row = table.read(blob, at)
        cpu = int(row["cputype"])
        name = CPUS.get(cpu, f"cpu {cpu:#x}")
        met[name] = met.get(name, 0) + 1
        name = name if met[name] == 1 else f"{name} #{met[name]}"
        yield from table.facts(blob, at, name)
        span = int(row["offset"]), int(row["size"])
        yield Member(name, blob.part(*span), span, "macho.architecture")


class _Thin:
    def __init__(self, blob: Blob, order: str, wide: bool) -> None:
        self._blob = blob
        self._order = order
        self._wide = wide
        self._header = _header(order, wide)
        self._section_table = _section(order, wide)
        self._segment_table = _segment(order, wide)
        self._commands = list(self._read_commands())

    def _read_commands(self) -> Iterator[Command]:
        row = self._header.read(self._blob, 0)
        at, met = self._header.size, dict[str, int]()
        for _ in range(min(int(row["ncmds"]), MOST_COMMANDS)):
            number, size = struct.unpack(f"{self._order}II", self._blob.part(at, 8).read())
            if size < 8:
                raise FormatError(f"command of {size} bytes", at)
            self._blob.part(at, size)
            name = COMMANDS.get(number & ~REQUIRED, f"command {number:#x}")
            met[name] = met.get(name, 0) + 1
            name = name if met[name] == 1 else f"{name} #{met[name]}"
            yield Command(number & ~REQUIRED, name, at, size)
            at += size
        self.end = at

    def parts(self) -> Iterator[Part]:
        size = self.end
        yield Member(
            "headers",
            self._blob.part(0, size),
            (0, size),
            "macho.headers",
            inside=Inside("macho", lambda _: self._headers()),
        )
        self._total = 0
        for command in self._commands:
            if command.number in (SEGMENT, SEGMENT_64):
                yield from self._sections(command)
            elif command.number == SYMTAB:
                yield from self._symbols(command)
            elif command.number in LINKED and command.size >= 16:
                span = self._words(command.at + 8, 2)
                yield self._content(
                    command.name, (span[0], span[1]), derived=command.number == SIGNATURE
                )

    # --- headers -------------------------------------------------------------------------------

    def _headers(self) -> Iterator[Part]:
        yield from self._header.facts(self._blob, 0)
        for command in self._commands:
            at, size, name = command.at, command.size, command.name
            number, length = self._words(at, 2)
            yield Fact("macho.command", f"{number:#x}", (at, 4), name)
            yield Fact("macho.command_size", length, (at + 4, 4), name, derived=True)
            if size > 8:
                yield from self._command(command, (at + 8, size - 8))

    def _command(self, command: Command, body: Span) -> Iterator[Fact]:
        name, number = command.name, command.number
        at, size = body
        raw = self._blob.part(*body)
        table: Record | None = None
        if number in (SEGMENT, SEGMENT_64):
            yield from self._segment_facts(command)
            return
        if number == SYMTAB:
            table = Record("macho.symtab", self._order, SYMTABS)
        elif number in DYLIBS:
            table = Record("macho.dylib", self._order, DYLIB)
        if table and size >= table.size:
            yield from table.facts(self._blob, at, name)
            if size > table.size:
                text = raw.read(table.size)
                place = (at + table.size, len(text))
                yield Fact("macho.name", text_of(text.rstrip(b"\0")), place, name)
            return
        told = raw.read().hex()
        kind = "macho.uuid" if number == UUID else "macho.command_content"
        yield Fact(kind, told, body, name, derived=number in FOLLOWING)

    def _segment_facts(self, command: Command) -> Iterator[Fact]:
        yield from self._segment_table.facts(self._blob, command.at + 8, command.name)
        for name, at in self._placed_sections(command):
            yield from self._section_table.facts(self._blob, at, name)

    def _placed_sections(self, command: Command) -> Iterator[tuple[str, int]]:
        """Each section's name and header."""
        at = command.at + 8
        count = self._segment_table.number(self._blob, at, "nsects")
        at += self._segment_table.size
        if at + count * self._section_table.size > command.at + command.size:
            raise FormatError(f"{count} sections in a command of {command.size} bytes", at)
        met: dict[str, int] = {}
        for _ in range(count):
            row = self._section_table.read(self._blob, at)
            parts = (row["segname"], row["sectname"])
            name = ",".join(
                text_of(part.rstrip(b"\0")) for part in parts if isinstance(part, bytes)
            )
            met[name] = met.get(name, 0) + 1
            yield name if met[name] == 1 else f"{name} #{met[name]}", at
            at += self._section_table.size

    # --- contents ------------------------------------------------------------------------------

    def _sections(self, command: Command) -> Iterator[Part]:
        covered = 0
        for name, at in self._placed_sections(command):
            row = self._section_table.read(self._blob, at)
            if int(row["flags"]) & 0xFF in ZEROFILL:
                continue
            span = int(row["offset"]), int(row["size"])
            if span[1]:
                yield self._content(name, span)
            relocations = int(row["reloff"]), 8 * int(row["nreloc"])
            if relocations[1]:
                yield self._content(f"relocations of {name}", relocations)
            covered += span[1]
        row = self._segment_table.read(self._blob, command.at + 8)
        segment = row["name"]
        if not covered and isinstance(segment, bytes) and segment[:10] != b"__LINKEDIT":
            span = int(row["fileoff"]), int(row["filesize"])
            if span[0] >= self.end and span[1]:
                yield self._content(f"segment {text_of(segment.rstrip(bytes(1)))}", span)

    def _content(self, name: str, span: Span, derived: bool = False) -> Member:
        self._total += span[1]
        if self._total > 4 * self._blob.size:
            raise LimitError("contents overlap again and again", span[0])
        return Member(
            name, self._blob.part(*span), span, "macho.content", opaque=True, derived=derived
        )

    def _symbols(self, command: Command) -> Iterator[Member]:
        """nlist.h: an index of the strings, type, section, description, value."""
        if command.size < 24:
            raise FormatError("symbol table's command is too short", command.at)
        place, count, strings_at, strings_size = self._words(command.at + 8, 4)
        row = struct.Struct(f"{self._order}IBBH{'Q' if self._wide else 'I'}")
        strings = self._blob.part(strings_at, strings_size)
        symbols = self._blob.part(place, row.size * count)
        yield Member(
            "symbols",
            symbols,
            (place, symbols.size),
            "macho.symbols",
            inside=Listing("macho.symbols", partial(_symbol_rows, row, strings)),
        )
        yield Member(
            "strings",
            strings,
            (strings_at, strings_size),
            "macho.strings",
            inside=Listing("macho.strings", _string_rows),
        )

    def _words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"{self._order}{count}I", self._blob.part(at, 4 * count).read())


def _symbol_rows(row: struct.Struct, strings: Blob, blob: Blob) -> Iterator[Row]:
    names = strings.read()
    for number, values in enumerate(row.iter_unpack(blob.read())):
        index, kind, section, description, value = values
        end = names.find(b"\0", index)
        name = text_of(names[index:end]) if 0 <= index < end else f"#{index}"
        text = f"{name} type {kind:#x} section {section} description {description:#x} {value:#x}"
        yield Row((number * row.size, row.size), text)


def _string_rows(blob: Blob) -> Iterator[Row]:
    data = blob.read()
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        end = len(data) if end < 0 else end + 1
        yield Row((at, end - at), text_of(data[at:end]))
        at = end
