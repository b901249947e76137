"""Packs of a git repository and their indexes: which objects, however they are packed.

Source: git's gitformat-pack(5): pack files, deltas, index versions 1 and 2.
"""

import hashlib
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.data.git_index import object_digest
from sxdiff.formats.parts import Reader, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MOST = 256 << 20
"""Bytes of a pack."""
MOST_UNPACKED = 256 << 20
"""Bytes of all its objects."""
TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
OFFSET_DELTA, NAMED_DELTA = 6, 7
HEADER = Record(
    "git_pack",
    ">",
    (Field("signature", "4s"), Field("version", "I"), Field("objects", "I", derived=True)),
)
INDEX_MAGIC = b"\xfftOc"


class GitPack:
    """A listing of the objects by name; the packed stream and its checksum derived."""

    name = "git_pack"

    def recognises(self, head: bytes) -> bool:
        """Signature and a version that exists."""
        return len(head) >= 32 and head.startswith(b"PACK\0\0\0") and head[7] in (2, 3)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, objects, the packed bytes, checksum."""
        data = whole(blob, MOST)
        trailer = 20 if hashlib.sha1(data[:-20]).digest() == data[-20:] else 32  # noqa: S324 - git's own
        if trailer == 32 and hashlib.sha256(data[:-32]).digest() != data[-32:]:
            trailer = 20
        yield record_part("git_pack", "header", blob, 0, HEADER)
        yield lines_part("git_pack.object", "objects", partial(_objects, data, trailer))
        end = blob.size - trailer
        yield packed("git_pack.packed", blob, (HEADER.size, end - HEADER.size), "objects")
        right = object_digest(blob.part(0, end), trailer) == data[end:]
        yield Fact("git_pack.checksum", data[end:].hex(), (end, trailer), derived=right)


class GitPackIndex:
    """A listing of name, CRC and offset of each object; the tables derived."""

    name = "git_pack_index"

    def recognises(self, head: bytes) -> bool:
        """The magic of version 2."""
        return len(head) >= 1032 and head.startswith(INDEX_MAGIC + b"\0\0\0\2")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Objects, tables, and the checksums of the pack and of the index."""
        reader = Reader(whole(blob, MOST), ">")
        count = reader.number(8 + 4 * 255)
        # the sizes of both object formats: names, CRCs, offsets, two checksums
        oid = 20 if 1032 + count * 28 + 40 <= blob.size < 1032 + count * 40 + 64 else 32
        reader.span(1032, count * (oid + 8) + 2 * oid)
        yield Fact("git_pack_index.magic", "version 2", (0, 8))
        rows = partial(_index, reader, count, oid)
        yield lines_part("git_pack_index.object", "objects", rows)
        end = blob.size - 2 * oid
        yield packed("git_pack_index.tables", blob, (8, end - 8), "objects")
        pack = reader.span(end, oid).hex()
        # the pack's own bytes: it may differ where all objects lie at the same places
        yield Fact("git_pack_index.pack", pack, (end, oid))
        told = reader.span(end + oid, oid)
        right = object_digest(blob.part(0, end + oid), oid) == told
        yield Fact("git_pack_index.checksum", told.hex(), (end + oid, oid), derived=right)


def _index(reader: Reader, count: int, oid: int) -> Iterator[str]:
    names = 1032
    sums = names + oid * count
    places = sums + 4 * count
    large = places + 4 * count
    for number in range(count):
        place = reader.number(places + 4 * number)
        if place >> 31:  # an index into the table of 8-byte offsets
            place = reader.number(large + 8 * (place & 0x7FFFFFFF), 8)
        name = reader.span(names + oid * number, oid).hex()
        told = reader.span(sums + 4 * number, 4).hex()
        yield f"{name} at {place}, CRC {told}"


class _Object(NamedTuple):
    type: int
    base: int | bytes
    content: bytes


