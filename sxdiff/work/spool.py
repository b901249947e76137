"""The spool: the only place where bytes of an image are written, under numbers as names."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType

from sxdiff import ending
from sxdiff.model import Blob, InputError, LimitError


class Spool:
    """A directory of numbered files that goes when the run ends.

    Every process writes under its own `prefix`, so that no two choose one name.
    """

    def __init__(self, directory: str, prefix: str = "m") -> None:
        self.directory = directory
        self._prefix = prefix
        self._count = 0
        self._left: int | None = None

    @classmethod
    def create(cls, parent: str | None) -> "Spool":
        """A new spool below `parent` (default: the system's directory for temporary files)."""
        try:
            with ending.together():
                spool = cls(tempfile.mkdtemp(prefix="sxdiff-", dir=parent))
                spool._left = ending.leave_to(spool._remove)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise InputError(f"no spool: {error.strerror}{where}") from None
        return spool

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()
        if self._left is not None:
            ending.forget(self._left)

    def _remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def new(self) -> str:
        """The path of a file that is not there yet."""
        self._count += 1
        return os.path.join(self.directory, f"{self._prefix}{self._count}")

    def store(self, chunks: Iterable[bytes], limit: int) -> Blob:
        """Write a stream of at most `limit` bytes into a new file."""
        path, size = self.new(), 0
        try:
            with open(path, "wb") as file:
                for chunk in chunks:
                    size += len(chunk)
                    if size > limit:
                        raise LimitError(f"unpacks to more than {limit} bytes")
                    file.write(chunk)
        except OSError as error:
            raise spool_error(error) from None
        return Blob(path, 0, size)

    @staticmethod
    def remove(path: str) -> None:
        """Remove a file of the spool, whichever process wrote it."""
        os.unlink(path)

    def clear(self) -> None:
        """Remove this process's files: what they held has been told."""
        for name in os.listdir(self.directory):
            if name.startswith(self._prefix) and name[len(self._prefix) :].isdigit():
                os.unlink(os.path.join(self.directory, name))


def check_size(directory: str, most: int) -> None:
    """Raises InputError where the files of a spool have more than `most` bytes together."""
    size = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a worker has removed it meanwhile
                size += entry.stat(follow_symlinks=False).st_size
    if size > most:
        raise InputError(f"the spool has more than {most} bytes")


def spool_error(error: OSError) -> InputError:
    """What an OSError of the spool means to the user."""
    return InputError(f"cannot write to the spool: {error.strerror}{_hint(error.errno)}")


_OF_THE_DISK = ("FULL", "IOERR", "CANTOPEN", "READONLY", "CORRUPT", "NOTADB")
"""Result codes of SQLite, without SQLITE_, that a disk brings about; some have a longer form."""


def machine_error(error: Exception) -> str | None:
    """What the machine refused, where this is no error of sxdiff; None for all others."""
    if isinstance(error, OSError) and error.errno not in (None, errno.EBADF):
        where = "cannot read the images or use the spool"
        if error.filename is not None:
            where = os.fsdecode(error.filename)
        elif _hint(error.errno):
            where = "cannot write to the spool"
        return f"{where}: {error.strerror}{_hint(error.errno)}"
    code = str(getattr(error, "sqlite_errorname", "")).removeprefix("SQLITE_")
    if code.startswith(_OF_THE_DISK):
        # only indexes of the spool get here: what an image holds is read in memory
        return f"cannot use the spool: {error}{_hint(errno.ENOSPC if code == 'FULL' else None)}"
    if isinstance(error, MemoryError):
        return "out of memory"
    return None


def _hint(number: int | None) -> str:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "; name a roomier place with --spool" if number in full else ""
