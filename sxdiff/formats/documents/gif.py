"""GIF pictures: screen, extensions (comments, delays, loops) and images by number.

Source: GIF89a Specification (CompuServe, 1990), sections 17 to 27.
"""

from collections.abc import Iterator

from sxdiff.formats.parts import Names, bytes_part, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MOST = 256 << 20
MAGICS = (b"GIF87a", b"GIF89a")
EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
LABELS = {0x01: "text", 0xF9: "control", 0xFE: "comment", 0xFF: "application"}
SCREEN = Record(
    "gif",
    "<",
    (
        Field("version", "6s"),
        Field("width", "H"),
        Field("height", "H"),
        Field("flags", "B", hexadecimal),
        Field("background", "B"),
        Field("aspect_ratio", "B"),
    ),
)
DESCRIPTOR = Record(
    "gif",
    "<",
    (
        Field("separator", "B", hexadecimal),
        Field("left", "H"),
        Field("top", "H"),
        Field("width", "H"),
        Field("height", "H"),
        Field("flags", "B", hexadecimal),
        Field("code_size", "B"),
    ),
)


class Gif:
    """Parts in the order of the stream."""

    name = "gif"

    def recognises(self, head: bytes) -> bool:
        """Either version."""
        return head.startswith(MAGICS) and len(head) > SCREEN.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Screen, global colours, then blocks up to the trailer."""
        data = whole(blob, MOST)
        names = Names()
        yield record_part("gif", "screen", blob, 0, SCREEN)
        at = SCREEN.size
        if data[10] & 0x80:
            size = 3 << ((data[10] & 7) + 1)
            yield bytes_part("gif.colours", "colours", blob, (at, size))
            at += size
        while True:
            kind = blob.part(at, 1).read()[0]
            if kind == TRAILER:
                yield Fact("gif.trailer", "3b", (at, 1), "trailer")
                return
            if kind == EXTENSION:
                label = blob.part(at + 1, 1).read()[0]
                name = names(LABELS.get(label, f"extension {label:#x}"))
                end = _blocks(data, at + 2)
                yield Fact("gif.extension", f"{label:#x}", (at, 2), name)
                if label == 0xFE:
                    told = text_of(_joined(data, at + 2, end))
                    yield Fact("gif.comment", told, (at + 2, end - at - 2), name)
                else:
                    yield bytes_part("gif.content", name, blob, (at + 2, end - at - 2))
                at = end
            elif kind == IMAGE:
                name = names("image")
                flags = blob.part(at + 9, 1).read()[0]
                colours = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
                span = (at + 10 + colours, 1)
                code = blob.part(*span).read()[0]
                end = _blocks(data, at + 11 + colours)
                if colours:
                    yield bytes_part("gif.header", f"{name} header", blob, (at, 10))
                    yield bytes_part("gif.colours", f"{name} colours", blob, (at + 10, colours))
                    yield Fact("gif.code_size", code, span, name)
                else:
                    yield record_part("gif", f"{name} header", blob, at, DESCRIPTOR)
                start = at + 11 + colours
                yield bytes_part("gif.pixels", name, blob, (start, end - start))
                at = end
            else:
                raise FormatError(f"block of unknown type {kind:#x}", at)


def _blocks(data: bytes, at: int) -> int:
    """Behind the sub-blocks at `at` (section 15): each starts with its size, the last is empty."""
    while at < len(data):
        size = data[at]
        at += 1 + size
        if not size:
            return at
    raise FormatError("blocks without an end", at)


def _joined(data: bytes, at: int, end: int) -> bytes:
    """What the sub-blocks hold."""
    pieces = []
    while at < end:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(pieces)
