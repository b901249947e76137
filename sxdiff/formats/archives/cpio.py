"""Archives of cpio: initramfs images, payloads of RPM packages.

Sources: cpio(5) of FreeBSD ("Old Binary Format", "Portable ASCII Format", "New ASCII Format",
"New CRC Format"); Documentation/driver-api/early-userspace/buffer-format.rst of Linux for
archives that follow each other.
"""

import stat
import struct
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.digest import CHUNK
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Scalar, text_of

NEWC, CRC, ODC = b"070701", b"070702", b"070707"
TRAILER = "TRAILER!!!"
LONGEST_NAME = 64 << 10
"""Longest name; Linux takes 4,096."""
DERIVED = frozenset({"namesize", "filesize", "check"})
DEVICES = ("dev", "devmajor", "devminor")
NUMBERS = {
    kind: names.split()
    for kind, names in {
        "newc": "ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor "
        "namesize check",
        "odc": "dev ino mode uid gid nlink rdev mtime namesize filesize",
        "binary": "magic dev ino mode uid gid nlink rdev mtime namesize filesize",
    }.items()
}
"""Numbers of each header in their order, behind the magic (binary: with it)."""
ODC_SIZES = {"mtime": 11, "filesize": 11}
BINARY_SIZES = {"mtime": 4, "filesize": 4}


class Number(NamedTuple):
    """One number of a header: its value, how it is told, and its place in the stream."""

    value: int
    told: Scalar
    at: int
    size: int


class Header(NamedTuple):
    """One member's header, and where its name and its data lie."""

    at: int
    dialect: str
    numbers: dict[str, Number]
    name_at: int
    data: int
    align: int

    @property
    def size(self) -> int:
        return self.numbers["filesize"].value


