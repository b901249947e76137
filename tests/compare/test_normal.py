"""The check that does not believe the tree: what is left of both streams must be equal."""

from pathlib import Path

import pytest

from sxdiff.compare.closer import is_explained
from sxdiff.compare.normal import Ledger
from sxdiff.model import Blob, Fact, Node
from tests.look import Look, differences, looking


@pytest.fixture
def compare(tmp_path: Path) -> Look:
    return looking(tmp_path)


def blob(folder: Path, name: str, data: bytes) -> Blob:
    path = folder / name
    path.write_bytes(data)
    return Blob(str(path), 0, len(data))


def test_what_lies_outside_of_the_spans_must_be_equal(tmp_path: Path) -> None:
    a, b = blob(tmp_path, "a", b"one 2026 end"), blob(tmp_path, "b", b"one 19 end")
    ledger = Ledger()
    assert not ledger.equal(a, b)
    ledger.replace((4, 4), (4, 2), b"<year>")
    assert ledger.equal(a, b)
    assert b"".join(ledger.chunks(0, a)) == b"one <year> end"
    assert not ledger.equal(a, blob(tmp_path, "c", b"one 19 End"))


def test_spans_that_overlap_are_one(tmp_path: Path) -> None:
    a = blob(tmp_path, "a", b"0123456789")
    ledger = Ledger()
    ledger.replace((2, 4), (2, 4), b"x")
    ledger.replace((4, 4), (4, 4), b"y")
    assert b"".join(ledger.chunks(0, a)) == b"01x89"


def test_what_follows_a_stream_counts(tmp_path: Path) -> None:
    a, b = blob(tmp_path, "a", b"same"), blob(tmp_path, "b", b"same")
    ledger = Ledger()
    ledger.follow(0, b"1")
    assert not ledger.equal(a, b)
    ledger.follow(1, b"1")
    assert ledger.equal(a, b)


def test_an_order_that_means_nothing(tmp_path: Path) -> None:
    a, b = blob(tmp_path, "a", b"x\0y\0z"), blob(tmp_path, "b", b"z\0x\0y")
    for data, equal in ((b"z\0x\0y", True), (b"z\0x\0x", False)):
        b = blob(tmp_path, "b", data)
        ledger = Ledger()
        for side, one in enumerate((a, b)):
            ledger.sort(side, one, 0, ((0, 1), (2, 1), (4, 1)))
        assert ledger.equal(a, b) is equal


def test_no_place_follows_where_nothing_moved() -> None:
    """A place or a size is a consequence only of something that moved."""
    offset = Fact("x.offset", 8, (0, 4), derived=True), Fact("x.offset", 12, (0, 4), derived=True)
    checksum = Fact("x.crc32", 8, (4, 4), derived=True), Fact("x.crc32", 9, (4, 4), derived=True)
    ledger = Ledger()
    for left, right in (offset, checksum):
        ledger.replace(left.at, right.at)
        ledger.follow_facts(left, right, (0, 0))
    assert ledger.impossible() == [(*offset, (0, 0))]
    ledger.replace((20, 4), (20, 8))
    assert ledger.impossible() == []


def test_a_program_header_moves_as_far_as_something_else() -> None:
    ledger = Ledger()
    ledger.replace((20, 4), (20, 8))
    facts = [
        (
            Fact("elf.segment.p_offset", 64, (0, 8), derived=True),
            Fact("elf.segment.p_offset", 64 + far, (0, 8), derived=True),
        )
        for far in (4, 5)
    ]
    for left, right in facts:
        ledger.follow_facts(left, right, (0, 0))
    assert ledger.impossible() == [(*facts[1], (0, 0))]


OBJECTS = Path(__file__).parent.parent / "artefacts"


def test_an_explained_object_is_verified(compare: Look) -> None:
    """Another date and another path, of one size: all else is equal."""
    node = compare(OBJECTS / "small-x86_64.o", OBJECTS / "small-x86_64-b.o")
    assert node is not None
    assert is_explained(node)
    assert node.verified


def test_one_byte_more_and_nothing_is_verified(compare: Look) -> None:
    """Each byte of the other object flipped in turn: where all stays explained, the byte lies in
    what is explained, or in a checksum that nothing can recompute."""
    a = OBJECTS / "small-x86_64.o"
    data = (OBJECTS / "small-x86_64-b.o").read_bytes()
    explained: list[int] = []
    for at in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[at] ^= 0x04
        node = compare(a, bytes(flipped))
        if node is None or not (is_explained(node) and node.verified):
            continue
        explained.append(at)
        assert _is_in_a_root(node, at), at
    assert explained  # another letter of a path is still a path


def _is_in_a_root(node: Node, at: int) -> bool:
    spans = [found.b.at for found in differences(node) if found.claims and found.b and found.b.at]
    return any(start <= at < start + size for start, size in spans)
