"""LLVM: symbols whose addresses matter, by name (.llvm_addrsig).

Source: LLVM, "Extensions", section "SHT_LLVM_ADDRSIG Section".
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, LimitError, Listing, Row

MOST_BYTES = 4 << 20


def address_significance(elf: ElfFile, index: int) -> Listing | None:
    """One row a symbol."""
    if elf.layout.sections[index].name != ".llvm_addrsig":
        return None
    return Listing("elf.address_significance", partial(_rows, elf, index))


def _rows(elf: ElfFile, index: int, blob: Blob) -> Iterator[Row]:
    if blob.size > MOST_BYTES:
        raise LimitError(f"list of symbols of {blob.size} bytes")
    names = elf.symbol_names(elf.layout.sections[index].link)
    value = shift = start = 0
    for at, byte in enumerate(blob.read()):
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80 or shift > 63:
            text = names[value] if value < len(names) else f"symbol {value}"
            yield Row((start, at + 1 - start), text)
            value = shift = 0
            start = at + 1
