"""Gzip streams (RFC 1952): one or more members, each a header, a deflate stream and a trailer."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from zlib_ng import zlib_ng

from sxdiff.formats.compression.deflate import inflate
from sxdiff.formats.compression.stream import Keeper, one_of, trailing
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span, text_of

MAGIC = b"\x1f\x8b\x08"
FHCRC, FEXTRA, FNAME, FCOMMENT = 2, 4, 8, 16
LONGEST_TEXT = 1 << 20
"""Longest name or comment."""


@dataclass(frozen=True, slots=True)
class Part:
    """One member of the stream: its header's facts, where its deflate stream lies, and what
    trailer its content must have."""

    facts: tuple[Fact, ...]
    deflate: Span
    trailer: bytes


class Gzip:
    """Header fields, the unpacked content of all members as one, deflate streams, trailers."""

    name = "gzip"

    def recognises(self, head: bytes) -> bool:
        """RFC 1952, 2.3.1: ID1, ID2, and the only method there is."""
        return len(head) >= 10 and head.startswith(MAGIC) and not head[3] & 0xE0

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The content first, so that the facts that follow from it come after it."""
        keeper = Keeper()
        parts = list(_parts(blob, limits, keeper))
        spans = tuple(part.deflate for part in parts)
        yield Member("content", keeper.content(partial(_content, blob, spans)))
        usual = {fact.kind: fact.value for fact in parts[0].facts}
        for number, part in enumerate(parts):
            for fact in part.facts:
                # bgzip and pigz -i write as many members, all alike, as the content needs
                alike = number > 0 and usual.get(fact.kind) == fact.value
                yield Fact(fact.kind, fact.value, fact.at, derived=fact.derived or alike)
            for fact in _stream_facts(blob, part):
                yield one_of(len(parts), fact)
        yield from trailing(blob, _end(spans[-1]), "gzip.trailing")


def _parts(blob: Blob, limits: Limits, keeper: Keeper) -> Iterator[Part]:
    """Each member, found by inflating the one before it, for which `keeper` gets the content.

    Raises `FormatError` where a stream is damaged, `LimitError` where it unpacks to too much.
    """
    most = min(limits.member_bytes, blob.size * limits.expansion)
    at = unpacked = 0
    while at == 0 or blob.read(at, 3) == MAGIC:
        header = list(_header(blob, at))
        start = at + sum(fact.at[1] for fact in header if fact.at)
        size = crc = 0
        before = unpacked
        for size, chunk in inflate(blob, start):  # noqa: B007 - the last one is the stream's
            unpacked += len(chunk)
            crc = zlib_ng.crc32(chunk, crc)
            if unpacked > most:
                raise LimitError(f"content of more than {most} bytes", at)
            keeper.add(chunk)
        blob.part(start + size, 8)
        length = unpacked - before & 0xFFFFFFFF
        yield Part(tuple(header), (start, size), struct.pack("<II", crc, length))
        at = _end((start, size))


def _end(deflate: Span) -> int:
    return deflate[0] + deflate[1] + 8


_LEVELS = (0, 2, 4)
"""What XFL may be: 2 is the slowest level, 4 the fastest (RFC 1952, 2.3.1)."""


def _header(blob: Blob, at: int) -> Iterator[Fact]:
    """RFC 1952, 2.3: the fixed fields, then those that FLG announces, without any gap."""
    fixed = blob.part(at, 10).read()
    flags = fixed[3]
    if fixed[:3] != MAGIC or flags & 0xE0:
        raise FormatError("no gzip header, or reserved flags set", at)
    yield Fact("gzip.magic", fixed[:3].hex(), (at, 3))
    yield Fact("gzip.flags", flags, (at + 3, 1))
    yield Fact("gzip.mtime", int.from_bytes(fixed[4:8], "little"), (at + 4, 4))
    level: int | str = fixed[8] if fixed[8] in _LEVELS else f"undefined {fixed[8]}"
    yield Fact("gzip.xfl", level, (at + 8, 1))
    yield Fact("gzip.os", fixed[9], (at + 9, 1))
    place = at + 10
    if flags & FEXTRA:
        size = int.from_bytes(blob.part(place, 2).read(), "little")
        yield Fact("gzip.extra", blob.part(place + 2, size).read().hex(), (place, 2 + size))
        place += 2 + size
    for flag, kind in ((FNAME, "gzip.name"), (FCOMMENT, "gzip.comment")):
        if flags & flag:
            text, end, _ = blob.read(place, LONGEST_TEXT).partition(b"\0")
            if not end:
                raise FormatError(f"{kind} without an end", place)
            yield Fact(kind, text_of(text), (place, len(text) + 1))
            place += len(text) + 1
    if flags & FHCRC:
        crc = blob.part(place, 2).read()
        header = blob.part(at, place - at).read()
        right = int.from_bytes(crc, "little") == zlib_ng.crc32(header) & 0xFFFF
        yield Fact("gzip.header_crc", crc.hex(), (place, 2), derived=right)


def _stream_facts(blob: Blob, part: Part) -> Iterator[Fact]:
    """The packed stream by its digest, and the trailer (RFC 1952, 2.3.1: CRC32, ISIZE)."""
    at, size = part.deflate
    yield Fact("gzip.deflate", digest_of(blob.part(*part.deflate)), part.deflate, derived=True)
    trailer = blob.part(at + size, 8).read()
    crc, length = struct.unpack("<II", trailer)
    right = [trailer[i : i + 4] == part.trailer[i : i + 4] for i in (0, 4)]
    yield Fact("gzip.crc32", f"{crc:08x}", (at + size, 4), derived=right[0])
    yield Fact("gzip.isize", length, (at + size + 4, 4), derived=right[1])


def _content(blob: Blob, spans: tuple[Span, ...]) -> Iterator[bytes]:
    """What gunzip gives: the content of all members, in chunks; inflated anew at each call."""
    for start, _ in spans:
        for _, chunk in inflate(blob, start):
            yield chunk
