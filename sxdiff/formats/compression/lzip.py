"""Lzip files: one or more members, each a header, an LZMA stream with end mark and a trailer.

Source: lzip 1.23 manual, "File format".
"""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.compression.stream import (
    MEMORY,
    Decoder,
    bounded,
    measured,
    one_of,
    trailing,
    unpacked,
)
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span

MAGIC, VERSION = b"LZIP", 1
HEADER, TRAILER = 6, 20


class Lzip:
    """Version, dictionary, the content of all members as one, LZMA streams, trailers."""

    name = "lzip"

    def recognises(self, head: bytes) -> bool:
        """ID string, the only version in use, a dictionary of 4 KiB to 512 MiB."""
        return (
            len(head) >= HEADER
            and head.startswith(MAGIC)
            and head[4] == VERSION
            and 12 <= head[5] & 31 <= 29
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        members = _members(blob, limits)
        yield Member("content", partial(_content, blob, members, limits))
        usual = blob.read(members[0][0] + 5, 1)
        for number, (at, size) in enumerate(members):
            coded = blob.read(at + 5, 1)
            # plzip writes as many members, all alike, as the content needs
            alike = number > 0 and coded == usual
            yield Fact("lzip.magic", MAGIC.decode(), (at, 4), derived=number > 0)
            yield Fact("lzip.version", VERSION, (at + 4, 1), derived=number > 0)
            # more than one coding may give one size
            told = f"{_dictionary(coded[0])} ({coded.hex()})"
            yield Fact("lzip.dictionary", told, (at + 5, 1), derived=alike)
            data = at + HEADER, size - HEADER - TRAILER
            packed = Fact("lzip.data", digest_of(blob.part(*data)), data, derived=True)
            yield one_of(len(members), packed)
            place = at + size - TRAILER
            for kind, width in (("lzip.crc32", 4), ("lzip.size", 8), ("lzip.member_size", 8)):
                value = int.from_bytes(blob.read(place, width), "little")
                told = f"{value:08x}" if kind == "lzip.crc32" else str(value)
                right = partial(_trailer_holds, blob, (at, size), kind, limits)
                yield Fact(kind, told, (place, width), derived=True, check=right)
                place += width
        yield from trailing(blob, sum(members[-1]), "lzip.trailing")


def _members(blob: Blob, limits: Limits) -> list[Span]:
    """All members: from the trailers backwards, or by unpacking where that finds no way."""
    found: list[Span] = []
    end = blob.size
    while end >= HEADER + TRAILER:
        size = int.from_bytes(blob.read(end - 8, 8), "little")
        if not HEADER + TRAILER <= size <= end or not _starts(blob, end - size):
            break
        end -= size
        found.append((end, size))
    if end == 0 and found:
        return found[::-1]
    found, at = [], 0
    while _starts(blob, at):
        chunks = unpacked(blob, at + HEADER, partial(_decoder, blob.read(at + 5, 1)[0]), "lzip")
        size = HEADER + measured(chunks, blob.size, limits)[0] + TRAILER
        blob.part(at, size)
        found.append((at, size))
        at += size
    if not found:
        raise FormatError("no member", 0)
    return found


def _starts(blob: Blob, at: int) -> bool:
    header = blob.read(at, HEADER)
    return len(header) == HEADER and header[:5] == MAGIC + bytes([VERSION])


def _dictionary(coded: int) -> int:
    """Bits 4-0: a power of two; bits 7-5: sixteenths of it to be taken off."""
    base: int = 1 << (coded & 31)
    return base - base // 16 * (coded >> 5)


def _decoder(coded: int) -> Decoder:
    import lzma  # noqa: PLC0415 - start-up time

    size = _dictionary(coded)
    if size > MEMORY:
        raise LimitError(f"dictionary of {size} bytes")
    lzma1 = {"id": lzma.FILTER_LZMA1, "dict_size": max(size, 4096), "lc": 3, "lp": 0, "pb": 2}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[lzma1])


def _trailer_holds(blob: Blob, member: Span, kind: str, limits: Limits) -> bool:
    """Whether the trailer says CRC, size and packed size of the member's content."""
    at, size = member
    crc, length, packed = struct.unpack("<IQQ", blob.read(at + size - TRAILER, TRAILER))
    if kind == "lzip.member_size":
        return bool(packed == size)
    found = total = 0
    try:
        for chunk in _content(blob, [member], limits):
            found, total = zlib.crc32(chunk, found), total + len(chunk)
    except LimitError:
        return True
    except FormatError:
        return False
    return bool(found == crc) if kind == "lzip.crc32" else bool(total == length)


def _content(blob: Blob, members: list[Span], limits: Limits) -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        for at, size in members:
            start = partial(_decoder, blob.read(at + 5, 1)[0])
            member = blob.part(at, size - TRAILER)
            for _, chunk in unpacked(member, HEADER, start, "lzip"):
                yield chunk

    return bounded(chunks(), blob.size, limits)
