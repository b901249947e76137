"""EROFS: a file system that is read only. Files that are packed are told by their bytes.

Source: Linux, Documentation/filesystems/erofs.rst, "On-disk details"; fs/erofs/erofs_fs.h (super
block, inodes, extended attributes, chunks, directory entries).
"""

import stat
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sxdiff.formats.digest import crc32c
from sxdiff.formats.filesystems.tree import (
    Cursor,
    Metadata,
    Named,
    Paths,
    covered,
    filled,
    mode,
    uuid,
    volume,
    zeros,
)
from sxdiff.formats.record import Field, Record, hexadecimal, utc
from sxdiff.formats.xattr import xattr_value
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Member,
    Span,
    text_of,
)

START = 1024
MAGIC = b"\xe2\xe1\xf5\xe0"


SUPERBLOCK = Record(
    "erofs.superblock",
    "<",
    (
        Field("magic", "4s", hexadecimal),
        Field("checksum", "I", hexadecimal, derived=True),
        Field("compatible_features", "I", hexadecimal),
        Field("log_block_size", "B"),
        Field("extension_slots", "B"),
        Field("root_inode", "H", derived=True),
        Field("inodes", "Q", derived=True),
        Field("build_time", "Q", utc),
        Field("build_time_nanoseconds", "I"),
        Field("blocks", "I", derived=True),
        Field("metadata_block", "I", derived=True),
        Field("attributes_block", "I", derived=True),
        Field("uuid", "16s", uuid),
        Field("volume", "16s", filled),
        Field("incompatible_features", "I", hexadecimal),
        Field("compression", "H", hexadecimal),
        Field("devices", "H"),
        Field("device_table", "H", derived=True),
        Field("rest", "38s", hexadecimal),
    ),
)
CHECKSUM = "erofs.superblock.checksum"
PLAIN, PACKED_FULL, INLINE, PACKED_COMPACT, CHUNKS = range(5)
LAYOUTS = ("plain", "packed", "inline", "packed, compact", "chunks")
CHUNK_INDEXES = 0x20
HOLE = 0xFFFFFFFF
XATTR_PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    5: "lustre.",
    6: "security.",
}
LARGEST_DIRECTORY = 256 << 20
MOST_CHUNKS = 1 << 20


class Inode(NamedTuple):
    """One inode with its attributes: where it lies, what it says, where its content is."""

    at: int
    end: int
    mode: int
    layout: int
    size: int
    place: int
    told: Metadata


