"""Deflate streams (RFC 1951), bare or in zlib's wrapper (RFC 1950), unpacked."""

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from zlib_ng import zlib_ng

from sxdiff.model import Blob, FormatError, LimitError, Limits, Span

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


def inflated(blob: Blob, spans: list[Span], limits: Limits) -> Iterator[bytes]:
    """The content of one zlib stream that lies in `spans`, in chunks.

    Raises `FormatError` where it is damaged, `LimitError` where it unpacks to too much.
    """
    inflater = zlib.decompressobj()
    left = limits.member_bytes
    for at, size in spans:
        for start in range(at, at + size, 64 << 10):
            data = blob.read(start, min(64 << 10, at + size - start))
            while data and not inflater.eof:
                try:
                    chunk = inflater.decompress(data, 1 << 20)
                except zlib.error as error:
                    raise FormatError(f"damaged stream: {error}", start) from error
                data = inflater.unconsumed_tail
                left -= len(chunk)
                if left < 0:
                    raise LimitError(f"stream of more than {limits.member_bytes} bytes", at)
                yield chunk
    if not inflater.eof:
        raise FormatError("stream ends early", sum(spans[-1]))


def is_whole(blob: Blob, spans: list[Span], limits: Limits) -> bool:
    """Whether `spans` hold one zlib stream that is sound, and nothing behind it."""
    inflater = zlib.decompressobj()
    left = limits.member_bytes
    for at, size in spans:
        for start in range(at, at + size, 64 << 10):
            data = blob.read(start, min(64 << 10, at + size - start))
            if inflater.eof:
                return False
            while data and not inflater.eof:
                try:
                    left -= len(inflater.decompress(data, 1 << 20))
                except zlib.error:
                    return False
                if left < 0:
                    return False
                data = inflater.unconsumed_tail
    return inflater.eof and not inflater.unused_data
