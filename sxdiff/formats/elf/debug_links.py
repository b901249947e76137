"""Where the debug information of a stripped file lies: .gnu_debuglink, .gnu_debugaltlink.

Source: GDB manual, "Debugging Information in Separate Files"; dwz(1) for the second.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.notes import GNU_BUILD_ID, read_notes
from sxdiff.formats.elf.schema import SHT_NOTE
from sxdiff.model import Blob, Fact, FormatError, Inside, Member, text_of

LONGEST = 64 << 10
"""Longest name of a file."""


def debug_link(elf: ElfFile, index: int) -> Inside | None:
    """The name of the debug file and its CRC, or the build-id of the file dwz made."""
    name = elf.layout.sections[index].name
    if name == ".gnu_debuglink":
        return Inside("elf.debuglink", partial(_link, elf))
    if name == ".gnu_debugaltlink":
        return Inside("elf.debugaltlink", _alternative)
    return None


def _link(elf: ElfFile, blob: Blob) -> Iterator[Fact | Member]:
    name = _name(blob)
    # Debian's debug files are called after the build-id, which follows from the content
    digits = name.decode("latin-1").removesuffix(".debug")
    build_id = _build_id(elf)
    derived = len(digits) >= 8 and build_id.endswith(digits)
    yield Fact("elf.debuglink.file", text_of(name), (0, len(name) + 1), derived=derived)
    at = len(name) + 1 + -(len(name) + 1) % 4
    crc = int.from_bytes(blob.part(at, 4).read(), elf.layout.byteorder)
    yield Fact("elf.debuglink.crc", f"{crc:#010x}", (at, 4), derived=True)


def _alternative(blob: Blob) -> Iterator[Fact | Member]:
    name = _name(blob)
    yield Fact("elf.debugaltlink.file", text_of(name), (0, len(name) + 1))
    at = len(name) + 1
    rest = blob.part(at, blob.size - at)
    if rest.size:
        told = rest.read().hex() if rest.size <= LONGEST else digest_of(rest)
        yield Fact("elf.debugaltlink.build_id", told, (at, rest.size), derived=True)


def _name(blob: Blob) -> bytes:
    name, end, _ = blob.read(0, LONGEST).partition(b"\0")
    if not end:
        raise FormatError(f"file name without an end in {LONGEST} bytes")
    return name


def _build_id(elf: ElfFile) -> str:
    """The file's build-id in hex; empty where it has none."""
    section = elf.named(".note.gnu.build-id")
    if section is None or section.type != SHT_NOTE:
        return ""
    try:
        for note in read_notes(elf.content(section), elf.layout.order, 4):
            if note.owner == b"GNU\0" and note.type == GNU_BUILD_ID and note.content_size <= 64:
                content = elf.content(section).part(note.content_at, note.content_size)
                return content.read().hex()
    except FormatError:
        pass
    return ""
