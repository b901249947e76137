"""Layers put together: the merged root file system of one side, and how far two are equal.

Whiteouts and opaque directories as in the OCI image-spec, "Image Layer Filesystem Changeset".
The merged tree is an SQLite file too: one row a path, with the layer and member that it shows.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from sxdiff.compare.index import Members, open_index
from sxdiff.formats import tar
from sxdiff.formats.tar import Header

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
ESTARGZ_MEMBERS = (b"stargz.index.json", b".prefetch.landmark", b".no.prefetch.landmark")

_MOST_LINKED = 10_000
"""Files with several names that are remembered to be the same on both sides."""

_SCHEMA = """
CREATE TABLE root (
  path BLOB PRIMARY KEY, type BLOB, head BLOB, content BLOB, link BLOB, layer INTEGER,
  ordinal INTEGER, inode_layer INTEGER, inode_ordinal INTEGER, head_key BLOB, inode_type BLOB,
  inode_link BLOB) WITHOUT ROWID;
"""
_FRESH = """
CREATE TEMP TABLE fresh (
  path BLOB PRIMARY KEY, type BLOB, head BLOB, content BLOB, link BLOB, ordinal INTEGER
) WITHOUT ROWID
"""
_LAST_OF_EACH = """
INSERT INTO fresh
  SELECT path, type, head, content, link, max(ordinal) FROM layer.member
  WHERE NOT ({0}) GROUP BY path
