"""CramFS: a packed file system that is read only, in the byte order of the machine that made it.

Source: Linux, fs/cramfs/README and include/uapi/linux/cramfs_fs.h (cramfs_super, cramfs_inode,
block pointers).
"""

import stat
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from sxdiff.formats.digest import crc32_of
from sxdiff.formats.filesystems.packed import of_zlib
from sxdiff.formats.filesystems.tree import (
    Cursor,
    Metadata,
    Paths,
    covered,
    filled,
    mode,
    packed,
    volume,
    zeros,
)
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Member,
)

MAGIC = 0x28CD3D45
SIGNATURE = b"Compressed ROMFS"
STARTS = (0, 512)
"""A boot sector may lie before the superblock."""
BLOCK = 4096
INODE = 12
Order: TypeAlias = Literal["little", "big"]
ORDERS: tuple[Order, Order] = ("little", "big")


FIELDS = (
    Field("magic", "I", hexadecimal),
    Field("size", "I", derived=True),
    Field("flags", "I", hexadecimal),
    Field("future", "I"),
    Field("signature", "16s"),
    Field("crc", "I", hexadecimal, derived=True),
    Field("edition", "I"),
    Field("blocks", "I", derived=True),
    Field("files", "I", derived=True),
    Field("name", "16s", filled),
)
SUPERBLOCKS = {
    "little": Record("cramfs.superblock", "<", FIELDS),
    "big": Record("cramfs.superblock", ">", FIELDS),
}
SUPERBLOCK = 64
POINTERS_EXTENDED = 0x800
STORED, DIRECT = 1 << 31, 1 << 30
LARGEST_DIRECTORY = 1 << 24


class Inode(NamedTuple):
    """One inode: what it says, and where its names or blocks lie."""

    mode: int
    size: int
    place: int
    name_size: int
    told: Metadata


