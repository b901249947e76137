"""Single blocks of packed file systems, unpacked whole: each is small by its format's rules."""

from collections.abc import Callable, Mapping

from zlib_ng import zlib_ng

from sxdiff.formats.compression.lz4 import unpack_block
from sxdiff.formats.compression.stream import MEMORY
from sxdiff.model import FormatError

Unpack = Callable[[bytes, int], bytes]
"""Gives the content of a packed block, of at most so many bytes."""


def of_zlib(data: bytes, most: int) -> bytes:
    """A zlib stream."""
    try:
        return zlib_ng.decompressobj().decompress(data, most)
    except zlib_ng.error as error:  # type: ignore[misc]  # its stub says Any
        raise FormatError(f"damaged block: {error}") from error


def of_lzma(data: bytes, most: int) -> bytes:
    """A stream of xz or of LZMA_Alone."""
    import lzma  # noqa: PLC0415 - start-up time

    try:
        return lzma.LZMADecompressor(memlimit=MEMORY).decompress(data, most)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise FormatError(f"damaged block: {error}") from error


def of_lz4(data: bytes, most: int) -> bytes:
    """A bare block of LZ4."""
    return unpack_block(data, most)


def of_zstd(data: bytes, most: int) -> bytes:
    """A frame of Zstandard."""
    import zstandard  # noqa: PLC0415 - start-up time

    try:
        unpacker = zstandard.ZstdDecompressor(max_window_size=MEMORY)
        with unpacker.stream_reader(data) as reader:
            return reader.read(most)
    except (zstandard.ZstdError, MemoryError) as error:
        raise FormatError(f"damaged block: {error}") from error


UNPACK: Mapping[str, Unpack] = {
    "gzip": of_zlib,
    "lzma": of_lzma,
    "xz": of_lzma,
    "lz4": of_lz4,
    "zstd": of_zstd,
}
