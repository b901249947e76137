"""Archives of ar: static libraries, rlibs, Debian packages.

Source: ar(5) of FreeBSD ("The archive file header", "BSD extended names"); GNU binutils 2.42
bfd/archive.c and its documentation of thin archives; System V ABI 4.1, chapter 7 "Archive File"
for the symbol table `/` and the long names `//`. All numbers are ASCII, padded with spaces.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Literal, NamedTuple

from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Limits,
    Listing,
    Member,
    Row,
    Scalar,
    text_of,
)

MAGIC, THIN = b"!<arch>\n", b"!<thin>\n"
HEADER = 60
END = b"`\n"
FIELDS = (
    # name, offset, size; ar_hdr of <ar.h>
    ("ar.mtime", 16, 12),
    ("ar.uid", 28, 6),
    ("ar.gid", 34, 6),
    ("ar.mode", 40, 8),
    ("ar.size", 48, 10),
)
SYMBOL_TABLES = frozenset({"/", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64"})
LONG_NAMES = "//"
LONGEST = 64 << 10
"""Longest name of a member."""
ELF_64, SYMTAB = b"\x7fELF\x02\x01", 2
_LONG = re.compile(rb"/([0-9]+)")
MOST_LOOKED_INTO = 64 << 20
"""Bytes of an archive whose tables are compared with its members."""
_PLAIN = re.compile(r"0|[1-9][0-9]*")


class Header(NamedTuple):
    """One member's header at `at`, its content's span, and the name that stands for it."""

    at: int
    raw: bytes
    name: str
    name_size: int
    content: int
    size: int
    stored: bool


class Ar:
    """Facts for each member's header, a member for each content."""

    name = "ar"

    def recognises(self, head: bytes) -> bool:
        """The magic string of a plain or thin archive."""
        return head.startswith((MAGIC, THIN))

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Magic, then each member in order; a name met again gets ` #2`."""
        yield Fact("ar.magic", text_of(blob.read(0, len(MAGIC))), (0, len(MAGIC)))
        met: dict[str, int] = {}
        names: dict[int, str] = {}
        headers = list(_headers(blob))
        for header in headers:
            name = header.name
            met[name] = met.get(name, 0) + 1
            if met[name] > 1:
                name = f"{name} #{met[name]}"
            names[header.at] = name
            yield from _facts(blob, header, name)
            if header.stored and header.size:
                content = _content(blob, header, name, names)
                right = not content.derived or _follows(blob, header, headers)
                yield content if right else replace(content, derived=False)
            end = header.content + (header.size if header.stored else 0)
            if end % 2 and end < blob.size:
                padding = blob.read(end, 1)
                # whether there is one follows from the size
                usual = padding == b"\n"
                yield Fact("ar.padding", padding.hex(), (end, 1), name, derived=usual)


def _headers(blob: Blob) -> Iterator[Header]:
    thin = blob.read(0, len(THIN)) == THIN
    names: Blob | None = None
    at = len(MAGIC)
    while at < blob.size:
        raw = blob.part(at, HEADER).read()
        if raw[58:60] != END:
            raise FormatError("member header without its end mark", at + 58)
        size = _number(raw[48:58], "size", at + 48)
        field = raw[:16].rstrip(b" ")
        content, name_size = at + HEADER, 0
        if field.startswith(b"#1/"):
            name_size = _number(field[3:], "length of a name", at)
            if name_size > min(size, LONGEST):
                raise FormatError(f"name of {name_size} bytes", at)
            name = text_of(blob.part(content, name_size).read().rstrip(b"\0"))
            content, size = content + name_size, size - name_size
        else:
            name = _name(field, names, at)
        # of a thin archive's members only the tables are stored
        stored = not thin or name in SYMBOL_TABLES or name == LONG_NAMES
        if stored:
            blob.part(content, size)
        yield Header(at, raw, name, name_size, content, size, stored)
        if name == LONG_NAMES:
            names = blob.part(content, size)
        at = content + (size if stored else 0)
        at += at % 2


def _name(field: bytes, names: Blob | None, at: int) -> str:
    """The name that a header's field stands for: `name/`, `/123` in the long names, or plain."""
    if re.fullmatch(rb"/[0-9]+(:[0-9]+)?", field):
        if names is None:
            raise FormatError("long name before the table of long names", at)
        start = int(field[1:].partition(b":")[0])
        if start >= names.size:
            raise FormatError("long name outside the table of long names", at)
        name, end, _ = names.read(start, LONGEST).partition(b"\n")
        if not end:
            raise FormatError("long name without an end", at)
        return text_of(name.removesuffix(b"/"))
    if field in (b"/", b"//", b"/SYM64/"):
        return field.decode()
    return text_of(field.removesuffix(b"/"))


