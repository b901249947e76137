"""SquashFS 4.0: a packed file system that is read only.

Source: Linux, fs/squashfs/squashfs_fs.h (struct squashfs_super_block and below); "Squashfs Binary
Format" (D. Oberhollenzer), chapters 2 to 10.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.filesystems.packed import UNPACK, Unpack
from sxdiff.formats.filesystems.tree import (
    Cursor,
    Metadata,
    Named,
    Paths,
    covered,
    packed,
    volume,
    zeros,
)
from sxdiff.formats.record import Field, Record, hexadecimal, named, utc
from sxdiff.formats.xattr import xattr_value
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    text_of,
)

MAGIC = b"hsqs"
COMPRESSORS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
NOWHERE = (1 << 64) - 1
NO_FRAGMENT = NO_XATTR = 0xFFFFFFFF
COMPRESSOR_OPTIONS = 0x400
METADATA = 8 << 10
"""Unpacked size of one block of metadata."""
MOST_METADATA = 256 << 20
STORED_METADATA, STORED_DATA = 1 << 15, 1 << 24
LARGEST_BLOCK = 1 << 20
LARGEST_XATTR = 64 << 10
KEPT_FRAGMENTS = 4

FLAGS = (
    "inodes not packed",
    "data not packed",
    "check data",
    "fragments not packed",
    "no fragments",
    "fragments of all files",
    "duplicates as one",
    "exportable",
    "attributes not packed",
    "no attributes",
    "compressor options",
    "ids not packed",
)


def _flags(value: int) -> str:
    said = [word for bit, word in enumerate(FLAGS) if value >> bit & 1]
    said += [f"{value >> len(FLAGS) << len(FLAGS):#x}"] * bool(value >> len(FLAGS))
    return ", ".join(said)


SUPERBLOCK = Record(
    "squashfs.superblock",
    "<",
    (
        Field("magic", "4s"),
        Field("inodes", "I", derived=True),
        Field("mkfs_time", "I", utc),
        Field("block_size", "I"),
        Field("fragments", "I", derived=True),
        Field("compressor", "H", named(COMPRESSORS)),
        Field("block_log", "H", derived=True),
        Field("flags", "H", lambda value: _flags(int(value))),
        Field("ids", "H", derived=True),
        Field("version", "H"),
        Field("minor_version", "H"),
        Field("root_inode", "Q", hexadecimal, derived=True),
        Field("bytes_used", "Q", derived=True),
        Field("id_table", "Q", derived=True),
        Field("xattr_table", "Q", derived=True),
        Field("inode_table", "Q", derived=True),
        Field("directory_table", "Q", derived=True),
        Field("fragment_table", "Q", derived=True),
        Field("export_table", "Q", derived=True),
    ),
)

Option: TypeAlias = tuple[str, str, int | str]
"""Struct code, name and default."""
OPTIONS: dict[str, tuple[Option, ...]] = {
    "gzip": (("I", "level", 9), ("H", "window", 15), ("H", "strategies", 0)),
    "xz": (("I", "dictionary", "of a block"), ("I", "filters", 0)),
    "lz4": (("I", "version", 1), ("I", "flags", 0)),
    "zstd": (("I", "level", 15),),
}
"""Compressor options; they are left out where all are the default."""

DIRECTORY, FILE, SYMLINK, BLOCK, CHARACTER, FIFO, SOCKET = range(1, 8)
TYPES = {
    DIRECTORY: "directory",
    FILE: "regular file",
    SYMLINK: "symbolic link",
    BLOCK: "block device",
    CHARACTER: "character device",
    FIFO: "FIFO",
    SOCKET: "socket",
}
EXTENDED = 7
"""What is added to a type where the inode is an extended one."""
XATTR_PREFIXES = {0: "user.", 1: "trusted.", 2: "security."}
ELSEWHERE = 0x100


class Inode(NamedTuple):
    """One inode: what it says, and what the tree and the content need of it."""

    told: Metadata
    kind: int
    number: int
    start: int
    size: int
    offset: int
    fragment: int
    blocks: tuple[int, ...]


class Squashfs:
    """Superblock; inode and content of each file by its path; packed tables and data."""

    name = "squashfs"

    def recognises(self, head: bytes) -> bool:
        """Little-endian magic, version 4.0, and a block size that its logarithm confirms."""
        if len(head) < SUPERBLOCK.size or not head.startswith(MAGIC):
            return False
        size, log = int.from_bytes(head[12:16], "little"), int.from_bytes(head[22:24], "little")
        return head[28:32] == b"\4\0\0\0" and 12 <= log <= 20 and size == 1 << log

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("squashfs", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """Superblock, then the tree in the order of its directories, then what is packed."""
    image = _Image(blob, limits)
    for fact in SUPERBLOCK.facts(blob, 0):
        if fact.kind != "squashfs.superblock.flags":
            yield fact
            continue
        # whether there are options follows from the options
        yield replace(fact, value=_flags(image.flags & ~COMPRESSOR_OPTIONS))
        told = bool(image.flags & COMPRESSOR_OPTIONS)
        yield Fact("squashfs.superblock.has_options", told, fact.at, derived=True)
    yield from _options(image)
    yield from _tree(image)
    yield from _fragments(image)
    ends = image.inodes, image.directories, image.rest, image.end
    kinds = ("squashfs.inode_table", "squashfs.directory_table", "squashfs.tables")
    for kind, start, end in zip(kinds, ends[:3], ends[1:], strict=True):
        span = start, end - start
        yield covered(kind, blob, span)


def _fragments(image: "_Image") -> Iterator[Fact | Member]:
    """The blocks that hold the ends of files: as one, to tell where only their packing differs."""
    places = sorted(set(image.fragments))
    spans = [(start, word & ~STORED_DATA) for start, word in places]
    first = spans[0] if spans else (SUPERBLOCK.size, 0)
    told = [digest_of(image.blob.part(*span)) for span in spans]
    yield packed(
        "squashfs.fragments", image.blob, first, "fragments", told, [word for _, word in places]
    )
    for span in spans[1:]:
        yield covered("squashfs.fragment", image.blob, span)
    content = partial(image.unpacked, places)
    inside = Inside("squashfs.fragments", _whole)
    yield Member("fragments", content, inside=inside, derived=True)


def _whole(content: Blob) -> Iterator[Fact]:
    yield Fact("squashfs.fragments", digest_of(content), (0, content.size))


def _options(image: "_Image") -> Iterator[Fact]:
    """How the compressor was called."""
    known = OPTIONS.get(image.compressor, ())
    if not image.flags & COMPRESSOR_OPTIONS:
        if known:
            yield Fact("squashfs.options", _said(known, [default for *_, default in known]))
        return
    at = SUPERBLOCK.size
    header = image.number(at, 2)
    raw = image.blob.part(at + 2, header & ~STORED_METADATA).read()
    yield Fact("squashfs.options_header", f"{header:#x}", (at, 2), derived=True)
    code = "<" + "".join(code for code, *_ in known)
    if header & STORED_METADATA and known and len(raw) == struct.calcsize(code):
        told = _said(known, struct.unpack(code, raw))
    else:
        told = raw.hex()
    yield Fact("squashfs.options", told, (at + 2, len(raw)))


def _said(known: Iterable[Option], values: Iterable[int | str]) -> str:
    return ", ".join(f"{name} {value}" for (_, name, _), value in zip(known, values, strict=True))


class _Image:
    """The tables of one file system, unpacked as they are asked for."""

    def __init__(self, blob: Blob, limits: Limits) -> None:
        self.blob = blob
        self.limits = limits
        values = SUPERBLOCK.read(blob, 0)

        def value(name: str) -> int:
            found = values[name]
            assert isinstance(found, int)  # noqa: S101 - all fields but the magic are numbers
            return found

        name = COMPRESSORS.get(value("compressor"), "")
        if name not in UNPACK:
            raise FormatError(f"blocks packed with {name or 'what is not known'}", 20)
        self.compressor = name
        self._unpack: Unpack = UNPACK[name]
        self.flags = value("flags")
        self.block_size = value("block_size")
        if not 1 << 12 <= self.block_size <= LARGEST_BLOCK:
            raise FormatError(f"blocks of {self.block_size} bytes", 12)
        self.root = value("root_inode")
        self.inodes, self.directories = value("inode_table"), value("directory_table")
        self.end = value("bytes_used")
        self._metadata: dict[int, tuple[bytes, int]] = {}
        self._unpacked = 0
        self._left = limits.hole_bytes + blob.size * limits.expansion
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        lookups = [
            place
            for name in ("fragment_table", "export_table", "id_table", "xattr_table")
            if (place := value(name)) != NOWHERE
        ]
        firsts = [self.number(at, 8) for at in lookups if at + 8 <= blob.size]
        self.rest = min([at for at in (*firsts, *lookups) if at >= self.directories] or [self.end])
        if not self.inodes <= self.directories <= self.rest <= self.end <= blob.size:
            raise FormatError("tables out of order", 64)
        self._ids = self._table(value("id_table"), value("ids"), 4)
        raw = b""
        if value("fragment_table") != NOWHERE:
            raw = self._table(value("fragment_table"), value("fragments"), 16)
        self.fragments = [
            (start, size) for start, size, _ in struct.iter_unpack("<QII", raw) if size
        ]
        self._fragment_list = [(start, size) for start, size, _ in struct.iter_unpack("<QII", raw)]
        self._digests: dict[int, str] = {}
        self._xattrs, self._xattr_ids = 0, b""
        if value("xattr_table") != NOWHERE:
            at = value("xattr_table")
            self._xattrs = self.number(at, 8)
            self._xattr_ids = self._table(at + 16, self.number(at + 8, 4), 16)

    def count(self, size: int) -> None:
        """What is read and unpacked of all files together has an end."""
        self._left -= size
        if self._left < 0:
            raise LimitError("files of more bytes than the image can hold")

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.blob.part(at, size).read(), "little")

    def _table(self, at: int, count: int, size: int) -> bytes:
        """A table of `count` entries behind a list of the blocks that hold it."""
        want = count * size
        if want > MOST_METADATA:
            raise LimitError(f"table of {want} bytes", at)
        out = b""
        number = -(-want // METADATA)
        places = struct.unpack(f"<{number}Q", self.blob.part(at, 8 * number).read())
        out = b"".join(self._block(place)[0] for place in places)
        if len(out) < want:
            raise FormatError("table ends early", at)
        return out[:want]

    def _block(self, at: int) -> tuple[bytes, int]:
        """The block of metadata at `at`, unpacked, and where the next one is."""
        found = self._metadata.get(at)
        if found is None:
            header = self.number(at, 2)
            size = header & ~STORED_METADATA
            data = self.blob.part(at + 2, size).read()
            if not header & STORED_METADATA:
                data = self._unpack(data, METADATA)
            self._unpacked += len(data) + 100
            if self._unpacked > MOST_METADATA:
                raise LimitError(f"more than {MOST_METADATA} bytes of metadata", at)
            found = self._metadata[at] = data, at + 2 + size
        return found

    def metadata(self, at: int, offset: int, size: int) -> bytes:
        """`size` unpacked bytes from `offset` in the block at `at` on."""
        return _Reader(self._block, at, offset).take(size)

    def identity(self, index: int) -> int:
        """A user's or group's number."""
        if 4 * index + 4 > len(self._ids):
            raise FormatError("user outside the table of ids")
        return int.from_bytes(self._ids[4 * index : 4 * index + 4], "little")

    def xattrs(self, index: int) -> Iterator[tuple[str, bytes]]:
        """Extended attributes, with their whole names."""
        if index == NO_XATTR:
            return
        if 16 * index + 16 > len(self._xattr_ids):
            raise FormatError("attributes outside their table")
        reference, count, _ = struct.unpack_from("<QII", self._xattr_ids, 16 * index)
        # the size is that of a list of names with their prefixes, not that of what is stored
        if count > 1 << 16:
            raise FormatError("attributes without end")
        reader = _Reader(self._block, self._xattrs + (reference >> 16), reference & 0xFFFF)
        for _ in range(count):
            kind, size = struct.unpack("<HH", reader.take(4))
            name = reader.take(size)
            value = _value(reader)
            if kind & ELSEWHERE:
                place = int.from_bytes(value, "little")
                start = self._xattrs + (place >> 16)
                value = _value(_Reader(self._block, start, place & 0xFFFF))
            prefix = XATTR_PREFIXES.get(kind & 0xFF, f"{kind & 0xFF}.")
            yield prefix + text_of(name), value

    def inode(self, reference: int) -> Inode:
        """The inode at a reference: where its block lies in the table, and where it is in that."""
        at, offset = self.inodes + (reference >> 16), reference & 0xFFFF
        kind = int.from_bytes(self.metadata(at, offset, 2), "little")
        basic = kind - EXTENDED if kind > EXTENDED else kind
        if basic not in TYPES:
            raise FormatError(f"inode of type {kind}", at)
        reader = _Reader(self._block, at, offset)
        raw = reader.take(SIZES[kind])
        more = 0
        if basic == FILE:
            long = kind > EXTENDED
            length = int.from_bytes(raw[24:32] if long else raw[28:32], "little")
            fragment = int.from_bytes(raw[44:48] if long else raw[20:24], "little")
            if fragment == NO_FRAGMENT:
                length += self.block_size - 1
            more = 4 * (length // self.block_size)
        elif basic == SYMLINK:
            more = int.from_bytes(raw[20:24], "little") + 4 * (kind > EXTENDED)
        if more > MOST_METADATA:
            raise LimitError(f"inode of {more} bytes", at)
        raw += reader.take(more)
        if kind == DIRECTORY + EXTENDED:
            indexes = []
            for _ in range(int.from_bytes(raw[32:34], "little")):
                entry = reader.take(12)
                name = int.from_bytes(entry[8:12], "little") + 1
                if name > 256:
                    raise FormatError("name of more than 256 bytes", at)
                indexes.append(entry + reader.take(name))
            raw += b"".join(indexes)
        return self._told(raw, kind, basic)

    def _told(self, raw: bytes, kind: int, basic: int) -> Inode:
        """The inode's fields, with users and attributes for the numbers that stand for them."""
        users = self.identity(int.from_bytes(raw[4:6], "little"))
        groups = self.identity(int.from_bytes(raw[6:8], "little"))
        cursor = Cursor("squashfs.inode", raw)
        long = kind > EXTENDED

        def field(name: str, size: int, derived: bool = True) -> int:
            value = cursor.number(size)
            cursor.tell(name, value, size, derived)
            return value

        cursor.take(2)
        cursor.tell("type", TYPES[basic] + (", extended" if long else ""), 2, derived=long)
        permissions = cursor.number(2)
        cursor.tell("mode", f"{permissions:04o}", 2)
        field("uid_index", 2)
        field("gid_index", 2)
        cursor.tell("mtime", utc(cursor.number(4)), 4)
        number = field("number", 4)
        start = size = offset = 0
        fragment = xattr = NO_FRAGMENT
        blocks: tuple[int, ...] = ()
        if basic == DIRECTORY and not long:
            start, _ = field("start", 4), field("links", 4)
            size, offset = field("size", 2), field("offset", 2)
            field("parent", 4)
        elif basic == DIRECTORY:
            field("links", 4)
            size, start = field("size", 4), field("start", 4)
            field("parent", 4)
            field("indexes", 2)
            offset, xattr = field("offset", 2), field("xattr_index", 4)
            rest = cursor.take(len(raw) - cursor.at)
            if rest:
                cursor.tell("index", rest.hex(), len(rest), derived=True)
        elif basic == FILE:
            if long:
                start, size = field("start", 8), field("size", 8)
                field("sparse", 8)
                field("links", 4)
                fragment, offset = field("fragment", 4), field("offset", 4)
                xattr = field("xattr_index", 4)
            else:
                start, fragment = field("start", 4), field("fragment", 4)
                offset, size = field("offset", 4), field("size", 4)
            rest = cursor.take(len(raw) - cursor.at)
            blocks = tuple(word for (word,) in struct.iter_unpack("<I", rest))
            if rest:
                cursor.tell("block_sizes", rest.hex(), len(rest), derived=True)
        elif basic == SYMLINK:
            field("links", 4)
            target = cursor.take(field("size", 4))
            cursor.tell("target", text_of(target), len(target))
            if long:
                xattr = field("xattr_index", 4)
        else:
            field("links", 4)
            if basic in (BLOCK, CHARACTER):
                cursor.tell("device", _device(cursor.number(4)), 4)
            if long:
                xattr = field("xattr_index", 4)
        more: list[Named] = [
            ("squashfs.inode.uid", users),
            ("squashfs.inode.gid", groups),
        ]
        more += [
            ("squashfs.inode.xattr", f"{name}={xattr_value(name, value)}")
            for name, value in self.xattrs(xattr)
        ]
        told = Metadata.of(cursor.facts, more)
        return Inode(told, basic, number, start, size, offset, fragment, blocks)

    def entries(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        """The names in a directory and the references to their inodes."""
        size = inode.size - 3
        if size <= 0:
            return
        if size > MOST_METADATA:
            raise LimitError(f"directory of {size} bytes")
        data = self.metadata(self.directories + inode.start, inode.offset, size)
        reader = Cursor("squashfs.directory", data)
        while reader.at < size:
            count, block, _ = reader.number(4) + 1, reader.number(4), reader.number(4)
            if count > 256:
                raise FormatError("directory header of more than 256 names")
            for _ in range(count):
                offset = reader.number(2)
                reader.take(4)
                name = reader.take(reader.number(2) + 1)
                yield name, block << 16 | offset

    def content(self, inode: Inode) -> Iterator[bytes]:
        """A file's bytes: its blocks, then its part of a fragment."""
        left, at = inode.size, inode.start
        if left > self.limits.member_bytes:
            raise LimitError(f"file of {left} bytes")
        for word in inode.blocks:
            want = min(left, self.block_size)
            size = word & ~STORED_DATA
            if not size:
                yield from zeros(want)
            else:
                data = self._data(at, word)
                if len(data) != want:
                    raise FormatError("block of another size than its file says", at)
                yield data
            at += size
            left -= want
        if left:
            data = self._fragment(inode.fragment)[inode.offset : inode.offset + left]
            if len(data) != left:
                raise FormatError("fragment ends early")
            yield data

    def _data(self, at: int, word: int) -> bytes:
        size = word & ~STORED_DATA
        if size > self.block_size:
            raise FormatError("packed block larger than a block", at)
        data = self.blob.part(at, size).read()
        return data if word & STORED_DATA else self._unpack(data, self.block_size + 1)

    def unpacked(self, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        """Blocks of data, unpacked: offset and size word of each."""
        for at, word in places:
            self.count(self.block_size)
            yield self._data(at, word)

    def packed(self, inode: Inode, path: str) -> Iterator[Fact]:
        """The packed blocks of a file, and by its digest what its whole content follows from.

        A fragment holds the ends of many files: it differs where any of them does.
        """
        size = sum(word & ~STORED_DATA for word in inode.blocks)
        self.count(size)
        span = inode.start, size
        if inode.fragment == NO_FRAGMENT:
            if size:
                yield packed("squashfs.data", self.blob, span, path, inode.blocks, inode.size)
            return
        if size:
            yield covered("squashfs.data", self.blob, span, path)
        if inode.fragment < len(self._fragment_list):
            source = packed(
                "squashfs.packed",
                self.blob,
                span if size else (0, 0),
                path,
                (self._digest(inode.fragment), inode.offset, inode.blocks, inode.size),
            )
            yield replace(source, at=None)

    def _digest(self, number: int) -> str:
        """The digest of a packed fragment."""
        found = self._digests.get(number)
        if found is None:
            at, word = self._fragment_list[number]
            found = f"{word} {digest_of(self.blob.part(at, word & ~STORED_DATA))}"
            self._digests[number] = found
        return found

    def _fragment(self, number: int) -> bytes:
        if number >= len(self._fragment_list):
            raise FormatError(f"no fragment {number}")
        found = self._kept.pop(number, None)
        if found is None:
            found = self._data(*self._fragment_list[number])
            if len(self._kept) >= KEPT_FRAGMENTS:
                self._kept.popitem(last=False)
        self._kept[number] = found
        return found


class _Reader:
    """Unpacked metadata from `offset` in the block at `at` on."""

    def __init__(self, block: Callable[[int], tuple[bytes, int]], at: int, offset: int) -> None:
        self._block = block
        self._at = at
        self._offset = offset

    def take(self, size: int) -> bytes:
        """The next bytes."""
        out: list[bytes] = []
        while size > 0:
            data, following = self._block(self._at)
            piece = data[self._offset : self._offset + size]
            out.append(piece)
            size -= len(piece)
            self._offset += len(piece)
            if size:
                if not data:
                    raise FormatError("metadata ends early", self._at)
                self._at, self._offset = following, 0
        return b"".join(out)


def _value(reader: _Reader) -> bytes:
    size = int.from_bytes(reader.take(4), "little")
    if size > LARGEST_XATTR:
        raise FormatError(f"attribute of {size} bytes")
    return reader.take(size)


SIZES = {1: 32, 2: 32, 3: 24, 4: 24, 5: 24, 6: 20, 7: 20}
SIZES |= {8: 40, 9: 56, 10: 24, 11: 28, 12: 28, 13: 24, 14: 24}
"""Bytes of an inode by its type, without what its own fields announce."""


def _device(number: int) -> str:
    """new_encode_dev of Linux: twelve bits of major between the halves of minor."""
    return f"{number >> 8 & 0xFFF}:{number & 0xFF | number >> 12 & 0xFFF00}"


def _tree(image: _Image) -> Iterator[Fact | Member]:
    """Every file below the root: its inode, and its content where it has one."""
    paths = Paths()
    met: dict[int, str] = {}
    root = image.inode(image.root)
    if root.kind != DIRECTORY:
        raise FormatError("root is no directory", 32)
    yield from root.told.parts("/", "squashfs")
    # directories that are open, innermost last; without recursion
    open_ones = [("", image.entries(root))]
    while open_ones:
        folder, entries = open_ones[-1]
        entry = next(entries, None)
        if entry is None:
            open_ones.pop()
            continue
        path = paths.below(folder, entry[0], len(open_ones))
        inode = image.inode(entry[1])
        if inode.kind == DIRECTORY:
            yield from inode.told.parts(path, "squashfs")
            open_ones.append((path, image.entries(inode)))
            continue
        first = met.setdefault(inode.number, path)
        if first != path:
            yield Fact("squashfs.hard_link", first, name=path)
            continue
        yield from inode.told.parts(path, "squashfs")
        if inode.kind == FILE:
            yield from image.packed(inode, path)
            if inode.size:
                image.count(inode.size)
                yield Member(path, partial(image.content, inode))
