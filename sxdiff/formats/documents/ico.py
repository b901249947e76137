"""Icons and cursors of Windows (`.ico`, `.cur`): one picture for each size.

Source: Microsoft, "Icons in Win32" (1995): ICONDIR, ICONDIRENTRY; a picture may be a PNG stream.
"""

from collections.abc import Iterator

from sxdiff.formats.parts import Names, bytes_part, record_part
from sxdiff.formats.record import Field, Record, named
from sxdiff.model import Blob, Fact, Limits, Member

HEADER = Record(
    "ico",
    "<",
    (
        Field("reserved", "H"),
        Field("type", "H", named({1: "icon", 2: "cursor"})),
        Field("pictures", "H", derived=True),
    ),
)
ENTRY = Record(
    "ico",
    "<",
    (
        Field("width", "B"),
        Field("height", "B"),
        Field("colours", "B"),
        Field("reserved", "B"),
        Field("planes", "H"),
        Field("bits", "H"),
        Field("size", "I", derived=True),
        Field("offset", "I", derived=True),
    ),
)
MOST = 256
"""Pictures of one file."""
PNG = b"\x89PNG"


class Ico:
    """Header, an entry and a picture for each size."""

    name = "ico"

    def recognises(self, head: bytes) -> bool:
        """Type 1 or 2, and a first entry whose picture lies behind all entries."""
        if len(head) < 22 or head[:2] != b"\0\0" or head[2:4] not in (b"\1\0", b"\2\0"):
            return False
        count = int.from_bytes(head[4:6], "little")
        row = ENTRY.values(head[6:])
        behind = HEADER.size + count * ENTRY.size
        return 0 < count <= MOST and row["reserved"] == 0 and row["offset"] == behind

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Pictures are named by their size and depth."""
        yield record_part("ico", "header", blob, 0, HEADER)
        names = Names()
        for number in range(min(HEADER.number(blob, 0, "pictures"), MOST)):
            at = HEADER.size + number * ENTRY.size
            row = ENTRY.read(blob, at)
            sides = [int(row[side]) or 256 for side in ("width", "height")]
            name = names(f"{sides[0]}x{sides[1]} {int(row['bits'])} bits")
            yield record_part("ico", f"{name} entry", blob, at, ENTRY)
            span = (int(row["offset"]), int(row["size"]))
            if blob.part(*span).read(0, 4) == PNG:
                yield Member(name, blob.part(*span), span)
            elif span[1]:
                yield bytes_part("ico.bitmap", name, blob, span)