def _number(field: bytes, what: str, at: int) -> int:
    digits = field.rstrip(b" ")
    if not re.fullmatch(rb"[0-9]{1,19}", digits):
        raise FormatError(f"{what} is no number", at)
    return int(digits)


def _facts(blob: Blob, header: Header, name: str) -> Iterator[Fact]:
    field = text_of(header.raw[:16].rstrip(b" "))
    # a reference into the long names says where the name stands, not what it is
    reference = re.fullmatch(r"/[0-9]+(:[0-9]+)?|#1/[0-9]+", field) is not None
    yield Fact("ar.name", field, (header.at, 16), name, derived=reference)
    if header.name_size:
        raw = blob.read(header.at + HEADER, header.name_size)
        yield Fact("ar.long_name", text_of(raw), (header.at + HEADER, header.name_size), name)
    for kind, start, size in FIELDS:
        raw = header.raw[start : start + size].rstrip(b" ")
        told = _shown(raw, number=kind != "ar.mode")
        derived = kind == "ar.size" and header.stored
        yield Fact(kind, told, (header.at + start, size), name, derived)
    yield Fact("ar.end", END.hex(), (header.at + 58, 2), name)


def _shown(raw: bytes, number: bool) -> Scalar:
    """A field as a number where that says all its bytes, else as its text."""
    text = text_of(raw)
    return int(text) if number and _PLAIN.fullmatch(text) else text


def _content(blob: Blob, header: Header, name: str, names: Mapping[int, str]) -> Member:
    """The member's content. `names` are the members by their headers' offsets; it is filled by
    the time that a table is looked into."""
    table = header.name in SYMBOL_TABLES
    known = table or header.name == LONG_NAMES
    rows = partial(_symbols, header.name, names) if table else _long_names
    kind = "ar.symbols" if table else "ar.names" if known else "bytes"
    return Member(
        name,
        blob.part(header.content, header.size),
        at=(header.content, header.size),
        kind=kind,
        opaque=known,
        derived=known,
        inside=Listing(kind, rows) if known else None,
    )


def _follows(blob: Blob, table: Header, headers: Sequence[Header]) -> bool:
    """Whether a table says no more than the members: their long names, or symbols that stand in
    them. That of a large archive, and of one that holds no members, is taken to be right."""
    if blob.size > MOST_LOOKED_INTO or not all(header.stored for header in headers):
        return True
    raw = blob.part(table.content, table.size).read()
    if table.name == LONG_NAMES:
        starts = {0, *accumulate(map(len, raw.splitlines(keepends=True)))}
        used = {int(found[1]) for each in headers if (found := _LONG.match(each.raw))}
        return starts - {len(raw)} <= used
    members = {header.at: header for header in headers}
    words: dict[int, tuple[bytes, set[bytes]]] = {}
    try:
        symbols = list(_symbol_places(table.name, raw))
    except FormatError:
        return False
    for symbol, place in symbols:
        member = members.get(place)
        if member is None:
            return False
        if place not in words:
            data = blob.part(member.content, member.size).read()
            words[place] = data, _defined(data) or set(data.split(b"\0"))
        data, strings = words[place]
        # symbols of link-time optimisation are in no table that is read here
        plain = data.startswith(ELF_64) and b".gnu.lto_" not in data
        end = b"\0" if data.startswith(b"\x7fELF") else b""
        if symbol not in strings and (plain or symbol + end not in data):
            return False
    return True


