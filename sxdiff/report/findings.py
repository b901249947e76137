"""Findings: differences counted by their cause, and in it by their kind, each with one example."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from sxdiff.model import Difference, Route
from sxdiff.report import words
from sxdiff.wire import JsonObject

UNEXPLAINED: Final = "unexplained"
"""The pseudo-cause of what no cause explains. Never confirmed, always first."""

MOST_BINDINGS: Final = 3
"""Pairs of values that the evidence of a finding names."""


class Binding(NamedTuple):
    """What varied by a cause: a value of each side, in `places` differences. `needs` is what the
    claim needs to stand."""

    cause: str
    a: str
    b: str
    needs: str
    places: int


class Diagnosis(Protocol):
    """What knows causes: which claims stand in the light of all, and what to say of them."""

    def judged(self, bindings: list[Binding]) -> Iterable[tuple[Binding, Route | None]]:
        """Bindings that do not stand as claimed: with None where they fall, with the route of
        what they follow from where they are consequences."""

    def words(self, cause: str, producers: str) -> JsonObject:
        """`title`, `family`, `why`, `fix`, `references` of a cause. The fix is for the `producers`
        of the artefacts, as they name themselves."""

    def ties(self, bindings: list[Binding]) -> str:
        """What the images say of the same values: that a time is that of their creation. Empty
        where they say nothing."""

    def proof(self, suspect: str) -> str:
        """What would prove a suspicion."""


_HEX = re.compile("[0-9a-f]+")


def causes_of(stored: JsonObject) -> list[str]:
    """The causes that a stored difference claims, each once."""
    return [*dict.fromkeys(claim[0] for claim in stored.get("claims", ()))]


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
    consequences: int = 0
    """What follows from others in the files of these differences."""
    suspects: dict[str, int] = field(default_factory=dict)
    """Differences by the cause that they look like."""


def _evidence(bindings: list[Binding]) -> str:
    """The values that varied, each with the number of its places where they are several."""
    told = []
    for one in bindings[:MOST_BINDINGS]:
        places = f" ({one.places:,} places)" if len(bindings) > 1 and one.places > 1 else ""
        told.append(f"{_short(one.a)} / {_short(one.b)}{places}")
    if len(bindings) > MOST_BINDINGS:
        told.append(f"and {len(bindings) - MOST_BINDINGS:,} more")
    return ", ".join(told)


def _short(value: str) -> str:
    told = value.replace("\n", " ")
    return told if len(told) <= 80 else f"{told[:79]}…"


def finding_of(
    cause: str,
    tally: Tally,
    differences: Iterable[str],
    diagnosis: Diagnosis | None = None,
    bindings: list[Binding] | None = None,
    producers: str = "",
) -> JsonObject:
    """The finding as the report says it. `differences` are the ids of its places, `bindings` what
    varied there."""
    unexplained = cause == UNEXPLAINED
    known = diagnosis.words(cause, producers) if diagnosis and not unexplained else {}
    evidence = words.places(tally.differences, tally.files)
    if bindings:
        tied = diagnosis.ties(bindings) if diagnosis else ""
        evidence = f"{_evidence(bindings)}{tied and f' ({tied})'}: {evidence}"
    return {
        "cause": cause,
        "title": "Differences that no known cause explains"
        if unexplained
        else known.get("title", cause),
        "family": UNEXPLAINED if unexplained else known.get("family", ""),
        "confirmed": not unexplained,
        "platforms": sorted(tally.platforms),
        "differences": differences,
        "files": tally.files,
        "bytes": tally.size,
        "evidence": evidence,
        "why": known.get("why", ""),
        "fix": known.get("fix", ""),
        "references": known.get("references", []),
        "consequences": 0 if unexplained else tally.consequences,
        "suspects": [
            {
                "cause": name,
                "differences": count,
                "proof": diagnosis.proof(name) if diagnosis else "",
            }
            for name, count in sorted(tally.suspects.items(), key=lambda item: (-item[1], item[0]))
        ],
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
