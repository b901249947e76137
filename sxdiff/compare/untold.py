"""What no fact and no member of a container tells: the gaps between their spans.

Every gap becomes a member of kind `untold`, named by what lies before it, so that flipping any
byte of any file is told. Gaps that are equal on both sides vanish in pairing.
"""

from collections.abc import Iterator

from sxdiff.model import Blob, Fact, FormatError, Member

KIND = "untold"
START = "start"
"""The name of a gap before which nothing lies."""
CHUNK = 1 << 20


class Coverage:
    """The spans told of one stream. Neighbours are merged as they come, so that the fields of
    a header table cost one entry together."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int, str]] = []  # start, end, name of what ends there

    def add(self, part: Fact | Member, name: str = "") -> None:
        """Count the part's span, if it has one, as told."""
        if part.at is None or part.at[1] <= 0:
            return
        start, end = part.at[0], part.at[0] + part.at[1]
        name = name or part.name or part.kind
        if self._spans:
            last_start, last_end, _ = self._spans[-1]
            if last_start <= start <= last_end:
                if end >= last_end:
                    self._spans[-1] = (last_start, end, name)
                return
        self._spans.append((start, end, name))

    def gaps(self, blob: Blob) -> Iterator[Member]:
        """The stream's untold bytes, in order. Only zeros (alignment) are `derived`: how many
        they are follows from what lies around them."""
        at, before = 0, START
        for start, end, name in sorted(self._spans):
            if end > blob.size:
                raise FormatError(f"{name} lies outside the stream", start)
            if start > at:
                yield _gap(blob, at, start, before)
            if end >= at:
                at, before = end, name
        if at < blob.size:
            yield _gap(blob, at, blob.size, before)


def _gap(blob: Blob, start: int, end: int, before: str) -> Member:
    content = blob.part(start, end - start)
    return Member(
        before,
        content,
        (start, end - start),
        KIND,
        opaque=True,
        derived=_only_zeros(content),
    )


def _only_zeros(blob: Blob) -> bool:
    chunks = (blob.read(at, CHUNK) for at in range(0, blob.size, CHUNK))
    return all(chunk.count(0) == len(chunk) for chunk in chunks)
