"""Zstandard files: frames of blocks, and frames to be skipped.

Source: RFC 8878, 3.1.1 (frames, their header, blocks), 3.1.2 (skippable frames).
"""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.compression.stream import MEMORY, PACKED, UNPACKED, bounded, one_of, trailing
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span

MAGIC = 0xFD2FB528
SKIPPABLE, SKIPPABLE_MASK = 0x184D2A50, 0xFFFFFFF0
TYPES = ("raw", "rle", "compressed", "reserved")
MOST_BLOCKS = 1 << 20
"""Blocks of one file; each unpacks to 128 KiB at most."""


class Header(NamedTuple):
    """3.1.1.1: a frame header's fields; None or 0 where one is not there."""

    size: int
    descriptor: int
    window: int
    window_at: Span | None
    dictionary: int
    dictionary_at: Span
    content: int | None
    content_at: Span


class Frame(NamedTuple):
    """One frame: its header (None where it is to be skipped) and its blocks."""

    at: int
    size: int
    header: Header | None
    blocks: Span
    number: int
    layout: str


class Zstd:
    """Frame headers, the content of all frames as one, blocks, checksums, skippable frames."""

    name = "zstd"

    def recognises(self, head: bytes) -> bool:
        """A frame's magic number, be it behind frames to be skipped (which LZ4 has too)."""
        at = 0
        while at + 8 <= len(head):
            magic = int.from_bytes(head[at : at + 4], "little")
            if magic & SKIPPABLE_MASK != SKIPPABLE:
                return magic == MAGIC and not head[at + 4] & 8
            at += 8 + int.from_bytes(head[at + 4 : at + 8], "little")
        return False

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        frames, end = _frames(blob)
        real = [frame for frame in frames if frame.header]
        readable = not any(frame.header and frame.header.dictionary for frame in real)
        if readable:
            spans = tuple((frame.at, frame.size) for frame in real)
            yield Member("content", partial(_content, blob, spans, limits))
        usual: dict[str, Fact] = {}
        skipped = 0
        for frame in frames:
            if frame.header is None:
                skipped += 1
                yield from _skippable(blob, frame, skipped)
                continue
            for fact in _facts(blob, frame, frame.header):
                # pzstd writes as many frames, all alike, as the content needs
                first = usual.setdefault(fact.kind, fact)
                alike = first is not fact and first.value == fact.value
                derived = (fact.derived or alike) and readable
                yield one_of(len(real), Fact(fact.kind, fact.value, fact.at, derived=derived))
        yield from trailing(blob, end, "zstd.trailing")


def _frames(blob: Blob) -> tuple[list[Frame], int]:
    """All frames, and where the last one ends."""
    frames: list[Frame] = []
    at = blocks = 0
    with blob.open() as file:
        while at + 8 <= blob.size:
            file.seek(at)
            head = file.read(18)
            magic = int.from_bytes(head[:4], "little")
            if magic & SKIPPABLE_MASK == SKIPPABLE:
                size = 8 + int.from_bytes(head[4:8], "little")
                blob.part(at, size)
                frames.append(Frame(at, size, None, (at + 8, size - 8), 0, ""))
                at += size
                continue
            if magic != MAGIC:
                break
            header = _header(head, at)
            place, last, count = at + header.size, False, 0
            layout = hashlib.sha256()
            while not last:
                file.seek(place)
                raw = file.read(3)
                if len(raw) < 3:
                    raise FormatError("frame ends early", place)
                value = int.from_bytes(raw, "little")
                last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
                layout.update(raw)
                count += 1
                place += 3 + (1 if TYPES[kind] == "rle" else size)
                if count + blocks > MOST_BLOCKS:
                    raise LimitError(f"more than {MOST_BLOCKS} blocks", place)
            blocks += count
            body = at + header.size, place - at - header.size
            place += 4 * (header.descriptor >> 2 & 1)
            blob.part(at, place - at)
            frames.append(Frame(at, place - at, header, body, count, layout.hexdigest()))
            at = place
    if not any(frame.header for frame in frames):
        raise FormatError("no frame", 0)
    return frames, at


