"""Archives of LHA (lzh), through libarchive.

Source: libarchive's archive_read_support_format_lha for the levels of headers; the entries as
libarchive reads them.
"""

import re
from collections.abc import Iterator

from sxdiff.formats.archives import entries
from sxdiff.model import Blob, Fact, Limits, Member, text_of

_START = re.compile(rb"..-l[hz][0-9ds]-.{13}[\0-\3]", re.DOTALL)


class Lha:
    """The first entry's method and level, and the entries."""

    name = "lha"

    def recognises(self, head: bytes) -> bool:
        """A first header with a method (`-lh5-`) and a level up to 3."""
        return len(head) >= 24 and _START.match(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part that holds all. Raises `FormatError` where libarchive is missing."""
        # levels 0 and 1 hold times of MS-DOS
        local = blob.part(20, 1).read()[0] < 2
        return entries.dissect(blob, limits, self.name, "lha", _header, local_times=local)


def _header(blob: Blob) -> Iterator[Fact]:
    yield Fact("lha.method", text_of(blob.read(2, 5)), (2, 5))
    yield Fact("lha.level", blob.read(20, 1)[0], (20, 1))
