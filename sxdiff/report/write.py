"""Writes outputs whole or not at all: who finds a report finds all of it."""

import os
import stat
import sys
from collections.abc import Iterable
from typing import BinaryIO

from sxdiff import ending
from sxdiff.model import InputError

STDOUT = "-"


def check(target: str) -> None:
    """Raises `InputError` where `target` can clearly not be written, before the long work."""
    if target == STDOUT:
        if sys.stdout is None:
            raise InputError("cannot write standard output: it is closed")
        return
    path = os.path.realpath(target)
    directory = os.path.dirname(path)
    if os.path.isdir(path):
        raise InputError(f"cannot write {target}: it is a directory")
    if not os.path.isdir(directory):
        raise InputError(f"cannot write {target}: there is no directory {os.path.dirname(target)}")
    if not os.access(path if _is_special(target) else directory, os.W_OK):
        raise InputError(f"cannot write {target}: permission denied")


def write(target: str, chunks: Iterable[str]) -> None:
    """Writes the text to the file `target`, `-` for standard output.

    A regular file appears, or is replaced, at the end and at once. Standard output, devices and
    pipes are written as the text comes. A broken pipe stays `BrokenPipeError`; other trouble is
    an `InputError` that says which file.
    """
    try:
        if target == STDOUT:
            check(target)
            sys.stdout.flush()
            _write(sys.stdout.buffer, chunks)
            sys.stdout.buffer.flush()
        elif _is_special(target):
            with open(target, "wb") as file:
                _write(file, chunks)
        else:
            _replace(os.path.realpath(target), chunks)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if target == STDOUT else target
        raise InputError(f"cannot write {name}: {error.strerror or error}") from error


def _is_special(target: str) -> bool:
    # /dev/stdout may be a regular file by now, but replacing that would not be writing to it
    if os.path.abspath(target).startswith(("/dev/", "/proc/")):
        return True
    try:
        return not stat.S_ISREG(os.stat(target).st_mode)
    except OSError:
        return False


def _replace(path: str, chunks: Iterable[str]) -> None:
    # not tempfile: its files are private, while a report gets the mode that any new file gets
    temporary = os.path.join(os.path.dirname(path), f".sxdiff-{os.urandom(8).hex()}")
    with ending.together():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        left = ending.leave_to(lambda: os.unlink(temporary))
    try:
        with open(descriptor, "wb") as file:
            if os.path.exists(path):
                os.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
            _write(file, chunks)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        ending.forget(left)


def _write(file: BinaryIO, chunks: Iterable[str]) -> None:
    for chunk in chunks:
        file.write(chunk.encode())
