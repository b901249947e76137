"""Kernel modules: the checksum of each symbol that a module takes from the kernel (__versions).

Source: Linux, `include/linux/module.h` (struct modversion_info: an unsigned long and a name, 64
bytes together).
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.names import Names
from sxdiff.model import Blob, Fact, Inside, LimitError, Member, text_of

ENTRY = 64
MOST = 1 << 16


def module_versions(elf: ElfFile, index: int) -> Inside | None:
    """A checksum for each symbol, named by the symbol."""
    if elf.layout.sections[index].name != "__versions":
        return None
    return Inside("elf.module_version", partial(_facts, elf))


def _facts(elf: ElfFile, blob: Blob) -> Iterator[Fact | Member]:
    word = elf.layout.width // 8
    count = blob.size // ENTRY
    if count > MOST:
        raise LimitError(f"versions of {count} symbols")
    data = blob.read(0, count * ENTRY)
    names = Names()
    for at in range(0, len(data), ENTRY):
        entry = data[at : at + ENTRY]
        field = entry[word:]
        name = names.unique(text_of(field.rstrip(b"\0")) or "unnamed")
        crc = int.from_bytes(entry[:word], elf.layout.byteorder)
        yield Fact("elf.module_version.crc", f"{crc:#010x}", (at, word), name)
        yield Fact("elf.module_version.name", text_of(field), (at + word, ENTRY - word), name)
