"""Databases of GNU dbm, such as man-db's index.db: keys and their values.

Source: GDBM 1.23, src/gdbmdefs.h and gdbmconst.h: file header, directory, hash bucket.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.parts import Reader, line_text, lines_part, of_magic, packed, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MOST = 128 << 20
ELEMENT_32, ELEMENT_64 = 20, 24


class Kind(NamedTuple):
    """What a magic number says: byte order, and bytes of an offset."""

    order: str
    width: int


MAGICS = {
    number.to_bytes(4, name): Kind(order, width)  # type: ignore[arg-type]  # one of its two literals
    for number, width in (
        (0x13579ACD, 4),
        (0x13579ACE, 8),
        (0x13579ACF, 8),
        (0x13579AD0, 4),
        (0x13579AD1, 8),
    )
    for order, name in (("<", "little"), (">", "big"))
}


def _header(kind: Kind) -> Record:
    place = "I" if kind.width == 4 else "Q"
    return Record(
        "gdbm",
        kind.order,
        (
            Field("magic", "I", hexadecimal),
            Field("block_size", "I"),
            Field("directory", place, derived=True),
            Field("directory_size", "I", derived=True),
            Field("directory_bits", "I", derived=True),
            Field("bucket_size", "I"),
            Field("bucket_elements", "I"),
            Field("next_block", place, derived=True),
        ),
    )


class Gdbm:
    """Header, a listing of all pairs by key, all blocks as one digest.

    Blocks hold what was there before and bytes of memory never written: only layout.
    """

    name = "gdbm"

    def recognises(self, head: bytes) -> bool:
        """One of its magic numbers, in either byte order."""
        return head[:4] in MAGICS and len(head) >= 64

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, pairs, blocks."""
        data = whole(blob, MOST)
        kind = of_magic(MAGICS, data[:4])
        header = _header(kind)
        yield record_part("gdbm", "header", blob, 0, header)
        yield lines_part("gdbm.pair", "pairs", partial(_pairs, Reader(data, kind.order), kind))
        yield packed("gdbm.blocks", blob, (header.size, blob.size - header.size), "pairs")


def _pairs(reader: Reader, kind: Kind) -> list[str]:
    width = kind.width
    directory, size = reader.number(8, width), reader.number(8 + width)
    elements = reader.number(20 + width)
    buckets = {reader.number(at, width) for at in range(directory, directory + size, width)}
    # av_count, six elements of the bucket's list of free space, bits, count
    head, element = (60, ELEMENT_32) if width == 4 else (112, ELEMENT_64)
    rows = []
    for bucket in sorted(buckets):
        for number in range(elements):
            at = bucket + head + element * number
            if reader.number(at, signed=True) == -1:  # no element
                continue
            place = reader.number(at + 8, width)
            key, value = reader.number(at + 8 + width), reader.number(at + 12 + width)
            name = line_text(reader.span(place, key))
            rows.append(f"{name} => {line_text(reader.span(place + key, value))}")
    if not buckets:
        raise FormatError("directory without a bucket", directory)
    return sorted(rows)
