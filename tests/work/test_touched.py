"""A report says where in a layer's stream the members lie that differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.images import image, layer
from fixtures.tar import Member, file, tar
from sxdiff.run import Options, compare
from tests.images import archive

Spans = list[list[int]]


def _members(number: int, changed: int, text: str) -> Iterator[Member]:
    for at in range(number):
        yield file(f"{at:04}", text if at == changed else "same")


def _touched(tmp_path: Path, a: bytes, b: bytes) -> tuple[list[Spans], list[int]]:
    """Of both sides' only layer: where it is touched, and its length."""
    paths = tmp_path / "a.tar", tmp_path / "b.tar"
    for path, data in zip(paths, (a, b), strict=True):
        path.write_bytes(archive(image([layer(data)])) if data else b"")
    with compare(str(paths[0]), str(paths[1]), Options(jobs=1), None) as report:
        (platform,) = report.header["platforms"]
        layers = [platform[side]["layers"][0] for side in "ab"]
        return [one["touched"] for one in layers], [one["unpacked"] for one in layers]


@pytest.mark.parametrize("changed", [0, 7, 99])
def test_the_blocks_of_the_member_that_differs(tmp_path: Path, changed: int) -> None:
    a, b = (tar(_members(100, changed, text)) for text in ("one", "two"))
    touched, unpacked = _touched(tmp_path, a, b)
    assert touched == [[[changed * 1024, 1024]]] * 2  # a header and a block
    assert unpacked == [len(a), len(b)]


def test_a_member_of_one_side_touches_that_side(tmp_path: Path) -> None:
    a, b = tar(_members(3, 0, "same")), tar(_members(4, 3, "more"))
    touched, _ = _touched(tmp_path, a, b)
    assert touched == [[], [[3 * 1024, 1024]]]


def test_of_a_long_layer_whole_parts(tmp_path: Path) -> None:
    """Parts are a 256th, in whole blocks; they cover what differs, and lie in the layer."""
    a, b = (tar(_members(2000, 1000, text)) for text in ("one", "two"))
    touched, unpacked = _touched(tmp_path, a, b)
    part = -(-unpacked[0] // 512 // 256) * 512
    for ((at, size),) in touched:
        assert at % part == 0 and size % part == 0
        assert at <= 1000 * 1024 and 1001 * 1024 <= at + size <= unpacked[0]
        assert size <= 2 * part


def test_without_a_difference_nothing_is_touched(tmp_path: Path) -> None:
    data = tar(_members(3, 0, "same"))
    touched, unpacked = _touched(tmp_path, data, data)
    assert touched == [[], []]
    assert unpacked == [len(data)] * 2
