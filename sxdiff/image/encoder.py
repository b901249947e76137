"""Which encoder packed a gzip stream, where recompressing its content gives the same bytes."""

import zlib

from sxdiff.image.unpack import Unpacked
from sxdiff.model import Blob, FormatError, Limits

WHOLE_BYTES = 32 << 20
"""Up to this much content the whole stream is packed again; beyond it, its beginning."""
_NOT_ZLIB = "not zlib at any level"
_STORED = (b"\0", b"\1")
"""How a stream begins whose first block is stored, whether it is the last one or not."""


def fingerprint(blob: Blob, limits: Limits) -> str | None:
    """What made this gzip stream: a zlib level with the proof's extent, or that it is not zlib.

    None for other compressions and for streams of several members. The proof compares the
    deflate data, not header or trailer: `zlib` packs the same content with each level (window
    15, memory level 8) and the bytes must be the same.
    """
    unpacked = Unpacked(blob, limits)
    if unpacked.compression != "gzip" or "ng" in zlib.ZLIB_RUNTIME_VERSION:
        return None  # zlib-ng under zlib's name packs otherwise: nothing can be proved with it
    start = _deflate_at(blob.read(0, 512 << 10))
    # how zlib cuts stored blocks depends on its caller's buffers: a mismatch proves nothing
    otherwise = None if blob.read(start, 1)[:1] in _STORED else _NOT_ZLIB
    candidates = {
        level: (zlib.compressobj(level, zlib.DEFLATED, -15), start) for level in range(10)
    }
    read, complete = 0, True
    try:
        for chunk in unpacked.chunks():
            read += len(chunk)
            for level in list(candidates):
                packer, at = candidates[level]
                packed = packer.compress(chunk)
                if blob.read(at, len(packed)) != packed:
                    del candidates[level]
                else:
                    candidates[level] = (packer, at + len(packed))
            if not candidates:
                # behind the first member's end no level can be right
                return None if unpacked.gzip_members else otherwise
            if read >= WHOLE_BYTES:
                complete = False
                break
    except FormatError:
        return None
    if unpacked.gzip_members > 1:
        return None
    if complete:
        trailing = [fact.at for fact in unpacked.facts if fact.kind == "layer.gzip.trailing"]
        end = trailing[0][0] if trailing and trailing[0] else blob.size
        for level in list(candidates):
            packer, at = candidates[level]
            rest = packer.flush()
            if blob.read(at, len(rest)) != rest or end - at - len(rest) != 8:
                del candidates[level]
    if not candidates:
        return otherwise
    names = "zlib level " + " or ".join(str(level) for level in candidates)
    extent = "the whole stream" if complete else f"its first {read} bytes of content"
    return f"{names} (packing {extent} again gives the same bytes)"


def _deflate_at(head: bytes) -> int:
    """Where the deflate data starts; RFC 1952, section 2.3."""
    flags, at = head[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    for bit in (8, 16):
        if flags & bit:
            at = head.index(b"\0", at) + 1
    return at + (2 if flags & 2 else 0)
