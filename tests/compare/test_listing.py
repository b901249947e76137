"""Listings: rows aligned by what they say; a place that moved is a consequence, another is not."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from sxdiff.compare import listing
from sxdiff.compare.places import Places
from sxdiff.model import Blob, Difference, FormatError, LimitError, Listing, Member, Row, Symbol

Strings = tuple[bytes, bytes]
Pair = tuple[Member, Member]


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


def texts(folder: Path, *sides: bytes) -> tuple[Places, Pair]:
    """The places of two listings of strings, a row each; of NULs, padding."""

    def rows(content: Blob) -> Iterable[Row]:
        at = 0
        for one in content.read().split(b"\0")[:-1]:
            yield Row((at, len(one) + 1), one.decode() or "padding")
            at += len(one) + 1

    left, right = (
        Member(".text", blob(folder, f"texts {number}", data), inside=Listing("toy", rows))
        for number, data in enumerate(sides)
    )
    return Places([(left, right)], _stored), (left, right)


def found_in(places: Places, members: Pair) -> list[Difference]:
    left, right = members
    return listing.differences(_stored(left), _stored(right), left, right, places, (0, 0))


def test_a_text_that_changed_and_moved_is_one(tmp_path: Path) -> None:
    a = b"2026-01-01\0one\0two\0three\0"
    b = b"one\0two\0three\0" + b"2026-01-01 and more\0"
    places, members = texts(tmp_path, a, b)
    assert said(found_in(places, members)) == [("toy", "2026-01-01", "2026-01-01 and more", False)]
    assert places.same(".text", 0, 14)
    assert places.same(".text", 11, 0)  # "one" is where it was, between others
    assert not places.same(".text", 11, 4)


def test_texts_that_have_nothing_in_common_are_two(tmp_path: Path) -> None:
    """Of two that are gone and two that came; but what pointed at one may point at the other."""
    a = b"a first text\0some other\0one\0two\0"
    places, members = texts(tmp_path, a, b"one\0two\0nothing alike\0at all\0")
    found = found_in(places, members)
    assert [(kind, derived) for kind, _, _, derived in said(found)] == [("toy", False)] * 2
    assert places.same(".text", 0, 8)
    assert not places.same(".text", 13, 8)  # it has taken the place of another
    assert places.same(".text", 13, 22)


def test_padding_that_comes_is_a_consequence(tmp_path: Path) -> None:
    places, members = texts(tmp_path, b"one\0two\0", b"one\0\0\0two!\0")
    found = said(found_in(places, members))
    assert ("toy.padding", "", "padding\npadding", True) in found


def test_another_order_whatever_padding_lies_between(tmp_path: Path) -> None:
    places, members = texts(tmp_path, b"one\0\0two\0three\0", b"two\0three\0one\0")
    ((kind, before, after, derived),) = said(found_in(places, members))
    assert (kind, derived) == ("toy.order", False)
    assert (before, after) == ("one\npadding\ntwo\nthree", "two\nthree\none")


def test_places_in_members_of_other_names(tmp_path: Path) -> None:
    """A text that moved to a member that only one side has, or to one where it is too."""
    places, _ = texts(tmp_path, b"gone\0stays\0", b"stays\0")
    assert places.alike((".text", 0), ("new", 0))
    assert places.alike((".text", 5), (".text", 0))


def large(seed: int, changed: int = -1) -> bytes:
    """As many pieces as make a large content, other ones for each seed."""
    pieces = [b"%d piece %d" % (seed, number) for number in range(30_000)]
    if changed >= 0:
        pieces[changed] = pieces[changed].replace(b"piece", b"PIECE")
    return b"".join(one + b"\0" for one in pieces)


def test_strangers_are_not_aligned(tmp_path: Path) -> None:
    places, members = texts(tmp_path, large(1), large(2))
    with pytest.raises(LimitError, match="in both"):
        places.aligned(*members)
    places, members = texts(tmp_path, large(1), large(1, 777))
    ((kind, before, _, _),) = said(found_in(places, members))
    assert (kind, before) == ("toy", "1 piece 777")


class Parts:
    """Rows of one byte each, cut every 1,000 bytes; counts what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, content: Blob) -> Iterable[Row]:
        raise AssertionError(f"asked for all rows of {content.size} bytes")

    def cuts(self) -> list[int]:
        return list(range(1000, 500_000, 1000))

    def some(self, content: Blob, start: int, end: int) -> Iterable[Row]:
        self.asked.append((start, end))
        assert content.size == end - start
        for at, byte in enumerate(content.read()):
            yield Row((start + at, 1), f"row {byte}")


def test_a_large_content_is_asked_for_what_differs(tmp_path: Path) -> None:
    data = bytes(range(250)) * 2000
    other = bytearray(data)
    other[123_456] ^= 1
    rows = Parts(), Parts()
    left, right = (
        Member("m", blob(tmp_path, f"part {number}", side), inside=Listing("toy", rows[number]))
        for number, side in enumerate((data, bytes(other)))
    )
    (found,) = found_in(Places([(left, right)], _stored), (left, right))
    assert found.a
    assert (found.a.value, found.a.at) == (f"row {data[123_456]}", (123_456, 1))
    assert rows[0].asked == rows[1].asked == [(123_000, 124_000)]