def _defined(data: bytes) -> set[bytes]:
    """The symbols that an object for 64-bit little-endian machines defines; none of others."""
    out: set[bytes] = set()
    left = 4 * len(data)  # of all names: those of a wrong table may overlap
    if not data.startswith(ELF_64):
        return out
    try:
        (start,) = struct.unpack_from("<Q", data, 0x28)
        count = struct.unpack_from("<H", data, 0x3C)[0]
        sections = [struct.unpack_from("<IIQQQQII", data, start + 64 * i) for i in range(count)]
        for _, kind, _, _, at, size, link, _ in sections:
            if kind == SYMTAB and link < count and at + size <= len(data):
                strings = sections[link][4]
                symbols = struct.iter_unpack("<IBBHQQ", data[at : at + size - size % 24])
                for name, _, _, section, _, _ in symbols:
                    if section:
                        begin = strings + name
                        found = data[begin : data.find(b"\0", begin)]
                        left -= len(found)
                        if left < 0:
                            return set()
                        out.add(found)
    except (struct.error, OverflowError):  # a place behind the data, however far
        out.clear()
    return out


def _symbol_places(kind: str, data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each symbol and the offset of its member's header. Raises `FormatError` where there are
    more names than symbols, or fewer."""
    bsd = kind.startswith("__.SYMDEF")
    size = 8 if kind in ("/SYM64/", "__.SYMDEF_64") else 4
    order: Literal["little", "big"] = "little" if bsd else "big"

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    count = number(0) // (2 * size) if bsd else number(0)
    start = size + count * (2 * size if bsd else size) + (size if bsd else 0)
    if start > len(data):
        raise FormatError("symbol table ends early")
    if bsd:
        for place in range(size, size + 2 * size * count, 2 * size):
            begin = start + number(place)
            yield data[begin : data.find(b"\0", begin)], number(place + size)
        return
    names = data[start:].split(b"\0")
    if len(names) <= count or any(names[count:]):
        raise FormatError("another number of symbols than of names")
    for place, name in enumerate(names[:count]):
        yield name, number(size + size * place)


def _long_names(table: Blob) -> Iterator[Row]:
    """The names of `//`, each up to a line feed."""
    at = 0
    for line in table.read().splitlines(keepends=True):
        yield Row((at, len(line)), text_of(line.rstrip(b"\n")))
        at += len(line)


def _symbols(kind: str, names: Mapping[int, str], table: Blob) -> Iterator[Row]:
    """A symbol table: which member defines each symbol, then the symbols' names.

    GNU: a count, the offsets of the members' headers, the names in the same order, big-endian.
    BSD: the size of the entries, pairs of a name's and a header's offset, the size of the names,
    the names, in the byte order of the objects: little-endian here.
    """
    data = table.read()
    bsd = kind.startswith("__.SYMDEF")
    wide = kind in ("/SYM64/", "__.SYMDEF_64")
    order: Literal["little", "big"] = "little" if bsd else "big"
    size = 8 if wide else 4

    def number(at: int) -> int:
        if at + size > len(data):
            raise FormatError("symbol table ends early", at)
        return int.from_bytes(data[at : at + size], order)

    count = number(0) // (2 * size) if bsd else number(0)
    width = 2 * size if bsd else size
    start = size + count * width + (size if bsd else 0)
    if start > len(data):
        raise FormatError(f"symbol table of {count} symbols", 0)
    # how many they are is layout: each has a row
    yield Row((0, size), "number of symbols")
    at = start
    for place in range(size, size + count * width, width):
        member = number(place + width - size)
        begin = start + number(place) if bsd else at
        end = data.find(b"\0", begin)
        if end < 0:
            raise FormatError("symbol without an end", begin)
        symbol = text_of(data[begin:end])
        at = end + 1
        found = names.get(member)
        # where a member lies is the archive's layout
        refers = ((found, 0),) if found is not None else ()
        yield Row((place, width), f"{symbol} in {found or f'no member at {member}'}", refers)
    if bsd:
        yield Row((start - size, size), "size of the names")
    at = start
    for name in data[start:].split(b"\0")[: count + 1]:
        end = min(len(data), at + len(name) + 1)
        if end > at:
            yield Row((at, end - at), text_of(data[at:end].rstrip(b"\0")))
        at = end