class Erofs:
    """Superblock; inode and content of each file by its path."""

    name = "erofs"

    def recognises(self, head: bytes) -> bool:
        """The magic number at 1024, and a block size of 512 bytes to 64 KiB."""
        return (
            len(head) >= START + SUPERBLOCK.size
            and head[START : START + 4] == MAGIC
            and 9 <= head[START + 12] <= 16
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("erofs", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """Superblock, then the tree in the order of its directories."""
    image = _Image(blob, limits)
    sound = _is_sound(blob, image.block)
    for fact in SUPERBLOCK.facts(blob, START):
        yield fact if sound or fact.kind != CHECKSUM else replace(fact, derived=False)
    yield from image.tree()


def _is_sound(blob: Blob, block: int) -> bool:
    """Whether the checksum is that of the superblock and what follows it up to the block's end."""
    size = block - START if block > START else block
    raw = blob.read(START, size)
    found = int.from_bytes(raw[4:8], "little")
    if not raw[8] & 1:
        return found == 0
    return crc32c(raw[:4] + bytes(4) + raw[8:]) == found


class _Image:
    """One file system's geometry."""

    def __init__(self, blob: Blob, limits: Limits) -> None:
        self.blob = blob
        self.limits = limits
        values = SUPERBLOCK.read(blob, START)

        def value(name: str) -> int:
            found = values[name]
            assert isinstance(found, int)  # noqa: S101 - asked for numbers only
            return found

        if not 9 <= value("log_block_size") <= 16:
            raise FormatError("blocks of a size that cannot be", START + 12)
        self.block = 1 << value("log_block_size")
        self._start = value("metadata_block") * self.block
        self._attributes = value("attributes_block") * self.block
        self.root = value("root_inode")
        self._left = 4 * blob.size + limits.hole_bytes

    def _count(self, size: int) -> None:
        """What is read of all files together has an end."""
        self._left -= size
        if self._left < 0:
            raise LimitError("blocks in many files")

    def inode(self, number: int) -> Inode:
        """The inode of a number: its place in units of 32 bytes."""
        at = self._start + number * 32
        form = int.from_bytes(self.blob.part(at, 2).read(), "little")
        long, layout = form & 1, form >> 1 & 7
        size = 64 if long else 32
        raw = self.blob.part(at, size).read()
        units = int.from_bytes(raw[2:4], "little")
        attributes = 12 + 4 * (units - 1) if units else 0
        stored = self.blob.part(at + size, attributes).read()
        cursor = Cursor("erofs.inode", raw + stored)

        def field(name: str, size: int, derived: bool = False) -> int:
            value = cursor.number(size)
            cursor.tell(name, value, size, derived)
            return value

        cursor.take(2)
        named = LAYOUTS[layout] if layout < len(LAYOUTS) else str(layout)
        extended = ", extended" * long
        cursor.tell("format", f"{named}{extended} ({form:#x})", 2)
        field("attribute_units", 2, True)
        permissions = cursor.number(2)
        cursor.tell("mode", mode(permissions), 2)
        links = 2 if not long else 0
        if links:
            field("links", 2, True)
        else:
            field("reserved", 2)
        length = field("size", 8 if long else 4, True)
        if not long:
            field("reserved", 4)
        place = cursor.number(4)
        if stat.S_IFMT(permissions) in (stat.S_IFCHR, stat.S_IFBLK):
            minor = place & 0xFF | place >> 12 & 0xFFF00
            cursor.tell("device", f"{place >> 8 & 0xFFF}:{minor}", 4)
        else:
            cursor.tell("place", place, 4, True)
        field("number", 4, True)
        width = 4 if long else 2
        field("uid", width)
        field("gid", width)
        if long:
            cursor.tell("mtime", utc(cursor.number(8)), 8)
            field("mtime_nanoseconds", 4)
            field("links", 4, True)
        rest = cursor.take(size - cursor.at)
        cursor.tell("reserved_end", rest.hex(), len(rest))
        if stored:
            cursor.take(len(stored))
            cursor.tell("attributes", stored.hex(), len(stored), True)
        more: list[Named] = [
            ("erofs.inode.xattr", f"{name}={xattr_value(name, value)}")
            for name, value in self._xattrs(stored)
        ]
        told = Metadata.of(cursor.facts, more)
        return Inode(at, at + size + attributes, permissions, layout, length, place, told)

    def _xattrs(self, stored: bytes) -> Iterator[tuple[str, bytes]]:
        """The attributes that many inodes share, then the inode's own."""
        if not stored:
            return
        shared = stored[4]
        at = 12 + 4 * shared
        for place in struct.unpack(f"<{shared}I", stored[12:at].ljust(4 * shared, b"\0")):
            start = self._attributes + 4 * place
            length, _, size = struct.unpack("<BBH", self.blob.part(start, 4).read())
            yield from _attribute(self.blob.part(start, 4 + length + size).read())
        while at + 4 <= len(stored):
            length, _, size = struct.unpack_from("<BBH", stored, at)
            if not stored[at : at + 4].strip(b"\0"):
                break
            if at + 4 + length + size > len(stored):
                raise FormatError("attribute outside its inode")
            yield from _attribute(stored[at : at + 4 + length + size])
            at += 4 + length + size
            at += -at % 4

    def spans(self, inode: Inode) -> list[Span | int] | None:
        """Where a content lies: spans, and sizes of holes; None where it is packed."""
        size, start = inode.size, inode.place * self.block
        if inode.layout == PLAIN:
            return [(start, size)]
        if inode.layout == INLINE:
            whole = max(0, -(-size // self.block) - 1) * self.block
            tail = inode.end, size - whole
            return [(start, whole), tail] if whole else [tail]
        if inode.layout != CHUNKS:
            return None
        step = self.block << (inode.place & 31)
        number = -(-size // step)
        if number > MOST_CHUNKS:
            raise LimitError(f"{number} chunks", inode.at)
        width = 8 if inode.place & CHUNK_INDEXES else 4
        raw = self.blob.part(inode.end + -inode.end % width, number * width).read()
        found: list[Span | int] = []
        for index in range(number):
            entry = raw[index * width : (index + 1) * width]
            block = int.from_bytes(entry[-4:], "little")
            if width == 8 and int.from_bytes(entry[2:4], "little"):
                return None  # on another device
            want = min(step, size - index * step)
            found.append(want if block == HOLE else (block * self.block, want))
        return _merged(found)

    def tree(self) -> Iterator[Fact | Member]:
        """Every file below the root: its inode, and its content where that is not packed."""
        paths = Paths()
        met: dict[int, str] = {}
        root = self.inode(self.root)
        yield from self._file("/", root)
        open_ones = [("", self._entries(root), {self.root})]
        while open_ones:
            folder, entries, above = open_ones[-1]
            entry = next(entries, None)
            if entry is None:
                open_ones.pop()
                continue
            name, number = entry
            path = paths.below(folder, name, len(open_ones))
            first = met.setdefault(number, path)
            if first != path:
                yield Fact("erofs.hard_link", first, name=path)
                continue
            inode = self.inode(number)
            yield from self._file(path, inode)
            if stat.S_ISDIR(inode.mode):
                if number in above:
                    raise FormatError("directory inside itself", inode.at)
                open_ones.append((path, self._entries(inode), above | {number}))

    def _file(self, path: str, inode: Inode) -> Iterator[Fact | Member]:
        yield from inode.told.parts(path, "erofs")
        span = inode.at, inode.end - inode.at
        yield covered("erofs.inode", self.blob, span, path)
        kind = stat.S_IFMT(inode.mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK) or not inode.size:
            return
        spans = self.spans(inode)
        if spans is None:
            yield Fact("erofs.packed", inode.size, name=path, derived=True)
            return
        if inode.layout == CHUNKS:
            width = 8 if inode.place & CHUNK_INDEXES else 4
            step = self.block << (inode.place & 31)
            span = inode.end + -inode.end % width, -(-inode.size // step) * width
            yield covered("erofs.chunks", self.blob, span, path)
        self._count(inode.size)
        if kind == stat.S_IFDIR or len(spans) > 1:
            what = "erofs.directory" if kind == stat.S_IFDIR else "erofs.extent"
            for one in spans:
                if isinstance(one, tuple):
                    yield covered(what, self.blob, one, path)
        if kind == stat.S_IFDIR:
            return
        if len(spans) == 1 and isinstance(spans[0], tuple):
            part = self.blob.part(*spans[0])
            link = kind == stat.S_IFLNK
            yield Member(path, part, spans[0], "erofs.target" if link else "bytes", opaque=link)
        else:
            if inode.size > self.limits.member_bytes:
                raise LimitError(f"file of {inode.size} bytes", inode.at)
            yield Member(path, partial(self._content, spans))

    def _content(self, spans: list[Span | int]) -> Iterator[bytes]:
        for one in spans:
            if isinstance(one, int):
                yield from zeros(one)
                continue
            part = self.blob.part(*one)
            for at in range(0, part.size, 1 << 20):
                yield part.read(at, 1 << 20)

    def _entries(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        """Names in a directory, but for itself and the one above, and their inodes."""
        spans = self.spans(inode)
        if spans is None or inode.size > LARGEST_DIRECTORY:
            raise LimitError("directory that is packed or too large", inode.at)
        data = b"".join(self._content(spans))
        for start in range(0, len(data), self.block):
            block = data[start : start + self.block]
            if len(block) < 12:
                raise FormatError("damaged directory", inode.at)
            number = int.from_bytes(block[8:10], "little") // 12
            if not 0 < number * 12 <= len(block):
                raise FormatError("damaged directory", inode.at)
            found = [struct.unpack_from("<QHBB", block, 12 * index) for index in range(number)]
            ends = [row[1] for row in found[1:]] + [len(block)]
            for (place, at, _, _), end in zip(found, ends, strict=True):
                name = block[at:end].split(b"\0")[0]
                if not name or at > end:
                    raise FormatError("name outside its directory", inode.at)
                if name not in (b".", b".."):
                    yield name, place


def _attribute(raw: bytes) -> Iterator[tuple[str, bytes]]:
    length, prefix = raw[0], raw[1]
    name = XATTR_PREFIXES.get(prefix, f"{prefix}.") + text_of(raw[4 : 4 + length])
    yield name, raw[4 + length :]


def _merged(found: list[Span | int]) -> list[Span | int]:
    """Neighbours as one span."""
    out: list[Span | int] = []
    for one in found:
        last = out[-1] if out else None
        if isinstance(one, tuple) and isinstance(last, tuple) and sum(last) == one[0]:
            out[-1] = last[0], last[1] + one[1]
        else:
            out.append(one)
    return out
