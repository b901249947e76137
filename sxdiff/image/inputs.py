"""Inputs as files of this machine, which others may write to while they are read."""

import os
from collections.abc import Iterator
from hashlib import sha256


def state_of(path: str) -> str:
    """What the file system says of a file, or of all below a directory: another state, other bytes.

    A file that is written to, cut off or replaced has another time of change (`st_ctime`), which
    nobody can set.
    """
    hashed = sha256()
    for one in _below(path):
        try:
            found = os.stat(one) if one == path else os.lstat(one)
        except (OSError, ValueError):  # ValueError: a NUL in the path
            continue
        numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        hashed.update(f"{numbers} {found.st_mode}".encode() + os.fsencode(one) + b"\0")
    return hashed.hexdigest()


def _below(path: str) -> Iterator[str]:
    yield path
    for folder, names, files in os.walk(path):
        names.sort()
        yield from (os.path.join(folder, name) for name in sorted(names + files))