"""
_IS_WHITEOUT = "instr(path, CAST('.wh.' AS BLOB)) > 0 AND is_whiteout(path)"


class RootRow(NamedTuple):
    """What one path of the merged tree shows: layer (index into the layers), member number.

    `inode_*` name the member that a hard link leads to; elsewhere the member itself.
    """

    path: bytes
    type: bytes
    head: bytes
    content: bytes | None
    link: bytes
    layer: int
    ordinal: int
    inode_layer: int
    inode_ordinal: int
    head_key: bytes
    inode_type: bytes
    inode_link: bytes


_ROOT_COLUMNS = ", ".join(RootRow._fields)


def merge(layers: Sequence[tuple[str, bool]], target: str, *, whiteouts: bool = True) -> int:
    """Merge layers, lowest first, into a new file `target`; the number of paths in the tree.

    `layers` are (index file, is it estargz): an estargz layer's own members are packaging.
    In a plain root a whiteout is a file like any other (`whiteouts` false).
    """
    connection = open_index(target)
    try:
        connection.executescript(_SCHEMA)
        connection.create_function("is_whiteout", 1, is_whiteout, deterministic=True)
        for number, (path, estargz) in enumerate(layers):
            connection.execute("ATTACH ? AS layer", (os.fsencode(path),))
            connection.execute("BEGIN")
            _apply(connection, number, estargz, whiteouts)
            connection.execute("COMMIT")
            connection.execute("DETACH layer")
        if connection.execute(
            "SELECT 1 FROM root WHERE type = ? LIMIT 1", (tar.HARD_LINK,)
        ).fetchone():
            connection.execute("CREATE INDEX by_inode ON root (inode_layer, inode_ordinal)")
        found: tuple[int] = connection.execute("SELECT count(*) FROM root").fetchone()
        return found[0]
    finally:
        connection.close()


def is_whiteout(path: bytes) -> bool:
    """Does the path take something away from the layers below, rather than add itself?"""
    return path.rpartition(b"/")[2].startswith(WHITEOUT)


def _apply(connection: sqlite3.Connection, number: int, estargz: bool, whiteouts: bool) -> None:
    # what this layer takes away concerns the layers below it only, so that goes first
    takes = _IS_WHITEOUT if whiteouts else "FALSE"
    for (path,) in connection.execute(f"SELECT path FROM layer.member WHERE {takes}"):  # noqa: S608
        directory, _, name = path.rpartition(b"/")
        if name == OPAQUE:
            _remove_below(connection, directory)
        elif name != WHITEOUT:
            victim = (directory + b"/" if directory else b"") + name[len(WHITEOUT) :]
            connection.execute("DELETE FROM root WHERE path = ?", (victim,))
            _remove_below(connection, victim)
    connection.execute(_FRESH)
    connection.execute(_LAST_OF_EACH.format(takes))
    if estargz:
        connection.executemany(
            "DELETE FROM fresh WHERE path = ?", [(name,) for name in ESTARGZ_MEMBERS]
        )
    for (path,) in connection.execute(
        "SELECT f.path FROM fresh f JOIN root r ON r.path = f.path"
        " WHERE r.type = ? AND f.type <> ?",
        (tar.DIRECTORY, tar.DIRECTORY),
    ).fetchall():
        _remove_below(connection, path)
    connection.execute(
        "INSERT OR REPLACE INTO root SELECT path, type, head, content, link, ?1, ordinal, ?1,"
        " ordinal, head, type, link FROM fresh ORDER BY path",
        (number,),
    )
    any_link = "SELECT 1 FROM fresh WHERE type = ? LIMIT 1"
    if connection.execute(any_link, (tar.HARD_LINK,)).fetchone():
        _resolve_hard_links(connection, number)
    connection.execute("DROP TABLE fresh")


def _resolve_hard_links(connection: sqlite3.Connection, number: int) -> None:
    """A hard link shows the content and the metadata of the file that it names."""
    for _ in range(8):  # a link to a link to a link; tar writers name the file itself
        changed = connection.execute(
            "UPDATE root SET content = target.content, inode_layer = target.inode_layer,"
            " inode_ordinal = target.inode_ordinal, head_key = target.head_key,"
            " inode_type = target.inode_type, inode_link = target.inode_link"
            " FROM root AS target WHERE root.layer = ? AND root.type = ?"
            " AND root.ordinal = root.inode_ordinal AND root.layer = root.inode_layer"
            " AND target.path = root.link AND target.path <> root.path"
            " AND NOT (target.type = root.type AND target.ordinal = target.inode_ordinal"
            " AND target.layer = target.inode_layer)",
            (number, tar.HARD_LINK),
        ).rowcount
        if not changed:
            return


def _remove_below(connection: sqlite3.Connection, directory: bytes) -> None:
    if not directory:
        connection.execute("DELETE FROM root")
        return
    # every path below `directory` sorts between "directory/" and "directory0"
    connection.execute(
        "DELETE FROM root WHERE path > ? AND path < ?", (directory + b"/", directory + b"0")
    )


class Root:
    """A merged tree, open for reading."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = open_index(path)

    def close(self) -> None:
        self._connection.close()

    def shows(self, layer: int, path: bytes) -> bool:
        """Is it this layer's member that the merged tree shows at `path`?

        A whiteout shows nothing itself; it counts as visible, as what it removes is.
        """
        if is_whiteout(path):
            return True
        found = self._connection.execute(
            "SELECT layer FROM root WHERE path = ?", (path,)
        ).fetchone()
        return found is not None and found[0] == layer

    def shows_all(self, layers: Sequence[Members], which: Iterable[int]) -> bool:
        """Is there nothing in these of the `layers` but what the merged tree shows: no whiteout,
        no file below another, no padding and no global header that says something?

        A directory may stand in several layers, with one header.
        """
        for number in which:
            for row in layers[number].rows():
                if row.residue or row.globals or row.occurrence or is_whiteout(row.path):
                    return False
                found = self._connection.execute(
                    "SELECT layer, ordinal FROM root WHERE path = ?", (row.path,)
                ).fetchone()
                if found is None:
                    return False
                shown = layers[found[0]].row(found[1])
                if shown.head != row.head or (found[0] != number and row.type != tar.DIRECTORY):
                    return False
        return True

    def implies(self, directory: bytes) -> bool:
        """Must `directory` be there, whether a member says so or not, for what lies in it?"""
        found = self._connection.execute(
            "SELECT 1 FROM root WHERE path > ? AND path < ?", (directory + b"/", directory + b"0")
        ).fetchone()
        return found is not None

    def names_of(self, row: RootRow) -> Iterator[bytes]:
        """All paths of the tree that are hard links of this one's file, itself included."""
        for (path,) in self._connection.execute(
            "SELECT path FROM root WHERE inode_layer = ? AND inode_ordinal = ? ORDER BY path",
            (row.inode_layer, row.inode_ordinal),
        ):
            yield path

    def differing(self, other: "Root") -> Iterator[tuple[RootRow | None, RootRow | None]]:
        """Paths that do not show the same in every byte, in order; None where one lacks it."""
        connection = open_index(self.path)
        try:
            connection.execute("ATTACH ? AS other", (os.fsencode(other.path),))
            a = ", ".join(f"a.{name}" for name in RootRow._fields)
            b = ", ".join(f"b.{name}" for name in RootRow._fields)
            missing = ", ".join(["NULL"] * len(RootRow._fields))
            cursor = connection.execute(
                f"SELECT {a}, {b} FROM main.root a JOIN other.root b USING (path)"  # noqa: S608
                " WHERE a.type <> b.type OR a.head_key <> b.head_key"
                " OR a.content IS NOT b.content OR a.link <> b.link"
                f" UNION ALL SELECT {a}, {missing} FROM main.root a WHERE NOT EXISTS"
                " (SELECT 1 FROM other.root b WHERE a.path = b.path)"
                f" UNION ALL SELECT {missing}, {b} FROM other.root b WHERE NOT EXISTS"
                " (SELECT 1 FROM main.root a WHERE a.path = b.path)"
            )
            width = len(RootRow._fields)
            for found in cursor:
                yield (
                    RootRow(*found[:width]) if found[0] is not None else None,
                    RootRow(*found[width:]) if found[width] is not None else None,
                )
        finally:
            connection.close()


