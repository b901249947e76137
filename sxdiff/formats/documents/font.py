"""Fonts: TrueType and OpenType (sfnt), collections, and WOFF; tables by tag.

Source: OpenType 1.9, "OpenType font file", "head", "name"; W3C, WOFF File Format 1.0 and 2.0;
FontForge, tottf.c for FFTM. A checksum that is not that of its table is no consequence of it.
"""

import sys
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sxdiff.formats.parts import Names, Parts, Reader, bytes_part, packed, part
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, plain
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    Span,
    text_of,
)

VERSIONS = (b"\0\1\0\0", b"OTTO", b"true")
COLLECTION, WOFF, WOFF2 = b"ttcf", b"wOFF", b"wOF2"
MOST_TABLES, MOST_FONTS, MOST_RECORDS = 256, 256, 16384


def mac_time(value: Raw) -> Scalar:
    """Seconds since 1904 as a date; the bare number where that is none."""
    try:
        told = datetime(1904, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))
    except (OverflowError, ValueError):
        return plain(value)
    return told.strftime("%Y-%m-%dT%H:%M:%SZ")


HEAD = Record(
    "font.head",
    ">",
    (
        Field("version", "I", hexadecimal),
        Field("revision", "I", hexadecimal),
        Field("checkSumAdjustment", "I", hexadecimal, derived=True),
        Field("magic", "I", hexadecimal),
        Field("flags", "H", hexadecimal),
        Field("unitsPerEm", "H"),
        Field("created", "q", mac_time),
        Field("modified", "q", mac_time),
        Field("xMin", "h"),
        Field("yMin", "h"),
        Field("xMax", "h"),
        Field("yMax", "h"),
        Field("macStyle", "H", hexadecimal),
        Field("lowestRecPPEM", "H"),
        Field("fontDirectionHint", "h"),
        Field("indexToLocFormat", "h"),
        Field("glyphDataFormat", "h"),
    ),
)
FFTM = Record(
    "font.fftm",
    ">",
    (
        Field("version", "I", hexadecimal),
        Field("fontforge", "q", mac_time),
        Field("created", "q", mac_time),
        Field("modified", "q", mac_time),
    ),
)
"""FontForge's table of times: that of its own source, and those of the font's."""
WHOLE_SUM = 0xB1B0AFBA
"""What a font's words and its checkSumAdjustment add up to ("head")."""
MOST_SUMMED = 64 << 20
NAMES = (
    "copyright", "family", "subfamily", "unique id", "full name", "version", "PostScript name",
    "trademark", "manufacturer", "designer", "description", "vendor URL", "designer URL",
    "licence", "licence URL", "reserved", "typographic family", "typographic subfamily",
)  # fmt: skip
WOFF_HEADER = Record(
    "font.woff",
    ">",
    (
        Field("signature", "4s"),
        Field("flavor", "4s", hexadecimal),
        Field("length", "I", derived=True),
        Field("numTables", "H", derived=True),
        Field("reserved", "H"),
        Field("totalSfntSize", "I", derived=True),
        Field("majorVersion", "H"),
        Field("minorVersion", "H"),
        Field("metaOffset", "I", derived=True),
        Field("metaLength", "I", derived=True),
        Field("metaOrigLength", "I", derived=True),
        Field("privOffset", "I", derived=True),
        Field("privLength", "I", derived=True),
    ),
)
WOFF2_HEADER = Record(
    "font.woff",
    ">",
    (
        *WOFF_HEADER.fields[:6],
        Field("totalCompressedSize", "I", derived=True),
        *WOFF_HEADER.fields[6:],
    ),
)


