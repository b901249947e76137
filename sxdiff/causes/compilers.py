"""What compilers, linkers and byte code compilers write of the build."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
