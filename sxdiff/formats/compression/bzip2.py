"""Bzip2 files: one or more streams of blocks that start at any bit.

Source: bzip2 1.0.8, compress.c and decompress.c; "BZIP2: Format Specification" (J. Tsai, 2016),
2.2 (stream header), 2.3 (blocks), 2.2.3 (stream footer).
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.compression.stream import Decoder, bounded, measured, one_of, trailing, unpacked
from sxdiff.formats.digest import CHUNK, digest_of
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Span

MAGIC = b"BZh"
BLOCK, END = bytes.fromhex("314159265359"), bytes.fromhex("177245385090")
"""How a block starts and how a stream ends: digits of pi, and of its root."""
FOOTER = 10
"""The end's mark and the CRC of all blocks; up to seven bits fill up the last byte."""


class Bzip2:
    """Level, the content of all streams as one, the packed blocks, the checksum of all."""

    name = "bzip2"

    def recognises(self, head: bytes) -> bool:
        """Magic, level, and the start of a block or the end of an empty stream."""
        return _starts(head)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        streams = _streams(blob, limits)
        yield Member("content", partial(_content, blob, streams, limits))
        usual = blob.read(3, 1)
        for number, (at, size) in enumerate(streams):
            level = blob.read(at + 3, 1)
            # pbzip2 writes as many streams, all alike, as the content needs
            yield Fact("bzip2.magic", MAGIC.decode(), (at, 3), derived=number > 0)
            yield Fact(
                "bzip2.level", int(level), (at + 3, 1), derived=number > 0 and level == usual
            )
            crc = _ending(blob, at + size)
            if crc is not None:
                yield Fact("bzip2.crc32", f"{crc:08x}", derived=True)
            data = at + 4, size - 4
            packed = Fact("bzip2.blocks", digest_of(blob.part(*data)), data, derived=True)
            yield one_of(len(streams), packed)
        yield from trailing(blob, sum(streams[-1]), "bzip2.trailing")


def _starts(head: bytes) -> bool:
    return (
        len(head) >= 14
        and head.startswith(MAGIC)
        and 0x31 <= head[3] <= 0x39
        and head[4:10] in (BLOCK, END)
    )


def _ending(blob: Blob, end: int) -> int | None:
    """The checksum in front of `end`, if a stream ends there."""
    tail = int.from_bytes(blob.read(max(0, end - FOOTER - 1), min(end, FOOTER + 1)), "big")
    for unused in range(8):
        bits = tail >> unused
        if bits >> 32 & (1 << 48) - 1 == int.from_bytes(END, "big"):
            return bits & 0xFFFFFFFF
    return None


def _streams(blob: Blob, limits: Limits) -> tuple[Span, ...]:
    """All streams, found by how they start and end, or by unpacking where that finds no way.

    A stream starts at a byte. Where its first fourteen bytes stand behind a stream's end, chance
    has no say.
    """
    starts = []
    for base in range(0, blob.size, CHUNK):
        chunk = blob.read(base, CHUNK + 14)
        at = chunk.find(MAGIC)
        while 0 <= at < CHUNK:
            place = base + at
            if _starts(chunk[at : at + 14]) and (not place or _ending(blob, place) is not None):
                starts.append(place)
            at = chunk.find(MAGIC, at + 1)
    if starts and _ending(blob, blob.size) is not None:
        ends = [*starts[1:], blob.size]
        return tuple((at, end - at) for at, end in zip(starts, ends, strict=True))
    found: list[Span] = []
    at = 0
    while _starts(blob.read(at, 14)):
        size, _ = measured(unpacked(blob, at, _decoder, "bzip2"), blob.size, limits)
        found.append((at, size))
        at += size
    if not found:
        raise FormatError("no stream", 0)
    return tuple(found)


def _decoder() -> Decoder:
    import bz2  # noqa: PLC0415 - start-up time

    return bz2.BZ2Decompressor()


def _content(blob: Blob, streams: tuple[Span, ...], limits: Limits) -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        for at, _ in streams:
            for _, chunk in unpacked(blob, at, _decoder, "bzip2"):
                yield chunk

    return bounded(chunks(), blob.size, limits)
