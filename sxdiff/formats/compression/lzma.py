"""LZMA_Alone streams (`.lzma`): a header of 13 bytes without any magic number, then LZMA.

Source: LZMA SDK 23.01, DOC/lzma-specification.txt, "LZMA file format"; liblzma, alone_decoder.c,
for what is taken for such a header.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.compression.stream import (
    MEMORY,
    Decoder,
    bounded,
    measured,
    trailing,
    unpacked,
)
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

HEADER = 13
PROPERTIES = 9 * 5 * 5
UNKNOWN = (1 << 64) - 1
LARGEST = 256 << 30
ENOUGH = 2 << 10
"""Packed bytes that must unpack without an error, where the stream has as many."""


class Lzma:
    """Coder's properties, dictionary, size; the unpacked content and the packed stream."""

    name = "lzma"

    def recognises(self, head: bytes) -> bool:
        """Values that real encoders write, a range coder that starts with zero, and data that
        unpacks."""
        size = int.from_bytes(head[5:13], "little")
        if (
            len(head) <= HEADER + 5
            or head[0] >= PROPERTIES
            or head[HEADER]
            or not _is_usual(int.from_bytes(head[1:5], "little"))
            or (size != UNKNOWN and size >= LARGEST)
            or size == 0
        ):
            return False
        import lzma  # noqa: PLC0415 - start-up time

        try:
            state = _decoder()
            found = state.decompress(head[:ENOUGH], 1 << 20)
        except (lzma.LZMAError, MemoryError):
            return False
        return state.eof or (len(head) >= ENOUGH and len(found) > 0)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        size, keeper = measured(unpacked(blob, 0, _decoder, "lzma"), blob.size, limits)
        yield Member("content", keeper.content(partial(_content, blob, limits)))
        header = blob.part(0, HEADER).read()
        if header[0] >= PROPERTIES:
            raise FormatError("no properties", 0)
        rest, literal = divmod(header[0], 9)
        position, place = divmod(rest, 5)
        yield Fact("lzma.properties", f"lc={literal} lp={place} pb={position}", (0, 1))
        yield Fact("lzma.dictionary", int.from_bytes(header[1:5], "little"), (1, 4))
        told = int.from_bytes(header[5:], "little")
        yield Fact(
            "lzma.size", "until its end mark" if told == UNKNOWN else told, (5, 8), derived=True
        )
        data = HEADER, size - HEADER
        yield Fact("lzma.data", digest_of(blob.part(*data)), data, derived=True)
        yield from trailing(blob, size, "lzma.trailing")


def _is_usual(dictionary: int) -> bool:
    """2^n or 2^n + 2^(n-1), as liblzma demands of a file without magic, and not too much."""
    if not 1 << 12 <= dictionary <= MEMORY:
        return False
    low = dictionary & -dictionary
    return dictionary in (low, low * 3)


def _decoder() -> Decoder:
    import lzma  # noqa: PLC0415 - start-up time

    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY + (1 << 20))


def _content(blob: Blob, limits: Limits) -> Iterator[bytes]:
    return bounded((chunk for _, chunk in unpacked(blob, 0, _decoder, "lzma")), blob.size, limits)
