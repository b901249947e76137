"""JPEG pictures: segments by marker, Exif tags by name, entropy-coded data as bytes.

Source: ITU-T T.81, B.1 and B.2; JFIF 1.02; Exif 2.32, 4.5.4; XMP part 3, 1.1.3; ICC.1:2022, B.4.
"""

import re
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.documents.tiff import tags
from sxdiff.formats.parts import Names, Parts, bytes_part, part, whole
from sxdiff.formats.record import Field, Record
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Member, Span, text_of

MOST = 256 << 20
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
MARKERS = {
    0xC4: "DHT", 0xCC: "DAC", 0xD8: "SOI", 0xD9: "EOI", 0xDA: "SOS", 0xDB: "DQT", 0xDC: "DNL",
    0xDD: "DRI", 0xFE: "COM",
    **{0xC0 + n: f"SOF{n}" for n in range(16) if n not in (4, 8, 12)},
    **{0xE0 + n: f"APP{n}" for n in range(16)},
}  # fmt: skip
JFIF, EXIF, ICC = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
JFIF_HEADER = Record(
    "jpeg",
    ">",
    (
        Field("identifier", "5s"),
        Field("major", "B"),
        Field("minor", "B"),
        Field("density_unit", "B"),
        Field("x_density", "H"),
        Field("y_density", "H"),
        Field("thumbnail_width", "B"),
        Field("thumbnail_height", "B"),
    ),
)
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""What ends entropy-coded data: no stuffed byte, no restart marker, no fill byte."""


class Jpeg:
    """A part for each segment and each scan."""

    name = "jpeg"

    def recognises(self, head: bytes) -> bool:
        """SOI and the start of a marker that may follow it."""
        return head.startswith(b"\xff\xd8\xff") and len(head) > 4 and head[3] in MARKERS

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Segments up to EOI; what lies behind it (other pictures) is told by nobody."""
        data = whole(blob, MOST)
        names = Names()
        at = 0
        while at < len(data):
            if data[at] != 0xFF:
                raise FormatError("no marker", at)
            start = at
            while data[at : at + 2] == b"\xff\xff":  # fill bytes
                at += 1
            code = data[at + 1] if at + 1 < len(data) else 0
            end = at + 2
            if code in (SOI, EOI) or not code:
                yield Fact(
                    "jpeg.marker", data[start:end].hex(), (start, end - start), _marker(code)
                )
                if code != SOI:
                    return
                at = end
                continue
            size = int.from_bytes(blob.part(end, 2).read(), "big")
            if size < 2:
                raise FormatError(f"segment of {size} bytes", end)
            content = blob.part(end + 2, size - 2)
            name = names(_name(code, content))
            yield Fact("jpeg.marker", data[start:end].hex(), (start, end - start), name)
            yield Fact("jpeg.size", size, (end, 2), name, derived=True)
            if content.size:
                yield _segment(blob, code, name, (end + 2, size - 2))
            at = end + size
            if code == SOS:
                found = _MARKER.search(data, at)
                stop = found.start() if found else len(data)
                if stop > at:
                    yield bytes_part("jpeg.scan", names("scan"), blob, (at, stop - at))
                at = stop


def _marker(code: int) -> str:
    return MARKERS.get(code, f"marker {code:#x}")


def _name(code: int, content: Blob) -> str:
    name = _marker(code)
    head = content.read(0, 32)
    for magic, what in ((JFIF, "JFIF"), (EXIF, "Exif"), (ICC, "ICC"), (XMP, "XMP")):
        if code >= 0xE0 and head.startswith(magic):
            return f"{name} {what}"
    return name


def _segment(blob: Blob, code: int, name: str, span: Span) -> Member:
    head = blob.read(span[0], min(32, span[1]))
    if head.startswith(JFIF) and span[1] >= JFIF_HEADER.size:
        return part("jpeg", name, blob, span, partial(JFIF_HEADER.facts, at=0))
    if head.startswith(EXIF) and code == 0xE1 and span[1] > 14:
        return part("jpeg", name, blob, span, _exif)
    if head.startswith(XMP) and code == 0xE1:
        return part("jpeg", name, blob, span, partial(_behind, skip=len(XMP), what="packet"))
    if head.startswith(ICC) and code == 0xE2 and span[1] > 14:
        # sequence number and count: a profile in several segments is told piece by piece
        return part("jpeg", name, blob, span, partial(_behind, skip=14, what="profile"))
    if code == 0xFE:
        return part("jpeg", name, blob, span, _comment)
    return bytes_part("jpeg.segment", name, blob, span)


def _exif(blob: Blob) -> Parts:
    yield Fact("jpeg.identifier", "Exif", (0, 6))
    rest = (6, blob.size - 6)
    yield Member("tags", blob.part(*rest), rest, inside=Inside("tiff", tags))


def _behind(blob: Blob, skip: int, what: str) -> Parts:
    yield Fact("jpeg.identifier", text_of(blob.read(0, skip)), (0, skip))
    rest = (skip, blob.size - skip)
    if rest[1]:
        yield Member(what, blob.part(*rest), rest, f"jpeg.{what}")


def _comment(blob: Blob) -> Parts:
    yield Fact("jpeg.comment", text_of(blob.read()), (0, blob.size))
