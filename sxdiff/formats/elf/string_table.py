"""Sections that are nothing but NUL-terminated strings, string by string.

Source: gABI 4.1, chapter 4, "String Table", and SHF_MERGE with SHF_STRINGS; Linux'
`include/linux/moduleparam.h` and `moduleinfo.h` for .modinfo; GCC's -frecord-gcc-switches.
"""

import re
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.dwarf_strings import STRINGS, label_of_string
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, Listing, Row

MOST_BYTES = 8 << 20
"""Size up to which strings are rows; the strings of a larger table are found as bytes."""
BY_NAME = {
    ".comment": "elf.producer",
    ".interp": "elf.interpreter",
    ".modinfo": "elf.modinfo",
    ".GCC.command.line": "elf.command_line",
    ".LLVM.command.line": "elf.command_line",
    ".llvmcmd": "elf.command_line",
    ".debug_str": "elf.strings",
    ".debug_line_str": "elf.strings",
    ".zdebug_str": "elf.strings",
    ".zdebug_line_str": "elf.strings",
}
"""Sections that are strings whatever their flags say."""
_STRING = re.compile(rb"[^\0]+\0?|\0+")


def string_table(elf: ElfFile, index: int) -> Listing | None:
    """One row a string: the same strings in another order are one difference."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    kind = BY_NAME.get(section.name)
    # lld keeps the flags of what it has merged, although numbers lie there too
    linked = elf.layout.type != schema.ET_REL and section.name == ".rodata"
    merged = not linked and section.flags & schema.SHF_STRINGS and section.entry_size <= 1
    if kind is None and (section.type == schema.SHT_STRTAB or merged):
        kind = "elf.strings"
    aligned = merged and section.row[8] > 1
    rows = partial(_rows, elf, section.name, bool(aligned))
    return Listing(kind, rows, separate=True, unordered=True) if kind else None


def _rows(elf: ElfFile, name: str, aligned: bool, blob: Blob) -> Iterator[Row]:
    data = blob.read(0, MOST_BYTES)
    if len(data) < blob.size:
        return  # an unpacked section that is larger than its header says: one row
    # who uses a string of debug information: without it a path is only a path
    label = label_of_string(elf, name) if name in STRINGS else None
    for found in _STRING.finditer(data):
        raw = found[0]
        if not raw[0] and (len(raw) > 1 or aligned):
            yield Row((found.start(), len(raw)), "padding")
            continue
        # bytes that are no UTF-8 stay as they are: rows are made text where they are told
        text = raw.rstrip(b"\0").decode("utf-8", "surrogateescape")
        if not raw.endswith(b"\0"):
            text += " (without an end)"
        yield Row((found.start(), len(raw)), text, (), label(found.start()) if label else "")
