"""What .NET keeps in a portable executable: the CLI header, and metadata with heaps and tables.

Source: ECMA-335, 6th edition, partition II: 22 "Metadata logical format: tables", 24 "Metadata
physical layout", 25.3.3 "CLI header". All numbers are little-endian.
"""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Inside, Listing, Member, Row, text_of

HEADER = Record(
    "cli",
    "<",
    (
        Field("size", "I", derived=True),
        Field("major_runtime_version", "H"),
        Field("minor_runtime_version", "H"),
        Field("metadata_address", "I", hexadecimal, derived=True),
        Field("metadata_size", "I", derived=True),
        Field("flags", "I", hexadecimal),
        Field("entry_point", "I", hexadecimal),
        Field("resources_address", "I", hexadecimal, derived=True),
        Field("resources_size", "I", derived=True),
        Field("strong_name_address", "I", hexadecimal, derived=True),
        Field("strong_name_size", "I", derived=True),
        *(
            Field(name, "Q", hexadecimal, derived=True)
            for name in ("code_managers", "vtable_fixups", "export_jumps", "native_header")
        ),
    ),
)
MAGIC = b"BSJB"
MOST_STREAMS = 64
LONGEST_VERSION = 255
LONGEST_BLOB = 200
GUID = 16

CODED = {
    # II.24.2.6: tag bits, then the tables that the tags mean
    "a": (2, (0x02, 0x01, 0x1B)),  # TypeDefOrRef
    "c": (2, (0x04, 0x08, 0x17)),  # HasConstant
    "u": (
        5,  # HasCustomAttribute
        (
            *(0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0A, 0x00, 0x0E, 0x17, 0x14, 0x11),
            *(0x1A, 0x1B, 0x20, 0x23, 0x26, 0x27, 0x28, 0x2A, 0x2C, 0x2B),
        ),
    ),
    "f": (1, (0x04, 0x08)),  # HasFieldMarshal
    "d": (2, (0x02, 0x06, 0x20)),  # HasDeclSecurity
    "p": (3, (0x02, 0x01, 0x1A, 0x06, 0x1B)),  # MemberRefParent
    "h": (1, (0x14, 0x17)),  # HasSemantics
    "m": (1, (0x06, 0x0A)),  # MethodDefOrRef
    "w": (1, (0x04, 0x06)),  # MemberForwarded
    "i": (2, (0x26, 0x23, 0x27)),  # Implementation
    "t": (3, (0x06, 0x0A)),  # CustomAttributeType
    "r": (2, (0x00, 0x1A, 0x23, 0x01)),  # ResolutionScope
    "o": (1, (0x02, 0x06)),  # TypeOrMethodDef
}
TABLES = {
    # II.22: number, name, columns: 2 and 4 bytes, R an address, S G B in heaps, a table's
    # number in hex digits, or a coded index as above
    0x00: ("Module", "2 S G G G"),
    0x01: ("TypeRef", "r S S"),
    0x02: ("TypeDef", "4 S S a 04 06"),
    0x03: ("FieldPtr", "04"),
    0x04: ("Field", "2 S B"),
    0x05: ("MethodPtr", "06"),
    0x06: ("MethodDef", "R 2 2 S B 08"),
    0x07: ("ParamPtr", "08"),
    0x08: ("Param", "2 2 S"),
    0x09: ("InterfaceImpl", "02 a"),
    0x0A: ("MemberRef", "p S B"),
    0x0B: ("Constant", "2 c B"),
    0x0C: ("CustomAttribute", "u t B"),
    0x0D: ("FieldMarshal", "f B"),
    0x0E: ("DeclSecurity", "2 d B"),
    0x0F: ("ClassLayout", "2 4 02"),
    0x10: ("FieldLayout", "4 04"),
    0x11: ("StandAloneSig", "B"),
    0x12: ("EventMap", "02 14"),
    0x13: ("EventPtr", "14"),
    0x14: ("Event", "2 S a"),
    0x15: ("PropertyMap", "02 17"),
    0x16: ("PropertyPtr", "17"),
    0x17: ("Property", "2 S B"),
    0x18: ("MethodSemantics", "2 06 h"),
    0x19: ("MethodImpl", "02 m m"),
    0x1A: ("ModuleRef", "S"),
    0x1B: ("TypeSpec", "B"),
    0x1C: ("ImplMap", "2 w S 1A"),
    0x1D: ("FieldRVA", "R 04"),
    0x1E: ("EncLog", "4 4"),
    0x1F: ("EncMap", "4"),
    0x20: ("Assembly", "4 2 2 2 2 4 B S S"),
    0x21: ("AssemblyProcessor", "4"),
    0x22: ("AssemblyOS", "4 4 4"),
    0x23: ("AssemblyRef", "2 2 2 2 4 B S S B"),
    0x24: ("AssemblyRefProcessor", "4 23"),
    0x25: ("AssemblyRefOS", "4 4 4 23"),
    0x26: ("File", "4 S B"),
    0x27: ("ExportedType", "4 4 S S i"),
    0x28: ("ManifestResource", "4 4 S i"),
    0x29: ("NestedClass", "02 02"),
    0x2A: ("GenericParam", "2 2 o S"),
    0x2B: ("MethodSpec", "m B"),
    0x2C: ("GenericParamConstraint", "2A a"),
}
HEAPS = {"S": 1, "G": 2, "B": 4}
"""Bits of HeapSizes: indexes of this heap take four bytes."""

