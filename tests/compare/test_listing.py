"""Listings: rows aligned by what they say; a place that moved is a consequence, another is not."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from sxdiff.compare import listing
from sxdiff.compare.places import Places
from sxdiff.model import Blob, Difference, FormatError, Listing, Member, Row, Symbol

Strings = tuple[bytes, bytes]


def blob(folder: Path, name: str, data: bytes) -> Blob:
    path = folder / name
    path.write_bytes(data)
    return Blob(str(path), 0, len(data))


def compared(
    folder: Path,
    a: bytes,
    b: bytes,
    strings: Strings = (b"", b""),
    shifts: tuple[int, int] = (0, 0),
) -> list[Difference]:
    """Two listings of rows of two bytes: a letter, and an offset in `.strings` (0: none)."""

    def rows(content: Blob) -> Iterable[Row]:
        data = content.read()
        for at in range(0, len(data) - 1, 2):
            to = ((".strings", data[at + 1] - 1),) if data[at + 1] else ()
            yield Row((at, 2), chr(data[at]), to, label=f"row {chr(data[at])}")

    known = Listing("toy", rows)
    left, right = (
        Member("code", blob(folder, f"code {side}", data), inside=known)
        for side, data in (("a", a), ("b", b))
    )
    tables = tuple(
        Member(".strings", blob(folder, f"strings {side}", data))
        for side, data in zip("ab", strings, strict=True)
    )
    places = Places([(tables[0], tables[1])], _stored)
    return listing.differences(_stored(left), _stored(right), left, right, places, shifts)


def _stored(member: Member) -> Blob:
    assert isinstance(member.content, Blob)
    return member.content


def said(found: list[Difference]) -> list[tuple[str, object, object, bool]]:
    return [(one.kind, one.a and one.a.value, one.b and one.b.value, one.derived) for one in found]


def test_a_row_in_the_middle(tmp_path: Path) -> None:
    (found,) = compared(tmp_path, b"x\0y\0z\0", b"x\0Y\0z\0", shifts=(100, 200))
    assert said([found]) == [("toy", "y", "Y", False)]
    assert found.a and found.b
    assert (found.a.at, found.b.at, found.bytes, found.symbol) == ((102, 2), (202, 2), 1, "row y")
    assert found.diff == "@@ -1,3 +1,3 @@\n x\n-y\n+Y\n z\n"


def test_an_inserted_row_moves_no_other(tmp_path: Path) -> None:
    (found,) = compared(tmp_path, b"x\0y\0z\0", b"x\0new\0y\0z\0"[:2] + b"n\0" + b"y\0z\0")
    assert said([found]) == [("toy", "", "n", False)]


def test_the_same_rows_in_another_order(tmp_path: Path) -> None:
    (found,) = compared(tmp_path, b"w\0x\0y\0z\0", b"w\0z\0x\0y\0")
    assert said([found]) == [("toy.order", "x\ny\nz", "z\nx\ny", False)]


def test_places_that_moved_with_what_they_hold_are_one_consequence(tmp_path: Path) -> None:
    """A string got longer: what lies behind it has moved, and is the same."""
    strings = (b"one\0two\0three\0", b"one\0second\0three\0")
    (found,) = compared(tmp_path, b"x\1y\5z\x09", b"x\1y\5z\x0c", strings)
    assert said([found]) == [("toy.layout", "z", "z", True)]
    assert found.count == 1


def test_a_place_that_holds_something_else_is_a_difference(tmp_path: Path) -> None:
    strings = (b"one\0two\0three\0", b"one\0second\0three\0")
    (found,) = compared(tmp_path, b"x\1z\x09", b"x\1z\1", strings)
    assert (found.kind, found.derived, found.bytes) == ("toy", False, 1)
    assert found.a and found.a.value == "z (.strings+0x8)"


def test_bytes_that_no_row_tells_are_told(tmp_path: Path) -> None:
    (found,) = compared(tmp_path, b"x\0y", b"x\0z")
    assert said([found]) == [("toy", "79", "7a", False)]


def test_rows_that_overlap_are_refused(tmp_path: Path) -> None:
    content = blob(tmp_path, "content", b"abcd")
    other = blob(tmp_path, "other", b"abce")
    member = Member(
        "m", content, inside=Listing("toy", lambda _: [Row((0, 3), "a"), Row((2, 2), "b")])
    )
    with pytest.raises(FormatError):
        listing.differences(content, other, member, member, Places([], _stored), (0, 0))


def test_places_by_symbols(tmp_path: Path) -> None:
    """In a table that is all another one, the symbol and the offset in it say what is the same."""
    a, b = blob(tmp_path, "a", bytes(range(1, 33))), blob(tmp_path, "b", bytes(range(101, 149)))
    left = Member(".data", a, symbols=(Symbol(0, 16, "one"), Symbol(16, 16, "two")))
    right = Member(".data", b, symbols=(Symbol(0, 16, "two"), Symbol(32, 16, "one")))
    places = Places([(left, right)], _stored)
    assert places.same(".data", 3, 35)
    assert not places.same(".data", 3, 3)
    assert places.same(".data", 20, 4)
