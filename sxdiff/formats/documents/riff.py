"""RIFF files: WebP pictures, WAVE sound, AVI, animated cursors; chunks by their four letters.

Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", RIFF; RFC 9649
for WebP (its chunks EXIF, XMP, ICCP).
"""

from collections.abc import Iterator

from sxdiff.formats.documents.tiff import tags
from sxdiff.formats.parts import Names, Parts, bytes_part, part
from sxdiff.model import Blob, Fact, Inside, LimitError, Limits, Member, Span, text_of

DEEPEST = 8
MOST_CHUNKS = 100_000


class Riff:
    """The form, and a part for each chunk; lists are parts of parts."""

    name = "riff"

    def recognises(self, head: bytes) -> bool:
        """RIFF and a form type of printable letters."""
        form = head[8:12]
        return head.startswith(b"RIFF") and len(form) == 4 and all(32 <= b < 127 for b in form)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """Chunks up to the size that the file gives; what lies behind is told by nobody."""
        size = int.from_bytes(blob.part(4, 4).read(), "little")
        yield Fact("riff.magic", "RIFF", (0, 4))
        yield Fact("riff.size", size, (4, 4), derived=True)
        yield Fact("riff.form", text_of(blob.part(8, 4).read()), (8, 4))
        yield from _chunks(blob, 12, min(blob.size, size + 8), 0)


def _chunks(blob: Blob, at: int, end: int, depth: int) -> Iterator[Fact | Member]:
    if depth > DEEPEST:
        raise LimitError(f"lists nested {depth} deep", at)
    names = Names()
    for _ in range(MOST_CHUNKS):
        if at + 8 > end:
            return
        head = blob.part(at, 8).read()
        size = int.from_bytes(head[4:], "little")
        kind = text_of(head[:4])
        name = names(kind.strip())
        yield Fact("riff.id", kind, (at, 4), name)
        yield Fact("riff.chunk_size", size, (at + 4, 4), name, derived=True)
        if size:
            yield _content(blob, kind, name, (at + 8, size), depth)
        at += 8 + size
        if size % 2 and at < end:
            yield Fact("riff.padding", blob.part(at, 1).read().hex(), (at, 1), name, derived=True)
            at += 1
    raise LimitError(f"more than {MOST_CHUNKS} chunks", at)


def _content(blob: Blob, kind: str, name: str, span: Span, depth: int) -> Member:
    content = blob.part(*span)
    if kind == "LIST" and span[1] >= 4:
        return part("riff", name, blob, span, lambda within: _list(within, depth + 1))
    if kind == "EXIF" and content.read(0, 4) in (b"II*\0", b"MM\0*"):
        return Member(name, content, span, inside=Inside("tiff", tags))
    if kind in ("XMP ", "ICCP"):
        return Member(name, content, span, "riff.content")
    return bytes_part("riff.content", name, blob, span)


def _list(blob: Blob, depth: int) -> Parts:
    yield Fact("riff.list", text_of(blob.part(0, 4).read()), (0, 4))
    yield from _chunks(blob, 4, blob.size, depth)