Place = Callable[[int], tuple[str, int]]
"""An address in memory as a section and an offset in it."""


class Stream(NamedTuple):
    """One stream of the metadata."""

    name: str
    at: int
    size: int
    header: int
    header_end: int


def metadata(blob: Blob, place: Place, deterministic: bool) -> Iterator[Fact | Member]:
    """The parts of a metadata root that is all of `blob`.

    Where a build is `deterministic`, the identifiers follow from the contents.
    """
    if blob.read(0, 4) != MAGIC:
        raise FormatError("no metadata root", 0)
    yield Fact("cli.metadata", blob.part(0, 12).read().hex(), (0, 12))
    length = int.from_bytes(blob.part(12, 4).read(), "little")
    if length > LONGEST_VERSION:
        raise FormatError(f"version of {length} bytes", 12)
    yield Fact("cli.version", text_of(blob.part(16, length).read()), (12, 4 + length))
    at = 16 + length
    yield Fact("cli.streams", blob.part(at, 4).read().hex(), (at, 4))
    streams = _streams(blob, at)
    heaps = {stream.name: blob.part(stream.at, stream.size) for stream in streams}
    for stream in streams:
        raw = blob.read(stream.header, 8).hex()
        yield Fact("cli.stream", raw, (stream.header, 8), stream.name, derived=True)
        start, size = stream.header + 8, stream.header_end - stream.header - 8
        name = blob.read(start, size).hex()
        yield Fact("cli.stream_name", name, (start, size), stream.name)
        yield Member(
            stream.name,
            heaps[stream.name],
            (stream.at, stream.size),
            "cli.stream_content",
            opaque=True,
            inside=_inside(stream.name, heaps, place, deterministic),
        )


