"""ext2, ext3 and ext4.

Source: Linux, Documentation/filesystems/ext4: "Super Block", "Block Group Descriptors", "Index
Nodes", "Contents of inode.i_block", "Directory Entries", "Extended Attributes"; fs/ext4/ext4.h.
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
    Without,
    clear,
    covered,
    filled,
    mode,
    nothing,
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
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    Span,
    text_of,
)

START, SIZE = 1024, 1024
MAGIC = 0xEF53
METADATA_SUMS, GROUP_SUMS = 0x400, 0x10
TAIL = b"\0\0\0\0\x0c\0\0\xde"
SEEDED = 0x2000
RESERVED = 10
"""The last inode that has a meaning of its own."""
"""Read-only feature: a checksum in each structure."""


SUPERBLOCK = Record(
    "ext.superblock",
    "<",
    (
        Field("inodes", "I"),
        Field("blocks", "I"),
        Field("reserved_blocks", "I"),
        Field("free_blocks", "I", derived=True),
        Field("free_inodes", "I", derived=True),
        Field("first_data_block", "I"),
        Field("log_block_size", "I"),
        Field("log_cluster_size", "I"),
        Field("blocks_per_group", "I"),
        Field("clusters_per_group", "I"),
        Field("inodes_per_group", "I"),
        Field("mount_time", "I", utc),
        Field("write_time", "I", utc),
        Field("mount_count", "H"),
        Field("most_mounts", "H"),
        Field("magic", "H", hexadecimal),
        Field("state", "H"),
        Field("errors", "H"),
        Field("minor_revision", "H"),
        Field("check_time", "I", utc),
        Field("check_interval", "I"),
        Field("creator", "I"),
        Field("revision", "I"),
        Field("reserved_uid", "H"),
        Field("reserved_gid", "H"),
        Field("first_inode", "I"),
        Field("inode_size", "H"),
        Field("group", "H"),
        Field("compatible_features", "I", hexadecimal),
        Field("incompatible_features", "I", hexadecimal),
        Field("read_only_features", "I", hexadecimal),
        Field("uuid", "16s", uuid),
        Field("label", "16s", filled),
        Field("last_mounted", "64s", filled),
        Field("algorithms", "I"),
        Field("preallocated", "B"),
        Field("preallocated_directory", "B"),
        Field("reserved_descriptors", "H"),
        Field("journal_uuid", "16s", uuid),
        Field("journal_inode", "I"),
        Field("journal_device", "I"),
        Field("last_orphan", "I"),
        Field("hash_seed", "16s", uuid),
        Field("hash_version", "B"),
        Field("journal_backup", "B"),
        Field("descriptor_size", "H"),
        Field("mount_options", "I", hexadecimal),
        Field("first_meta_group", "I"),
        Field("mkfs_time", "I", utc),
        Field("journal_blocks", "68s", hexadecimal, derived=True),
        Field("blocks_high", "I"),
        Field("reserved_blocks_high", "I"),
        Field("free_blocks_high", "I", derived=True),
        Field("least_extra_size", "H"),
        Field("wanted_extra_size", "H"),
        Field("flags", "I", hexadecimal),
        Field("raid_stride", "H"),
        Field("mmp_interval", "H"),
        Field("mmp_block", "Q"),
        Field("raid_stripe_width", "I"),
        Field("log_groups_per_flex", "B"),
        Field("checksum_type", "B"),
        Field("encryption_level", "B"),
        Field("padding", "B"),
        Field("kilobytes_written", "Q", derived=True),
        Field("snapshot_inode", "I"),
        Field("snapshot_id", "I"),
        Field("snapshot_reserved", "Q"),
        Field("snapshot_list", "I"),
        Field("error_count", "I"),
        Field("first_error_time", "I", utc),
        Field("first_error_inode", "I"),
        Field("first_error_block", "Q"),
        Field("first_error_function", "32s", filled),
        Field("first_error_line", "I"),
        Field("last_error_time", "I", utc),
        Field("last_error_inode", "I"),
        Field("last_error_line", "I"),
        Field("last_error_block", "Q"),
        Field("last_error_function", "32s", filled),
        Field("mount_options_text", "64s", filled),
        Field("user_quota_inode", "I"),
        Field("group_quota_inode", "I"),
        Field("overhead", "I", derived=True),
        Field("backup_groups", "8s", hexadecimal),
        Field("encryption_algorithms", "4s", hexadecimal),
        Field("encryption_salt", "16s", hexadecimal),
        Field("lost_found_inode", "I"),
        Field("project_quota_inode", "I"),
        Field("checksum_seed", "I", hexadecimal),
        Field("write_time_high", "B"),
        Field("mount_time_high", "B"),
        Field("mkfs_time_high", "B"),
        Field("check_time_high", "B"),
        Field("first_error_time_high", "B"),
        Field("last_error_time_high", "B"),
        Field("first_error_code", "B"),
        Field("last_error_code", "B"),
        Field("encoding", "H"),
        Field("encoding_flags", "H"),
        Field("orphan_file_inode", "I"),
        Field("reserved", "376s", hexadecimal),
        Field("checksum", "I", hexadecimal, derived=True),
    ),
)
META_GROUPS, BIG = 0x10, 0x80
"""Incompatible features: descriptors lie in their groups; 64-bit block numbers."""
SPARSE = 1
"""Read-only feature: backups in some groups only."""
SPARSE_TWO = 0x200
"""Compatible feature: backups in two groups only."""
ROOT, RESIZE, JOURNAL = 2, 7, 8
EXTENTS, INLINE = 0x80000, 0x10000000
"""Flags of an inode."""
STORAGE = EXTENTS | INLINE | 0x1000 | 0x40000
"""Flags that say how a content or a directory is stored, with these of hashed directories and of
huge files."""
EXTENT_MAGIC = 0xF30A
DEEPEST_EXTENTS = 5
UNWRITTEN = 32768
XATTR_MAGIC = 0xEA020000
XATTR_PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
    8: "system.richacl",
}
EXTRA = (
    "checksum_high",
    "ctime_extra",
    "mtime_extra",
    "atime_extra",
    "crtime",
    "crtime_extra",
    "version_high",
    "project",
)
"""Fields of a large inode, as far as its extra size reaches."""
MOST_RUNS = 1 << 20
MOST_GROUPS = 1 << 20
LARGEST_DIRECTORY = 256 << 20
LARGEST_XATTR = 1 << 20


JOURNAL_SUPERBLOCK = Record(
    "ext.journal",
    ">",
    (
        Field("magic", "I", hexadecimal),
        Field("block_type", "I"),
        Field("first_sequence", "I"),
        Field("block_size", "I"),
        Field("blocks", "I"),
        Field("first_block", "I"),
        Field("sequence", "I"),
        Field("start", "I"),
        Field("error", "I"),
        Field("compatible_features", "I", hexadecimal),
        Field("incompatible_features", "I", hexadecimal),
        Field("read_only_features", "I", hexadecimal),
        Field("uuid", "16s", uuid),
        Field("users", "I"),
        Field("dynamic_superblock", "I"),
        Field("largest_transaction", "I"),
        Field("largest_transaction_data", "I"),
        Field("checksum_type", "B"),
        Field("padding", "3s", hexadecimal),
        Field("fast_commit_blocks", "I"),
        Field("head", "I"),
        Field("padding_end", "160s", hexadecimal),
        Field("checksum", "I", hexadecimal, derived=True),
        Field("user_ids", "768s", hexadecimal),
    ),
)
"""journal_superblock_s of Linux, include/linux/jbd2.h."""


def _journal_parts(volume_id: Scalar, content: Blob) -> Iterator[Fact | Member]:
    """The journal's superblock, and its log. It repeats the identity of its file system."""
    for fact in JOURNAL_SUPERBLOCK.facts(content, 0):
        same = fact.kind == "ext.journal.uuid" and fact.value == volume_id
        yield replace(fact, derived=fact.derived or same)
    span = JOURNAL_SUPERBLOCK.size, content.size - JOURNAL_SUPERBLOCK.size
    if span[1] > 0:
        yield Member("log", content.part(*span), span, "ext.journal.log", opaque=True)


