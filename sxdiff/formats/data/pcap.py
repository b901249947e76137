"""Captured packets: pcap files and pcapng blocks.

Source: IETF drafts draft-ietf-opsawg-pcap (file header, packet records) and
draft-ietf-opsawg-pcapng, 3.1 "General Block Structure".
"""

from collections.abc import Iterator

from sxdiff.formats.parts import bytes_part, of_magic, record_part
from sxdiff.formats.record import Field, Record, hexadecimal, utc
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MAGICS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}
SECTION = b"\x0a\x0d\x0d\x0a"
BLOCKS = {
    0x0A0D0D0A: "section",
    1: "interface",
    3: "simple packet",
    4: "names",
    5: "statistics",
    6: "packet",
    10: "secrets",
}


class Pcap:
    """File header, then time, lengths and bytes of each packet."""

    name = "pcap"

    def recognises(self, head: bytes) -> bool:
        """A magic number of either byte order, for micro- or nanoseconds."""
        return len(head) >= 24 and head[:4] in MAGICS

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Packets by number; one that is cut off is told as bytes."""
        order = of_magic(MAGICS, blob.part(0, 4).read())
        yield record_part("pcap", "header", blob, 0, _header(order))
        packet = _packet(order)
        at, number = 24, 1
        while at + packet.size <= blob.size:
            size = packet.number(blob, at, "captured")
            name = f"packet {number}"
            yield from packet.facts(blob, at, name)
            at += packet.size
            if size:
                yield bytes_part("pcap.packet", name, blob, (at, size))
            at, number = at + size, number + 1


def _header(order: str) -> Record:
    return Record(
        "pcap",
        order,
        (
            Field("magic", "4s", hexadecimal),
            Field("major", "H"),
            Field("minor", "H"),
            Field("zone", "i"),
            Field("accuracy", "I"),
            Field("snap_length", "I"),
            Field("link_type", "I", hexadecimal),
        ),
    )


def _packet(order: str) -> Record:
    return Record(
        "pcap",
        order,
        (
            Field("time", "I", utc),
            Field("fraction", "I"),
            Field("captured", "I", derived=True),
            Field("length", "I"),
        ),
    )


class Pcapng:
    """Blocks by type and number."""

    name = "pcapng"

    def recognises(self, head: bytes) -> bool:
        """A section header block with its byte-order magic."""
        magic = (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a")
        return len(head) >= 28 and head.startswith(SECTION) and head[8:12] in magic

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Type, length, body, length again of each block."""
        at, order, met = 0, "<", dict.fromkeys(BLOCKS.values(), 0)
        while at < blob.size:
            head = blob.part(at, 12).read()
            if head[:4] == SECTION:
                order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
            little = "little" if order == "<" else "big"
            kind, size = (int.from_bytes(head[n : n + 4], little) for n in (0, 4))  # type: ignore[arg-type]  # one of its two literals
            if size < 12 or size % 4:
                raise FormatError(f"block of {size} bytes", at)
            what = BLOCKS.get(kind, f"block {kind:#x}")
            met[what] = met.get(what, 0) + 1
            name = f"{what} {met[what]}"
            end = blob.part(at + size - 4, 4).read().hex()
            yield Fact("pcapng.type", head[:4].hex(), (at, 4), name)
            yield Fact("pcapng.size", size, (at + 4, 4), name, derived=True)
            if size > 12:
                yield bytes_part("pcapng.body", name, blob, (at + 8, size - 12))
            yield Fact("pcapng.size_again", end, (at + size - 4, 4), name, derived=True)
            at += size
