"""Entries of archives that libarchive reads: 7z, cabinets, lha, rar, xar.

Source: libarchive 3.6, archive_read(3), archive_entry(3). It reads a `Blob` through callbacks.
What it says of an entry has no place in the archive: one digest stands for all the bytes, as a
consequence of what is told of the entries.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from sxdiff.formats.digest import digest_of
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    text_of,
)

CHUNK = 256 << 10
"""Bytes read, and at most unpacked, at a time."""
MOST_ENTRIES = 100_000
MOST_REREAD = 8 << 30
"""Bytes of one archive that are read again, where the entries of two have other orders."""
SMALL = 64 << 20
"""Unpacked size that is no bomb however small the archive."""
EXPANSION = 64
"""How much more than deflate these pack zeros."""
FATAL = -30
TYPES = {
    0o010000: "FIFO",
    0o020000: "character device",
    0o040000: "directory",
    0o060000: "block device",
    0o100000: "regular file",
    0o120000: "symbolic link",
    0o140000: "socket",
}
LIBRARY = "libarchive.so.13"
"""What Linux's loader finds; to look for it, libarchive-c would run programs."""


class Parts(Protocol):
    """What a format tells of its own header."""

    def __call__(self, blob: Blob) -> Iterator[Fact | Member]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name, what is said of it, and the digest of its content (None: no data)."""

    name: str
    facts: tuple[tuple[str, Scalar], ...]
    size: int
    digest: str | None


def dissect(
    blob: Blob, limits: Limits, kind: str, known: str, header: Parts, *, local_times: bool = False
) -> Iterator[Fact | Member]:
    """The archive as one part, so that its packed bytes follow from what differs in it.

    `kind` starts the facts' kinds; `known` is libarchive's name of the format; `header` tells
    what lies plainly in the archive; with `local_times` its times are such of no known zone.
    Raises `FormatError` where libarchive is missing.
    """
    archive = _Archive(blob, known, limits, local_times)
    entries = list(archive.entries())
    yield Member(
        "entries",
        blob.part(0, blob.size),
        (0, blob.size),
        f"{kind}.container",
        inside=Inside(kind, partial(_parts, archive, entries, kind, header)),
    )


def _parts(
    archive: "_Archive", entries: list[Entry], kind: str, header: Parts, blob: Blob
) -> Iterator[Fact | Member]:
    yield from header(blob)
    met: dict[str, int] = {}
    for number, entry in enumerate(entries):
        name = entry.name
        met[name] = met.get(name, 0) + 1
        if met[name] > 1:
            name = f"{name} #{met[name]}"
        for field, value in entry.facts:
            yield Fact(f"{kind}.{field}", value, None, name)
        if entry.digest is not None:
            yield Fact(f"{kind}.size", entry.size, None, name, derived=True)
            yield Fact(f"{kind}.digest", entry.digest, None, name, derived=True)
            yield Member(name, partial(archive.content, number))
    yield Fact(f"{kind}.container", digest_of(blob), (0, blob.size), derived=True)


class _Archive:
    """Reads entries, best in their order: the reader that gave one goes on to the next."""

    def __init__(self, blob: Blob, known: str, limits: Limits, local_times: bool) -> None:
        self._blob = blob
        self._known = known
        self._local_times = local_times
        most = max(SMALL, blob.size * limits.expansion * EXPANSION)
        self._most = min(limits.member_bytes, most)
        self._reread = 0
        self._reader: Iterator[tuple[Entry, Callable[[], Iterator[bytes]]]] | None = None
        self._next = 0

    def entries(self) -> Iterator[Entry]:
        """All entries, their contents digested."""
        total = 0
        for number, (entry, content) in enumerate(self._read()):
            if number >= MOST_ENTRIES:
                raise LimitError(f"more than {MOST_ENTRIES} entries")
            digest, size = hashlib.sha256(), 0
            for chunk in content():
                digest.update(chunk)
                size += len(chunk)
                if total + size > self._most:
                    raise LimitError(f"contents of more than {self._most} bytes")
            total += size
            told = f"sha256:{digest.hexdigest()}" if size else None
            yield Entry(entry.name, entry.facts, size, told)

    def content(self, number: int) -> Iterator[bytes]:
        """The content of one entry, unpacked anew."""
        if self._reader is None or number < self._next:
            self._reread += self._blob.size
            if self._reread > max(MOST_REREAD, 4 * self._blob.size):
                raise LimitError("entries in an order that reads the archive too often")
            self._reader, self._next = self._read(), 0
        for _, content in self._reader:
            self._next += 1
            if self._next > number:
                yield from content()
                return
        raise FormatError(f"no entry {number}")

    def _read(self) -> Iterator[tuple[Entry, Callable[[], Iterator[bytes]]]]:
        """Each entry, and what gives its content as long as the next one is not asked for."""
        library = _library()
        source = _Source(self._blob)
        try:
            with library.custom_reader(
                source.read, self._known, "none", seek_func=source.seek
            ) as archive:
                for entry in archive:
                    source.check()
                    said = _entry(library, entry, self._local_times)
                    yield said, partial(_chunks, library, entry, source)
            source.check()
        except library.ArchiveError as error:
            source.check()
            raise FormatError(f"libarchive: {error.msg}", source.at) from error
        except (OSError, ValueError, UnicodeError, TypeError, AttributeError) as error:
            raise FormatError(f"libarchive: {error}", source.at) from error


def _chunks(library: Any, entry: Any, source: "_Source") -> Iterator[bytes]:
    """The content's blocks, one behind the other: their offsets count from the first entry's
    start where libarchive reads xar, and none of these formats has holes."""
    import ctypes  # noqa: PLC0415 - start-up time

    ffi, archive = library.ffi, entry._archive_p
    place, size, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_longlong()
    words = ctypes.byref(place), ctypes.byref(size), ctypes.byref(offset)
    try:
        while ffi.read_data_block(archive, *words) != ffi.ARCHIVE_EOF:
            source.check()
            if size.value:
                yield ctypes.string_at(place, size.value)
    except library.ArchiveError as error:
        source.check()
        raise FormatError(f"libarchive: {error.msg}", source.at) from error


class _Source:
    """Callbacks of libarchive. An exception must not leave one: it is kept, and raised behind."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._data = b""
        self._error: Exception | None = None
        self.at = 0

    def read(self, archive: object, context: object, place: Any) -> int:
        """Point to the next bytes, which stay until the next call."""
        del archive, context
        import ctypes  # noqa: PLC0415 - start-up time

        try:
            self._data = self._blob.read(self.at, CHUNK)
        except Exception as error:
            self._error = error
            return FATAL
        place[0] = ctypes.cast(ctypes.c_char_p(self._data), ctypes.c_void_p)
        self.at += len(self._data)
        return len(self._data)

    def seek(self, archive: object, context: object, offset: int, whence: int) -> int:
        """Go to another place, which is told."""
        del archive, context
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self._blob.size}.get(whence)
        if start is None or start + offset < 0:
            return FATAL
        self.at = start + offset
        return self.at

    def check(self) -> None:
        """Raise what a callback met."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _library() -> Any:
    """libarchive-c, which needs the system's libarchive. Raises `FormatError` without it."""
    given = os.environ.get("LIBARCHIVE")
    if given is None and sys.platform == "linux":
        os.environ["LIBARCHIVE"] = LIBRARY
    try:
        import libarchive  # noqa: PLC0415 - start-up time, and it may be missing
        import libarchive.ffi  # noqa: PLC0415
    except (ImportError, OSError, TypeError) as error:
        raise FormatError(f"needs libarchive and libarchive-c: {error}") from error
    finally:
        if given is None:
            os.environ.pop("LIBARCHIVE", None)
    libarchive.ffi.logger.disabled = True  # its warnings would go to standard error
    return libarchive


