"""Tar archives that are files: told in the same words as layers are.

Sources: as for `sxdiff.formats.tar`, which reads the headers. What a header means is told by
`meaning`; how it says it is told only where it is not said in the plain way: numbers in octal
digits that fill the field up to one NUL, texts whole, records in their shortest form.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from sxdiff.formats import tar, xattr
from sxdiff.formats.compression.stream import SMALL
from sxdiff.formats.digest import digest_of
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Scalar, Span, text_of

BLOCK = tar.BLOCK
RECORD = 20 * BLOCK
"""What GNU tar fills an archive up to (its blocking factor)."""
MAGICS = frozenset({b"ustar\x0000", b"ustar  \0", bytes(8)})
NUMBERS = ("mode", "uid", "gid", "size", "mtime", "devmajor", "devminor")
GNU_MAGIC = b"ustar  \0"
MAP, ENTRY = 386, 24
"""Where GNU headers hold the map of a sparse file, and the size of one entry."""
CHUNK = 1 << 20
_NUMBER = re.compile(rb"[0-9]{1,20}")
_DIGIT = re.compile(rb"[0-7]")


@dataclass(frozen=True, slots=True)
class Found:
    """One member: where its blocks start, the blocks, what they say, and its data's span."""

    at: int
    raw: bytes
    header: tar.Header
    shared: tuple[Span, ...]
    """Spans (in `raw`) of global records."""
    data: Span


