"""U-Boot's legacy images (uImage): header with time and check sums, and the images inside.

Source: U-Boot's include/image.h (`struct legacy_img_hdr`, IH_TYPE_MULTI, IH_TYPE_SCRIPT). All
numbers are big-endian.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sxdiff.formats.digest import crc32_of
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, utc
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Member, Scalar, Span, text_of

MAGIC = b"\x27\x05\x19\x56"


def _name(value: Raw) -> Scalar:
    return text_of(value.rstrip(b"\0")) if isinstance(value, bytes) else value


HEADER = Record(
    "uimage",
    ">",
    (
        Field("magic", "4s", hexadecimal),
        Field("header_crc", "I", hexadecimal, derived=True),
        Field("time", "I", utc),
        Field("size", "I", derived=True),
        Field("load_address", "I", hexadecimal),
        Field("entry_point", "I", hexadecimal),
        Field("data_crc", "I", hexadecimal, derived=True),
        Field("os", "B"),
        Field("architecture", "B"),
        Field("type", "B"),
        Field("compression", "B"),
        Field("name", "32s", _name),
    ),
)
LISTS = (4, 6)
"""Types whose data starts with a list of sizes: several files, a script."""
MOST_IMAGES = 16


class Uimage:
    """A part for the header, a member for each image."""

    name = "uimage"

    def recognises(self, head: bytes) -> bool:
        """Magic number, and an operating system, architecture and type in use."""
        known = len(head) >= HEADER.size and head.startswith(MAGIC)
        return known and 0 < head[28] < 64 and head[29] < 64 and 0 < head[30] < 96 and head[31] < 16

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, then the images in order."""
        header = HEADER.read(blob, 0)
        whole = HEADER.size, int(header["size"])
        blob.part(*whole)
        # a part of its own, so that its check sum follows from a time in it
        yield Member(
            "header",
            blob.part(0, HEADER.size),
            (0, HEADER.size),
            "uimage.header",
            inside=Inside("uimage", partial(_header, data=blob.part(*whole))),
        )
        images: list[Span] = [whole]
        if header["type"] in LISTS:
            images = list(_listed(blob, whole))
            at, size = HEADER.size, images[0][0] - HEADER.size
            raw = blob.part(at, size).read()
            yield Fact("uimage.sizes", raw.hex(), (at, size), derived=True)
        for number, (at, size) in enumerate(images, 1):
            name = "image" if number == 1 else f"image {number}"
            yield Member(name, blob.part(at, size), (at, size), "uimage.content")
        end = sum(whole)
        if end < blob.size:
            rest = blob.part(end, blob.size - end)
            yield Member("trailing", rest, (end, rest.size), "uimage.trailing", opaque=True)


def _header(header: Blob, data: Blob) -> Iterator[Fact]:
    """The header's fields. Its own check sum was taken with zeros in its place."""
    raw = header.part(0, HEADER.size).read()
    right = {
        "uimage.header_crc": zlib.crc32(raw[:4] + bytes(4) + raw[8:])
        == int.from_bytes(raw[4:8], "big"),
        "uimage.data_crc": crc32_of(data) == int.from_bytes(raw[24:28], "big"),
    }
    for fact in HEADER.facts(header, 0):
        yield replace(fact, derived=fact.derived and right.get(fact.kind, True))


def _listed(blob: Blob, whole: Span) -> Iterator[Span]:
    """Images behind a list of their sizes that ends with 0, each aligned to four bytes."""
    sizes: list[int] = []
    at, end = whole[0], sum(whole)
    while True:
        size = int.from_bytes(blob.part(at, 4).read(), "big")
        at += 4
        if not size:
            break
        sizes.append(size)
        if len(sizes) > MOST_IMAGES:
            raise FormatError(f"more than {MOST_IMAGES} images", at)
    if not sizes:
        raise FormatError("no image", at)
    for size in sizes:
        if at + size > end:
            raise FormatError("image behind the end", at)
        yield at, size
        at += size + -size % 4
