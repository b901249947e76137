"""The index of a layer's members: an SQLite file in the spool, written by pass 1.

Pairing two layers is a join in C, memory stays bounded whatever the number of members, and rows
come out in the order of their paths (ADR 2). Headers are kept as they are, packed in batches, so
that a changed header needs no second look at the layer.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sxdiff.formats.tar import HARD_LINK, Header

SCHEMA = """
CREATE TABLE member (
  ordinal INTEGER PRIMARY KEY, path BLOB, occurrence INTEGER, type BLOB, head BLOB, content BLOB,
  residue BLOB, at INTEGER, head_size INTEGER, size INTEGER, link BLOB, globals INTEGER,
  batch INTEGER, batch_at INTEGER);
CREATE TABLE heads (batch INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE globals (number INTEGER PRIMARY KEY, records BLOB);
"""
COLUMNS = (
    "ordinal, path, occurrence, type, head, content, residue, at, head_size, size, link, globals,"
    " batch, batch_at"
)


_MOST_LINKS = 8
"""Links to links that are followed; tar writers name the file itself."""
SPARSE, PADDING = b"S", b"P"
"""First byte of a residue: the digest of a sparse file's stored form, or padding bytes."""


class Row(NamedTuple):
    """One member. `head` and `content` are BLAKE3 digests; `at` is where its header starts.

    `content` is None for what holds none; `residue` is what else differs when it differs
    (padding that is not zero, the stored form of a sparse file). `link` is the target of a link
    or the numbers of a device. `batch` and `batch_at` say where its raw header lies in `heads`.
    """

    ordinal: int
    path: bytes
    occurrence: int
    type: bytes
    head: bytes
    content: bytes | None
    residue: bytes | None
    at: int
    head_size: int
    size: int
    link: bytes
    globals: int
    batch: int
    batch_at: int

    @property
    def data_at(self) -> int:
        """Where the member's data starts in the unpacked stream."""
        return self.at + self.head_size


def open_index(path: str) -> sqlite3.Connection:
    """An index file of the spool: no journal, no waiting for the disk, little cache."""
    connection = sqlite3.connect(path, isolation_level=None)
    # what is sorted on disk belongs into the spool too (an old SQLite may not know this any more);
    # a name that is no UTF-8 cannot be said here: then SQLite finds a place, and leaves nothing
    directory = os.path.dirname(os.path.abspath(path)).replace("'", "''")
    if directory.isprintable():
        connection.execute(f"PRAGMA temp_store_directory='{directory}'")
    connection.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-8192;"
        "PRAGMA temp_store=FILE;"
    )
    return connection


def pack_records(records: Mapping[str, bytes]) -> bytes:
    """PAX records in force, as the index keeps them."""
    return b"".join(
        b"%d %d %s%s" % (len(key), len(value), key, value)
        for key, value in sorted((key.encode(), value) for key, value in records.items())
    )


def unpack_records(data: bytes) -> dict[str, bytes]:
    """What `pack_records` wrote."""
    records = {}
    while data:
        key_size, value_size, rest = data.split(b" ", 2)
        middle = int(key_size)
        end = middle + int(value_size)
        records[rest[:middle].decode()] = rest[middle:end]
        data = rest[end:]
    return records


