"""Cabinets of Microsoft, through libarchive.

Source: [MS-CAB] 2.1, "CFHEADER"; the entries as libarchive reads them.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.archives import entries
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, Limits, Member

MAGIC = b"MSCF\0\0\0\0"
HEADER = Record(
    "cab",
    "<",
    (
        Field("magic", "8s", hexadecimal),
        Field("cabinet_size", "I", derived=True),
        Field("reserved2", "I"),
        Field("files_offset", "I", derived=True),
        Field("reserved3", "I"),
        Field("minor", "B"),
        Field("major", "B"),
        Field("folders", "H", derived=True),
        Field("files", "H", derived=True),
        Field("flags", "H", hexadecimal),
        Field("set_id", "H"),
        Field("set_index", "H"),
    ),
)


class Cab:
    """The cabinet's header, and the entries."""

    name = "cab"

    def recognises(self, head: bytes) -> bool:
        """The signature and a whole header of version 1."""
        return head.startswith(MAGIC) and len(head) >= HEADER.size and head[25] == 1

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part that holds all. Raises `FormatError` where libarchive is missing."""
        header = partial(HEADER.facts, at=0)
        return entries.dissect(blob, limits, self.name, "cab", header, local_times=True)
