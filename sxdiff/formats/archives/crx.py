"""Extensions of Chromium: keys and signatures in front of a zip archive.

Sources: Chromium's components/crx_file/crx3.proto and crx_verifier.cc (version 3), and its former
documentation "CRX package format" (version 2).
"""

from collections.abc import Callable, Iterator
from functools import partial

from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Limits, Member

MAGIC = b"Cr24"
LARGEST_HEADER = 1 << 20
MOST_FIELDS = 256
PROOFS = {2: "rsa", 3: "ecdsa"}
VERIFIED, SIGNED = 4, 10000
"""Numbers of the fields of `CrxFileHeader` in crx3.proto."""


class Crx:
    """The header's proofs, and the archive."""

    name = "crx"

    def recognises(self, head: bytes) -> bool:
        """The magic number and version 2 or 3."""
        return head.startswith((MAGIC + b"\2\0\0\0", MAGIC + b"\3\0\0\0")) and len(head) >= 16

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, then the zip archive, whose offsets count from its own start."""
        version = int.from_bytes(blob.part(4, 4).read(), "little")
        yield Fact("crx.magic", MAGIC.decode(), (0, 4))
        yield Fact("crx.version", version, (4, 4))
        size = int.from_bytes(blob.part(8, 4).read(), "little")
        parts: Callable[[Blob], Iterator[Fact]]
        if version == 2:
            signature_size = int.from_bytes(blob.part(12, 4).read(), "little")
            yield Fact("crx.sizes", f"{size}, {signature_size}", (8, 8), derived=True)
            at, parts = 16, partial(_version_2, size)
            size += signature_size
        else:
            yield Fact("crx.sizes", size, (8, 4), derived=True)
            at, parts = 12, _version_3
        if size > LARGEST_HEADER:
            raise LimitError(f"header of {size} bytes", 8)
        if size:
            yield Member(
                "header",
                blob.part(at, size),
                (at, size),
                "crx.header",
                inside=Inside("crx", parts),
            )
        at += size
        if at < blob.size:
            yield Member("zip", blob.part(at, blob.size - at), (at, blob.size - at))


def _version_2(key_size: int, blob: Blob) -> Iterator[Fact]:
    """Public key, signature."""
    yield Fact("crx.rsa.public_key", digest_of(blob.part(0, key_size)), (0, key_size))
    span = (key_size, blob.size - key_size)
    yield Fact("crx.rsa.signature", digest_of(blob.part(*span)), span, derived=True)


def _version_3(blob: Blob) -> Iterator[Fact]:
    """The fields of `CrxFileHeader`: proofs, and what is signed besides the archive."""
    for number, at, start, end in _fields(blob.read(), 0, blob.size):
        if number in PROOFS:
            kind = f"crx.{PROOFS[number]}"
            yield Fact(f"{kind}.size", end - start, (at, start - at), derived=True)
            for inner, inner_at, _, inner_end in _fields(blob.read(), start, end):
                named = {1: "public_key", 2: "signature"}.get(inner, "other")
                span = (inner_at, inner_end - inner_at)
                told = digest_of(blob.part(*span))
                yield Fact(f"{kind}.{named}", told, span, derived=named == "signature")
            continue
        span = (at, end - at)
        told = digest_of(blob.part(*span))
        if number == SIGNED:
            # the extension's identifier, which is a digest of a key
            yield Fact("crx.signed_data", blob.part(*span).read().hex(), span, derived=True)
        elif number == VERIFIED:
            yield Fact("crx.verified_contents", told, span, derived=True)
        else:
            yield Fact("crx.field", f"{number}: {told}", span)


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Fields of a message that have a length (wire type 2): number, start, content's start, end."""
    for _ in range(MOST_FIELDS):
        if at >= end:
            return
        key, place = _varint(data, at, end)
        if key & 7 != 2:
            raise FormatError(f"field of wire type {key & 7}", at)
        length, start = _varint(data, place, end)
        if start + length > end:
            raise FormatError(f"field of {length} bytes", at)
        yield key >> 3, at, start, start + length
        at = start + length
    raise FormatError(f"more than {MOST_FIELDS} fields", at)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= end:
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise FormatError("number without an end", at)
