"""Tar headers, raw: what each byte of a header says, for layers and plain roots.

Sources: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar 1.35
manual, "Basic Tar Format" and "Storing Sparse Files"; star(5) for SCHILY.* records;
capability.h and posix_acl_xattr.h of Linux for the two xattrs that are decoded.

`Header.parse` reads the whole run of blocks that describes one member (extended headers first,
the member's own block last). Nothing here touches the member's content.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sxdiff.formats import xattr
from sxdiff.model import Fact, FormatError, Scalar, Span, text_of

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)

REGULAR, HARD_LINK, SYMBOLIC_LINK, CHARACTER, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"5", b"6"
BLOCK_DEVICE = b"4"
GNU_SPARSE, GNU_LONG_NAME, GNU_LONG_LINK = b"S", b"L", b"K"
PAX, PAX_GLOBAL, PAX_SOLARIS = b"x", b"g", b"X"
EXTENSIONS = PAX + PAX_GLOBAL + PAX_SOLARIS + GNU_LONG_NAME + GNU_LONG_LINK

TYPE_NAMES: Mapping[bytes, str] = {
    REGULAR: "regular file",
    HARD_LINK: "hard link",
    SYMBOLIC_LINK: "symbolic link",
    CHARACTER: "character device",
    BLOCK_DEVICE: "block device",
    DIRECTORY: "directory",
    FIFO: "FIFO",
}
HEADER_ONLY = b"123456"
"""Types without content whatever their size field says, as Go's archive/tar has it."""

FIELDS: tuple[tuple[str, int, int], ...] = (
    ("name", 0, 100),
    ("mode", 100, 8),
    ("uid", 108, 8),
    ("gid", 116, 8),
    ("size", 124, 12),
    ("mtime", 136, 12),
    ("chksum", 148, 8),
    ("typeflag", 156, 1),
    ("linkname", 157, 100),
    ("magic", 257, 8),
    ("uname", 265, 32),
    ("gname", 297, 32),
    ("devmajor", 329, 8),
    ("devminor", 337, 8),
    ("prefix", 345, 155),
    ("padding", 500, 12),
)
"""The ustar header: field, offset, size. `magic` is magic and version, which GNU runs together."""

_AT: Mapping[str, Span] = {name: (start, size) for name, start, size in FIELDS}

_PAX_KIND: Mapping[str, str] = {
    "path": "tar.name",
    "linkpath": "tar.linkname",
    "size": "tar.size",
    "mtime": "tar.mtime",
    "atime": "tar.atime",
    "ctime": "tar.ctime",
    "uid": "tar.uid",
    "gid": "tar.gid",
    "uname": "tar.uname",
    "gname": "tar.gname",
    "GNU.sparse.realsize": "tar.size",
    "GNU.sparse.size": "tar.size",
    "GNU.sparse.name": "tar.name",
    "GNU.sparse.map": "tar.sparse",
}
"""PAX keys that overrule a header field: a difference of the field's meaning tells them too."""

_TIME = re.compile(rb"-?[0-9]+(?:\.[0-9]*)?\Z")


def number(field: bytes, at: int | None = None) -> int:
    """A numeric header field: octal text, or base-256 where the first bit is set (GNU, star)."""
    if field[:1] >= b"\x80":
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        # the marker bit is not part of the number; the next one is its sign
        value &= (1 << (bits - 1)) - 1
        return value - (1 << (bits - 1)) if field[0] & 0x40 else value
    text = field.strip(b" \0")
    if not text:
        return 0
    if b"\0" in text:
        text = text[: text.index(b"\0")].rstrip(b" ")
    try:
        if not text.isdigit():
            raise ValueError
        return int(text, 8)
    except ValueError:
        raise FormatError(f"tar header: {text_of(field)!r} is no octal number", at) from None


def checksum_is_right(block: bytes, at: int | None = None) -> bool:
    """Does `chksum` hold the sum of the header's bytes, itself taken as spaces (POSIX)?

    Some historic writers summed signed characters; readers accept both.
    """
    stored = number(block[148:156], at)
    # Adler-32's low half is one more than the sum modulo 65521, which 256 bytes cannot reach:
    # so it is the sum, some ten times faster than sum()
    halves = zlib.adler32(block[:256]) & 0xFFFF, zlib.adler32(block[256:]) & 0xFFFF
    unsigned = halves[0] + halves[1] - 2 - sum(block[148:156]) + 256
    if stored == unsigned:
        return True
    rest = block[:148] + block[156:]
    return stored == unsigned - 256 * sum(byte > 0x7F for byte in rest)


def text(field: bytes) -> bytes:
    """A text field up to its first NUL."""
    end = field.find(b"\0")
    return field if end < 0 else field[:end]


