"""The index of a git repository: entries by path with what lstat said of each file.

Source: git's gitformat-index(5), versions 2 to 4.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.digest import CHUNK
from sxdiff.formats.parts import Names, Parts, Reader, bytes_part, part, record_part, whole
from sxdiff.formats.record import Field, Record, utc
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Scalar, Span, text_of

MOST = 256 << 20
OIDS = (20, 32)
"""Bytes of an object's name: SHA-1 or SHA-256."""
HEADER = Record(
    "git_index",
    ">",
    (Field("signature", "4s"), Field("version", "I"), Field("entries", "I", derived=True)),
)
STAT: tuple[tuple[str, Callable[[int], Scalar]], ...] = (
    ("ctime", utc),
    ("ctime_nanoseconds", int),
    ("mtime", utc),
    ("mtime_nanoseconds", int),
    ("device", int),
    ("inode", int),
    ("mode", oct),
    ("uid", int),
    ("gid", int),
    ("size", int),
)
FLAGS_EXTENDED = 0x4000


class Entry(NamedTuple):
    """Where an entry's pieces lie, and its path."""

    at: int
    flags: Span
    name: Span
    path: bytes


class GitIndex:
    """Header, entries as one part whose facts are named by path, extensions, checksum."""

    name = "git_index"

    def recognises(self, head: bytes) -> bool:
        """Signature and a version that exists."""
        return len(head) >= 32 and head.startswith(b"DIRC\0\0\0") and head[7] in (2, 3, 4)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """The object format isn't written anywhere: entries say which one fits."""
        reader = Reader(whole(blob, MOST), ">")
        yield record_part("git_index", "header", blob, 0, HEADER)
        for oid in OIDS:
            try:
                entries = list(_entries(reader, oid))
                end = sum(entries[-1].name) if entries else HEADER.size
                extensions = list(_extensions(reader, end, oid))
            except FormatError:
                if oid == OIDS[-1]:
                    raise
            else:
                break
        start = HEADER.size
        if end > start:
            rows = partial(_facts, entries=entries, oid=oid, start=start)
            yield part("git_index", "entries", blob, (start, end - start), rows)
        names = Names()
        for at, size in extensions:
            name = names(text_of(reader.span(at, 4)))
            yield Fact("git_index.extension", name[:4], (at, 4), name)
            yield Fact("git_index.extension_size", size, (at + 4, 4), name, derived=True)
            if size:
                # TREE (names of trees), EOIE and IEOT (places) follow from the entries
                derived = name in ("TREE", "EOIE", "IEOT")
                yield bytes_part("git_index.content", name, blob, (at + 8, size), derived)
        at = blob.size - oid
        told = reader.span(at, oid)
        # index.skipHash leaves zeros
        right = told in (bytes(oid), object_digest(blob.part(0, at), oid))
        yield Fact("git_index.checksum", told.hex(), (at, oid), derived=right)


def object_digest(blob: Blob, size: int) -> bytes:
    """The digest of all bytes that a repository has whose object names are of `size` bytes."""
    digest = hashlib.new({20: "sha1", 32: "sha256"}[size], usedforsecurity=False)
    for at in range(0, blob.size, CHUNK):
        digest.update(blob.read(at, CHUNK))
    return digest.digest()


def _entries(reader: Reader, oid: int) -> Iterator[Entry]:
    version, at, path = reader.number(4), HEADER.size, b""
    for _ in range(reader.number(8)):
        flags_at = at + 40 + oid
        size = 4 if reader.number(flags_at, 2) & FLAGS_EXTENDED else 2
        name_at = flags_at + size
        if version == 4:
            # how much of the path before is cut off (an offset varint), then what is added
            cut, width = _varint(reader, name_at)
            if cut > len(path):
                raise FormatError("path cut off before its start", name_at)
            added = reader.string(name_at + width)
            path = path[: len(path) - cut] + added
            end = name_at + width + len(added) + 1
        else:
            path = reader.string(name_at)
            # 1 to 8 NULs, so that the entry's size is a multiple of 8
            end = at + ((name_at - at + len(path) + 8) & ~7)
            reader.span(name_at, end - name_at)
        if reader.number(at + 24) >> 16 or not path:
            raise FormatError("entry without a mode or a path", at)
        yield Entry(at, (flags_at, size), (name_at, end - name_at), path)
        at = end


def _varint(reader: Reader, at: int) -> tuple[int, int]:
    value = byte = reader.number(at, 1)
    value &= 127
    width = 1
    while byte & 128 and width < 9:
        byte = reader.number(at + width, 1)
        value = ((value + 1) << 7) | (byte & 127)
        width += 1
    return value, width


def _extensions(reader: Reader, at: int, oid: int) -> Iterator[Span]:
    while at < len(reader) - oid:
        size = reader.number(at + 4)
        reader.span(at + 8, size)
        if at + 8 + size > len(reader) - oid:
            raise FormatError("extension reaches into the checksum", at)
        yield at, size
        at += 8 + size


def _facts(blob: Blob, entries: list[Entry], oid: int, start: int) -> Parts:
    reader, names = Reader(blob.read(), ">"), Names()
    for entry in entries:
        at = entry.at - start
        name = names(text_of(entry.path))
        for number, (field, show) in enumerate(STAT):
            place = at + 4 * number
            yield Fact(f"git_index.{field}", show(reader.number(place)), (place, 4), name)
        yield Fact("git_index.oid", reader.span(at + 40, oid).hex(), (at + 40, oid), name)
        place, size = entry.flags[0] - start, entry.flags[1]
        yield Fact("git_index.flags", f"{reader.number(place, size):#x}", (place, size), name)
        place, size = entry.name[0] - start, entry.name[1]
        raw = reader.span(place, size)
        yield Fact("git_index.path", text_of(raw.rstrip(b"\0")), (place, size), name)
