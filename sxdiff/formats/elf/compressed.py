"""Compressed sections: SHF_COMPRESSED with zlib or Zstandard, and GNU's older .zdebug_*.

Source: gABI draft of 2023, "Section Compression" (ELFCOMPRESS_ZLIB 1, ELFCOMPRESS_ZSTD 2);
binutils' `bfd/compress.c` for .zdebug_* ("ZLIB" and the size in eight bytes, big-endian).
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import Layout, Section
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Span

ZLIB, ZSTD = 1, 2
OLD_MAGIC = b"ZLIB"
CHUNK = 1 << 20
STEP = 64 << 10


@dataclass(frozen=True, slots=True)
class Compressed:
    """A section's header, told, and its stream. Spans count from the section's start."""

    facts: tuple[tuple[Fact, Span], ...]
    size: int
    kind: int
    packed: Blob

    def unpacked(self, limits: Limits) -> Iterator[bytes]:
        """The content, in chunks. Raises `FormatError` where the stream is not exactly it."""
        most = min(limits.member_bytes, self.packed.size * limits.expansion)
        total = 0
        for chunk in _inflated(self.packed) if self.kind == ZLIB else _decoded(self.packed):
            total += len(chunk)
            if total > most:
                raise LimitError(f"compressed section of more than {most} bytes")
            yield chunk


def read_header(layout: Layout, section: Section, content: Blob) -> Compressed:
    """The header of a compressed section. Raises `FormatError` where it is none that we know."""
    if not section.flags & schema.SHF_COMPRESSED:
        return _read_old(content)
    wide = layout.width == 64
    table = layout.table(schema.COMPRESSION_HEADER_64 if wide else schema.COMPRESSION_HEADER_32)
    row = table.row.unpack(content.part(0, table.size).read())
    if row[0] not in (ZLIB, ZSTD):
        raise FormatError(f"section compressed by method {row[0]}")
    facts = tuple(
        (
            Fact(
                f"elf.compression.{field.name}",
                schema.shown(field, value, layout.machine),
                derived=field.derived,
            ),
            at,
        )
        for field, value, at in table.placed(row, 0)
    )
    packed = content.part(table.size, content.size - table.size)
    return Compressed(facts, table.size, row[0], packed)


def _read_old(content: Blob) -> Compressed:
    head = content.part(0, 12).read()
    if not head.startswith(OLD_MAGIC):
        raise FormatError("no compressed section", 0)
    size = int.from_bytes(head[4:], "big")
    facts = (
        (Fact("elf.compression.magic", "ZLIB"), (0, 4)),
        (Fact("elf.compression.ch_size", size, derived=True), (4, 8)),
    )
    return Compressed(facts, 12, ZLIB, content.part(12, content.size - 12))


def _inflated(packed: Blob) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    try:
        for at in range(0, packed.size, STEP):
            data = packed.read(at, STEP)
            while data:
                yield inflater.decompress(data, CHUNK)
                data = inflater.unconsumed_tail
                if inflater.unused_data:
                    raise FormatError("bytes behind a compressed section's stream", at)
    except zlib.error as error:
        raise FormatError(f"compressed section: {error}") from error
    if not inflater.eof:
        raise FormatError("compressed section ends early", packed.size)


def _decoded(packed: Blob) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415 - start-up time: only such sections need it

    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    try:
        for at in range(0, packed.size, STEP):
            if decoder.eof:
                raise FormatError("bytes behind a compressed section's stream", at)
            # zstandard gives all that a step unpacks to, so small steps bound the memory
            for start in range(0, STEP, 1 << 10):
                data = packed.read(at + start, 1 << 10)
                if data and not decoder.eof:
                    yield decoder.decompress(data)
    except zstandard.ZstdError as error:
        raise FormatError(f"compressed section: {error}") from error
    if decoder.unused_data or not decoder.eof:
        raise FormatError("compressed section ends early or late", packed.size)