class Members:
    """One layer's index, open for reading: rows and raw headers."""

    def __init__(self, path: str) -> None:
        import zstandard  # noqa: PLC0415 - start-up time: equal images never get here

        self.path = path
        self._connection = open_index(path)
        self._unpack = zstandard.ZstdDecompressor().decompress
        self._batches: OrderedDict[int, bytes] = OrderedDict()
        self._globals: dict[int, dict[str, bytes]] = {0: {}}

    def close(self) -> None:
        self._connection.close()

    def row(self, ordinal: int) -> Row:
        """The member with this number."""
        found = self._connection.execute(
            f"SELECT {COLUMNS} FROM member WHERE ordinal = ?",  # noqa: S608 - a constant
            (ordinal,),
        ).fetchone()
        return Row(*found)

    def rows(self) -> Iterator[Row]:
        """All members, in the order of the layer."""
        for found in self._connection.execute(
            f"SELECT {COLUMNS} FROM member ORDER BY ordinal"  # noqa: S608 - a constant
        ):
            yield Row(*found)

    def raw_header(self, row: Row) -> bytes:
        """The member's header blocks, as they stand in the layer."""
        data = self._batches.get(row.batch)
        if data is None:
            (packed,) = self._connection.execute(
                "SELECT data FROM heads WHERE batch = ?", (row.batch,)
            ).fetchone()
            data = self._batches[row.batch] = self._unpack(packed)
            if len(self._batches) > 16:
                self._batches.popitem(last=False)
        return data[row.batch_at : row.batch_at + row.head_size]

    def header(self, row: Row) -> Header:
        """The member's header, read."""
        return Header.parse(self.raw_header(row), self.records(row))

    def records(self, row: Row) -> Mapping[str, bytes]:
        """The PAX global records in force for the member."""
        records = self._globals.get(row.globals)
        if records is None:
            (packed,) = self._connection.execute(
                "SELECT records FROM globals WHERE number = ?", (row.globals,)
            ).fetchone()
            records = self._globals[row.globals] = unpack_records(packed)
        return records

    def linked(self, row: Row) -> Row | None:
        """The file of this layer that a hard link names: the last one before it."""
        for _ in range(_MOST_LINKS):
            found = self._connection.execute(
                f"SELECT {COLUMNS} FROM member WHERE path = ? AND ordinal < ?"  # noqa: S608
                " ORDER BY ordinal DESC LIMIT 1",
                (row.link, row.ordinal),
            ).fetchone()
            if found is None:
                return None
            row = Row(*found)
            if row.type != HARD_LINK:
                return row
        return None

    def holds_below(self, directory: bytes) -> bool:
        """Whether a member lies below `directory` ("" is the root)."""
        found = self._connection.execute(
            "SELECT 1 FROM member WHERE path > ? AND path < ? LIMIT 1",
            (directory + b"/", directory + b"0") if directory else (b"", b"\xff"),
        ).fetchone()
        return found is not None

    def holds(self, path: bytes) -> bool:
        """Whether a member has this path."""
        found = self._connection.execute(
            "SELECT 1 FROM member WHERE path = ? LIMIT 1", (path,)
        ).fetchone()
        return found is not None

    def differing(self, other: "Members") -> Iterator[tuple[Row | None, Row | None]]:
        """Pairs by path that are not the same in every byte, and rows without a partner.

        Several members of one path pair by their order. In the order of the paths.
        """
        connection = open_index(self.path)
        try:
            connection.execute("ATTACH ? AS other", (os.fsencode(other.path),))
            a = ", ".join(f"a.{name.strip()}" for name in COLUMNS.split(","))
            b = ", ".join(f"b.{name.strip()}" for name in COLUMNS.split(","))
            missing = ", ".join(["NULL"] * len(Row._fields))
            cursor = connection.execute(
                f"SELECT {a}, {b} FROM main.member a JOIN other.member b"  # noqa: S608 - constants
                " ON a.path = b.path AND a.occurrence = b.occurrence"
                " WHERE a.head <> b.head OR a.content IS NOT b.content"
                " OR a.residue IS NOT b.residue"
                f" UNION ALL SELECT {a}, {missing} FROM main.member a WHERE NOT EXISTS (SELECT 1"
                " FROM other.member b WHERE a.path = b.path AND a.occurrence = b.occurrence)"
                f" UNION ALL SELECT {missing}, {b} FROM other.member b WHERE NOT EXISTS (SELECT 1"
                " FROM main.member a WHERE a.path = b.path AND a.occurrence = b.occurrence)"
            )
            width = len(Row._fields)
            for found in cursor:
                yield (
                    Row(*found[:width]) if found[0] is not None else None,
                    Row(*found[width:]) if found[width] is not None else None,
                )
        finally:
            connection.close()

    def common_order(self, other: "Members") -> Iterator[int]:
        """Numbers in `other` of the paths that both have, in this layer's order."""
        connection = open_index(self.path)
        try:
            connection.execute("ATTACH ? AS other", (os.fsencode(other.path),))
            for (ordinal,) in connection.execute(
                "SELECT b.ordinal FROM main.member a JOIN other.member b"
                " ON a.path = b.path AND a.occurrence = b.occurrence ORDER BY a.ordinal"
            ):
                yield ordinal
        finally:
            connection.close()
