"""7z archives, through libarchive.

Source: 7zFormat.txt of 7-Zip, "SignatureHeader"; the entries as libarchive reads them.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.archives import entries
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
        return entries.dissect(blob, limits, self.name, "7zip", partial(HEADER.facts, at=0))
