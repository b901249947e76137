"""How much of a long test is run: a sample, or all with SXDIFF_TESTS=all (`make thorough`)."""

import os
from collections.abc import Sequence
from typing import TypeVar

ALL = os.environ.get("SXDIFF_TESTS") == "all"

_Item = TypeVar("_Item")


def places(count: int, step: int) -> range:
    """Every `step`th of so many places, or all."""
    return range(0, count, 1 if ALL else step)


def part(items: Sequence[_Item], step: int) -> Sequence[_Item]:
    """Every `step`th item, or all."""
    return items[:: 1 if ALL else step]


def so_many(few: int, many: int) -> int:
    """How many: few, or many."""
    return many if ALL else few
