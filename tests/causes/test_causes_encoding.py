"""Line ends and encodings of another system, on pairs that real tools made."""

from pathlib import Path

import pytest

from sxdiff.compare.closer import is_explained
from tests.look import Look, differences, looking

PAIRS = Path(__file__).parent.parent.parent / "fixtures" / "causes" / "pairs"


@pytest.fixture
def compare(tmp_path: Path) -> Look:
    return looking(tmp_path)


def test_line_ends_alone_are_explained(compare: Look) -> None:
    node = compare(PAIRS / "crlf" / "a" / "o.txt", PAIRS / "crlf" / "b" / "o.txt")
    (found,) = differences(node)
    assert [claim.cause for claim in found.claims] == ["line-endings"]
    assert node is not None
    assert node.verified


def test_line_ends_hide_no_word(compare: Look) -> None:
    other = (PAIRS / "crlf" / "b" / "o.txt").read_bytes().replace(b"b", b"c")
    node = compare(PAIRS / "crlf" / "a" / "o.txt", other)
    assert node is not None
    assert not is_explained(node)


@pytest.mark.parametrize("name", ["latin1", "locale-encoding", "trailing-newline-bom"])
def test_an_encoding_alone_is_explained(compare: Look, name: str) -> None:
    a, b = (PAIRS / name / side / "o.txt" for side in "ab")
    node = compare(a, b)
    (found,) = differences(node)
    assert [claim.cause for claim in found.claims] == ["different-encoding"]
    assert node is not None
    assert node.verified
    node = compare(a, b.read_bytes() + b"more\n")
    assert node is not None
    assert not is_explained(node)
