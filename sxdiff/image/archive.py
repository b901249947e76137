"""Outer tar archives, indexed by seeking from header to header: contents are not read.

Sources: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual,
"Basic Tar Format". Layers have a reader of their own, which also reads what members hold.
"""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sxdiff.formats import tar
from sxdiff.model import Blob, FormatError, InputError, Limits, text_of

_WINDOW = 64 << 10
_MOST_CANDIDATES = 100_000
_MOST_OTHERS = 1_000

_CANDIDATE = re.compile(
    rb"oci-layout|index\.json|manifest\.json|repositories|version|VERSION|signature-\d+"
    rb"|[^/]+\.json"
    rb"|(?:[a-z0-9]+[:-])?[0-9a-f]{32,128}(?:\.tar(?:\.[a-z0-9]+)?)?"
    rb"|[^/]+/layer\.tar|[0-9a-f]{64}(?:/(?:json|VERSION))?"
    rb"|blobs(?:/[a-z0-9.+_-]+(?:/[0-9a-zA-Z=_-]+)?)?"
)
"""Names that some form of an image gives to its parts (docs/formats: containers of an image)."""

_KINDS = {
    tar.HARD_LINK: "hard link",
    tar.SYMBOLIC_LINK: "symbolic link",
    tar.DIRECTORY: "directory",
    tar.CHARACTER: "device",
    tar.BLOCK_DEVICE: "device",
    tar.FIFO: "FIFO",
}


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One member of the outer archive (or one file of a directory, which has no header)."""

    name: str
    """As `find` knows it: no leading `./`, no trailing slash."""
    kind: str
    """ "file", "directory", "symbolic link", "hard link", "sparse file", "device" or "FIFO"."""
    position: int
    header: Blob | None
    """All blocks in front of the content: extended headers first, its own 512 bytes last."""
    content: Blob
    padding: Blob | None
    """What fills the content's last block."""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of an outer tar archive that matter, and what stands behind the last one."""

    members: tuple[ArchiveMember, ...]
    """In their order: every candidate, and the first so many others."""
    others: int
    """Number of members that are no candidates."""
    tail: Blob
    """From the first end-of-archive block to the end of the file."""
    problems: tuple[str, ...]


def is_candidate(name: bytes) -> bool:
    """May this member belong to an image, or can it only be a file of a plain root?"""
    return _CANDIDATE.fullmatch(name) is not None