def path_of(name: bytes) -> bytes:
    """The member's path in the root file system: no leading or trailing slash, no `.` steps.

    `..` steps are kept as they are: the name is only ever a key, never a place to write to.
    """
    return b"/".join([step for step in name.split(b"/") if step not in (b"", b".")])


def pax_records(data: bytes, at: int | None = None) -> Iterator[tuple[str, bytes, Span]]:
    """Records `LENGTH KEY=VALUE\\n` of an extended header: key, value, span of the record."""
    position = 0
    base = at or 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space] if space > 0 else b""
        if not digits.isdigit():
            if not data[position:].strip(b"\0"):
                return
            raise FormatError("PAX record without a length", base + position)
        end = position + int(digits)
        equals = data.find(b"=", space, end)
        if end > len(data) or end <= space or equals < 0 or data[end - 1] != 0x0A:
            raise FormatError("PAX record does not fit its length", base + position)
        key = text_of(data[space + 1 : equals])
        yield key, data[equals + 1 : end - 1], (base + position, end - position)
        position = end


def nanoseconds(value: bytes, at: int | None = None) -> int:
    """A PAX time (decimal seconds, any number of places) as nanoseconds, cut towards the past."""
    if not _TIME.match(value) or len(value) > 64:
        raise FormatError(f"PAX time {text_of(value[:64])!r} is no decimal number", at)
    whole, _, places = value.partition(b".")
    part = int(places[:9].ljust(9, b"0") or b"0")
    seconds = int(whole)
    if whole.startswith(b"-"):
        return seconds * 10**9 - part - bool(places[9:].strip(b"0"))
    return seconds * 10**9 + part


