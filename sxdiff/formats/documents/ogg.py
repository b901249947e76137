"""Ogg streams (Vorbis, Opus, FLAC in Ogg, Theora): pages, serial numbers, comments.

Source: RFC 3533, 6 "The Ogg page format"; Vorbis I specification, 4.2.1 and 5 "comment field";
RFC 7845, 5.2 for Opus.
"""

import zlib
from collections.abc import Iterator

from sxdiff.formats.parts import Names, Parts, Reader, bytes_part, packed, part
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Span, text_of

MAGIC = b"OggS"
HEADER = 27
COMMENTS = (b"\x03vorbis", b"OpusTags", b"\x81theora")
"""Starts of the packet that holds the comments."""
LONGEST = 1 << 20
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""


class Ogg:
    """Serial numbers of the streams; granule and content of each page, CRCs derived."""

    name = "ogg"

    def recognises(self, head: bytes) -> bool:
        """Capture pattern, version 0, and the flag of a stream's first page."""
        return len(head) >= HEADER and head.startswith(MAGIC + b"\0") and bool(head[5] & 2)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Pages in order. A serial number is told of the stream's first page; the others have it
        as well, or are of another stream."""
        at, number = 0, 0
        streams: dict[bytes, int] = {}
        while at < blob.size:
            raw = blob.part(at, HEADER).read()
            if not raw.startswith(MAGIC):
                raise FormatError("page without its capture pattern", at)
            number += 1
            name = f"page {number}"
            serial = raw[14:18]
            first = serial not in streams
            stream = streams.setdefault(serial, len(streams) + 1)
            segments = blob.part(at + HEADER, raw[26]).read()
            yield Fact("ogg.magic", raw[:6].hex(), (at, 6), name)
            granule = int.from_bytes(raw[6:14], "little", signed=True)
            yield Fact("ogg.granule", granule, (at + 6, 8), name)
            if first:
                # a part, so that all CRCs follow from it
                yield part("ogg", f"stream {stream}", blob, (at + 14, 4), _serial)
            else:
                told = f"{serial.hex()} of stream {stream}"
                yield Fact("ogg.serial", told, (at + 14, 4), name, derived=True)
            sequence = int.from_bytes(raw[18:22], "little")
            yield Fact("ogg.sequence", sequence, (at + 18, 4), name)
            size = HEADER + raw[26] + sum(segments)
            rest = blob.part(at, size).read(26, size - 26)
            right = _crc(raw[:22] + bytes(4) + rest) == raw[22:26]
            yield Fact("ogg.crc", raw[22:26].hex(), (at + 22, 4), name, derived=right)
            table = (at + 26, 1 + raw[26])
            yield packed("ogg.segments", blob, table, f"{name} segments")
            span = (sum(table), sum(segments))
            if span[1]:
                yield _content(blob, name, span, segments)
            at = sum(span)


def _crc(page: bytes) -> bytes:
    """A page's checksum: CRC-32 with all bits the other way round than zlib has them, from 0."""
    reversed_sum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_sum:032b}"[::-1], 2).to_bytes(4, "little")


def _serial(blob: Blob) -> Parts:
    """A number that the encoder draws by lot for each stream."""
    yield Fact("ogg.serial", int.from_bytes(blob.read(), "little"), (0, 4))


def _content(blob: Blob, name: str, span: Span, segments: bytes) -> Member:
    """A page's content; where the comments are whole at its start, they are told."""
    size, whole = 0, False
    for segment in segments:
        size += segment
        if segment < 255:
            whole = True
            break
    if whole and blob.part(*span).read(0, 8).startswith(COMMENTS) and size <= LONGEST:
        return part("ogg", f"{name} comments", blob, span, lambda within: _comments(within, size))
    return bytes_part("ogg.page", name, blob, span)


def _comments(blob: Blob, size: int) -> Parts:
    """Vendor, then `KEY=value` each with its length; what lies behind is another packet."""
    reader = Reader(blob.read(0, size))
    at = 8 if reader.span(0, 8) == b"OpusTags" else 7
    yield Fact("ogg.packet", reader.span(0, at).hex(), (0, at))
    length = reader.number(at)
    vendor = text_of(reader.span(at + 4, length))
    yield Fact("ogg.vendor_size", length, (at, 4), "vendor", derived=True)
    yield Fact("ogg.vendor", vendor, (at + 4, length), "vendor")
    at += 4 + length
    count = reader.number(at)
    yield Fact("ogg.comments", count, (at, 4), derived=True)
    at += 4
    names = Names()
    for _ in range(min(count, size // 4)):
        length = reader.number(at)
        raw = reader.span(at + 4, length)
        key = text_of(raw.partition(b"=")[0])
        name = names(key)
        yield Fact("ogg.comment_size", length, (at, 4), name, derived=True)
        yield Fact("ogg.comment", text_of(raw), (at + 4, length), name)
        at += 4 + length
    if at < size:
        yield Fact("ogg.end", reader.span(at, size - at).hex(), (at, size - at))
    if size < blob.size:
        rest = (size, blob.size - size)
        yield bytes_part("ogg.page", "next packet", blob, rest)
