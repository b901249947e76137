"""The cache of the dynamic linker, /etc/ld.so.cache, in both of its formats: sonames and paths.

Source: glibc's sysdeps/generic/dl-cache.h: struct cache_file (old), struct cache_file_new, and its
extensions (generator, glibc-hwcaps). A file may hold the old format with the new one behind it.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

OLD, NEW = b"ld.so-1.7.0", b"glibc-ld.so.cache1.1"
EXTENSION = 0xEAA42174
MOST = 64 << 20
GENERATOR, HWCAPS = 0, 1
"""Tags of extensions."""


def _header(order: str) -> Record:
    return Record(
        "ld_so_cache",
        order,
        (
            Field("magic", "20s"),
            Field("libraries", "I", derived=True),
            Field("strings_size", "I", derived=True),
            Field("flags", "B", hexadecimal),
            Field("padding", "3s", hexadecimal),
            Field("extension_offset", "I", derived=True),
            Field("unused", "12s", hexadecimal),
        ),
    )


def _old_header(order: str) -> Record:
    return Record(
        "ld_so_cache.old",
        order,
        (
            Field("magic", "11s"),
            Field("padding", "1s", hexadecimal),
            Field("libraries", "I", derived=True),
        ),
    )


class LdSoCache:
    """Headers, a listing of the libraries of each format, generator; tables derived."""

    name = "ld_so_cache"

    def recognises(self, head: bytes) -> bool:
        """Either magic."""
        return head.startswith((OLD, NEW)) and len(head) >= 16

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """The old format, if it is there, then the new one."""
        data = whole(blob, MOST)
        start = 0
        if data.startswith(OLD):
            order = _order(data, 12, 12, 16)
            reader = Reader(data, order)
            yield record_part("ld_so_cache", "old header", blob, 0, _old_header(order))
            size = reader.number(12) * 12
            yield lines_part("ld_so_cache.library", "old libraries", partial(_old, reader))
            start = (16 + size + 7) & ~7
            new = data.startswith(NEW, start)
            end = start if new else len(data)
            yield packed("ld_so_cache.table", blob, (16, end - 16), "old table")
            if not new:
                return
        order = _order(data[start:], 20, 24, 48)
        reader = Reader(data, order)
        yield record_part("ld_so_cache", "header", blob, start, _header(order))
        yield lines_part("ld_so_cache.library", "libraries", partial(_new, reader, start))
        at = start + 48
        end = at + reader.number(start + 20) * 24 + reader.number(start + 24)
        yield packed("ld_so_cache.table", blob, (at, end - at), "libraries")
        # where extensions lie, and names of hwcaps, which are told with the libraries
        for tag, place, size in _extensions(reader, start):
            if tag == GENERATOR and place >= end:
                if place > end:
                    yield packed("ld_so_cache.extensions", blob, (end, place - end), "extensions")
                told = text_of(blob.part(place, size).read())
                yield Fact("ld_so_cache.generator", told, (place, size), "generator")
                end = place + size
        if end < blob.size:
            yield packed("ld_so_cache.extensions", blob, (end, blob.size - end), "extensions #2")


def _order(data: bytes, count: int, entry: int, header: int) -> str:
    """The byte order in which the number of entries fits into the file."""
    for order in "<>":
        reader = Reader(data, order)
        if reader.number(count if header == 48 else 12) * entry + header <= len(data):
            return order
    raise FormatError("more libraries than the file holds", count)


def _old(reader: Reader) -> Iterator[str]:
    count = reader.number(12)
    strings = 16 + 12 * count
    for at in range(16, strings, 12):
        flags, key, value = (reader.number(at + place) for place in (0, 4, 8))
        name, path = (line_text(reader.string(strings + place)) for place in (key, value))
        yield f"{name} (flags {flags:#x}) => {path}"


def _new(reader: Reader, start: int) -> Iterator[str]:
    """Each library with what it needs; a hwcap with its highest bits set names a subdirectory
    of glibc-hwcaps by its index. Places of strings count from the header at `start`."""
    hwcaps = [
        line_text(reader.string(reader.number(place)))
        for tag, at, size in _extensions(reader, start)
        if tag == HWCAPS
        for place in range(at, at + size - 3, 4)
    ]
    for at in range(start + 48, start + 48 + 24 * reader.number(start + 20), 24):
        flags, key, value, system = (reader.number(at + place) for place in (0, 4, 8, 12))
        hwcap = reader.number(at + 16, 8)
        name, path = (line_text(reader.string(start + place)) for place in (key, value))
        told = f"flags {flags:#x}"
        if system:
            told += f", OS {system:#x}"
        index = hwcap & 0xFFFFFFFF
        if hwcap >> 32 & 0x40000000 and index < len(hwcaps):
            told += f", hwcap {hwcaps[index]} {hwcap >> 32:#x}"
        elif hwcap:
            told += f", hwcap {hwcap:#x}"
        yield f"{name} ({told}) => {path}"


def _extensions(reader: Reader, start: int) -> Iterator[tuple[int, int, int]]:
    """(tag, offset, size) of each extension; offsets count from the start of the file."""
    at = reader.number(start + 32)
    if not at or reader.number(at) != EXTENSION:
        return
    for place in range(at + 8, at + 8 + 16 * min(reader.number(at + 4), 64), 16):
        yield reader.number(place), reader.number(place + 8), reader.number(place + 12)
