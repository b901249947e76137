"""One side, described: the parts of a format, then what they leave untold."""

from collections.abc import Iterator

from sxdiff.compare.untold import Coverage
from sxdiff.formats import Format
from sxdiff.model import Blob, Fact, LimitError, Limits, Member

MOST_PARTS = 4_000_000
"""Facts and members of one stream; parts that are equal on both sides are not kept."""


def describe(blob: Blob, known: Format, limits: Limits) -> Iterator[Fact | Member]:
    """All parts of `blob` as `known` tells them, and a member for every gap between them.

    Raises `FormatError` where the bytes are not what the format promises.
    """
    coverage = Coverage()
    for number, part in enumerate(known.dissect(blob, limits)):
        if number >= MOST_PARTS:
            raise LimitError(f"more than {MOST_PARTS} parts")
        coverage.add(part)
        yield part
    yield from coverage.gaps(blob)
