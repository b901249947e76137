"""Objects of R and databases of them: items with their names, chunks however they are packed."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.catalogue import sniff
from sxdiff.formats.data.r_rdb import RRdb
from sxdiff.formats.data.r_rds import RRds
from sxdiff.model import Blob, FormatError, LimitError, Limits, Listing, Member, Node
from tests.look import Look, differences, looking, told

A, B = (path.read_bytes() for path in sides(ARTEFACTS / "r_rdb"))
HEADER = b"X\n\0\0\0\2\0\3\6\0\0\2\3\0"


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def rows(data: bytes, path: Path) -> list[tuple[str, str]]:
    """The items of an object, which must lie without gaps."""
    path.write_bytes(data)
    *_, member = RRds().dissect(Blob(str(path), 0, len(data)), Limits())
    assert isinstance(member, Member)
    assert isinstance(member.content, Blob)
    assert isinstance(member.inside, Listing)
    found = list(member.inside.rows(member.content))
    ends = [0, *(sum(row.at) for row in found)]
    assert [row.at[0] for row in found] == ends[:-1]
    assert ends[-1] == member.content.size
    return [(row.text, row.label) for row in found]


def chunks(data: bytes) -> list[bytes]:
    held = []
    while data:
        inflater = zlib.decompressobj()
        held.append(inflater.decompress(data[4:]))
        assert len(held[-1]) == struct.unpack_from(">I", data)[0]
        data = inflater.unused_data
    return held


def test_every_item_of_a_package_is_told(tmp_path: Path) -> None:
    held = [rows(each, tmp_path / "rds") for each in chunks(A)]
    assert ("POSIXct 1768039199.9738357 (0x3)", "timestamp") in held[7]
    assert ("'/build/1st/pk'", "wd") in held[7]
    assert ("'srcfilecopy'", "class") in held[7]
    assert ("namespace, 0, 2 names", "") in held[10]
    assert ("byte code, 1 shared", "") in held[10]
    assert ("double 1.0", "") in held[10]
    assert ("reference 2 to 'srcfile' (0x2ff)", "") in held[10]


def test_a_database_is_the_same_but_for_its_sources(look: Look) -> None:
    node = look(A, B)
    assert isinstance(node, Node)
    assert node.verified
    claims = [claim for one in differences(node) for claim in one.claims]
    assert {claim.cause for claim in claims} == {"randomness-in-r-rdb-rds-databases"}
    assert ("/build/1st", "/build/2nd") in {(claim.a, claim.b) for claim in claims}
    assert ("1768039199.9738357", "1768039199.9754238") in {(claim.a, claim.b) for claim in claims}


def test_another_value_is_none_of_its_sources(look: Look) -> None:
    held = chunks(B)
    held[10] = held[10].replace(struct.pack(">d", 1), struct.pack(">d", 2))
    other = b"".join(struct.pack(">I", len(each)) + zlib.compress(each) for each in held)
    node = look(A, other)
    assert isinstance(node, Node)
    assert not node.verified
    assert [row[2:] for row in told(node) if row[1][0] == "chunk 11"] == [
        ("double 1.0", "double 2.0")
    ]


def xz(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 9}])


@pytest.mark.parametrize(
    ("letter", "pack"), [(b"2", bz2.compress), (b"Z", xz), (b"0", bytes)], ids=["bzip2", "xz", "no"]
)
def test_chunks_may_be_packed_in_four_ways(
    look: Look, letter: bytes, pack: Callable[[bytes], bytes]
) -> None:
    first, *more = chunks(A)
    head = struct.pack(">I", len(first)) + zlib.compress(first)
    sides = []
    for last in (b"one", b"two"):
        held = [*more, HEADER + struct.pack(">III", 0x10, 1, 0x40009) + b"\0\0\0\3" + last]
        parts = (struct.pack(">I", len(each)) + letter + pack(each) for each in held)
        sides.append(head + b"".join(parts))
    assert told(look(*sides)) == [
        ("r_rds.object", (f"chunk {len(more) + 2}", "object"), "'one'", "'two'")
    ]


def test_other_packing_of_the_same_chunks_is_told(look: Look) -> None:
    other = b"".join(struct.pack(">I", len(each)) + zlib.compress(each, 1) for each in chunks(A))
    node = look(A, other)
    assert isinstance(node, Node)
    assert node.verified
    assert {row[0] for row in told(node)} == {"r_rdb.packing"}


def test_sizes_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "rdb"
    for size, error in ((A[:3] + b"\xc7", FormatError), (b"\xff" * 4, LimitError)):
        path.write_bytes(size + A[4:])
        with pytest.raises(error):
            list(RRdb().dissect(Blob(str(path), 0, len(A)), Limits()))
    assert not sniff(b"\0\0\0\1" + A[4:], len(A))


def test_deep_or_broken_objects_end(tmp_path: Path) -> None:
    deep = struct.pack(">II", 0x13, 1) * 1000
    with pytest.raises(LimitError):
        rows(HEADER + deep, tmp_path / "a")
    for broken in (
        struct.pack(">II", 0x13, 0x7FFFFFFF),
        struct.pack(">I", 0x1FF),
        struct.pack(">I", 0x63),
        struct.pack(">II", 0x0E, 1000),
    ):
        with pytest.raises(FormatError):
            rows(HEADER + broken, tmp_path / "b")
