"""The nouns of sxdiff: what every room hands to the next. Imports nothing of sxdiff.

A *format* describes one side of a comparison in `Fact`s and `Member`s; `compare` pairs two
descriptions into a `Node` of `Difference`s; `report` flattens nodes into the JSON report.
Values are frozen; nothing here reads a clock, the network or the environment.
"""

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, TypeAlias

Scalar: TypeAlias = str | int | bool | None
"""What a fact's value may be. Never a float: the report holds integers only."""

Span: TypeAlias = tuple[int, int]
"""(offset, size) in bytes, relative to the stream that holds the fact."""

Route: TypeAlias = tuple[str, ...]
"""A way through the images, outermost first: ("linux/arm64", "layer 3", "usr/bin/foo", ".text")."""

RUNGS = ("archive", "index", "manifest", "config", "rootfs", "contents", "nothing")
"""The verdict ladder, strongest first (docs/report.md)."""


class InputError(Exception):
    """An input is no image, is corrupt or is used wrongly: one line for the user, exit code 2."""


class FormatError(Exception):
    """Bytes break the promise of their format. `at` is the offset in the stream, where known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message if at is None else f"{message} (at offset {at})")
        self.at = at


class LimitError(FormatError):
    """Content is well formed as far as it was read, but a limit says not to read further."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on work, each far beyond what a real image needs.

    Each tells what is bounded, then what comes of reaching it: there is no verdict (exit code 2),
    or there is one, and a `Problem` in the report.
    """

    document_bytes: int = 4 << 20
    """Size of one JSON document of the image; registries take no larger manifest. No verdict."""
    document_depth: int = 64
    """Nesting of arrays and objects in such a document. No verdict."""
    index_depth: int = 8
    """Nesting of image indexes below index.json. No verdict."""
    members: int = 50_000_000
    """Members of one layer or root file system. No verdict."""
    name_bytes: int = 64 << 10
    """Length of a member's path, or of its link's target; Linux opens 4,096 bytes. No verdict."""
    header_bytes: int = 8 << 20
    """Size of one tar member's extended headers (PAX records, GNU long names). No verdict."""
    expansion: int = 1100
    """Unpacked over packed size, where deflate reaches 1,032: of layers and inputs of more than
    4 GiB (no verdict), and of what lies packed in files (these are compared as bytes)."""
    window_bytes: int = 128 << 20
    """Window that a packed layer or input wants kept in memory, as `zstd -d` takes it. No
    verdict. Streams inside of files have 128 MiB, whatever is said here."""
    hole_bytes: int = 16 << 30
    """Holes of one sparse member, hashed as zeros. No verdict; file systems inside of files are
    compared as bytes."""
    member_depth: int = 16
    """Nesting of members in a file (an object in an archive in a gzip stream ...). What lies
    deeper is compared as bytes."""
    member_bytes: int = 8 << 30
    """Unpacked size of one member of a file. It is compared as it is packed."""
    text_bytes: int = 8 << 20
    """Bytes between the first and the last line that differ. Longer texts are compared as
    bytes."""
    code_bytes: int = 16 << 20
    """Machine code that is disassembled in one file. More is compared as bytes."""
    file_differences: int = 2000
    """Differences told in one file. The rest is counted in one closing difference."""
    look_seconds: int = 900
    """Seconds of processor for a look at a pair of files, or at some small ones together. They
    are compared as bytes."""
    seconds: int = 24 * 60 * 60
    """Seconds for all of a comparison, by the clock. No verdict."""
    memory_bytes: int = 4 << 30
    """Address space of a worker. Files that need more are compared as bytes."""
    spool_bytes: int = 256 << 30
    """Size of the spool, and of each file in it. No verdict."""
    report_bytes: int = 32 << 30
    """Size of what is told in the report, before it is written in any form. No verdict."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A span of a file on disk: nothing is unpacked to look at bytes that lie there plainly.

    `path` is a file of the input or a numbered file of the spool, never a name that the image
    chose for us to write.
    """

    path: str
    offset: int
    size: int

    def part(self, at: int, size: int) -> "Blob":
        """The span of `size` bytes at `at`. The only way to a smaller span, and it is checked."""
        if at < 0 or size < 0 or at + size > self.size:
            raise FormatError(f"span of {size} bytes lies outside its {self.size} bytes", at)
        return Blob(self.path, self.offset + at, size)

    def open(self, buffer: int = 64 << 10) -> BinaryIO:
        """A seekable read-only stream over just this span."""
        return io.BufferedReader(_BlobStream(self), buffer)

    def read(self, at: int = 0, size: int | None = None) -> bytes:
        """Bytes from `at`, to the end or `size` of them; fewer only where the span ends.

        Raises `InputError` where the file itself ends early: it changed while it was read.
        """
        size = max(0, self.size - at) if size is None else min(size, max(0, self.size - at))
        with open(self.path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), size, self.offset + at)
            while len(data) < size:
                more = os.pread(file.fileno(), size - len(data), self.offset + at + len(data))
                if not more:
                    raise InputError(f"{self.path}: truncated while it was read")
                data += more
        return data


