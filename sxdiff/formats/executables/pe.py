"""Portable executables of Windows and EFI: headers with all their times, sections, what is in them.

Source: Microsoft's "PE Format" (learn.microsoft.com, Win32, Debug); the rich header as its
readers agree on it (it has no specification); the unified kernel image specification
(uapi-group.org) for sections that hold files. All numbers are little-endian.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.executables import cli_metadata
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, utc
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
    Symbol,
    text_of,
)

Part: TypeAlias = Fact | Member

DOS = Record(
    "pe.dos",
    "<",
    (
        Field("magic", "2s"),
        *(Field(name, "H") for name in ("bytes_on_last_page", "pages", "relocations")),
        *(Field(name, "H") for name in ("header_paragraphs", "min_memory", "max_memory")),
        *(Field(name, "H") for name in ("ss", "sp", "checksum", "ip", "cs")),
        *(Field(name, "H") for name in ("relocation_table", "overlay")),
        Field("reserved", "8s", hexadecimal),
        Field("oem_id", "H"),
        Field("oem_info", "H"),
        Field("reserved_2", "20s", hexadecimal),
        Field("pe_offset", "I", derived=True),
    ),
)
COFF = Record(
    "pe.coff",
    "<",
    (
        Field("signature", "4s", hexadecimal),
        Field("machine", "H", hexadecimal),
        Field("number_of_sections", "H", derived=True),
        Field("time_date_stamp", "I", utc),
        Field("pointer_to_symbol_table", "I", derived=True),
        Field("number_of_symbols", "I", derived=True),
        Field("size_of_optional_header", "H", derived=True),
        Field("characteristics", "H", hexadecimal),
    ),
)


def _optional(wide: bool) -> Record:
    word = "Q" if wide else "I"
    base = () if wide else (Field("base_of_data", "I", hexadecimal, derived=True),)
    return Record(
        "pe.optional",
        "<",
        (
            Field("magic", "H", hexadecimal),
            Field("major_linker_version", "B"),
            Field("minor_linker_version", "B"),
            Field("size_of_code", "I", derived=True),
            Field("size_of_initialized_data", "I", derived=True),
            Field("size_of_uninitialized_data", "I", derived=True),
            Field("address_of_entry_point", "I", hexadecimal, derived=True),
            Field("base_of_code", "I", hexadecimal, derived=True),
            *base,
            Field("image_base", word, hexadecimal),
            Field("section_alignment", "I"),
            Field("file_alignment", "I"),
            Field("major_operating_system_version", "H"),
            Field("minor_operating_system_version", "H"),
            Field("major_image_version", "H"),
            Field("minor_image_version", "H"),
            Field("major_subsystem_version", "H"),
            Field("minor_subsystem_version", "H"),
            Field("win32_version_value", "I"),
            Field("size_of_image", "I", derived=True),
            Field("size_of_headers", "I", derived=True),
            Field("check_sum", "I", hexadecimal, derived=True),
            Field("subsystem", "H"),
            Field("dll_characteristics", "H", hexadecimal),
            Field("size_of_stack_reserve", word),
            Field("size_of_stack_commit", word),
            Field("size_of_heap_reserve", word),
            Field("size_of_heap_commit", word),
            Field("loader_flags", "I"),
            Field("number_of_rva_and_sizes", "I"),
        ),
    )


OPTIONALS = {0x10B: _optional(wide=False), 0x20B: _optional(wide=True)}
DIRECTORY = Record(
    "pe.directory",
    "<",
    (Field("address", "I", hexadecimal, derived=True), Field("size", "I", derived=True)),
)
DIRECTORIES = (
    *("export", "import", "resource", "exception", "certificate", "relocation", "debug"),
    *("architecture", "global pointer", "thread storage", "load configuration", "bound import"),
    *("import address", "delay import", "runtime", "reserved"),
)
EXPORT, RESOURCE, EXCEPTION, CERTIFICATE, DEBUG, RUNTIME = 0, 2, 3, 4, 6, 14
AMD64 = 0x8664
SECTION = Record(
    "pe.section",
    "<",
    (
        Field("name", "8s"),
        Field("virtual_size", "I", derived=True),
        Field("virtual_address", "I", hexadecimal, derived=True),
        Field("size_of_raw_data", "I", derived=True),
        Field("pointer_to_raw_data", "I", derived=True),
        Field("pointer_to_relocations", "I", derived=True),
        Field("pointer_to_line_numbers", "I", derived=True),
        Field("number_of_relocations", "H", derived=True),
        Field("number_of_line_numbers", "H", derived=True),
        Field("characteristics", "I", hexadecimal),
    ),
)
EXPORTS = Record(
    "pe.export",
    "<",
    (
        Field("flags", "I", hexadecimal),
        Field("time_date_stamp", "I", utc),
        Field("major_version", "H"),
        Field("minor_version", "H"),
        Field("name_address", "I", hexadecimal, derived=True),
        Field("ordinal_base", "I"),
        Field("entries", "I", derived=True),
        Field("names", "I", derived=True),
        Field("entries_address", "I", hexadecimal, derived=True),
        Field("names_address", "I", hexadecimal, derived=True),
        Field("ordinals_address", "I", hexadecimal, derived=True),
    ),
)
DEBUGS = Record(
    "pe.debug",
    "<",
    (
        Field("characteristics", "I"),
        Field("time_date_stamp", "I", utc),
        Field("major_version", "H"),
        Field("minor_version", "H"),
        Field("type", "I"),
        Field("size", "I", derived=True),
        Field("address", "I", hexadecimal, derived=True),
        Field("pointer", "I", derived=True),
    ),
)
CODEVIEW, REPRODUCIBLE = 2, 16
CODEVIEW_7 = Record(
    "pe.codeview",
    "<",
    (Field("signature", "4s"), Field("guid", "16s", hexadecimal), Field("age", "I")),
)
RESOURCES = Record(
    "pe.resource",
    "<",
    (
        Field("characteristics", "I"),
        Field("time_date_stamp", "I", utc),
        Field("major_version", "H"),
        Field("minor_version", "H"),
        Field("named", "H", derived=True),
        Field("numbered", "H", derived=True),
    ),
)
RESOURCE_TYPES = {
    1: "cursor",
    2: "bitmap",
    3: "icon",
    4: "menu",
    5: "dialog",
    6: "strings",
    9: "keys",
    10: "data",
    12: "cursors",
    14: "icons",
    16: "version",
    23: "html",
    24: "manifest",
}
VERSION_RESOURCE = "version/"
MOST_RESOURCES = 50_000
FILES = frozenset(
    {
        # sections of unified kernel images: each is a file
        *(".linux", ".initrd", ".cmdline", ".osrel", ".uname", ".ucode", ".splash", ".dtb"),
        *(".sbat", ".profile", ".pcrsig", ".pcrpkey", ".dtbauto", ".hwids", ".efifw", ".sdmagic"),
    }
)
STATIC = 3
"""Storage class of a section's symbol, whose auxiliary entry starts with the section's size."""
SYMBOL = struct.Struct("<8sIhHBB")
LONGEST = 4096
"""Longest name or path."""


class Section(NamedTuple):
    """One section: where it lies in memory and in the file, and its header's place."""

    name: str
    address: int
    memory: int
    offset: int
    size: int
    at: int


