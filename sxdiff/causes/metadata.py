"""Owners, modes and order of files in layers."""

from typing import Final

from sxdiff.causes.cause import Cause

CAUSES: Final[tuple[Cause, ...]] = ()
