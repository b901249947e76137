"""The metadata of a Rust library: .rustc of a dylib, .rmeta of the object in an rlib.

Source: rustc's `rustc_metadata::rmeta` (METADATA_HEADER) and `locator` (in a dylib the metadata is
compressed behind the header and its size).
"""

import re
from collections.abc import Iterator

from sxdiff.formats.elf.layout import ElfFile
from sxdiff.model import Blob, Fact, FormatError, Inside, Member, text_of

MAGIC = b"rust\0\0\0"
_VERSION = re.compile(rb"rustc [0-9]+\.[0-9]+\.[0-9]+[ -~]{0,100}?\)")


def rust_metadata(elf: ElfFile, index: int) -> Inside | None:
    """The version of the metadata and of rustc; the rest, which only rustc can read, as bytes."""
    if elf.layout.sections[index].name not in (".rustc", ".rmeta"):
        return None
    return Inside("elf.rust_metadata", _facts)


def _facts(blob: Blob) -> Iterator[Fact | Member]:
    head = blob.read(0, 512)
    if not head.startswith(MAGIC) or len(head) < 8:
        raise FormatError("no metadata of rustc", 0)
    yield Fact("elf.rust_metadata.magic", text_of(head[:7]), (0, 7))
    yield Fact("elf.rust_metadata.version", head[7], (7, 1))
    at = 8
    if found := _VERSION.search(head, 8):
        at = found.end()
        # between them lie the place of the root and the size of this text
        root = (8, found.start() - 8)
        told = head[8 : found.start()].hex()
        yield Fact("elf.rust_metadata.root", told, root, derived=True)
        yield Fact("elf.rust_metadata.rustc", text_of(found[0]), (found.start(), len(found[0])))
    rest = blob.part(at, blob.size - at)
    if rest.size:
        yield Member("content", rest, (at, rest.size), "elf.rust_metadata.content", opaque=True)
