"""Archives of RAR, through libarchive: versions 1.5 to 4 and 5.

Source: RAR's technote.txt, "Archive format", for the marks; the entries as libarchive reads them.
"""

from collections.abc import Iterator

from sxdiff.formats.archives import entries
from sxdiff.model import Blob, Fact, Limits, Member

MARK_4, MARK_5 = b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0"


class Rar:
    """The mark, and the entries."""

    name = "rar"

    def recognises(self, head: bytes) -> bool:
        """The mark of either version."""
        return head.startswith((MARK_4, MARK_5))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part that holds all. Raises `FormatError` where libarchive is missing."""
        # version 4 holds times of MS-DOS
        old = blob.read(0, len(MARK_4)) == MARK_4
        known = "rar" if old else "rar5"
        return entries.dissect(blob, limits, self.name, known, _header, local_times=old)


def _header(blob: Blob) -> Iterator[Fact]:
    old = blob.read(0, len(MARK_4)) == MARK_4
    yield Fact("rar.version", 4 if old else 5, (0, len(MARK_4 if old else MARK_5)))