class _BlobStream(io.RawIOBase):
    def __init__(self, blob: Blob) -> None:
        super().__init__()
        self._file = open(blob.path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        self._blob = blob
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: WriteableBuffer
        wanted = min(len(buffer), max(0, self._blob.size - self._at))
        if not wanted:
            return 0
        count = os.preadv(
            self._file.fileno(), [memoryview(buffer)[:wanted]], self._blob.offset + self._at
        )
        if not count:
            raise InputError(f"{self._blob.path}: truncated while it was read")
        self._at += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Fact:
    """One property of one side and the bytes that say it.

    Facts pair by (`kind`, `name`), in order where several share both. A `derived` fact follows
    from other bytes of the same stream (a checksum, a size, an offset). `follows` are spans of
    which the value says that they follow from what other facts say: they are told by no fact.
    `check` is asked only where the fact differs: a derived fact of which it says no is not what
    its bytes must be, so it follows from nothing. `rest` is asked there, too: what is left of its
    bytes without what other facts tell of them.
    """

    kind: str
    value: Scalar
    at: Span | None = None
    name: str = ""
    derived: bool = False
    follows: tuple[Span, ...] = ()
    check: Callable[[], bool] | None = field(default=None, compare=False)
    rest: Callable[[], bytes] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that covers `size` bytes at `at` of its member's stream."""

    at: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a listing: an instruction, a string, an entry of a table, and its bytes.

    `text` tells all that the bytes at `at` (a span of the listed content) mean, but for places
    elsewhere in the same stream: those are in `refers`, as (member's name, offset in its
    content). Rows with equal text whose places hold the same things differ only in layout.
    `label` names what the row belongs to (a DIE), as a `Symbol` does for bytes.
    """

    at: Span
    text: str
    refers: tuple[tuple[str, int], ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A content that its container knows as a sequence of rows: compared by aligning them.

    `rows` gets the member's content and gives its rows in the order of their places. Bytes that
    no row covers are rows of their own. `format` starts the kinds told (`elf.code.order`). Rows
    that are `separate` (strings, not instructions) are told one by one where several differ.
    """

    format: str
    rows: Callable[[Blob], Iterable[Row]]
    separate: bool = False
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """A content that its container knows as facts and members: paired by kind and name.

    `parts` gets the member's content and gives its parts, whose spans count from its start.
    """

    format: str
    parts: "Callable[[Blob], Iterable[Fact | Member]]"


@dataclass(frozen=True, slots=True)
class Member:
    """A stream inside a stream: a section, an archive member, an unpacked content.

    `content` is a span of the container, or a function that gives the unpacked chunks anew at
    each call. `at` is the member's span in the container's stream (None where it has no plain
    span there). `kind` names a difference of its bytes where no format knows better.

    Where a member is a stream of its own, its format is looked for by its bytes. One that is
    `opaque` or has an `inside` is part of its container's format: no format is looked for, and
    its bytes are told by their offsets in the container. `inside` says how to look into it; it
    is asked only where the bytes differ. `symbols` (sorted by place) name ranges of its bytes;
    `source` gives the source line ("main.c:12") of an offset in it. Both may be asked late.
    """

    name: str
    content: Blob | Callable[[], Iterator[bytes]]
    at: Span | None = None
    kind: str = "bytes"
    opaque: bool = False
    derived: bool = False
    inside: Inside | Listing | None = None
    symbols: Sequence[Symbol] | Callable[[], Sequence[Symbol]] = ()
    source: Callable[[int], str | None] | None = None
    address: int | None = None
    """Where the content is loaded in memory: the virtual address of its first byte."""


class Format(Protocol):
    """What every format offers. `name` starts the kinds of its facts (`gzip.mtime`)."""

    @property
    def name(self) -> str: ...

    def recognises(self, head: bytes) -> bool:
        """Whether a stream that starts with `head` is of this format, by content alone."""

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The stream's facts and members, in the order of the format's own tables.

        Any bytes at all give parts or `FormatError` (`LimitError`), in bounded time and memory.
        A fact's value tells all the bytes of its span: other bytes, another value.
        """


@dataclass(frozen=True, slots=True)
class Problem:
    """Trouble that did not end the run: what was met and what sxdiff did instead."""

    where: Route
    kind: str
    message: str
    resolution: str


@dataclass(frozen=True, slots=True)
class Value:
    """One side of a difference. Long values are excerpts with `size` and `digest`."""

    value: Scalar
    at: Span | None = None
    excerpt: str | None = None
    size: int | None = None
    digest: str | None = None
    line: int | None = None
    address: int | None = None
    """The virtual address at which a program finds the first byte."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A cause that, with the other claims of its difference, makes both sides there equal.

    `a` and `b` are what varied: two times, two prefixes of a path. `needs` says what the whole
    image must confirm before the claim stands ("" for nothing).
    """

    cause: str
    a: str = ""
    b: str = ""
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """The smallest told difference. `where` is relative to the `Node` that holds it.

    `bytes` counts the bytes that differ (the larger side). `similarity` is the share in per cent
    of what two contents have in common that are paired for it. `count` says for how many alike
    (consequences of one kind) this one stands. A `derived` difference follows from
    the differences under the routes `derived_from` (absolute), or, where that is empty, from
    the other differences of its node. `claims` are the causes that explain it, all of them
    together; `suspect` is the cause that it looks like where none does.
    """

    kind: str
    a: Value | None
    b: Value | None
    where: Route = ()
    bytes: int = 0
    count: int = 1
    similarity: int | None = None
    symbol: str | None = None
    source: str | None = None
    diff: str | None = None
    derived: bool = False
    derived_from: tuple[Route, ...] = ()
    claims: tuple[Claim, ...] = ()
    suspect: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """Two sides that differ. `name` is one step of the route; the tree is the route's tree.

    `verified` says that every root in it has claims, and that both streams were seen to be equal
    byte by byte outside of what the claims normalise and what follows from it. `producer` is what
    the stream says of the tool that made it, where causes were found in it.
    """

    name: str
    format: str
    differences: tuple[Difference, ...] = ()
    nodes: tuple["Node", ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    verified: bool = False
    producer: str | None = None


_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


def text_of(data: bytes) -> str:
    """Bytes as report text: UTF-8 as it is, every other byte as `\\xNN` (two lower-case digits).

    A backslash that would read as such an escape is written `\\x5c`, so `bytes_of` is exact.
    """
    try:
        text = data.decode()
        if "\\x" not in text:
            return text
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
    text = _ESCAPED.sub(lambda match: "\\x5cx" + match[1], text)
    # surrogateescape keeps byte NN as the lone surrogate U+DCNN
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in text)


def bytes_of(text: str) -> bytes:
    """The bytes that `text_of` wrote."""
    parts = _ESCAPED.split(text)
    out = [parts[0].encode()]
    for digits, plain in zip(parts[1::2], parts[2::2], strict=True):
        out += (bytes([int(digits, 16)]), plain.encode())
    return b"".join(out)