class Tar:
    """Facts for each member's headers, a member for each content."""

    name = "tar"

    def recognises(self, head: bytes) -> bool:
        """A header whose checksum is right: ustar, GNU, or one from before them with a name."""
        block = head[:BLOCK]
        if len(block) < BLOCK or not block[0] or not block[148:156].strip(b" \0"):
            return False
        if block[257:262] != b"ustar" and block[156:157] not in b"\x000123456":
            return False
        try:
            return tar.checksum_is_right(block) and tar.number(block[124:136]) >= 0
        except FormatError:
            return False

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Members in their order, then the blocks that end the archive."""
        met: dict[str, int] = {}
        shared: dict[str, bytes] = {}
        at = 0
        while (found := _read(blob, at, shared, limits)) is not None:
            name = text_of(found.header.name) or "member without a name"
            met[name] = met.get(name, 0) + 1
            if met[name] > 1:
                name = f"{name} #{met[name]}"
            yield from _facts(found, name)
            start, size = found.data
            regions = found.header.sparse
            if found.header.sparse_in_data:
                split, regions = _sparse_map(blob.part(start, size))
                span = (start, split)
                yield Fact("tar.sparse", digest_of(blob.part(*span)), span, name, derived=True)
                start, size = start + split, size - split
            if size:
                stored = blob.part(start, size)
                whole = _with_holes(regions, found.header.size, stored, limits)
                yield Member(name, whole or stored, (start, size))
            at = sum(found.data)
            padding = min(-at % BLOCK, blob.size - at)
            if padding:
                data, span = blob.read(at, padding), (at, padding)
                if any(data):
                    yield Fact("tar.padding", data.hex(), span, name)
                else:
                    yield Fact("tar.padding", "zeros", span, name, derived=True, follows=(span,))
            at += padding
        yield from _end(blob, at)


def _read(blob: Blob, start: int, shared: dict[str, bytes], limits: Limits) -> Found | None:
    """The member whose blocks start at `start`; None where the archive ends there. Global
    records are added to `shared`."""
    at, zeros = start, 0
    spans: list[Span] = []
    before = dict(shared)
    while True:
        if at >= blob.size:
            return None
        block = blob.part(at, BLOCK).read()
        if block == tar.ZERO_BLOCK:
            zeros += 1
            at += BLOCK
            if zeros == 2:
                return None
            continue
        zeros = 0
        if not tar.checksum_is_right(block, at):
            raise FormatError("tar header with a wrong checksum", at)
        at += BLOCK
        flag = block[156:157]
        if flag not in tar.EXTENSIONS:
            break
        size = tar.number(block[124:136], at - BLOCK + 124)
        if size < 0 or at - start + size > limits.header_bytes:
            raise LimitError(f"extended tar header of {size} bytes", at)
        data = blob.part(at, size)
        if flag == tar.PAX_GLOBAL:
            spans.append((at - start, size))
            shared.update((key, value) for key, value, _ in tar.pax_records(data.read(), at))
        at += size + -size % BLOCK
    if flag == tar.GNU_SPARSE:
        more = block[482]
        while more:
            if at - start > limits.header_bytes:
                raise LimitError("sparse map beyond the limit of a header", at)
            more = blob.part(at, BLOCK).read()[504]
            at += BLOCK
    raw = blob.part(start, at - start).read()
    header = tar.Header.parse(raw, before)
    # no data follows these, whatever the size field says
    empty = header.type != tar.REGULAR and header.type in tar.TYPE_NAMES
    if header.stored < 0:
        raise FormatError(f"member of {header.stored} bytes", start)
    data_size = 0 if empty else header.stored
    blob.part(at, data_size)
    return Found(start, raw, header, tuple(spans), (at, data_size))


def _with_holes(
    regions: tuple[Span, ...] | None, size: int, data: Blob, limits: Limits
) -> Callable[[], Iterator[bytes]] | None:
    """The content of a sparse file as it is unpacked; None where the map is not of its data, or
    where there are too many holes to look at."""
    most = min(limits.member_bytes, max(SMALL, data.size * limits.expansion))
    if regions is None or size > most or sum(length for _, length in regions) != data.size:
        return None
    at = 0
    for start, length in regions:
        if start < at or start + length > size:
            return None
        at = start + length
    return partial(_filled, data, regions, size)


def _filled(data: Blob, regions: tuple[Span, ...], size: int) -> Iterator[bytes]:
    at = place = 0
    for start, length in (*regions, (size, 0)):
        for hole in range(at, start, CHUNK):
            yield bytes(min(CHUNK, start - hole))
        for part in range(place, place + length, CHUNK):
            yield data.read(part, min(CHUNK, place + length - part))
        at, place = start + length, place + length


def _map_is_plain(found: Found) -> bool:
    """Whether a GNU header holds the map that it means, or none, and only that, as GNU tar writes
    it (GNU tar 1.35 manual, "Basic Tar Format", struct sparse and sparse_header)."""
    header, own = found.header, found.header.blocks[-1]
    kind = found.raw[own + 156 : own + 157]
    if found.raw[own + 257 : own + 265] != GNU_MAGIC:
        return False
    if kind != tar.GNU_SPARSE:
        return not any(found.raw[own + MAP :])
    regions = b"".join(b"%011o\0%011o\0" % region for region in header.sparse or ())
    first, more = regions[: 4 * ENTRY].ljust(4 * ENTRY, b"\0"), regions[4 * ENTRY :]
    blocks = [more[at : at + 21 * ENTRY] for at in range(0, len(more), 21 * ENTRY)]
    said = first + bytes((bool(blocks),)) + b"%011o\0" % header.size + bytes(17)
    for number, block in enumerate(blocks, 1):
        said += block.ljust(21 * ENTRY, b"\0") + bytes((number < len(blocks),)) + bytes(7)
    return found.raw[own + MAP :] == said


def _sparse_map(blob: Blob) -> tuple[int, tuple[Span, ...]]:
    """Size of the map that GNU sparse 1.0 puts in front of the data, with its padding; the map."""
    head = blob.read(0, 1 << 20)
    lines = re.match(rb"([0-9]{1,20})\n", head)
    if not lines:
        raise FormatError("sparse map without a count", 0)
    count, at = 2 * int(lines[1]), lines.end()
    if count > len(head):
        raise FormatError("sparse map ends early", 0)
    numbers = head[at:].split(b"\n", count)[:count]
    end = at + sum(len(number) + 1 for number in numbers)
    if len(numbers) < count or end > len(head) or not all(map(_NUMBER.fullmatch, numbers)):
        raise FormatError("sparse map is no list of numbers", 0)
    told = [int(number) for number in numbers]
    return min(blob.size, end + -end % BLOCK), tuple(zip(told[::2], told[1::2], strict=True))


def _facts(found: Found, name: str) -> Iterator[Fact]:
    """What the header means, then where it says so in another than the plain way."""
    header, raw = found.header, found.raw
    span = (found.at, len(raw))
    yield Fact("tar.dialect", _dialect(found), span, name, follows=tuple(_follows(found)))
    for fact in tar.meaning(header, found.at):
        value = fact.value if not fact.name else f"{fact.name}={fact.value}"
        yield Fact(fact.kind, value, _span(fact, found), name, fact.derived)
    own = header.blocks[-1]
    kind = raw[own + 156 : own + 157]
    said = "regular file, old" if kind == b"\0" else tar.TYPE_NAMES.get(kind, text_of(kind))
    yield Fact("tar.typeflag", said, (found.at + own + 156, 1), name)
    plain = _plain_texts(header)
    plain_map = header.sparse is not None and _map_is_plain(found)
    for field, start, size in tar.FIELDS:
        data = raw[own + start : own + start + size]
        if plain_map and start + size > MAP:
            data = data[: max(0, MAP - start)]
        value = _spelled(field, data, header, plain)
        if value is not None:
            yield Fact(f"tar.header.{field}", value, (found.at + own + start, size), name)
    yield from _records(found, name)
    yield from _leftovers(found, name)


def _follows(found: Found) -> Iterator[Span]:
    """Checksums, which are right or nothing was read; fields that say again, in the plain way,
    what records or long names say."""
    header, raw = found.header, found.raw
    *extended, own = header.blocks
    for block in header.blocks:
        yield found.at + block + 148, 8
    if _map_is_plain(found):
        # the map is told as one, and says how much is stored
        yield found.at + own + MAP, len(raw) - own - MAP
        if _spelled("size", raw[own + 124 : own + 136], header, _plain_texts(header)) is None:
            yield found.at + own + 124, 12
    if not extended:
        return
    for block in extended:
        size = tar.number(raw[block + 124 : block + 136])
        padding = block + BLOCK + size, -size % BLOCK
        if not any(raw[padding[0] : sum(padding)]):
            yield found.at + padding[0], padding[1]
    plain = _plain_texts(header)
    for field, start, size in tar.FIELDS:
        if field in NUMBERS or field in plain:
            if _spelled(field, raw[own + start : own + start + size], header, plain) is None:
                yield found.at + own + start, size
            for block in extended if field in NUMBERS else ():
                data = raw[block + start : block + start + size]
                if _aside(field, data, found, block) in ("", "as the member's"):
                    yield found.at + block + start, size


def _span(fact: Fact, found: Found) -> Span | None:
    """Where a fact of `meaning` is said: a long name in its own block."""
    long = {"tar.name": tar.GNU_LONG_NAME, "tar.linkname": tar.GNU_LONG_LINK}.get(fact.kind)
    for block in found.header.blocks[:-1]:
        if found.raw[block + 156 : block + 157] == long:
            size = tar.number(found.raw[block + 124 : block + 136])
            return (found.at + block + BLOCK, size)
    return fact.at


def _dialect(found: Found) -> str:
    """Which headers describe the member, which records they have, and what is uncommon in the
    extended ones' own fields."""
    header, raw = found.header, found.raw
    parts = [tar.dialect(header, raw)]
    if header.pax:
        parts.append(f"records {', '.join(key for key, _, _ in header.pax)}")
    for number, block in enumerate(header.blocks[:-1], 1):
        uncommon = [
            f"{field} {value}"
            for field, start, size in tar.FIELDS
            if (value := _aside(field, raw[block + start : block + start + size], found, block))
        ]
        if uncommon:
            parts.append(f"{tar.EXTENDED} {number}: {', '.join(uncommon)}")
    return "; ".join(parts)


