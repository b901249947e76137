"""7z archives, through libarchive.

Source: 7zFormat.txt of 7-Zip, "SignatureHeader"; the entries as libarchive reads them.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from sxdiff.formats.archives import entries
from sxdiff.formats.digest import crc32_of
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, Limits, Member

MAGIC = b"7z\xbc\xaf\x27\x1c"
HEADER = Record(
    "sevenzip",
    "<",
    (
        Field("magic", "6s", hexadecimal),
        Field("major", "B"),
        Field("minor", "B"),
        Field("start_crc", "I", hexadecimal, True),
        Field("next_offset", "Q", derived=True),
        Field("next_size", "Q", derived=True),
        Field("next_crc", "I", hexadecimal, True),
    ),
)


class SevenZip:
    """The signature header, and the entries."""

    name = "sevenzip"

    def recognises(self, head: bytes) -> bool:
        """The signature, of version 0."""
        return head.startswith(MAGIC + b"\0") and len(head) >= HEADER.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part that holds all. Raises `FormatError` where libarchive is missing."""
        return entries.dissect(blob, limits, self.name, "7zip", _header)


def _header(blob: Blob) -> Iterator[Fact]:
    """The signature header; its two CRCs are of its last fields and of the archive's header."""
    raw = blob.part(0, HEADER.size).read()
    start, place, size, found = struct.unpack_from("<IQQI", raw, 8)
    after = HEADER.size + place
    right = {
        "sevenzip.start_crc": zlib.crc32(raw[12:]) == start,
        "sevenzip.next_crc": after + size <= blob.size
        and crc32_of(blob.part(after, size)) == found,
    }
    for fact in HEADER.facts(blob, 0):
        yield replace(fact, derived=fact.derived and right.get(fact.kind, True))
