"""The digest that stands for bytes that a fact has no better words for."""

import hashlib
from functools import cache

from zlib_ng import zlib_ng

from sxdiff.model import Blob

CHUNK = 1 << 20


def digest_of(blob: Blob) -> str:
    """`sha256:` and the hex digest of all bytes of `blob`."""
    digest = hashlib.sha256()
    for at in range(0, blob.size, CHUNK):
        digest.update(blob.read(at, CHUNK))
    return f"sha256:{digest.hexdigest()}"


def crc32_of(blob: Blob, start: int = 0) -> int:
    """CRC-32 of all bytes of `blob`, as zip, gzip and PNG have it."""
    crc = start
    for at in range(0, blob.size, CHUNK):
        crc = zlib_ng.crc32(blob.read(at, CHUNK), crc)
    return crc


def crc32c(data: bytes, crc: int = 0xFFFFFFFF) -> int:
    """CRC-32C (Castagnoli) of a few bytes, without the last inversion: as file systems store it."""
    table = _castagnoli()
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


@cache
def _castagnoli() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)  # noqa: PLW2901 - shifted in place
        table.append(crc)
    return tuple(table)