def _header(head: bytes, at: int) -> Header:
    """3.1.1.1: descriptor, then window, dictionary and content size as it announces them."""
    descriptor = head[4]
    single = descriptor >> 5 & 1
    place, window, window_at = 5, 0, None
    if not single:
        base = 1 << 10 + (head[place] >> 3)
        window, window_at = base + base // 8 * (head[place] & 7), (at + place, 1)
        place += 1
    sizes = (0, 1, 2, 4)[descriptor & 3], (single, 2, 4, 8)[descriptor >> 6]
    if len(head) < place + sum(sizes):
        raise FormatError("frame header ends early", at)
    dictionary = int.from_bytes(head[place : place + sizes[0]], "little")
    dictionary_at = at + place, sizes[0]
    place += sizes[0]
    content = None
    if sizes[1]:
        content = int.from_bytes(head[place : place + sizes[1]], "little")
        content += 256 if sizes[1] == 2 else 0
    content_at = at + place, sizes[1]
    place += sizes[1]
    return Header(
        place, descriptor, window, window_at, dictionary, dictionary_at, content, content_at
    )


def _facts(blob: Blob, frame: Frame, header: Header) -> Iterator[Fact]:
    yield Fact("zstd.magic", f"{MAGIC:#x}", (frame.at, 4))
    said = [
        f"{header.content_at[1]} bytes of content size",
        f"{header.dictionary_at[1]} bytes of dictionary id",
    ]
    said += ["single segment"] * (header.descriptor >> 5 & 1)
    said += ["checksum"] * (header.descriptor >> 2 & 1)
    said += [f"bits {header.descriptor & 0x18:#x}"] * bool(header.descriptor & 0x18)
    yield Fact("zstd.descriptor", ", ".join(said), (frame.at + 4, 1))
    if header.window_at:
        yield Fact("zstd.window", header.window, header.window_at)
    if header.dictionary_at[1]:
        yield Fact("zstd.dictionary", header.dictionary, header.dictionary_at)
    if header.content is not None:
        yield Fact("zstd.content_size", header.content, header.content_at, derived=True)
    layout = f"{frame.number} of types and sizes sha256:{frame.layout}"
    yield Fact("zstd.layout", layout, derived=True)
    yield Fact("zstd.blocks", digest_of(blob.part(*frame.blocks)), frame.blocks, derived=True)
    end = sum(frame.blocks)
    if end < frame.at + frame.size:
        yield Fact("zstd.checksum", blob.read(end, 4).hex(), (end, 4), derived=True)


def _skippable(blob: Blob, frame: Frame, number: int) -> Iterator[Fact | Member]:
    name = f"skippable frame {number}"
    magic, size = (int.from_bytes(blob.read(frame.at + i, 4), "little") for i in (0, 4))
    yield Fact("zstd.skippable_magic", f"{magic:#x}", (frame.at, 4), name)
    yield Fact("zstd.skippable_size", size, (frame.at + 4, 4), name, derived=True)
    if size:
        yield Member(name, blob.part(*frame.blocks), frame.blocks, "zstd.skippable")


def _content(blob: Blob, frames: tuple[Span, ...], limits: Limits) -> Iterator[bytes]:
    return bounded(_unpacked(blob, frames), blob.size, limits)


def _unpacked(blob: Blob, frames: tuple[Span, ...]) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - start-up time

    for at, size in frames:
        unpacker = zstandard.ZstdDecompressor(max_window_size=MEMORY)
        try:
            with (
                blob.part(at, size).open() as file,
                unpacker.stream_reader(file, read_size=PACKED) as reader,
            ):
                while chunk := reader.read(UNPACKED):
                    yield chunk
        except (zstandard.ZstdError, MemoryError) as error:
            if "memory" in str(error):
                raise LimitError(f"window of more than {MEMORY} bytes", at) from error
            raise FormatError(f"damaged frame: {error}", at) from error
