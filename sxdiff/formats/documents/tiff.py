"""TIFF pictures, and the tags that Exif keeps in the same form in JPEG, PNG and WebP.

Source: TIFF 6.0, section 2 "TIFF Structure" and section 8; Exif 2.32, 4.6 "Tag Support Levels".
"""

from collections.abc import Iterator
from typing import NamedTuple

from sxdiff.formats.digest import digest_of
from sxdiff.formats.parts import Names, Parts, Reader, bytes_part, packed, part, whole
from sxdiff.model import Blob, Fact, Limits, Member, Scalar, Span, text_of

MAGICS = {b"II*\0": "<", b"MM\0*": ">"}
MOST = 512 << 20
MOST_DIRECTORIES = 1024
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of one value by type (BYTE, ASCII, SHORT, LONG, RATIONAL ...)."""
ASCII, RATIONAL, UNDEFINED, SRATIONAL, FLOAT = 2, 5, 7, 10, 11
SIGNED = frozenset({6, 8, 9, 10})
LONGEST, MOST_NUMBERS = 4096, 32
DIRECTORIES = {0x8769: "Exif", 0x8825: "GPS", 0xA005: "Interoperability"}
STRIPS = {273: 279, 324: 325, 513: 514}
"""Tags that say where data lie, and those that say how many bytes."""
TAGS = {
    254: "NewSubfileType", 256: "ImageWidth", 257: "ImageLength", 258: "BitsPerSample",
    259: "Compression", 262: "PhotometricInterpretation", 266: "FillOrder", 269: "DocumentName",
    270: "ImageDescription", 271: "Make", 272: "Model", 273: "StripOffsets", 274: "Orientation",
    277: "SamplesPerPixel", 278: "RowsPerStrip", 279: "StripByteCounts", 282: "XResolution",
    283: "YResolution", 284: "PlanarConfiguration", 285: "PageName", 296: "ResolutionUnit",
    297: "PageNumber", 301: "TransferFunction", 305: "Software", 306: "DateTime", 315: "Artist",
    316: "HostComputer", 317: "Predictor", 318: "WhitePoint", 319: "PrimaryChromaticities",
    320: "ColorMap", 322: "TileWidth", 323: "TileLength", 324: "TileOffsets",
    325: "TileByteCounts", 330: "SubIFDs", 338: "ExtraSamples", 339: "SampleFormat",
    347: "JPEGTables", 513: "JPEGInterchangeFormat", 514: "JPEGInterchangeFormatLength",
    529: "YCbCrCoefficients", 530: "YCbCrSubSampling", 531: "YCbCrPositioning",
    532: "ReferenceBlackWhite", 700: "XMP", 33432: "Copyright", 33434: "ExposureTime",
    33437: "FNumber", 33723: "IPTC", 34377: "Photoshop", 34665: "ExifIFD", 34675: "ICCProfile",
    34850: "ExposureProgram", 34853: "GPSInfo", 34855: "ISOSpeedRatings", 36864: "ExifVersion",
    36867: "DateTimeOriginal", 36868: "DateTimeDigitized", 36880: "OffsetTime",
    36881: "OffsetTimeOriginal", 36882: "OffsetTimeDigitized", 37121: "ComponentsConfiguration",
    37377: "ShutterSpeedValue", 37378: "ApertureValue", 37380: "ExposureBiasValue",
    37381: "MaxApertureValue", 37383: "MeteringMode", 37384: "LightSource", 37385: "Flash",
    37386: "FocalLength", 37500: "MakerNote", 37510: "UserComment", 37520: "SubSecTime",
    37521: "SubSecTimeOriginal", 37522: "SubSecTimeDigitized", 40960: "FlashpixVersion",
    40961: "ColorSpace", 40962: "PixelXDimension", 40963: "PixelYDimension",
    40965: "InteroperabilityIFD", 41486: "FocalPlaneXResolution", 41985: "CustomRendered",
    41986: "ExposureMode", 41987: "WhiteBalance", 41988: "DigitalZoomRatio",
    41989: "FocalLengthIn35mmFilm", 41990: "SceneCaptureType", 42016: "ImageUniqueID",
    42033: "BodySerialNumber", 42036: "LensModel",
}  # fmt: skip


class Entry(NamedTuple):
    """One tag of a directory: where its 12 bytes lie, and its values."""

    at: int
    tag: int
    type: int
    length: int
    values: Span


class Tiff:
    """One part whose facts are the tags of all directories; strips and tiles as bytes."""

    name = "tiff"

    def recognises(self, head: bytes) -> bool:
        """Byte order and the number 42, and a first directory behind it."""
        order = MAGICS.get(head[:4])
        return order is not None and len(head) >= 8 and Reader(head, order).number(4) >= 8

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """The whole stream is one part, so that places follow from what they lie behind."""
        yield part("tiff", "image", blob, (0, blob.size), tags)


def tags(blob: Blob) -> Parts:
    """Header and directories of a TIFF stream. Raises `FormatError` where it is none."""
    data = whole(blob, MOST)
    order = MAGICS.get(data[:4], "<")
    reader = Reader(data, order)
    yield Fact("tiff.order", text_of(data[:4]), (0, 4))
    yield packed("tiff.place", blob, (4, 4), "directory 0")
    met: set[int] = set()
    waiting = [("", reader.number(4))]
    number = 0
    while waiting and len(met) < MOST_DIRECTORIES:
        above, at = waiting.pop(0)
        if not at or at in met:
            continue
        met.add(at)
        name = above
        if not above:
            name = f"directory {number}" if number else ""
            number += 1
        entries = list(_entries(reader, at))
        yield packed("tiff.count", blob, (at, 2), f"{name} entries".strip())
        yield from _directory(blob, reader, name, entries)
        waiting += [
            (f"{name} {DIRECTORIES[entry.tag]}".strip(), reader.number(entry.at + 8))
            for entry in entries
            if entry.tag in DIRECTORIES
        ]
        end = at + 2 + 12 * len(entries)
        if end + 4 <= len(data):
            yield packed("tiff.place", blob, (end, 4), f"{name} next".strip())
            if not above:
                waiting.append(("", reader.number(end)))


def _entries(reader: Reader, start: int) -> Iterator[Entry]:
    for at in range(start + 2, start + 2 + 12 * reader.number(start, 2), 12):
        tag, kind, count = reader.number(at, 2), reader.number(at + 2, 2), reader.number(at + 4)
        size = SIZES.get(kind, 1) * count
        values = (at + 8, 4) if size <= 4 else (reader.number(at + 8), size)
        reader.span(*values)
        yield Entry(at, tag, kind, count, values)


def _directory(
    blob: Blob, reader: Reader, name: str, entries: list[Entry]
) -> Iterator[Fact | Member]:
    """Tags as facts; data that lie elsewhere as members."""
    names = Names()
    known = {entry.tag: entry for entry in entries}
    for entry in entries:
        title = names(f"{name} {TAGS.get(entry.tag, f'tag {entry.tag}')}".strip())
        head = f"{entry.tag} type {entry.type} count {entry.length}"
        yield Fact("tiff.entry", head, (entry.at, 8), title, derived=entry.tag in STRIPS)
        plain = entry.values[0] == entry.at + 8
        if not plain:
            yield packed("tiff.place", blob, (entry.at + 8, 4), title)
        places = entry.tag in STRIPS or entry.tag in STRIPS.values() or entry.tag in DIRECTORIES
        if entry.values[1]:
            told = _shown(blob, reader, entry)
            yield Fact("tiff.tag", told, entry.values, title, derived=places)
        sizes = known.get(STRIPS.get(entry.tag, -1))
        if sizes:
            pairs = zip(_numbers(reader, entry), _numbers(reader, sizes), strict=False)
            for number, span in enumerate(pairs, 1):
                if not span[1]:
                    continue
                what = names(f"{name} data {number}".strip())
                if entry.tag == 513:
                    yield Member(what, blob.part(*span), span)
                else:
                    yield bytes_part("tiff.data", what, blob, span)


def _numbers(reader: Reader, entry: Entry) -> list[int]:
    size = SIZES.get(entry.type, 1)
    at = entry.values[0]
    return [
        reader.number(at + size * number, size, entry.type in SIGNED)
        for number in range(entry.length)
    ]


def _shown(blob: Blob, reader: Reader, entry: Entry) -> Scalar:
    """A tag's values; numbers as decimals, what is long or of no known type by its bytes."""
    raw = reader.span(*entry.values)
    size = SIZES.get(entry.type, 1) * entry.length
    if size < len(raw) and any(raw[size:]):
        return raw.hex()
    if len(raw) > LONGEST:
        return digest_of(blob.part(*entry.values))
    if entry.type == ASCII:
        return text_of(raw[:size].rstrip(b"\0"))
    if entry.type in (RATIONAL, SRATIONAL) and entry.length <= MOST_NUMBERS:
        halves = Reader(raw, "<" if reader.number(0, 1) == 0x49 else ">")
        signed = entry.type == SRATIONAL
        return " ".join(
            f"{halves.number(at, 4, signed)}/{halves.number(at + 4, 4, signed)}"
            for at in range(0, size, 8)
        )
    is_number = entry.type in SIZES and entry.type < FLOAT and entry.type != UNDEFINED
    if is_number and entry.length <= MOST_NUMBERS:
        numbers = _numbers(reader, entry)
        return numbers[0] if len(numbers) == 1 else " ".join(map(str, numbers))
    return raw.hex()
