"""LZ4 files: frames of blocks, frames to be skipped, and the legacy frames of kernels.

Source: lz4 1.9.4, doc/lz4_Frame_format.md (version 1.6.2: "General Structure of LZ4 Frame
format", "Skippable Frames", "Legacy frame") and doc/lz4_Block_format.md.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.compression.stream import bounded, one_of, trailing
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGIC, LEGACY = 0x184D2204, 0x184C2102
SKIPPABLE, SKIPPABLE_MASK = 0x184D2A50, 0xFFFFFFF0
LARGEST = 64 << 20
"""Packed bytes that are unpacked: Python needs some ten seconds for them."""
LEGACY_BLOCK = 8 << 20
BLOCK_SIZES = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
HISTORY = 64 << 10
"""How far back a match may reach."""
STORED = 1 << 31
MOST_BLOCKS = 1 << 20


class Block(NamedTuple):
    """One block's packed data, and whether it is stored as it is."""

    at: int
    size: int
    stored: bool


class Frame(NamedTuple):
    """One frame: where it lies, the facts of its header, its blocks; whether one block's matches
    reach into the one before, and how large a block may be."""

    at: int
    size: int
    facts: tuple[Fact, ...]
    blocks: tuple[Block, ...]
    linked: bool
    largest: int


class Lz4:
    """Frame headers, the content of all frames as one, the packed blocks, checksums."""

    name = "lz4"

    def recognises(self, head: bytes) -> bool:
        """The frame's magic number and version 01; or the legacy one and a block that fits."""
        magic = int.from_bytes(head[:4], "little")
        if magic == LEGACY:
            return 0 < int.from_bytes(head[4:8], "little") <= _worst(LEGACY_BLOCK)
        return (
            len(head) >= 7
            and magic == MAGIC
            and head[4] >> 6 == 1
            and not head[4] & 2
            and head[5] >> 4 in BLOCK_SIZES
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        if blob.size > LARGEST:
            raise LimitError(f"lz4 of more than {LARGEST} bytes")
        frames, end = _frames(blob)
        readable = not any(fact.kind == "lz4.dictionary" for one in frames for fact in one.facts)
        if readable:
            yield Member("content", partial(_content, blob, frames, limits))
        usual: dict[str, Fact] = {}
        for frame in frames:
            for fact in frame.facts:
                first = usual.setdefault(fact.kind, fact)
                alike = first is not fact and first.value == fact.value
                derived = (fact.derived or alike) and readable
                yield one_of(len(frames), Fact(fact.kind, fact.value, fact.at, derived=derived))
        yield from trailing(blob, end, "lz4.trailing")


def _worst(size: int) -> int:
    """LZ4_compressBound: what so many bytes pack to at most."""
    return size + size // 255 + 16


def _frames(blob: Blob) -> tuple[list[Frame], int]:
    """All frames, and where the last one ends."""
    frames: list[Frame] = []
    at = 0
    while at + 4 <= blob.size:
        magic = int.from_bytes(blob.read(at, 4), "little")
        if magic == MAGIC:
            frames.append(_frame(blob, at))
        elif magic == LEGACY:
            frames.append(_legacy(blob, at))
        elif magic & SKIPPABLE_MASK == SKIPPABLE and frames:
            frames.append(_skippable(blob, at, magic))
        else:
            break
        at += frames[-1].size
        if len(frames) > MOST_BLOCKS:
            raise LimitError(f"more than {MOST_BLOCKS} frames", at)
    if not frames:
        raise FormatError("no frame", 0)
    return frames, at


def _skippable(blob: Blob, at: int, magic: int) -> Frame:
    size = int.from_bytes(blob.part(at + 4, 4).read(), "little")
    content = digest_of(blob.part(at + 8, size))
    facts = (
        Fact("lz4.skippable_magic", f"{magic:#x}", (at, 4)),
        Fact("lz4.skippable_size", size, (at + 4, 4)),
        Fact("lz4.skippable", content, (at + 8, size)),
    )
    return Frame(at, 8 + size, facts, (), False, 0)


def _frame(blob: Blob, at: int) -> Frame:
    """Descriptor, blocks with or without their checksums, end mark, checksum of the content."""
    flags, sizes = blob.part(at + 4, 2).read()
    if flags >> 6 != 1 or sizes >> 4 not in BLOCK_SIZES:
        raise FormatError("frame of another version", at + 4)
    said = ["linked blocks"] * (not flags & 32) + ["block checksums"] * bool(flags & 16)
    said += ["content size"] * bool(flags & 8) + ["content checksum"] * bool(flags & 4)
    said += [f"bits {flags & 3:#x}"] * bool(flags & 3)
    bits = f" (bits {sizes & 15:#x})" if sizes & 15 else ""
    facts = [
        Fact("lz4.magic", f"{MAGIC:#x}", (at, 4)),
        Fact("lz4.flags", ", ".join(said), (at + 4, 1)),
        Fact("lz4.largest_block", f"{BLOCK_SIZES.get(sizes >> 4)}{bits}", (at + 5, 1)),
    ]
    place = at + 6
    for flag, kind, size in ((8, "lz4.content_size", 8), (1, "lz4.dictionary", 4)):
        if flags & flag:
            value = int.from_bytes(blob.part(place, size).read(), "little")
            facts.append(Fact(kind, value, (place, size), derived=flag == 8))
            place += size
    check = blob.part(place, 1).read().hex()
    facts.append(Fact("lz4.header_checksum", check, (place, 1), derived=True))
    start = place = place + 1
    blocks = []
    checked = 4 if flags & 16 else 0
    while word := int.from_bytes(blob.part(place, 4).read(), "little"):
        blocks.append(Block(place + 4, word & ~STORED, word >= STORED))
        place += 4 + (word & ~STORED) + checked
        if len(blocks) > MOST_BLOCKS:
            raise LimitError(f"more than {MOST_BLOCKS} blocks", place)
    span = start, place + 4 - start
    facts.append(Fact("lz4.blocks", digest_of(blob.part(*span)), span, derived=True))
    facts.append(Fact("lz4.layout", _layout(blocks), derived=True))
    place += 4
    if flags & 4:
        digest = blob.part(place, 4).read().hex()
        facts.append(Fact("lz4.checksum", digest, (place, 4), derived=True))
        place += 4
    largest = BLOCK_SIZES[sizes >> 4]
    return Frame(at, place - at, tuple(facts), tuple(blocks), not flags & 32, largest)


def _legacy(blob: Blob, at: int) -> Frame:
    """Blocks of 8 MiB each up to the end, or to what is no size of a block."""
    blocks: list[Block] = []
    place = at + 4
    while place + 4 <= blob.size:
        size = int.from_bytes(blob.read(place, 4), "little")
        if not 0 < size <= _worst(LEGACY_BLOCK) or place + 4 + size > blob.size:
            break
        blocks.append(Block(place + 4, size, False))
        place += 4 + size
    span = at + 4, place - at - 4
    facts = (
        Fact("lz4.magic", f"{LEGACY:#x}", (at, 4)),
        Fact("lz4.blocks", digest_of(blob.part(*span)), span, derived=True),
        Fact("lz4.layout", _layout(blocks), derived=True),
    )
    return Frame(at, place - at, facts, tuple(blocks), False, LEGACY_BLOCK)


def _layout(blocks: list[Block]) -> str:
    stored = sum(block.stored for block in blocks)
    return f"{len(blocks)} blocks, {stored} of them stored"


def _content(blob: Blob, frames: list[Frame], limits: Limits) -> Iterator[bytes]:
    def chunks() -> Iterator[bytes]:
        for frame in frames:
            history = b""
            for block in frame.blocks:
                data = blob.part(block.at, block.size).read()
                if not block.stored:
                    data = unpack_block(data, frame.largest, history, block.at)
                if frame.linked:
                    history = (history + data)[-HISTORY:]
                yield data

    return bounded(chunks(), blob.size, limits)


def unpack_block(data: bytes, most: int, history: bytes = b"", at: int = 0) -> bytes:
    """One block unpacked to at most `most` bytes; its matches may reach into `history`.

    Raises `FormatError`, with `at` as the block's offset, where it is damaged.
    """
    out = bytearray(history)
    most += len(history)
    end, place = len(data), 0
    try:
        while True:
            token = data[place]
            place += 1
            size = token >> 4
            if size == 15:
                while (byte := data[place]) == 255:
                    size += 255
                    place += 1
                size += byte
                place += 1
            if place + size > end:
                raise FormatError("literals reach behind their block", at)
            out += data[place : place + size]
            place += size
            if place == end:
                break
            back = data[place] | data[place + 1] << 8
            place += 2
            size = (token & 15) + 4
            if size == 19:
                while (byte := data[place]) == 255:
                    size += 255
                    place += 1
                size += byte
                place += 1
            start = len(out) - back
            if not back or start < 0 or len(out) + size > most:
                raise FormatError("match outside the content", at)
            if back >= size:
                out += out[start : start + size]
            else:  # a pattern that repeats
                pattern = bytes(out[start:])
                out += (pattern * (size // back + 1))[:size]
    except IndexError:
        raise FormatError("block ends early", at) from None
    if len(out) > most:
        raise FormatError("block of more bytes than its frame allows", at)
    return bytes(out[len(history) :])
