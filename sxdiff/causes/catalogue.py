"""All causes, those that need the most first. A new one is a value in its family's file."""

from typing import Final

from sxdiff.causes import (
    archives,
    compilers,
    derived,
    documents,
    encoding,
    host,
    metadata,
    oci,
    order,
    path,
    randomness,
    state,
    time,
)
from sxdiff.causes.cause import Cause
from sxdiff.causes.suspicion import SUSPICIONS

__all__ = ["CAUSES", "SUSPICIONS", "cause"]

CAUSES: Final[tuple[Cause, ...]] = (
    *oci.CAUSES,
    *metadata.CAUSES,
    *state.CAUSES,
    *randomness.PINNED,
    *archives.CAUSES,
    *compilers.CAUSES,
    *documents.CAUSES,
    *derived.CAUSES,
    *encoding.CAUSES,
    *order.CAUSES,
    *host.CAUSES,
    *path.CAUSES,
    *time.CAUSES,
    *randomness.CAUSES,
)
"""Of two that explain a place alike, the first one counts: special ones before general ones."""

_BY_ID: Final = {one.id: one for one in reversed(CAUSES)}


def cause(name: str) -> Cause | None:
    """The cause of this id."""
    return _BY_ID.get(name)
