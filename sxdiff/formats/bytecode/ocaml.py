"""Compiled OCaml: interfaces (.cmi, .cmt), bytecode (.cmo, .cma), native descriptions (.cmx, ...)
and programs for the bytecode's runtime.

Source: OCaml's utils/config.mlp (magic numbers), file_formats/cmo_format.mli, cmi_format.ml,
runtime/intern.c, runtime/caml/intext.h (marshalled values) and exec.h (programs). All numbers
are big-endian.
"""

import re
from collections.abc import Generator, Iterator

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    text_of,
)

MAGIC = re.compile(rb"Caml1999([AIMNOTYZ])([0-9]{3})")
KINDS = {
    "A": "bytecode library",
    "I": "interface",
    "M": "syntax tree of an implementation",
    "N": "syntax tree of an interface",
    "O": "bytecode object",
    "T": "typed tree",
    "Y": "native object's description",
    "Z": "native library's description",
}
SIZE = 12
WITH_CODE = "AO"
"""Kinds whose magic number is followed by the place of a value behind the code."""
DIGEST = 16
SMALL = Record(
    "ocaml.value",
    ">",
    (
        Field("magic", "I", hexadecimal),
        Field("size", "I", derived=True),
        Field("objects", "I", derived=True),
        Field("words_32", "I", derived=True),
        Field("words_64", "I", derived=True),
    ),
)
BIG = Record(
    "ocaml.value",
    ">",
    (
        Field("magic", "I", hexadecimal),
        Field("reserved", "I"),
        Field("size", "Q", derived=True),
        Field("objects", "Q", derived=True),
        Field("words_64", "Q", derived=True),
    ),
)
HEADERS = {b"\x84\x95\xa6\xbe": SMALL, b"\x84\x95\xa6\xbf": BIG}
_HEADER = re.compile(rb"\x84\x95\xa6[\xbe\xbf]")
SCRIPT = re.compile(rb"#![^\n]*(?:\n[^\n]*)?ocamlrun")
PROGRAM = re.compile(rb"Caml1999X\d{3}\Z")
TRAILER = 4 + SIZE
NAMES = (b"PRIM", b"DLLS", b"DLPT")
"""Sections that are lists of names."""
MOST_SECTIONS = 1000
MOST_VALUES = 10_000
MOST_BYTES = 256 << 20

# intext.h: code, name, bytes of the number behind it
NUMBERS = {0: 1, 1: 2, 2: 4, 3: 8}
SHARED = {4: 1, 5: 2, 6: 4, 0x14: 8}
BLOCKS = {8: 4, 0x13: 8}
STRINGS = {9: 1, 10: 4, 0x15: 8}
DOUBLES = {0x0B: (0, 1), 0x0C: (0, 1), 0x0D: (1, 8), 0x0E: (1, 8), 0x0F: (4, 8), 0x07: (4, 8)}
CUSTOM = (0x12, 0x18, 0x19)
CUSTOM_SIZES = {b"_j": 8, b"_i": 4}


class Ocaml:
    """Magic number, code as it lies, marshalled values item by item."""

    name = "ocaml"

    def recognises(self, head: bytes) -> bool:
        """A magic number of one of the kinds, or a script line for the runtime and bytes that are
        no text behind it."""
        return MAGIC.match(head) is not None or (SCRIPT.match(head) is not None and b"\0" in head)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """In the order of the file."""
        if blob.read(0, 2) == b"#!":
            yield from _program(blob)
            return
        found = MAGIC.match(blob.read(0, SIZE))
        if found is None:
            raise FormatError("no magic number", 0)
        yield _magic(blob, 0)
        at = SIZE
        if found[1].decode() in WITH_CODE:
            place = int.from_bytes(blob.part(at, 4).read(), "big")
            yield Fact("ocaml.place", place, (at, 4), derived=True)
            blob.part(at + 4, place - at - 4)
            yield from _code_and_values(blob, at + 4, place, "code")
            at = place
        for number in range(1, MOST_VALUES):
            header = HEADERS.get(blob.read(at, 4))
            if header is None and MAGIC.match(blob.read(at, SIZE)):
                yield _magic(blob, at)
                at += SIZE
                header = HEADERS.get(blob.read(at, 4))
            if header is None:
                break
            at = yield from _value(blob, at, header, f"value {number}")
        if blob.size - at == DIGEST:
            yield Fact("ocaml.digest", blob.read(at).hex(), (at, DIGEST), derived=True)
        elif at < blob.size:
            rest = blob.part(at, blob.size - at)
            yield Member("rest", rest, (at, rest.size), "ocaml.rest", opaque=True)


def _value(blob: Blob, at: int, header: Record, name: str) -> Generator[Fact | Member, None, int]:
    """A marshalled value with its header at `at`; the offset behind it."""
    yield from header.facts(blob, at, name)
    size = header.number(blob, at, "size")
    at += header.size
    rows = Listing("ocaml.value", _rows)
    yield Member(name, blob.part(at, size), (at, size), "ocaml.value", inside=rows)
    return at + size


