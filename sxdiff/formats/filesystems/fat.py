"""FAT12, FAT16 and FAT32, with the long names of VFAT.

Source: Microsoft, FAT: General Overview of On-Disk Format 1.03: "Boot Sector and BPB", "FAT Data
Structure", "FSInfo Sector", "FAT Directory Structure", "FAT Long Directory Entries".
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sxdiff.formats.filesystems.tree import Cursor, Metadata, Paths, clear, covered, nothing, volume
from sxdiff.formats.record import Field, Raw, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Member,
    Scalar,
    text_of,
)

SECTOR = 512


def _padded(value: Raw) -> Scalar:
    return text_of(value.rstrip(b" ")) if isinstance(value, bytes) else value


def _code(value: Raw) -> Scalar:
    """Code of the boot sector: the text that it shows, in hex where it is none."""
    raw = value if isinstance(value, bytes) else b""
    return f"{len(raw)} zeros" if not raw.strip(b"\0") else raw.rstrip(b"\0").hex()


COMMON = (
    Field("jump", "3s", hexadecimal),
    Field("oem", "8s", _padded),
    Field("sector_size", "H"),
    Field("sectors_per_cluster", "B"),
    Field("reserved_sectors", "H"),
    Field("tables", "B"),
    Field("root_entries", "H"),
    Field("sectors", "H"),
    Field("media", "B", hexadecimal),
    Field("table_sectors", "H", derived=True),
    Field("sectors_per_track", "H"),
    Field("heads", "H"),
    Field("hidden_sectors", "I"),
    Field("sectors_large", "I"),
)
EXTENDED = (
    Field("drive", "B", hexadecimal),
    Field("reserved", "B"),
    Field("boot_signature", "B", hexadecimal),
    Field("volume_id", "I", hexadecimal),
    Field("label", "11s", _padded),
    Field("type", "8s", _padded),
)
BOOT = Record(
    "fat.boot",
    "<",
    (*COMMON, *EXTENDED, Field("code", "448s", _code), Field("signature", "H", hexadecimal)),
)
BOOT32 = Record(
    "fat.boot",
    "<",
    (
        *COMMON,
        Field("table_sectors_large", "I", derived=True),
        Field("extended_flags", "H"),
        Field("version", "H"),
        Field("root_cluster", "I", derived=True),
        Field("info_sector", "H"),
        Field("backup_sector", "H"),
        Field("reserved_large", "12s", hexadecimal),
        *EXTENDED,
        Field("code", "420s", _code),
        Field("signature", "H", hexadecimal),
    ),
)
INFO = Record(
    "fat.info",
    "<",
    (
        Field("signature", "I", hexadecimal),
        Field("reserved", "480s", _code),
        Field("structure_signature", "I", hexadecimal),
        Field("free_clusters", "I", derived=True),
        Field("next_free", "I", derived=True),
        Field("reserved_end", "12s", hexadecimal),
        Field("trail_signature", "I", hexadecimal),
    ),
)
SMALLEST16, SMALLEST32 = 4085, 65525
"""Clusters from which a table is one of 16, and of 32 bits."""
LARGEST_TABLE = 256 << 20
LARGEST_DIRECTORY = 8 << 20
ENTRY = 32
FREE, DELETED, KANJI = 0x00, 0xE5, 0x05
LONG, DIRECTORY, LABEL = 0x0F, 0x10, 0x08
ATTRIBUTES = ("read only", "hidden", "system", "label", "directory", "archive")
LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10


class Entry(NamedTuple):
    """One entry of a directory with the long name before it."""

    name: bytes
    attributes: int
    cluster: int
    size: int
    told: Metadata


class Fat:
    """Boot sector; entry and content of each file by its path; tables and directories."""

    name = "fat"

    def recognises(self, head: bytes) -> bool:
        """There is no magic number: a jump, a parameter block that can be, and the signature."""
        if len(head) < SECTOR or head[510:512] != b"\x55\xaa":
            return False
        if not (head[0] == 0xE9 or (head[0] == 0xEB and head[2] == 0x90)):
            return False
        values = BOOT.row.unpack_from(head)
        size, cluster, reserved, tables, _, small, media, table = values[2:10]
        wide = int.from_bytes(head[36:40], "little")
        return (
            size in (512, 1024, 2048, 4096)
            and cluster in (1, 2, 4, 8, 16, 32, 64, 128)
            and reserved > 0
            and tables in (1, 2)
            and media >= 0xF0
            and (table > 0 or wide > 0)
            and (small > 0 or values[13] > 0)
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("fat", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """Boot sector, tables, then the tree in the order of its directories."""
    image = _Image(blob, limits)
    record = BOOT32 if image.bits == 32 else BOOT
    yield from record.facts(blob, 0)
    yield from image.tables()
    yield from image.tree()


class _Image:
    """One file system's geometry and its table."""

    def __init__(self, blob: Blob, limits: Limits) -> None:
        self.blob = blob
        self.limits = limits
        raw = blob.part(0, SECTOR).read()
        values = BOOT.row.unpack(raw)
        self.sector, per_cluster, reserved, self.copies, self.root_entries = values[2:7]
        if not self.sector or not per_cluster:
            raise FormatError("sectors or clusters without a size", 11)
        self.reserved = reserved * self.sector
        self.cluster = per_cluster * self.sector
        wide = struct.unpack_from("<I", raw, 36)[0]
        self.table_size = (values[9] or wide) * self.sector
        total = (values[7] or values[13]) * self.sector
        self.root = self.reserved + self.copies * self.table_size
        self.data = self.root + -(-self.root_entries * ENTRY // self.sector) * self.sector
        if not self.data <= total:
            raise FormatError("no room for clusters", 19)
        self.clusters = (total - self.data) // self.cluster
        self.bits = 12 if self.clusters < SMALLEST16 else 16 if self.clusters < SMALLEST32 else 32
        if not values[9]:
            self.bits = 32
        if self.table_size > LARGEST_TABLE:
            raise LimitError(f"table of {self.table_size} bytes", 22)
        self._table = blob.part(self.reserved, self.table_size).read()
        self._used: set[int] = set()
        self._raw = raw
        label = 71 if self.bits == 32 else 43
        self._label = text_of(raw[label : label + 11])

    def tables(self) -> Iterator[Fact | Member]:
        """The tables, and what FAT32 has in reserved sectors beside its boot sector."""
        if self.bits == 32:
            info, backup = struct.unpack_from("<HH", self._raw, 48)
            for sector, kind in ((info, "info sector"), (backup, "backup")):
                at = sector * self.sector
                if not 0 < at <= self.reserved - SECTOR:
                    continue
                if kind == "backup":
                    yield covered("fat.backup", self.blob, (at, SECTOR))
                else:
                    yield from INFO.facts(self.blob, at)
        for copy in range(self.copies):
            span = self.reserved + copy * self.table_size, self.table_size
            yield covered("fat.table", self.blob, span, without=nothing)

    def _next(self, cluster: int) -> int | None:
        """The cluster that follows, None behind the last."""
        at = cluster * self.bits // 8
        value = int.from_bytes(self._table[at : at + (4 if self.bits == 32 else 2)], "little")
        if self.bits == 12:
            value = value >> 4 if cluster % 2 else value & 0xFFF
        value &= (1 << min(self.bits, 28)) - 1
        if value >= (1 << min(self.bits, 28)) - 8:
            return None
        return value

    def runs(self, cluster: int) -> list[tuple[int, int]]:
        """Where a chain of clusters lies: neighbours are one span."""
        spans: list[tuple[int, int]] = []
        following: int | None = cluster
        while following is not None:
            if not 2 <= following < self.clusters + 2 or following in self._used:
                raise FormatError(f"chain meets cluster {following}")
            self._used.add(following)
            at = self.data + (following - 2) * self.cluster
            if spans and sum(spans[-1]) == at:
                spans[-1] = spans[-1][0], spans[-1][1] + self.cluster
            else:
                spans.append((at, self.cluster))
            following = self._next(following)
        return spans

    def tree(self) -> Iterator[Fact | Member]:
        """Every file: its entry, and its content where it has one."""
        paths = Paths()
        if self.bits == 32:
            spans = self.runs(struct.unpack_from("<I", self._raw, 44)[0])
        else:
            spans = [(self.root, self.root_entries * ENTRY)]
        open_ones = [("", self._entries(spans))]
        yield from self._directory(spans)
        while open_ones:
            folder, entries = open_ones[-1]
            entry = next(entries, None)
            if entry is None:
                open_ones.pop()
                continue
            if isinstance(entry, Fact):
                yield entry
                continue
            if entry.attributes & LABEL:
                for fact in entry.told.parts("volume label", "fat"):
                    # the boot sector says the same
                    alike = fact.kind == "fat.entry.short_name" and fact.value == self._label
                    yield replace(fact, derived=fact.derived or alike)
                continue
            path = paths.below(folder, entry.name, len(open_ones))
            yield from entry.told.parts(path, "fat")
            if not entry.cluster:
                continue
            spans = self.runs(entry.cluster)
            if entry.attributes & DIRECTORY:
                yield from self._directory(spans)
                open_ones.append((path, self._entries(spans)))
            else:
                yield from self._content(path, entry.size, spans)

    def _directory(self, spans: list[tuple[int, int]]) -> Iterator[Fact]:
        for span in spans:
            yield covered("fat.directory", self.blob, span, without=_without_times)

    def _content(
        self, path: str, size: int, spans: list[tuple[int, int]]
    ) -> Iterator[Fact | Member]:
        if size > sum(count for _, count in spans):
            raise FormatError(f"{path} is longer than its clusters")
        if not size:
            return
        if size <= spans[0][1]:
            span = spans[0][0], size
            yield Member(path, self.blob.part(*span), span)
            return
        parts: list[Blob] = []
        left = size
        for at, count in spans:
            span = at, min(left, count)
            left -= span[1]
            if span[1]:
                parts.append(self.blob.part(*span))
                yield covered("fat.extent", self.blob, span, path)
        yield Member(path, partial(_joined, parts))

    def _entries(self, spans: list[tuple[int, int]]) -> Iterator[Entry | Fact]:
        """The entries of one directory up to its end; deleted ones as facts."""
        if sum(size for _, size in spans) > LARGEST_DIRECTORY:
            raise LimitError(f"directory of more than {LARGEST_DIRECTORY} bytes")
        long: list[bytes] = []
        for start, size in spans:
            data = self.blob.part(start, size).read()
            for at in range(0, size - ENTRY + 1, ENTRY):
                raw = data[at : at + ENTRY]
                if raw[0] == FREE:
                    return
                if raw[0] == DELETED:
                    yield Fact("fat.deleted", raw.hex(), (start + at, ENTRY))
                elif raw[11] & 0x3F == LONG:
                    long.append(raw)
                else:
                    entry = _entry(raw, long)
                    long = []
                    if raw[:11] not in (b".          ", b"..         "):
                        yield entry


def _entry(raw: bytes, long: list[bytes]) -> Entry:
    """One entry with the parts of its long name, last part first."""
    checksum = 0
    for byte in raw[:11]:
        checksum = ((checksum & 1) << 7) + (checksum >> 1) + byte & 0xFF
    named = bool(long) and all(part[13] == checksum for part in long)
    base = (b"\xe5" if raw[0] == KANJI else raw[:1]) + raw[1:8]
    base, extension = base.rstrip(b" "), raw[8:11].rstrip(b" ")
    base = base.lower() if raw[12] & LOWER_BASE else base
    extension = extension.lower() if raw[12] & LOWER_EXTENSION else extension
    name = base + (b"." + extension if extension else b"")
    if named:
        wide = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(long))
        text = wide.decode("utf-16-le", "replace").split("\0")[0]
        name = text.encode("utf-8", "replace").replace(b"/", b"_") or name
    stored = b"".join(long)
    cursor = Cursor("fat.entry", stored + raw)
    cursor.take(len(stored))
    if stored:
        cursor.tell("long_name", stored.hex(), len(stored), derived=named)
    cursor.take(11)
    cursor.tell("short_name", text_of(raw[:11]), 11, derived=named)
    attributes = cursor.number(1)
    told = [word for bit, word in enumerate(ATTRIBUTES) if attributes >> bit & 1]
    told += [f"{attributes & 0xC0:#x}"] * bool(attributes & 0xC0)
    cursor.tell("attributes", ", ".join(told), 1)
    cursor.tell("case", cursor.number(1), 1)
    cursor.tell("created_hundredths", cursor.number(1), 1)
    cursor.tell("created", _time(cursor.number(4)), 4)
    cursor.tell("accessed", _date(cursor.number(2)), 2)
    high = cursor.number(2)
    cursor.tell("cluster_high", high, 2, derived=True)
    cursor.tell("modified", _time(cursor.number(4)), 4)
    low = cursor.number(2)
    cursor.tell("cluster", low, 2, derived=True)
    size = cursor.number(4)
    cursor.tell("size", size, 4, derived=True)
    return Entry(name, attributes, high << 16 | low, size, Metadata.of(cursor.facts))


def _date(value: int) -> str:
    """Seven bits of years since 1980, four of months, five of days."""
    return f"{1980 + (value >> 9)}-{value >> 5 & 15:02}-{value & 31:02}"


def _time(value: int) -> str:
    """A time in steps of two seconds, then a date; local, without a zone."""
    time = value & 0xFFFF
    clock = f"{time >> 11:02}:{time >> 5 & 63:02}:{(time & 31) * 2:02}"
    return f"{_date(value >> 16)}T{clock}"


def _joined(parts: list[Blob]) -> Iterator[bytes]:
    for part in parts:
        for at in range(0, part.size, 1 << 20):
            yield part.read(at, 1 << 20)


def _without_times(data: bytearray) -> None:
    """Clear the times of entries that are in use and no parts of long names."""
    for at in range(0, len(data), ENTRY):
        if data[at] in (0, 0xE5) or at + ENTRY > len(data) or data[at + 11] == LONG:
            continue
        for start, size in ((13, 5), (18, 2), (22, 4)):
            clear(data, at + start, size)
