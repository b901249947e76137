"""What the file systems share: paths that stay unique, contents that stay bounded."""

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.record import Raw
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Member,
    Scalar,
    Span,
    text_of,
)

MOST_FILES = 1 << 20
DEEPEST = 256
"""Nesting of directories; PATH_MAX of Linux allows some 2,000."""
LONGEST_PATH = 4096
ZEROS = bytes(1 << 16)


Named: TypeAlias = tuple[str, Scalar]
"""Kind and value of a fact."""
Part: TypeAlias = Fact | Member


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


def volume(format_name: str, blob: Blob, parts: Callable[[Blob], Iterator[Part]]) -> Member:
    """A whole file system as one part of its image.

    What differs in a part is content: what a file says of itself has consequences (checksums,
    packed tables), as its bytes have.
    """
    return Member("volume", blob, (0, blob.size), inside=Inside(format_name, parts))


@dataclass(frozen=True, slots=True)
class Metadata:
    """What one file says of itself: facts of their own meaning, and its layout apart.

    Where a file grows, the offsets of all that lie behind it move. So they are one text, a
    consequence. None has a span: the tables that hold inodes are `covered`.
    """

    facts: tuple[Fact, ...]
    layout: str

    @classmethod
    def of(cls, facts: Iterable[Fact], more: Iterable[Named] = ()) -> "Metadata":
        """From facts that tell all of a file's metadata, and what is told elsewhere: kind and
        value of each."""
        told = [replace(fact, at=None) for fact in facts if not fact.derived]
        told += [Fact(kind, value) for kind, value in more]
        layout = [f"{fact.kind.rpartition('.')[2]}={fact.value}" for fact in facts if fact.derived]
        return cls(tuple(told), " ".join(layout))

    def parts(self, path: str, format_name: str) -> Iterator[Fact]:
        """The facts about the file `path`."""
        for fact in self.facts:
            yield replace(fact, name=path)
        if self.layout:
            yield Fact(f"{format_name}.layout", self.layout, name=path, derived=True)


Without: TypeAlias = Callable[[bytearray], None]
"""Clears what other facts tell of a table's bytes."""


def covered(
    kind: str, blob: Blob, span: Span, name: str = "", without: Without | None = None
) -> Fact:
    """A fact for bytes whose meaning is told elsewhere: tables, maps, packed blocks.

    It is no bare digest: that would say that the content `name` follows from these bytes alone.
    `without` clears what may differ while nothing else in these bytes does.
    """
    value = f"{span[1]} bytes, {digest_of(blob.part(*span))}"
    rest = partial(_rest, blob.part(*span), without) if without else None
    return Fact(kind, value, span, name, derived=True, rest=rest)


def _rest(blob: Blob, without: Without) -> bytes:
    data = bytearray(blob.read())
    without(data)
    return hashlib.sha256(data).digest()


def nothing(data: bytearray) -> None:
    """For bytes of which other facts tell nothing that may differ alone."""


def clear(data: bytearray, at: int, size: int) -> None:
    """Zeros in place of the bytes at `at`, where there are any."""
    end = min(len(data), at + size)
    if at < end:
        data[at:end] = bytes(end - at)


def packed(kind: str, blob: Blob, span: Span, name: str, *rest: object) -> Fact:
    """A fact for the packed blocks that the content `name` follows from, by the convention of a
    bare digest: where it is equal, the content is. `rest` is what else unpacking depends on."""
    digest = hashlib.sha256(f"{digest_of(blob.part(*span))} {rest}".encode())
    return Fact(kind, f"sha256:{digest.hexdigest()}", span, name, derived=True)


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