def rung(a: Root, b: Root, a_layers: Sequence[Members], b_layers: Sequence[Members]) -> str:
    """How far two merged trees are equal: "rootfs", "contents" or "nothing"."""
    best = "rootfs"
    linked: set[tuple[int, ...]] = set()
    for left, right in a.differing(b):
        if left is None or right is None:
            only, other = (left, b) if left is not None else (right, a)
            if only is not None and only.path == b"":
                continue  # an entry for the root itself, which every tree has
            if only is not None and only.type == tar.DIRECTORY and other.implies(only.path):
                best = "contents"  # nobody says its mode, owner and time on the other side
                continue
            return "nothing"
        if shape(left) != shape(right) or left.content != right.content:
            return "nothing"
        if best != "rootfs":
            continue
        if tar.HARD_LINK in (left.type, right.type):
            # a file with very many names is looked at once
            files = (left.inode_layer, left.inode_ordinal, right.inode_layer, right.inode_ordinal)
            if files in linked:
                continue
            if len(linked) >= _MOST_LINKED:
                linked.clear()
            linked.add(files)
            names = zip_longest(a.names_of(left), b.names_of(right))
            if any(one != other for one, other in names):
                best = "contents"
        if not same_metadata(_header(left, a_layers), _header(right, b_layers)):
            best = "contents"
    return best


def _header(row: RootRow, layers: Sequence[Members]) -> Header:
    members = layers[row.inode_layer]
    return members.header(members.row(row.inode_ordinal))


def shape(row: RootRow) -> tuple[bytes, bytes]:
    """Type and target, or device numbers; a hard link is the file that it names."""
    return (row.inode_type, b"" if row.inode_type == tar.REGULAR else row.inode_link)


def same_metadata(a: Header, b: Header) -> bool:
    """Are permissions, owner, time and attributes the same?"""
    return (
        a.permissions == b.permissions
        and (a.uid, a.gid) == (b.uid, b.gid)
        and tar.same_time(a, b)
        and a.xattrs == b.xattrs
    )
