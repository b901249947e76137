"""Where functions start, in files without symbols: the table of .eh_frame_hdr.

Source: LSB Core 5.0, 10.6.2 "The .eh_frame_hdr section".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sxdiff.model import Blob, FormatError

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import Layout

MOST = 1 << 20
"""Functions of one file; libLLVM has about 200,000."""
SDATA4_PCREL, UDATA4, SDATA4_DATAREL = 0x1B, 0x03, 0x3B
"""The encodings that linkers write: address of .eh_frame, count, table."""


def function_starts(blob: Blob, layout: Layout) -> Sequence[int]:
    """Addresses of functions in order; none where there is no such table."""
    section = next((one for one in layout.sections if one.name == ".eh_frame_hdr"), None)
    if section is None or not section.has_content:
        return ()
    try:
        content = blob.part(section.offset, section.size)
    except FormatError:
        return ()
    head = content.read(0, 12)
    if len(head) < 12 or head[:4] != bytes((1, SDATA4_PCREL, UDATA4, SDATA4_DATAREL)):
        return ()
    (count,) = struct.unpack_from(layout.order + "I", head, 8)
    data = content.read(12, 8 * min(count, MOST))
    pairs = struct.unpack(f"{layout.order}{len(data) // 4}i", data[: len(data) & ~3])
    return sorted(section.address + start for start in pairs[::2])