class Entry(NamedTuple):
    """One symbol: its place is relative to its section, which is counted from 1."""

    name: str
    value: int
    section: int
    type: int
    storage: int


class Pe:
    """A part for the headers, members for sections, symbols, certificates, what lies behind."""

    name = "pe"

    def recognises(self, head: bytes) -> bool:
        """MZ, and the signature of a portable executable where the DOS header says it lies."""
        if len(head) < 64 or head[:2] != b"MZ":
            return False
        at = int.from_bytes(head[60:64], "little")
        return head[at : at + 4] == b"PE\0\0"

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Part]:  # noqa: ARG002 - reads spans only
        """Headers first, then contents in the order of the section table."""
        image = _Image(blob)
        size = image.headers_end
        # a part of its own, so that a check sum follows from a time in it
        yield Member(
            "headers",
            blob.part(0, size),
            (0, size),
            "pe.headers",
            inside=Inside("pe", lambda _: image.headers()),
        )
        yield from image.contents()


class _Image:
    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        if blob.read(0, 2) != b"MZ":
            raise FormatError("no DOS header", 0)
        self._at = DOS.number(blob, 0, "pe_offset")
        coff = COFF.read(blob, self._at)
        if coff["signature"] != b"PE\0\0" or self._at < 4:
            raise FormatError("no signature of a portable executable", self._at)
        self.stamp, self._machine = int(coff["time_date_stamp"]), int(coff["machine"])
        self._optional_at = self._at + COFF.size
        magic = int.from_bytes(blob.part(self._optional_at, 2).read(), "little")
        if magic not in OPTIONALS:
            raise FormatError(f"no optional header of kind {magic:#x}", self._optional_at)
        self._optional = OPTIONALS[magic]
        count = self._optional.number(blob, self._optional_at, "number_of_rva_and_sizes")
        self._directories_at = self._optional_at + self._optional.size
        size = int(coff["size_of_optional_header"])
        fitting = (size - self._optional.size) // DIRECTORY.size
        self._directories = [
            DIRECTORY.read(blob, self._directories_at + DIRECTORY.size * number)
            for number in range(max(0, min(count, fitting, 16)))
        ]
        symbols = int(coff["pointer_to_symbol_table"]), int(coff["number_of_symbols"])
        self._symbols: Span = (symbols[0], symbols[1] * SYMBOL.size) if symbols[0] else (0, 0)
        blob.part(*self._symbols)
        self._sections_at = self._optional_at + size
        self._sections = self._read_sections(int(coff["number_of_sections"]))
        self.headers_end = self._sections_at + SECTION.size * len(self._sections)

    def _read_sections(self, count: int) -> list[Section]:
        out: list[Section] = []
        met: dict[str, int] = {}
        for number in range(count):
            at = self._sections_at + SECTION.size * number
            row = SECTION.read(self._blob, at)
            raw = row["name"]
            name = self._long_name(raw if isinstance(raw, bytes) else b"")
            met[name] = met.get(name, 0) + 1
            name = name if met[name] == 1 else f"{name} #{met[name]}"
            offset, size = int(row["pointer_to_raw_data"]), int(row["size_of_raw_data"])
            if not offset:
                size = 0
            self._blob.part(offset, size)
            memory = int(row["virtual_size"])
            out.append(Section(name, int(row["virtual_address"]), memory, offset, size, at))
        if sum(section.size for section in out) > 4 * self._blob.size:
            raise LimitError("sections overlap again and again")
        return out

    def _long_name(self, raw: bytes) -> str:
        """A name, or what `/123` stands for in the string table behind the symbols."""
        name = raw.rstrip(b"\0")
        if name[:1] == b"/" and name[1:].isdigit() and self._symbols[0]:
            start = sum(self._symbols) + int(name[1:])
            text, end, _ = self._blob.read(start, LONGEST).partition(b"\0")
            if end:
                return text_of(text)
        return text_of(name) or "?"

    # --- headers -------------------------------------------------------------------------------

    def headers(self) -> Iterator[Part]:
        blob = self._blob
        yield from DOS.facts(blob, 0)
        if self._at > DOS.size:
            yield from self._stub()
        deterministic = self._deterministic
        for fact in COFF.facts(blob, self._at):
            # the digest of a deterministic build takes the time's place
            follows = deterministic and fact.kind == "pe.coff.time_date_stamp"
            yield Fact(fact.kind, fact.value, fact.at, fact.name, fact.derived or follows)
        yield from self._optional.facts(blob, self._optional_at)
        for number in range(len(self._directories)):
            at = self._directories_at + DIRECTORY.size * number
            yield from DIRECTORY.facts(blob, at, DIRECTORIES[number])
        for section in self._sections:
            facts = SECTION.facts(blob, section.at, section.name)
            for fact in facts:
                moved = fact.kind == "pe.section.name" and str(fact.value)[:1] == "/"
                yield Fact(fact.kind, fact.value, fact.at, fact.name, fact.derived or moved)

    def _stub(self) -> Iterator[Part]:
        """The program for DOS, and the rich header: pairs of a tool and how often it was used,
        each number exclusive-ored with a key that follows from them and the DOS header."""
        data = self._blob.part(DOS.size, self._at - DOS.size).read()
        start = end = len(data)
        rich = data.rfind(b"Rich")
        if rich >= 16 and len(data) >= rich + 8 and rich % 4 == 0:
            key = struct.unpack_from("<I", data, rich + 4)[0]
            words = [value ^ key for (value,) in struct.iter_unpack("<I", data[: rich - rich % 4])]
            found = next((at for at, word in enumerate(words) if word == 0x536E6144), None)
            if found is not None:  # "DanS", then three zeros
                start, end = 4 * found, rich + 8
                yield Fact(
                    "pe.rich.key", f"{key:#010x}", (DOS.size + rich, 8), "rich header", derived=True
                )
                yield from _rich(words[found:], DOS.size + start)
        if start:
            digest = digest_of(self._blob.part(DOS.size, start))
            yield Fact("pe.dos_program", digest, (DOS.size, start))
        if end < len(data):
            yield Fact("pe.dos_padding", data[end:].hex(), (DOS.size + end, len(data) - end))

    # --- contents ------------------------------------------------------------------------------

    def contents(self) -> Iterator[Part]:
        blob = self._blob
        end = self.headers_end
        for number, section in enumerate(self._sections, 1):
            if not section.size:
                continue
            end = max(end, section.offset + section.size)
            if section.name.partition(" #")[0] in FILES:
                # what is behind a file's size is padding
                size = min(section.size, section.memory or section.size)
                span = (section.offset, size)
                yield Member(section.name, blob.part(*span), span, "pe.section.content")
                continue
            span = (section.offset, section.size)
            yield Member(
                section.name,
                blob.part(*span),
                span,
                "pe.section.content",
                opaque=True,
                inside=self._inside(section),
                symbols=partial(self._symbols_of, number),
            )
        if self._symbols[1]:
            yield from self._symbol_table()
            end = max(end, self._strings_end())
        for at, size in self._certificates():
            content = (at + 8, size - 8)
            yield Fact("pe.certificate", blob.part(at, 8).read().hex(), (at, 8), "certificate")
            yield Member("certificate", blob.part(*content), content, "pe.certificate.content")
            end = max(end, at + size)
        if end < blob.size and blob.read(end, 64).strip(b"\0"):
            span = (end, blob.size - end)
            yield Member("overlay", blob.part(*span), span, "pe.overlay")

    def _certificates(self) -> list[Span]:
        """Attribute certificates: the only directory whose address is an offset in the file."""
        if len(self._directories) <= CERTIFICATE:
            return []
        at, size = (int(value) for value in self._directories[CERTIFICATE].values())
        if not at or size < 8:
            return []
        length = int.from_bytes(self._blob.part(at, size).read(0, 4), "little")
        if not 8 <= length <= size:
            raise FormatError(f"certificate of {length} bytes", at)
        return [(at, length)]

    def _strings_end(self) -> int:
        at = sum(self._symbols)
        size = int.from_bytes(self._blob.read(at, 4), "little")
        return at + max(4, size) if at + size <= self._blob.size else at

    def _symbol_table(self) -> Iterator[Member]:
        blob = self._blob
        yield Member(
            "symbols",
            blob.part(*self._symbols),
            self._symbols,
            "pe.symbols",
            inside=Listing("pe.symbols", self._symbol_rows),
        )
        start = sum(self._symbols)
        size = self._strings_end() - start
        if size > 4:
            yield Member(
                "strings",
                blob.part(start, size),
                (start, size),
                "pe.strings",
                inside=Listing("pe.strings", _string_rows),
            )

    def _symbol_rows(self, blob: Blob) -> Iterator[Row]:
        """Standard symbols by name, section and class; where they lie is a place."""
        static = False
        for at, entry in self._entries(blob.read()):
            if isinstance(entry, bytes):
                size = 4 if static else 0  # of a section: it follows from that
                if size:
                    yield Row((at, size), "section's size")
                yield Row((at + size, SYMBOL.size - size), entry[size:].hex())
                continue
            static = entry.storage == STATIC and not entry.type and not entry.value
            text = f"{entry.name} type {entry.type:#x} class {entry.storage}"
            if 0 < entry.section <= len(self._sections):
                section = self._sections[entry.section - 1]
                place = (section.name, entry.value)
                yield Row((at, SYMBOL.size), f"{text} {section.name}", (place,))
            else:
                text += f" {entry.value:#x} section {entry.section}"
                yield Row((at, SYMBOL.size), text)

    def _entries(self, data: bytes) -> Iterator[tuple[int, "Entry | bytes"]]:
        """Each entry's place, and the symbol or the auxiliary bytes of the symbol before it."""
        start = sum(self._symbols)
        names = self._blob.part(start, self._strings_end() - start).read()
        left = 0
        for at in range(0, len(data) - SYMBOL.size + 1, SYMBOL.size):
            if left:
                left -= 1
                yield at, data[at : at + SYMBOL.size]
                continue
            raw, value, section, kind, storage, left = SYMBOL.unpack_from(data, at)
            name = raw.rstrip(b"\0")
            if raw[:4] == bytes(4):
                begin = int.from_bytes(raw[4:], "little")
                name = names[begin : max(begin, names.find(b"\0", begin))]
            yield at, Entry(text_of(name), value, section, kind, storage)

    def _symbols_of(self, number: int) -> list[Symbol]:
        """The symbols of section `number`, each up to the next."""
        if not self._symbols[1]:
            return []
        found = [
            entry
            for _, entry in self._entries(self._blob.part(*self._symbols).read())
            if isinstance(entry, Entry) and entry.section == number
        ]
        found.sort(key=lambda entry: (entry.value, entry.name))
        ends = [*(entry.value for entry in found), self._sections[number - 1].size][1:]
        return [
            Symbol(entry.value, end - entry.value, entry.name)
            for entry, end in zip(found, ends, strict=True)
            if end > entry.value
        ]

    # --- what lies in sections -----------------------------------------------------------------

    def _inside(self, section: Section) -> Inside | Listing | None:
        """Exports, resources and debug data as far as they lie in `section`."""
        if self._holds(section, EXCEPTION) and self._machine == AMD64:
            address = int(self._directories[EXCEPTION]["address"])
            if address == section.address:
                return Listing("pe.exceptions", self._exception_rows)
        told: list[Callable[[Section], Iterable[Part]]] = []
        for number, parts in ((EXPORT, self._export), (RESOURCE, self._resource)):
            if self._holds(section, number):
                told.append(parts)
        if len(self._directories) > DEBUG:
            told.append(self._debug)
        if self._holds(section, RUNTIME):
            told.append(self._runtime)
        if not told:
            return None
        return Inside("pe", partial(self._pieces, section, told))

    def _holds(self, section: Section, number: int) -> bool:
        if number >= len(self._directories):
            return False
        address, size = (int(value) for value in self._directories[number].values())
        return bool(size) and section.address <= address < section.address + section.size

    def _exception_rows(self, blob: Blob) -> Iterator[Row]:
        """RUNTIME_FUNCTION: addresses of a function's start and end, and how to unwind it."""
        data = blob.read()
        for at in range(0, len(data) - 11, 12):
            words = struct.unpack_from("<3I", data, at)
            if not any(words):
                return
            yield Row((at, 12), "function", tuple(self._place(word) for word in words))

    def _place(self, address: int) -> tuple[str, int]:
        """An address as a section and an offset in it."""
        for section in self._sections:
            if section.address <= address < section.address + max(section.size, section.memory):
                return section.name, address - section.address
        return "", address

    def _pieces(
        self, section: Section, told: list[Callable[[Section], Iterable[Part]]], blob: Blob
    ) -> Iterator[Part]:
        """What is known of a section, and the bytes between as parts."""
        spans: list[Span] = []
        for parts in told:
            for part in parts(section):
                if part.at:
                    spans.append(part.at)
                yield part
        at = number = 0
        for start, size in sorted(spans):
            if start > at:
                number += 1
                yield _piece(blob, at, start, number)
            at = max(at, start + size)
        if at < blob.size:
            yield _piece(blob, at, blob.size, number + 1)

    def _stamped(self, facts: Iterable[Fact]) -> Iterator[Fact]:
        """Facts whose time, where it is the file's own, follows from that."""
        for fact in facts:
            follows = fact.kind.endswith(".time_date_stamp") and fact.value == utc(self.stamp)
            yield Fact(fact.kind, fact.value, fact.at, fact.name, fact.derived or follows)

    def _export(self, section: Section) -> Iterator[Part]:
        blob = self._blob.part(section.offset, section.size)
        at = int(self._directories[EXPORT]["address"]) - section.address
        yield from self._stamped(EXPORTS.facts(blob, at, "export"))
        start = EXPORTS.number(blob, at, "entries_address") - section.address
        size = 4 * EXPORTS.number(blob, at, "entries")
        if at + EXPORTS.size <= start and start + size <= blob.size:
            rows = Listing("pe.exports", self._export_rows)
            part = blob.part(start, size)
            yield Member("export addresses", part, (start, size), "pe.exports", inside=rows)

    def _export_rows(self, blob: Blob) -> Iterator[Row]:
        """Addresses of what is exported, by their ordinals."""
        for number, (address,) in enumerate(struct.iter_unpack("<I", blob.read())):
            yield Row((4 * number, 4), f"export {number}", (self._place(address),))

    def _debug(self, section: Section) -> Iterator[Part]:
        """The directory's entries in this section, and what entries point at in it."""
        blob = self._blob.part(section.offset, section.size)
        for number, (home, at, row) in enumerate(self._entries_of_debug(), 1):
            name = f"debug {number}"
            if home is section:
                yield from self._stamped(DEBUGS.facts(blob, at, name))
            start, length = int(row["pointer"]) - section.offset, int(row["size"])
            if row["type"] != CODEVIEW or not 0 <= start < section.size or length < CODEVIEW_7.size:
                continue
            view = blob.part(start, length)
            if view.read(0, 4) != b"RSDS":
                continue
            for fact in CODEVIEW_7.facts(view, 0, name):
                assert fact.at  # noqa: S101 - of a record
                yield Fact(fact.kind, fact.value, (start + fact.at[0], fact.at[1]), fact.name)
            path = view.read(CODEVIEW_7.size, LONGEST)
            yield Fact(
                "pe.codeview.path", text_of(path), (start + CODEVIEW_7.size, len(path)), name
            )

    def _runtime(self, section: Section) -> Iterator[Part]:
        """The CLI header of .NET, and its metadata where that lies in the same section."""
        blob = self._blob.part(section.offset, section.size)
        at = int(self._directories[RUNTIME]["address"]) - section.address
        yield from cli_metadata.HEADER.facts(blob, at, "runtime")
        row = cli_metadata.HEADER.read(blob, at)
        start, size = int(row["metadata_address"]) - section.address, int(row["metadata_size"])
        if start >= 0 and start + size <= section.size:
            parts = partial(
                cli_metadata.metadata, place=self._place, deterministic=self._deterministic
            )
            span = (start, size)
            inside = Inside("cli", parts)
            yield Member("metadata", blob.part(*span), span, "cli.metadata", inside=inside)

    def _entries_of_debug(self) -> Iterator[tuple[Section, int, dict[str, Raw]]]:
        """Each entry of the debug directory: its section, its place in that, its fields."""
        home = next((one for one in self._sections if self._holds(one, DEBUG)), None)
        if home is None:
            return
        address, size = (int(value) for value in self._directories[DEBUG].values())
        content = self._blob.part(home.offset, home.size)
        for number in range(min(size // DEBUGS.size, 64)):
            at = address - home.address + DEBUGS.size * number
            yield home, at, DEBUGS.read(content, at)

    @property
    def _deterministic(self) -> bool:
        """Whether the linker says that times and identifiers follow from the contents."""
        return any(row["type"] == REPRODUCIBLE for _, _, row in self._entries_of_debug())

    def _resource(self, section: Section) -> Iterator[Part]:
        """The tree of types, names and languages, then its leaves' contents."""
        blob = self._blob.part(section.offset, section.size)
        root = int(self._directories[RESOURCE]["address"]) - section.address
        waiting: list[tuple[int, tuple[str, ...]]] = [(root, ())]
        seen: set[int] = set()
        for _ in range(MOST_RESOURCES):
            if not waiting:
                return
            at, way = waiting.pop(0)
            if at in seen or len(way) > 3:
                raise FormatError("directory of resources met again", at)
            seen.add(at)
            name = "/".join(way) or "resources"
            yield from self._stamped(RESOURCES.facts(blob, at, name))
            row = RESOURCES.read(blob, at)
            at += RESOURCES.size
            for _ in range(int(row["named"]) + int(row["numbered"])):
                raw = blob.part(at, 8).read()
                key, place = struct.unpack("<II", raw)
                label = _resource_name(blob, root, key, way)
                inner = (*way, label)
                told = "/".join(inner)
                yield Fact("pe.resource.entry", raw.hex(), (at, 8), told, derived=True)
                at += 8
                if place & 0x80000000:
                    waiting.append((root + (place & 0x7FFFFFFF), inner))
                    continue
                yield from _leaf(blob, section, root + place, told)
        raise LimitError(f"more than {MOST_RESOURCES} directories of resources")


def _rich(words: list[int], at: int) -> Iterator[Fact]:
    """Entries from the fifth word on, two words each; the words before are a mark and zeros."""
    yield Fact("pe.rich.mark", ".".join(f"{word:x}" for word in words[:4]), (at, 16), "rich header")
    met: dict[str, int] = {}
    for place in range(4, len(words) - 1, 2):
        tool = f"tool {words[place] >> 16} build {words[place] & 0xFFFF}"
        met[tool] = met.get(tool, 0) + 1
        name = tool if met[tool] == 1 else f"{tool} #{met[tool]}"
        yield Fact("pe.rich.uses", words[place + 1], (at + 4 * place, 8), name)


def _piece(blob: Blob, start: int, end: int, number: int) -> Member:
    name = "content" if number == 1 else f"content #{number}"
    content = blob.part(start, end - start)
    return Member(name, content, (start, end - start), "pe.section.content", opaque=True)


def _resource_name(blob: Blob, root: int, key: int, way: tuple[str, ...]) -> str:
    if key & 0x80000000:
        at = root + (key & 0x7FFFFFFF)
        count = int.from_bytes(blob.part(at, 2).read(), "little")
        return blob.part(at + 2, 2 * count).read().decode("utf-16-le", "replace")
    return RESOURCE_TYPES.get(key, str(key)) if not way else str(key)


def _leaf(blob: Blob, section: Section, at: int, name: str) -> Iterator[Part]:
    """A resource's data entry and content."""
    raw = blob.part(at, 16).read()
    address, size = struct.unpack_from("<II", raw)
    yield Fact("pe.resource.place", raw[:8].hex(), (at, 8), name, derived=True)
    yield Fact("pe.resource.code_page", raw[8:].hex(), (at + 8, 8), name)
    start = address - section.address
    content = blob.part(start, size)
    yield Member(
        name,
        content,
        (start, size),
        "pe.resource.content",
        inside=Listing("pe.version", _version_rows) if name.startswith(VERSION_RESOURCE) else None,
    )


def _version_rows(blob: Blob) -> Iterator[Row]:
    """VS_VERSIONINFO, roughly: its strings in UTF-16, and what lies between them."""
    data = blob.read()
    at = start = 0
    while at + 1 < len(data):
        end = at
        while end + 1 < len(data) and 0x20 <= data[end] < 0x7F and not data[end + 1]:
            end += 2
        if end - at >= 4:
            if at > start:
                yield Row((start, at - start), data[start:at].hex())
            yield Row((at, end - at), data[at:end].decode("utf-16-le"))
            at = start = end
        else:
            at += 2
    if start < len(data):
        yield Row((start, len(data) - start), data[start:].hex())


def _string_rows(blob: Blob) -> Iterator[Row]:
    data = blob.read()
    yield Row((0, 4), "strings")
    at = 4
    while at < len(data):
        end = data.find(b"\0", at)
        end = len(data) if end < 0 else end + 1
        yield Row((at, end - at), text_of(data[at:end]))
        at = end