class _Window:
    """Positional reads with a read-ahead, for headers that follow each other closely."""

    def __init__(self, blob: Blob) -> None:
        self._file = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
        self._blob = blob
        self._at = 0
        self._data = b""

    def close(self) -> None:
        os.close(self._file)

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at the end of the archive."""
        begin = at - self._at
        if begin < 0 or begin + size > len(self._data):
            wanted = min(max(size, _WINDOW), self._blob.size - at)
            self._data = os.pread(self._file, max(0, wanted), self._blob.offset + at)
            self._at, begin = at, 0
        return self._data[begin : begin + size]


def index_archive(
    name: str, archive: Blob, limits: Limits, wanted: Collection[str] = ()
) -> Archive:
    """Index the members of `archive` that can belong to an image, and those that are `wanted`.

    `name` is what the user calls the input. Raises InputError where this is no tar archive, where
    it is truncated or where it is damaged.
    """
    window = _Window(archive)
    wanted = frozenset(wanted)
    try:
        return _Indexer(name, archive, window, limits).index(wanted)
    finally:
        window.close()


class _Indexer:
    def __init__(self, name: str, archive: Blob, window: _Window, limits: Limits) -> None:
        self._name = name
        self._archive = archive
        self._window = window
        self._limits = limits
        self._at = 0
        self._last = b""

    def index(self, wanted: Collection[str]) -> Archive:
        members: list[ArchiveMember] = []
        candidates = others = 0
        for position, (name, flag, link, begin, content_at, size) in enumerate(self._walk()):
            path = _path_of(name)
            if is_candidate(path) or (wanted and text_of(path) in wanted):
                candidates += 1
                if candidates > _MOST_CANDIDATES:
                    raise InputError(
                        f"{self._name}: more than {_MOST_CANDIDATES} members look like parts of "
                        f"an image"
                    )
            else:
                others += 1
                if others > _MOST_OTHERS:
                    continue
            content = self._archive.part(content_at, size)
            members.append(self._member(position, path, flag, link, begin, content))
        tail = self._archive.part(self._at, self._archive.size - self._at)
        if not members:
            if self._at == 0 and not _is_zero(tail):
                raise self._no_tar()
            raise InputError(f"{self._name}: is a tar archive without members")
        problems = []
        if tail.size < 2 * tar.BLOCK:
            problems.append("its end-of-archive marker is missing or incomplete")
        elif tail.read(0, 2 * tar.BLOCK).strip(b"\0"):
            problems.append("bytes follow its first end-of-archive block and are not read")
        return Archive(tuple(members), others, tail, tuple(problems))

    def _no_tar(self) -> InputError:
        return InputError(f"{self._name}: not an image: neither a tar archive nor a compressed one")

    def _member(
        self, position: int, path: bytes, flag: bytes, link: bytes, begin: int, content: Blob
    ) -> ArchiveMember:
        archive = self._archive
        start = content.offset - archive.offset
        end = start + content.size
        padding = min(-content.size % tar.BLOCK, archive.size - end)
        return ArchiveMember(
            name=text_of(path),
            kind=_KINDS.get(flag, "sparse file" if flag == tar.GNU_SPARSE else "file"),
            position=position,
            header=archive.part(begin, start - begin),
            content=content,
            padding=archive.part(end, padding),
            target=text_of(link),
        )

    def _walk(self) -> Iterator[tuple[bytes, bytes, bytes, int, int, int]]:
        """(name, type flag, link target, offset of the header, of the content, its size)."""
        window, end = self._window, self._archive.size
        while True:
            begin = self._at
            block = window.read(begin, tar.BLOCK)
            if not block or (not block[0] and not block.strip(b"\0")):
                return
            try:
                found = _plain_header(block)
                if found is not None:
                    name, flag, link, size = found
                    content_at = begin + tar.BLOCK
                else:
                    name, flag, link, content_at, size = self._header(begin)
            except FormatError as error:
                if begin == 0:
                    raise self._no_tar() from None
                after = f" after {shown(text_of(tar.path_of(self._last)))}" if self._last else ""
                raise InputError(f"{self._name}: damaged{after}: {error}") from None
            there = end - content_at
            if size > there:
                raise InputError(
                    f"{self._name}: truncated: {shown(text_of(tar.path_of(name)))} should hold "
                    f"{size} bytes, {max(0, there)} are there"
                )
            self._last = name
            self._at = min(content_at + size + -size % tar.BLOCK, end)
            yield name, flag, link, begin, content_at, size

    def _header(self, at: int) -> tuple[bytes, bytes, bytes, int, int]:
        """(name, type flag, link target, offset of the content, its size)."""
        begin = at
        records: dict[str, bytes] = {}
        long_name = long_link = None
        while True:
            block = self._window.read(at, tar.BLOCK)
            if len(block) < tar.BLOCK:
                raise FormatError("truncated inside a tar header", at)
            if not tar.checksum_is_right(block, at):
                raise FormatError("no tar header, or its checksum is wrong", at)
            flag = block[156:157]
            size = tar.number(block[124:136], at)
            if size < 0:
                raise FormatError(f"tar header with a negative size {size}", at)
            at += tar.BLOCK
            if flag not in tar.EXTENSIONS:
                break
            if at + size - begin > self._limits.header_bytes:
                raise FormatError(f"extended tar header of {size} bytes is beyond the limit", at)
            data = self._window.read(at, size)
            if len(data) < size:
                raise FormatError("truncated inside an extended tar header", at)
            if flag == tar.GNU_LONG_NAME:
                long_name = tar.text(data)
            elif flag == tar.GNU_LONG_LINK:
                long_link = tar.text(data)
            elif flag != tar.PAX_GLOBAL:  # like Go's archive/tar, which all builders use
                records.update((key, value) for key, value, _ in tar.pax_records(data, at))
            at += size + -size % tar.BLOCK
        name = tar.text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := tar.text(block[345:500])):
            name = prefix + b"/" + name
        name = records.get("path", name if long_name is None else long_name)
        link = tar.text(block[157:257]) if long_link is None else long_link
        if flag == tar.GNU_SPARSE:
            more = block[482]
            while more:
                more_block = self._window.read(at, tar.BLOCK)
                if len(more_block) < tar.BLOCK:
                    raise FormatError("truncated inside a sparse tar header", at)
                more = more_block[504]
                at += tar.BLOCK
        elif any(key.startswith("GNU.sparse.") for key in records):
            name = records.get("GNU.sparse.name", name)
            flag = tar.GNU_SPARSE
        if "size" in records:
            if not records["size"].isdigit() or len(records["size"]) > 20:
                raise FormatError("PAX size is no number", begin)
            size = int(records["size"])
        if flag in tar.HEADER_ONLY:
            size = 0
        elif flag in b"\x007" or flag == tar.REGULAR:
            flag = tar.DIRECTORY if name.endswith(b"/") else tar.REGULAR
        return name, flag, records.get("linkpath", link), at, size


def _plain_header(block: bytes) -> tuple[bytes, bytes, bytes, int] | None:
    """(name, type flag, link target, size) of the header that most members have: ustar, octal.

    None for all others, also for damaged ones: `_Indexer._header` has the rules. A root file
    system may have a million of these.
    """
    if len(block) < tar.BLOCK or block[257:263] != b"ustar\0" or block[345]:
        return None
    flag = block[156:157]
    digits = block[124:135]
    if flag not in (tar.REGULAR, tar.DIRECTORY) or not digits.isdigit():
        return None
    if block[135] not in b"\0 " or not block[148:154].isdigit():
        return None
    try:
        # the sum of all bytes, with those of the checksum itself as spaces
        if int(block[148:154], 8) != sum(block) - sum(block[148:156]) + 256:
            return None
        size = int(digits, 8)
    except ValueError:
        return None
    name = tar.text(block[:100])
    if flag == tar.DIRECTORY or name.endswith(b"/"):
        return name, tar.DIRECTORY, b"", 0 if flag == tar.DIRECTORY else size
    return name, flag, b"", size


def _path_of(name: bytes) -> bytes:
    """`tar.path_of`, at once for names that have nothing to take away."""
    steps = b"//" in name or b"/./" in name or name.endswith((b"/", b"/.")) or name[:1] in b"./"
    return tar.path_of(name) if steps else name


def shown(name: str) -> str:
    """A name from an image, fit for one line of an error message."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name[:201])
    return text if len(name) <= 200 else text[:200] + "…"


def _is_zero(blob: Blob) -> bool:
    with blob.open(1 << 20) as stream:
        while data := stream.read(1 << 20):
            if data.strip(b"\0"):
                return False
    return True
