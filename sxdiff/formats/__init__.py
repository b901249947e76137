"""The formats: each describes one side of a comparison in facts and members, none compares.

A new format is one module with a class like `gzip.Gzip` and its line in `FORMATS`.
"""

from collections.abc import Iterator
from typing import Protocol

from sxdiff.formats.ar import Ar
from sxdiff.formats.elf import Elf
from sxdiff.formats.gzip import Gzip
from sxdiff.model import Blob, Fact, Limits, Member

HEAD = 4096
"""Bytes of a stream that `sniff` wants to see; fewer where the stream is shorter."""


class Format(Protocol):
    """What every format offers. `name` starts the kinds of its facts (`gzip.mtime`)."""

    @property
    def name(self) -> str: ...

    def recognises(self, head: bytes) -> bool:
        """Whether a stream that starts with `head` is of this format, by content alone."""

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The stream's facts and members, in the order of the format's own tables.

        Any bytes at all give parts or `FormatError` (`LimitError`), in bounded time and memory.
        A fact's value tells all the bytes of its span: other bytes, another value.
        """


FORMATS: tuple[Format, ...] = (Elf(), Ar(), Gzip())


def sniff(head: bytes, size: int) -> Format | None:
    """The first format that knows a stream of `size` bytes by its first `HEAD` bytes."""
    head = head[:size]
    return next((known for known in FORMATS if known.recognises(head)), None)