class Font:
    """A part for each table; checksums, offsets and sizes follow from them."""

    name = "font"

    def recognises(self, head: bytes) -> bool:
        """A version with a table directory that makes sense, a collection, or WOFF."""
        if head.startswith((WOFF, WOFF2)):
            return len(head) >= WOFF_HEADER.size
        if head.startswith(COLLECTION):
            return len(head) >= 16 and head[4:6] in (b"\0\1", b"\0\2")
        if not head.startswith(VERSIONS) or len(head) < 28:
            return False
        count, search, selector = (int.from_bytes(head[at : at + 2], "big") for at in (4, 6, 8))
        printable = all(32 <= byte < 127 for byte in head[12:16])
        return 0 < count <= MOST_TABLES and printable and search == 16 << selector

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Tables in the order of the directory; those that fonts share under the first."""
        magic = blob.part(0, 4).read()
        told: set[Span] = set()
        if magic == WOFF:
            yield from _woff(blob, limits)
        elif magic == WOFF2:
            yield part("font", "header", blob, (0, WOFF2_HEADER.size), _woff2_header)
            span = (WOFF2_HEADER.size, blob.size - WOFF2_HEADER.size)
            yield bytes_part("font.packed", "packed tables", blob, span)
        elif magic == COLLECTION:
            count = int.from_bytes(blob.part(8, 4).read(), "big")
            if count > MOST_FONTS:
                raise FormatError(f"{count} fonts", 8)
            reader = Reader(blob.part(0, 12 + 4 * count).read(), ">")
            yield Fact("font.collection", reader.span(0, 8).hex(), (0, 8))
            yield packed("font.fonts", blob, (8, 4 + 4 * count), "fonts")
            for number in range(count):
                start = reader.number(12 + 4 * number)
                yield from _sfnt(blob, start, f"font {number + 1} ", told)
        else:
            yield from _sfnt(blob, 0, "", told)


def _woff2_header(blob: Blob) -> Parts:
    yield from WOFF2_HEADER.facts(blob, 0)


def _sfnt(blob: Blob, start: int, prefix: str, told: set[Span]) -> Iterator[Fact | Member]:
    """The font whose table directory lies at `start`."""
    head = blob.part(start, 12).read()
    yield Fact("font.version", head[:4].hex(), (start, 4), f"{prefix}directory")
    # searchRange, entrySelector, rangeShift follow from numTables
    yield Fact("font.tables", head[4:].hex(), (start + 4, 8), f"{prefix}directory", derived=True)
    count = int.from_bytes(head[4:6], "big")
    if count > MOST_TABLES:
        raise FormatError(f"{count} tables", start + 4)
    names = Names()
    table = Reader(blob.part(start + 12, 16 * count).read(), ">")
    sound = start > 0 or _sum(blob) == WHOLE_SUM
    for number in range(count):
        at = 16 * number
        place = start + 12 + at
        tag = text_of(table.span(at, 4))
        name = names(f"{prefix}{tag.strip()}")
        checksum, offset, size = (table.number(at + more) for more in (4, 8, 12))
        yield Fact("font.tag", tag, (place, 4), name)
        right = _checksum(_bytes(blob, (offset, size)), tag) == checksum
        yield Fact("font.checksum", f"{checksum:08x}", (place + 4, 4), name, derived=right)
        yield Fact("font.offset", offset, (place + 8, 4), name, derived=True)
        yield Fact("font.size", size, (place + 12, 4), name, derived=True)
        span = (offset, size)
        if size and span not in told:
            told.add(span)
            yield _table(blob.part(*span), tag, name, span, sound)


def _sum(blob: Blob) -> int:
    """The sum of a content's big-endian words; that of a long one is taken to be right."""
    return WHOLE_SUM if blob.size > MOST_SUMMED else _sum_of(blob.read())


def _sum_of(data: bytes) -> int:
    words = array("I", data + bytes(-len(data) % 4))
    if sys.byteorder == "little":
        words.byteswap()
    return sum(words) & 0xFFFFFFFF


def _bytes(blob: Blob, span: Span) -> bytes | None:
    """A table, where it is there and not too long to be summed."""
    start, size = span
    return None if start + size > blob.size or size > MOST_SUMMED else blob.read(start, size)


def _checksum(table: bytes | None, tag: str) -> int | None:
    """A table's checksum; that of "head" is without its checkSumAdjustment."""
    if table is None:
        return None
    total = _sum_of(table)
    if tag == "head" and len(table) >= HEAD.size:
        total -= int.from_bytes(table[8:12], "big")
    return total & 0xFFFFFFFF


def _head(blob: Blob, sound: bool) -> Parts:
    """The head table; its checkSumAdjustment follows from the font where it is right."""
    for fact in HEAD.facts(blob, 0):
        yield fact if sound or not fact.derived else replace(fact, derived=False)


def _table(content: Blob, tag: str, name: str, span: Span, sound: bool = True) -> Member:
    inside = _looked_into(tag, content.size, sound)
    if inside:
        return Member(name, content, span, inside=inside)
    return Member(name, content, span, "font.table", opaque=True)