def _aside(field: str, data: bytes, found: Found, block: int) -> str:
    """A field of an extended header, which mostly means nothing; "" for the common value."""
    header = found.header
    if field in ("typeflag", "chksum"):
        return "" if field == "typeflag" else _checksum(data)
    if field == "magic":
        return "" if data in MAGICS else text_of(data)
    if field not in NUMBERS:
        return text_of(data.rstrip(b"\0"))
    try:
        number = tar.number(data)
    except FormatError:
        return text_of(data)
    style = _style(data)
    if field == "size":
        # it follows from the records; how a long name ends is told as padding
        start = block + BLOCK
        told = sum(size for _, _, (at, size) in header.pax if start <= at < start + number)
        kind = found.raw[block + 156 : block + 157]
        long = kind in (tar.GNU_LONG_NAME, tar.GNU_LONG_LINK)
        said = "" if long or told == number else f"{number}"
    elif not number:
        said = ""
    elif number == _meant(field, header) and (field, number) != ("mode", 0o644):
        said = "as the member's"
    else:
        said = f"{number:04o}" if field == "mode" else f"{number}"
    return " ".join(filter(None, (said, style)))


def _plain_texts(header: tar.Header) -> Mapping[str, bytes]:
    """What each text field holds where it is said in the plain way."""
    link = header.linkname if header.type in (tar.HARD_LINK, tar.SYMBOLIC_LINK) else b""
    return {
        "name": header.name[:100],
        "uname": header.uname,
        "gname": header.gname,
        "linkname": link[:100],
        "prefix": b"",
        "padding": b"",
    }


