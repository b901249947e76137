"""SQLite databases: header by field, schema, rows of each table; pages only as layout.

Source: sqlite.org/fileformat2.html, 1.3 "The Database Header". Rows are read by the sqlite3
library in memory, with everything but reading denied, untrusted schemas and bounded work.
"""

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sxdiff.formats.data import sqlite_pages
from sxdiff.formats.parts import Names, bytes_part, line_rows, line_text, packed, whole
from sxdiff.formats.record import Field, Record, hexadecimal, named
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Listing,
    Member,
    Span,
    text_of,
)

MAGIC = b"SQLite format 3\0"
MOST = 64 << 20
"""Bytes of a database whose rows are read; of a larger one pages are told as bytes."""
STEPS, MOST_STEPS = 100_000, 20_000
"""Instructions of SQLite's machine between two looks, and looks until a query is given up."""
MOST_ROWS = 900_000
"""Rows of one table."""
LONGEST = 4096
"""Characters of one value of a row; of longer ones the digest is told."""
INSTALLED = {1008: "INSTALLTIME", 1128: "INSTALLTID"}
INT32 = 4
DERIVED = True
HEADER = Record(
    "sqlite",
    ">",
    (
        Field("magic", "16s", hexadecimal),
        Field("page_size", "H"),
        Field("write_version", "B", named({1: "legacy", 2: "WAL"})),
        Field("read_version", "B", named({1: "legacy", 2: "WAL"})),
        Field("reserved_per_page", "B"),
        Field("max_payload_fraction", "B"),
        Field("min_payload_fraction", "B"),
        Field("leaf_payload_fraction", "B"),
        Field("change_counter", "I"),
        Field("page_count", "I", derived=DERIVED),
        Field("freelist_trunk", "I", derived=DERIVED),
        Field("freelist_pages", "I", derived=DERIVED),
        Field("schema_cookie", "I"),
        Field("schema_format", "I"),
        Field("default_cache_size", "I"),
        Field("largest_root", "I"),
        Field("text_encoding", "I", named({1: "UTF-8", 2: "UTF-16le", 3: "UTF-16be"})),
        Field("user_version", "I"),
        Field("incremental_vacuum", "I"),
        Field("application_id", "I", hexadecimal),
        Field("reserved", "20s", hexadecimal),
        Field("version_valid_for", "I", derived=DERIVED),
        Field("sqlite_version", "I"),
    ),
)
SAFE = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
CHECK = "integrity_check"
COUNTS = frozenset(f"sqlite.{name}" for name in ("page_count", "freelist_trunk", "freelist_pages"))
MOST_WALKED = 64 << 20
"""Bytes of a database whose pages are gone through."""
ROOTS = "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0"
SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name, tbl_name"


class Sqlite:
    """Facts for the header, a listing for the schema and one for the rows of each table."""

    name = "sqlite"

    def recognises(self, head: bytes) -> bool:
        """The header string of a database that has a whole header."""
        return len(head) >= HEADER.size and head.startswith(MAGIC)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Header, schema, tables by name, then all behind the header as one derived digest."""
        counter = HEADER.number(blob, 0, "change_counter")
        sound = partial(_is_sound, blob)
        for fact in HEADER.facts(blob, 0):
            if fact.kind == "sqlite.version_valid_for" and fact.value == counter:
                # as it is where the last writer was no older than 3.7.0: nothing of its own
                follows = (fact.at,) if fact.at else ()
                yield Fact(fact.kind, "as change_counter", fact.at, derived=True, follows=follows)
            elif fact.kind in COUNTS:
                yield replace(fact, check=sound)
            else:
                yield fact
        rest = (HEADER.size, blob.size - HEADER.size)
        if blob.size > MOST:
            yield bytes_part("sqlite.pages", "pages", blob, rest)
            return
        yield Member(
            "tables",
            partial(_dumped, blob),
            inside=Inside("sqlite", partial(_tables, most=limits.text_bytes)),
        )
        if rest[1]:
            yield from _besides(blob)
            yield replace(packed("sqlite.pages", blob, rest, "tables"), check=sound)


def _besides(blob: Blob) -> Iterator[Fact]:
    """What the pages hold that is in no row."""
    if blob.size > MOST_WALKED:
        return
    try:
        roots = [int(str(page)) for _, (page,) in _query(blob, ROOTS)]
        unused, row_ids = sqlite_pages.rest(whole(blob, MOST), roots)
    except FormatError as error:
        yield Fact("sqlite.broken", str(error))
        return
    yield Fact("sqlite.unused", f"sha256:{unused}" if unused else "zeros")
    yield Fact("sqlite.row_ids", f"sha256:{row_ids}")


def _is_sound(blob: Blob) -> bool:
    """Whether SQLite finds indexes, lists of free pages and counts as the tables demand."""
    if blob.size > MOST_WALKED:
        return True
    counter, valid, pages, size = (
        HEADER.number(blob, 0, name)
        for name in ("change_counter", "version_valid_for", "page_count", "page_size")
    )
    if counter == valid and pages * (65536 if size == 1 else size) != blob.size:
        return False
    try:
        return [row for _, row in _query(blob, f"PRAGMA {CHECK}")] == [("ok",)]
    except FormatError:
        return False


def _opened(blob: Blob) -> sqlite3.Connection:
    data = bytearray(whole(blob, MOST))
    # a database in memory has no write-ahead log; without one, both versions read the same
    data[18:20] = b"\1\1"
    connection = sqlite3.connect(":memory:")
    try:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST)
        connection.deserialize(bytes(data))
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_allowed)
        looks = iter(range(MOST_STEPS))
        connection.set_progress_handler(lambda: next(looks, None) is None, STEPS)
        connection.text_factory = line_text
    except sqlite3.Error as error:
        connection.close()
        raise FormatError(f"SQLite says: {error}") from error
    return connection


def _allowed(action: int, subject: object, *_: object) -> int:
    safe = action in SAFE or (action == sqlite3.SQLITE_PRAGMA and subject == CHECK)
    return sqlite3.SQLITE_OK if safe else sqlite3.SQLITE_DENY


def _query(blob: Blob, query: str) -> Iterator[tuple[list[str], tuple[object, ...]]]:
    """Each row with the names of its columns; the library's exceptions as `FormatError`."""
    connection = _opened(blob)
    try:
        cursor = connection.execute(query)
        columns = [column[0] for column in cursor.description]
        for number, row in enumerate(cursor):
            if number >= MOST_ROWS:
                raise LimitError(f"more than {MOST_ROWS} rows")
            yield columns, row
    except (
        sqlite3.Error,
        sqlite3.Warning,
        UnicodeError,
        OverflowError,
        ValueError,
        MemoryError,  # what SQLite says of a damaged schema, too
    ) as error:
        raise FormatError(f"SQLite says: {error}") from error
    finally:
        connection.close()


