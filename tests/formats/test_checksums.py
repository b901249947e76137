"""A checksum that does not hold is told for itself, whatever else there is to tell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sxdiff.compare.closer import look
from sxdiff.compare.pair import checked
from sxdiff.formats.catalogue import HEAD, sniff
from sxdiff.model import Blob, Difference, Fact, Inside, Limits, Member, Node, Value
from sxdiff.work.spool import Spool

ARTEFACTS = Path("fixtures/artefacts")
CHECKED = (
    ("cpio", "cpio.check"),
    ("cramfs", "cramfs.superblock.crc"),
    ("erofs", "erofs.superblock.checksum"),
    ("ext", "ext.superblock.checksum"),
    ("font", "font.checksum"),
    ("font", "font.head.checkSumAdjustment"),
    ("font-woff", "font.checksum"),
    ("git_index", "git_index.checksum"),
    ("git_pack", "git_pack.checksum"),
    ("git_pack_index", "git_pack_index.checksum"),
    ("gzip", "gzip.crc32"),
    ("gzip", "gzip.isize"),
    ("jks", "jks.digest"),
    ("lzip", "lzip.crc32"),
    ("lzip", "lzip.size"),
    ("ogg", "ogg.crc"),
    ("png", "png.crc"),
    ("rpm", "rpm.lead.name"),
    ("rpm", "rpm.md5"),
    ("rpm", "rpm.reservedspace"),
    ("rpm", "rpm.sha1header"),
    ("rpm", "rpm.sha256header"),
    ("rpm", "rpm.size"),
    ("sevenzip", "sevenzip.next_crc"),
    ("sevenzip", "sevenzip.start_crc"),
    ("uimage", "uimage.data_crc"),
    ("uimage", "uimage.header_crc"),
    ("vmlinuz", "vmlinuz.crc32"),
    ("zip", "zip.crc32"),
    ("zip", "zip.end.entries"),
    ("zip", "zip.size"),
)
"""An artefact and a kind of fact in it that is told as a consequence, and is recomputed."""


def _artefact(folder: str, side: str) -> Blob:
    (path,) = (ARTEFACTS / folder).glob(f"{side}.*")
    return Blob(str(path), 0, path.stat().st_size)


def _facts(blob: Blob) -> Iterator[Fact]:
    """All facts with a place in `blob`, those of its parts too, as far as they follow."""
    head = blob.read(0, HEAD)
    known = sniff(head, blob.size)
    assert known
    yield from _told(known.dissect(blob, Limits()), blob)


def _told(parts: Iterator[Fact | Member], blob: Blob, base: int = 0) -> Iterator[Fact]:
    for each in parts:
        if isinstance(each, Fact):
            if each.at:
                at = (base + each.at[0], each.at[1])
                yield Fact(each.kind, each.value, at, each.name, checked(each).derived)
        elif isinstance(each.inside, Inside) and each.at and isinstance(each.content, Blob):
            yield from _told(iter(each.inside.parts(each.content)), blob, base + each.at[0])


def _roots(node: Node | None) -> Iterator[Difference]:
    if node:
        yield from (each for each in node.differences if not each.derived)
        for inner in node.nodes:
            yield from _roots(inner)


@pytest.mark.parametrize(("folder", "kind"), CHECKED)
def test_a_wrong_checksum_is_a_root(tmp_path: Path, folder: str, kind: str) -> None:
    places = [
        fact.at
        for fact in _facts(_artefact(folder, "b"))
        if fact.kind == kind and fact.derived and fact.at
    ]
    assert places
    assert _new_roots(tmp_path, folder, places[0][0])


@pytest.mark.parametrize("at", [31, 39, 500, 508, 1025, 1500])
def test_what_no_row_says_of_a_database_is_a_root(tmp_path: Path, at: int) -> None:
    """Counts of pages; space between rows; a tree's own numbers."""
    assert _new_roots(tmp_path, "sqlite", at)


@pytest.mark.parametrize("at", [75, 80])
def test_symbols_that_no_member_has_are_a_root(tmp_path: Path, at: int) -> None:
    """The place of a member, and the first letter of a symbol or another place."""
    assert _new_roots(tmp_path, "ar", at)


def _new_roots(tmp_path: Path, folder: str, at: int) -> set[tuple[str, Value | None]]:
    """The roots of a pair that are there only if one byte of one side is another one."""
    a, b = _artefact(folder, "a"), _artefact(folder, "b")
    flipped = bytearray(b.read())
    flipped[at] ^= 0x40
    path = tmp_path / "flipped"
    path.write_bytes(flipped)
    with Spool.create(None) as spool:
        before = list(_roots(look(a, b, folder, spool, Limits())))
        after = list(_roots(look(a, Blob(str(path), 0, len(flipped)), folder, spool, Limits())))
    assert before
    return {(each.kind, each.b) for each in after} - {(each.kind, each.b) for each in before}
