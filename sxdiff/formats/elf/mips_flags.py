"""MIPS: the instruction set and floating point ABI of an object (.MIPS.abiflags).

Source: MIPS O32 ABI, "FR0 and FR1 Interlinking", section 5; binutils' `include/elf/mips.h`.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, Inside, Member

FIELDS = (
    Field("version", "H"),
    Field("isa_level", "B"),
    Field("isa_rev", "B"),
    Field("gpr_size", "B"),
    Field("cpr1_size", "B"),
    Field("cpr2_size", "B"),
    Field("fp_abi", "B"),
    Field("isa_ext", "I"),
    Field("ases", "I", hexadecimal),
    Field("flags1", "I", hexadecimal),
    Field("flags2", "I", hexadecimal),
)


def mips_flags(elf: ElfFile, index: int) -> Inside | None:
    """Each field of the record."""
    if elf.layout.sections[index].name != ".MIPS.abiflags":
        return None
    return Inside("elf.mips_flags", partial(_facts, elf))


def _facts(elf: ElfFile, blob: Blob) -> Iterator[Fact | Member]:
    return Record("elf.mips_flags", elf.layout.order, FIELDS).facts(blob, 0)