def _program(blob: Blob) -> Iterator[Fact | Member]:
    """A program for the runtime (runtime/caml/exec.h): sections, then a table of their names and
    sizes, their count and a magic number at the end."""
    end = blob.size - TRAILER
    trailer = blob.part(end, TRAILER).read()
    if not PROGRAM.match(trailer, 4):
        raise FormatError("no magic number of a program at the end", end + 4)
    count = int.from_bytes(trailer[:4], "big")
    if count > MOST_SECTIONS:
        raise FormatError(f"{count} sections", end)
    table = end - 8 * count
    rows = [blob.part(place, 8).read() for place in range(table, end, 8)]
    sizes = [int.from_bytes(row[4:], "big") for row in rows]
    at = table - sum(sizes)
    yield Member("start", blob.part(0, at), (0, at), "ocaml.start", opaque=True)
    met: dict[str, int] = {}
    for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
        name = text_of(row[:4])
        met[name] = met.get(name, 0) + 1
        name = name if met[name] == 1 else f"{name} #{met[name]}"
        place = table + 8 * number
        yield Fact("ocaml.section", name, (place, 4), name)
        yield Fact("ocaml.section_size", size, (place + 4, 4), name, derived=True)
        header = HEADERS.get(blob.read(at, 4))
        start, at = at, at + size
        if header and header.size + header.number(blob, start, "size") == size:
            yield from _value(blob, start, header, name)
        elif row[:4] in NAMES:
            names = Listing("ocaml.names", _names)
            part = blob.part(start, size)
            yield Member(name, part, (start, size), "ocaml.names", inside=names)
        else:
            yield from _code_and_values(blob, start, start + size, name)
    yield Fact("ocaml.sections", count, (end, 4), derived=True)
    yield Fact("ocaml.magic", text_of(trailer[4:]), (end + 4, SIZE))


def _code_and_values(blob: Blob, at: int, end: int, name: str) -> Iterator[Fact | Member]:
    """Code, with the marshalled values in it: events for the debugger, the directories of
    sources."""
    start, number, label = at, 0, name
    data = blob.read(at, end - at) if end - at <= MOST_BYTES else b""
    for found in _HEADER.finditer(data):
        place, header = start + found.start(), HEADERS[found[0]]
        if place < at or place + header.size > end or number >= MOST_VALUES:
            continue
        if place + header.size + header.number(blob, place, "size") > end:
            continue
        if place > at:
            yield Member(
                label, blob.part(at, place - at), (at, place - at), "ocaml.code", opaque=True
            )
        number += 1
        at = yield from _value(blob, place, header, f"{name} value {number}")
        label = f"{name} behind value {number}"
    if at < end or not number:
        yield Member(label, blob.part(at, end - at), (at, end - at), "ocaml.code", opaque=True)


def _names(blob: Blob) -> Iterator[Row]:
    """Names that each end with NUL."""
    if blob.size > MOST_BYTES:
        raise LimitError(f"names of more than {MOST_BYTES} bytes")
    at = 0
    for name in blob.read().split(b"\0"):
        size = min(len(name) + 1, blob.size - at)
        if size:
            # the last may lack its NUL
            yield Row((at, size), repr(text_of(name)) + ("" if size > len(name) else " unended"))
        at += size


def _magic(blob: Blob, at: int) -> Fact:
    text = text_of(blob.part(at, SIZE).read())
    return Fact("ocaml.magic", f"{text} ({KINDS[text[8]]})", (at, SIZE))


def _rows(blob: Blob) -> Iterator[Row]:
    """The codes of a marshalled value in their order; what is no known code ends them."""
    if blob.size > MOST_BYTES:
        raise LimitError(f"value of more than {MOST_BYTES} bytes")
    data = blob.read()
    at = 0
    while at < len(data):
        size, text = _code(data, at)
        size = min(size, len(data) - at) if size else len(data) - at
        yield Row((at, size), text or data[at:].hex())
        at += size


def _string(raw: bytes) -> str:
    """A string in quotes; bytes that are no text (digests) in hex digits."""
    try:
        return repr(raw.decode())
    except UnicodeDecodeError:
        return f"bytes {raw.hex()}"


def _code(data: bytes, at: int) -> tuple[int, str]:
    """Size and text of the code at `at`; (0, "") where it is none that is known."""
    code = data[at]
    at += 1

    def number(size: int, signed: bool = False) -> int:
        return int.from_bytes(data[at : at + size], "big", signed=signed)

    if code >= 0x80:
        return 1, f"block of tag {code & 15}, {code >> 4 & 7} fields"
    if code >= 0x40:
        return 1, str(code & 0x3F)
    if code >= 0x20:
        size = code & 0x1F
        return 1 + size, _string(data[at : at + size])
    if code in NUMBERS:
        return 1 + NUMBERS[code], str(number(NUMBERS[code], True))
    if code in SHARED:
        return 1 + SHARED[code], f"shared {number(SHARED[code])}"
    if code in BLOCKS:
        header = number(BLOCKS[code])
        return 1 + BLOCKS[code], f"block of tag {header & 255}, {header >> 10} fields"
    if code in STRINGS:
        size = number(STRINGS[code])
        start = at + STRINGS[code]
        return 1 + STRINGS[code] + size, _string(data[start : start + size])
    if code in DOUBLES:
        width, each = DOUBLES[code]
        size = width + 8 * (number(width) if width else each)
        return 1 + size, f"double {data[at : at + size].hex()}"
    if code in CUSTOM:
        end = data.find(b"\0", at, at + 64)
        name = data[at:end] if end >= 0 else b""
        size = CUSTOM_SIZES.get(name, 0)
        if not size:
            return 0, ""
        start = end + 1 + (12 if code == 0x18 else 0)
        return start + size - at + 1, f"custom {text_of(name)} {data[end + 1 : start + size].hex()}"
    return 0, ""
