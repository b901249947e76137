"""Objects that R has serialised (`.rds`, `.RData`), unpacked: versions told, the rest as bytes.

Source: R Internals, 1.8 "Serialization Formats".
"""

from collections.abc import Iterator

from sxdiff.formats.parts import bytes_part
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGICS = (b"X\n\0\0\0", b"RDX2\nX\n\0\0\0", b"RDX3\nX\n\0\0\0")
FIRST = 14
LONGEST = 64
"""Bytes of the name of an encoding."""


class RRds:
    """Which R wrote it, which can read it, the native encoding."""

    name = "r_rds"

    def recognises(self, head: bytes) -> bool:
        """XDR serialisation of version 2 or 3, bare or as `save` writes it."""
        at = head.find(b"X\n")
        return head.startswith(MAGICS) and len(head) >= at + FIRST and head[at + 5] in (2, 3)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """The header; all numbers are big-endian."""
        at = blob.read(0, 16).find(b"X\n")
        if at < 0:
            raise FormatError("no magic number", 0)
        if at:
            yield Fact("r_rds.magic", text_of(blob.read(0, at)), (0, at))
        yield Fact("r_rds.format", text_of(blob.part(at, 2).read()), (at, 2))
        version = int.from_bytes(blob.part(at + 2, 4).read(), "big")
        yield Fact("r_rds.version", version, (at + 2, 4))
        for name, place in (("written_by", at + 6), ("readable_by", at + 10)):
            raw = blob.part(place, 4).read()
            number = int.from_bytes(raw, "big")
            told = f"R {number >> 16}.{number >> 8 & 0xFF}.{number & 0xFF}"
            yield Fact(f"r_rds.{name}", told, (place, 4))
        at += FIRST
        if version == 3:
            size = int.from_bytes(blob.part(at, 4).read(), "big")
            if size > LONGEST:
                raise FormatError(f"encoding of {size} characters", at)
            name = text_of(blob.part(at + 4, size).read())
            yield Fact("r_rds.encoding", name, (at, 4 + size))
            at += 4 + size
        if at < blob.size:
            yield bytes_part("r_rds.object", "object", blob, (at, blob.size - at))
