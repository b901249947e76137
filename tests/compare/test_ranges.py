"""Ranges against a comparison of byte by byte."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sxdiff.compare import ranges
from sxdiff.model import Blob, Member, Symbol


def blob_of(directory: Path, name: str, data: bytes) -> Blob:
    path = directory / name
    path.write_bytes(data)
    return Blob(str(path), 0, len(data))


def differing(a: bytes, b: bytes) -> list[int]:
    return [at for at, (one, two) in enumerate(zip(a, b, strict=True)) if one != two]


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 299), max_size=40))
def test_equal_sizes_by_position(tmp_path_factory: object, data: bytes, flips: list[int]) -> None:
    """Ranges hold every differing byte, start and end with one, and are eight bytes apart."""
    other = bytearray(data)
    for at in flips:
        other[at % len(data)] ^= 0xFF
    base = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    a, b = blob_of(base, "a", data), blob_of(base, "b", bytes(other))
    found = ranges.ranges(a, b)
    places = differing(data, bytes(other))
    assert sum(one.bytes for one in found) == len(places)
    for one in found:
        assert one.a == one.b
        assert {one.a[0], sum(one.a) - 1} <= set(places)
    for one, two in pairwise(found):
        assert two.a[0] - sum(one.a) >= ranges.APART
    assert all(any(one.a[0] <= at < sum(one.a) for one in found) for at in places)
    coarse = ranges.ranges(a, b, most=2)
    assert len(coarse) <= 3
    assert sum(one.bytes for one in coarse) == len(places)
    assert ranges.count_differing(a, b) == len(places)
    assert ranges.differing(data, bytes(other)) == len(places)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=9), st.binary(max_size=9))
def test_other_sizes_trim_both_ends(
    tmp_path_factory: object, head: bytes, tail: bytes, one: bytes, two: bytes
) -> None:
    """Putting b's ranges into a gives b."""
    base = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    left, right = head + one + tail, head + two + tail
    found = ranges.ranges(blob_of(base, "a", left), blob_of(base, "b", right))
    patched = left
    for place in reversed(found):
        patched = patched[: place.a[0]] + right[place.b[0] : sum(place.b)] + patched[sum(place.a) :]
    assert patched == right
    assert bool(found) == (left != right)


def test_chunk_borders(tmp_path: Path) -> None:
    """A range that spans two chunks is one; far apart in two chunks are two."""
    data = bytes(2 * ranges.CHUNK + 5)
    other = bytearray(data)
    for at in (ranges.CHUNK - 1, ranges.CHUNK, 2 * ranges.CHUNK + 4):
        other[at] = 1
    a, b = blob_of(tmp_path, "a", data), blob_of(tmp_path, "b", bytes(other))
    assert [one.a for one in ranges.ranges(a, b)] == [
        (ranges.CHUNK - 1, 2),
        (2 * ranges.CHUNK + 4, 1),
    ]


def test_many_ranges_are_coarsened(tmp_path: Path) -> None:
    data = bytes(100 * 32)
    other = bytearray(data)
    other[::32] = b"\1" * 100
    a, b = blob_of(tmp_path, "a", data), blob_of(tmp_path, "b", bytes(other))
    found = ranges.ranges(a, b)
    assert len(found) == ranges.MOST_RANGES + 1
    assert found[-1].a == (64 * 32, 35 * 32 + 1)
    assert found[-1].bytes == 36


def test_strings_of_a_table_are_told_one_by_one(tmp_path: Path) -> None:
    a = blob_of(tmp_path, "a", b"\0main.c\0/build/a\0x\0/build/a/lib\0int\0")
    b = blob_of(tmp_path, "b", b"\0main.c\0/build/bcd\0x\0/build/bcd/lib\0int\0")
    member = Member("m", a, kind="k")
    told = [
        (one.a and one.a.value, one.b and one.b.value)
        for one in ranges.differences(a, b, member, member)
    ]
    assert told == [("/build/a", "/build/bcd"), ("/build/a/lib", "/build/bcd/lib")]


def test_values(tmp_path: Path) -> None:
    """A word is told whole, bytes as hex; offsets are shifted; a symbol covers its bytes."""
    a = blob_of(tmp_path, "a", b"\1\2Jan 3 2026\0" + bytes(20) + b"\7" * 100)
    b = blob_of(tmp_path, "b", b"\1\2Jan 4 2026\0" + bytes(20) + b"\6" * 100)
    left = Member("m", a, kind="k", at=(1000, 33), opaque=True, symbols=(Symbol(2, 11, "built"),))
    date, rest = ranges.differences(a, b, left, left, shifts=(1000, 1000))
    assert date.a and rest.a
    assert (date.a.value, date.a.at, date.bytes, date.symbol) == (
        "Jan 3 2026",
        (1002, 10),
        1,
        "built",
    )
    assert (rest.a.value, rest.a.size, rest.symbol) == ("07" * 64, 100, None)
    assert rest.a.digest and rest.a.digest.startswith("sha256:")
    assert rest.a.excerpt == "00" * 8 + "07" * 64
