"""What ldconfig remembers of libraries (/var/cache/ldconfig/aux-cache): inode, ctime, size.

Source: glibc's elf/cache.c, struct aux_cache_file and struct aux_cache_file_entry.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record, utc
from sxdiff.model import Blob, Fact, FormatError, Limits, Member

MAGIC = b"glibc-ld.so.auxcache-"
MOST = 64 << 20
HEADER, ENTRY = 32, 48


class LdconfigAuxCache:
    """A listing of the libraries by soname; tables derived."""

    name = "ldconfig_aux_cache"

    def recognises(self, head: bytes) -> bool:
        """The magic with any version."""
        return head.startswith(MAGIC) and len(head) >= HEADER

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, libraries, then the two tables they were read from."""
        data = whole(blob, MOST)
        for order in "<>":
            reader = Reader(data, order)
            strings = HEADER + ENTRY * reader.number(24)
            if strings + reader.number(28) <= len(data):
                break
        else:
            raise FormatError("more libraries than the file holds", 24)
        header = Record(
            "ldconfig_aux_cache",
            order,
            (
                Field("magic", "24s"),
                Field("libraries", "I", derived=True),
                Field("strings_size", "I", derived=True),
            ),
        )
        yield record_part("ldconfig_aux_cache", "header", blob, 0, header)
        yield lines_part("ldconfig_aux_cache.library", "libraries", partial(_libraries, reader))
        rest = (HEADER, blob.size - HEADER)
        yield packed("ldconfig_aux_cache.table", blob, rest, "libraries")


def _libraries(reader: Reader) -> list[str]:
    """By soname: the table is in the order of a hash of the inodes. What the file system says of
    a file has a row of its own."""
    count = reader.number(24)
    strings = HEADER + ENTRY * count
    rows: list[tuple[str, str, str]] = []
    for at in range(HEADER, strings, ENTRY):
        inode, changed, size, device = (reader.number(at + place, 8) for place in (0, 8, 16, 24))
        flags, soname, system = (reader.number(at + place) for place in (32, 36, 40))
        name = line_text(reader.string(strings + soname)) if soname else "-"
        kept = f"size {size}, flags {flags:#x}" + (f", {system:#x}" if system else "")
        rows.append((name, kept, f"inode {inode}, ctime {utc(changed)}, device {device:#x}"))
    return [f"{name}: {told}" for name, *both in sorted(rows) for told in both]
