"""Layers as the first pass reads them, for tests of several rooms."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from blake3 import blake3

from sxdiff.compare.index import COLUMNS, Members, Row
from sxdiff.formats.tar import Header
from sxdiff.image.unpack import Unpacked
from sxdiff.model import Blob, Limits
from sxdiff.work.scan import Scan, scan

LIMITS = Limits()


def blob_of(path: Path) -> Blob:
    return Blob(str(path), 0, path.stat().st_size)


def scanned(
    path: Path,
    data: bytes,
    *,
    digest: str | None = None,
    diff_id: str | None = None,
    index: bool = True,
    limits: Limits = LIMITS,
) -> Scan:
    """Read `data` as a layer that is stored below the directory `path`."""
    number = len(list(path.iterdir()))
    stored = path / f"{number}.layer"
    stored.write_bytes(data)
    return scan(
        Unpacked(blob_of(stored), limits),
        name="the layer",
        digest=digest,
        diff_id=diff_id,
        index=str(path / f"{number}.index") if index else None,
        limits=limits,
        progress=lambda _: None,
    )


@contextmanager
def members_of(scan: Scan) -> Iterator[tuple[Members, list[Row]]]:
    """The index that a scan left: open, and all of its rows in their order."""
    assert scan.index is not None
    members = Members(scan.index)
    try:
        yield members, rows_of(scan.index)
    finally:
        members.close()


def rows_of(index: str) -> list[Row]:
    with closing(sqlite3.connect(index)) as connection:
        found = connection.execute(f"SELECT {COLUMNS} FROM member ORDER BY ordinal")  # noqa: S608
        return [Row(*row) for row in found]


def headers(path: Path, data: bytes) -> dict[bytes, tuple[Row, Header]]:
    """All members of a tar stream by path."""
    with members_of(scanned(path, data)) as (members, rows):
        return {row.path: (row, members.header(row)) for row in rows}


def content_digest(data: bytes) -> bytes:
    """How the index knows a content."""
    return blake3(data).digest()
