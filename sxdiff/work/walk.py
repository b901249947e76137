"""A plain root as a directory on disk, indexed as if a tar writer had packed it, sorted by name.

Nothing is followed: a symbolic link is described, not opened. A socket, which
no tar can hold, gets a type of its own.
"""

import errno
import os
import stat
import tarfile
from collections.abc import Callable, Iterator

from sxdiff.model import InputError, Limits
from sxdiff.work.scan import Scan, read_members

SOCKET = b"s"
"""A type that no tar format gives to anything."""

_CHUNK = 1 << 20


def walk(directory: str, index: str, limits: Limits, progress: Callable[[int], None]) -> Scan:
    """Index the tree below `directory`. Raises InputError where it cannot be read."""
    result = Scan(index=index)
    read_members(_stream(directory, progress), result, index, limits)
    return result


def _entries(directory: bytes, below: bytes = b"") -> Iterator[tuple[bytes, os.stat_result]]:
    stack = [below]
    while stack:
        path = stack.pop()
        full = os.path.join(directory, path) if path else directory
        status = os.lstat(full)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            names = sorted(os.listdir(full), reverse=True)
            stack += [os.path.join(path, name) if path else name for name in names]


def _stream(directory: str, progress: Callable[[int], None]) -> Iterator[bytes]:
    root = os.fsencode(directory)
    seen: dict[tuple[int, int], bytes] = {}
    try:
        for path, status in _entries(root):
            if path == b"":
                continue  # the root's own entry is the directory that somebody unpacked into
            info = _info(root, path, status, seen)
            yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if info.isreg() and info.size:
                yield from _content(os.path.join(root, path), info.size, progress)
    except OSError as error:
        name = os.fsdecode(error.filename or "")
        raise InputError(f"{name}: {error.strerror}") from None
    yield bytes(1024)


def _content(path: bytes, size: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    left = size
    with open(path, "rb", buffering=0) as file:
        while left:
            chunk = file.read(min(left, _CHUNK))
            if not chunk:
                raise InputError(f"{os.fsdecode(path)}: truncated while it was read")
            left -= len(chunk)
            progress(len(chunk))
            yield chunk
    yield bytes(-size % 512)


def _info(
    root: bytes, path: bytes, status: os.stat_result, seen: dict[tuple[int, int], bytes]
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.decode("utf-8", "surrogateescape"))
    mode = status.st_mode
    info.mode = stat.S_IMODE(mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    info.mtime, part = divmod(status.st_mtime_ns, 10**9)
    records = {"mtime": _decimal(status.st_mtime_ns)} if part else {}
    full = os.path.join(root, path)
    inode = (status.st_dev, status.st_ino)
    if stat.S_ISREG(mode) and inode in seen:
        info.type, info.linkname = tarfile.LNKTYPE, seen[inode].decode("utf-8", "surrogateescape")
    elif stat.S_ISREG(mode):
        info.type, info.size = tarfile.REGTYPE, status.st_size
        if status.st_nlink > 1:
            seen[inode] = path
    elif stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(mode):
        info.type = tarfile.SYMTYPE
        info.linkname = os.readlink(full).decode("utf-8", "surrogateescape")
    elif stat.S_ISFIFO(mode):
        info.type = tarfile.FIFOTYPE
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        info.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    else:
        info.type = SOCKET
    for name in _xattr_names(full):
        value = os.getxattr(full, name, follow_symlinks=False)
        records[f"SCHILY.xattr.{name}"] = value.decode("utf-8", "surrogateescape")
    info.pax_headers = records
    return info


def _decimal(nanoseconds: int) -> str:
    """A PAX time: before 1970, -1.5 is one second and a half before."""
    seconds, part = divmod(abs(nanoseconds), 10**9)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}.{part:09d}"


def _xattr_names(path: bytes) -> list[str]:
    """Extended attributes, but for the label that the machine gives to every file it holds."""
    if not hasattr(os, "listxattr"):
        return []
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise
    return sorted(set(names) - {"security.selinux"})
