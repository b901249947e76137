"""Deflate streams (RFC 1951), bare or in zlib's wrapper (RFC 1950), unpacked."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng import zlib_ng

from sxdiff.model import Blob, FormatError

RAW, ZLIB = -15, 15
"""zlib's window sizes: a deflate stream without any wrapper, and one in zlib's."""
PACKED, UNPACKED = 64 << 10, 1 << 20
"""Bytes read, and at most inflated, at a time."""


def inflate(blob: Blob, at: int, window: int = RAW) -> Iterator[tuple[int, bytes]]:
    """Chunks of the stream at `at`, each with the packed bytes consumed so far.

    Raises `FormatError` where the stream is damaged. The caller bounds what it takes.
    """
    inflater = zlib_ng.decompressobj(window)
    stream: BinaryIO
    consumed = 0
    with blob.open(io.DEFAULT_BUFFER_SIZE) as stream:
        stream.seek(at)
        while not inflater.eof:
            data = stream.read(PACKED)
            if not data:
                raise FormatError("deflate stream ends early", blob.size)
            consumed += len(data)
            while data and not inflater.eof:
                try:
                    chunk = inflater.decompress(data, UNPACKED)
                except zlib_ng.error as error:  # type: ignore[misc]  # its stub says Any
                    raise FormatError(f"damaged deflate stream: {error}", at) from error
                data = inflater.unconsumed_tail
                yield consumed - len(data) - len(inflater.unused_data), chunk
