"""Compiled units of Free Pascal (.ppu): header by field, source files with their times, entries.

Source: Free Pascal Compiler, compiler/ppu.pas and entfile.pas (tppuheader, tentry, numbers of
entries), fppu.pas (writesourcefiles: a name and a time each, outside of the unit's checksums). The
header is little-endian; flag 4 says that the entries are not.
"""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from sxdiff.formats.parts import Names, Reader, in_one_line, whole
from sxdiff.formats.record import Field, Record, hexadecimal, utc
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row

MOST = 64 << 20
MOST_ENTRIES = 250_000
LONGEST = 256
"""Bytes of an entry that are told; of a longer one it is size and digest."""
HEADER = Record(
    "ppu",
    "<",
    (
        Field("magic", "3s"),
        Field("version", "3s"),
        Field("compiler", "H", hexadecimal),
        Field("cpu", "H"),
        Field("target", "H"),
        Field("flags", "I", hexadecimal),
        Field("size", "I", derived=True),
        Field("checksum", "I", hexadecimal),
        Field("interface_checksum", "I", hexadecimal),
        Field("definitions", "I"),
        Field("symbols", "I"),
        Field("indirect_checksum", "I", hexadecimal),
    ),
)
BIG_ENDIAN = 4
ENTRY = 6
"""Bytes of an entry's own header: size, id, number."""
MAIN = 1
"""The id of an entry that is in no other."""
SOURCES, END = 2, 255
NAMES = {
    1: "module name",
    SOURCES: "source files",
    3: "used units",
    5: "objects",
    6: "static libraries",
    7: "shared libraries",
    END: "end",
}


class Ppu:
    """Header facts, a name and a time of each source file, a row each other entry."""

    name = "ppu"

    def recognises(self, head: bytes) -> bool:
        """The magic letters and a version in digits."""
        return head[:3] == b"PPU" and head[3:6].isdigit() and len(head) > HEADER.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Raises `FormatError` where an entry lies outside, or the last one is not the end."""
        data = whole(blob, MOST)
        yield from HEADER.facts(blob, 0)
        if HEADER.number(blob, 0, "size") != len(data) - HEADER.size:
            raise FormatError("size is not that of what follows", 16)
        big = HEADER.number(blob, 0, "flags") & BIG_ENDIAN
        reader = Reader(data, ">" if big else "<")
        names, sources = Names(), Names()
        some: list[tuple[int, int]] = []
        for at, end in [*_entries(reader, HEADER.size), (len(data), len(data))]:
            is_sources = at < end and data[at + 4] == MAIN and data[at + 5] == SOURCES
            if (is_sources or at == end) and some:
                yield _listed(blob, reader, names("entries"), some)
                some = []
            if is_sources:
                yield from _sources(reader, at, end, sources)
            else:
                some.append((at, end))


def _entries(reader: Reader, at: int) -> Iterator[tuple[int, int]]:
    """Where each entry starts and ends."""
    count = 0
    number = -1
    while at < len(reader):
        end = at + ENTRY + reader.number(at)
        number = reader.span(at, end - at)[5]
        yield at, end
        at = end
        count += 1
        if count > MOST_ENTRIES:
            raise LimitError(f"more than {MOST_ENTRIES} entries", at)
    if number != END:
        raise FormatError("no entry that is the end", at)


def _sources(reader: Reader, at: int, end: int, names: Names) -> Iterator[Fact]:
    """Each source file: a short string and a time."""
    yield Fact("ppu.sources_size", end - at - ENTRY, (at, 4), derived=True)
    yield Fact("ppu.sources", f"{MAIN} {SOURCES}", (at + 4, 2))
    at += ENTRY
    while at < end:
        size = 1 + reader.number(at, 1)
        name = in_one_line(reader.span(at + 1, size - 1))
        if at + size + 4 > end:
            raise FormatError("source file outside of its entry", at)
        shown = names(name.rpartition("/")[2])
        yield Fact("ppu.source", name, (at, size), shown)
        time = reader.number(at + size)
        yield Fact("ppu.source_mtime", utc(time), (at + size, 4), shown)
        at += size + 4


def _listed(blob: Blob, reader: Reader, name: str, some: list[tuple[int, int]]) -> Member:
    span = (some[0][0], some[-1][1] - some[0][0])
    listing = Listing("ppu.entries", partial(_rows, reader, some), separate=True)
    return Member(name, blob.part(*span), span, "ppu.entries", inside=listing)


def _rows(reader: Reader, some: list[tuple[int, int]], _: Blob) -> Iterator[Row]:
    first = some[0][0]
    for at, end in some:
        kind, number = reader.span(at + 4, 2)
        name = NAMES.get(number, f"entry {number}")
        raw = reader.span(at + ENTRY, end - at - ENTRY)
        said = raw.hex() if len(raw) <= LONGEST else f"sha256:{sha256(raw).hexdigest()}"
        if kind == MAIN and number == 1 and raw[:1] == bytes([len(raw) - 1]):
            said = f"'{in_one_line(raw[1:])}'"
        other = f" (id {kind})" if kind != MAIN else ""
        yield Row((at - first, end - at), f"{name}{other} {said}".rstrip())
