"""XZ streams: one or more, each a header, blocks, an index of them and a footer.

Source: The .xz File Format 1.1.0: 2.1 (stream header, footer, padding), 3 (block), 4 (index),
5.3 (filters).
"""

import hashlib
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.compression.stream import (
    MEMORY,
    Decoder,
    bounded,
    measured,
    one_of,
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
    index_at: int


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
        blocks = sum(len(stream.blocks) for stream in streams)
        usual: dict[str, Fact] = {}
        for stream in streams:
            for fact in _facts(blob, stream):
                # a content that grows has more blocks; more of the same is no choice of its own
                first = usual.setdefault(fact.kind, fact)
                alike = first is not fact and first.value == fact.value
                told = Fact(fact.kind, fact.value, fact.at, derived=fact.derived or alike)
                yield one_of(blocks, told)
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
    """All streams: from the footers backwards, or by unpacking where that finds no way."""
    found: list[Stream] = []
    try:
        end = blob.size
        while end:
            found.append(_before(blob, end))
            end = found[-1].at
            while end and blob.read(end - 4, 4) == bytes(4):  # 2.2: stream padding
                end -= 4
    except LimitError:
        raise
    except FormatError:
        # something lies behind the last stream, or one is damaged
        found, at = [], 0
        while blob.read(at, len(MAGIC)) == MAGIC:
            size, _ = measured(unpacked(blob, at, _decoder, "xz"), blob.size, limits)
            found.insert(0, _before(blob, at + size))
            at += size
            padding = at
            while blob.read(padding, 4) == bytes(4):
                padding += 4
            if blob.read(padding, len(MAGIC)) == MAGIC:
                at = padding
    if not found:
        raise FormatError("no stream", 0)
    return found[::-1]


def _before(blob: Blob, end: int) -> Stream:
    """The stream that ends at `end`: footer, index, blocks, header."""
    footer = blob.part(end - FOOTER, FOOTER).read()
    crc, backward = footer[:4], int.from_bytes(footer[4:8], "little")
    if footer[10:] != FOOTER_MAGIC or zlib.crc32(footer[4:10]) != int.from_bytes(crc, "little"):
        raise FormatError("no stream footer", end - FOOTER)
    index_size = (backward + 1) * 4
    if index_size > LARGEST_INDEX:
        raise LimitError(f"index of {index_size} bytes", end - FOOTER)
    start = end - FOOTER - index_size
    index = blob.part(start, index_size).read()
    if index[0] != 0 or not _crc_holds(index):
        raise FormatError("damaged index", start)
    sizes = []
    count, at = _number(index, 1)
    for _ in range(count):  # each takes two bytes of the index at least, or it ends
        unpadded, at = _number(index, at)
        _, at = _number(index, at)
        sizes.append(unpadded)
    place = start - sum(size + -size % 4 for size in sizes)
    header = place - HEADER
    if blob.part(header, HEADER).read() != MAGIC + footer[8:10] + blob.read(header + 8, 4):
        raise FormatError("header and footer disagree", header)
    blocks = []
    for size in sizes:
        blocks.append((place, size))
        place += size + -size % 4
    return Stream(header, end, tuple(blocks), start)


def _facts(blob: Blob, stream: Stream) -> Iterator[Fact]:
    """2.1.1 header; 3.1 each block's; 4 index; 2.1.2 footer."""
    at = stream.at
    flags = blob.read(at + 6, 2)
    check = flags[1] & 15
    yield Fact("xz.magic", MAGIC.hex(), (at, 6))
    plain = flags == bytes([0, check]) and check in CHECKS
    yield Fact("xz.check", CHECKS[check] if plain else flags.hex(), (at + 6, 2))
    yield Fact("xz.header_crc", blob.read(at + 8, 4).hex(), (at + 8, 4), derived=True)
    for block in stream.blocks:
        yield from _block(blob, block, CHECK_SIZES[check])
    size = stream.end - FOOTER - stream.index_at
    index = blob.part(stream.index_at, size)
    yield Fact(
        "xz.index",
        f"{_without_headers(blob, stream)}, whole {digest_of(index)}",
        (stream.index_at, size),
        derived=True,
    )
    footer = stream.end - FOOTER
    yield Fact("xz.footer", blob.read(footer, FOOTER).hex(), (footer, FOOTER), derived=True)


def _without_headers(blob: Blob, stream: Stream) -> str:
    """4.3: how many blocks the index has, and their sizes less those of the blocks' headers."""
    size = stream.end - FOOTER - stream.index_at
    index = blob.part(stream.index_at, size).read()
    _, at = _number(index, 1)
    sizes = []
    for start, unpadded in stream.blocks:
        _, at = _number(index, at)
        content, at = _number(index, at)
        header = (blob.part(start, 1).read()[0] + 1) * 4
        sizes.append(f"{unpadded - header} {content}")
    said = hashlib.sha256("\n".join(sizes).encode()).hexdigest()
    return f"{len(sizes)} blocks, less headers sha256:{said}"


def _block(blob: Blob, block: Span, check: int) -> Iterator[Fact]:
    """3.1: sizes, filters, CRC32; 3.2 packed data; 3.4 check."""
    at, size = block
    header = blob.part(at, (blob.part(at, 1).read()[0] + 1) * 4).read()
    if len(header) < 8 or len(header) + check > size or not _crc_holds(header):
        raise FormatError("damaged block header", at)
    yield Fact("xz.block_header", header[:2].hex(), (at, 2), derived=True)
    place = 2
    for flag, kind in ((0x40, "xz.block_packed_size"), (0x80, "xz.block_size")):
        if header[1] & flag:
            start = place
            value, place = _number(header, place)
            yield Fact(kind, value, (at + start, place - start), derived=True)
    start = place
    filters = []
    for _ in range((header[1] & 3) + 1):
        told, place = _filter(header, place)
        filters.append(told)
    yield Fact("xz.filters", ", ".join(filters), (at + start, place - start))
    end = len(header) - 4
    if place < end:
        zeros = header[place:end].hex()
        yield Fact("xz.block_padding", zeros, (at + place, end - place), derived=True)
    yield Fact("xz.block_crc", header[end:].hex(), (at + end, 4), derived=True)
    data = at + len(header), size - len(header) - check
    yield Fact("xz.block_data", digest_of(blob.part(*data)), data, derived=True)
    if check:  # behind the padding (3.3), which the size leaves out
        span = at + size + -size % 4 - check, check
        yield Fact("xz.block_check", blob.part(*span).read().hex(), span, derived=True)


def _filter(header: bytes, at: int) -> tuple[str, int]:
    """3.1.5 and 5.3: one filter with its properties, and where it ends."""
    number, at = _number(header, at)
    size, at = _number(header, at)
    if at + size > len(header) - 4:
        raise FormatError("filter properties outside the block header")
    properties = header[at : at + size]
    name = FILTERS.get(number, f"{number:#x}")
    if number == LZMA2 and size == 1 and properties[0] <= 40:
        bits = properties[0]
        dictionary = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << bits // 2 + 11
        name += f" dictionary={dictionary}"
    elif number == DELTA and size == 1:
        name += f" distance={properties[0] + 1}"
    elif properties:
        name += f" {properties.hex()}"
    return name, at + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """1.2: a multibyte integer, and where it ends. One value has one encoding."""
    value = 0
    for place in range(9):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            if byte == 0 and place:
                break
            return value, at + place + 1
    raise FormatError("damaged number")


def _crc_holds(data: bytes) -> bool:
    """Whether the last four bytes are the CRC32 of those before."""
    return zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
