"""PNG pictures: chunks by type, texts by keyword, pixels apart from how they are packed.

Source: PNG Specification, third edition (W3C), 5.2 signature, 5.3 chunk layout, 11 chunks;
ImageMagick's keywords `date:create` and `date:modify` are plain tEXt.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sxdiff.formats.compression.deflate import inflated, is_whole
from sxdiff.formats.digest import crc32_of, digest_of
from sxdiff.formats.parts import Names, Parts, bytes_part, packed, part, record_part
from sxdiff.formats.record import Field, Record, hexadecimal, named
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Span, text_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = named({0: "greyscale", 2: "truecolour", 3: "indexed", 4: "greyscale+alpha", 6: "rgba"})
RECORDS = {
    "IHDR": Record(
        "png",
        ">",
        (
            Field("width", "I"),
            Field("height", "I"),
            Field("bit_depth", "B"),
            Field("colour_type", "B", COLOURS),
            Field("compression", "B"),
            Field("filter", "B"),
            Field("interlace", "B"),
        ),
    ),
    "pHYs": Record("png", ">", (Field("x", "I"), Field("y", "I"), Field("unit", "B"))),
    "gAMA": Record("png", ">", (Field("gamma", "I"),)),
    "sRGB": Record("png", ">", (Field("rendering_intent", "B"),)),
    "cHRM": Record(
        "png",
        ">",
        tuple(
            Field(name, "I")
            for name in (
                "white_x", "white_y", "red_x", "red_y", "green_x", "green_y", "blue_x", "blue_y",
            )
        ),
    ),
}  # fmt: skip
TEXTS = frozenset({"tEXt", "zTXt", "iTXt"})
KEYWORD = 80
"""A keyword has up to 79 bytes and a NUL (11.3.3.1)."""


class Png:
    """A part for each chunk, one for the pixels; lengths, CRCs and packed data follow from them."""

    name = "png"

    def recognises(self, head: bytes) -> bool:
        """The signature."""
        return head.startswith(SIGNATURE)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Chunks in order; all IDAT chunks together are `pixels` and one packed span."""
        yield Fact("png.signature", SIGNATURE.hex(), (0, 8))
        names = Names()
        data: list[Span] = []
        start = end = 0
        for at, kind, size in _chunks(blob):
            if kind == "IDAT" and (not data or at == end):
                start, end = start or at, at + size + 12
                data.append((at + 8, size))
                continue
            content = blob.part(at + 8, size)
            name = names(_name(kind, content))
            yield Fact("png.length", size, (at, 4), name, derived=True)
            yield Fact("png.type", kind, (at + 4, 4), name)
            if size:
                yield _content(blob, kind, name, (at + 8, size), limits)
            yield _crc(blob, at, size, name)
        if data:
            # where other chunks lie between, those IDAT chunks are parts like any other
            yield Member(
                "pixels", partial(inflated, blob, data, limits), kind="png.pixels", opaque=True
            )
            idat = packed("png.idat", blob, (start, end - start), "pixels")
            yield replace(idat, check=partial(_are_whole, blob, data, limits))


def _crc(blob: Blob, at: int, size: int, name: str) -> Fact:
    """5.3: over type and data."""
    span = (at + 8 + size, 4)
    right = partial(_crc_holds, blob, at, size)
    return Fact("png.crc", blob.part(*span).read().hex(), span, name, derived=True, check=right)


def _crc_holds(blob: Blob, at: int, size: int) -> bool:
    return crc32_of(blob.part(at + 4, size + 4)) == int.from_bytes(
        blob.read(at + 8 + size, 4), "big"
    )


def _are_whole(blob: Blob, data: list[Span], limits: Limits) -> bool:
    """Whether the pixels' chunks have right CRCs, and hold one stream and nothing behind it."""
    if not all(_crc_holds(blob, at - 8, size) for at, size in data):
        return False
    return is_whole(blob, data, limits)


def _chunks(blob: Blob) -> Iterator[tuple[int, str, int]]:
    """(offset, type, size of the data) of each chunk up to IEND (5.3)."""
    at = len(SIGNATURE)
    while True:
        head = blob.part(at, 8).read()
        size = int.from_bytes(head[:4], "big")
        blob.part(at, size + 12)
        kind = text_of(head[4:])
        yield at, kind, size
        at += size + 12
        if kind == "IEND":
            return


def _name(kind: str, content: Blob) -> str:
    if kind not in TEXTS:
        return kind
    return f"{kind} {text_of(content.read(0, KEYWORD).partition(bytes(1))[0])}"


def _content(blob: Blob, kind: str, name: str, span: Span, limits: Limits) -> Member:
    record = RECORDS.get(kind)
    if record and record.size == span[1]:
        return record_part("png", name, blob, span[0], record)
    if kind == "tIME" and span[1] == 7:
        return part("png", name, blob, span, _time)
    if kind in TEXTS or kind == "iCCP":
        return part("png", name, blob, span, partial(_text, kind=kind, limits=limits))
    if kind == "eXIf":
        return Member(name, blob.part(*span), span, "png.exif")
    return bytes_part("png.chunk", name, blob, span)


def _time(blob: Blob) -> Parts:
    """tIME (11.3.5.1): always UTC."""
    raw = blob.part(0, 7).read()
    year = int.from_bytes(raw[:2], "big")
    month, day, hour, minute, second = raw[2:]
    told = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    yield Fact("png.time", told, (0, 7))


def _text(blob: Blob, kind: str, limits: Limits) -> Parts:
    """tEXt, zTXt, iTXt (11.3.3) and iCCP (11.3.2.3): keyword, flags, text or packed text."""
    head = blob.read(0, KEYWORD)
    end = head.find(b"\0")
    if end < 0:
        raise FormatError("keyword without an end", 0)
    yield Fact("png.keyword", text_of(head[:end]), (0, end + 1))
    at = end + 1
    is_packed = kind in ("zTXt", "iCCP")
    if is_packed:
        yield Fact("png.method", hexadecimal(blob.part(at, 1).read()), (at, 1))
        at += 1
    elif kind == "iTXt":
        flags = blob.part(at, 2).read()
        is_packed = flags[0] == 1
        yield Fact("png.method", flags.hex(), (at, 2))
        at += 2
        rest = blob.read(at, 64 << 10)
        language, _, rest = rest.partition(b"\0")
        keyword, end_mark, _ = rest.partition(b"\0")
        if not end_mark:
            raise FormatError("iTXt without its keyword's end", at)
        yield Fact("png.language", text_of(language), (at, len(language) + 1))
        at += len(language) + 1
        yield Fact("png.translated_keyword", text_of(keyword), (at, len(keyword) + 1))
        at += len(keyword) + 1
    span = (at, blob.size - at)
    if is_packed:
        what = "profile" if kind == "iCCP" else "text"
        yield Member(what, partial(inflated, blob, [span], limits), kind=f"png.{what}")
        yield packed(f"png.packed_{what}", blob, span, what)
    elif span[1] <= limits.header_bytes:
        yield Fact("png.text", text_of(blob.read(*span)), span)
    else:
        yield Fact("png.text", digest_of(blob.part(*span)), span)
