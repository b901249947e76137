"""Rust crate metadata (.rmeta, also as `lib.rmeta` in an rlib): the compiler's version, the rest.

Source: rustc's compiler/rustc_metadata/src/rmeta/mod.rs (METADATA_HEADER) and encoder.rs: magic
and a version of the format, the root's position (big-endian 32 bits, since version 9
little-endian 64), then the compiler's version as a string with its length before it.
"""

from collections.abc import Iterator

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGIC = b"rust\0\0\0"
FIELDS = (Field("magic", "7s", hexadecimal), Field("format_version", "B"))
HEADER = Record("rmeta", ">", (*FIELDS, Field("root", "I", derived=True)))
WIDE = Record("rmeta", "<", (*FIELDS, Field("root", "Q", derived=True)))
COMPILER = b"rustc "


class Rmeta:
    """Facts for the header and the compiler; the encoded crate is opaque."""

    name = "rmeta"

    def recognises(self, head: bytes) -> bool:
        """Magic number, and the compiler's name where it stands in one of the two headers."""
        return head.startswith(MAGIC) and _header(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, compiler, crate."""
        head = blob.read(0, 64)
        header = _header(head)
        if header is None:
            raise FormatError("no compiler behind the header", 0)
        yield from header.facts(blob, 0)
        at, size = header.size + 1, head[header.size]
        text = text_of(blob.part(at, size).read())
        yield Fact("rmeta.compiler", text, (at - 1, size + 1))
        at += size
        yield Member(
            "crate", blob.part(at, blob.size - at), (at, blob.size - at), "rmeta.crate", opaque=True
        )


def _header(head: bytes) -> Record | None:
    return next(
        (
            record
            for record in (WIDE, HEADER)
            if head[record.size + 1 : record.size + 7] == COMPILER
        ),
        None,
    )
