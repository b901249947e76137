"""Debian packages: an ar archive of a version and two packed tar archives.

Source: deb(5) of dpkg 1.22. `control` and `data` are told by these names whatever they are
packed with, so that they pair with those of another package that is packed otherwise.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from sxdiff.formats.archives.ar import HEADER, MAGIC, Ar
from sxdiff.model import Blob, Fact, Limits, Member

STARTS = {
    "gz": b"\x1f\x8b",
    "xz": b"\xfd7zXZ\0",
    "zst": b"\x28\xb5\x2f\xfd",
    "bz2": b"BZh",
    "lzma": b"\x5d\0\0",
}
TAR_MAGIC = 257
_TARS = re.compile(r"(control|data)\.tar(?:\.([a-z0-9]+))?( #[0-9]+)?")


class Deb:
    """The parts of the ar archive, with `control` and `data` by their stems."""

    name = "deb"

    def recognises(self, head: bytes) -> bool:
        """An archive whose first member says that it is a Debian package."""
        return head.startswith((MAGIC + b"debian-binary ", MAGIC + b"debian-binary/"))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """As of the archive; the name of a tar archive says how it is packed."""
        for part in Ar().dissect(blob, limits):
            found = _TARS.fullmatch(part.name)
            if not found:
                yield part
                continue
            stem = found[1] + (found[3] or "")
            if isinstance(part, Fact) and part.kind == "ar.name":
                plain = f"{found[1]}.tar" + (f".{found[2]}" if found[2] else "")
                said = found[2] or "none" if part.value == plain else part.value
                # it follows from how the member is packed
                right = part.at is not None and _is_packed(blob, part.at[0], found[2])
                yield replace(part, kind="deb.compression", value=said, name=stem, derived=right)
            else:
                yield replace(part, name=stem)


def _is_packed(blob: Blob, at: int, suffix: str | None) -> bool:
    """Whether the member whose header is at `at` is packed as its name says."""
    start = blob.read(at + HEADER, TAR_MAGIC + 5)
    if suffix is None:
        return start[TAR_MAGIC:] == b"ustar"
    return start.startswith(STARTS.get(suffix, b"\0"))
