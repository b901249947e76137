"""What archives, packages and file systems keep of the build beside their contents."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
