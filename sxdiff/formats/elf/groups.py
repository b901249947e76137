"""Section groups: the sections that belong together, by name.

Source: gABI 4.1, chapter 4, "Section Groups".
"""

import struct
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, LimitError, Listing, Row

COMDAT = 1
MOST = 1 << 16


def section_group(elf: ElfFile, index: int) -> Listing | None:
    """One row a section."""
    if elf.layout.sections[index].type != schema.SHT_GROUP:
        return None
    return Listing("elf.group", partial(_rows, elf))


def _rows(elf: ElfFile, blob: Blob) -> Iterator[Row]:
    if blob.size > 4 * MOST:
        raise LimitError(f"group of more than {MOST} sections")
    data = blob.read()
    sections = elf.layout.sections
    words = struct.iter_unpack(elf.layout.order + "I", data[: len(data) & ~3])
    for number, (word,) in enumerate(words):
        if number == 0:
            text = "COMDAT" if word == COMDAT else f"flags {word:#x}"
        else:
            text = sections[word].name if word < len(sections) else f"section {word}"
        yield Row((number * 4, 4), text)
