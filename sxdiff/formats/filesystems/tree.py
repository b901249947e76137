"""What the file systems share: paths that stay unique, contents that stay bounded."""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from sxdiff.formats.record import Raw
from sxdiff.model import Fact, FormatError, Inside, LimitError, Member, Scalar, text_of

MOST_FILES = 1 << 20
DEEPEST = 256
"""Nesting of directories; PATH_MAX of Linux allows some 2,000."""
LONGEST_PATH = 4096
ZEROS = bytes(1 << 16)


Named: TypeAlias = tuple[str, str, Scalar, bytes]
"""Kind, name and value of a fact, and the bytes that say it."""


class Paths:
    """The paths of one file system: each is told once, and not without end."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}
        self._count = 0

    def below(self, folder: str, name: bytes, depth: int) -> str:
        """The path of `name` in `folder`; one that was met before gets ` #2`."""
        self._count += 1
        if self._count > MOST_FILES:
            raise LimitError(f"more than {MOST_FILES} files")
        if depth > DEEPEST:
            raise LimitError(f"directories nested more than {DEEPEST} deep")
        path = f"{folder}/{text_of(name)}" if folder else text_of(name)
        if len(path) > LONGEST_PATH:
            raise LimitError(f"path of more than {LONGEST_PATH} characters")
        self._met[path] = self._met.get(path, 0) + 1
        return path if self._met[path] == 1 else f"{path} #{self._met[path]}"


def mode(value: Raw) -> Scalar:
    """Permissions and type as `0644 regular file`; bits of no type that is known as a number."""
    number = int(value)
    kind = TYPES.get(stat.S_IFMT(number), f"type {stat.S_IFMT(number):#o}")
    return f"{stat.S_IMODE(number):04o} {kind}" + (f" {number >> 16:#x}" if number >> 16 else "")


def uuid(value: Raw) -> Scalar:
    """Sixteen bytes as their usual text."""
    text = value.hex() if isinstance(value, bytes) else ""
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def filled(value: Raw) -> Scalar:
    """Text that zeros fill up to its field's size."""
    return text_of(value.rstrip(b"\0")) if isinstance(value, bytes) else value


TYPES = {
    stat.S_IFREG: "regular file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
}


def zeros(size: int) -> Iterator[bytes]:
    """A hole, in chunks."""
    while size > 0:
        yield ZEROS[: min(size, len(ZEROS))]
        size -= len(ZEROS)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What one file says of itself: a record of its own meaning, and its layout apart.

    Where a file grows, the offsets of all that lie behind it move. So they are no part of the
    record, which stays equal then, but one text.
    """

    record: bytes
    facts: tuple[Fact, ...]
    layout: str

    @classmethod
    def of(cls, raw: bytes, facts: Iterable[Fact], more: Iterable[Named] = ()) -> "Metadata":
        """From a file's `raw` metadata, facts that tell all of it, and what is told elsewhere:
        kind, name, value and bytes of each."""
        record = b""
        told: list[Fact] = []
        layout: list[str] = []
        for fact in facts:
            if fact.derived:
                layout.append(f"{fact.kind.rpartition('.')[2]}={fact.value}")
                continue
            assert fact.at is not None  # noqa: S101 - facts of a record have spans
            start, size = fact.at
            told.append(replace(fact, at=(len(record), size)))
            record += raw[start : start + size]
        for kind, name, value, data in more:
            told.append(Fact(kind, value, (len(record), len(data)), name))
            record += data
        return cls(record, tuple(told), " ".join(layout))

    def parts(self, path: str, format_name: str, kind: str = "inode") -> Iterator[Fact | Member]:
        """The record as a member `path` of a `kind`, and its layout."""
        yield Member(
            path,
            lambda: iter((self.record,)),
            kind=kind,
            inside=Inside(f"{format_name}.{kind}", lambda _: iter(self.facts)),
        )
        if self.layout:
            yield Fact(f"{format_name}.layout", self.layout, name=path, derived=True)


class Cursor:
    """Facts of a record whose fields follow each other, as they are read."""

    def __init__(self, kind: str, data: bytes) -> None:
        self.kind = kind
        self.data = data
        self.at = 0
        self.facts: list[Fact] = []

    def take(self, size: int) -> bytes:
        """The next bytes, without a fact. Raises `FormatError` where the record ends before."""
        if size < 0 or self.at + size > len(self.data):
            raise FormatError(f"{self.kind}: record ends early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """The next number, without a fact; little-endian."""
        return int.from_bytes(self.take(size), "little")

    def tell(self, name: str, value: Scalar, size: int, derived: bool = False) -> None:
        """A fact about the last `size` bytes taken."""
        self.facts.append(
            Fact(f"{self.kind}.{name}", value, (self.at - size, size), derived=derived)
        )
