"""Which module looks into which section. A new one is a function and its line in `TELLERS`."""

from collections.abc import Callable
from typing import TypeAlias

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Inside, Listing

Teller: TypeAlias = Callable[[ElfFile, int], Inside | Listing | None]
"""Says how to look into the section of that index, or None where it is not its business.

It is asked for every section of every ELF file that differs, so it looks at the section's
header only; what it returns is asked only where the section's bytes differ.
"""

TELLERS: tuple[Teller, ...] = ()


def inside(elf: ElfFile, index: int) -> Inside | Listing | None:
    """How to look into a section; None where only its bytes can be compared."""
    return next((told for teller in TELLERS if (told := teller(elf, index))), None)
