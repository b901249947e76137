"""Consequences that are alike, told as one: rows that only moved, in each of a thousand functions.

They are folded as they come, so that neither memory nor the number of differences that may be
told goes to them.
"""

from collections.abc import Iterator
from dataclasses import replace

from sxdiff.model import Difference, Span, Value

MOST_ALIKE = 3
"""Consequences of one kind in one description that are told one by one."""


class Consequences:
    """The consequences in one description, by kind."""

    def __init__(self) -> None:
        self._of: dict[str, list[Difference]] = {}

    def take(self, found: Difference) -> bool:
        """Count a difference in, if it is a consequence that both sides show."""
        if not found.derived or found.a is None or found.b is None:
            return False
        alike = self._of.setdefault(found.kind, [])
        alike.append(found)
        if len(alike) > MOST_ALIKE or (len(alike) > 1 and alike[0].count > MOST_ALIKE):
            self._of[found.kind] = [_together(alike)]
        return True

    def told(self) -> Iterator[Difference]:
        """Each, or one for all of a kind where they are more than `MOST_ALIKE`."""
        for alike in self._of.values():
            yield from alike


def _together(alike: list[Difference]) -> Difference:
    return replace(
        alike[0],
        a=_extent([one.a for one in alike if one.a]),
        b=_extent([one.b for one in alike if one.b]),
        where=(),
        bytes=sum(one.bytes for one in alike),
        count=sum(one.count for one in alike),
    )


def _extent(values: list[Value]) -> Value:
    """The first of several values, and the span from the first to the last of them."""
    spans: list[Span] = [value.at for value in values if value.at]
    if not spans:
        return values[0]
    start = min(at for at, _ in spans)
    return replace(values[0], at=(start, max(map(sum, spans)) - start))
