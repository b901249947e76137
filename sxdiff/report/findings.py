"""Findings: differences counted by their cause, and in it by their kind, each with one example."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sxdiff.model import Difference
from sxdiff.wire import JsonObject

UNEXPLAINED: Final = "unexplained"
"""The pseudo-cause of what no cause explains. Never confirmed, always first."""

_HEX = re.compile("[0-9a-f]+")


def is_readable(difference: Difference) -> bool:
    """Whether both values are text that a person can read: the better example."""
    a, b = difference.a, difference.b
    return (
        a is not None
        and b is not None
        and isinstance(a.value, str)
        and isinstance(b.value, str)
        and not (_HEX.fullmatch(a.value) and _HEX.fullmatch(b.value))
    )


@dataclass(slots=True)
class Tally:
    """Counts of one cause, or of one kind in it. `number` tells its files from others'."""

    number: int
    differences: int = 0
    files: int = 0
    size: int = 0
    last: tuple[str, str] | None = None
    platforms: set[str] = field(default_factory=set)
    kinds: "dict[str, Tally]" = field(default_factory=dict)
    example: int = 0
    telling: int = -1
    example_row: tuple[bytes, int] = (b"", 0)


def finding_of(cause: str, tally: Tally, differences: Iterable[str]) -> JsonObject:
    """The finding as the report says it. `differences` are the ids of its places."""
    unexplained = cause == UNEXPLAINED
    evidence = f"{tally.differences:,} difference{'s' * (tally.differences != 1)}"
    if tally.files:
        evidence += f" in {tally.files:,} file{'s' * (tally.files != 1)}"
    return {
        "cause": cause,
        "title": "Differences that no known cause explains" if unexplained else cause,
        "family": UNEXPLAINED if unexplained else "",
        "confirmed": not unexplained,
        "platforms": sorted(tally.platforms),
        "differences": differences,
        "bytes": tally.size,
        "evidence": evidence,
        "fix": "",
        "references": [],
        "kinds": [
            {
                "kind": kind,
                "differences": one.differences,
                "files": one.files,
                "bytes": one.size,
                "example": f"d{one.example}",
            }
            for kind, one in sorted(tally.kinds.items(), key=lambda item: (-item[1].files, item[0]))
        ],
    }
