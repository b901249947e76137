"""Gaps between spans."""

from pathlib import Path

import pytest

from sxdiff.compare.untold import Coverage
from sxdiff.model import Blob, Fact, FormatError


@pytest.fixture
def blob(tmp_path: Path) -> Blob:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789abcdef\0\0\0\0")
    return Blob(str(path), 0, 20)


def test_gaps_are_named_by_what_lies_before(blob: Blob) -> None:
    """Overlaps and any order are fine; zeros are alignment, which follows from the rest."""
    coverage = Coverage()
    for at, size, name in ((8, 4, "second"), (2, 3, "first"), (4, 2, "within"), (12, 4, "last")):
        coverage.add(Fact("k", 0, (at, size), name))
    gaps = [(gap.name, gap.at, gap.derived) for gap in coverage.gaps(blob)]
    assert gaps == [
        ("start", (0, 2), False),
        ("within", (6, 2), False),
        ("last", (16, 4), True),
    ]
    assert {gap.kind for gap in coverage.gaps(blob)} == {"untold"}


def test_a_span_outside_is_an_error(blob: Blob) -> None:
    coverage = Coverage()
    coverage.add(Fact("k", 0, (18, 3)))
    with pytest.raises(FormatError):
        list(coverage.gaps(blob))


def test_nothing_told(blob: Blob) -> None:
    assert [gap.at for gap in Coverage().gaps(blob)] == [(0, 20)]
