"""HDF5 files: the superblock by field, the rest as bytes.

Source: HDF5 File Format Specification 3.0, II.A "Disk Format: Level 0A - Format Signature and
Superblock". A user block may lie before the superblock; only files without one are looked into.
"""

from collections.abc import Iterator

from sxdiff.formats.parts import bytes_part, record_part
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MAGIC = b"\x89HDF\r\n\x1a\n"
SIZES = {2: "H", 4: "I", 8: "Q"}


class Hdf5:
    """Superblock, and all behind it."""

    name = "hdf5"

    def recognises(self, head: bytes) -> bool:
        """The signature at the very start, and a version that exists."""
        return head.startswith(MAGIC) and len(head) > 24 and head[8] <= 3

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Superblock versions 0 and 1, or 2 and 3."""
        version = blob.part(8, 1).read()[0]
        width = SIZES.get(blob.part(13 if version < 2 else 9, 1).read()[0])
        if width is None:
            raise FormatError("size of offsets is not 2, 4 or 8", 9)
        record = _old(version, width) if version < 2 else _new(width)
        yield record_part("hdf5", "superblock", blob, 0, record)
        if record.size < blob.size:
            span = (record.size, blob.size - record.size)
            yield bytes_part("hdf5.objects", "objects", blob, span)


def _old(version: int, width: str) -> Record:
    more = (Field("indexed_internal_k", "H"), Field("reserved_2", "2s", hexadecimal))
    return Record(
        "hdf5",
        "<",
        (
            Field("signature", "8s", hexadecimal),
            Field("version", "B"),
            Field("free_space_version", "B"),
            Field("root_group_version", "B"),
            Field("reserved", "B"),
            Field("shared_header_version", "B"),
            Field("size_of_offsets", "B"),
            Field("size_of_lengths", "B"),
            Field("reserved_1", "B"),
            Field("group_leaf_k", "H"),
            Field("group_internal_k", "H"),
            Field("flags", "I", hexadecimal),
            *(more if version else ()),
            Field("base", width),
            Field("free_space", width, hexadecimal),
            Field("end_of_file", width, derived=True),
            Field("driver_information", width, hexadecimal),
        ),
    )


def _new(width: str) -> Record:
    return Record(
        "hdf5",
        "<",
        (
            Field("signature", "8s", hexadecimal),
            Field("version", "B"),
            Field("size_of_offsets", "B"),
            Field("size_of_lengths", "B"),
            Field("flags", "B", hexadecimal),
            Field("base", width),
            Field("extension", width, hexadecimal),
            Field("end_of_file", width, derived=True),
            Field("root_group", width, derived=True),
            Field("checksum", "I", hexadecimal, derived=True),
        ),
    )
