"""How many bytes are flipped: some of them, or with SXDIFF_FLIPS=all (`make flips`) each."""

import os

ALL = os.environ.get("SXDIFF_FLIPS") == "all"


def places(count: int, step: int) -> range:
    """Every `step`th of so many places, or all."""
    return range(0, count, 1 if ALL else step)
