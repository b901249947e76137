"""The spool: the only place where bytes of an image are written, under numbers as names."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType

from sxdiff.model import Blob, InputError, LimitError


class Spool:
    """A directory of numbered files that goes when the run ends.

    Every process writes under its own `prefix`, so that no two choose one name.
    """

    def __init__(self, directory: str, prefix: str = "m") -> None:
        self.directory = directory
        self._prefix = prefix
        self._count = 0

    @classmethod
    def create(cls, parent: str | None) -> "Spool":
        """A new spool below `parent` (default: the system's directory for temporary files)."""
        try:
            return cls(tempfile.mkdtemp(prefix="sxdiff-", dir=parent))
        except OSError as error:
            raise InputError(f"no spool: {error.strerror} ({error.filename})") from None

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
    hint = "; name a roomier place with --spool" if error.errno == errno.ENOSPC else ""
    return InputError(f"cannot write to the spool: {error.strerror}{hint}")
