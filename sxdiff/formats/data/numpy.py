"""Arrays of NumPy (`.npy`): the header's dictionary by key, the data as bytes.

Source: NumPy's NEP 1, "A Simple File Format for NumPy Arrays".
"""

import re
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Parts, bytes_part, part
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGIC = b"\x93NUMPY"
LONGEST = 1 << 20
"""Bytes of a header."""
_ENTRY = re.compile(rb"'([a-z_]+)': ('[^']*'|\[[^\]]*\]|\([^)]*\)|True|False)")


class Numpy:
    """Version, the header's entries, data."""

    name = "numpy"

    def recognises(self, head: bytes) -> bool:
        """The magic string and a version that exists."""
        return head.startswith(MAGIC) and len(head) > 10 and head[6] in (1, 2, 3)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """The length of the header has two bytes in version 1, four later."""
        version = blob.part(6, 2).read()
        yield Fact("numpy.magic", MAGIC.hex(), (0, 6))
        yield Fact("numpy.version", f"{version[0]}.{version[1]}", (6, 2))
        width = 2 if version[0] == 1 else 4
        size = int.from_bytes(blob.part(8, width).read(), "little")
        if size > LONGEST:
            raise FormatError(f"header of {size} bytes", 8)
        yield Fact("numpy.header_size", size, (8, width), derived=True)
        at = 8 + width
        yield part("numpy", "header", blob, (at, size), partial(_entries))
        at += size
        if at < blob.size:
            yield bytes_part("numpy.data", "data", blob, (at, blob.size - at))


def _entries(blob: Blob) -> Parts:
    data = blob.read()
    at = 0
    for found in _ENTRY.finditer(data):
        start, end = found.span(2)
        yield Fact("numpy.literal", text_of(data[at:start]), (at, start - at), text_of(found[1]))
        yield Fact("numpy.value", text_of(found[2]), (start, end - start), text_of(found[1]))
        at = end
    if at < len(data):
        # padded with spaces so that the data are aligned
        yield Fact("numpy.end", text_of(data[at:]), (at, len(data) - at), derived=True)