class Run(NamedTuple):
    """Blocks of a file that lie one behind the other: `blocks` from `logical` on."""

    logical: int
    physical: int
    blocks: int
    written: bool


class Inode(NamedTuple):
    """One inode: what it says, and what tree and content need of it."""

    number: int
    mode: int
    size: int
    flags: int
    block: bytes
    told: Metadata
    attributes: int
    inline: bytes


class Ext:
    """Superblock; inode and content of each file by its path; tables, bitmaps and maps."""

    name = "ext"

    def recognises(self, head: bytes) -> bool:
        """The magic number at 1080, and fields that fit to each other."""
        if len(head) < START + SIZE or head[1080:1082] != b"\x53\xef":
            return False
        log, per_group = (int.from_bytes(head[i : i + 4], "little") for i in (1048, 1064))
        blocks = int.from_bytes(head[1028:1032], "little")
        return log <= 6 and per_group > 0 and blocks > 0 and head[1100] <= 1

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("ext", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """Superblock, tables, then the tree in the order of its directories, then the rest."""
    raw = blob.read(START, SIZE)
    # zero where the file system has none
    summed = int(SUPERBLOCK.number(blob, START, "read_only_features")) & METADATA_SUMS
    sound = int.from_bytes(raw[-4:], "little") == (crc32c(raw[:-4]) if summed else 0)
    for fact in SUPERBLOCK.facts(blob, START):
        wrong = fact.kind == "ext.superblock.checksum" and not sound
        yield replace(fact, derived=False) if wrong else fact
    image = _Image(blob, limits)
    yield from image.tables()
    yield from image.tree()
    yield from image.unnamed()


class _Image:
    """One file system's tables, and what of its inodes was told."""

    def __init__(self, blob: Blob, limits: Limits) -> None:
        self.blob = blob
        self.limits = limits
        values = SUPERBLOCK.read(blob, START)

        def value(name: str) -> int:
            found = values[name]
            assert isinstance(found, int)  # noqa: S101 - asked for numbers only
            return found

        if value("magic") != MAGIC or value("log_block_size") > 6:
            raise FormatError("no superblock", START)
        self.block_size = 1024 << value("log_block_size")
        self.inodes = value("inodes")
        self.per_group = value("inodes_per_group")
        self.group_blocks = value("blocks_per_group")
        self.first = value("first_data_block")
        old = value("revision") == 0
        self.inode_size = 128 if old else value("inode_size")
        if not self.per_group or not self.group_blocks or not 128 <= self.inode_size <= 4096:
            raise FormatError("superblock that cannot be", START)
        incompatible = value("incompatible_features")
        self.descriptor_size = max(32, value("descriptor_size")) if incompatible & BIG else 32
        if self.descriptor_size > self.block_size:
            raise FormatError("group descriptor larger than a block", START + 254)
        blocks = value("blocks") | (value("blocks_high") << 32 if incompatible & BIG else 0)
        self.blocks = min(blocks, -(-blob.size // self.block_size))
        self.groups = -(-(blocks - self.first) // self.group_blocks)
        if self.groups > MOST_GROUPS or self.groups * self.descriptor_size > blob.size:
            raise LimitError(f"{self.groups} groups", START)
        if self.per_group > 8 * self.block_size or (
            self.groups * self.per_group * self.inode_size > blob.size
        ):
            raise FormatError("more inodes than there is room for", START + 40)
        self._made = {value("mkfs_time"), value("write_time")}
        self._holes = limits.hole_bytes
        self._hashed = 4 * blob.size
        self._sparse = value("read_only_features") & SPARSE
        self._seed: int | None = None
        if value("read_only_features") & METADATA_SUMS:
            seeded = incompatible & SEEDED
            name = values["uuid"]
            assert isinstance(name, bytes)  # noqa: S101 - as the table says
            self._seed = value("checksum_seed") if seeded else crc32c(name)
        self._summed = value("read_only_features") & (METADATA_SUMS | GROUP_SUMS)
        backups = values["backup_groups"]
        assert isinstance(backups, bytes)  # noqa: S101 - as the table says
        two = value("compatible_features") & SPARSE_TWO
        self._backups = set(struct.unpack("<2I", backups)) if two else None
        self._first_meta = value("first_meta_group") if incompatible & META_GROUPS else None
        self._journal = value("journal_inode")
        self._uuid = uuid(values["uuid"])
        self._visited: set[int] = set()
        self._mapped: set[int] = set()
        self._shared: set[Span] = set()
        self._descriptor_blocks = list(self._places_of_descriptors())
        self._descriptors = b"".join(self._at(block).read() for block in self._descriptor_blocks)

    def _at(self, block: int) -> Blob:
        return self.blob.part(block * self.block_size, self.block_size)

    def _covered(
        self,
        kind: str,
        block: int,
        count: int = 1,
        name: str = "",
        without: Without | None = None,
    ) -> Iterator[Fact]:
        """Blocks that are told by what they say elsewhere, each span once."""
        at = block * self.block_size
        # the last group may be cut off
        size = min(count * self.block_size, self.blob.size - at)
        if size > 0 and (at, size) not in self._shared:
            self._shared.add((at, size))
            self._count(size)
            yield covered(kind, self.blob, (at, size), name, without)

    def _sums_of_groups(self, data: bytearray) -> None:
        """Checksums in a block of group descriptors (bg_*_csum_*, bg_checksum)."""
        if not self._summed:
            return
        for at in range(0, len(data), self.descriptor_size):
            for place in (0x18, 0x1A, 0x1E, *((0x38, 0x3A) if self.descriptor_size >= 64 else ())):
                clear(data, at + place, 2)

    def _times_of_inodes(self, first: int, data: bytearray) -> None:
        """Times and checksums of inodes that are in use, from number `first` on."""
        for number, at in enumerate(range(0, len(data), self.inode_size), first):
            if not any(data[at : at + 2]) and number > RESERVED:
                continue
            summed = self._seed is not None and self._sum_holds(
                number, data[at:][: self.inode_size]
            )
            clear(data, at + 8, 12)
            if self.inode_size > 128 and int.from_bytes(data[at + 128 : at + 130], "little") >= 4:
                clear(data, at + 132, min(20, self.inode_size - 132))
            if summed:
                clear(data, at + 124, 2)
                clear(data, at + 130, 2 * (self.inode_size > 130))

    def _sum_holds(self, number: int, inode: bytearray) -> bool:
        """Whether an inode's checksum is right (ext4_inode_csum)."""
        # the upper half is there where the inode's size says so
        wide = self.inode_size > 128 and int.from_bytes(inode[128:130], "little") >= 4
        found = bytes(inode[124:126]) + (bytes(inode[130:132]) if wide else b"")
        clear(inode, 124, 2)
        if wide:
            clear(inode, 130, 2)
        head = number.to_bytes(4, "little") + bytes(inode[100:104])
        return crc32c(head + bytes(inode), self._seed or 0).to_bytes(4, "little").startswith(found)

    def _sums_of_directory(self, data: bytearray) -> None:
        """The checksum in the entry that ends each block (ext4_dir_entry_tail)."""
        for end in range(self.block_size, len(data) + 1, self.block_size):
            if self._summed and data[end - 12 : end - 4] == TAIL:
                clear(data, end - 4, 4)

    def _sum_of_map(self, data: bytearray) -> None:
        """The checksum behind the extents of a block (ext4_extent_tail)."""
        if self._summed and data[:2] == b"\x0a\xf3":
            clear(data, 12 + 12 * int.from_bytes(data[4:6], "little"), 4)

    def _sum_of_attributes(self, data: bytearray) -> None:
        """The checksum in the header of a block of attributes (h_checksum)."""
        if self._summed:
            clear(data, 16, 4)

    def _count(self, size: int) -> None:
        """No block is in two files: what is read of all of them together has an end."""
        self._hashed -= size
        if self._hashed < 0:
            raise LimitError("blocks in many files")

    def _places_of_descriptors(self) -> Iterator[int]:
        """Where the blocks of the table of group descriptors lie."""
        per_block = self.block_size // self.descriptor_size
        for number in range(-(-self.groups // per_block)):
            if self._first_meta is None or number < self._first_meta:
                yield self.first + 1 + number
            else:
                group = number * per_block
                yield self.first + group * self.group_blocks + self._has_super(group)

    def _has_super(self, group: int) -> bool:
        if group == 0:
            return True
        if self._backups is not None:
            return group in self._backups
        if not self._sparse or group == 1:
            return True
        for base in (3, 5, 7):
            power = base
            while power < group:
                power *= base
            if power == group:
                return True
        return False

    def _descriptor(self, group: int) -> tuple[int, int, int]:
        """Blocks of a group's bitmaps and of its table of inodes."""
        at = group * self.descriptor_size
        low = struct.unpack_from("<3I", self._descriptors, at)
        high = (0, 0, 0)
        if self.descriptor_size >= 64:
            high = struct.unpack_from("<3I", self._descriptors, at + 32)
        return (low[0] | high[0] << 32, low[1] | high[1] << 32, low[2] | high[2] << 32)

    def tables(self) -> Iterator[Fact]:
        """Descriptors, their backups, bitmaps, tables of inodes."""
        for block in self._descriptor_blocks:
            yield from self._covered("ext.group_descriptors", block, without=self._sums_of_groups)
        table = -(-self.per_group * self.inode_size // self.block_size)
        for group in range(self.groups):
            start = self.first + group * self.group_blocks
            if group and self._has_super(group):
                yield from self._covered("ext.backup", start)
                if self._first_meta is None:
                    number = len(self._descriptor_blocks)
                    yield from self._covered(
                        "ext.backup", start + 1, number, without=self._sums_of_groups
                    )
            blocks, inodes, first = self._descriptor(group)
            yield from self._covered("ext.block_bitmap", blocks, without=nothing)
            yield from self._covered("ext.inode_bitmap", inodes, without=nothing)
            yield from self._covered(
                "ext.inode_table",
                first,
                table,
                without=partial(self._times_of_inodes, group * self.per_group + 1),
            )

    def _inode_at(self, number: int) -> int:
        if not 0 < number <= min(self.inodes, self.groups * self.per_group):
            raise FormatError(f"no inode {number}")
        group, index = divmod(number - 1, self.per_group)
        return self._descriptor(group)[2] * self.block_size + index * self.inode_size

    def inode(self, number: int) -> Inode:
        """The inode of a number."""
        at = self._inode_at(number)
        raw = self.blob.part(at, self.inode_size).read()
        cursor = Cursor("ext.inode", raw)

        def field(name: str, size: int, derived: bool = False) -> int:
            value = cursor.number(size)
            cursor.tell(name, value, size, derived)
            return value

        permissions = cursor.number(2)
        cursor.tell("mode", mode(permissions), 2)
        field("uid", 2)
        size = field("size", 4, True)
        for name in ("atime", "ctime", "mtime", "dtime"):
            cursor.tell(name, utc(cursor.number(4)), 4)
        field("gid", 2)
        field("links", 2, True)
        used = field("blocks", 4, True)
        flags = cursor.number(4)
        cursor.tell("flags", f"{flags & ~STORAGE:#x}", 4)
        cursor.tell("storage", f"{flags & STORAGE:#x}", 4, derived=True)
        field("version", 4)
        block = cursor.take(60)
        kind = stat.S_IFMT(permissions)
        acl_blocks = 2 * self.block_size // 1024
        acl = int.from_bytes(raw[104:108], "little") | int.from_bytes(raw[118:120], "little") << 32
        fast = size < 60 and used <= (acl_blocks if acl else 0) and not flags & (EXTENTS | INLINE)
        if kind == stat.S_IFLNK and fast:
            cursor.tell("target", text_of(block[:size]) + _rest(block[size:]), 60)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            cursor.tell("device", _device(block), 60)
        else:
            cursor.tell("block_map", block.hex(), 60, derived=True)
        field("generation", 4)
        field("attributes", 4, True)
        size |= field("size_high", 4, True) << 32
        field("fragment", 4)
        field("blocks_high", 2, True)
        field("attributes_high", 2, True)
        field("uid_high", 2)
        field("gid_high", 2)
        field("checksum", 2, True)
        field("reserved", 2)
        stored: bytes = b""
        if self.inode_size > 128:
            extra = field("extra_size", 2)
            for name in EXTRA:
                width = 2 if name == "checksum_high" else 4
                if cursor.at + width <= 128 + min(extra, self.inode_size - 128):
                    value = cursor.number(width)
                    told = utc(value) if name == "crtime" else value
                    made = name == "crtime" and value in self._made
                    cursor.tell(name, told, width, name == "checksum_high" or made)
            rest = cursor.take(max(0, min(128 + extra, len(raw)) - cursor.at))
            if rest:
                cursor.tell("extra", rest.hex(), len(rest))
            stored = cursor.take(len(raw) - cursor.at)
            if stored:
                known = stored[:4] == XATTR_MAGIC.to_bytes(4, "little")
                cursor.tell("stored_attributes", stored.hex(), len(stored), known)
        attributes = list(self._stored(stored, acl))
        inline = next((value for name, value in attributes if name == "system.data"), b"")
        more: list[Named] = [
            ("ext.inode.xattr", f"{name}={xattr_value(name, value)}")
            for name, value in attributes
            if name != "system.data"
        ]
        told_all = Metadata.of(cursor.facts, more)
        return Inode(number, permissions, size, flags, block, told_all, acl, inline)

    def _stored(self, stored: bytes, block: int) -> Iterator[tuple[str, bytes]]:
        """Extended attributes: behind the inode's own fields, then in a block of their own."""
        if stored[:4] == XATTR_MAGIC.to_bytes(4, "little"):
            yield from self._attributes(stored, 4, 4)
        if block:
            data = self._at(block).read()
            if data[:4] == XATTR_MAGIC.to_bytes(4, "little"):
                yield from self._attributes(data, 32, 0)

    def _attributes(self, data: bytes, at: int, base: int) -> Iterator[tuple[str, bytes]]:
        """Entries from `at` on, whose values' offsets count from `base`."""
        while at + 16 <= len(data) and data[at : at + 4] != bytes(4):
            length, prefix, offset, inode, size = struct.unpack_from("<BBHII", data, at)
            name = data[at + 16 : at + 16 + length]
            if inode:
                yield XATTR_PREFIXES.get(prefix, f"{prefix}.") + text_of(name), b""
            elif base + offset + size > len(data):
                raise FormatError("attribute outside its block")
            else:
                value = data[base + offset : base + offset + size]
                yield XATTR_PREFIXES.get(prefix, f"{prefix}.") + text_of(name), value
            at += 16 + length + -length % 4

    def runs(self, inode: Inode) -> tuple[list[Run], list[int]]:
        """Where a file's blocks lie, in their order; and the blocks of its map."""
        maps: list[int] = []
        if inode.flags & EXTENTS:
            found = list(self._extents(inode.block, 0, maps))
        else:
            found = list(_merged(self._pointers(inode.block, maps)))
        if len(found) > MOST_RUNS:
            raise LimitError(f"file in more than {MOST_RUNS} pieces")
        return sorted(found), maps

    def _extents(self, node: bytes, depth: int, maps: list[int]) -> Iterator[Run]:
        magic, count, _, level, _ = struct.unpack_from("<HHHHI", node)
        if magic != EXTENT_MAGIC or 12 + 12 * count > len(node) or depth > DEEPEST_EXTENTS:
            raise FormatError("damaged tree of extents")
        for at in range(12, 12 + 12 * count, 12):
            if level:
                _, low, high, _ = struct.unpack_from("<IIHH", node, at)
                block = low | high << 32
                self._follow(block, maps)
                yield from self._extents(self._at(block).read(), depth + 1, maps)
            else:
                logical, size, high, low = struct.unpack_from("<IHHI", node, at)
                written = size <= UNWRITTEN
                yield Run(logical, low | high << 32, size - UNWRITTEN * (not written), written)

    def _follow(self, block: int, maps: list[int]) -> None:
        """Note a block of a map; none is in two maps."""
        if block in self._mapped:
            raise FormatError("block of a map is met twice", block * self.block_size)
        self._mapped.add(block)
        maps.append(block)

    def _pointers(self, block: bytes, maps: list[int]) -> Iterator[tuple[int, int]]:
        """Direct blocks, then those behind one, two and three steps: (logical, physical)."""
        words = struct.unpack("<15I", block)
        yield from ((place, word) for place, word in enumerate(words[:12]) if word)
        per = self.block_size // 4
        logical = 12
        for steps, word in enumerate(words[12:], 1):
            if word:
                yield from self._indirect(word, steps, logical, maps)
            logical += per**steps

    def _indirect(
        self, block: int, steps: int, logical: int, maps: list[int]
    ) -> Iterator[tuple[int, int]]:
        self._follow(block, maps)
        per = self.block_size // 4
        words = struct.unpack(f"<{per}I", self._at(block).read())
        for place, word in enumerate(words):
            if word and steps == 1:
                yield logical + place, word
            elif word:
                yield from self._indirect(
                    word, steps - 1, logical + place * per ** (steps - 1), maps
                )

    def content(self, inode: Inode, runs: list[Run]) -> Iterator[bytes]:
        """A file's bytes. Holes and blocks that were never written are zeros."""
        if inode.size > self.limits.member_bytes:
            raise LimitError(f"file of {inode.size} bytes")
        at = 0
        for run in runs:
            start = run.logical * self.block_size
            if start >= inode.size:
                break
            if start < at:
                raise FormatError("extents overlap", run.physical * self.block_size)
            yield from zeros(start - at)
            size = min(run.blocks * self.block_size, inode.size - start)
            if run.written:
                part = self.blob.part(run.physical * self.block_size, size)
                for place in range(0, size, 1 << 20):
                    yield part.read(place, 1 << 20)
            else:
                yield from zeros(size)
            at = start + size
        yield from zeros(inode.size - at)

    def tree(self) -> Iterator[Fact | Member]:
        """Every file below the root: its inode, its map and its content."""
        paths = Paths()
        met: dict[int, str] = {}
        root = self.inode(ROOT)
        self._visited.add(ROOT)
        yield from self._file("/", root)
        open_ones = [("", self._entries(root))]
        while open_ones:
            folder, entries = open_ones[-1]
            entry = next(entries, None)
            if entry is None:
                open_ones.pop()
                continue
            path = paths.below(folder, entry[0], len(open_ones))
            first = met.setdefault(entry[1], path)
            if first != path:
                yield Fact("ext.hard_link", first, name=path)
                continue
            inode = self.inode(entry[1])
            self._visited.add(entry[1])
            yield from self._file(path, inode)
            if stat.S_ISDIR(inode.mode):
                open_ones.append((path, self._entries(inode)))

    def _file(self, path: str, inode: Inode) -> Iterator[Fact | Member]:
        yield from inode.told.parts(path, "ext")
        if inode.attributes:
            yield from self._covered(
                "ext.attributes", inode.attributes, without=self._sum_of_attributes
            )
        if inode.flags & INLINE:
            if stat.S_ISREG(inode.mode) and inode.size:
                whole = (inode.block + inode.inline)[: inode.size]
                yield Member(path, lambda: iter((whole,)))
            return
        kind = stat.S_IFMT(inode.mode)
        slow = kind == stat.S_IFLNK and "block_map" in inode.told.layout
        if kind not in (stat.S_IFREG, stat.S_IFDIR) and not slow:
            return
        runs, maps = self.runs(inode)
        if inode.number in (ROOT,) or kind == stat.S_IFDIR:
            for block in maps:
                yield from self._covered("ext.map", block, without=self._sum_of_map)
            for run in runs:
                yield from self._covered(
                    "ext.directory",
                    run.physical,
                    run.blocks,
                    without=self._sums_of_directory,
                )
            return
        yield from self._stored_content(path, inode, runs, maps)

    def _stored_content(
        self,
        path: str,
        inode: Inode,
        runs: list[Run],
        maps: list[int],
        inside: Inside | None = None,
    ) -> Iterator[Fact | Member]:
        for block in maps:
            yield from self._covered("ext.map", block, without=self._sum_of_map)
        if not inode.size:
            return
        if len(runs) == 1 and not runs[0].logical and runs[0].written:
            at = runs[0].physical * self.block_size
            if runs[0].blocks * self.block_size >= inode.size:
                span = at, inode.size
                yield Member(path, self.blob.part(*span), span, inside=inside)
                return
        self._holes -= max(0, inode.size - self.block_size * sum(run.blocks for run in runs))
        if self._holes < 0:
            raise LimitError(f"holes of more than {self.limits.hole_bytes} bytes")
        for run in runs:
            start = run.logical * self.block_size
            size = min(run.blocks * self.block_size, inode.size - start)
            if size > 0 and run.written:
                span = run.physical * self.block_size, size
                self._count(size)
                yield covered("ext.extent", self.blob, span, path)
        yield Member(path, partial(self.content, inode, runs), inside=inside)

    def _entries(self, inode: Inode) -> Iterator[tuple[bytes, int]]:
        """Names in a directory, but for itself and the one above, and their inodes."""
        if inode.flags & INLINE:
            blocks = [inode.block[4:], inode.inline]
        else:
            if inode.size > LARGEST_DIRECTORY:
                raise LimitError(f"directory of {inode.size} bytes")
            saved, self._mapped = self._mapped, set()
            runs, _ = self.runs(inode)
            self._mapped |= saved
            data = b"".join(self.content(inode, runs))
            blocks = [
                data[at : at + self.block_size] for at in range(0, len(data), self.block_size)
            ]
        for block in blocks:
            at = 0
            while at + 8 <= len(block):
                number, length, size, _ = struct.unpack_from("<IHBB", block, at)
                length = length or 65536
                if length < 8 or at + length > len(block) or 8 + size > length:
                    raise FormatError("damaged directory entry")
                name = block[at + 8 : at + 8 + size]
                if number and name not in (b".", b"..", b""):
                    yield name, number
                at += length

    def unnamed(self) -> Iterator[Fact | Member]:
        """Inodes that no directory names but that say something: the journal, files deleted."""
        for group in range(self.groups):
            at = self._descriptor(group)[2] * self.block_size
            table = self.blob.read(at, self.per_group * self.inode_size)
            if not table.strip(b"\0"):
                continue
            for index in range(len(table) // self.inode_size):
                number = group * self.per_group + index + 1
                raw = table[index * self.inode_size : (index + 1) * self.inode_size]
                if number in self._visited or not raw.strip(b"\0") or number > self.inodes:
                    continue
                yield from self._unnamed(number)

    def _unnamed(self, number: int) -> Iterator[Fact | Member]:
        inode = self.inode(number)
        name = f"inode {number}"
        yield from inode.told.parts(name, "ext")
        if number == RESIZE:
            runs, maps = self.runs(inode)
            for block in (*maps, *(run.physical + i for run in runs for i in range(run.blocks))):
                yield from self._covered("ext.resize", block, without=nothing)
        elif number == self._journal and stat.S_ISREG(inode.mode):
            runs, maps = self.runs(inode)
            inside = Inside("ext.journal", partial(_journal_parts, self._uuid))
            yield from self._stored_content("journal", inode, runs, maps, inside)


def _merged(pointers: Iterator[tuple[int, int]]) -> Iterator[Run]:
    """Neighbours as one run."""
    run: Run | None = None
    for logical, physical in pointers:
        if run and (logical, physical) == (run.logical + run.blocks, run.physical + run.blocks):
            run = run._replace(blocks=run.blocks + 1)
        else:
            if run:
                yield run
            run = Run(logical, physical, 1, True)
    if run:
        yield run


def _rest(data: bytes) -> str:
    """What lies behind a name, where it is not nothing."""
    return f" ({data.hex()})" if data.strip(b"\0") else ""


def _device(block: bytes) -> str:
    """old_decode_dev and new_decode_dev of Linux."""
    old, new = struct.unpack_from("<II", block)
    if old:
        return f"{old >> 8 & 0xFF}:{old & 0xFF}" + _rest(block[4:])
    minor = new & 0xFF | new >> 12 & 0xFFF00
    return f"{new >> 8 & 0xFFF}:{minor} (wide)" + _rest(block[8:])