def _dumped(blob: Blob) -> Iterator[bytes]:
    """All that the database says, in lines: its schema, then each table's rows behind a line that
    starts with NUL and is the table's name. Rows of virtual tables are computed: they have none."""
    names = []
    yield b"\0schema\n"
    for _, (kind, name, table, text) in _query(blob, SCHEMA):
        yield _line(f"{kind} {name} of {table}: {text}")
        if kind == "table" and not str(text).upper().startswith("CREATE VIRTUAL"):
            names.append(str(name))
    for name in names:
        yield b"\0table " + _line(name)
        quoted = name.replace('"', '""')
        for columns, row in _query(blob, f'SELECT * FROM "{quoted}"'):  # noqa: S608 - quoted
            values = zip(columns, row, strict=True)
            yield _line(", ".join(f"{column}={_value(value)}" for column, value in values))


def _line(text: str) -> bytes:
    return text.replace("\n", "\\n").encode("utf-8", "surrogateescape") + b"\n"


def _tables(blob: Blob, most: int) -> Iterator[Fact | Member]:
    """The parts of what `_dumped` gives: a listing for the schema and one for each table."""
    names = Names()
    name, start, at = "", 0, 0
    with blob.open() as stream:
        for line in stream:
            if line.startswith(b"\0"):
                if at > start:
                    yield _listing(blob, name, (start, at - start), most)
                start = at + len(line)
                name = names(text_of(line[1:-1].removeprefix(b"table ")))
                yield Fact("sqlite.table", name, (at, len(line)), name)
            at += len(line)
    if at > start:
        yield _listing(blob, name, (start, at - start), most)


def _listing(blob: Blob, name: str, span: Span, most: int) -> Member:
    """Rows are aligned in memory: those of a table with more than `most` bytes are only a text."""
    if span[1] > most:
        return Member(name, blob.part(*span), span)
    return Member(name, blob.part(*span), span, inside=Listing("sqlite.rows", line_rows))


def _package(data: bytes) -> str | None:
    """The header of a package as rpm's database has it (rpm 4.18, docs/manual/hregions.md): when
    it was installed, and the digest of all else. None for anything else."""
    if len(data) < 8:
        return None
    entries, size = struct.unpack(">II", data[:8])
    store = 8 + 16 * entries
    if not entries or len(data) != store + size:
        return None
    rest, told = bytearray(data), []
    for tag, kind, offset, count in struct.iter_unpack(">IIII", data[8:store]):
        if tag in INSTALLED and (kind, count) == (INT32, 1) and offset + 4 <= size:
            at = store + offset
            told.append(f"{INSTALLED[tag]}={int.from_bytes(data[at : at + 4], 'big')}")
            rest[at : at + 4] = bytes(4)
    if len(told) != len(INSTALLED):
        return None
    return f"[package of {len(data)} bytes, {', '.join(told)}, else {_digest(bytes(rest))}]"


def _value(value: object) -> str:
    """A value as SQL writes it; of a long one its digest."""
    if isinstance(value, str):
        told = "'" + value.replace("'", "''") + "'"
    elif isinstance(value, bytes):
        told = _package(value) or f"x'{value.hex()}'"
    else:
        told = "NULL" if value is None else repr(value)
    if len(told) <= LONGEST:
        return told
    raw = told.encode("utf-8", "surrogateescape")
    return f"[{len(raw)} characters, {_digest(raw)}]"


def _digest(raw: bytes) -> str:
    import hashlib  # noqa: PLC0415 - long values are rare

    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
