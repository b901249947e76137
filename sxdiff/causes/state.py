"""What package managers and services leave in an image: logs, caches, databases, identities."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