def _objects(data: bytes, trailer: int) -> list[str]:
    """Each object's type, name and size, sorted: order and deltas are only layout."""
    found: dict[int, _Object] = {}
    at, left = HEADER.size, MOST_UNPACKED
    oid, algorithm = (20, "sha1") if trailer == 20 else (32, "sha256")
    reader = Reader(data, ">")
    for _ in range(reader.number(8)):
        start = at
        byte = reader.number(at, 1)
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        at += 1
        while byte & 128 and shift < 64:
            byte = reader.number(at, 1)
            size |= (byte & 127) << shift
            shift += 7
            at += 1
        base: int | bytes = 0
        if kind == OFFSET_DELTA:
            distance, width = _distance(reader, at)
            at += width
            base = start - distance
        elif kind == NAMED_DELTA:
            base = reader.span(at, oid)
            at += oid
        elif kind not in TYPES:
            raise FormatError(f"object of type {kind}", start)
        content, at = _inflated(data, at, len(data) - trailer, min(size, left))
        if len(content) != size:
            raise FormatError(f"object of {len(content)} bytes, not {size}", start)
        left -= size
        found[start] = _Object(kind, base, content)
    return sorted(_told(found, algorithm, left))


def _distance(reader: Reader, at: int) -> tuple[int, int]:
    byte = reader.number(at, 1)
    value, width = byte & 127, 1
    while byte & 128 and width < 10:
        byte = reader.number(at + width, 1)
        value = ((value + 1) << 7) | (byte & 127)
        width += 1
    return value, width


def _inflated(data: bytes, at: int, end: int, most: int) -> tuple[bytes, int]:
    """The zlib stream at `at`, of up to `most` bytes, and where it ends."""
    inflater = zlib.decompressobj()
    pieces: list[bytes] = []
    got = 0
    while not inflater.eof and at < end:
        step = data[at : min(at + (64 << 10), end)]
        try:
            piece = inflater.decompress(step, most + 1 - got)
        except zlib.error as error:
            raise FormatError(f"damaged object: {error}", at) from error
        got += len(piece)
        if got > most:
            raise LimitError(f"object of more than {most} bytes", at)
        pieces.append(piece)
        used = len(step) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        if not used and not piece:
            raise FormatError("damaged object", at)
        at += used
    if not inflater.eof:
        raise FormatError("object ends early", at)
    return b"".join(pieces), at


def _told(found: dict[int, _Object], algorithm: str, left: int) -> Iterator[str]:
    """Objects with their names; deltas are applied as far as their bases are here."""
    whole_objects: dict[int, tuple[str, bytes]] = {}
    names: dict[bytes, int] = {}
    waiting = dict(found)
    while waiting:
        before = len(waiting)
        for place, one in list(waiting.items()):
            if one.type in TYPES:
                kind, content = TYPES[one.type], one.content
            else:
                key = names.get(one.base) if isinstance(one.base, bytes) else one.base
                if key is None or key not in whole_objects:
                    continue
                kind, base = whole_objects[key]
                content = _applied(base, one.content, left)
                left -= len(content)
            whole_objects[place] = kind, content
            digest = hashlib.new(
                algorithm, b"%s %d\0" % (kind.encode(), len(content)), usedforsecurity=False
            )
            digest.update(content)
            names[digest.digest()] = place
            del waiting[place]
            yield f"{kind} {digest.hexdigest()} of {len(content)} bytes"
        if len(waiting) == before:
            for one in waiting.values():  # a thin pack: the base is somewhere else
                where = one.base.hex() if isinstance(one.base, bytes) else "an object before"
                told = hashlib.sha256(one.content).hexdigest()
                yield f"delta on {where} sha256:{told}"
            return


def _applied(base: bytes, delta: bytes, most: int) -> bytes:
    """The object that `delta` makes of `base` (gitformat-pack, "Deltified representation")."""
    reader = Reader(delta)
    sizes = []
    at = 0
    for _ in range(2):
        value = shift = 0
        byte = 128
        while byte & 128 and shift < 64:
            byte = reader.number(at, 1)
            value |= (byte & 127) << shift
            shift += 7
            at += 1
        sizes.append(value)
    if sizes[0] != len(base):
        raise FormatError("delta of another base", 0)
    if sizes[1] > most:
        raise LimitError(f"objects of more than {MOST_UNPACKED} bytes")
    out: list[bytes] = []
    size = 0
    while at < len(delta):
        code = reader.number(at, 1)
        at += 1
        if code & 128:
            values = [0, 0]
            for bit in range(7):
                if code & (1 << bit):
                    values[bit > 3] |= reader.number(at, 1) << (8 * (bit - 4 * (bit > 3)))
                    at += 1
            start, length = values[0], values[1] or 0x10000
            piece = base[start : start + length]
        else:
            piece = reader.span(at, code)
            at += code
        size += len(piece)
        if size > sizes[1]:
            raise FormatError("delta makes too much", at)
        out.append(piece)
    if size != sizes[1]:
        raise FormatError("delta makes too little", at)
    return b"".join(out)
