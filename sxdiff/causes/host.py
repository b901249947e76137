"""What the machine and its user put into the result: names, kernel, processor, locale."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
