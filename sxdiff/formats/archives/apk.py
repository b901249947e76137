"""Alpine packages: gzip streams one behind the other, each with a piece of a tar archive.

Source: Alpine's wiki, "Apk spec" (version 2): a signature, the control data (.PKGINFO, scripts),
the files. Each is a stream of its own here, so that its gzip header is told for itself.
"""

import zlib
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.compression.deflate import inflate
from sxdiff.formats.compression.gzip import Gzip
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Limits, Member

MAGIC = b"\x1f\x8b\x08"
GZIP = 31
"""zlib's window size that stands for a gzip wrapper."""
SIGNATURE, CONTROL = b".SIGN.", b".PKGINFO\0"
LARGEST = 1 << 20
"""Unpacked size of a first segment, which is told from another gzipped tar by what follows."""
MOST_SEGMENTS = 16


class Apk:
    """Each gzip stream by what it holds."""

    name = "apk"

    def recognises(self, head: bytes) -> bool:
        """A signature or control data, which another gzip stream follows."""
        if not head.startswith(MAGIC):
            return False
        inflater = zlib.decompressobj(GZIP)
        try:
            start = inflater.decompress(head, 512)
            if not start.startswith((SIGNATURE, CONTROL)):
                return False
            inflater.decompress(inflater.unconsumed_tail, LARGEST)
        except zlib.error:
            return False
        return inflater.eof and inflater.unused_data.startswith(MAGIC)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The streams in their order, found by inflating each."""
        met: dict[str, int] = {}
        most = min(limits.member_bytes, blob.size * limits.expansion)
        at = unpacked = 0
        while at < blob.size and blob.read(at, 3) == MAGIC:
            size, start = 0, b""
            for size, chunk in inflate(blob, at, GZIP):  # noqa: B007 - the last one is the stream's
                start = start or chunk[:16]
                unpacked += len(chunk)
                if unpacked > most:
                    raise LimitError(f"content of more than {most} bytes", at)
            name = _name(start)
            met[name] = met.get(name, 0) + 1
            if sum(met.values()) > MOST_SEGMENTS:
                raise FormatError(f"more than {MOST_SEGMENTS} streams", at)
            if met[name] > 1:
                name = f"{name} #{met[name]}"
            # a signature follows from the control data and a key
            signature = Inside("gzip", partial(_signature, limits=limits))
            yield Member(
                name,
                blob.part(at, size),
                (at, size),
                inside=signature if name == "signature" else None,
                derived=name == "signature",
            )
            at += size
        if at < blob.size:
            yield Member("trailing", blob.part(at, blob.size - at), (at, blob.size - at))


def _signature(blob: Blob, *, limits: Limits) -> Iterator[Fact | Member]:
    return Gzip().dissect(blob, limits)


def _name(start: bytes) -> str:
    if start.startswith(SIGNATURE):
        return "signature"
    return "control" if start.startswith(CONTROL) else "data"
