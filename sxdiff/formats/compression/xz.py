"""XZ streams: one or more, each a header, blocks, an index of them and a footer.

Source: The .xz File Format 1.1.0: 2.1 (stream header, footer, padding), 3 (block), 4 (index),
5.3 (filters).
"""

import zlib
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from sxdiff.formats.compression.stream import (
    MEMORY,
    Decoder,
    bounded,
    trailing,
    unpacked,
)
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span

MAGIC, FOOTER_MAGIC = b"\xfd7zXZ\0", b"YZ"
HEADER = FOOTER = 12
LARGEST_INDEX = 64 << 20
CHECKS = {0: "none", 1: "CRC32", 4: "CRC64", 10: "SHA-256"}
CHECK_SIZES = (0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64)
LZMA2, DELTA = 0x21, 0x03
FILTERS = {
    DELTA: "delta",
    0x04: "x86",
    0x05: "powerpc",
    0x06: "ia64",
    0x07: "arm",
    0x08: "armthumb",
    0x09: "sparc",
    0x0A: "arm64",
    0x0B: "riscv",
    LZMA2: "lzma2",
}


class Stream(NamedTuple):
    """One stream's place; its blocks' spans without padding, and where its index starts."""

    at: int
    end: int
    blocks: tuple[Span, ...]
    index: int


class Xz:
    """The content of all streams as one; check, filters, and what follows from the content."""

    name = "xz"

    def recognises(self, head: bytes) -> bool:
        """2.1.1: magic bytes, stream flags and their CRC32."""
        return len(head) >= HEADER and head.startswith(MAGIC) and _crc_holds(head[6:12])

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        streams = _streams(blob, limits)
        yield Member("content", partial(_content, blob, tuple(one.at for one in streams), limits))
        usual: dict[str, object] = {}
        for stream in streams:
            for fact in _facts(blob, stream):
                # a content that grows has more blocks; more of the same is no choice of its own
                alike = usual.setdefault(fact.kind, fact) is not fact
                first = usual[fact.kind]
                assert isinstance(first, Fact)  # noqa: S101 - nothing else is put there
                alike = alike and first.value == fact.value
                yield Fact(fact.kind, fact.value, fact.at, derived=fact.derived or alike)
        yield from trailing(blob, streams[-1].end, "xz.trailing")


def _decoder() -> Decoder:
    import lzma  # noqa: PLC0415 - start-up time

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY)


def _content(blob: Blob, starts: tuple[int, ...], limits: Limits) -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        for at in starts:
            for _, chunk in unpacked(blob, at, _decoder, "xz"):
                yield chunk

    return bounded(chunks(), blob.size, limits)


def _streams(blob: Blob, limits: Limits) -> list[Stream]:
    """All streams, from the footers backwards; by unpacking where something lies behind them."""
    try:
        return _backwards(blob, 0, blob.size)
    except LimitError:
        raise
    except FormatError:
        found: list[Stream] = []
        at = left = 0
        while blob.read(at, 6) == MAGIC:
            start = at
            for _, chunk in enumerate_sizes(blob, at, limits, left):
                left = chunk
            at = start + left
            found += _backwards(blob, start, at)
            left = 0
            padding = at
            while blob.read(padding, 4) == bytes(4):
                padding += 4
            if blob.read(padding, 6) == MAGIC:
                at = padding
        if not found:
            raise
        return found


def enumerate_sizes(blob: Blob, at: int, limits: Limits, left: int) -> Iterator[tuple[int, int]]:
    raise NotImplementedError
