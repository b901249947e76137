"""The compression around a whole archive (`docker save | gzip`): unpacked once, into the spool."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sxdiff.image.unpack import Unpacked
from sxdiff.model import Blob, Fact, FormatError, InputError, Limits


@dataclass(frozen=True, slots=True)
class Outer:
    """How a file is packed as a whole: what its compression's headers say of it.

    The facts are those of `Unpacked`, their kinds `layer.gzip.mtime` and so on.
    """

    compression: str
    facts: tuple[Fact, ...]


Unpack: TypeAlias = Callable[[str, Blob], tuple[Blob, Outer]]
"""Unpacks a blob that is compressed; the name is what the user calls the input. Raises InputError
where the stream is truncated or damaged."""


def unpack_outer(name: str, packed: Blob, path: str, limits: Limits) -> tuple[Blob, Outer]:
    """The bytes of an input without the compression around it, written to the new file `path`.

    `name` is what the user calls the input. Raises InputError where the stream is truncated or
    damaged.
    """
    stream = Unpacked(packed, limits)
    try:
        with open(path, "wb") as target:
            for chunk in stream.chunks():
                target.write(chunk)
    except FormatError as error:
        raise InputError(f"{name}: {error}") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be unpacked to {path}: {error.strerror}") from None
    return Blob(path, 0, os.path.getsize(path)), Outer(stream.compression, tuple(stream.facts))