@dataclass(frozen=True, slots=True)
class Header:
    """One member's header, read. Paths and names are bytes; times are nanoseconds."""

    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    mtime: int
    whole_seconds: bool
    """The time has no place for a fraction: no PAX mtime record is there."""
    size: int
    """Size of the file (the expanded one, where it is sparse)."""
    stored: int
    """Bytes of data that follow the header."""
    linkname: bytes
    device: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]
    pax: tuple[tuple[str, bytes, Span], ...]
    """PAX records in their order, with spans relative to the first block."""
    blocks: tuple[int, ...]
    """Offsets of the header blocks, the member's own last."""
    sparse: tuple[Span, ...] | None
    """Data regions of a GNU sparse member, where the header holds the map."""
    sparse_in_data: bool
    """The map stands in front of the data (GNU sparse 1.0)."""

    @classmethod
    def parse(cls, raw: bytes, global_records: Mapping[str, bytes]) -> "Header":
        """Read the blocks of one member; `raw` starts at its first block and ends with its last.

        `global_records` are the PAX global records in force before it. Raises FormatError.
        """
        shared, local = dict(global_records), dict[str, bytes]()
        pax: list[tuple[str, bytes, Span]] = []
        blocks: list[int] = []
        long_name = long_link = None
        at = 0
        while True:
            block = raw[at : at + BLOCK]
            if len(block) < BLOCK:
                raise FormatError("tar header ends early", at)
            if block == ZERO_BLOCK:  # a lone zero block between members
                at += BLOCK
                continue
            blocks.append(at)
            flag = block[156:157]
            if flag not in EXTENSIONS:
                break
            size = number(block[124:136], at + 124)
            data = raw[at + BLOCK : at + BLOCK + size]
            if flag == GNU_LONG_NAME:
                long_name = text(data)
            elif flag == GNU_LONG_LINK:
                long_link = text(data)
            else:
                for key, value, span in pax_records(data, at + BLOCK):
                    pax.append((key, value, span))
                    (shared if flag == PAX_GLOBAL else local)[key] = value
            at += BLOCK + -(-size // BLOCK) * BLOCK
        # a member's own records overrule those for all, whichever stands first
        return cls._own(raw, at, tuple(blocks), shared | local, tuple(pax), long_name, long_link)

    @classmethod
    def _own(
        cls,
        raw: bytes,
        at: int,
        blocks: tuple[int, ...],
        records: Mapping[str, bytes],
        pax: tuple[tuple[str, bytes, Span], ...],
        long_name: bytes | None,
        long_link: bytes | None,
    ) -> "Header":
        block = raw[at : at + BLOCK]

        def field(name: str) -> bytes:
            start, size = _AT[name]
            return block[start : start + size]

        def value(name: str) -> int:
            return number(field(name), at + _AT[name][0])

        def decimal(key: str, otherwise: int) -> int:
            found = records.get(key)
            if found is None or found == b"":
                return otherwise
            if not found.isdigit() or len(found) > 20:
                raise FormatError(f"PAX {key} {text_of(found[:40])!r} is no number", at)
            return int(found)

        ustar = block[257:263] == b"ustar\0"
        name = text(field("name"))
        if ustar and (prefix := text(field("prefix"))):
            name = prefix + b"/" + name
        name = long_name if long_name is not None else name
        name = records.get("path", name)
        name = records.get("GNU.sparse.name", name)
        flag = block[156:157]
        gnu_sparse = flag == GNU_SPARSE
        if flag in (b"\0", b"7", GNU_SPARSE):
            flag = REGULAR
        if flag == REGULAR and name.endswith(b"/"):
            flag = DIRECTORY  # how tars from before POSIX spell a directory
        sparse_in_data = records.get("GNU.sparse.major", b"0") != b"0"
        stored = decimal("size", value("size"))
        size = stored
        sparse: tuple[Span, ...] | None = None
        if gnu_sparse:
            sparse = _gnu_sparse_map(raw, at)
            size = number(block[483:495], at + 483)
        elif "GNU.sparse.map" in records:
            sparse = _sparse_map_0_1(records["GNU.sparse.map"], at)
            size = decimal("GNU.sparse.size", stored)
        elif "GNU.sparse.numblocks" in records and not sparse_in_data:
            sparse = _sparse_map_0_0(pax, at)
            size = decimal("GNU.sparse.size", stored)
        elif sparse_in_data:
            size = decimal("GNU.sparse.realsize", stored)
        mtime = records.get("mtime")
        return cls(
            name=name,
            type=flag,
            mode=value("mode"),
            uid=decimal("uid", value("uid")),
            gid=decimal("gid", value("gid")),
            uname=records.get("uname", text(field("uname"))),
            gname=records.get("gname", text(field("gname"))),
            mtime=nanoseconds(mtime, at) if mtime else value("mtime") * 10**9,
            whole_seconds=not mtime,
            size=size,
            stored=stored,
            linkname=records.get(
                "linkpath", long_link if long_link is not None else text(field("linkname"))
            ),
            device=(value("devmajor"), value("devminor")) if flag in b"34" else (0, 0),
            xattrs=xattr.xattrs(records, value("mode")),
            pax=pax,
            blocks=blocks,
            sparse=sparse,
            sparse_in_data=sparse_in_data and sparse is None,
        )

    @property
    def permissions(self) -> int:
        """Mode without the file-type bits that some writers add (0100755 for 0755)."""
        return self.mode & 0o7777


def _pairs(numbers: list[int], at: int) -> tuple[Span, ...]:
    if len(numbers) % 2 or any(value < 0 for value in numbers):
        raise FormatError("sparse map is no list of offset and size", at)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _gnu_sparse_map(raw: bytes, at: int) -> tuple[Span, ...]:
    """Old GNU format: four entries in the header, 21 in each extension block behind it."""
    numbers: list[int] = []
    start, count, more = at + 386, 4, raw[at + 482]
    while True:
        for entry in range(count):
            place = raw[start + 24 * entry : start + 24 * entry + 24]
            if not place[0] or not place[12]:
                break  # GNU tar looks at the size, Go and BSD at the offset
            numbers += (number(place[:12], start), number(place[12:], start))
        if not more:
            return _pairs(numbers, at)
        at += BLOCK
        start, count = at, 21
        if at + BLOCK > len(raw):
            raise FormatError("sparse extension block is missing", at)
        more = raw[at + 504]


def _sparse_map_0_1(value: bytes, at: int) -> tuple[Span, ...]:
    try:
        return _pairs([int(number) for number in value.split(b",") if number], at)
    except ValueError:
        raise FormatError("GNU.sparse.map is no list of numbers", at) from None


def _sparse_map_0_0(pax: tuple[tuple[str, bytes, Span], ...], at: int) -> tuple[Span, ...]:
    try:
        return _pairs(
            [int(v) for k, v, _ in pax if k in ("GNU.sparse.offset", "GNU.sparse.numbytes")], at
        )
    except ValueError:
        raise FormatError("GNU.sparse.offset or numbytes is no number", at) from None


def same_time(a: Header, b: Header) -> bool:
    """Is the time equal to the precision that both hold? GNU tar cuts fractions, Go rounds."""
    if a.whole_seconds == b.whole_seconds:
        return a.mtime == b.mtime
    whole, fine = (a.mtime, b.mtime) if a.whole_seconds else (b.mtime, a.mtime)
    return whole // 10**9 in (fine // 10**9, (fine + 5 * 10**8) // 10**9)


def time_value(value: int) -> Scalar:
    """Nanoseconds as the report says them: whole seconds as a number, else decimal text."""
    seconds, part = divmod(value, 10**9)
    return seconds if not part else f"{seconds}.{part:09d}".rstrip("0")


def _device(header: Header) -> str | None:
    return f"{header.device[0]}:{header.device[1]}" if header.type in b"34" else None


def meaning(header: Header, base: int) -> Iterator[Fact]:
    """What the header means, whatever its dialect: facts `tar.mode`, `tar.mtime`, ..."""
    own = header.blocks[-1]
    record_at = {key: span for key, _, span in header.pax}

    def at(field: str, *keys: str) -> Span:
        for key in keys:
            if key in record_at:
                start, size = record_at[key]
                return (base + start, size)
        start, size = _AT[field]
        return (base + own + start, size)

    yield Fact("tar.name", text_of(header.name), at("name", "path", "GNU.sparse.name"))
    yield Fact("tar.mode", f"{header.permissions:04o}", at("mode"))
    yield Fact("tar.uid", header.uid, at("uid", "uid"))
    yield Fact("tar.gid", header.gid, at("gid", "gid"))
    yield Fact("tar.uname", text_of(header.uname), at("uname", "uname"))
    yield Fact("tar.gname", text_of(header.gname), at("gname", "gname"))
    yield Fact("tar.size", header.size, at("size", "size", "GNU.sparse.realsize"), derived=True)
    yield Fact("tar.mtime", time_value(header.mtime), at("mtime", "mtime"))
    if header.type in (HARD_LINK, SYMBOLIC_LINK):
        yield Fact("tar.linkname", text_of(header.linkname), at("linkname", "linkpath"))
    if (device := _device(header)) is not None:
        yield Fact("tar.device", device, at("devmajor"))
    if header.sparse is not None:
        spans = ",".join(f"{start}+{size}" for start, size in header.sparse)
        yield Fact("tar.sparse", spans, at("padding", "GNU.sparse.map"))
    for key in ("atime", "ctime"):
        for name, value, _ in header.pax:
            if name == key:
                yield Fact(f"tar.{key}", time_value(nanoseconds(value)), at("mtime", key))
    for name, value in header.xattrs:
        spans_of = [xattr.STAR + name, xattr.LIBARCHIVE + name, name]
        yield Fact("tar.xattr", xattr.xattr_value(name, value), at("padding", *spans_of), name=name)


EXTENDED = "extended header"
"""How `spelling` names the blocks in front of a member's own."""


def dialect(header: Header, raw: bytes) -> str:
    """Which headers describe the member: "ustar", "pax, ustar", "GNU long name, GNU", ..."""
    names = {
        PAX: "pax",
        PAX_GLOBAL: "pax global",
        PAX_SOLARIS: "Solaris extended",
        GNU_LONG_NAME: "GNU long name",
        GNU_LONG_LINK: "GNU long link",
    }
    said = [names[raw[at + 156 : at + 157]] for at in header.blocks[:-1]]
    own = raw[header.blocks[-1] + 257 : header.blocks[-1] + 265]
    return ", ".join([*said, {b"ustar\x0000": "ustar", b"ustar  \0": "GNU"}.get(own, "v7")])


def spelling(
    header: Header, raw: bytes, base: int, same_layout: bytes | None = None
) -> Iterator[tuple[str, Fact]]:
    """How the header says it: each field and record as its raw bytes.

    With `same_layout`, the raw header of another member with blocks and records at the same
    places, fields with the same bytes there are left out.

    Gives the kind of `meaning` that tells the same bytes, and the fact, so that a difference
    of meaning is not told a second time as one of spelling.
    """
    count = len(header.blocks) - 1
    for index, block in enumerate(header.blocks):
        label = "" if index == count else f"{EXTENDED} {index + 1} "
        for name, start, size in FIELDS:
            data = raw[block + start : block + start + size]
            if same_layout and same_layout[block + start : block + start + size] == data:
                continue
            kind = f"tar.{name}" if index == count else ""
            if name in ("devmajor", "devminor") and index == count:
                kind = "tar.device"
            elif name == "prefix" and index == count:
                kind = "tar.name"
            elif name == "padding" and header.sparse is not None:
                kind = "tar.sparse"
            # fields have a fixed size, so that without the NULs at their end they stay exact
            value = text_of(data.rstrip(b"\0"))
            yield kind, Fact("tar.header", value, (base + block + start, size), name=label + name)
    for key, content, (start, size) in header.pax:
        if same_layout and same_layout[start : start + size] == raw[start : start + size]:
            continue
        kind = _PAX_KIND.get(key, "")
        if key.startswith(xattr.STAR):
            kind = f"tar.xattr {key[len(xattr.STAR) :]}"
        elif key.startswith(xattr.LIBARCHIVE):
            kind = f"tar.xattr {xattr.libarchive_xattr(key, content)[0]}"
        elif key in xattr.ACL_KEYS:
            kind = f"tar.xattr {xattr.ACL_KEYS[key] or key}"
        printable = content.decode(errors="replace").isprintable()
        shown = text_of(content) if printable else content.hex()
        yield kind, Fact("tar.pax", shown, (base + start, size), name=key)
