"""Tables that only serve to find things: .gnu.hash and .eh_frame_hdr. What they hold follows from
the symbols and from the frames, which is computed anew: a table that says anything else follows
from nothing.

Source: "ELF: better symbol lookup via DT_GNU_HASH" (the loader's `_dl_lookup_symbol_x`, the
layout in binutils' `bfd/elflink.c`); LSB Core 5.0, 10.6.2 "The .eh_frame_hdr section".
"""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf import schema
from sxdiff.formats.elf.frames import function_records
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.symbols import named_symbols
from sxdiff.model import Blob, Fact, FormatError, Inside

MOST_BYTES = 16 << 20
Check: TypeAlias = Callable[[ElfFile, int, bytes], bool]
RELATIVE_TO_TABLE, RELATIVE, FOUR_BYTES, FOUR_SIGNED_BYTES = 0x30, 0x10, 0x03, 0x0B


def lookup_table(elf: ElfFile, index: int) -> Inside | None:
    """The table as one fact: a consequence, if it is as it must be."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or elf.layout.type == schema.ET_REL:
        return None
    if section.type == schema.SHT_GNU_HASH:
        return Inside("elf.hash", partial(_facts, elf, index, "elf.hash.table", _is_hash))
    if section.name == ".eh_frame_hdr" and section.type != schema.SHT_NOBITS:
        return Inside("elf.frames", partial(_facts, elf, index, "elf.frames.table", _is_index))
    return None


def _facts(elf: ElfFile, index: int, kind: str, sound: Check, blob: Blob) -> Iterator[Fact]:
    try:
        derived = sound(elf, index, blob.read())
    except (FormatError, struct.error, IndexError):
        derived = False
    yield Fact(kind, digest_of(blob), (0, blob.size), derived=derived)


def gnu_hash(name: bytes) -> int:
    """The hash of a symbol's name."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def _is_hash(elf: ElfFile, index: int, data: bytes) -> bool:
    """Whether filter, buckets and chains are those of the symbols."""
    layout = elf.layout
    symbols, width = layout.sections[index].link, layout.width
    buckets, first, size, shift = struct.unpack_from(f"{layout.order}4I", data)
    if not buckets or not size or 16 + size * width // 8 + 4 * buckets > len(data):
        return False
    words = struct.unpack_from(f"{layout.order}{size}{'Q' if width == 64 else 'I'}", data, 16)
    rest = data[16 + size * width // 8 :]
    numbers = struct.unpack(f"{layout.order}{len(rest) // 4}I", rest)
    starts, chain = numbers[:buckets], numbers[buckets:]
    names = [name for name, _ in named_symbols(elf.blob, layout, symbols)][first:]
    hashes = [gnu_hash(name.encode("utf-8", "surrogateescape")) for name in names]
    if len(hashes) != len(chain):
        return False
    wanted, filled = [0] * buckets, [0] * size
    for number, value in enumerate(hashes):
        bucket = value % buckets
        last = number + 1 == len(hashes) or hashes[number + 1] % buckets != bucket
        if chain[number] != value & ~1 | last:
            return False
        wanted[bucket] = wanted[bucket] or first + number
        filled[value // width % size] |= 1 << value % width | 1 << (value >> shift) % width
    return not hashes or (tuple(wanted) == starts and tuple(filled) == words)


def _is_index(elf: ElfFile, index: int, data: bytes) -> bool:
    """Whether the sorted pairs of functions and their records are those of .eh_frame."""
    frames = elf.named(".eh_frame")
    here = elf.layout.sections[index].address
    known = (1, RELATIVE | FOUR_SIGNED_BYTES, FOUR_BYTES, RELATIVE_TO_TABLE | FOUR_SIGNED_BYTES)
    if frames is None or tuple(data[:4]) != known:
        return False
    to_frames, count = struct.unpack_from(f"{elf.layout.order}iI", data, 4)
    found = [
        (function - here, frames.address + at - here)
        for function, at in function_records(elf, frames.address, elf.content(frames))
    ]
    table = struct.unpack_from(f"{elf.layout.order}{2 * count}i", data, 12)
    pairs = list(zip(table[::2], table[1::2], strict=True))
    return (
        here + 4 + to_frames == frames.address
        and not data[12 + 8 * count :].strip(b"\0")
        and pairs == sorted(pairs, key=lambda pair: pair[0])
        and sorted(pairs) == sorted(found)
    )
