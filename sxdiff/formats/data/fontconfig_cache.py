"""Caches of fontconfig, one for each directory of fonts: when it was read, what it holds.

Source: fontconfig 2.14, src/fcint.h: struct _FcCache, FcFontSet, FcPattern, FcPatternElt,
FcValueList, FcEncodedOffset; src/fcobjs.h for the objects. Of 64-bit little-endian machines;
others are told by their header's first fields only.
"""

import hashlib
import struct
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal, utc
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, text_of

MAGICS = (0xFC02FC04, 0xFC02FC05)
MOST = 64 << 20
MOST_ROWS = 500_000
MOST_VALUES = 4096
_OBJECTS = """
- family familylang style stylelang fullname fullnamelang slant weight width size aspect
pixelsize spacing foundry antialias hintstyle hinting verticallayout autohint globaladvance file
index rasterizer outline scalable dpi rgba scale minspace charwidth charheight matrix charset
lang fontversion capability fontformat embolden embeddedbitmap decorative lcdfilter namelang
fontfeatures prgname hash postscriptname color symbol fontvariations variable fonthashint order
desktop namedinstance fontwrapper
"""
OBJECTS = _OBJECTS.split()
INTEGER, DOUBLE, STRING, BOOLEAN, CHARACTERS, LANGUAGES, RANGE = 1, 2, 3, 4, 6, 8, 9
HEADER = Record(
    "fontconfig_cache",
    "<",
    (
        Field("magic", "I", hexadecimal),
        Field("version", "i"),
        Field("size", "q", derived=True),
        Field("directory", "q", derived=True),
        Field("directories", "q", derived=True),
        Field("directories_count", "i", derived=True),
        Field("padding_1", "4s", hexadecimal),
        Field("set", "q", derived=True),
        Field("checksum", "i", utc),
        Field("padding_2", "4s", hexadecimal),
        Field("checksum_nano", "q"),
    ),
)


class FontconfigCache:
    """Header (its checksum is the directory's mtime), a listing of the fonts, tables derived."""

    name = "fontconfig_cache"

    def recognises(self, head: bytes) -> bool:
        """A magic number, little-endian, and its size field wide as a 64-bit machine writes it."""
        if len(head) < HEADER.size:
            return False
        row = HEADER.values(head)
        return row["magic"] in MAGICS and row["directory"] == HEADER.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, directory, fonts, and one digest over all behind the header."""
        reader = Reader(whole(blob, MOST))
        yield record_part("fontconfig_cache", "header", blob, 0, HEADER)
        directory = reader.string(reader.number(16, 8))
        span = (reader.number(16, 8), len(directory) + 1)
        yield Fact("fontconfig_cache.path", text_of(directory), span, "directory")
        yield lines_part("fontconfig_cache.directory", "directories", partial(_below, reader))
        yield lines_part("fontconfig_cache.font", "fonts", partial(_fonts, reader))
        at = sum(span)
        if at < blob.size:
            yield packed("fontconfig_cache.tables", blob, (at, blob.size - at), "fonts")


def _below(reader: Reader) -> Iterator[str]:
    """The directories below: offsets that count from their table."""
    table, count = reader.number(24, 8), reader.number(32)
    for number in range(count):
        yield line_text(reader.string(table + reader.number(table + 8 * number, 8, signed=True)))


def _fonts(reader: Reader) -> list[str]:
    """All properties of all fonts, by file: the set is in the order of the directory."""
    start = reader.number(40, 8)
    count, fonts = reader.number(start), start + _offset(reader, start + 8)
    rows: list[str] = []
    for number in range(count):
        pattern = start + _offset(reader, fonts + 8 * number)
        entries = pattern + reader.number(pattern + 8, 8, signed=True)
        found = []
        for entry in range(entries, entries + 16 * reader.number(pattern), 16):
            key = reader.number(entry)
            name = OBJECTS[key] if key < len(OBJECTS) else f"object {key}"
            found.append((name, " | ".join(_values(reader, entry))))
            if len(rows) + len(found) > MOST_ROWS:
                raise LimitError(f"more than {MOST_ROWS} properties", entry)
        known = dict(found)
        title = f"{known.get('file', '')} {known.get('index', '')}"
        rows += [f"{title}: {name} = {value}" for name, value in found]
    return sorted(rows)


def _offset(reader: Reader, at: int) -> int:
    """An encoded pointer: an offset with its lowest bit set."""
    return reader.number(at, 8, signed=True) & ~1


def _characters(reader: Reader, at: int) -> str:
    """A set of characters by its digest: numbers of pages, and a bit map for each page."""
    count = reader.number(at + 4)
    pages, numbers = (at + reader.number(at + more, 8, signed=True) for more in (8, 16))
    digest = hashlib.sha256(reader.span(numbers, 2 * count))
    for place in range(pages, pages + 8 * count, 8):
        digest.update(reader.span(pages + reader.number(place, 8, signed=True), 32))
    return f"{count} pages sha256:{digest.hexdigest()}"


def _values(reader: Reader, entry: int) -> Iterator[str]:
    at = entry + _offset(reader, entry + 8)
    for _ in range(MOST_VALUES):
        value = at + 8
        kind = reader.number(value)
        if kind == STRING:
            yield line_text(reader.string(value + _offset(reader, value + 8)))
        elif kind in (INTEGER, BOOLEAN):
            yield str(reader.number(value + 8, signed=True))
        elif kind == DOUBLE:
            yield repr(struct.unpack("<d", reader.span(value + 8, 8))[0])
        elif kind == RANGE:
            place = value + _offset(reader, value + 8)
            yield " to ".join(map(repr, struct.unpack("<dd", reader.span(place, 16))))
        elif kind == CHARACTERS:
            yield f"charset {_characters(reader, value + _offset(reader, value + 8))}"
        elif kind == LANGUAGES:
            # a pointer, how many words, and the words of a bit map
            place = value + _offset(reader, value + 8)
            size = min(reader.number(place + 8), 64)
            yield f"langset {reader.span(place + 12, 4 * size).hex()}"
        else:
            yield {5: "matrix"}.get(kind, f"type {kind}")
        step = _offset(reader, at)
        if not step:
            return
        at += step
    raise FormatError("values without an end", entry)
