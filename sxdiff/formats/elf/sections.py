"""Which module looks into which section. A new one is a function and its line in `TELLERS`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from sxdiff.formats.elf import code
from sxdiff.formats.elf.address_significance import address_significance
from sxdiff.formats.elf.attributes import attributes
from sxdiff.formats.elf.data import data
from sxdiff.formats.elf.debug_links import debug_link
from sxdiff.formats.elf.dwarf_lines import inside_lines
from sxdiff.formats.elf.dwarf_tables import inside_tables
from sxdiff.formats.elf.dwarf_units import inside_units
from sxdiff.formats.elf.dynamic import dynamic
from sxdiff.formats.elf.frames import frames
from sxdiff.formats.elf.go_build_info import go_build_info
from sxdiff.formats.elf.groups import section_group
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.lookup_tables import lookup_table
from sxdiff.formats.elf.mips_flags import mips_flags
from sxdiff.formats.elf.module_versions import module_versions
from sxdiff.formats.elf.notes import notes
from sxdiff.formats.elf.pointers import pointers
from sxdiff.formats.elf.relocations import relocations
from sxdiff.formats.elf.rust_metadata import rust_metadata
from sxdiff.formats.elf.string_table import string_table
from sxdiff.formats.elf.symbol_table import symbol_table
from sxdiff.formats.elf.versions import defined_versions, needed_versions, versions_of_symbols
from sxdiff.model import Blob, Inside, LimitError, Listing, Row

Teller: TypeAlias = Callable[[ElfFile, int], Inside | Listing | None]
"""Says how to look into the section of that index, or None where it is not its business.

It is asked for every section of every ELF file that differs, so it looks at the section's
header only; what it returns is asked only where the section's bytes differ.
"""

TELLERS: tuple[Teller, ...] = (
    code.inside,
    symbol_table,
    string_table,
    notes,
    dynamic,
    versions_of_symbols,
    needed_versions,
    defined_versions,
    relocations,
    pointers,
    data,
    frames,
    section_group,
    debug_link,
    go_build_info,
    rust_metadata,
    attributes,
    module_versions,
    mips_flags,
    address_significance,
    lookup_table,
    inside_tables,
    inside_units,
    inside_lines,
)


MOST_TEXT = 256 << 20
"""Characters of all rows of a listing; long names in every row could ask for far more."""


def inside(elf: ElfFile, index: int) -> Inside | Listing | None:
    """How to look into a section; None where only its bytes can be compared."""
    told = next((told for teller in TELLERS if (told := teller(elf, index))), None)
    return replace(told, rows=partial(_bounded, told.rows)) if isinstance(told, Listing) else told


def _bounded(rows: Callable[[Blob], Iterable[Row]], blob: Blob) -> Iterator[Row]:
    """The rows of a content. Raises `LimitError` where they say too much to hold."""
    total = 0
    for row in rows(blob):
        total += len(row.text)
        if total > MOST_TEXT:
            raise LimitError(f"rows of more than {MOST_TEXT} characters", row.at[0])
        yield row
