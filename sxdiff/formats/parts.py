"""Ways to tell a span: by a table, as lines, as bytes. Each gives a `Member` that counts as content
of its stream, so that checksums and offsets beside it are told as its consequences.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from sxdiff.formats.digest import digest_of
from sxdiff.formats.record import Record
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Listing,
    Member,
    Row,
    Span,
    text_of,
)

T = TypeVar("T")
Parts = Iterable[Fact | Member]
LONGEST_NAME = 200
"""Characters of a name that a file chose."""
AGAIN, MOST_READ, COST = 64, 4 << 30, 16
"""How often a `Reader` may read all its bytes, how much in all, and what one reading counts."""


def of_magic(magics: Mapping[bytes, T], magic: bytes) -> T:
    """What a magic number stands for. Raises `FormatError` where it is none of `magics`."""
    if magic not in magics:
        raise FormatError("no magic number", 0)
    return magics[magic]


class Names:
    """Names as they are told: one that was met before gets ` #2`."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def __call__(self, name: str) -> str:
        name = name[:LONGEST_NAME]
        count = self._met[name] = self._met.get(name, 0) + 1
        return f"{name} #{count}" if count > 1 else name


def part(known: str, name: str, blob: Blob, span: Span, parts: Callable[[Blob], Parts]) -> Member:
    """A span of `blob` that format `known` looks into by `parts`."""
    return Member(name, blob.part(*span), span, inside=Inside(known, parts))


def record_part(known: str, name: str, blob: Blob, at: int, record: Record) -> Member:
    """The fixed record at `at`, told by its fields. Raises `FormatError` where it lies outside."""
    return part(known, name, blob, (at, record.size), partial(record.facts, at=0))


def bytes_part(kind: str, name: str, blob: Blob, span: Span, derived: bool = False) -> Member:
    """A span of which only the bytes can be told."""
    return Member(name, blob.part(*span), span, kind, opaque=True, derived=derived)


def packed(kind: str, blob: Blob, span: Span, name: str = "") -> Fact:
    """A span whose meaning is told elsewhere (unpacked, as lines): by its digest, derived."""
    return Fact(kind, digest_of(blob.part(*span)), span, name, derived=True)


def lines_part(kind: str, name: str, lines: Callable[[], Iterable[str]]) -> Member:
    """Rows that a format reads out of tables and pools scattered over the stream.

    The bytes are told beside it, as `packed` of the same name where that holds all of them. The
    lines have no place of their own; text in them is `line_text`.
    """
    return Member(name, partial(_lines, lines), inside=Listing(kind, line_rows))


def line_text(data: bytes) -> str:
    """Bytes in a line: `lines_part` writes them as they are."""
    return data.decode("utf-8", "surrogateescape")


def in_one_line(raw: bytes) -> str:
    """Bytes as report text without a line feed."""
    return text_of(raw).replace("\n", "\\x0a")


def number_text(code: str, raw: bytes) -> str:
    """A number of struct's `code`; its bytes as hex digits where other bytes read the same."""
    number = struct.unpack(code, raw)[0]
    if isinstance(number, float) and struct.pack(code, number) != raw:
        return f"0x{raw.hex()}"
    return repr(number)


def _lines(lines: Callable[[], Iterable[str]]) -> Iterator[bytes]:
    for line in lines():
        yield line.replace("\n", "\\n").encode("utf-8", "surrogateescape") + b"\n"


def line_rows(blob: Blob) -> Iterator[Row]:
    """The rows of a content that is lines of text."""
    at = 0
    with blob.open() as stream:
        for line in stream:
            text = line.removesuffix(b"\n").decode("utf-8", "surrogateescape")
            yield Row((at, len(line)), text)
            at += len(line)


def whole(blob: Blob, most: int) -> bytes:
    """All bytes of a stream that is read at once. Raises `LimitError` for more than `most`."""
    if blob.size > most:
        raise LimitError(f"{blob.size} bytes; looked into up to {most}")
    return blob.read()


class Reader:
    """Numbers and strings at any place of bytes in memory, each checked to lie inside.

    How often the same bytes may be read is bounded, so that places that refer to each other in
    circles end in `LimitError` whoever follows them.
    """

    def __init__(self, data: bytes, order: str = "<") -> None:
        self.data = data
        self._little = order == "<"
        self._left = min(AGAIN * len(data), MOST_READ) + (1 << 20)

    def __len__(self) -> int:
        return len(self.data)

    def span(self, at: int, size: int) -> bytes:
        """`size` bytes at `at`. Raises `FormatError` where they lie outside."""
        if at < 0 or size < 0 or at + size > len(self.data):
            raise FormatError(f"{size} bytes lie outside {len(self.data)} bytes", at)
        self._count(size, at)
        return self.data[at : at + size]

    def number(self, at: int, size: int = 4, signed: bool = False) -> int:
        """The number of `size` bytes at `at`."""
        raw = self.span(at, size)
        return int.from_bytes(raw, "little" if self._little else "big", signed=signed)

    def string(self, at: int, most: int = 64 << 10) -> bytes:
        """The bytes from `at` up to a NUL, without it. Raises `FormatError` where none is."""
        if not 0 <= at < len(self.data):
            raise FormatError("string lies outside", at)
        end = self.data.find(b"\0", at, at + most + 1)
        if end < 0:
            raise FormatError("string without an end", at)
        self._count(end - at, at)
        return self.data[at:end]

    def _count(self, size: int, at: int) -> None:
        self._left -= size + COST
        if self._left < 0:
            raise LimitError("the same bytes are read again and again", at)
