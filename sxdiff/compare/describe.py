"""One side, described: the parts of a format, then what they leave untold."""

from collections.abc import Iterable, Iterator

from sxdiff.compare.untold import Coverage
from sxdiff.model import Blob, Fact, LimitError, Member

MOST_PARTS = 4_000_000
"""Facts and members of one stream; parts that are equal on both sides are not kept."""


def describe(blob: Blob, parts: Iterable[Fact | Member]) -> Iterator[Fact | Member]:
    """All `parts` that a format tells of `blob`, and a member for every gap between them.

    Raises `FormatError` where the bytes are not what the format promises.
    """
    coverage = Coverage()
    for number, part in enumerate(parts):
        if number >= MOST_PARTS:
            raise LimitError(f"more than {MOST_PARTS} parts")
        coverage.add(part)
        yield part
    yield from coverage.gaps(blob)
