"""Databases of R's lazy loading (`.rdb`): chunks of serialised objects, each packed by itself.

Source: R Internals, 1.8 "Serialization Formats" and R's src/main/serialize.c
(R_lazyLoadDBinsertValue, R_compress1 to R_compress3): the unpacked size in four bytes, big-endian;
then a zlib stream, or a byte that says how it is packed. Which object a chunk is, the index beside
it (`.rdx`) says.
"""

import bz2
import lzma
import zlib
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.compression.deflate import ZLIB, inflate
from sxdiff.formats.compression.stream import SMALL, Keeper, unpacked
from sxdiff.formats.data.r_rds import RRds
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MOST_CHUNKS = 250_000
SIZE = 4
PLAIN, BZIP2, XZ, DEFLATE = b"0", b"2", b"Z", b"x"
PACKINGS = {PLAIN: "not packed", BZIP2: "bzip2", XZ: "xz", DEFLATE: "zlib"}
LZMA2 = {"id": lzma.FILTER_LZMA2, "preset": 9}
HEAD = 64
"""Unpacked bytes by which the first chunk is known."""
OBJECT = RRds()


class RRdb:
    """How each chunk is packed, and its content; sizes and packed bytes derived."""

    name = "r_rdb"

    def recognises(self, head: bytes) -> bool:
        """A size, and a zlib stream of a serialised object that starts with four bytes."""
        if head[SIZE : SIZE + 1] != DEFLATE:
            return False
        try:
            first = zlib.decompressobj().decompress(head[SIZE:], HEAD)
        except zlib.error:
            return False
        return int.from_bytes(head[:SIZE], "big") >= len(first) and OBJECT.recognises(first)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Raises `FormatError` for a chunk of another size than it says."""
        at = number = 0
        left = min(limits.member_bytes, max(SMALL, blob.size * limits.expansion))
        while at < blob.size:
            number += 1
            if number > MOST_CHUNKS:
                raise LimitError(f"more than {MOST_CHUNKS} chunks", at)
            name = f"chunk {number}"
            size = int.from_bytes(blob.part(at, SIZE).read(), "big")
            left -= size
            if left < 0:
                raise LimitError("chunks unpack to too much", at)
            packing = blob.part(at + SIZE, 1).read()
            if packing not in PACKINGS:
                raise FormatError("chunk that is packed in an unknown way", at)
            own = packing != DEFLATE
            start = at + SIZE + own
            packed, keeper = _measured(blob, start, packing, size)
            content = keeper.content(partial(_content, blob, start, packing, size))
            yield Member(name, content, (start, packed))
            yield Fact("r_rdb.size", size, (at, SIZE), name, derived=True)
            if own:
                yield Fact("r_rdb.packing", PACKINGS[packing], (at + SIZE, 1), name)
            span = (start, packed)
            yield Fact("r_rdb.packed", digest_of(blob.part(*span)), span, name, derived=True)
            at = start + packed


def _measured(blob: Blob, at: int, packing: bytes, size: int) -> tuple[int, Keeper]:
    """The packed size of a chunk of `size` bytes, and its content where it is small."""
    keeper = Keeper()
    packed = found = 0
    for packed, chunk in _chunks(blob, at, packing, size):  # noqa: B007 - that of the last one
        keeper.add(chunk)
        found += len(chunk)
        if found > size:
            break
    if found != size:
        raise FormatError(f"chunk of other than {size} bytes", at)
    return packed, keeper


def _content(blob: Blob, at: int, packing: bytes, size: int) -> Iterator[bytes]:
    for _, chunk in _chunks(blob, at, packing, size):
        yield chunk


def _chunks(blob: Blob, at: int, packing: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    if packing == DEFLATE:
        return inflate(blob, at, ZLIB)
    if packing == BZIP2:
        return unpacked(blob, at, bz2.BZ2Decompressor, "bzip2")
    if packing == XZ:
        return unpacked(blob, at, _lzma2, "xz")
    return iter(((size, blob.part(at, size).read()),))


def _lzma2() -> lzma.LZMADecompressor:
    """Raw: the filter is not told, and this is what R packs with."""
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=(LZMA2,))
