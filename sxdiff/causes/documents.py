"""What generators of documents, pages and pictures write of their run."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