def _style(data: bytes) -> str:
    """How a number is written: "" in octal digits that fill the field up to one NUL."""
    if data[0] >= 0x80:
        return "base 256"
    if not any(data):
        return "empty"
    said = text_of(_DIGIT.sub(b"o", data))
    return "" if said == f"{'o' * (len(data) - 1)}\0" else said.replace("\0", "\\0")


def _checksum(data: bytes) -> str:
    """How it is written: "" in six digits, NUL, space. It is right, or nothing was read."""
    said = _DIGIT.sub(b"o", data)
    return "" if said == b"oooooo\0 " else text_of(said).replace("\0", "\\0")


def _spelled(field: str, data: bytes, header: tar.Header, plain: Mapping[str, bytes]) -> Scalar:
    """How a field says what it says; None where that is the plain way."""
    if field == "typeflag":
        return None
    if field == "chksum":
        return _checksum(data) or None
    if field == "magic":
        return None if data in MAGICS else text_of(data)
    if field not in NUMBERS:
        bare = data.rstrip(b"\0")
        return None if bare == plain.get(field) else text_of(bare)
    try:
        number = tar.number(data)
    except FormatError:
        return text_of(data)
    style = _style(data)
    if number != _meant(field, header):
        told = f"{number:o}" if field == "mode" else f"{number}"
        return " ".join(filter(None, (told, style)))
    if style == "empty" and field.startswith("dev") and header.type not in b"34":
        return None
    return style or None


def _meant(field: str, header: tar.Header) -> int:
    """The number that `meaning` tells of a field."""
    values = {
        "mode": header.permissions,
        "uid": header.uid,
        "gid": header.gid,
        "size": header.stored,
        "mtime": header.mtime // 10**9,
        "devmajor": header.device[0],
        "devminor": header.device[1],
    }
    return values[field]