def _entry(library: Any, entry: Any, local_times: bool) -> Entry:
    """What libarchive says of an entry, without its content."""
    ffi, pointer = library.ffi, entry._entry_p
    facts: list[tuple[str, Scalar]] = []
    kind = entry.filetype
    facts.append(("type", TYPES.get(kind, kind)))
    facts.append(("mode", f"{entry.perm:04o}"))
    for name in ("mtime", "atime", "ctime", "birthtime"):
        if getattr(ffi, f"entry_{name}_is_set")(pointer):
            seconds = getattr(ffi, f"entry_{name}")(pointer)
            nanoseconds = getattr(ffi, f"entry_{name}_nsec")(pointer)
            if local_times:
                # libarchive took them as times of this machine's zone: undo that
                seconds = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
            told = f"{seconds}.{nanoseconds:09d}".rstrip("0") if nanoseconds else seconds
            facts.append((name, told))
    facts += [("uid", entry.uid), ("gid", entry.gid)]
    facts += [
        (name, value) for name in ("uname", "gname") if (value := _text(getattr(entry, name)))
    ]
    if kind == 0o120000 or entry.islnk:
        facts.append(("linkname", _text(entry.linkpath)))
    return Entry(_text(entry.pathname) or "entry without a name", tuple(facts), 0, None)


def _text(value: str | bytes | None) -> str:
    if value is None:
        return ""
    raw = value if isinstance(value, bytes) else value.encode(errors="surrogateescape")
    return text_of(raw)
