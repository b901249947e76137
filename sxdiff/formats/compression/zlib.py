"""Zlib streams: a deflate stream in a wrapper of six bytes.

Source: RFC 1950, 2.2 "Data format".
"""

from collections.abc import Iterator
from functools import partial

from zlib_ng import zlib_ng

from sxdiff.formats.compression.deflate import ZLIB, inflate
from sxdiff.formats.compression.stream import measured, trailing
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, Limits, Member

DEFLATE, LARGEST_WINDOW, FDICT = 8, 7, 0x20
STRETCH = 32 << 10
"""Packed bytes of a longer stream that must inflate before it is taken for one."""
LEVELS = ("fastest", "fast", "default", "maximum")


class Zlib:
    """The two bytes of the header, the unpacked content, the deflate stream and its checksum."""

    name = "zlib"

    def recognises(self, head: bytes) -> bool:
        """There is no magic number: the header's check bits hold, and what follows inflates to
        its checksum, or for as long as is seen."""
        if len(head) < 8 or not _is_header(head[0], head[1]):
            return False
        inflater = zlib_ng.decompressobj(ZLIB)
        data, unpacked = head, 0
        try:
            while data and not inflater.eof:
                unpacked += len(inflater.decompress(data, STRETCH))
                data = inflater.unconsumed_tail
        except zlib_ng.error:  # type: ignore[misc]  # its stub says Any
            return False
        if inflater.eof:
            return not inflater.unused_data
        return len(head) >= STRETCH and unpacked > 0

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        size, keeper = measured(inflate(blob, 0, ZLIB), blob.size, limits)
        yield Member("content", keeper.content(partial(_content, blob)))
        method, flags = blob.part(0, 2).read()
        yield Fact("zlib.window", 1 << (method >> 4) + 8, (0, 1))
        yield Fact("zlib.level", f"{LEVELS[flags >> 6]} ({flags:#04x})", (1, 1))
        yield Fact("zlib.deflate", digest_of(blob.part(2, size - 6)), (2, size - 6), derived=True)
        yield Fact("zlib.adler32", blob.part(size - 4, 4).read().hex(), (size - 4, 4), derived=True)
        yield from trailing(blob, size, "zlib.trailing")


def _is_header(method: int, flags: int) -> bool:
    return (
        method & 15 == DEFLATE
        and method >> 4 <= LARGEST_WINDOW
        and (method << 8 | flags) % 31 == 0
        and not flags & FDICT
    )


def _content(blob: Blob) -> Iterator[bytes]:
    for _, chunk in inflate(blob, 0, ZLIB):
        yield chunk
