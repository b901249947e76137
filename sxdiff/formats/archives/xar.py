"""Archives of xar, through libarchive: packages of macOS.

Source: xar's wiki, "xarformat": header, table of contents (XML in a zlib stream), heap; the
entries as libarchive reads them, and from the table what libarchive does not tell.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sxdiff.formats.archives import entries
from sxdiff.formats.compression.deflate import ZLIB, inflate
from sxdiff.formats.record import Field, Record, named
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGIC = b"xar!"
HEADER = Record(
    "xar",
    ">",
    (
        Field("magic", "4s"),
        Field("header_size", "H"),
        Field("version", "H"),
        Field("toc_packed_size", "Q", derived=True),
        Field("toc_size", "Q", derived=True),
        Field("checksum", "I", named({0: "none", 1: "sha1", 2: "md5", 3: "sha256", 4: "sha512"})),
    ),
)
LARGEST_TOC = 32 << 20
DEEPEST = 256
TOLD = frozenset("name type mode uid gid user group mtime atime ctime".split())  # noqa: SIM905
"""What libarchive tells of a file, or what is its name."""
FOLLOWING = frozenset({"data", "checksum", "ea", "signature", "x-signature"})
"""Elements that say where and how a content is packed, and its digests."""


class Xar:
    """Header, table of contents, entries."""

    name = "xar"

    def recognises(self, head: bytes) -> bool:
        """The magic number and version 1."""
        return head.startswith(MAGIC) and len(head) >= HEADER.size and head[6:8] == b"\0\1"

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part that holds all. Raises `FormatError` where libarchive is missing."""
        return entries.dissect(blob, limits, self.name, "xar", partial(_header, limits=limits))


def _header(blob: Blob, limits: Limits) -> Iterator[Fact]:
    start, _, size = struct.unpack(">HHQ", blob.part(4, 12).read())
    packed = blob.part(start, size)
    table, used = bytearray(), 0
    for used, chunk in inflate(packed, 0, ZLIB):  # noqa: B007 - the last
        table += chunk
        if len(table) > min(LARGEST_TOC, size * limits.expansion):
            raise LimitError("table of contents beyond the limit", start)
    sizes = {"xar.toc_packed_size": used, "xar.toc_size": len(table)}
    kind = ""
    for fact in HEADER.facts(blob, 0):
        kind = str(fact.value)
        yield replace(fact, derived=fact.derived and fact.value == sizes[fact.kind])
    if kind in hashlib.algorithms_guaranteed:
        right = hashlib.new(kind, packed.read(), usedforsecurity=False).digest()
        said = blob.read(start + size, len(right))
        span = (start + size, len(said))
        yield Fact("xar.toc_checksum", said.hex(), span, derived=said == right)
    yield from _Table().facts(bytes(table))


class _Table:
    """The table's elements: what stands at the top, and what files have."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self._elements: list[str] = []
        self._text: list[str] = []
        self._files: list[dict[str, str]] = []

    def facts(self, table: bytes) -> list[Fact]:
        """A fact for each element without elements that libarchive does not tell."""
        from xml.parsers import expat  # noqa: PLC0415 - start-up time

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(table, True)
        except expat.ExpatError as error:
            raise FormatError(f"table of contents: {error}") from error
        return self._facts

    def _entity(self, *_: object) -> None:
        raise FormatError("table of contents declares entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._elements) >= DEEPEST:
            raise LimitError("table of contents nested too deep")
        self._elements.append(name)
        self._text.clear()
        if name == "file":
            self._files.append({"id": attributes.get("id", "")})

    def _end(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        inside = self._elements[self._elements.index("file") :] if self._files else self._elements
        place = inside[::-1]
        self._elements.pop()
        if name == "file":
            file = self._files.pop()
            path = "/".join([*(one.get("name", "") for one in self._files), file.get("name", "")])
            for key, value in file.items():
                if key != "name":
                    kind = "xar.id" if key == "id" else "xar.property"
                    self._facts.append(Fact(kind, f"{key} {value}", None, path))
            return
        within = place[: place.index("file")] if "file" in place else place
        if not text or not FOLLOWING.isdisjoint(within):
            return
        if not self._files:
            self._facts.append(Fact("xar.toc", f"{name} {text}"))
        elif name == "name" and len(within) == 1:
            self._files[-1]["name"] = text
        elif name not in TOLD:
            self._files[-1][" ".join(within[::-1])] = text