def _records(found: Found, name: str) -> Iterator[Fact]:
    """PAX records whose bytes no fact of `meaning` tells."""
    header = found.header
    keys = [key for key, _, _ in header.pax]
    final = {key: number for number, key in enumerate(keys)}
    for number, (key, value, (start, size)) in enumerate(header.pax):
        of_all = any(at <= start < at + length for at, length in found.shared)
        if not of_all and final[key] == number and value == _meant_record(key, header, value):
            continue
        printable = value.decode(errors="replace").isprintable()
        shown = text_of(value) if printable else value.hex()
        yield Fact("tar.pax", f"{key}={shown}", (found.at + start, size), name)


def _meant_record(key: str, header: tar.Header, value: bytes) -> bytes | None:
    """The record's value where it says in its shortest form what `meaning` tells."""
    texts: Mapping[str, bytes] = {
        "path": header.name,
        "linkpath": header.linkname,
        "uname": header.uname,
        "gname": header.gname,
        "uid": b"%d" % header.uid,
        "gid": b"%d" % header.gid,
        "size": b"%d" % header.size,
        "mtime": str(tar.time_value(header.mtime)).encode(),
        "GNU.sparse.name": header.name,
        "GNU.sparse.realsize": b"%d" % header.size,
        "GNU.sparse.size": b"%d" % header.size,
    }
    if key in texts:
        return texts[key]
    if key in ("atime", "ctime"):
        try:
            return str(tar.time_value(tar.nanoseconds(value))).encode()
        except FormatError:
            return None
    told = dict(header.xattrs)
    if key.startswith(xattr.STAR):
        return told.get(key[len(xattr.STAR) :])
    return told.get(key) if key in xattr.ACL_KEYS else None


def _leftovers(found: Found, name: str) -> Iterator[Fact]:
    """Bytes between header blocks that say nothing: lone zero blocks, what follows records and
    long names. Told only where there are any."""
    raw, header = found.raw, found.header
    at = zeros = 0
    for number, block in enumerate(header.blocks):
        zeros += (block - at) // BLOCK
        if number == len(header.blocks) - 1:
            break
        size = tar.number(raw[block + 124 : block + 136])
        at = block + BLOCK + size + -size % BLOCK
        data = raw[block + BLOCK : at]
        kind = raw[block + 156 : block + 157]
        if kind in (tar.GNU_LONG_NAME, tar.GNU_LONG_LINK):
            meant = header.name if kind == tar.GNU_LONG_NAME else header.linkname
            rest = data if data[: len(meant) + 1] != meant + b"\0" else data[len(meant) + 1 :]
            # GNU tar counts the NUL, others do not
            ending = size - len(meant)
            if any(rest) or ending != 1:
                said = f"{tar.EXTENDED} {number + 1} {ending} {rest.rstrip(bytes(1)).hex()}"
                yield Fact("tar.padding", said, (found.at + block + BLOCK, len(data)), name)
        elif any(data[size:]):
            span = (found.at + block + BLOCK + size, len(data) - size)
            yield Fact("tar.padding", f"{tar.EXTENDED} {data[size:].hex()}", span, name)
    if zeros:
        yield Fact("tar.zero_block", zeros, (found.at, len(raw)), name)


def _end(blob: Blob, start: int) -> Iterator[Fact | Member]:
    """The zero blocks that end the archive; what follows them is a stream of its own."""
    at = start
    while at < blob.size:
        data = blob.read(at, 1 << 20)
        rest = data.lstrip(b"\0")
        at += len(data) - len(rest)
        if rest:
            at -= at % BLOCK
            break
    size = at - start
    if size:
        blocks = size // BLOCK
        said = f"{blocks} zero blocks" if not size % BLOCK else f"{size} zeros"
        span, follows = (start, size), False
        if blocks >= 2 and at % RECORD == 0 and size < RECORD + 2 * BLOCK:
            said, follows = f"zero blocks up to {RECORD} bytes", True
        yield Fact("tar.end", said, span, derived=True, follows=(span,) if follows else ())
    if at < blob.size:
        yield Member("behind the end", blob.part(at, blob.size - at), (at, blob.size - at))