class Cramfs:
    """Superblock; inode and content of each file by its path; packed blocks."""

    name = "cramfs"

    def recognises(self, head: bytes) -> bool:
        """Magic and signature, in either byte order."""
        return _found(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("cramfs", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """Superblock, then the tree in the order of its directories."""
    found = _found(blob.read(0, STARTS[-1] + SUPERBLOCK))
    if found is None:
        raise FormatError("no superblock", 0)
    start, order = found
    for fact in SUPERBLOCKS[order].facts(blob, start):
        wrong = fact.kind == "cramfs.superblock.crc" and not _is_sound(blob, start, order)
        yield replace(fact, derived=False) if wrong else fact
    yield from _Image(blob, limits, start, order).tree()


def _is_sound(blob: Blob, start: int, order: Order) -> bool:
    """Whether the CRC is that of the image with zeros in its place."""
    head = blob.part(start, SUPERBLOCK).read()
    size = int.from_bytes(head[4:8], order)
    crc = zlib.crc32(head[:32] + bytes(4) + head[36:])
    rest = [length - SUPERBLOCK for length in (size, size - start) if length > SUPERBLOCK]
    known = [
        crc32_of(blob.part(start + SUPERBLOCK, length), crc)
        for length in rest
        if start + SUPERBLOCK + length <= blob.size
    ]
    return int.from_bytes(head[32:36], order) in known


def _found(head: bytes) -> tuple[int, Order] | None:
    """Where the superblock lies and its byte order."""
    for start in STARTS:
        if head[start + 16 : start + 32] == SIGNATURE:
            for order in ORDERS:
                if int.from_bytes(head[start : start + 4], order) == MAGIC:
                    return start, order
    return None


class _Image:
    """One file system."""

    def __init__(self, blob: Blob, limits: Limits, start: int, order: Order) -> None:
        self.blob = blob
        self.order: Order = order
        self.root = start + SUPERBLOCK
        self._extended = self._number(start + 8) & POINTERS_EXTENDED
        self._left = limits.hole_bytes + blob.size * limits.expansion

    def _number(self, at: int) -> int:
        return int.from_bytes(self.blob.part(at, 4).read(), self.order)

    def inode(self, at: int) -> Inode:
        """The inode at an offset: six bit fields in twelve bytes."""
        raw = self.blob.part(at, INODE).read()
        cursor = Cursor("cramfs.inode", raw)

        def number(size: int) -> int:
            return int.from_bytes(cursor.take(size), self.order)

        permissions = number(2)
        cursor.tell("mode", mode(permissions), 2)
        cursor.tell("uid", number(2), 2)
        kind = stat.S_IFMT(permissions)
        device = kind in (stat.S_IFCHR, stat.S_IFBLK)
        size = number(3)
        if device:
            cursor.tell("device", f"{size >> 8}:{size & 0xFF}", 3)
        else:
            cursor.tell("size", size, 3, derived=True)
        cursor.tell("gid", number(1), 1)
        word = number(4)
        cursor.tell("place", word, 4, derived=True)
        if self.order == "little":
            name_size, place = word & 63, word >> 6
        else:
            name_size, place = word >> 26, word & (1 << 26) - 1
        told = Metadata.of(cursor.facts)
        return Inode(permissions, size, place * 4, name_size * 4, told)

    def tree(self) -> Iterator[Fact | Member]:
        """Every file below the root: its inode, and its content where it has one."""
        paths = Paths()
        root = self.inode(self.root)
        yield from self._told("/", root, self.root, 0)
        open_ones = [("", self._entries(root), {root.place})]
        while open_ones:
            folder, entries, above = open_ones[-1]
            entry = next(entries, None)
            if entry is None:
                open_ones.pop()
                continue
            at, inode = entry
            name = self.blob.part(at + INODE, inode.name_size).read().rstrip(b"\0")
            if not name:
                raise FormatError("file without a name", at)
            path = paths.below(folder, name.replace(b"/", b"_"), len(open_ones))
            yield from self._told(path, inode, at, inode.name_size)
            kind = stat.S_IFMT(inode.mode)
            if kind == stat.S_IFDIR:
                if inode.place in above and inode.size:
                    raise FormatError("directory inside itself", at)
                open_ones.append((path, self._entries(inode), above | {inode.place}))
            elif kind in (stat.S_IFREG, stat.S_IFLNK) and inode.size:
                yield from self._content(path, inode, kind == stat.S_IFLNK)

    def _told(self, path: str, inode: Inode, at: int, name: int) -> Iterator[Fact | Member]:
        yield from inode.told.parts(path, "cramfs")
        span = at, INODE + name
        yield covered("cramfs.inode", self.blob, span, path)

    def _entries(self, inode: Inode) -> Iterator[tuple[int, Inode]]:
        at, end = inode.place, inode.place + inode.size
        while at < end:
            entry = self.inode(at)
            yield at, entry
            at += INODE + entry.name_size

    def _content(self, path: str, inode: Inode, link: bool) -> Iterator[Fact | Member]:
        """Pointers to the end of each block, then the blocks."""
        number = -(-inode.size // BLOCK)
        raw = self.blob.part(inode.place, 4 * number).read()
        start = inode.place + 4 * number
        blocks = []
        for index in range(number):
            pointer = int.from_bytes(raw[4 * index : 4 * index + 4], self.order)
            stored = bool(self._extended and pointer & STORED)
            if self._extended and pointer & DIRECT:
                raise LimitError("blocks with direct pointers", inode.place)
            end = pointer & ~(STORED if stored else 0)
            if not start <= end <= self.blob.size:
                raise FormatError("block pointer out of order", inode.place + 4 * index)
            blocks.append((start, end - start, stored))
            start = end
        self._left -= inode.size + start - inode.place
        if self._left < 0:
            raise LimitError("files of more bytes than the image can hold")
        pointers = inode.place, 4 * number
        yield covered("cramfs.pointers", self.blob, pointers, path)
        data = sum(pointers), start - sum(pointers)
        sizes = [(size, stored) for _, size, stored in blocks]
        yield packed("cramfs.data", self.blob, data, path, sizes, inode.size)
        kind = "cramfs.target" if link else "bytes"
        unpacked = partial(self._unpacked, inode.size, blocks)
        yield Member(path, unpacked, kind=kind, opaque=link)

    def _unpacked(self, size: int, blocks: list[tuple[int, int, bool]]) -> Iterator[bytes]:
        for at, taken, stored in blocks:
            want = min(BLOCK, size)
            size -= want
            if not taken:
                yield from zeros(want)
                continue
            if taken > 2 * BLOCK:
                raise FormatError("packed block larger than a block", at)
            data = self.blob.part(at, taken).read()
            data = data if stored else of_zlib(data, BLOCK + 1)
            if len(data) != want:
                raise FormatError("block of another size than its file says", at)
            yield data