def _streams(blob: Blob, at: int) -> list[Stream]:
    count = int.from_bytes(blob.part(at + 2, 2).read(), "little")
    if count > MOST_STREAMS:
        raise FormatError(f"{count} streams", at)
    at += 4
    out: list[Stream] = []
    for _ in range(count):
        offset, size = struct.unpack("<II", blob.part(at, 8).read())
        name, end, _ = blob.read(at + 8, 32).partition(b"\0")
        if not end:
            raise FormatError("name of a stream without an end", at)
        blob.part(offset, size)
        behind = at + 8 + -(-(len(name) + 1) // 4) * 4
        told = text_of(name)
        if any(stream.name == told for stream in out):
            raise FormatError(f"stream {told} met again", at)
        out.append(Stream(told, offset, size, at, behind))
        at = behind
    return out


def _inside(
    name: str, heaps: dict[str, Blob], place: Place, deterministic: bool
) -> Inside | Listing | None:
    if name == "#Strings":
        return Listing("cli.strings", _strings)
    if name == "#US":
        return Listing("cli.user_strings", partial(_blobs, text=True))
    if name == "#Blob":
        return Listing("cli.blobs", partial(_blobs, text=False))
    if name == "#GUID":
        return Inside("cli", partial(_identifiers, deterministic))
    if name in ("#~", "#-"):
        return Listing("cli.tables", partial(_tables, heaps, place))
    return None


def _strings(blob: Blob) -> Iterator[Row]:
    data = blob.read()
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        end = len(data) if end < 0 else end + 1
        yield Row((at, end - at), text_of(data[at:end]))
        at = end


def _blobs(blob: Blob, text: bool) -> Iterator[Row]:
    """Entries behind their sizes; user strings are UTF-16 with a final byte."""
    data = blob.read()
    at = 0
    while at < len(data):
        start, size = _size(data, at)
        end = min(start + size, len(data))
        raw = data[start:end]
        told = raw.hex()
        if text and len(raw) % 2:
            told = f"{text_of(raw[:-1].decode('utf-16-le', 'replace').encode())!r} {raw[-1]}"
            if "\ufffd" in told:
                told = raw.hex()
        yield Row((at, end - at), told)
        at = end


def _size(data: bytes, at: int) -> tuple[int, int]:
    """A compressed number (II.23.2): the offset behind it, and its value."""
    first = data[at]
    if not first & 0x80:
        return at + 1, first
    if not first & 0x40:
        return at + 2, int.from_bytes(data[at : at + 2], "big") & 0x3FFF
    return at + 4, int.from_bytes(data[at : at + 4], "big") & 0x1FFFFFFF


def _identifiers(deterministic: bool, blob: Blob) -> Iterator[Fact]:
    """The first is the module's version (Mvid), new for each build that is not deterministic."""
    for number in range(blob.size // GUID):
        at = GUID * number
        told = blob.read(at, GUID).hex()
        name = "module version" if number == 0 else f"identifier {number + 1}"
        yield Fact("cli.guid", told, (at, GUID), name, derived=deterministic)


def _tables(heaps: dict[str, Blob], place: Place, blob: Blob) -> Iterator[Row]:
    """Every row of every table, with what it names in the heaps."""
    data = blob.read()
    if len(data) < 24:
        raise FormatError("tables end early", len(data))
    sizes, valid = data[6], int.from_bytes(data[8:16], "little")
    present = [number for number in range(64) if valid >> number & 1]
    if 24 + 4 * len(present) + (sizes & 0x40) // 16 > len(data):
        raise FormatError("numbers of rows end early", len(data))
    yield Row((0, 24), data[:24].hex())
    at = 24
    counts: dict[int, int] = {}
    for number in present:
        counts[number] = int.from_bytes(data[at : at + 4], "little")
        name = TABLES[number][0] if number in TABLES else f"table {number:#x}"
        yield Row((at, 4), f"rows of {name}")
        at += 4
    if sizes & 0x40:
        yield Row((at, 4), data[at : at + 4].hex())
        at += 4
    texts = _Heaps(heaps)
    for number in present:
        if number not in TABLES:
            break  # all that follows is told as bytes
        name, letters = TABLES[number]
        columns = [(letter, _width(letter, sizes, counts)) for letter in letters.split()]
        width = sum(size for _, size in columns)
        if at + width * counts[number] > len(data):
            raise FormatError(f"table {name} behind the end", at)
        for _ in range(counts[number]):
            told, refers, start = [name], [], at
            for letter, size in columns:
                value = int.from_bytes(data[at : at + size], "little")
                at += size
                if letter == "R":
                    refers.append(place(value))
                else:
                    told.append(texts.of(letter, value))
            yield Row((start, width), " ".join(told), tuple(refers))


def _width(letter: str, sizes: int, counts: dict[int, int]) -> int:
    if letter in "24R":
        return 2 if letter == "2" else 4
    if letter in HEAPS:
        return 4 if sizes & HEAPS[letter] else 2
    if letter in CODED:
        bits, tables = CODED[letter]
        return 4 if max(counts.get(table, 0) for table in tables) >= 1 << (16 - bits) else 2
    return 4 if counts.get(int(letter, 16), 0) >= 1 << 16 else 2


class _Heaps:
    """Texts of what lies in the heaps of strings and blobs."""

    def __init__(self, heaps: dict[str, Blob]) -> None:
        self._strings = heaps["#Strings"].read() if "#Strings" in heaps else b""
        self._blobs = heaps["#Blob"].read() if "#Blob" in heaps else b""

    def of(self, letter: str, value: int) -> str:
        """A column's value: a name in quotes, a blob in hex digits, else the number."""
        if letter == "S" and value < len(self._strings):
            end = self._strings.find(b"\0", value)
            return repr(text_of(self._strings[value:end]))
        if letter == "B" and value < len(self._blobs):
            start, size = _size(self._blobs, value)
            if size <= LONGEST_BLOB:
                return f"<{self._blobs[start : start + size].hex()}>"
        return str(value)