def _looked_into(tag: str, size: int, sound: bool = True) -> Inside | None:
    if tag == "head" and size >= HEAD.size:
        return Inside("font", partial(_head, sound=sound))
    if tag == "FFTM" and size >= FFTM.size:
        return Inside("font", partial(FFTM.facts, at=0))
    if tag == "name" and size >= 6:
        return Inside("font", _names)
    return None


def _names(blob: Blob) -> Parts:
    """The naming table: what each name is, for which platform, encoding and language."""
    data = blob.read()
    reader = Reader(data, ">")
    count, storage = reader.number(2, 2), reader.number(4, 2)
    if count > MOST_RECORDS:
        raise FormatError(f"{count} names", 2)
    yield packed("font.name_records", blob, (0, 6 + 12 * count), "records")
    names, met = Names(), set()
    for at in range(6, 6 + 12 * count, 12):
        platform, encoding, language, what, size, offset = (
            reader.number(at + more, 2) for more in range(0, 12, 2)
        )
        title = NAMES[what] if what < len(NAMES) else f"name {what}"
        span = (storage + offset, size)
        raw = reader.span(*span)
        if not size or span in met:
            continue
        met.add(span)
        told = _decoded(raw) if platform in (0, 3) else text_of(raw)
        yield Fact("font.name", told, span, names(f"{title} {platform}/{encoding}/{language:#x}"))


def _decoded(raw: bytes) -> str:
    """UTF-16, where it is that and gives text; else the bytes."""
    try:
        told = raw.decode("utf-16-be")
        told.encode()
    except UnicodeError:
        return raw.hex()
    return told


def _woff(blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
    """WOFF 1.0: each table packed with zlib where that makes it smaller."""
    yield part("font", "header", blob, (0, WOFF_HEADER.size), partial(WOFF_HEADER.facts, at=0))
    count = WOFF_HEADER.number(blob, 0, "numTables")
    if count > MOST_TABLES:
        raise FormatError(f"{count} tables", 12)
    names = Names()
    table = Reader(blob.part(WOFF_HEADER.size, 20 * count).read(), ">")
    for number in range(count):
        at = 20 * number
        tag = text_of(table.span(at, 4))
        name = names(tag.strip())
        offset, size, unpacked = (table.number(at + more) for more in (4, 8, 12))
        place = WOFF_HEADER.size + at
        yield Fact("font.tag", tag, (place, 4), name)
        yield packed("font.place", blob, (place + 4, 12), f"{name} place")
        checksum = table.number(at + 16)
        span = (offset, size)
        right = _checksum(_original(blob, span, unpacked, limits), tag) == checksum
        yield Fact("font.checksum", f"{checksum:08x}", (place + 16, 4), name, derived=right)
        if not size:
            continue
        if size >= unpacked:
            yield _table(blob.part(*span), tag, name, span)
            continue
        yield Member(
            name,
            partial(_unpacked, blob, span, limits),
            kind="font.table",
            opaque=True,
            inside=_looked_into(tag, unpacked),
        )
        yield packed("font.packed", blob, span, name)
    meta, size = (WOFF_HEADER.number(blob, 0, field) for field in ("metaOffset", "metaLength"))
    if size:
        yield Member("metadata", partial(_unpacked, blob, (meta, size), limits))
        yield packed("font.packed", blob, (meta, size), "metadata")


def _original(blob: Blob, span: Span, size: int, limits: Limits) -> bytes | None:
    """A table of a WOFF file as it was packed, where it is sound and not too long to be summed."""
    if span[1] >= size:
        return _bytes(blob, span)
    if size > MOST_SUMMED:
        return None
    data = bytearray()
    try:
        for chunk in _unpacked(blob, span, limits):
            data += chunk
            if len(data) > size:
                return None
    except (FormatError, LimitError):
        return None
    return bytes(data)


def _unpacked(blob: Blob, span: Span, limits: Limits) -> Iterator[bytes]:
    content = blob.part(*span)
    inflater = zlib.decompressobj()
    left = limits.member_bytes
    for at in range(0, content.size, 64 << 10):
        data = content.read(at, 64 << 10)
        while data and not inflater.eof:
            try:
                chunk = inflater.decompress(data, 1 << 20)
            except zlib.error as error:
                raise FormatError(f"damaged table: {error}", span[0]) from error
            data = inflater.unconsumed_tail
            left -= len(chunk)
            if left < 0:
                raise LimitError(f"table of more than {limits.member_bytes} bytes", span[0])
            yield chunk
    if not inflater.eof:
        raise FormatError("table ends early", span[0])