class Cpio:
    """Facts for each member's header, a member for each content."""

    name = "cpio"

    def recognises(self, head: bytes) -> bool:
        """A whole first header with a name that ends in NUL."""
        if not head.startswith((NEWC, CRC, ODC, b"\xc7\x71", b"\x71\xc7")):
            return False
        try:
            found = _header(head, 0)
        except FormatError:
            return False
        name = head[found.name_at : found.data]
        return not name or name.rstrip(b"\0") != name

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Members up to the trailer; what follows it is a stream of its own."""
        met: dict[str, int] = {}
        links: dict[tuple[int, ...], str] = {}
        at = 0
        while at < blob.size:
            header = _header(blob.read(at, 128), at)
            size = header.numbers["namesize"].value
            raw = blob.part(header.name_at, size).read()
            bare = text_of(raw.removesuffix(b"\0"))
            name = bare or "member without a name"
            met[name] = met.get(name, 0) + 1
            if met[name] > 1:
                name = f"{name} #{met[name]}"
            yield Fact("cpio.format", header.dialect, (at, header.name_at - at), name)
            for kind, number in header.numbers.items():
                span = (number.at, number.size)
                told = _linked(header, links, name) if kind == "ino" else number.told
                right = partial(_sum_holds, blob, header) if kind == "check" else None
                yield Fact(f"cpio.{kind}", told, span, name, kind in DERIVED, check=right)
            said = bare if raw.endswith(b"\0") else f"{bare} without NUL"
            yield Fact("cpio.name", said, (header.name_at, size), name)
            yield from _padding(blob, header.name_at + size, header.data, name)
            end = header.data + header.size
            blob.part(header.data, header.size)
            if header.size:
                span = (header.data, header.size)
                yield Member(name, blob.part(*span), span)
            at = min(blob.size, end + -end % header.align)
            yield from _padding(blob, end, at, name)
            if bare == TRAILER:
                break
        yield from _behind(blob, at)


def _linked(header: Header, links: dict[tuple[int, ...], str], name: str) -> Scalar:
    """The inode number; of a file with several names, also the first of them that came by."""
    numbers = header.numbers
    told = numbers["ino"].told
    if numbers["nlink"].value < 2 or stat.S_ISDIR(numbers["mode"].value):
        return told
    place = tuple(numbers[key].value for key in ("ino", *DEVICES) if key in numbers)
    first = links.setdefault(place, name)
    return told if first == name else f"{told}, as {first}"


def _sum_holds(blob: Blob, header: Header) -> bool:
    """Whether `check` is the sum of all bytes; of the format without check sums it is zero."""
    total = 0
    if header.dialect.startswith("crc"):
        for at in range(header.data, header.data + header.size, CHUNK):
            total += sum(blob.read(at, min(CHUNK, header.data + header.size - at)))
    return header.numbers["check"].value == total & 0xFFFFFFFF


def _header(head: bytes, at: int) -> Header:
    """The header that `head` starts with; `at` is its place in the stream."""
    magic = head[:6]
    if magic in (NEWC, CRC):
        # a mode of any file type has a letter; GNU cpio and Linux write upper case
        lower = any(digit in b"abcdef" for digit in head[14:22])
        dialect = f"{'newc' if magic == NEWC else 'crc'}{', lower case' if lower else ''}"
        numbers = _texts(head, at, "newc", {}, 8, "x" if lower else "X")
        align = 4
    elif magic == ODC:
        dialect, align = "odc", 1
        numbers = _texts(head, at, "odc", ODC_SIZES, 6, "o")
    elif magic[:2] in (b"\xc7\x71", b"\x71\xc7"):
        order = "<" if magic[:1] == b"\xc7" else ">"
        dialect = "binary, little-endian" if order == "<" else "binary, big-endian"
        numbers = _words(head, at, order)
        align = 2
    else:
        raise FormatError("no cpio header", at)
    last = list(numbers.values())[-1]
    name_at = last.at + last.size
    name_size = numbers["namesize"].value
    if name_size > LONGEST_NAME:
        raise FormatError(f"name of {name_size} bytes", at)
    end = name_at + name_size
    # headers are aligned in the archive, which starts at a multiple of it
    data = end + -end % align
    return Header(at, dialect, numbers, name_at, data, align)


def _texts(
    head: bytes, at: int, kind: str, sizes: dict[str, int], size: int, code: str
) -> dict[str, Number]:
    """Numbers in digits. One that is not written in the common way is told as its text."""
    numbers: dict[str, Number] = {}
    place = 6
    for name in NUMBERS[kind]:
        length = sizes.get(name, size)
        raw = head[place : place + length]
        try:
            if len(raw) < length or not raw.isalnum():
                raise ValueError
            value = int(raw, 8 if code == "o" else 16)
        except ValueError:
            raise FormatError(f"{name} is no number", at + place) from None
        told = _shown(name, value)
        if raw.decode() != f"{value:0{length}{code}}":
            told = f"{told} as {raw.decode()}"
        numbers[name] = Number(value, told, at + place, length)
        place += length
    return numbers


def _words(head: bytes, at: int, order: str) -> dict[str, Number]:
    """Words of two bytes; of a number of two words the higher one comes first in both orders."""
    numbers: dict[str, Number] = {}
    place = 0
    if len(head) < 26:
        raise FormatError("header ends early", at)
    for name in NUMBERS["binary"]:
        length = BINARY_SIZES.get(name, 2)
        words = struct.unpack_from(f"{order}{length // 2}H", head, place)
        value = words[0] if length == 2 else words[0] << 16 | words[1]
        if name != "magic":
            numbers[name] = Number(value, _shown(name, value), at + place, length)
        place += length
    return numbers


def _shown(name: str, value: int) -> Scalar:
    if name == "mode":
        return f"{value:06o}"
    return f"{value:08x}" if name == "check" else value


def _padding(blob: Blob, at: int, end: int, name: str) -> Iterator[Fact]:
    if at < end:
        data = blob.part(at, end - at).read()
        zeros = not any(data)
        told, span = "zeros" if zeros else data.hex(), (at, end - at)
        follows = (span,) if zeros else ()
        yield Fact("cpio.padding", told, span, name, derived=zeros, follows=follows)


def _behind(blob: Blob, start: int) -> Iterator[Fact | Member]:
    """Zeros up to a block, or up to the next archive, which may be a packed one."""
    at = start
    while at < blob.size:
        data = blob.read(at, 1 << 20)
        rest = data.lstrip(b"\0")
        at += len(data) - len(rest)
        if rest:
            break
    if at > start:
        size = at - start
        said = f"{size} zeros"
        if at % 512 == 0 and size < 512:
            said = "zeros up to 512 bytes"
        yield Fact("cpio.end", said, (start, size), derived=True)
    if at < blob.size:
        yield Member("next", blob.part(at, blob.size - at), (at, blob.size - at))
